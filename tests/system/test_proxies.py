"""The fleet changes while the gateway runs: over REST and MQTT, told to streams and topics, kept over kills, with
proxies of the simulator that were there all the time and that nobody had named."""
import base64
import json
import os
import signal

import pytest
from conftest import BIN, Gateway, house
from programs import Broker
from test_events import Stream
from test_mqtt import Watcher

KITCHEN = {"name": "kitchen", "at": [0, 0, 0]}
HALL = {"name": "hall", "at": [3, 0, 0]}
SAFE = {"name": "safe", "at": [6, 0, 0], "encryption_key": True}
LOCK = {"address": "A4:C1:38:12:AB:60", "address_type": 0, "at": [1, 1, 0], "interval_ms": 200, "jitter_ms": 0,
        "payload": {"raw": "020106"}, "connect": {"ms": [100, 100], "advertises_linked": True}}
ADDRESS = LOCK["address"]
WRONG_KEY = base64.b64encode(b"\x01" * 32).decode()
MERGE = {"Content-Type": "application/merge-patch+json"}


class Fleet:
    """A pair whose gateway knows the first proxy alone; the others wait to be named."""

    def __init__(self, start, proxies=(KITCHEN, HALL, SAFE), known=1, **more):
        self.entries = {}

        def keep_known(config):
            self.entries.update({proxy["name"]: proxy for proxy in config["proxies"]})
            config["proxies"] = config["proxies"][:known]
        self.pair = start(house(list(proxies), [LOCK]), config_change=keep_known, **more)

    def add(self, known, status=201, **changes):
        entry = {key: value for key, value in {**self.entries[known], **changes}.items() if value is not None}
        return self.pair.ask("POST", "/api/v1/proxies", status, body=json.dumps(entry))

    def patch(self, name, patch, status=200):
        return self.pair.ask("PATCH", f"/api/v1/proxies/{name}", status, body=json.dumps(patch), headers=MERGE).json()

    def import_(self, status=200, **body):
        return self.pair.ask("POST", "/api/v1/proxies/import", status, body=json.dumps(body)).json()

    def remove(self, name, status=204):
        return self.pair.ask("DELETE", f"/api/v1/proxies/{name}", status)

    def online(self, name, limit_s=20.0):
        return self.pair.wait_proxy(name, lambda proxy: proxy["state"] == "online", limit_s)

    def names(self):
        return [proxy["name"] for proxy in self.pair.get("/proxies")["items"]]

    def config(self):
        return json.loads(self.pair.sim.gateway_config.read_text(encoding="utf-8"))

    def kill(self):
        os.kill(self.pair.gateway.process.pid, signal.SIGKILL)
        self.pair.gateway.process.wait()
        self.start_again()

    def start_again(self):
        folder = self.pair.gateway.log_path.parent
        self.pair.gateway = Gateway(BIN, folder, self.pair.sim.gateway_config, log_level="debug")


@pytest.fixture
def fleet(start):
    return Fleet(start)


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.stop()


def told(events, reason):
    """The proxy of the next event with that reason."""
    return events.until(lambda kind, _, data: kind == "proxy" and data["reason"] == reason)[-1][2]["proxy"]


def test_X10_a_proxy_that_comes_changes_and_goes_is_an_event(fleet):
    fleet.online("kitchen")
    events = Stream(fleet.pair, "?types=proxy")
    answer = fleet.add("hall", area="Hall")
    assert answer.headers["Location"] == "/api/v1/proxies/hall"
    assert answer.json()["name"] == "hall" and answer.json()["area"] == "Hall"
    assert told(events, "added")["name"] == "hall"
    assert events.until(lambda kind, _, data: kind == "proxy" and data["proxy"]["state"] == "online")
    assert fleet.patch("hall", {"scan_mode": "passive", "weight": 3})["scanner"]["configured"] == "passive"
    assert told(events, "settings")["weight"] == 3
    assert fleet.patch("hall", {"name": "corridor"})["name"] == "corridor"
    assert told(events, "renamed")["name"] == "corridor"
    assert fleet.names() == ["corridor", "kitchen"]
    fleet.pair.ask("GET", "/api/v1/proxies/hall", 404)
    fleet.remove("corridor")
    assert told(events, "removed")["name"] == "corridor"
    events.close()
    assert fleet.names() == ["kitchen"]
    fleet.remove("corridor", 404)
    fleet.patch("corridor", {"weight": 1}, 404)


