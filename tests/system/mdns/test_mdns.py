"""Devices that are announced, change, say goodbye and lie; proxies that are woken; daemons that are not there."""
import contextlib
import datetime
import signal
import socket
import time

import network
import pytest
from announcer import Announcer6, service
from programs import STOP_LIMIT_S

SCENARIO = {"seed": 1, "proxies": [{"name": "kitchen", "at": [0, 0, 0]}], "devices": []}
KITCHEN_MAC = "24:6F:28:43:34:E8"  # as the seed makes it
MAC = "246f28aabbcc"
TEXTS = [f"mac={MAC}", "friendly_name=Küche", "version=2026.8.0", "platform=ESP32", "board=esp32-poe",
         "network=ethernet", "api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256"]


@pytest.fixture
def one(start):
    """One simulated proxy and a gateway that has it with these settings, or, without any, does not know it."""
    def start_one(settings=None, **proxy):
        def change(config):
            config["proxies"] = [{**config["proxies"][0], **proxy}] if proxy else []
        return start(SCENARIO, settings=settings, config_change=change)
    return start_one


def port_of(pair):
    return pair.sim.proxies["kitchen"]["port"]


def mac_of(pair):
    return pair.sim.proxies["kitchen"]["mac"]


def text_of(mac):
    """A MAC as ESPHome announces it."""
    return "mac=" + mac.replace(":", "").lower()


def later(time, seconds):
    """A time of the contract, so much later: comparable as text."""
    moment = datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def utc_now():
    return later(datetime.datetime.now(datetime.timezone.utc).isoformat(), 0)


def wait_for_a_long_wait(pair, name):
    """Until the next attempt is 5 s away."""
    return pair.wait_proxy(name, lambda proxy: proxy["retry_at"] and
                           proxy["retry_at"] > later(proxy["last_error"]["time"], 5))


def discovered(pair):
    return {item["name"]: item for item in pair.get("/proxies/discovered?limit=1000")["items"]}


def wait_discovered(pair, condition, limit_s=15.0):
    def look():
        found = discovered(pair)
        return [found] if condition(found) else None
    return pair.gateway.wait_for(look, limit_s, "the wanted announcements")[0]


def wait_log(pair, text, count=1):
    pair.gateway.wait_for(lambda: pair.gateway.log_text().count(text) >= count, 15, f"{text} in the log")


def wait_browsing(pair, count=1):
    wait_log(pair, "mdns.browsing", count)


def test_a_device_is_found_with_what_it_says(avahi, announcer, one):
    pair = one()
    wait_browsing(pair)
    announcer.say(service("kitchen", TEXTS, address="127.0.0.7"))
    found = wait_discovered(pair, len)["kitchen"]
    last_seen = found.pop("last_seen")
    assert last_seen.endswith("Z")
    assert found == {
        "name": "kitchen", "friendly_name": "Küche", "host": "kitchen.local", "port": 6053, "addresses": ["127.0.0.7"],
        "mac": "24:6F:28:AA:BB:CC", "esphome_version": "2026.8.0", "platform": "ESP32", "board": "esp32-poe",
        "network": "ethernet", "encryption": "required", "bluetooth_proxy": None, "configured": False}


def test_a_goodbye_removes_it(avahi, announcer, one):
    pair = one()
    wait_browsing(pair)
    announcer.say(service("kitchen"))
    announcer.say(service("hall"))
    wait_discovered(pair, lambda found: len(found) == 2)
    announcer.say(service("kitchen", ttl=0))
    wait_discovered(pair, lambda found: list(found) == ["hall"])


def test_another_address_and_other_texts_are_told(avahi, announcer, one):
    pair = one()
    wait_browsing(pair)
    announcer.say(service("kitchen", ["version=1"], address="127.0.0.7"))
    wait_discovered(pair, len)
    said = 0.0

    def is_other(found):
        nonlocal said
        if time.monotonic() > said + 2.5:  # what was said less than 1 s before does not go by what is said now
            announcer.say(service("kitchen", ["version=2"], address="127.0.0.8"))
            said = time.monotonic()
        kitchen = found["kitchen"]
        return kitchen["addresses"] == ["127.0.0.8"] and kitchen["esphome_version"] == "2"
    wait_discovered(pair, is_other)


