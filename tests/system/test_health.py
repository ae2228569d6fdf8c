"""Proxies that hear nothing, that another client takes over, or that do not answer a subscription.

The waits run side by side: the deaf proxy is muted before the first test begins, and the stolen one learns
meanwhile what is usual."""
import asyncio
import threading

import pytest
from aioesphomeapi import APIClient
from conftest import house
from test_events import Stream

QUIET_S = 30
PROXIES = [
    {"name": "deaf", "at": [0, 0, 0], "profile": "2026"},
    {"name": "stolen", "at": [5, 0, 0], "profile": "2026", "encryption_key": True},
    {"name": "late", "at": [9, 0, 0], "profile": "2025"},
]


class Thief:
    """Another client of a proxy, as Home Assistant is one: subscribes to its advertisements and keeps them."""

    def __init__(self, proxy):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.client = self._run(self._connect(proxy))

    def _run(self, conversation):
        return asyncio.run_coroutine_threadsafe(conversation, self.loop).result(20)

    @staticmethod
    async def _connect(proxy):
        client = APIClient("127.0.0.1", proxy["port"], None, noise_psk=proxy["encryption_key"], client_info="thief")
        await client.connect(login=True)
        return client

    async def _take(self):
        first = self.loop.create_future()

        def on_packets(message):
            if not first.done():
                first.set_result(message)

        self.client.subscribe_bluetooth_le_raw_advertisements(on_packets)
        await asyncio.wait_for(first, 10)

    def steal(self):
        """Returns when advertisements come here."""
        self._run(self._take())

    def leave(self):
        self._run(self.client.disconnect(force=True))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("health", house(PROXIES), settings={"scan": {"quiet_s": QUIET_S}})
    pair.gateway.wait_online(len(PROXIES))
    for proxy in PROXIES:
        pair.wait_proxy(proxy["name"], lambda shown: shown["advertisements_total"] > 0)
    pair.sim.fault("deaf", "mute")
    return pair


@pytest.fixture
def thief(pair):
    thief = Thief(pair.sim.proxies["stolen"])
    yield thief
    thief.leave()


def figure(pair, name, proxy):
    """A figure of one proxy in /metrics."""
    start = f'{name}{{proxy="{proxy}"}} '
    lines = pair.gateway.request("GET", "/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(start)).removeprefix(start))


def is_quiet(proxy):
    return [advisory["code"] for advisory in proxy["advisories"]] == ["quiet"]


def test_S15_without_a_scanner_state_the_subscription_is_asked_for_again(pair):
    pair.sim.fault("late", "refuse_subscription")
    pair.ask("POST", "/api/v1/proxies/late/reconnect", 202)
    pair.wait_proxy("late", lambda proxy: proxy["state"] == "handshaking")
    pair.gateway.wait_for(lambda: pair.sim.status()["proxies"]["late"]["clients"] == 1, 5, "the new conversation")
    asked = pair.proxy("late")["since"]
    pair.sim.ask(do="clear", proxy="late")
    online = pair.wait_proxy("late", lambda proxy: proxy["state"] == "online", 15)
    assert online["since"] > asked


def test_a_thief_is_answered_twice_and_then_left_alone_until_somebody_reconnects(pair, thief):
    pair.wait_proxy("stolen", lambda proxy: proxy["advertisements_total"] >= 70)  # 10 a second: 7 s
    for retakes in (1, 2):
        thief.steal()
        pair.gateway.wait_for(lambda: figure(pair, "blefleet_proxy_retakes_total", "stolen") == retakes, 20,
                              f"retake {retakes}")
        assert pair.proxy("stolen")["state"] == "online"
    thief.steal()
    lost = pair.wait_proxy("stolen", lambda proxy: proxy["state"] == "subscription_lost")
    assert lost["last_error"]["code"] == "subscription_lost"
    assert "another client" in lost["last_error"]["detail"]
    total, holder = lost["advertisements_total"], pair.sim.status()["proxies"]["stolen"]["subscriber"]
    assert pair.get("/devices?name=nobody&wait_ms=3000")["items"] == []  # three seconds go by
    assert pair.sim.status()["proxies"]["stolen"]["subscriber"] == holder
    assert pair.proxy("stolen")["advertisements_total"] == total
    pair.sim.fault("stolen", "reboot", seconds=1)
    pair.wait_proxy("stolen", lambda proxy: proxy["state"] == "subscription_lost" and proxy["since"] > lost["since"])
    assert pair.sim.status()["proxies"]["stolen"]["subscriber"] is None  # not even now
    pair.ask("POST", "/api/v1/proxies/stolen/reconnect", 202)
    pair.wait_proxy("stolen", lambda proxy: proxy["state"] == "online" and proxy["advertisements_total"] > total)


def test_X09_a_deaf_proxy_is_shown_as_quiet_and_is_reconnected(pair):
    before = pair.sim.status()["proxies"]["deaf"]["connections_accepted"]
    quiet = pair.wait_proxy("deaf", is_quiet, QUIET_S + 10)
    assert quiet["advisories"][0]["text"].startswith("Has heard nothing for ")
    ready = pair.ask("GET", "/readyz").json()
    assert ready["checks"]["proxies"]["status"] == "warn"
    assert "1 quiet" in ready["checks"]["proxies"]["detail"]
    assert figure(pair, "blefleet_proxy_quiet", "deaf") == 1
    pair.gateway.wait_for(lambda: pair.sim.status()["proxies"]["deaf"]["connections_accepted"] > before, 40,
                          "a reconnection")
    pair.wait_proxy("deaf", lambda proxy: proxy["state"] == "online" and is_quiet(proxy))
    events = Stream(pair)
    pair.sim.ask(do="clear", proxy="deaf")
    events.until(lambda event, identity, data: event == "proxy" and data["reason"] == "advisory"
                 and data["proxy"]["advisories"] == [])
    assert figure(pair, "blefleet_proxy_quiet", "deaf") == 0
