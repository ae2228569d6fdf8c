"""Without descriptors, name servers or room on the disk the gateway does what can be done, says so, and recovers."""
import contextlib
import http.client
import json
import pathlib
import resource
import socket
import subprocess
import time

import pytest
from conftest import STOP_LIMIT_S, THERMOMETER, house

PROXIES = [{"name": name, "at": [i, 0, 0], "profile": "2026", "encryption_key": i == 1}
           for i, name in enumerate(("kitchen", "office", "cellar"))]
CLIENTS = 64
RESOLVER_THREADS = 8  # RESOLVER_THREADS_MAX


def own_namespace(script):
    """A prefix for Gateway: the script runs first, with mounts that nobody else sees."""
    return ["unshare", "--mount", "sh", "-ec", script + '\nexec "$@"', "sh"]


def can_mount():
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="mounts of its own are not allowed here")


@contextlib.contextmanager
def limited(program, what, value):
    """A soft limit of the running program."""
    former = resource.prlimit(program.process.pid, what)
    resource.prlimit(program.process.pid, what, (value, former[1]))
    try:
        yield
    finally:
        if program.is_running():
            resource.prlimit(program.process.pid, what, former)


def lines_with(program, *words):
    return [line for line in program.log_text().splitlines() if all(word in line for word in words)]


def address_of(gateway):
    host, port = gateway.address.rsplit(":", 1)
    return host, int(port)


class Caller:
    """One connection that is kept, for questions while no new one comes through."""

    def __init__(self, gateway):
        self.connection = http.client.HTTPConnection(gateway.address, timeout=20)

    def ask(self, method, path):
        self.connection.request(method, path)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status in (200, 202, 503), body
        return json.loads(body)

    def proxy(self, name):
        return self.ask("GET", f"/api/v1/proxies/{name}")


def assert_is_idle(program):
    """It does not run without pause. What the checkers of the build cost is far below the bound."""
    before = program.cpu_s()
    time.sleep(1)
    assert program.cpu_s() - before < 0.5


# ---- descriptors ----

def test_without_descriptors_conversations_go_on_and_new_ones_wait(start):
    pair = start(house(PROXIES))
    pair.gateway.wait_online(3)
    caller = Caller(pair.gateway)
    before = {name: caller.proxy(name) for name in ("kitchen", "office")}
    with limited(pair.gateway, resource.RLIMIT_NOFILE, 10):
        clients = [socket.create_connection(address_of(pair.gateway)) for _ in range(CLIENTS)]
        pair.sim.fault("cellar", "drop")
        lost = pair.gateway.wait_for(lambda: (proxy := caller.proxy("cellar"))["last_error"] and proxy, 10, "the cause")
        assert_is_idle(pair.gateway)
        assert lost["state"] == "waiting_retry"
        if lost["last_error"]["code"] == "closed":  # the first dial comes after it
            lost = pair.gateway.wait_for(
                lambda: (proxy := caller.proxy("cellar"))["last_error"]["code"] != "closed" and proxy, 10, "a dial")
        assert lost["last_error"]["code"] == "unreachable"
        assert "too many open files" in lost["last_error"]["detail"]
        for name, proxy in before.items():
            after = caller.proxy(name)
            assert (after["state"], after["since"]) == ("online", proxy["since"])
            assert after["advertisements_total"] > proxy["advertisements_total"]
        assert len(lines_with(pair.gateway, "http.accept_failed", "EMFILE")) == 1
        assert len(lines_with(pair.gateway, "proxy.failed", "warning")) <= 10
    started = time.monotonic()
    assert pair.gateway.request("GET", "/api/v1/info", timeout_s=10).status == 200
    assert time.monotonic() - started < 3, "those who waited are let in within a second"
    pair.gateway.wait_online(3, 30)
    for client in clients:
        client.close()


def test_clients_that_take_all_descriptors_leave_the_proxies_alone_and_give_them_back(start):
    pair = start(house(PROXIES))
    pair.gateway.wait_online(3)
    before = {proxy["name"]: proxy["since"] for proxy in pair.gateway.items("/api/v1/proxies")}
    caller = Caller(pair.gateway)
    caller.proxy("kitchen")
    descriptors = pair.gateway.descriptors()
    with limited(pair.gateway, resource.RLIMIT_NOFILE, descriptors + 16):
        clients = [socket.create_connection(address_of(pair.gateway)) for _ in range(CLIENTS)]
        pair.gateway.wait_for(lambda: lines_with(pair.gateway, "http.accept_failed"), 5, "the refusal")
        assert_is_idle(pair.gateway)
        assert {name: caller.proxy(name)["since"] for name in before} == before
        for client in clients:
            client.close()
        assert pair.gateway.request("GET", "/api/v1/info", timeout_s=10).status == 200
        pair.gateway.wait_for(lambda: pair.gateway.descriptors() <= descriptors, 5, "the former number of descriptors")


def test_sigterm_ends_the_program_in_time_without_descriptors(start):
    pair = start(house(PROXIES))
    pair.gateway.wait_online(3)
    with limited(pair.gateway, resource.RLIMIT_NOFILE, 10):
        clients = [socket.create_connection(address_of(pair.gateway)) for _ in range(CLIENTS)]
        pair.gateway.wait_for(lambda: lines_with(pair.gateway, "http.accept_failed"), 5, "the refusal")
        code, seconds = pair.gateway.stop()
        assert code == 0
        assert seconds < STOP_LIMIT_S
    for client in clients:
        client.close()