def test_X10_a_proxy_that_comes_and_goes_is_told_over_mqtt(start, broker, contract):
    fleet = Fleet(start, settings={"mqtt": {"enabled": True, "port": broker.port, "role": "admin"}})
    watcher = Watcher(broker.port)
    watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
    answer = watcher.ask("proxy/add", **fleet.entries["hall"])
    assert answer["status"] == "ok" and answer["data"]["name"] == "hall"
    assert watcher.ask("proxy/add", **fleet.entries["hall"])["code"] == "conflict"
    watcher.wait("blefleet/bridge/event", lambda event: event["type"] == "proxy"
                 and event["data"]["proxy"]["name"] == "hall")
    for proxy in watcher.wait("blefleet/bridge/proxies", lambda items: len(items) == 2
                              and all(item["state"] == "online" for item in items)):
        contract.validate(proxy, "components", "schemas", "Proxy")
    assert watcher.ask("proxy/options", name="hall", weight=-4)["data"]["weight"] == -4
    assert watcher.ask("proxy/remove", name="hall")["status"] == "ok"
    watcher.wait("blefleet/bridge/proxies", lambda items: [item["name"] for item in items] == ["kitchen"])
    assert "blefleet/bridge/proxies" in watcher.retained or watcher.counts["blefleet/bridge/proxies"] > 1
    watcher.stop()
    assert fleet.names() == ["kitchen"]


def test_what_was_answered_is_kept_over_a_kill(fleet):
    fleet.add("hall")
    fleet.kill()  # right after the answer
    assert fleet.names() == ["hall", "kitchen"]
    fleet.online("hall")
    fleet.patch("hall", {"name": "corridor", "area": "Upstairs"})
    fleet.kill()
    assert fleet.pair.proxy("corridor")["area"] == "Upstairs"
    fleet.remove("corridor")
    fleet.kill()
    assert fleet.names() == ["kitchen"]


def test_a_key_is_kept_and_never_shown(fleet):
    key = fleet.entries["safe"]["encryption_key"]
    fleet.add("safe")
    assert fleet.online("safe")["encrypted"] is True
    fleet.patch("safe", {"encryption_key": "***", "weight": 1})
    entry = next(proxy for proxy in fleet.config()["proxies"] if proxy["name"] == "safe")
    assert entry["encryption_key"] == key
    fleet.add("safe", 422, name="other", encryption_key="***")
    assert key not in fleet.pair.gateway.log_path.read_text(encoding="utf-8")
    assert key not in json.dumps(fleet.pair.get("/proxies")) + json.dumps(fleet.pair.get("/config"))


@pytest.mark.parametrize("key, code", [(WRONG_KEY, "wrong_key"), (None, "key_required")])
def test_a_key_that_does_not_fit_is_told_at_once_and_mended(fleet, key, code):
    fleet.add("safe", encryption_key=key)
    proxy = fleet.pair.wait_proxy("safe", lambda proxy: proxy["state"] == "failed", 3.0)
    assert proxy["last_error"]["code"] == code and proxy["last_error"]["detail"]
    fleet.patch("safe", {"encryption_key": fleet.entries["safe"]["encryption_key"]})
    fleet.online("safe", 3.0)
    assert fleet.pair.proxy("safe")["last_error"] is None


def test_a_removed_proxy_takes_its_links_and_its_devices_stay(fleet):
    fleet.add("hall")
    fleet.online("hall")
    device = fleet.pair.wait_device(ADDRESS, lambda device: len(device["sources"]) == 2)
    events = Stream(fleet.pair, "?types=connection")
    link = fleet.pair.ask("PUT", f"/api/v1/devices/{ADDRESS}/connection", body=json.dumps({"proxy": "hall"})).json()
    assert link["proxy"] == "hall"
    fleet.remove("hall")
    closed = events.until(lambda kind, _, data: kind == "connection" and data["action"] == "closed")[-1][2]
    assert closed["proxy"] == "hall" and closed["code"] == "proxy_offline"
    events.close()
    device = fleet.pair.get(f"/devices/{ADDRESS}")
    assert device["proxy"] == "kitchen" and device["available"]
    assert [source["proxy"] for source in device["sources"]] == ["kitchen"]
    fleet.add("hall")  # and back, as if it had never been
    fleet.online("hall")
    fleet.pair.wait_device(ADDRESS, lambda device: len(device["sources"]) == 2)


def test_a_new_name_keeps_link_and_conversation(fleet):
    before = fleet.online("kitchen")
    fleet.pair.wait_device(ADDRESS)
    fleet.pair.ask("PATCH", f"/api/v1/devices/{ADDRESS}", headers=MERGE,
                   body=json.dumps({"settings": {"route": {"prefer": ["kitchen"]}}}))
    lease = fleet.pair.ask("PUT", f"/api/v1/devices/{ADDRESS}/connection", body="{}").json()
    after = fleet.patch("kitchen", {"name": "pantry"})
    assert after["since"] == before["since"] and after["mac"] == before["mac"]
    link = fleet.pair.get(f"/devices/{ADDRESS}/connection")
    assert link["proxy"] == "pantry" and [item["id"] for item in link["leases"]] == [lease["lease"]]
    assert fleet.pair.get(f"/devices/{ADDRESS}")["settings"]["route"]["prefer"] == ["pantry"]


