"""A broken, slow or hostile proxy harms itself alone."""
import pytest
from conftest import BIN, THERMOMETER, Gateway, house

# The victim, and two that must not notice anything.
PROXIES = [
    {"name": "victim", "at": [0, 0, 0], "profile": "2026", "encryption_key": True},
    {"name": "plain", "at": [9, 0, 0], "profile": "2024"},
    {"name": "secret", "at": [0, 9, 0], "profile": "2026", "encryption_key": True},
]
WITNESSES = ("plain", "secret")


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("faults", house(PROXIES))
    pair.gateway.wait_online(3)
    return pair


@pytest.fixture
def healthy(pair):
    """All are online before, and the witnesses have noticed nothing afterwards."""
    pair.gateway.wait_online(3, limit_s=40)
    before = {name: pair.proxy(name) for name in WITNESSES}
    yield pair
    pair.sim.ask(do="clear", proxy="*")
    pair.gateway.request("POST", "/api/v1/proxies/victim/reconnect")
    pair.wait_proxy("victim", lambda proxy: proxy["state"] == "online", 60)
    for name in WITNESSES:
        total = before[name]["advertisements_total"]
        after = pair.wait_proxy(name, lambda proxy, least=total: proxy["advertisements_total"] > least)
        assert after["state"] == "online"
        assert after["since"] == before[name]["since"], f"{name} lost its conversation"


def code_of(proxy):
    return proxy["last_error"] and proxy["last_error"]["code"]


def reconnect(pair):
    pair.ask("POST", "/api/v1/proxies/victim/reconnect", 202)


def is_back_after(before):
    return lambda proxy: proxy["state"] == "online" and proxy["since"] > before["since"]


@pytest.mark.parametrize("fault, codes", [
    ("drop", {"closed"}),
    ("garbage", {"protocol", "closed"}),
    ("truncate", {"closed", "protocol"}),
])
def test_a_proxy_that_breaks_the_stream_is_dropped_and_comes_back(healthy, fault, codes):
    before = healthy.proxy("victim")
    healthy.sim.fault("victim", fault)
    gone = healthy.wait_proxy("victim", lambda proxy: proxy["state"] != "online" or proxy["since"] > before["since"])
    assert code_of(gone) in codes
    healthy.wait_proxy("victim", is_back_after(before), 40)


@pytest.mark.parametrize("fault, more", [("garbage", {"octets": 64}), ("garbage", {"octets": 4096}), ("truncate", {}),
                                         ("oversize", {})])
def test_a_proxy_without_encryption_that_breaks_the_stream_is_dropped_and_comes_back(start, fault, more):
    pair = start(house([{"name": "victim", "at": [0, 0, 0], "profile": "2026"},
                        {"name": "plain", "at": [9, 0, 0], "profile": "2026"}]))
    pair.gateway.wait_online(2)
    witness, before = pair.proxy("plain"), pair.proxy("victim")
    pair.sim.fault("victim", fault, **more)
    gone = pair.wait_proxy("victim", lambda proxy: proxy["last_error"])
    assert code_of(gone) in ("protocol", "closed")
    pair.wait_proxy("victim", is_back_after(before), 40)
    assert pair.proxy("plain")["since"] == witness["since"]


def test_a_proxy_that_reboots_comes_back(healthy):
    before = healthy.proxy("victim")
    healthy.sim.fault("victim", "reboot", seconds=1)
    healthy.wait_proxy("victim", lambda proxy: proxy["state"] == "waiting_retry")
    after = healthy.wait_proxy("victim", is_back_after(before), 40)
    assert code_of(after) in (None, "refused", "closed")


def test_a_proxy_that_closes_at_once_is_tried_again_and_again(healthy):
    healthy.sim.fault("victim", "refuse")
    healthy.sim.fault("victim", "drop")
    proxy = healthy.wait_proxy("victim", lambda proxy: proxy["state"] == "waiting_retry" and proxy["retry_at"])
    assert code_of(proxy) == "closed"


