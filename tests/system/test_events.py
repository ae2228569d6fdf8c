"""The stream of events from outside: every event of a running fleet is held against the contract."""
import http.client
import json
import socket
import time

import pytest
from conftest import NAMED, THERMOMETER, house

PROXIES = [
    {"name": "kitchen", "at": [0, 0, 0], "profile": "2026", "scan": "active"},
    {"name": "office", "at": [10, 0, 0], "profile": "2026", "scan": "active"},
    {"name": "cellar", "at": [10, 40, 0], "profile": "2022", "scan": "active"},
]
COUNTER = {"address": "A4:C1:38:00:00:01", "address_type": 0, "at": [2, 1, 0], "interval_ms": 100, "jitter_ms": 0,
           "payloads": [{"raw": f"02010604ffffff{n:02x}"} for n in range(16)], "payload_events": 3}
STEADY = {"address": "A4:C1:38:00:00:02", "address_type": 0, "at": [8, 1, 0], "interval_ms": 250, "jitter_ms": 0,
          "payload": {"raw": "02010603030f18"}}
DEVICES = (THERMOMETER, NAMED, COUNTER, STEADY)
LIMIT_S = 20.0


class Stream:
    """An event stream, read event by event; each is checked against the contract."""

    def __init__(self, pair, query="", last=None, receive_buffer=None, path="/events"):
        self.contract = pair.contract
        self.schemas = {row["event"]: row["schema"]["$ref"].rsplit("/", 1)[1]
                        for row in pair.contract.document["x-events"]}
        host, port = pair.gateway.address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT_S)
        if receive_buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.connection.sock.connect((host, int(port)))
        headers = {"Accept": "text/event-stream", "User-Agent": "test-events"}
        if last:
            headers["Last-Event-ID"] = last
        self.connection.request("GET", f"/api/v1{path}{query}", headers=headers)
        self.answer = self.connection.getresponse()
        self.last_id = last
        self.lines = []

    def next(self):
        """(event, id, data) of the next event; comments and retry are passed over. None at the end."""
        event, identity, data = None, None, None
        while True:
            line = self.answer.readline()
            if not line:
                return None
            line = line.decode("utf-8").rstrip("\n")
            self.lines.append(line)
            if line == "" and event is not None:
                break
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                event = value
            elif name == "id":
                identity = value
            elif name == "data":
                assert data is None, "one line of data an event"
                data = json.loads(value)
        self.contract.validate(data, "components", "schemas", self.schemas[event])
        if identity:
            self.last_id = identity
        return event, identity, data

    def until(self, condition):
        seen = []
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            seen.append(self.next())
            assert seen[-1] is not None, "the stream ended"
            if condition(*seen[-1]):
                return seen
        raise AssertionError(f"did not come; last were {seen[-3:]}")

    def take(self, count):
        return [self.next() for _ in range(count)]

    def close(self):
        self.answer.close()
        self.connection.close()


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("events", house(PROXIES, DEVICES))
    pair.gateway.wait_online(3)
    pair.wait_device(COUNTER["address"], lambda device: len(device["sources"]) == 3)
    pair.wait_device(NAMED["address"], lambda device: device["name"])
    return pair


@pytest.fixture
def listen(pair):
    streams = []

    def open_stream(query="", **more):
        streams.append(Stream(pair, query, **more))
        assert streams[-1].answer.status == 200, streams[-1].answer.read()
        return streams[-1]

    yield open_stream
    for stream in streams:
        stream.close()


def test_headers_of_a_stream(listen, pair):
    headers = listen().answer.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    head = pair.ask("HEAD", "/api/v1/events")
    assert head.headers["Content-Type"] == "text/event-stream"


def test_a_stream_begins_with_the_retry_time(listen):
    stream = listen("?types=advertisement&mode=all")
    stream.next()
    assert stream.lines[0] == "retry: 3000"


def test_E03_snapshot_comes_first_then_changes(listen, pair):
    stream = listen("?snapshot=true")
    seen = stream.until(lambda event, identity, data: event == "ready")
    devices = [data["device"]["address"] for event, _, data in seen if event == "device"]
    assert sorted(devices) == sorted(device["address"] for device in DEVICES)
    assert all(data["reason"] == "snapshot" for event, _, data in seen if event == "device")
    assert seen[-1][2] == {"devices": len(DEVICES)}
    after = stream.until(lambda event, _, data: event == "device" and data["device"]["address"] == COUNTER["address"]
                         and data["reason"] != "owner")  # the nearest proxy may be taking it over
    assert after[-1][2]["reason"] == "payload"


