"""Killed at every single call that changes a file: what is there at the next start is old or new, and never broken.

Who writes is killed at its first such call, then, begun anew, at its second, and so on until it comes to its end;
see tests/lib/kill_at.c. A call that writes does half of its work before."""
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest
from conftest import BIN, Gateway, house
from programs import ProgramFailed
from test_gatt import LAMP
from test_links import PROXIES, wait_heard

CALLS_MAX = 2000  # more than any writer here needs
DEVICE = "A4:C1:38:00:00:07"
KEPT = {"gateway.json", "gateway.json.1", "gateway.json.2", "gateway.json.3", "gateway.json.4", "gateway.json.5"}


class Order:
    """The number of the call at which a gateway with this environment is killed; none at first."""

    def __init__(self, folder):
        self.path = folder / "order"
        self.environment = {"LD_PRELOAD": str(BIN.parent / "tests/kill_at.so"), "KILL_AT": str(self.path),
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def give(self, number):
        self.path.write_text(str(number), encoding="ascii")

    def take_back(self):
        self.path.unlink(missing_ok=True)


def was_killed(gateway):
    return gateway.process.wait(20) == -signal.SIGKILL


def check_store(folder):
    """Nobody who opens it after the kill finds a fault."""
    with contextlib.closing(sqlite3.connect(folder / "data/blefleet.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []


def check_end(gateway):
    code, _ = gateway.stop()
    assert code == 0, gateway.tail(40)
    assert gateway.faults_in_log() == []
    assert "damaged" not in gateway.log_text()


# ---- the configuration ----

class Lonely:
    """A gateway without proxies, whose changes are killed."""

    def __init__(self, folder):
        self.folder = folder
        self.order = Order(folder)
        self.config = folder / "gateway.json"
        self.config.write_text(json.dumps({"http": {"listen": "127.0.0.1:0"}, "devices": [
            {"address": DEVICE, "alias": "Number 0"}]}), encoding="utf-8")

    def start(self):
        return Gateway(BIN, self.folder, self.config, environment=self.order.environment)

    def content(self):
        return json.loads(self.config.read_text(encoding="utf-8"))

    @staticmethod
    def ask(gateway, method, path, body):
        return gateway.request(method, f"/api/v1{path}", body=json.dumps(body)).status

    def status_killed_at(self, gateway, number, request):
        """The status of the answer to a request (method, path, body); None: the gateway was killed before."""
        self.order.give(number)
        try:
            return self.ask(gateway, *request)
        except OSError:
            return None
        finally:
            self.order.take_back()


class PatchDevice:
    """A change, as a request, and where it is found in the file."""

    @staticmethod
    def request(number, _):
        return "PATCH", f"/devices/{DEVICE}", {"settings": {"alias": f"Number {number}"}}

    @staticmethod
    def is_in(content, number):
        return content["devices"][0]["alias"] == f"Number {number}"


class PatchConfig:
    @staticmethod
    def request(number, _):
        return "PATCH", "/config", {"log": {"audit_days": number}}

    @staticmethod
    def is_in(content, number):
        return content.get("log") == {"audit_days": number}


class ReplaceConfig:
    @staticmethod
    def request(number, content):
        return "PUT", "/config", {**content, "limits": {"sse_clients": number}}

    @staticmethod
    def is_in(content, number):
        return content.get("limits") == {"sse_clients": number}


@pytest.mark.parametrize("change", [PatchDevice, PatchConfig, ReplaceConfig])
def test_a_changed_setting_is_there_or_not_wherever_it_is_killed(tmp_path, change):
    lonely = Lonely(tmp_path)
    gateway, killed = lonely.start(), 0
    for number in range(1, CALLS_MAX):
        for other in range(1001, 1007):  # so that all versions are there, without a hole, and the oldest goes
            assert lonely.ask(gateway, *change.request(other, lonely.content())) == 200
        before = lonely.content()
        status = lonely.status_killed_at(gateway, number, change.request(number, before))
        assert status in (200, None)
        if status == 200 and gateway.is_running():
            break
        assert was_killed(gateway)
        killed += 1
        after = lonely.content()
        assert change.is_in(after, number) or (after == before and status is None)
        gateway = lonely.start()
        assert lonely.content() == after
        assert gateway.get(f"/api/v1/devices/{DEVICE}")["alias"] == after["devices"][0]["alias"]
    assert killed > 10
    assert change.is_in(lonely.content(), number)
    gateway.stop(signal.SIGKILL)  # the order still counts in it
    check_end(lonely.start())
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith("gateway.json")} <= KEPT


# ---- the store ----

def test_the_store_is_whole_wherever_its_last_flush_is_killed(start, tmp_path):
    """Devices, GATT databases and what was proved through proxies go to the file when the gateway ends."""
    pair = start(house(PROXIES, [LAMP]))
    folder = pair.sim.gateway_config.parent
    order = Order(folder)
    pair.gateway.stop()
    for number in range(1, CALLS_MAX):
        shutil.rmtree(folder / "data")
        pair.gateway = Gateway(BIN, folder, pair.sim.gateway_config, environment=order.environment)
        wait_heard(pair, (LAMP,))
        pair.get(f"/devices/{LAMP['address']}/services")
        order.give(number)
        code, _ = pair.gateway.stop()
        order.take_back()
        check_store(folder)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert number > 10
    pair.gateway = Gateway(BIN, folder, pair.sim.gateway_config)
    assert pair.get(f"/devices/{LAMP['address']}")["gatt"]["cached"]


# ---- the start ----

def test_a_start_that_is_killed_anywhere_is_followed_by_one_that_works(tmp_path):
    """It makes the store and the ready file."""
    for number in range(1, CALLS_MAX):
        folder = tmp_path / str(number)
        folder.mkdir()
        lonely = Lonely(folder)
        lonely.order.give(number)
        try:
            gateway = lonely.start()
        except ProgramFailed:
            gateway = None
        lonely.order.take_back()
        if gateway and gateway.is_running():
            break
        gateway = lonely.start()
        assert {path.name for path in folder.iterdir() if path.name.startswith("blefleet.ready")} == {
            "blefleet.ready.json"}
        check_end(gateway)
        check_store(folder)
    assert number > 10
    gateway.stop(signal.SIGKILL)


# ---- tokens ----

class Guarded(Lonely):
    """One whose first token is being made: from then on nobody gets in without."""

    @staticmethod
    def let_in(gateway, secret=None):
        """The status that somebody with this token meets."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return gateway.request("GET", "/api/v1/info", headers=headers).status

    def check(self, shown):
        """The next gateway knows a token that was shown; of one that was not it may know or not."""
        check_store(self.folder)
        gateway = self.start()
        if shown:
            assert (self.let_in(gateway), self.let_in(gateway, shown)) == (401, 200)
        else:
            assert self.let_in(gateway) in (200, 401)
        check_end(gateway)

    @staticmethod
    def made_over_http(gateway):
        """The secret; None: it was killed before it said it."""
        try:
            answer = gateway.request("POST", "/api/v1/tokens", body=json.dumps({"name": "first", "role": "admin"}))
        except OSError:
            return None
        assert answer.status == 201
        return answer.json()["token"]

    def made_by_command(self):
        """(whether it was killed, the secret that it showed or None)"""
        done = subprocess.run([BIN / "blefleet", "token", "add", "first", "--role", "admin", "--config", self.config,
                               "--data-dir", self.folder / "data"], capture_output=True, text=True, check=False,
                              env={**os.environ, **self.order.environment})
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        found = re.search("blf_[A-Za-z0-9_-]{43}", done.stdout)
        return done.returncode != 0, found and found.group()


@pytest.fixture
def guarded(tmp_path):
    """guarded(NUMBER): one with a store that is whole."""
    first = Lonely(tmp_path)
    check_end(first.start())

    def another(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copytree(tmp_path / "data", folder / "data")
        return Guarded(folder)

    return another


def test_a_token_that_was_shown_is_kept_wherever_its_maker_is_killed(guarded):
    for number in range(1, CALLS_MAX):
        lonely = guarded(number)
        gateway = lonely.start()
        lonely.order.give(number)
        shown = lonely.made_over_http(gateway)
        lonely.order.take_back()
        is_left = shown and gateway.is_running()
        gateway.stop(signal.SIGKILL)
        lonely.check(shown)
        if is_left:
            break
    assert number > 3


def test_a_token_that_a_command_showed_is_kept_wherever_it_is_killed(guarded):
    for number in range(1, CALLS_MAX):
        lonely = guarded(number)
        lonely.order.give(number)
        killed, shown = lonely.made_by_command()
        lonely.order.take_back()
        lonely.check(shown)
        if not killed:
            break
    assert shown and number > 3
