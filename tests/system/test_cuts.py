"""A proxy that dies at any point of a conversation is told, waited for and taken up again, and costs nothing.

Each victim is reached over a wire that is cut at a certain frame: by an orderly end, by a reset, or by silence."""
import contextlib
import datetime
import functools
import socket
import time

import pytest
from conftest import NAMED, STOP_LIMIT_S, THERMOMETER, house
from wire import AFTER, BEFORE, BODY, CLOSE, DEVICE, GATEWAY, HEADER, RESET, SILENCE, Cut, Wire

ROUNDS = 12
WITNESSES = ("plain", "secret")
VICTIMS = ("plain-victim", "secret-victim")
QUIET = ("plain-quiet", "secret-quiet")     # hear nothing, so that nothing is said after the subscription
PINGED = ("plain-pinged", "secret-pinged")  # the same, until they are asked whether they are there
HELD = "plain-held"                         # says nothing at all, from the beginning

# Frames of a device: with Noise, its hello and its handshake come first.
HELLO, INFO, SLOTS, SCANNER, MORE = range(5)
PING = 6  # of the gateway, behind Hello, Authentication, DeviceInfo, two subscriptions and the scan mode
NOISE = 2

# name: (frame, part); frames of Noise alone are negative
STEPS = {
    "after_client_hello": (-2, BEFORE),
    "after_server_hello": (-2, AFTER),
    "in_the_middle_of_server_hello": (-2, BODY),
    "in_the_middle_of_the_handshake": (-1, BODY),
    "after_the_handshake": (-1, AFTER),
    "after_hello_request": (HELLO, BEFORE),
    "after_hello_response": (HELLO, AFTER),
    "in_the_header_of_device_info": (INFO, HEADER),
    "in_the_body_of_device_info": (INFO, BODY),
    "after_device_info": (INFO, AFTER),
    "after_the_subscription": (SLOTS, BEFORE),
    "when_it_is_online": (SCANNER, AFTER),
    "in_the_header_of_an_advertisement": (MORE, HEADER),
    "in_the_body_of_an_advertisement": (MORE, BODY),
}
CASES = [(name, step) for step, (frame, _) in STEPS.items() for name in VICTIMS
         if frame >= 0 or name == "secret-victim"]


def is_encrypted(name):
    return name.startswith("secret")


def cut_at(name, step, how):
    frame, part = STEPS[step]
    return Cut(DEVICE, frame + (NOISE if is_encrypted(name) else 0), part, how)


def scenario(names):
    proxies = [{"name": name, "at": [i, 0, 0], "profile": "2026"} for i, name in enumerate(names)]
    for proxy in proxies:
        if is_encrypted(proxy["name"]):
            proxy["encryption_key"] = True
    return house(proxies, [{**device, "interval_ms": 50} for device in (THERMOMETER, NAMED)])


class Wired:
    """A pair whose proxies, but for the witnesses, are reached over wires."""

    def __init__(self, start, names, **more):
        self.wires = {}
        self.pair = start(scenario((*WITNESSES, *names)), config_change=self.wire_up, **more)
        self.gateway = self.pair.gateway

    def wire_up(self, config):
        for proxy in config["proxies"]:
            if proxy["name"] not in WITNESSES:
                self.wires[proxy["name"]] = Wire(proxy["port"])
                proxy["port"] = self.wires[proxy["name"]].port

    def reconnect(self, name):
        self.pair.ask("POST", f"/api/v1/proxies/{name}/reconnect", 202)

    def start_cut(self, name, cut):
        """A new conversation, and waits until it is cut."""
        wire = self.wires[name]
        wire.cut, cuts = cut, wire.cuts
        self.reconnect(name)
        wire.wait_cuts(cuts + 1)

    def cut(self, name, cut):
        """The proxy as it is after a new conversation, which was cut."""
        self.start_cut(name, cut)
        return self.pair.wait_proxy(name, lambda proxy: proxy["state"] == "waiting_retry")

    def renew(self, name):
        """A new conversation that works."""
        before = self.pair.proxy(name)["since"]
        self.reconnect(name)
        self.pair.wait_proxy(name, lambda proxy: proxy["state"] == "online" and proxy["since"] > before)

    def heal(self, name):
        self.wires[name].heal()
        self.renew(name)

    def close(self):
        for wire in self.wires.values():
            wire.close()


