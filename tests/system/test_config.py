"""The configuration as a whole, while the gateway runs: read, changed, restored, edited by hand, held by the
environment, and heeded without a restart."""
import datetime
import json
import os
import signal

import pytest
from conftest import BIN, THERMOMETER, Gateway, house
from programs import Broker
from test_events import Stream
from test_links import LOCK_PATH, connect, running, wait_link
from test_mqtt import NAME, Watcher

KITCHEN = {"name": "kitchen", "at": [0, 0, 0], "profile": "2026"}
SECRET = "correct-horse-battery"
CONFIG = "/api/v1/config"


@pytest.fixture
def pair(start):
    pair = start(house([KITCHEN]), settings={"mqtt": {"password": SECRET}, "discovery": {"mdns": False}})
    pair.wait_device(THERMOMETER["address"])
    return pair


def change(pair, content, method="PATCH", status=200, path=CONFIG, **headers):
    body = content if isinstance(content, (str, type(None))) else json.dumps(content)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return pair.ask(method, path, status, body=body, headers={"Content-Type": "application/json", **named})


def read(pair):
    return pair.get("/config")


def etag(pair):
    return pair.ask("GET", CONFIG).headers["ETag"]


def path_of(pair):
    return pair.sim.gateway_config


def edit_file(pair, text):
    path_of(pair).write_text(text, encoding="utf-8")


def hang_up(pair):
    os.kill(pair.gateway.process.pid, signal.SIGHUP)


def wait_log(pair, *words):
    pair.gateway.wait_for(lambda: any(all(word in line for word in words)
                                      for line in pair.gateway.log_text().splitlines()), what=f"a line with {words}")


def start_again(pair, **more):
    pair.gateway.stop()
    pair.gateway = Gateway(BIN, pair.gateway.log_path.parent, path_of(pair), log_level="debug", **more)


# ---- reading ----

def test_the_whole_configuration_comes_with_defaults_and_without_secrets(pair):
    answer = pair.ask("GET", CONFIG)
    config = answer.json()
    assert config["mqtt"]["password"] == "***" and config["mqtt"]["port"] == 1883
    assert config["proxies"][0]["name"] == "kitchen"
    tag = answer.headers["ETag"]
    assert pair.ask("GET", CONFIG, 304, headers={"If-None-Match": tag}).headers["ETag"] == tag
    assert pair.gateway.request("HEAD", CONFIG).headers["ETag"] == tag
    assert SECRET not in pair.gateway.log_text()


def test_the_schema_is_that_of_the_configuration(pair):
    from jsonschema import Draft202012Validator
    schema = pair.get("/config/schema")
    Draft202012Validator(schema).validate(read(pair))
    assert not Draft202012Validator(schema).is_valid({"colour": 1})


# ---- changing ----

def test_a_patch_says_what_it_changed_and_what_waits_for_a_restart(pair):
    answer = change(pair, {"log": {"format": "json"}, "limits": {"devices": 1000, "sse_clients": 64}})
    assert answer.json() == {"changed": ["/limits/devices", "/log/format"], "restart_required": ["/limits/devices"]}
    assert answer.headers["ETag"] == etag(pair)
    assert read(pair)["limits"]["devices"] == 1000
    assert json.loads(path_of(pair).read_text(encoding="utf-8"))["log"] == {"format": "json"}
    assert path_of(pair).stat().st_mode & 0o777 == 0o600
    assert pair.get("/info")["restart_required"] == ["/limits/devices"]
    assert change(pair, {"limits": {"devices": None}}).json()["restart_required"] == ["/limits/devices"]
    assert pair.get("/info")["restart_required"] == []  # it is again what it was at the start


def test_what_was_read_can_be_put_back_and_keeps_its_secrets(pair):
    assert change(pair, read(pair), "PUT").json() == {"changed": [], "restart_required": []}
    kept = json.loads(path_of(pair).read_text(encoding="utf-8"))
    assert kept["mqtt"]["password"] == SECRET
    config = read(pair)
    config["mqtt"].update(password="***", host="broker")
    assert change(pair, config, "PUT").json()["changed"] == ["/mqtt/host"]
    assert json.loads(path_of(pair).read_text(encoding="utf-8"))["mqtt"]["password"] == SECRET


def test_faults_have_their_places_and_change_nothing(pair):
    before = path_of(pair).read_bytes()
    problem = change(pair, {"log": {"level": "loud"}, "colour": None, "proxies": [{"name": "a/b", "host": "h"}]},
                     status=422).json()
    assert {error["pointer"] for error in problem["errors"]} == {"/colour"}
    problem = change(pair, {"log": {"level": "loud"}, "proxies": [{"name": "a/b", "host": "h"}]}, status=422).json()
    assert {error["pointer"] for error in problem["errors"]} == {"/log/level", "/proxies/0/name"}
    problem = change(pair, {"matter": {"servers": [{"url": "wss://a", "authorization": "***"}]}}, status=422).json()
    assert problem["errors"][0]["pointer"] == "/matter/servers/0/authorization"
    problem = change(pair, {"http": {"listen": "0.0.0.0:8080"}}, status=422).json()
    assert problem["errors"][0]["pointer"] == "/http/listen"
    change(pair, "{", status=400)
    change(pair, None, "PUT", status=400)
    change(pair, "[]", "PUT", status=422)
    assert path_of(pair).read_bytes() == before