def test_ids_count_up_without_gaps_for_who_wants_all(listen):
    stream = listen("?types=advertisement,device,proxy,log,rssi&mode=all&proxies=all&min_interval_s=0.1")
    ids = [identity for _, identity, _ in stream.take(300)]
    boots = {identity.split("-")[0] for identity in ids}
    numbers = [int(identity.split("-")[1]) for identity in ids]
    assert len(boots) == 1 and len(boots.pop()) == 8
    assert numbers == sorted(set(numbers))


def test_E02_every_advertisement_of_every_proxy(listen):
    stream = listen(f"?types=advertisement&mode=all&proxies=all&address={STEADY['address']}")
    seen = stream.take(30)
    assert {data["proxy"] for _, _, data in seen} == {"kitchen", "office", "cellar"}
    assert {data["address"] for _, _, data in seen} == {STEADY["address"]}
    assert {data["raw"] for _, _, data in seen if data["proxy"] != "cellar"} == {STEADY["payload"]["raw"]}
    assert {data["raw"] for _, _, data in seen if data["proxy"] == "cellar"} == {None}


def test_default_mode_tells_changes_alone(listen):
    stream = listen("?types=advertisement")
    seen = stream.take(20)
    assert {data["address"] for _, _, data in seen} == {COUNTER["address"]}
    # cellar's packets have no octets to show, and may come between two others that have the same
    payloads = [(data["raw"], data["manufacturer_data"]) for _, _, data in seen]
    assert all(a != b for a, b in zip(payloads, payloads[1:]))


def test_interval_thins_to_one_a_device(listen):
    stream = listen(f"?types=advertisement&mode=interval&min_interval_s=1&address={COUNTER['address']}")
    times = []
    for _ in range(4):
        stream.next()
        times.append(time.monotonic())
    assert times[-1] - times[1] >= 1.9


def test_E07_the_packet_after_clearing_the_history_is_an_event(pair, listen):
    stream = listen(f"?types=advertisement&address={STEADY['address']}")
    assert pair.gateway.request("POST", f"/api/v1/devices/{STEADY['address']}/clear-history").status == 204
    assert stream.next()[2]["address"] == STEADY["address"]
    assert pair.get(f"/devices/{STEADY['address']}")["connectable"] is not False


def test_A13_apples_noise_is_listed_and_told_when_it_is_more(pair, listen):
    phone = {"address": "C0:FF:EE:00:00:0A", "address_type": 1, "at": [2, 1, 0], "interval_ms": 100, "jitter_ms": 0,
             "payload": {"raw": "02011a07ff4c000c020b00"}}
    stream = listen(f"?snapshot=true&types=device,advertisement&address={phone['address']}")
    pair.sim.ask(do="add", device=phone)
    pair.wait_device(phone["address"])
    assert phone["address"] in {device["address"] for device in pair.get("/devices?limit=1000")["items"]}
    every = listen(f"?types=advertisement&mode=all&address={phone['address']}")
    assert every.next()[2]["raw"] in (phone["payload"]["raw"], None)
    beacon = "02011a1aff4c000215" + "00112233445566778899aabbccddeeff" + "00010002c5"
    pair.sim.ask(do="payload", device=phone["address"], raw=beacon)
    told = [(event, data) for event, _, data in stream.take(3) if event != "ready"]
    assert {event for event, _ in told} == {"device", "advertisement"}
    assert [data["reason"] for event, data in told if event == "device"] == ["payload"]
    assert all(data["raw"] in (beacon, None) for event, data in told if event == "advertisement")
    pair.sim.ask(do="remove", device=phone["address"])


def test_E06_loudness_of_every_proxy(listen):
    stream = listen(f"?types=rssi&min_interval_s=0.5&address={THERMOMETER['address']}")
    seen = stream.take(9)
    assert {data["proxy"] for _, _, data in seen} == {"kitchen", "office", "cellar"}
    owners = {data["proxy"] for _, _, data in seen if data["owner"]}
    assert owners == {"kitchen"}


def test_E04_filters(listen):
    for query, address in ((f"name={'advertiser'}", NAMED["address"]), ("service_uuid=180f&service_uuid=1111", STEADY["address"]),
                           ("manufacturer_id=65535", COUNTER["address"]), ("service_uuid=fcd2", THERMOMETER["address"])):
        stream = listen(f"?snapshot=true&types=advertisement&mode=all&{query}")
        seen = stream.until(lambda event, _, data: event == "advertisement")
        told = [data["device"]["address"] for event, _, data in seen if event == "device"]
        assert told == [address], query
        assert seen[-1][2]["address"] == address, query