def test_faults_and_conflicts_change_nothing(fleet):
    before = fleet.pair.sim.gateway_config.read_bytes()
    assert fleet.add("hall", 409, name="kitchen").json()["holder"] == "kitchen"
    for changes, pointer in (({"name": "import"}, "/name"), ({"name": "a b"}, "/name"), ({"port": "x"}, "/port"),
                             ({"host": None}, "/host"), ({"colour": 1}, "/colour"), ({"weight": 31}, "/weight"),
                             ({"encryption_key": "short"}, "/encryption_key"), ({"mac": "x"}, "/mac")):
        problem = fleet.add("hall", 422, **changes).json()
        assert pointer in [fault["pointer"] for fault in problem["errors"]], changes
    assert fleet.patch("kitchen", {"port": 70000}, 422)["errors"][0]["pointer"] == "/port"
    fleet.patch("kitchen", {"name": "discovered"}, 422)
    fleet.pair.ask("POST", "/api/v1/proxies", 400, body="{")
    fleet.pair.ask("POST", "/api/v1/proxies", 422, body="[]")
    assert fleet.pair.sim.gateway_config.read_bytes() == before


def test_a_proxy_is_switched_off_and_on(fleet):
    fleet.online("kitchen")
    fleet.patch("kitchen", {"enabled": False})
    proxy = fleet.pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "disabled", 5.0)
    assert proxy["enabled"] is False and proxy["retry_at"] is None
    fleet.pair.ask("POST", "/api/v1/proxies/kitchen/reconnect", 409)
    fleet.patch("kitchen", {"enabled": None})  # as by default
    fleet.online("kitchen")


def test_a_hundred_are_imported_by_one_write_and_all_come_online(start):
    proxies = [{"name": f"proxy-{n:03}", "at": [n % 10, n // 10, 0]} for n in range(101)]
    fleet = Fleet(start, proxies)
    wanted = list(fleet.entries.values())
    result = fleet.import_(proxies=wanted, dry_run=True)
    assert len(result["added"]) == 100 and result["dry_run"] is True
    assert [item["name"] for item in result["skipped"]] == ["proxy-000"]
    assert fleet.names() == ["proxy-000"]
    result = fleet.import_(proxies=wanted)
    assert len(result["added"]) == 100 and result["dry_run"] is False
    assert len(fleet.pair.get("/config/versions")["items"]) == 1
    fleet.pair.gateway.wait_online(101)
    assert fleet.import_(proxies=wanted)["added"] == []


def test_a_wrong_entry_of_an_import_is_named_by_its_place(fleet):
    problem = fleet.import_(422, proxies=[fleet.entries["hall"], {"name": "x", "host": "h", "port": 0.5}])
    assert problem["errors"][0]["pointer"] == "/proxies/1/port"
    for body in ({}, {"proxies": [], "home_assistant": ""}, {"proxies": 1}, {"home_assistant": 1}, {"other": 1},
                 {"proxies": [1]}, {"home_assistant": "{"}, {"proxies": [], "dry_run": 1}):
        fleet.import_(422, **body)
    assert fleet.names() == ["kitchen"]


def home_assistant(*entries):
    return json.dumps({"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": entries}})


def test_proxies_come_over_from_home_assistant(fleet):
    safe, hall = fleet.entries["safe"], fleet.entries["hall"]
    text = home_assistant(
        {"domain": "met", "title": "Home", "data": {}},
        {"domain": "esphome", "title": "Safe", "disabled_by": None, "unique_id": safe["mac"].lower() if "mac" in safe else None,
         "data": {"host": safe["host"], "port": safe["port"], "password": "", "device_name": "safe",
                  "noise_psk": safe["encryption_key"]}},
        {"domain": "esphome", "title": "Flur (oben)", "data": {"host": hall["host"], "port": hall["port"],
                                                               "password": "", "noise_psk": ""}},
        {"domain": "esphome", "title": "gone", "source": "ignore", "data": {}},
        {"domain": "esphome", "title": "off", "disabled_by": "user", "data": {"host": "192.0.2.1", "port": 6053}},
        {"domain": "esphome", "title": "odd", "data": {"host": "192.0.2.2", "port": 6053, "noise_psk": WRONG_KEY[:8]}},
        {"domain": "esphome", "title": "again", "data": {"host": hall["host"], "port": hall["port"]}},
        {"domain": "esphome"}, 7)
    result = fleet.import_(home_assistant=text)
    assert result["added"] == ["safe", "Flur--oben-"]
    skipped = {item["name"]: item["detail"] for item in result["skipped"]}
    assert skipped.keys() == {"gone", "off", "odd", "again", ""}
    assert WRONG_KEY[:8] not in json.dumps(result)
    for name in result["added"]:
        fleet.online(name)


def test_an_advisory_names_old_firmware(start):
    fleet = Fleet(start, (KITCHEN, {"name": "old", "at": [3, 0, 0], "profile": "2024"}))
    fleet.add("old")
    assert "slot_freed_early" in [item["code"] for item in fleet.online("old")["advisories"]]
    assert fleet.online("kitchen")["advisories"] == []
