"""Links from outside: they are opened and closed over REST, survive what proxies do, and leave no slot behind
however the gateway ends. What the simulator says of its slots is the truth that is compared with."""
import json
import re
import signal
import threading
import time

from conftest import BIN, Gateway, house
from test_events import Stream

PROXIES = [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"},
           {"name": "office", "at": [12, 0, 0], "profile": "2026"}]
CONNECT = {"ms": [50, 100], "discovery_ms": 50}
LOCK = {"address": "A4:C1:38:00:00:01", "address_type": 0, "at": [1, 1, 0], "interval_ms": 200, "jitter_ms": 0,
        "payload": {"raw": "020106"}, "connect": {**CONNECT, "advertises_linked": True}}
BETWEEN = {"address": "A4:C1:38:00:00:02", "address_type": 0, "at": [5, 1, 0], "interval_ms": 200, "jitter_ms": 0,
           "payload": {"raw": "020106"}}
LOCK_PATH = f"/devices/{LOCK['address']}/connection"


def sleepy(number):
    """A device to which each attempt takes longer than anybody waits here."""
    return {"address": f"A4:C1:38:00:01:{number:02X}", "address_type": 0, "at": [1, 1, 0], "interval_ms": 200,
            "jitter_ms": 0, "payload": {"raw": "020106"}, "connect": {"ms": [10000, 10000]}}


def running(start, devices=(LOCK,), **more):
    """A house in which both proxies hear all devices."""
    pair = start(house(PROXIES, devices), **more)
    wait_heard(pair, devices)
    return pair


def wait_heard(pair, devices=(LOCK,)):
    pair.gateway.wait_online(2)
    for device in devices:
        pair.wait_device(device["address"], lambda found: len(found["sources"]) == 2)


def connect(pair, /, device=LOCK, status=200, **wish):
    return pair.ask("PUT", f"/api/v1/devices/{device['address']}/connection", status, body=json.dumps(wish)).json()


def wait_link(pair, condition, limit_s=20.0):
    def look():
        link = pair.get(LOCK_PATH)
        return link if condition(link) else None
    return pair.gateway.wait_for(look, limit_s, "the wanted state of the link")


def slots(pair, name):
    """Addresses of the slots that are taken at this proxy, as the simulator has it."""
    return [slot["device"] for slot in pair.sim.status()["proxies"][name]["slots"]]


def wait_slots(pair, name, wanted, limit_s=10.0):
    pair.gateway.wait_for(lambda: slots(pair, name) == wanted, limit_s, f"slots {wanted} of {name}")


def discover(pair, device=LOCK):
    """Its proxy has proved from then on that links with cache may be tried there."""
    pair.get(f"/devices/{device['address']}/services")


def patch_device(pair, **settings):
    pair.ask("PATCH", f"/api/v1/devices/{LOCK['address']}", body=json.dumps({"settings": settings}))


def restart(pair):
    """A gateway on the same folder; who ran there has ended."""
    pair.gateway = Gateway(BIN, pair.sim.gateway_config.parent, pair.sim.gateway_config, log_level="debug")


def stop(pair):
    code, seconds = pair.gateway.stop()
    assert code == 0, pair.gateway.tail()
    assert pair.gateway.faults_in_log() == []
    return seconds


class Asking(threading.Thread):
    """A request for a link that is waited for elsewhere."""

    def __init__(self, pair, device, **wish):
        super().__init__()
        self.pair, self.path, self.wish = pair, f"/api/v1/devices/{device['address']}/connection", wish
        self.answer = None
        self.start()

    def run(self):
        self.answer = self.pair.gateway.request("PUT", self.path, body=json.dumps(self.wish))

    def wait(self):
        self.join(30)
        assert self.answer is not None
        return self.answer


def wait_actions(stream, *wanted):
    """The connection events up to these actions, in this order."""
    found = []
    while [event["action"] for event in found] != list(wanted):
        kind, _, data = stream.next()
        if kind == "connection":
            found.append(data)
            assert found[-1]["action"] == wanted[len(found) - 1], found
    return found