def test_a_change_of_another_content_than_was_read_is_refused(pair):
    tag = etag(pair)
    change(pair, {"log": {"audit_days": 1}}, If_Match=tag)
    problem = change(pair, {"log": {"audit_days": 2}}, status=412, If_Match=tag).json()
    assert problem["code"] == "precondition_failed" and problem["etag"] == etag(pair)
    assert read(pair)["log"]["audit_days"] == 1
    change(pair, {"log": {"audit_days": 2}}, If_Match=f'"other", {problem["etag"]}')
    change(pair, {"log": {"audit_days": 3}}, If_Match="*")


def test_what_the_environment_holds_is_told_and_not_changed(pair):
    start_again(pair, environment={**os.environ, "BLEFLEET_MQTT_HOST": "elsewhere"})
    assert pair.get("/info")["overridden"] == [{"key": "mqtt.host", "variable": "BLEFLEET_MQTT_HOST"}]
    problem = change(pair, {"mqtt": {"host": "other"}}, status=409).json()
    assert problem["code"] == "overridden" and problem["variable"] == "BLEFLEET_MQTT_HOST"
    assert change(pair, read(pair), "PUT").json()["changed"] == []
    assert "elsewhere" not in path_of(pair).read_text(encoding="utf-8")


# ---- versions ----

def test_versions_are_listed_read_and_restored(pair):
    assert pair.get("/config/versions") == {"items": []}
    for days in range(1, 8):
        change(pair, {"log": {"audit_days": days}})
    versions = pair.get("/config/versions")["items"]
    assert [version["version"] for version in versions] == [1, 2, 3, 4, 5]
    assert [version["time"] for version in versions] == sorted((v["time"] for v in versions), reverse=True)
    version = pair.get("/config/versions/2")
    assert version["log"]["audit_days"] == 5 and version["mqtt"]["password"] == "***"
    pair.get("/config/versions/6", 404)
    answer = change(pair, None, "POST", path=f"{CONFIG}/versions/2/restore", If_Match=etag(pair))
    assert answer.json()["changed"] == ["/log/audit_days"]
    assert read(pair)["log"]["audit_days"] == 5 and read(pair)["mqtt"]["password"] == "***"
    assert pair.get("/config/versions/1")["log"]["audit_days"] == 7
    change(pair, None, "POST", 412, f"{CONFIG}/versions/1/restore", If_Match='"old"')
    change(pair, None, "POST", 404, f"{CONFIG}/versions/9/restore")


# ---- edited by hand ----

def test_an_edit_is_noticed_and_runs_after_sighup(pair):
    tag = etag(pair)
    edited = json.loads(path_of(pair).read_text(encoding="utf-8"))
    edited["log"] = {"audit_days": 7}
    edit_file(pair, json.dumps(edited))
    wait_log(pair, "config.edited", "SIGHUP")
    assert etag(pair) == tag and read(pair)["log"]["audit_days"] == 30
    problem = change(pair, {"log": {"audit_days": 1}}, status=412).json()
    assert "SIGHUP" in problem["detail"]
    hang_up(pair)
    wait_log(pair, "config.reloaded", "/log/audit_days")
    assert etag(pair) != tag and read(pair)["log"]["audit_days"] == 7
    change(pair, None, "POST", path=f"{CONFIG}/versions/1/restore")
    assert read(pair)["log"]["audit_days"] == 30
    hang_up(pair)
    wait_log(pair, "config.unchanged")
    assert sum("config.edited" in line for line in pair.gateway.log_text().splitlines()) == 1


def test_a_faulty_edit_is_told_fault_by_fault_and_everything_runs_on(pair):
    edit_file(pair, json.dumps({"log": {"level": "loud"}, "mqtt": {"password": 7}}))
    hang_up(pair)
    wait_log(pair, "config.fault", "/log/level")
    wait_log(pair, "config.fault", "/mqtt/password")
    wait_log(pair, "config.refused", "faults=2")
    assert pair.proxy("kitchen")["state"] == "online"
    change(pair, {"log": {"audit_days": 1}}, status=412)
    path_of(pair).unlink()
    hang_up(pair)
    wait_log(pair, "config.refused", "No such file")
    assert pair.proxy("kitchen")["state"] == "online"


# ---- heeded without a restart ----