def test_it_is_configured_by_mac_by_place_or_by_name(avahi, announcer, one):
    pair = one(name="hall", host="hall.example")
    wait_browsing(pair)
    pair.gateway.wait_for(lambda: pair.proxy("hall")["state"] == "waiting_retry", what="no such host")
    announcer.say(service("HALL"))
    announcer.say(service("attic"))
    found = wait_discovered(pair, lambda found: len(found) == 2)
    assert {name: item["configured"] for name, item in found.items()} == {"HALL": True, "attic": False}


def test_X03_an_announcement_wakes_a_proxy_that_waits(avahi, announcer, one):
    """Its host is found by the announcement, too: nothing else here knows names in .local."""
    pair = one(host="kitchen.local")
    wait_browsing(pair)
    waiting = wait_for_a_long_wait(pair, "kitchen")
    announcer.say(service("kitchen", [text_of(mac_of(pair))], port=port_of(pair)))
    online = pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online")
    assert online["since"] < waiting["retry_at"]
    found = discovered(pair)["kitchen"]
    assert found["configured"]
    assert found["bluetooth_proxy"]


def test_X03_a_proxy_whose_address_changed_is_found_by_its_mac(avahi, announcer, start):
    def change(config):
        proxy = config["proxies"][0]
        proxy["mac"] = KITCHEN_MAC
        proxy["host"] = "127.0.0.9"  # where nobody listens
    pair = start(SCENARIO, config_change=change)
    assert mac_of(pair) == KITCHEN_MAC
    wait_browsing(pair)
    waiting = wait_for_a_long_wait(pair, "kitchen")
    announcer.say(service("moved", [text_of(KITCHEN_MAC)], port=port_of(pair)))
    online = pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online")
    assert online["since"] < waiting["retry_at"]
    assert discovered(pair)["moved"]["configured"]


def test_X03_an_announcement_wakes_a_proxy_that_knocks_where_nobody_is(avahi, announcer, start):
    def change(config):
        config["proxies"][0].update(mac=KITCHEN_MAC, host=network.VOID)
    pair = start(SCENARIO, config_change=change)
    wait_browsing(pair)
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "connecting" and later(proxy["since"], 2.1) < utc_now())
    announcer.say(service("moved", [text_of(KITCHEN_MAC)], port=port_of(pair)))
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online", limit_s=10)


def test_a_restarted_daemon_is_found_again(daemons, avahi, announcer, one):
    pair = one()
    wait_browsing(pair)
    announcer.say(service("kitchen"))
    wait_discovered(pair, len)
    avahi.stop()
    wait_discovered(pair, lambda found: not found)
    daemons(network.Avahi)
    wait_browsing(pair, 2)
    announcer.say(service("kitchen"))
    wait_discovered(pair, len)
    assert pair.gateway.log_text().count("mdns.unavailable") == 1


@pytest.mark.parametrize("has_bus", [True, False])
def test_without_a_daemon_all_else_works_until_it_comes(daemons, announcer, one, has_bus):
    if has_bus:
        daemons(network.Bus)
    pair = one(host="127.0.0.1")
    pair.gateway.wait_online(1)
    wait_log(pair, "mdns.unavailable")
    assert discovered(pair) == {}
    if not has_bus:
        daemons(network.Bus)
    daemons(network.Avahi)
    wait_browsing(pair)
    announcer.say(service("hall"))
    wait_discovered(pair, len)
    assert pair.gateway.log_text().count("mdns.unavailable") == 1