def test_a_proxy_that_goes_and_comes_is_told(listen, pair):
    stream = listen("?types=proxy")
    pair.sim.fault("office", "drop")
    seen = stream.until(lambda event, _, data: data["proxy"]["name"] == "office" and data["proxy"]["state"] == "online")
    states = [data["proxy"]["state"] for _, _, data in seen if data["reason"] == "state"]
    assert states[0] != "online" and states[-1] == "online"


def test_what_was_missed_is_told_to_who_comes_back(listen):
    query = f"?types=advertisement&mode=all&proxies=all&address={STEADY['address']}"
    whole, broken = listen(query), listen(query)
    first = broken.next()
    broken.close()
    again = [whole.next()]
    while again[-1][1] != first[1]:
        again.append(whole.next())
    expected = whole.take(20)
    back = listen(query, last=first[1])
    assert back.take(20) == expected


def test_reset_for_another_run_and_for_what_is_too_old(listen):
    event, identity, data = listen("?types=log", last="00000000-1").next()
    assert (event, identity) == ("reset", None)
    assert data["reason"] == "other_boot"
    stream = listen("?types=advertisement&mode=all")
    boot = stream.next()[1].split("-")[0]
    event, _, data = listen("?types=advertisement&mode=reappear&silence_s=77", last=f"{boot}-1").next()
    assert event == "reset" and data["reason"] == "too_old"


def test_faults_of_the_request(pair):
    for query in ("types=nonsense", "mode=x", "min_interval_s=0.01", "silence_s=0", "proxies=x", "rssi_min=21",
                  "manufacturer_data_prefix=01", "unknown=1", "seen_within_s=1"):
        pair.get(f"/events?{query}", 422)
    for query in ("address=nonsense", "service_uuid=xyz", "rssi_min=x"):
        pair.get(f"/events?{query}", 400)
    pair.get("/events", 400, headers={"Last-Event-ID": "nonsense"})


def test_clients_are_listed(listen, pair):
    stream = listen("?types=advertisement&mode=all")
    stream.take(5)
    clients = pair.get("/clients")["items"]
    mine = [client for client in clients if client["name"] == "test-events"]
    assert mine and all(client["kind"] == "sse" for client in mine)
    assert max(client["messages"] for client in mine) >= 5
    assert mine[0]["remote"].startswith("127.0.0.1:")
    assert pair.get("/clients?kind=mqtt")["items"] == []
    assert len(pair.get("/clients?limit=1")["items"]) == 1


def test_streams_are_capped_and_others_are_served(start):
    pair = start(house(PROXIES[:1], DEVICES[:1]), settings={"limits": {"sse_clients": 3}})
    streams = [Stream(pair) for _ in range(3)]
    assert [stream.answer.status for stream in streams] == [200] * 3
    refused = pair.ask("GET", "/api/v1/events", 503)
    assert refused.json()["code"] == "overloaded" and refused.headers["Retry-After"]
    assert pair.get("/info")["name"] == "blefleet"
    for stream in streams:
        stream.close()


def test_the_end_of_the_gateway_ends_the_streams(start):
    pair = start(house(PROXIES[:1], DEVICES[:1]))
    stream = Stream(pair, "?snapshot=true")
    stream.until(lambda event, _, data: event == "ready")
    pair.gateway.process.terminate()
    while stream.next() is not None:
        pass
    assert pair.gateway.process.wait(LIMIT_S) == 0


def test_who_reads_slowly_is_told_what_it_lost(start):
    devices = [{"address": f"C2:00:00:00:{n // 256:02X}:{n % 256:02X}", "address_type": 1, "at": [1, 1, 0],
                "interval_ms": 20, "jitter_ms": 0, "payload": {"raw": "020106" + "1aff4c00" + "07" * 23}} for n in range(20)]
    pair = start(house(PROXIES[:1], devices), settings={"limits": {"sse_queue": 16, "event_ring": 16}})
    slow = Stream(pair, "?types=advertisement&mode=all", receive_buffer=4096)
    other = Stream(pair, "?types=advertisement&mode=all")
    numbers = []
    pair.gateway.wait_for(lambda: [client for client in pair.get("/clients")["items"] if client["dropped"] > 0]
                          or numbers.append(other.take(50)), LIMIT_S, "losses of the slow reader")
    seen = slow.until(lambda event, _, data: event == "dropped")
    assert seen[-1][2]["count"] >= 1 and seen[-1][2]["total"] >= seen[-1][2]["count"]
    slow.close()
    other.close()
