"""A proxy that means harm, or whose firmware has gone mad, harms itself alone.

What it says is put on the wire between the gateway and a simulated proxy without encryption."""
import random
import threading
import time

import pytest
from conftest import THERMOMETER, house
from wire import Wire

GET_TIME_REQUEST, ADVERTISEMENTS, NOBODYS = 36, 93, 60000
BODY_MAX = 65535  # FRAMER_BODY_MAX
OUTPUT_MAX = 2 << 20  # a loose bound of what the gateway keeps for one peer; its own is 256 KiB
WORK_LIMIT_S = 2.0  # of the gateway's processor while a request waits, with all checkers of the build
ANSWER_LIMIT_S = 20.0  # until the answer is there, on a machine that does other work as well
DEVICES_MAX = 500


def varint(value):
    octets = bytearray()
    while value > 0x7f:
        octets.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(octets + bytes([value]))


def frame(kind, body=b""):
    return b"\0" + varint(len(body)) + varint(kind) + body


def field(number, octets):
    return varint(number << 3 | 2) + varint(len(octets)) + octets


def advertisement(address, payload):
    """One entry of message 93: address, RSSI of -60, random address, octets."""
    return field(1, b"\x08" + varint(address) + b"\x10" + varint(119) + b"\x18\x01" + field(4, payload))


class Hostile:
    def __init__(self, start):
        self.wire = None
        self.pair = start(house([{"name": "hostile", "at": [0, 0, 0], "profile": "2026"},
                                 {"name": "witness", "at": [1, 0, 0], "profile": "2026", "encryption_key": True}]),
                          settings={"limits": {"devices": DEVICES_MAX}}, config_change=self.wire_up,
                          environment={"ASAN_OPTIONS": "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"})
        self.gateway = self.pair.gateway
        self.gateway.wait_online(2)
        self.before = {name: self.pair.proxy(name) for name in ("hostile", "witness")}

    def wire_up(self, config):
        self.wire = Wire(config["proxies"][0]["port"])
        config["proxies"][0]["port"] = self.wire.port

    def still_talks(self, name):
        """It is the conversation of the beginning, and it goes on."""
        total = self.pair.proxy(name)["advertisements_total"]
        proxy = self.pair.wait_proxy(name, lambda proxy: proxy["advertisements_total"] > total)
        return (proxy["state"], proxy["since"]) == ("online", self.before[name]["since"])

    def most_work_while(self, act):
        """Acts in a thread; the most that the gateway worked, in seconds of its processor, before a request meanwhile
        was answered."""
        thread = threading.Thread(target=act)
        thread.start()
        most = 0.0
        while thread.is_alive():
            started, worked = time.monotonic(), self.gateway.cpu_s()
            self.pair.get("/proxies/witness")
            most = max(most, self.gateway.cpu_s() - worked)
            assert time.monotonic() - started < ANSWER_LIMIT_S
        thread.join()
        return most


@pytest.fixture
def hostile(start):
    hostile = Hostile(start)
    yield hostile
    hostile.wire.close()
    assert hostile.still_talks("witness")


def test_a_peer_that_asks_and_reads_nothing_is_owed_no_more_than_a_bound(hostile):
    """The answers (8 octets for 3) fill the sockets first, and from then on the gateway would have to keep them."""
    hostile.wire.is_mute = True
    hostile.wire.is_deaf = True

    def ask():
        """A million times, and an advertisement at the end, which tells that all was read."""
        total = hostile.pair.proxy("hostile")["advertisements_total"]
        for _ in range(100):
            hostile.wire.inject(frame(GET_TIME_REQUEST) * 10000)
        hostile.wire.inject(frame(ADVERTISEMENTS, advertisement(0xC00000000001, b"\x02\x01\x06")))
        hostile.pair.wait_proxy("hostile", lambda proxy: proxy["advertisements_total"] > total)

    ask()
    before = hostile.gateway.memory_bytes()
    assert hostile.most_work_while(ask) < WORK_LIMIT_S
    assert hostile.gateway.memory_bytes() - before < OUTPUT_MAX
    hostile.wire.is_deaf = False
    hostile.wire.is_mute = False
    assert hostile.still_talks("hostile")


def test_a_flood_of_advertisements_fills_the_table_to_its_bound_and_holds_up_nobody(hostile):
    dice = random.Random(1)
    block = b"".join(frame(ADVERTISEMENTS, b"".join(
        advertisement(0xC00000000000 + dice.randrange(1 << 40), dice.randbytes(31)) for _ in range(16)))
        for _ in range(500))

    def flood():
        for _ in range(20):
            hostile.wire.inject(block)

    assert hostile.most_work_while(flood) < WORK_LIMIT_S
    proxy = hostile.pair.wait_proxy("hostile", lambda proxy: proxy["advertisements_total"] >= 160000)
    assert proxy["since"] == hostile.before["hostile"]["since"]
    assert hostile.pair.get("/info")["counts"]["devices"] <= DEVICES_MAX
    device = hostile.pair.wait_device(THERMOMETER["address"])
    assert device["available"]


def test_the_largest_frame_is_read_and_a_larger_one_ends_the_conversation(hostile):
    hostile.wire.inject(frame(NOBODYS, bytes(BODY_MAX)) * 10)
    assert hostile.still_talks("hostile")
    hostile.wire.inject(frame(NOBODYS, bytes(BODY_MAX + 1)))
    proxy = hostile.pair.wait_proxy("hostile", lambda proxy: proxy["last_error"])
    assert proxy["last_error"]["code"] == "protocol"


def test_a_frame_whose_end_does_not_come_costs_its_octets_alone(hostile):
    hostile.wire.is_mute = True
    before = hostile.gateway.memory_bytes()
    hostile.wire.inject(frame(NOBODYS, bytes(BODY_MAX))[:-1])
    assert hostile.still_talks("witness")
    assert hostile.pair.proxy("hostile")["state"] == "online"
    assert hostile.gateway.memory_bytes() - before < OUTPUT_MAX
    hostile.wire.inject(b"\0")
    hostile.wire.is_mute = False
    assert hostile.still_talks("hostile")


@pytest.mark.parametrize("body", [field(1, b"\x08"), field(1, b"\xff" * 64), b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 32])
def test_malformed_advertisements_end_the_conversation(hostile, body):
    hostile.wire.inject(frame(ADVERTISEMENTS, body))
    proxy = hostile.pair.wait_proxy("hostile", lambda proxy: proxy["last_error"])
    assert proxy["last_error"]["code"] == "protocol"