def test_a_bus_that_hangs_holds_up_nobody(own_network, one):
    bus = network.DeadBus()
    with contextlib.closing(bus.socket):
        pair = one(host="127.0.0.1")
        pair.gateway.wait_online(1)
        code, seconds = pair.gateway.stop()
        assert code == 0
        assert seconds < STOP_LIMIT_S
    bus.stop()


def test_a_daemon_that_hangs_holds_up_nobody(avahi, announcer, one):
    pair = one(host="127.0.0.1")
    wait_browsing(pair)
    avahi.signal(signal.SIGSTOP)
    pair.gateway.wait_online(1)
    code, seconds = pair.gateway.stop()
    assert code == 0
    assert seconds < STOP_LIMIT_S


def test_two_hundred_devices_are_listed_page_by_page(avahi, announcer, one):
    pair = one()
    wait_browsing(pair)
    wanted = {f"node-{number:03}": service(f"node-{number:03}", [f"mac=0200000000{number:02x}"], port=6053 + number)
              for number in range(200)}

    def are_all_there(found):
        for name in wanted.keys() - found.keys():  # so many at once do not all arrive
            announcer.say(wanted[name])
        return len(found) == len(wanted)
    wait_discovered(pair, are_all_there, limit_s=30)
    names, cursor = [], ""
    while cursor is not None:
        page = pair.get(f"/proxies/discovered?limit=60{cursor and '&cursor=' + cursor}")
        names += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert names == list(wanted)


def test_what_cannot_be_is_not_believed(avahi, announcer, one):
    pair = one()
    wait_browsing(pair)
    announcer.say(service("kitchen", [b"mac=" + b"\xff" * 251, b"version=\x00\x01\x02", b"platform=" + b"x" * 246, b"=",
                                      b"network=moon", "friendly_name=\u202e" + "x" * 115, b"board=\xc3\x28"]))
    announcer.say(service("hall\n[error] forged=1", ["mac=kitchen"]))
    announcer.say(service("quoted \"name\" \\ <b>", ["mac=02:00:00:00:00:01"]))
    announcer.say(service("last"))
    found = wait_discovered(pair, lambda found: "last" in found and "kitchen" in found and len(found) >= 3)
    kitchen = found["kitchen"]
    assert [kitchen[key] for key in ("mac", "esphome_version", "platform", "network", "board")] == [None] * 5
    assert kitchen["friendly_name"] == "\u202e" + "x" * 115
    assert found["quoted \"name\" \\ <b>"]["mac"] == "02:00:00:00:00:01"
    assert not any("\n" in name for name in found)


