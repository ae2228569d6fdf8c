"""Clients over HTTP that dawdle, break off or never come to the point: others are served as if they were not there."""
import contextlib
import itertools
import socket
import struct
import time

import pytest
from conftest import STOP_LIMIT_S, THERMOMETER, house

CROWD = 50
ANSWER_LIMIT_S = 1.0
PROXIES = [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"}]
HEAD = b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slow\r\n\r\n"
STREAM = b"GET /api/v1/events?mode=all HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
WAITING = b"GET /api/v1/devices?name=nobody&wait_ms=2000 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def pair(start):
    pair = start(house(PROXIES))
    pair.wait_device(THERMOMETER["address"])
    return pair


@contextlib.contextmanager
def crowd(pair, octets=b"", count=CROWD):
    """Connections that have said so much."""
    host, port = pair.gateway.address.rsplit(":", 1)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((host, int(port)), timeout=20)) for _ in range(count)]
        for client in clients:
            client.sendall(octets)
        yield clients


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def assert_others_are_served(pair):
    started = time.monotonic()
    pair.get("/info")
    assert time.monotonic() - started < ANSWER_LIMIT_S


def read_answer(client):
    """The status line, when all of the headers are there; empty at the end of the connection."""
    octets = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in octets and (more := client.recv(65536)):
            octets += more
    return octets.split(b"\r\n")[0]


def test_headers_that_come_octet_by_octet_are_waited_for_and_nobody_waits_with_them(pair):
    with crowd(pair) as clients:
        for i in range(len(HEAD)):
            for client in clients:
                client.sendall(HEAD[i:i + 1])
            if i % 10 == 0:
                assert_others_are_served(pair)
        assert {read_answer(client) for client in clients} == {b"HTTP/1.1 200 OK"}


@pytest.mark.parametrize("half", [
    b"", b"GET", HEAD[:40], HEAD[:-2],
    b"POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100000\r\n\r\n{",
])
def test_half_a_request_and_then_nothing_holds_up_neither_others_nor_the_end(pair, half):
    with crowd(pair, half):
        assert_others_are_served(pair)
        code, seconds = pair.gateway.stop()
        assert code == 0
        assert seconds < STOP_LIMIT_S


@pytest.mark.parametrize("octets", [
    b"GET /" + b"a" * 1000000, HEAD[:-2] + b"X-Huge: " + b"a" * 1000000,
    HEAD[:-2] + b"".join(b"X-%d: many\r\n" % i for i in range(100000)),
])
def test_headers_without_an_end_are_refused_and_cost_no_memory(pair, octets):
    before = pair.gateway.memory_bytes()
    descriptors = pair.gateway.descriptors()
    with crowd(pair, count=20) as clients:
        for client in clients:
            with contextlib.suppress(ConnectionError):
                client.sendall(octets)
            assert_others_are_served(pair)
        assert all(read_answer(client).split(b" ")[1:2] in ([], [b"414"], [b"431"]) for client in clients)
        assert pair.gateway.memory_bytes() - before < 8 << 20
    pair.gateway.wait_for(lambda: pair.gateway.descriptors() <= descriptors, 5, "the former number of descriptors")


@pytest.mark.parametrize("request_octets", [STREAM, WAITING])
def test_clients_that_break_off_in_the_middle_of_an_answer_leave_nothing_behind(pair, request_octets):
    descriptors = pair.gateway.descriptors()
    with crowd(pair, request_octets, 30) as clients:
        if request_octets == STREAM:
            assert {read_answer(client) for client in clients} == {b"HTTP/1.1 200 OK"}
        for i, client in enumerate(clients):
            reset(client) if i % 2 else client.close()
        assert_others_are_served(pair)
    last = itertools.count()

    def is_as_before():
        """A client that left is noticed when it is written to."""
        raw = f"{THERMOMETER['payload']['raw'][:-2]}{next(last) % 256:02x}"
        pair.sim.ask(do="payload", device=THERMOMETER["address"], raw=raw)
        return pair.gateway.descriptors() <= descriptors

    pair.gateway.wait_for(is_as_before, 10, "the former number of descriptors")
    assert_others_are_served(pair)


def test_sigterm_ends_the_program_in_time_with_streams_and_waiting_requests(pair):
    with crowd(pair, STREAM, 20) as streams, crowd(pair, WAITING, 20):
        assert {read_answer(stream) for stream in streams} == {b"HTTP/1.1 200 OK"}
        code, seconds = pair.gateway.stop()
        assert code == 0
        assert seconds < STOP_LIMIT_S