def test_a_link_is_opened_told_and_closed(start):
    pair = running(start)
    stream = Stream(pair, "?types=connection")
    link = connect(pair, purpose="test")
    assert (link["state"], link["proxy"], link["mtu"], link["mtu_source"]) == ("connected", "kitchen", 247, "negotiated")
    assert slots(pair, "kitchen") == [LOCK["address"]]
    assert pair.proxy("kitchen")["slots"]["ours"] == 1
    pair.ask("DELETE", "/api/v1" + LOCK_PATH)
    wait_slots(pair, "kitchen", [])
    wait_link(pair, lambda found: found["state"] == "none")
    told = wait_actions(stream, "opened", "closed")
    assert [(event["proxy"], event["code"]) for event in told] == [("kitchen", None)] * 2
    assert told[0]["connection"]["state"] == "connected"
    assert pair.get("/info")["counts"]["connections"] == 0


def test_C06_rules_of_a_device_take_effect_at_once(start):
    pair = running(start)
    patch_device(pair, route={"prefer": ["office"]})
    assert connect(pair)["proxy"] == "office"
    pair.ask("DELETE", "/api/v1" + LOCK_PATH)
    wait_link(pair, lambda found: found["state"] == "none")
    patch_device(pair, route={"prefer": None, "require": ["office"]})
    pair.sim.fault("office", "reboot", seconds=60)
    pair.wait_proxy("office", lambda proxy: proxy["state"] != "online")
    assert connect(pair, status=503)["code"] == "proxy_offline"
    patch_device(pair, route={"require": None, "forbid": ["kitchen"]})
    assert connect(pair, status=503)["code"] == "no_route"
    patch_device(pair, route={"forbid": None})
    assert connect(pair)["proxy"] == "kitchen"


def test_C07_and_the_mtu_are_known_after_a_restart(start):
    pair = running(start)
    assert connect(pair, proxy="office", pair=True)["mtu_source"] == "negotiated"
    discover(pair)
    stop(pair)
    restart(pair)
    wait_heard(pair)
    link = connect(pair, proxy="office")
    assert (link["mtu"], link["mtu_source"]) == (247, "stored")
    assert link["attempts"][-1]["score_terms"]["bond"] > 0


def test_C08_a_proxy_that_has_not_proved_it_is_asked_without_cache(start):
    pair = running(start)
    for proxy, source in (("kitchen", "negotiated"), ("kitchen", "stored"), ("office", "negotiated")):
        assert connect(pair, proxy=proxy)["mtu_source"] == source
        discover(pair)
        pair.ask("DELETE", "/api/v1" + LOCK_PATH)
        wait_link(pair, lambda found: found["state"] == "none")


def test_C08_who_changes_addresses_is_known_for_the_run_alone(start):
    phone = {**LOCK, "address": "5A:C1:38:00:00:03", "address_type": 1}
    pair = running(start, (phone,))
    link = f"/devices/{phone['address']}/connection"
    for source in ("negotiated", "stored"):
        assert connect(pair, phone, proxy="kitchen")["mtu_source"] == source
        discover(pair, phone)
        pair.ask("DELETE", "/api/v1" + link)
        pair.gateway.wait_for(lambda: pair.get(link)["state"] == "none")
    stop(pair)
    restart(pair)
    wait_heard(pair, (phone,))
    assert connect(pair, phone, proxy="kitchen")["mtu_source"] == "negotiated"


def test_a_device_that_somebody_forgets_has_proved_nothing(start):
    pair = running(start)
    connect(pair, proxy="kitchen")
    discover(pair)
    pair.ask("DELETE", "/api/v1" + LOCK_PATH)
    wait_link(pair, lambda found: found["state"] == "none")
    pair.ask("DELETE", f"/api/v1/devices/{LOCK['address']}", 204)
    wait_heard(pair)
    assert connect(pair, proxy="kitchen")["mtu_source"] == "negotiated"


def test_X04_a_proxy_that_reboots_takes_its_links_along(start):
    pair = running(start)
    connect(pair, lease_s=600)
    stream = Stream(pair, "?types=connection")
    pair.sim.fault("kitchen", "reboot", seconds=3)
    assert wait_actions(stream, "closed")[0]["code"] == "proxy_offline"
    link = pair.get(LOCK_PATH)
    assert (link["state"], link["leases"]) == ("none", [])
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online")
    assert slots(pair, "kitchen") == []
    assert connect(pair, proxy="kitchen")["state"] == "connected"


