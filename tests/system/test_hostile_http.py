"""Clients that mean harm: each gets the contract's refusal, one line in the log, and nothing of anybody else's."""
import json
import select
import socket
import time

import pytest
from conftest import THERMOMETER, house

BODY_MAX = 4096
SLOW_CLIENTS = 200
HEAD_LIMIT_S = 15
RECONNECT = "/api/v1/proxies/kitchen/reconnect"
HOST = "Host: localhost\r\n"


def configure(config):
    config["http"]["hosts"] = ["ble.example"]
    config["limits"] = {"body_bytes": BODY_MAX}


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("hostile_http", house([{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"}]),
                         config_change=configure)
    pair.gateway.wait_online(1)
    pair.wait_device(THERMOMETER["address"])
    return pair


@pytest.fixture(autouse=True)
def others_are_served(pair):
    yield
    assert pair.ask("GET", "/healthz").status == 200


def dial(pair):
    host, port = pair.gateway.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def receive(sock):
    """What comes until the end of the connection."""
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        pass  # it did not read all that we sent
    return received


def talk(pair, *parts):
    """What comes back for these octets until the end of the connection."""
    with dial(pair) as sock:
        for part in parts:
            sock.sendall(part if isinstance(part, bytes) else part.encode("latin-1"))
        return receive(sock)


def status_lines(received):
    return [line for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def statuses(received):
    return [int(line.split()[1]) for line in status_lines(received)]


def problem(received):
    """The one answer, a problem of the contract."""
    head, body = received.split(b"\r\n\r\n", 1)
    assert len(status_lines(received)) == 1
    assert b"Content-Type: application/problem+json" in head
    return json.loads(body)


def post(headers="", body=""):
    return f"POST {RECONNECT} HTTP/1.1\r\n{HOST}{headers}\r\n{body}"


def loud_lines(pair):
    """Lines of the log about HTTP that somebody sees who has not asked for more."""
    return [line for line in pair.gateway.log_text().splitlines()
            if " http." in line and line.split()[1] in ("warning", "error", "info")]


# ---- paths ----

NASTY = ["..", ".", "%2e%2e", "%2E%2E%2finfo", "..%2f..%2fetc%2fpasswd", "..%5c..", "..\\..", "%5c", "%2f", "a%2fb",
         "%00", "a%00b", "%0d%0aX:%20y", "%c0%ae%c0%ae", "%e0%80%af", "%f0%80%80%af", "%ff", "%ed%a0%80", "%", "%z1",
         "%2", "%252e%252e", "a" * 3000, "%41" * 1000, "'%20or%201=1--", "$(reboot)", "{}", "*"]
VALUES = {"address": THERMOMETER["address"], "name": "kitchen", "characteristic": "2a19", "handle": "3", "area": "Hall",
          "version": "1"}


def paths_with_parameters(contract):
    """(method, path) of each operation, once for each of its parameters and each nasty value in it."""
    for template, operations in contract.document["paths"].items():
        names = [step[1:-1] for step in template.split("/") if step.startswith("{")]
        for method in operations.keys() & {"get", "put", "post", "patch", "delete"}:
            for name in names:
                for nasty in NASTY:
                    path = template
                    for other in names:
                        path = path.replace(f"{{{other}}}", nasty if other == name else VALUES[other])
                    yield method.upper(), f"/api/v1{path}"


def test_no_path_leads_out_of_its_route(pair):
    tried = 0
    for method, path in paths_with_parameters(pair.contract):
        answer = pair.gateway.request(method, path)
        assert answer.status in (400, 404, 415, 422), f"{method} {path[:200]}: {answer.status} {answer.body[:200]!r}"
        pair.contract.hold(method, path, answer)
        tried += 1
    assert tried > 20 * len(NASTY)
    assert pair.proxy("kitchen")["state"] == "online"


@pytest.mark.parametrize("target", ["/../api/v1/info", "/api/v1/../../etc/passwd", "/api/v1//info", "//api/v1/info",
                                    "/api/v1/./info", "/api/v1/info/", "/api\\v1\\info", "/%61pi/v1/%2e%2e/info",
                                    "http://evil.example/api/v1/info", "api/v1/info", "*", "evil.example:80", "?", "#"])
def test_a_target_has_one_form(pair, target):
    received = talk(pair, f"GET {target} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
    assert statuses(received) in ([404], [400])


def test_a_path_ends_at_a_nul(pair):
    """What stands behind it is seen by nobody: neither as part of a name, nor as a request."""
    received = talk(pair, f"GET /api/v1/proxies/kit\0chen HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
    assert problem(received)["status"] == 404


# ---- headers ----

@pytest.mark.parametrize("headers, status", [(f"X: {'a' * 64000}\r\n", 431), ("X: a\r\n" * 2000, 431),
                                             (f"{'X' * 64000}: a\r\n", 431), ("A:\r\n" * 9000, 431)])
def test_headers_have_a_bound(pair, headers, status):
    before = pair.gateway.memory_bytes()
    for _ in range(20):
        assert statuses(talk(pair, f"GET /healthz HTTP/1.1\r\n{HOST}{headers}\r\n")) == [status]
    assert pair.gateway.memory_bytes() - before < 16 << 20


def test_a_target_has_a_bound(pair):
    assert statuses(talk(pair, f"GET /{'a' * 64000} HTTP/1.1\r\n{HOST}\r\n")) == [414]


SMUGGLED = "GET /api/v1/info HTTP/1.1\r\n" + HOST + "\r\n"


@pytest.mark.parametrize("headers, body", [
    ("Content-Length: 2\r\nContent-Length: 40\r\n", "{}"),
    ("Content-Length: 40\r\nContent-Length: 2\r\n", "{}"),
    ("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
    ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    ("Content-Length : 2\r\n", "{}"),
    ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    ("X: a\rContent-Length: 2\r\n", "{}"),
    ("Host: localhost\r\n", ""),
    ("Host: evil.example\r\n", "")])
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_so_is_what_follows(pair, headers, body):
    answer = problem(talk(pair, post(headers, body), SMUGGLED))
    assert (answer["status"], answer["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("length", ["-1", "+2", "0x2", "2, 2", "2 2", "", "99999999999999999999999", "2;q=1", "two"])
def test_a_length_is_a_number(pair, length):
    found = statuses(talk(pair, post(f"Content-Length: {length}\r\n", "{}"), SMUGGLED))
    assert found[0] in (400, 413) and 200 not in found and 202 not in found


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_changes_the_method(pair, name):
    since = pair.proxy("kitchen")["since"]
    pair.ask("GET", RECONNECT, 405, headers={name: "POST"})
    pair.ask("POST", "/api/v1/info?_method=GET", 405, headers={name: "GET"})
    assert pair.proxy("kitchen")["since"] == since


@pytest.mark.parametrize("name, value", [("X-Original-URL", RECONNECT), ("X-Rewrite-URL", RECONNECT),
                                         ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-For", "192.0.2.1"),
                                         ("Forwarded", "for=192.0.2.1;host=evil.example")])
def test_no_header_changes_where_a_request_goes_or_comes_from(pair, name, value):
    assert pair.ask("GET", "/healthz", headers={name: value}).json()["status"] == "pass"


def test_protocols_that_we_do_not_speak_are_refused(pair):
    assert statuses(talk(pair, f"GET /healthz HTTP/2.0\r\n{HOST}\r\n")) == [505]
    assert 200 not in statuses(talk(pair, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    upgrade = "Connection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    assert statuses(talk(pair, f"GET /healthz HTTP/1.1\r\n{HOST}{upgrade}\r\n")) == [200]
    for method in ("TRACE", "CONNECT", "OPTIONS", "BREW", "get"):
        assert statuses(talk(pair, f"{method} /api/v1/info HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")) == [405]


# ---- bodies ----

def test_a_body_that_is_shorter_than_told_does_nothing(pair):
    since = pair.proxy("kitchen")["since"]
    with dial(pair) as sock:
        sock.sendall(post("Content-Length: 100\r\n", "{}").encode())
    assert pair.proxy("kitchen")["since"] == since


def test_what_is_longer_than_told_is_no_request(pair):
    found = statuses(talk(pair, post("Content-Length: 0\r\n"), "}" * 5000, "\r\n\r\n"))
    assert found[0] == 202 and set(found[1:]) <= {400, 414, 431}


def test_chunks_without_end_are_refused_and_cost_no_memory(pair):
    before = pair.gateway.memory_bytes()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with dial(pair) as sock:
        sock.sendall(post("Transfer-Encoding: chunked\r\n").encode())
        with pytest.raises(OSError):
            while sent < 64 << 20:
                sock.sendall(chunk)
                sent += len(chunk)
    assert sent < 32 << 20
    assert pair.gateway.memory_bytes() - before < 16 << 20


@pytest.mark.parametrize("chunk", ["0x2\r\n{}\r\n0\r\n\r\n", "-2\r\n{}\r\n", "fffffffffffffffff\r\n{}\r\n", "zz\r\n",
                                   "2\r\n{}}}\r\n0\r\n\r\n", "\r\n\r\n"])
def test_chunks_are_what_they_say(pair, chunk):
    found = statuses(talk(pair, post("Transfer-Encoding: chunked\r\n", chunk), SMUGGLED))
    assert found[0] in (400, 413) and 200 not in found


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-gzip", "identity, gzip"])
def test_compressed_bodies_are_refused(pair, encoding):
    pair.ask("POST", RECONNECT, 415, body=b"\x1f\x8b" + bytes(40), headers={"Content-Encoding": encoding})


@pytest.mark.parametrize("body", ["[" * 4000, '{"a":' * 800, "1" * 4000, '{"' + "a" * 3000 + '":1}', "\0" * 100,
                                  '{"a":1e999999}', '"\\ud800"', "\ufeff{}", "{}{}", '{"a":1,"a":2}', "nul"])
def test_json_bombs_are_refused(pair, body):
    answer = pair.gateway.request("POST", RECONNECT, body=body.encode("utf-8"),
                                  headers={"Content-Type": "application/json"})
    assert answer.status in (400, 422)
    pair.contract.hold("POST", RECONNECT, answer)


# ---- web pages of others ----

@pytest.mark.parametrize("host", ["evil.example", "localhost.", "127.0.0.1.", "127.0.0.1.evil.example", "ble.example.",
                                  "ble.example.evil.example", "user@localhost", "localhost@evil.example", "[::1]",
                                  "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "localhost:",
                                  "localhost:0", "localhost:99999", "localhost:80:80", "localhost, evil.example",
                                  "localhost/", "localhost#", "lоcalhost".encode().decode("latin-1"), "", " "])
def test_a_name_that_leads_here_is_not_ours_for_that(pair, host):
    received = talk(pair, f"GET /api/v1/info HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert problem(received)["code"] == "forbidden"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "ble.example:443"])
def test_names_of_ours_pass(pair, host):
    assert statuses(talk(pair, f"GET /api/v1/info HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")) == [200]


ORIGINS = ["null", "", "http://evil.example", "https://evil.example", "http://sub.ble.example", "http://localhost:1",
           "http://localhost.evil.example", "http://user@ADDRESS", "http://ADDRESS.evil.example", "file://",
           "http://ADDRESS/", "ADDRESS", "chrome-extension://abcdef", "http://ADDRESS http://evil.example"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded",
                                  "multipart/form-data; boundary=x"])
def test_pages_of_others_change_nothing(pair, origin, kind):
    since = pair.proxy("kitchen")["since"]
    answer = pair.ask("POST", RECONNECT, 403, body=b"{}",
                      headers={"Origin": origin.replace("ADDRESS", pair.gateway.address), "Content-Type": kind})
    assert answer.json()["code"] == "forbidden"
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert pair.proxy("kitchen")["since"] == since


def test_no_page_of_others_may_read_an_answer(pair):
    """It may ask, as an image does; that there is no CORS keeps the answer from it."""
    for method in ("GET", "OPTIONS"):
        answer = pair.gateway.request(method, "/api/v1/info", headers={
            "Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


# ---- many of them ----

def test_a_flood_of_refused_requests_is_a_few_lines_in_the_log(pair):
    pair.gateway.request("GET", "/healthz", headers={"Host": "evil.example"})
    before = len(loud_lines(pair))
    for i in range(300):
        pair.ask("GET", "/healthz", 403, headers={"Host": f"evil{i}.example"})
        talk(pair, post("Content-Length: x\r\n"))
        pair.ask("POST", RECONNECT, 413, body=b" " * (BODY_MAX + 1))
    lines = loud_lines(pair)
    assert any(" http.refused " in line for line in lines)
    assert any(" http.malformed " in line for line in lines)
    assert len(lines) - before <= 8


def test_a_host_forges_no_line_of_the_log(pair):
    talk(pair, "GET /healthz HTTP/1.1\r\nHost: a\x1b[2Jb\tc\r\nConnection: close\r\n\r\n")
    assert "\x1b" not in pair.gateway.log_text()


def test_slow_clients_are_gone_after_a_while_and_hold_up_nobody(pair):
    """They say an octet now and then; 200 at once."""
    slow = [dial(pair) for _ in range(SLOW_CLIENTS)]
    started = time.monotonic()
    for sock in slow:
        sock.sendall(f"GET /healthz HTTP/1.1\r\n{HOST}X-Slow: ".encode())
    left = set(slow)
    while left:
        assert time.monotonic() - started < HEAD_LIMIT_S + 10
        for sock in select.select(left, [], [], 0.5)[0]:
            with pytest.raises((ConnectionResetError, EOFError)):
                if not sock.recv(100):
                    raise EOFError
            left.discard(sock)
        for sock in left:
            try:
                sock.send(b"x")
            except OSError:
                continue  # closed just now: the next look sees it
        assert pair.ask("GET", "/healthz").status == 200
    assert time.monotonic() - started > HEAD_LIMIT_S - 1
    for sock in slow:
        sock.close()
    assert any(" http.too_slow " in line for line in loud_lines(pair))
