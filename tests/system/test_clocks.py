"""Clocks that jump: the wall clock is for people alone, and after a sleep of the machine all is due once."""
import datetime
import mmap
import struct
import threading
import time

import pytest
from conftest import BIN, NAMED, THERMOMETER, house
from test_events import Stream

HOUR_S = 3600
PROXIES = [{"name": name, "at": [i, 0, 0], "profile": "2026", "encryption_key": i == 1}
           for i, name in enumerate(("kitchen", "office", "cellar"))]


class Clocks:
    """Those of one program; see tests/lib/shifted_clock.c."""

    def __init__(self, path):
        path.write_bytes(bytes(16))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 16)
        self.environment = {"LD_PRELOAD": str(BIN.parent / "tests/shifted_clock.so"), "SHIFTED_CLOCK": str(path),
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def shift(self, wall_s=0, monotonic_s=0):
        """Further by so much."""
        wall, monotonic = struct.unpack("qq", self.map)
        self.map[8:] = struct.pack("q", monotonic + int(monotonic_s * 1e6))
        self.map[:8] = struct.pack("q", wall + int(wall_s * 1e6))


@pytest.fixture
def clocks(tmp_path):
    return Clocks(tmp_path / "clocks")


@pytest.fixture
def pair(start, clocks):
    """Both devices have been heard often enough for everything to be settled."""
    pair = start(house(PROXIES), environment=clocks.environment)
    pair.gateway.wait_online(3)
    for device in (THERMOMETER, NAMED):
        pair.wait_device(device["address"])
    return pair


def count(pair, *words):
    return sum(all(word in line for word in words) for line in pair.gateway.log_text().splitlines())


def age_s(text, wall_shift_s):
    """How long ago that was by the shifted clock."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time.time() + wall_shift_s - moment.timestamp()


def listen(pair, last=None):
    """A stream of what happens to devices and proxies from now on, or after what was seen last."""
    stream = Stream(pair, "?types=device,proxy" + ("" if last else "&snapshot=true"), last=last)
    if not last:
        stream.until(lambda event, _, data: event == "ready")
    return stream


def until_changed(pair, stream):
    """What happened until the payload that is set now is seen."""
    raw = THERMOMETER["payload"]["raw"][:-2] + "a1"
    pair.sim.ask(do="payload", device=THERMOMETER["address"], raw=raw)
    return stream.until(lambda event, _, data: event == "device" and data["device"]["raw"] == raw)


def assert_goes_on(pair, name="kitchen"):
    total = pair.proxy(name)["advertisements_total"]
    pair.wait_proxy(name, lambda proxy: proxy["advertisements_total"] > total + 5)


@pytest.mark.parametrize("hours", [5, -5, 24 * 365 * 30, -24 * 365 * 30])
def test_a_wall_clock_that_jumps_moves_nothing_but_the_times_that_are_shown(pair, clocks, hours):
    stream = listen(pair)
    states, owner = count(pair, "proxy.state"), pair.wait_device(THERMOMETER["address"])["proxy"]
    started = time.monotonic()
    waiting = threading.Thread(target=pair.get, args=("/devices?name=nobody&wait_ms=1500",))
    waiting.start()
    clocks.shift(wall_s=hours * HOUR_S)
    assert_goes_on(pair)
    waiting.join()
    assert 1.4 < time.monotonic() - started < 4, "who waits, waits as long as before"
    device = pair.wait_device(THERMOMETER["address"])
    assert device["available"] and device["proxy"] == owner
    assert abs(age_s(device["last_seen"], hours * HOUR_S)) < 2
    assert pair.get("/info")["uptime_s"] < 60
    assert count(pair, "proxy.state") == states
    assert [data["reason"] for _, _, data in until_changed(pair, stream)] == ["payload"]
    stream.close()


@pytest.mark.parametrize("hours, fate", [
    (0.9, [("availability", False), ("availability", True)]),
    (1.1, [("availability", False), ("forgotten", False), ("first_seen", True)]),
])
def test_after_a_long_sleep_conversations_go_on_and_devices_are_missed_once(pair, clocks, hours, fate):
    """Everything is due at once: a ping, not the end of a conversation; each device goes and comes back. Clients
    over HTTP were idle for too long and come again, with what they saw last."""
    stream = listen(pair)
    states, dials = count(pair, "proxy.state"), count(pair, "to=connecting")
    clocks.shift(wall_s=hours * HOUR_S, monotonic_s=hours * HOUR_S)
    assert_goes_on(pair)
    for device in (THERMOMETER, NAMED):
        pair.wait_device(device["address"], lambda device: device["available"])
    again = listen(pair, stream.last_id)
    seen = [data for event, _, data in until_changed(pair, again) if event == "device"]
    for device in (THERMOMETER, NAMED):
        assert [(data["reason"], data["device"]["available"]) for data in seen
                if data["device"]["address"] == device["address"]
                and data["reason"] not in ("owner", "payload")] == fate
    assert {proxy["state"] for proxy in pair.gateway.items("/api/v1/proxies")} == {"online"}
    assert (count(pair, "proxy.state"), count(pair, "to=connecting")) == (states, dials)
    stream.close()
    again.close()


def wait_more(pair, names):
    """Until each of them was heard from again."""
    for name, total in [(name, pair.proxy(name)["advertisements_total"]) for name in names]:
        pair.wait_proxy(name, lambda proxy, least=total: proxy["advertisements_total"] > least)


def test_X03_a_proxy_that_is_silently_gone_is_noticed_90_s_after_the_ping(pair, clocks):
    """Its half of the conversation stays open; the others, which only lost time, stay."""
    pair.sim.fault("cellar", "half_open")
    others = ("kitchen", "office")
    wait_more(pair, others)  # read in the same turn was what cellar had said before
    clocks.shift(monotonic_s=21)
    wait_more(pair, others)
    clocks.shift(monotonic_s=80)
    assert_goes_on(pair)
    assert pair.proxy("cellar")["state"] == "online", "it has 9 s left"
    clocks.shift(monotonic_s=10)
    gone = pair.wait_proxy("cellar", lambda proxy: proxy["state"] != "online", 5)
    assert gone["last_error"]["code"] == "ping_timeout"
    for name in others:
        assert pair.proxy(name)["state"] == "online"
