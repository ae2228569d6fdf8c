"""The gateway as topics of a broker: what a subscriber sees, asks and is left with."""
import json
import os
import queue
import signal
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from conftest import NAMED, THERMOMETER, house
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from programs import Broker

KITCHEN = {"name": "kitchen", "at": [0, 0, 0]}
NAME = THERMOMETER["address"].replace(":", "")
LIMIT_S = 20.0


class Watcher:
    """Subscribes to everything below a topic, and remembers the newest message of each."""

    def __init__(self, port, topic="blefleet/#", protocol=mqtt.MQTTv5):
        self.topics, self.retained, self.counts = {}, set(), {}
        self.moved = threading.Condition()
        self.messages = queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=protocol)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_message(self, _client, _user, message):
        with self.moved:
            self.topics[message.topic] = json.loads(message.payload) if message.payload else None
            self.counts[message.topic] = self.counts.get(message.topic, 0) + 1
            if message.retain:
                self.retained.add(message.topic)
            self.messages.put(message)
            self.moved.notify_all()

    def wait(self, topic, condition=lambda content: content is not None, limit_s=LIMIT_S):
        with self.moved:
            assert self.moved.wait_for(lambda: topic in self.topics and condition(self.topics[topic]), limit_s), \
                f"{topic} is {self.topics.get(topic)!r}; there are {sorted(self.topics)}"
            return self.topics[topic]

    def ask(self, verb, **fields):
        fields["transaction"] = str(time.monotonic())
        self.client.publish(f"blefleet/bridge/request/{verb}", json.dumps(fields))
        return self.wait(f"blefleet/bridge/response/{verb}",
                         lambda answer: answer and answer.get("transaction") == fields["transaction"])

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def watch(broker):
    watchers = []

    def start_watcher(**more):
        watchers.append(Watcher(broker.port, **more))
        return watchers[-1]

    yield start_watcher
    for watcher in watchers:
        watcher.stop()


@pytest.fixture
def bridge(start, broker):
    """A gateway in a house of one proxy and two devices, at the broker."""
    def start_bridge(**mqtt_settings):
        settings = {"mqtt": {"enabled": True, "port": broker.port, "keepalive_s": 5, **mqtt_settings}}
        return start(house([KITCHEN]), settings=settings)
    return start_bridge


def test_every_topic_is_as_the_contract_says(bridge, watch, contract):
    watcher = watch()
    pair = bridge()
    device = watcher.wait(f"blefleet/{NAME}", lambda state: state["available"])
    contract.validate(device, "components", "schemas", "Device")
    assert device["address"] == THERMOMETER["address"]
    assert watcher.wait(f"blefleet/{NAME}/availability") == {"state": "online"}
    assert watcher.wait("blefleet/bridge/state") == {"state": "online"}
    for proxy in watcher.wait("blefleet/bridge/proxies", lambda items: items[0]["state"] == "online"):
        contract.validate(proxy, "components", "schemas", "Proxy")
    info = dict(watcher.wait("blefleet/bridge/info"))
    assert {"config", "config_schema"} <= info.keys()
    for name in ("config", "config_schema"):
        info.pop(name)
    contract.validate(info, "components", "schemas", "Info")
    health = watcher.wait("blefleet/bridge/health")
    assert health.keys() == {"uptime_s", "memory_bytes", "queues", "messages_per_s"}
    assert health["memory_bytes"] > 0
    event = watcher.wait("blefleet/bridge/event")
    assert event["type"] in ("device", "proxy")
    assert pair.get("/info")["mqtt"]["state"] == "connected"
    assert pair.get("/info")["mqtt"]["protocol"] == "5"
    ready = pair.ask("GET", "/readyz").json()
    assert ready["checks"]["mqtt"] == {"status": "pass", "detail": None}


def test_a_broker_that_is_away_is_a_warning(bridge, broker):
    broker.stop()
    pair = bridge()
    check = pair.ask("GET", "/readyz").json()
    assert check["status"] == "warn"
    assert check["checks"]["mqtt"]["status"] == "warn"
    assert pair.get("/info")["mqtt"]["state"] in ("connecting", "waiting_retry")