@pytest.fixture(scope="module")
def wired(session_pairs):
    """All are online once; then those that need long are cut, and found by the tests at the end."""
    wired = Wired(functools.partial(session_pairs, "cuts"), (*VICTIMS, *QUIET, *PINGED, HELD))
    for name in (*QUIET, *PINGED):
        wired.pair.sim.fault(name, "mute")
    wired.gateway.wait_online(len(WITNESSES) + len(wired.wires))
    for name in PINGED:
        wired.wires[name].cut = Cut(GATEWAY, PING + (NOISE if is_encrypted(name) else 0), AFTER, CLOSE)
        wired.reconnect(name)
    wired.wires[HELD].cut = Cut(DEVICE, HELLO, BEFORE, SILENCE)
    wired.reconnect(HELD)
    yield wired
    wired.close()


@contextlib.contextmanager
def nobody_else_notices(wired):
    before = {name: wired.pair.proxy(name) for name in WITNESSES}
    yield
    for name in WITNESSES:
        after = wired.pair.proxy(name)
        assert after["state"] == "online"
        assert after["since"] == before[name]["since"], f"{name} lost its conversation"
        assert after["advertisements_total"] >= before[name]["advertisements_total"]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def cause_of(name, step):
    frame, part = STEPS[step]
    if frame >= 0 or (frame, part) == (-1, AFTER):
        return "the device closed the connection"
    if (frame, part) == (-2, AFTER) or frame == -1:
        return "the device closed the connection during the handshake"
    return "upon the encrypted hello"


@pytest.mark.parametrize("name, step", CASES)
def test_a_proxy_that_dies_at_any_step_is_told_and_waited_for_and_leaves_nothing_behind(wired, name, step):
    with nobody_else_notices(wired):
        descriptors = wired.gateway.descriptors()
        for i in range(ROUNDS):
            proxy = wired.cut(name, cut_at(name, step, RESET if i % 2 else CLOSE))
            error = proxy["last_error"]
            assert error["code"] == "closed"
            assert cause_of(name, step) in error["detail"]
            wait = (moment(proxy["retry_at"]) - moment(error["time"])).total_seconds()
            assert 1.9 < wait < 3.1, "the first wait is 2 s and up to a second of chance"
        wired.heal(name)
        wired.gateway.wait_for(lambda: wired.gateway.descriptors() <= descriptors, 5, "the former number")


def test_a_proxy_that_closes_as_soon_as_it_accepts_is_told_and_waited_for(wired):
    with nobody_else_notices(wired):
        descriptors = wired.gateway.descriptors()
        for i in range(ROUNDS):
            proxy = wired.cut("plain-victim", Cut(how=RESET if i % 2 else CLOSE))
            assert proxy["last_error"]["code"] == "closed"
        wired.heal("plain-victim")
        wired.gateway.wait_for(lambda: wired.gateway.descriptors() <= descriptors, 5, "the former number")


@pytest.mark.parametrize("part", [BEFORE, HEADER, AFTER])
@pytest.mark.parametrize("how", [CLOSE, RESET])
@pytest.mark.parametrize("name", QUIET)
def test_a_proxy_that_dies_in_its_goodbye_is_taken_up_again_at_once(wired, name, part, how):
    """Its answer to DisconnectRequest is the first thing it says after the subscription."""
    wire = wired.wires[name]
    wire.cut, cuts = Cut(DEVICE, MORE + (NOISE if is_encrypted(name) else 0), part, how), wire.cuts
    with nobody_else_notices(wired):
        wired.renew(name)  # the conversation that this one ends was not to be cut like that
        started = time.monotonic()
        wired.renew(name)
        assert time.monotonic() - started < 2, "there was no pause"
        wire.wait_cuts(cuts + 1)
    wire.cut = None