def test_hosts_and_limits_of_http_are_heeded_at_once(pair):
    named = {"Host": "ble.example"}
    pair.ask("GET", "/api/v1/info", 403, headers=named)
    change(pair, {"http": {"hosts": ["ble.example"]}, "limits": {"body_bytes": 1024}})
    pair.ask("GET", "/api/v1/info", 200, headers=named)
    change(pair, " " * 2000 + "{}", status=413)
    change(pair, {"http": None, "limits": None})
    pair.ask("GET", "/api/v1/info", 403, headers=named)


def test_the_form_of_the_log_is_heeded_at_once(pair):
    change(pair, {"log": {"format": "json"}})
    hang_up(pair)
    wait_log(pair, '"config.unchanged')


def test_the_scan_mode_is_heeded_at_once(pair):
    change(pair, {"scan": {"default_mode": "passive"}})
    pair.wait_proxy("kitchen", lambda proxy: proxy["scanner"]["configured"] == "passive")
    change(pair, {"scan": {"default_mode": "active"}})
    pair.wait_proxy("kitchen", lambda proxy: proxy["scanner"]["mode"] == "active")


def test_the_recorder_is_switched_off_and_on(pair):
    def recorded():
        return pair.gateway.request("GET", "/api/v1/recorder").body.count(b"\n")

    pair.gateway.wait_for(recorded, what="a recorded packet")
    change(pair, {"recorder": {"enabled": False}})
    assert pair.get("/info")["recorder"] == {"enabled": False, "bytes": 0, "oldest": None}
    assert recorded() == 0
    change(pair, {"recorder": {"enabled": True, "keep_s": 60}})
    pair.gateway.wait_for(recorded, what="a recorded packet")
    assert pair.get("/info")["recorder"]["enabled"] is True
    assert b'"proxy":"kitchen"' in pair.gateway.request("GET", "/api/v1/recorder").body


def test_defaults_of_links_and_readers_of_events_are_heeded_at_once(start):
    pair = running(start)
    change(pair, {"links": {"lease_s": 2000, "linger_ms": 0}, "limits": {"sse_clients": 1}})
    link = connect(pair)
    seconds = [datetime.datetime.fromisoformat(link[key]) for key in ("since", "expires")]
    assert 1990 < (seconds[1] - seconds[0]).total_seconds() < 2010
    pair.ask("DELETE", f"/api/v1{LOCK_PATH}?lease={link['lease']}")
    wait_link(pair, lambda link: link["state"] == "none", 4)  # without lingering
    reader = Stream(pair)
    pair.ask("GET", "/api/v1/events", 503)
    reader.connection.close()


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def watcher(broker):
    watcher = Watcher(broker.port, topic="#")
    yield watcher
    watcher.stop()


def test_mqtt_is_switched_on_moved_and_switched_off(pair, broker, watcher):
    change(pair, {"mqtt": {"enabled": True, "port": broker.port}})
    watcher.wait("blefleet/bridge/state", lambda content: content == {"state": "online"})
    watcher.wait(f"blefleet/{NAME}")
    info = watcher.wait("blefleet/bridge/info")
    assert info["config"]["mqtt"]["password"] == "***" and info["restart_required"] == []
    change(pair, {"limits": {"devices": 1000}})
    watcher.wait("blefleet/bridge/info", lambda info: info and info["restart_required"] == ["/limits/devices"]
                 and info["config"]["limits"]["devices"] == 1000)

    change(pair, {"mqtt": {"base_topic": "house/ble"}})
    watcher.wait("house/ble/bridge/state", lambda content: content == {"state": "online"})
    watcher.wait(f"house/ble/{NAME}")
    watcher.wait("blefleet/bridge/state", lambda content: content == {"state": "offline"})
    late = Watcher(broker.port, topic="blefleet/#")
    late.wait("blefleet/bridge/state")
    assert late.topics == {"blefleet/bridge/state": {"state": "offline"}}
    late.stop()

    change(pair, {"mqtt": {"enabled": False}})
    watcher.wait("house/ble/bridge/state", lambda content: content == {"state": "offline"})
    assert pair.get("/info")["mqtt"]["state"] == "disabled"
    assert not any(SECRET in json.dumps(content) for content in watcher.topics.values())


def test_mqtt_follows_what_is_published_and_how_it_is_called(pair, broker, watcher):
    change(pair, {"mqtt": {"enabled": True, "port": broker.port, "password": None},
                  "devices": [{"address": THERMOMETER["address"], "alias": "Fridge"}]})
    watcher.wait(f"blefleet/{NAME}")
    change(pair, {"mqtt": {"topic_names": "alias"}})
    watcher.wait("blefleet/Fridge")
    watcher.wait(f"blefleet/{NAME}", lambda content: content is None)
    assert pair.get("/info")["mqtt"]["state"] == "connected"
    change(pair, {"devices": None, "mqtt": {"devices": "configured"}})
    watcher.wait("blefleet/Fridge", lambda content: content is None)