def test_ipv4_comes_before_ipv6_whose_link_is_told(avahi, announcer, one):
    """And the address of IPv6 works."""
    with socket.create_server(("::", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        pair = one(name="porch", host="porch.local", port=port)
        wait_browsing(pair)
        with contextlib.closing(Announcer6("far")) as far:
            far.say(service("porch", address=network.link_local("far"), port=port))
        place = f"{network.link_local('far')}%near"
        wait_discovered(pair, lambda found: found and place in found["porch"]["addresses"])
        listener.settimeout(20)
        listener.accept()[0].close()
        announcer.say(service("porch", address="127.0.0.1", port=port))
        found = wait_discovered(pair, lambda found: len(found["porch"]["addresses"]) > 1)
        assert found["porch"]["addresses"][0] == "127.0.0.1"


# ---- adopted unasked ----

HOUSE = {"seed": 1, "devices": [], "proxies": [
    {"name": "kitchen", "at": [0, 0, 0]},
    {"name": "plug", "at": [0, 0, 0], "firmware": {"features": 0}},
    {"name": "safe", "at": [0, 0, 0], "encryption_key": True}]}


@pytest.fixture
def willing(start):
    """A gateway that has no proxies and adopts them."""
    def start_willing(proxies=(), **discovery):
        def change(config):
            config["proxies"] = list(proxies)
            config["discovery"] = {"auto_adopt": True, **discovery}
        return start(HOUSE, config_change=change)
    return start_willing


def announce(pair, announcer, *names, strings=()):
    for name in names:
        announcer.say(service(name, [text_of(pair.sim.proxies[name]["mac"]), *strings],
                              port=pair.sim.proxies[name]["port"]))


def names_of_proxies(pair):
    return [proxy["name"] for proxy in pair.get("/proxies")["items"]]


def test_bluetooth_proxies_without_a_key_are_adopted(avahi, announcer, willing):
    pair = willing()
    wait_browsing(pair)
    announce(pair, announcer, "safe", strings=["api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256"])
    announce(pair, announcer, "plug", "kitchen")
    kitchen = pair.gateway.wait_for(lambda: "kitchen" in names_of_proxies(pair) and pair.proxy("kitchen"), what="adoption")
    assert kitchen["host"] == "kitchen.local"
    pair.gateway.wait_online(1)
    found = wait_discovered(pair, lambda found: found["plug"]["bluetooth_proxy"] is False)
    assert {name: item["configured"] for name, item in found.items()} == {"kitchen": True, "plug": False, "safe": False}
    assert found["safe"]["bluetooth_proxy"] is None
    assert names_of_proxies(pair) == ["kitchen"]
    written = pair.sim.gateway_config.read_text(encoding="utf-8")
    assert pair.sim.proxies["kitchen"]["mac"] in written


def test_what_somebody_removed_is_not_adopted_again(avahi, announcer, willing):
    pair = willing()
    wait_browsing(pair)
    announce(pair, announcer, "kitchen")
    pair.gateway.wait_online(1)
    pair.ask("DELETE", "/api/v1/proxies/kitchen", 204)
    announcer.say(service("kitchen", ttl=0, port=pair.sim.proxies["kitchen"]["port"]))
    wait_discovered(pair, lambda found: not found)
    announce(pair, announcer, "kitchen", "plug")
    found = wait_discovered(pair, lambda found: "plug" in found and found["plug"]["bluetooth_proxy"] is False)
    assert not found["kitchen"]["configured"]
    assert names_of_proxies(pair) == []


def test_nothing_is_asked_unless_somebody_wants_it(avahi, announcer, willing):
    pair = willing(auto_adopt=False)
    wait_browsing(pair)
    announce(pair, announcer, "kitchen", "plug")
    found = wait_discovered(pair, lambda found: len(found) == 2)
    assert [item["bluetooth_proxy"] for item in found.values()] == [None, None]
    assert names_of_proxies(pair) == []
    pair.ask("PATCH", "/api/v1/config", 200, body='{"discovery":{"auto_adopt":true}}',
             headers={"Content-Type": "application/merge-patch+json"})
    pair.gateway.wait_online(1)
    assert names_of_proxies(pair) == ["kitchen"]


def test_who_gives_no_sense_when_asked_is_left_alone(avahi, announcer, willing):
    pair = willing()
    wait_browsing(pair)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        announcer.say(service("web", port=listener.getsockname()[1]))
        announcer.say(service("quoted\" name", port=listener.getsockname()[1]))
        client = listener.accept()[0]
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wait_log(pair, "mdns.no_answer name=web")
        client.close()
        announce(pair, announcer, "kitchen")
        pair.gateway.wait_online(1)
    found = wait_discovered(pair, lambda found: len(found) == 3)
    assert found["web"]["bluetooth_proxy"] is None
    assert names_of_proxies(pair) == ["kitchen"]


def test_browsing_ends_and_begins_with_its_setting(avahi, announcer, willing):
    pair = willing(auto_adopt=False)
    wait_browsing(pair)
    announce(pair, announcer, "kitchen")
    wait_discovered(pair, len)
    for value in ("false", "true"):
        pair.ask("PATCH", "/api/v1/config", 200, body='{"discovery":{"mdns":%s}}' % value,
                 headers={"Content-Type": "application/merge-patch+json"})
        if value == "false":
            assert discovered(pair) == {}
    wait_browsing(pair, 2)
    wait_discovered(pair, len)  # the daemon remembers it