def test_memory_does_not_grow_with_conversations_that_break(start):
    """The checker of addresses keeps what was freed, unless it is told not to."""
    options = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
    wired = Wired(start, VICTIMS, environment={"ASAN_OPTIONS": options})
    wired.gateway.wait_online(4)

    def break_conversations(rounds):
        steps = {"plain-victim": "in_the_body_of_device_info", "secret-victim": "after_the_handshake"}
        for i in range(rounds):
            for name, step in steps.items():
                wired.start_cut(name, cut_at(name, step, RESET if i % 2 else CLOSE))
        for name in steps:
            wired.pair.wait_proxy(name, lambda proxy: proxy["state"] == "waiting_retry")
        return wired.gateway.memory_bytes()

    before = break_conversations(50)
    assert break_conversations(200) - before < 1 << 20, "5 KiB for each conversation"
    wired.close()


@pytest.mark.parametrize("name", VICTIMS)
def test_a_conversation_in_single_octets_is_a_conversation(wired, name):
    wired.wires[name].segment = 1
    before = wired.pair.proxy(name)["advertisements_total"]
    with nobody_else_notices(wired):
        wired.heal(name)
        wired.pair.wait_proxy(name, lambda proxy: proxy["advertisements_total"] > before + 5)
        assert wired.pair.proxy(name)["state"] == "online"
    wired.wires[name].segment = None


@contextlib.contextmanager
def never_accepted(start):
    """A pair with a proxy "lost", whose listener has a full queue: the question to connect stays open."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)

    def point_there(config):
        config["proxies"][0]["port"] = full.getsockname()[1]

    with full, socket.create_connection(full.getsockname()):
        pair = start(scenario(("lost", *WITNESSES)), config_change=point_there)
        pair.gateway.wait_online(2)
        assert pair.proxy("lost")["state"] == "connecting"
        yield pair, full


def test_a_proxy_that_goes_while_it_is_being_connected_to_is_told(start):
    """The kernel asks again after a second, and then nobody listens."""
    with never_accepted(start) as (pair, full):
        full.close()
        proxy = pair.wait_proxy("lost", lambda proxy: proxy["state"] == "waiting_retry")
        assert proxy["last_error"]["code"] == "refused"


def test_sigterm_ends_the_program_in_time_while_it_connects(start):
    with never_accepted(start) as (pair, _):
        code, seconds = pair.gateway.stop()
        assert code == 0
        assert seconds < STOP_LIMIT_S


def test_sigterm_ends_the_program_in_time_at_whatever_step_its_proxies_fell_silent(start):
    victims = {f"{name.split('-')[0]}-{i}": cut_at(name, step, SILENCE) for i, (name, step) in enumerate(CASES)}
    wired = Wired(start, tuple(victims))
    wired.gateway.wait_online(len(WITNESSES) + len(victims), 30)
    for name, cut in victims.items():
        wired.start_cut(name, cut)
    code, seconds = wired.gateway.stop()
    assert code == 0
    assert seconds < STOP_LIMIT_S
    wired.close()


# ---- what was begun by the fixture and takes its time ----

@pytest.mark.parametrize("name", PINGED)
def test_a_proxy_that_dies_while_a_ping_is_outstanding_is_taken_up_again_at_once(wired, name):
    """The ping follows 20 s of silence; a conversation that went for so long is resumed without a pause."""
    wired.wires[name].wait_cuts(1, 40)
    wired.wires[name].cut = None
    log = wired.gateway.wait_for(lambda: [line for line in wired.gateway.log_text().splitlines()
                                          if "proxy.failed" in line and f"name={name}" in line], 5, "the failure")
    assert "cause=closed" in log[0] and "retrying in 0.0 s" in log[0]
    wired.pair.wait_proxy(name, lambda proxy: proxy["state"] == "online")


def test_a_half_open_proxy_is_given_up_when_hello_is_not_answered(wired):
    """No octet and no end of the connection: 30 s after Hello it is over."""
    proxy = wired.pair.wait_proxy(HELD, lambda proxy: proxy["state"] == "waiting_retry", 40)
    assert proxy["last_error"]["code"] == "timeout"
    assert "30 s" in proxy["last_error"]["detail"]
    wired.heal(HELD)