def test_a_wrong_key_is_named_and_not_tried_fast(healthy):
    healthy.sim.fault("victim", "wrong_key")
    reconnect(healthy)
    proxy = healthy.wait_proxy("victim", lambda proxy: proxy["state"] == "failed")
    assert code_of(proxy) == "wrong_key"
    accepted = healthy.sim.status()["proxies"]["victim"]["connections_accepted"]
    assert healthy.get("/devices?name=nobody&wait_ms=3000")["items"] == []  # three seconds go by
    assert healthy.sim.status()["proxies"]["victim"]["connections_accepted"] == accepted


def test_another_device_at_the_address_is_named(healthy):
    healthy.sim.fault("victim", "bad_mac")
    reconnect(healthy)
    proxy = healthy.wait_proxy("victim", lambda proxy: proxy["state"] == "failed")
    assert code_of(proxy) == "wrong_device"


def test_a_half_open_proxy_disturbs_nobody(healthy):
    healthy.sim.fault("victim", "half_open")
    reconnect(healthy)
    healthy.wait_proxy("victim", lambda proxy: proxy["state"] in ("handshaking", "connecting", "waiting_retry"))
    device = healthy.wait_device(THERMOMETER["address"], lambda device: device["proxy"] in WITNESSES, 30)
    assert device["available"]


def test_while_the_owner_stalls_a_new_payload_is_shown_from_others(healthy):
    healthy.sim.fault("victim", "stall", seconds=3)
    changed = "0201060a16d2fc4002d10903bf13"
    healthy.sim.ask(do="payload", device=THERMOMETER["address"], raw=changed)
    device = healthy.wait_device(THERMOMETER["address"], lambda device: device["latest"]["raw"] == changed, 2)
    assert device["latest"]["proxy"] in WITNESSES
    healthy.sim.ask(do="payload", device=THERMOMETER["address"], raw=THERMOMETER["payload"]["raw"])


def test_O07_when_a_proxy_goes_its_devices_move_at_once(healthy):
    healthy.wait_device(THERMOMETER["address"], lambda device: device["proxy"] == "victim", 60)
    healthy.sim.fault("victim", "reboot", seconds=6)
    device = healthy.wait_device(THERMOMETER["address"], lambda device: device["proxy"] in WITNESSES, 3)
    assert device["available"]


# ---- mistakes in the configuration ----

def mistaken(change):
    def configure(config):
        proxies = {proxy["name"]: proxy for proxy in config["proxies"]}
        change(proxies)
    return configure


KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


@pytest.mark.parametrize("name, change, code", [
    ("secret", lambda proxies: proxies["secret"].pop("encryption_key"), "key_required"),
    ("secret", lambda proxies: proxies["secret"].update(encryption_key=KEY), "wrong_key"),
    ("plain", lambda proxies: proxies["plain"].update(encryption_key=KEY), "key_not_expected"),
    ("plain", lambda proxies: proxies["plain"].update(mac="02:00:00:00:00:01"), "wrong_device"),
])
def test_a_mistake_in_the_configuration_is_named(start, name, change, code):
    pair = start(house(PROXIES), config_change=mistaken(change))
    proxy = pair.wait_proxy(name, lambda proxy: proxy["state"] == "failed")
    assert code_of(proxy) == code
    pair.gateway.wait_online(2)


def test_an_unreachable_port_is_tried_again(start):
    pair = start(house(PROXIES), config_change=mistaken(lambda proxies: proxies["plain"].update(port=1)))
    proxy = pair.wait_proxy("plain", lambda proxy: proxy["state"] == "waiting_retry")
    assert code_of(proxy) == "refused"
    assert proxy["retry_at"] is not None


def test_a_proxy_that_another_client_holds_says_so(start, tmp_path):
    """Firmware of 2025 serves its first subscriber and ignores the second."""
    pair = start(house([{"name": "held", "at": [0, 0, 0], "profile": "2025"}]))
    pair.wait_device(THERMOMETER["address"])
    second = Gateway(BIN, tmp_path, pair.sim.gateway_config)
    try:
        refused = second.wait_for(lambda: [proxy for proxy in second.items("/api/v1/proxies")
                                           if proxy["state"] == "subscription_refused"], 15, "the refusal")
        assert code_of(refused[0]) == "subscription_refused"
        assert second.items("/api/v1/devices") == []
        assert pair.proxy("held")["state"] == "online"
    finally:
        assert second.stop()[0] == 0
