"""Settings that change while the gateway runs: over REST and MQTT, through kills, next to an editor, and on a
disk that does not take them."""
import json
import os
import signal

import pytest
from conftest import BIN, NAMED, THERMOMETER, Gateway, house
from programs import Broker
from test_events import Stream
from test_mqtt import LIMIT_S, Watcher

KITCHEN = {"name": "kitchen", "at": [0, 0, 0]}
ADDRESS = THERMOMETER["address"]
NAME = ADDRESS.replace(":", "")
DEVICE = f"/api/v1/devices/{ADDRESS}"
NOBODY = "/api/v1/devices/AA:BB:CC:DD:EE:FF"


@pytest.fixture
def pair(start):
    pair = start(house([KITCHEN]), settings={"mqtt": {"min_interval_s": 0.3}})
    pair.wait_device(ADDRESS)
    return pair


def patch(pair, settings, path=DEVICE, status=200):
    return pair.ask("PATCH", path, status, body=json.dumps({"settings": settings}),
                    headers={"Content-Type": "application/merge-patch+json"}).json()


def config_path(pair):
    return pair.sim.gateway_config


def read_config(pair):
    return json.loads(config_path(pair).read_text(encoding="utf-8"))


def entry(pair, address=ADDRESS):
    return next((device for device in read_config(pair).get("devices", []) if device["address"] == address), None)


def kill(pair):
    os.kill(pair.gateway.process.pid, signal.SIGKILL)
    pair.gateway.process.wait()


def start_again(pair):
    pair.gateway = Gateway(BIN, pair.gateway.log_path.parent, config_path(pair), log_level="debug")


def test_a_patch_is_answered_kept_and_outlives_a_kill(pair):
    before = read_config(pair)
    device = patch(pair, {"alias": "Fridge", "area": "Kitchen", "active_scan": {"interval_s": 600},
                          "bindkey": "00112233445566778899aabbccddeeff"})
    kill(pair)  # right after the answer
    assert device["alias"] == "Fridge" and device["area"] == "Kitchen"
    assert device["settings"]["bindkey"] == "***"
    assert device["settings"]["active_scan"] == {"interval_s": 600, "duration_s": 10}
    assert {**read_config(pair), "devices": None} == {**before, "devices": None}
    assert config_path(pair).stat().st_mode & 0o777 == 0o600
    start_again(pair)
    assert pair.get(f"/devices/{ADDRESS}")["settings"] == device["settings"]
    patch(pair, {"bindkey": "***", "alias": None})
    assert entry(pair)["bindkey"] == "00112233445566778899aabbccddeeff"
    assert "alias" not in entry(pair)


def test_a_device_that_nobody_heard_is_configured_and_forgotten(pair):
    pair.ask("GET", NOBODY, 404)
    assert patch(pair, {"alias": "Ghost"}, NOBODY)["alias"] == "Ghost"
    assert any(device["alias"] == "Ghost" for device in pair.get("/devices")["items"])
    pair.ask("DELETE", NOBODY, 204)
    pair.ask("GET", NOBODY, 404)
    pair.ask("DELETE", NOBODY, 404)
    assert entry(pair, "AA:BB:CC:DD:EE:FF") is None


def test_a_device_that_is_heard_comes_back_as_a_new_one(pair):
    patch(pair, {"alias": "Fridge"})
    first_seen = pair.get(f"/devices/{ADDRESS}")["first_seen"]
    pair.ask("DELETE", DEVICE, 204)
    device = pair.wait_device(ADDRESS)
    assert device["alias"] is None and device["first_seen"] > first_seen
    pair.ask("DELETE", f"/api/v1/devices/{NAMED['address']}", 204)  # never configured
    assert entry(pair) is None


def test_faults_and_conflicts_change_nothing(pair):
    patch(pair, {"alias": "Fridge"})
    before = config_path(pair).read_bytes()
    problem = patch(pair, {"alias": "a/b", "publish": 1, "colour": None}, status=422)
    assert {fault["pointer"] for fault in problem["errors"]} >= {"/settings/colour"}
    problem = patch(pair, {"alias": "a/b", "publish": 1}, status=422)
    assert {fault["pointer"] for fault in problem["errors"]} == {"/settings/alias", "/settings/publish"}
    problem = patch(pair, {"alias": "Fridge"}, NOBODY, 409)
    assert problem["holder"] == ADDRESS
    assert patch(pair, {"irk": "***"}, status=422)["errors"][0]["pointer"] == "/settings/irk"
    pair.ask("PATCH", DEVICE, 415, body="{}", headers={"Content-Type": "text/plain"})
    pair.ask("PATCH", DEVICE, 400, body="{", headers={"Content-Type": "application/json"})
    assert config_path(pair).read_bytes() == before