def test_a_window_is_asked_for_and_told_over_mqtt(bridge, watch, contract):
    watcher = watch()
    pair = bridge()
    pair.gateway.wait_online(1)
    watcher.wait("blefleet/bridge/state")  # it listens to requests from then on
    refused = watcher.ask("scan", proxies=["nowhere"])
    assert (refused["status"], refused["code"]) == ("error", "proxy_not_found")
    answer = watcher.ask("scan", proxies=["kitchen"], duration_s=5)
    assert answer["status"] == "ok" and answer["data"]["items"][0]["proxy"] == "kitchen"
    told = watcher.wait("blefleet/bridge/event", lambda event: event["type"] == "scan_window")
    contract.validate(told["data"], "components", "schemas", "ScanWindowEvent")
    assert told["data"]["window"]["id"] == answer["data"]["items"][0]["id"]


def test_secrets_are_in_no_topic(bridge, watch):
    watcher = watch()
    bridge(username="me", password="very-secret-indeed")
    watcher.wait(f"blefleet/{NAME}")
    watcher.wait("blefleet/bridge/info")
    while not watcher.messages.empty():
        assert b"very-secret-indeed" not in watcher.messages.get().payload


def test_requests_are_answered_and_bounded_by_the_role(bridge, watch):
    watcher = watch()
    bridge(role="read")
    watcher.wait("blefleet/bridge/state")
    assert watcher.ask("health_check")["data"]["status"] in ("pass", "warn")
    assert watcher.ask("explain", address="11:22:33:44:55:66")["data"]["code"] == "device_not_found"
    answer = watcher.ask("http", method="GET", path=f"/devices/{NAME}")
    assert answer["status"] == "ok"
    assert answer["data"]["status_code"] in (200, 404)
    assert watcher.ask("http", method="POST", path="/proxies/kitchen/reconnect")["data"]["status_code"] == 403
    assert watcher.ask("http", path="/tokens")["code"] == "forbidden"
    assert watcher.ask("nonsense")["code"] == "not_found"


def test_the_properties_of_version_5_lead_the_answer(bridge, watch):
    watcher, mine = watch(), watch(topic="for/me")
    bridge()
    watcher.wait("blefleet/bridge/state")
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = "for/me"
    properties.CorrelationData = b"\x00\x01mine"
    watcher.client.publish("blefleet/bridge/request/health_check", "", properties=properties)
    mine.wait("for/me", lambda answer: answer["status"] == "ok")
    assert mine.messages.get().properties.CorrelationData == b"\x00\x01mine"


def test_version_3_1_1_has_the_same_topics(bridge, watch):
    watcher = watch(protocol=mqtt.MQTTv311)
    pair = bridge(protocol="3.1.1")
    watcher.wait(f"blefleet/{NAME}", lambda state: state["available"])
    assert watcher.ask("health_check")["status"] == "ok"
    assert pair.get("/info")["mqtt"]["protocol"] == "3.1.1"


def test_sigterm_leaves_offline(bridge, watch):
    pair = bridge()
    watch().wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
    code, _ = pair.gateway.stop()
    assert code == 0
    watcher = watch()
    assert watcher.wait("blefleet/bridge/state") == {"state": "offline"}
    assert "blefleet/bridge/state" in watcher.retained


def test_kill_lets_the_last_will_say_offline(broker, watch, tmp_path, bridge):
    pair = bridge()
    watcher = watch()
    watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
    os.kill(pair.gateway.process.pid, signal.SIGKILL)
    watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "offline"})
    pair.gateway.process.wait()
    pair.gateway = None  # its end was not clean


def test_a_broker_without_memory_has_everything_again(bridge, broker, watch, tmp_path):
    bridge()
    watch().wait(f"blefleet/{NAME}")
    broker.stop()
    folder = tmp_path / "second"
    folder.mkdir()
    second = Broker(folder, port=broker.port)
    try:
        watcher = watch()
        connected = time.monotonic()
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
        connected = time.monotonic()
        for topic in (f"blefleet/{NAME}", f"blefleet/{NAME}/availability", "blefleet/bridge/proxies",
                      "blefleet/bridge/info", f"blefleet/{NAMED['address'].replace(':', '')}"):
            watcher.wait(topic)
        assert time.monotonic() - connected < 10
    finally:
        second.stop()


def test_a_stopped_broker_blocks_nothing(bridge, broker, watch):
    pair = bridge()
    watcher = watch()
    watcher.wait(f"blefleet/{NAME}")
    broker.signal(signal.SIGSTOP)
    slowest = 0.0
    for _ in range(50):
        began = time.monotonic()
        pair.get("/devices")
        slowest = max(slowest, time.monotonic() - began)
    broker.signal(signal.SIGCONT)
    assert slowest < 1.0
    assert watcher.ask("health_check")["status"] == "ok"