# ---- name servers ----

@pytest.fixture
def dead_name_server():
    """An address where a socket takes questions and nobody reads them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        try:
            hole.bind(("127.53.53.53", 53))
        except OSError as error:
            pytest.skip(f"port 53 cannot be had here: {error}")
        hole.settimeout(20)
        yield hole


@needs_mounts
def test_a_dead_name_server_holds_up_only_those_who_have_a_name(start, tmp_path, dead_name_server):
    """More names than there are threads for them; all threads are asking when it is looked at."""
    (tmp_path / "resolv.conf").write_text(f"nameserver {dead_name_server.getsockname()[0]}\n"
                                          "options timeout:30 attempts:5\n", encoding="utf-8")
    names = [f"named-{i}" for i in range(12)]

    def give_names(config):
        config["proxies"] = [{"name": name, "host": f"{name}.blefleet.test"} for name in names] + config["proxies"]

    pair = start(house(PROXIES), config_change=give_names,
                 prefix=own_namespace(f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf"))
    pair.gateway.wait_online(3)
    asked = set()
    while len(asked) < RESOLVER_THREADS:
        asked.add(dead_name_server.recv(512)[13:22])  # the label, behind the header and its length
    started = time.monotonic()
    states = {proxy["name"]: proxy for proxy in pair.gateway.items("/api/v1/proxies")}
    assert time.monotonic() - started < 1
    assert {states[name]["state"] for name in names} == {"resolving"}
    assert pair.gateway.request("POST", "/api/v1/proxies/kitchen/reconnect").status == 202
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online", 10)
    code, seconds = pair.gateway.stop()
    assert code == 0
    assert seconds < STOP_LIMIT_S


# ---- the disk ----

def payload_ending_in(last):
    return THERMOMETER["payload"]["raw"][:-2] + last


def change_payload(pair, last):
    pair.sim.ask(do="payload", device=THERMOMETER["address"], raw=payload_ending_in(last))


def fill(path):
    """Until nothing more goes in."""
    with open(path, "wb", buffering=0) as ballast:
        for size in (65536, 1):
            with contextlib.suppress(OSError):
                while ballast.write(bytes(size)):
                    pass


def readiness(pair):
    answer = pair.gateway.request("GET", "/readyz")
    pair.contract.hold("GET", "/readyz", answer)
    return answer.status, answer.json()["checks"]["store"]


def assert_goes_on_without_the_disk(pair, limit_s=20):
    """From a change that cannot be written to the table that knows it all the same."""
    change_payload(pair, "a1")
    pair.gateway.wait_for(lambda: readiness(pair)[0] == 503, limit_s, "what the disk says")
    change_payload(pair, "a2")
    pair.wait_device(THERMOMETER["address"], lambda device: device["latest"]["raw"].endswith("a2"), 5)
    assert {proxy["state"] for proxy in pair.gateway.items("/api/v1/proxies")} == {"online"}


def small_disk(folder):
    """A prefix for Gateway that makes the folder a file system of 1 MiB."""
    return own_namespace(f"mkdir {folder}\nmount -t tmpfs -o size=1m tmpfs {folder}")


@needs_mounts
def test_a_full_disk_is_told_once_and_what_could_not_be_written_is_written_later(start, tmp_path):
    data = tmp_path / "0" / "data"  # as the gateway will be told
    pair = start(house(PROXIES), prefix=small_disk(data))
    data = pathlib.Path(f"/proc/{pair.gateway.process.pid}/root{data}")  # as it sees it
    pair.wait_device(THERMOMETER["address"])
    fill(data / "ballast")
    assert_goes_on_without_the_disk(pair)
    status, check = readiness(pair)
    assert (status, check["status"], check["detail"]) == (503, "fail", "No space left on device")
    (data / "ballast").unlink()
    pair.gateway.wait_for(lambda: readiness(pair)[0] == 200, 30, "the recovery")
    assert len(lines_with(pair.gateway, "store.write_failed")) == 1
    assert len(lines_with(pair.gateway, "store.recovered")) == 1
    newest = bytes.fromhex(payload_ending_in("a2"))
    pair.gateway.wait_for(lambda: any(newest in path.read_bytes() for path in data.iterdir()), 10, "it in the file")


@needs_mounts
def test_sigterm_ends_the_program_in_time_with_a_full_disk(start, tmp_path):
    data = tmp_path / "0" / "data"
    pair = start(house(PROXIES), prefix=small_disk(data))
    pair.wait_device(THERMOMETER["address"])
    fill(pathlib.Path(f"/proc/{pair.gateway.process.pid}/root{data}/ballast"))
    change_payload(pair, "a1")
    pair.wait_device(THERMOMETER["address"], lambda device: device["latest"]["raw"].endswith("a1"))
    code, seconds = pair.gateway.stop()
    assert code == 0
    assert seconds < STOP_LIMIT_S


def test_files_that_may_not_grow_are_told_and_do_not_end_the_program(start):
    """The system sends SIGXFSZ with it, which ends a program that does not say otherwise."""
    pair = start(house(PROXIES))
    pair.wait_device(THERMOMETER["address"])
    with limited(pair.gateway, resource.RLIMIT_FSIZE, 0):
        assert_goes_on_without_the_disk(pair)