def test_a_file_that_somebody_edited_is_left_alone(pair):
    edited = read_config(pair)
    edited["log"] = {"format": "text"}
    config_path(pair).write_text(json.dumps(edited), encoding="utf-8")
    problem = patch(pair, {"alias": "Fridge"}, status=412)
    assert problem["code"] == "precondition_failed"
    pair.ask("DELETE", NOBODY, 404)
    assert read_config(pair) == edited
    assert pair.get(f"/devices/{ADDRESS}")["alias"] is None
    pair.gateway.stop()
    start_again(pair)
    assert patch(pair, {"alias": "Fridge"})["alias"] == "Fridge"
    assert read_config(pair)["log"] == {"format": "text"}


def test_a_disk_that_does_not_take_it_changes_nothing(pair):
    """A folder in the way of the temporary file stops every user, as a folder without permission does not stop
    root."""
    before = config_path(pair).read_bytes()
    blocker = config_path(pair).with_name(config_path(pair).name + ".new")
    blocker.mkdir()
    problem = patch(pair, {"alias": "Fridge"}, status=500)
    assert problem["code"] == "internal" and "stays as it was" in problem["detail"]
    assert config_path(pair).read_bytes() == before
    assert pair.get(f"/devices/{ADDRESS}")["alias"] is None
    blocker.rmdir()
    assert patch(pair, {"alias": "Fridge"})["alias"] == "Fridge"


def test_a_scan_mode_is_kept(pair):
    events = Stream(pair, "?types=proxy")
    proxy = pair.ask("PUT", "/api/v1/proxies/kitchen/scanner", body='{"mode":"passive"}').json()
    told = events.until(lambda kind, _, data: kind == "proxy" and data["reason"] == "settings")[-1][2]
    assert told["proxy"]["scanner"]["configured"] == "passive"
    events.close()
    assert proxy["scanner"]["configured"] == "passive"
    assert read_config(pair)["proxies"][0]["scan_mode"] == "passive"
    kill(pair)
    start_again(pair)
    assert pair.proxy("kitchen")["scanner"]["configured"] == "passive"
    pair.ask("PUT", "/api/v1/proxies/kitchen/scanner", 422, body='{"mode":"loud"}')
    pair.ask("PUT", "/api/v1/proxies/attic/scanner", 404, body='{"mode":"auto"}')


def wait_reasons(watcher, reasons):
    """Goes through the messages so far, and on, until bridge/event has told all of these."""
    while reasons:
        message = watcher.messages.get(timeout=LIMIT_S)
        if message.topic == "blefleet/bridge/event":
            reasons = reasons - {json.loads(message.payload)["data"].get("reason")}


def test_the_broker_follows_an_alias(start, tmp_path):
    broker = Broker(tmp_path)
    watcher = Watcher(broker.port)
    try:
        pair = start(house([KITCHEN]), settings={
            "mqtt": {"enabled": True, "port": broker.port, "topic_names": "alias"}})
        watcher.wait(f"blefleet/{NAME}", lambda state: state and state["available"])
        answer = watcher.ask("device/options", address=ADDRESS, settings={"alias": "Fridge"})
        assert answer["status"] == "ok" and answer["data"]["alias"] == "Fridge"
        watcher.wait("blefleet/Fridge", lambda state: state and state["alias"] == "Fridge")
        watcher.wait("blefleet/Fridge/availability")
        watcher.wait(f"blefleet/{NAME}", lambda state: state is None)
        watcher.wait(f"blefleet/{NAME}/availability", lambda state: state is None)
        watcher.wait("blefleet/bridge/info", lambda info: info["config"]["devices"][0]["alias"] == "Fridge")
        kill(pair)
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "offline"})
        start_again(pair)
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
        assert pair.get(f"/devices/{ADDRESS}")["alias"] == "Fridge"
        assert watcher.ask("device/options", address=ADDRESS, settings={"alias": "a/b"})["errors"]
        assert watcher.ask("device/remove", address="AA:BB:CC:DD:EE:FF")["code"] == "device_not_found"
        watcher.wait("blefleet/Fridge", lambda state: state and state["available"])
        assert watcher.ask("device/remove", address=ADDRESS)["status"] == "ok"
        watcher.wait("blefleet/Fridge", lambda state: state is None)
        wait_reasons(watcher, {"settings", "forgotten"})
    finally:
        watcher.stop()
        broker.stop()


def test_the_broker_and_readers_follow_a_device_that_nobody_heard(start, tmp_path):
    broker = Broker(tmp_path)
    watcher = Watcher(broker.port)
    try:
        pair = start(house([KITCHEN]), settings={"mqtt": {"enabled": True, "port": broker.port}})
        watcher.wait("blefleet/bridge/state")
        events = Stream(pair, "?types=device&address=AA:BB:CC:DD:EE:FF")
        patch(pair, {"alias": "Ghost"}, NOBODY)
        assert watcher.wait("blefleet/AABBCCDDEEFF")["alias"] == "Ghost"
        pair.ask("DELETE", NOBODY, 204)
        watcher.wait("blefleet/AABBCCDDEEFF", lambda state: state is None)
        watcher.wait("blefleet/AABBCCDDEEFF/availability", lambda state: state is None)
        told = [data["reason"] for _, _, data in events.take(2)]
        assert told == ["settings", "forgotten"]
        events.close()
    finally:
        watcher.stop()
        broker.stop()