def test_a_link_that_is_to_stay_moves_when_its_proxy_reboots(start):
    pair = running(start)
    lease = connect(pair, lease_s=600, auto_reconnect=True)["lease"]
    stream = Stream(pair, "?types=connection")
    pair.sim.fault("kitchen", "reboot", seconds=20)
    moved = wait_actions(stream, "closed", "moved")[-1]
    assert (moved["action"], moved["from"], moved["proxy"]) == ("moved", "kitchen", "office")
    assert [held["id"] for held in pair.get(LOCK_PATH)["leases"]] == [lease]
    assert slots(pair, "office") == [LOCK["address"]]


def test_keep_connected_needs_nobody_and_outlives_restarts(start):
    pair = running(start)
    patch_device(pair, keep_connected=True)
    wait_link(pair, lambda found: found["state"] == "connected")
    pair.sim.ask(do="drop_link", proxy="kitchen", device=LOCK["address"])
    wait_slots(pair, "kitchen", [])
    wait_link(pair, lambda found: found["state"] == "connected")
    stop(pair)
    restart(pair)
    wait_link(pair, lambda found: found["state"] == "connected")
    patch_device(pair, keep_connected=False)
    wait_link(pair, lambda found: found["state"] == "none")
    wait_slots(pair, "kitchen", [])


def test_a_kept_device_is_connected_to_as_soon_as_it_is_heard(start):
    pair = start(house(PROXIES, []), config_change=lambda config: config.update(
        devices=[{"address": LOCK["address"], "keep_connected": True}]))
    pair.gateway.wait_online(2)
    pair.sim.ask(do="add", device=LOCK)
    wait_link(pair, lambda found: found["state"] == "connected")


def test_O08_a_proxy_that_connects_keeps_what_it_owns(start):
    pair = running(start, (sleepy(1), BETWEEN))
    path = f"/devices/{BETWEEN['address']}"
    assert pair.wait_device(BETWEEN["address"], lambda device: device["interval_s"])["proxy"] == "kitchen"
    asking = Asking(pair, sleepy(1), proxy="kitchen", attempts=1, attempt_timeout_ms=9000)
    pair.wait_proxy("kitchen", lambda proxy: proxy["attempts"]["in_progress"] == 1)
    answer = asking.wait()
    assert (answer.status, answer.json()["code"]) == (504, "connect_timeout")
    assert pair.get(path)["proxy"] == "kitchen"
    wait_slots(pair, "kitchen", [])


def test_X06_a_slot_of_a_device_that_is_linked_elsewhere_is_freed(start):
    pair = running(start)
    connect(pair, proxy="office")
    pair.sim.ask(do="leak_slot", proxy="kitchen", device=LOCK["address"])
    assert slots(pair, "kitchen") == [LOCK["address"]]
    wait_slots(pair, "kitchen", [], limit_s=10)
    assert " link.orphans " in pair.gateway.log_text()


def test_C18_the_end_answers_who_waits_and_closes_links(start):
    devices = (LOCK, sleepy(1))
    pair = running(start, devices)
    connect(pair, lease_s=600)
    asking = Asking(pair, sleepy(1), proxy="office")
    pair.gateway.wait_for(lambda: slots(pair, "office"), what="an attempt at the office")
    messages = pair.sim.status()["proxies"]["kitchen"]["messages_sent"]
    assert stop(pair) < 3
    answer = asking.wait()
    assert (answer.status, answer.json()["code"]) == (503, "shutting_down")
    assert re.search(r"link\.disconnected address=\S+ proxy=kitchen", pair.gateway.log_text())
    assert pair.sim.status()["proxies"]["kitchen"]["messages_sent"] > messages
    assert slots(pair, "kitchen") == []
    restart(pair)
    wait_heard(pair, devices)


def test_a_killed_gateway_leaves_no_slot_behind(start):
    pair = running(start)
    connect(pair, lease_s=600)
    asking = Asking(pair, LOCK, lease_s=600)  # one more, so that there is a second lease
    assert asking.wait().status == 200
    pair.gateway.stop(signal.SIGKILL)
    restart(pair)
    wait_heard(pair)
    assert slots(pair, "kitchen") == []
    assert pair.get(LOCK_PATH)["state"] == "none"
    started = time.monotonic()
    assert connect(pair)["state"] == "connected"
    assert time.monotonic() - started < 5
