"""Backup, restore and restart from outside: a gateway that has lived is moved to another machine, bad files are
refused, and a restart keeps everything."""
import contextlib
import json
import os
import random
import re
import socket
import sqlite3

import pytest
from conftest import BIN, NAMED, RADIO, THERMOMETER, Gateway
from programs import Broker
from test_gatt import LAMP, services, tree
from test_mqtt import Watcher

PASSPHRASE = "correct horse battery"
SECRET = "00112233445566778899aabbccddeeff"
TYPE = {"Content-Type": "application/vnd.sqlite3"}
API = "/api/v1"
FILE_MAX = 256 << 20
HOUSE = {"seed": 1, "radio": RADIO, "proxies": [{"name": "kitchen", "at": [0, 0, 0]}],
         "devices": [THERMOMETER, NAMED, LAMP]}


@pytest.fixture
def pair(start):
    """It has heard devices, knows a GATT database, and has settings with secrets."""
    pair = start(HOUSE)
    for device in (LAMP, THERMOMETER):
        pair.wait_device(device["address"])
    pair.get(f"/devices/{LAMP['address']}/services")
    pair.ask("PATCH", f"{API}/devices/{THERMOMETER['address']}",
             body=json.dumps({"settings": {"alias": "Fridge", "bindkey": SECRET}}))
    return pair


@pytest.fixture
def elsewhere(tmp_path):
    """A machine where nothing is yet; calling it starts its gateway, again and again."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    config = folder / "gateway.json"
    config.write_text('{"http": {"listen": ["127.0.0.1:0"]}}', encoding="utf-8")
    started = []

    def start():
        started.append(Gateway(BIN, folder, config, log_level="debug"))
        return started[-1]

    yield start
    for gateway in started:
        if gateway.is_running():
            assert gateway.stop()[0] == 0
    assert started[-1].faults_in_log() == []


def data(gateway):
    return gateway.log_path.parent / "data"


def config_of(gateway):
    return gateway.log_path.parent / "gateway.json"


def back_up(pair, **body):
    answer = pair.gateway.request("POST", f"{API}/backup", body=json.dumps(body))
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/vnd.sqlite3"
    assert re.fullmatch(r'attachment; filename="blefleet-\d{8}T\d{6}Z\.sqlite3"',
                        answer.headers["Content-Disposition"])
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    return answer.body


def restore(contract, gateway, file, status=200, passphrase=None, headers=TYPE):
    more = {"Blefleet-Passphrase": passphrase} if passphrase else {}
    answer = gateway.request("POST", f"{API}/restore", body=file, headers={**headers, **more})
    assert answer.status == status, answer.body[:400]
    contract.hold("POST", f"{API}/restore", answer)
    return answer.json()


def changed_file(file, folder, sql):
    path = folder / "changed.sqlite3"
    path.write_bytes(file)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(sql)
    return path.read_bytes()


def known(gateway):
    """What outlives a restart of a device."""
    return {device["address"]: (device["name"], device["alias"], device["address_type"])
            for device in gateway.items(f"{API}/devices")}


def remains(gateway):
    return [path.name for path in data(gateway).iterdir() if not path.name.startswith("blefleet.db")]


def assert_untouched(gateway, config):
    """A refusal leaves nothing behind."""
    assert config_of(gateway).read_text(encoding="utf-8") == config
    gateway.wait_for(lambda: not remains(gateway), what="an empty folder")


def test_a_gateway_that_has_lived_is_moved_with_all_it_knows(pair, elsewhere, contract):
    before, found = known(pair.gateway), tree(services(pair))
    file = back_up(pair, passphrase=PASSPHRASE)
    assert SECRET.encode() not in file
    pair.gateway.stop()
    config = config_of(pair.gateway).read_text(encoding="utf-8")
    there = elsewhere()
    assert known(there) == {}
    result = restore(contract, there, file, passphrase=PASSPHRASE)
    assert result["secrets"] is True and result["version"]
    assert "/proxies/0" in result["restart_required"]
    assert known(there) == {} and "proxies" not in config_of(there).read_text(encoding="utf-8")
    assert there.stop()[0] == 0
    there = elsewhere()
    assert json.loads(config_of(there).read_text(encoding="utf-8")) == json.loads(config)
    assert known(there) == before
    pair.gateway = there
    assert tree(services(pair)) == found
    assert SECRET not in there.log_text()
    assert sorted(path.name for path in data(there).iterdir() if "restore" in path.name) == [
        "blefleet.db.before-restore"]
    pair.gateway = None


def test_without_secrets_those_here_stay(pair, contract):
    file = back_up(pair, secrets=False)
    assert SECRET.encode() not in file
    pair.ask("PATCH", f"{API}/devices/{THERMOMETER['address']}",
             body=json.dumps({"settings": {"alias": "Oven", "bindkey": SECRET[::-1]}}))
    result = restore(contract, pair.gateway, file)
    assert result["secrets"] is False and result["restart_required"] == ["/devices/0/alias"]
    assert pair.ask("POST", f"{API}/restart", 202).json() == {"restarting": True}
    begin_again(pair.gateway)
    device = json.loads(config_of(pair.gateway).read_text(encoding="utf-8"))["devices"][0]
    assert device["alias"] == "Fridge" and device["bindkey"] == SECRET[::-1]


def test_secrets_that_are_nowhere_are_null_and_named_in_the_log(pair, elsewhere, contract):
    file = back_up(pair, secrets=False)
    there = elsewhere()
    restore(contract, there, file)
    assert "restore.secret_missing setting=/devices/0/bindkey" in there.log_text()
    there.stop()
    there = elsewhere()
    assert json.loads(config_of(there).read_text(encoding="utf-8"))["devices"][0]["bindkey"] is None


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_tokens_move_with_a_passphrase_and_stay_without(pair, elsewhere, contract):
    secret = pair.ask("POST", f"{API}/tokens", 201, body=json.dumps({"name": "ops", "role": "admin"})).json()["token"]

    def make(**body):
        answer = pair.gateway.request("POST", f"{API}/backup", body=json.dumps(body), headers=bearer(secret))
        assert answer.status == 200
        return answer.body
    there = elsewhere()
    restore(contract, there, make(passphrase=PASSPHRASE), passphrase=PASSPHRASE)
    there.stop()
    there = elsewhere()
    assert there.request("GET", f"{API}/info").status == 401
    assert there.request("GET", f"{API}/tokens", headers=bearer(secret)).status == 200
    restore(contract, there, make(secrets=False), headers={**TYPE, **bearer(secret)})
    there.stop()
    there = elsewhere()
    assert there.request("GET", f"{API}/info").status == 401
    assert there.request("GET", f"{API}/tokens", headers=bearer(secret)).status == 200
    restore(contract, there, b"x" * (2 << 20), 401)
    assert not (data(there) / "restore.upload").exists()
    entries = json.loads(there.request("GET", f"{API}/audit", headers=bearer(secret)).body)["items"]
    assert any(entry["action"] == "POST /restore" for entry in entries)
    assert secret not in there.log_text() + pair.gateway.log_text()


def test_what_a_backup_asks_for_must_be_clear(pair):
    for body in ({}, {"secrets": True}, {"secrets": False, "passphrase": PASSPHRASE}, {"passphrase": "short"},
                 {"passphrase": "x" * 1025}, {"passphrase": 7}, {"more": 1}):
        pair.ask("POST", f"{API}/backup", 422, body=json.dumps(body))
    pair.ask("POST", f"{API}/backup", 400, body="{")


def test_a_wrong_passphrase_is_refused_and_guesses_come_one_by_one(pair, contract):
    file = back_up(pair, passphrase=PASSPHRASE)
    config = config_of(pair.gateway).read_text(encoding="utf-8")
    problem = restore(contract, pair.gateway, file, 422, passphrase="wrong horse battery")
    assert "passphrase" in problem["detail"]
    assert "needs its passphrase" in restore(contract, pair.gateway, file, 422)["detail"]
    restore(contract, pair.gateway, file, 422, passphrase="short")
    assert_untouched(pair.gateway, config)
    assert PASSPHRASE not in pair.gateway.log_text() and "wrong horse" not in pair.gateway.log_text()


def test_bad_files_are_refused_and_leave_nothing(pair, tmp_path, contract):
    file = back_up(pair, secrets=False)
    config = config_of(pair.gateway).read_text(encoding="utf-8")
    foreign = tmp_path / "foreign.sqlite3"
    with contextlib.closing(sqlite3.connect(foreign)) as other:
        other.executescript("CREATE TABLE notes(text)")
    cases = [(b"", 400, "no backup"), (b"PK\3\4 something else", 400, "no SQLite file"),
             (file[:len(file) // 2], 400, "damaged"), (foreign.read_bytes(), 422, "another program"),
             (changed_file(file, tmp_path, "CREATE TRIGGER t AFTER INSERT ON devices BEGIN DELETE FROM texts; END"),
              422, "tables"),
             (changed_file(file, tmp_path, "CREATE VIEW v AS SELECT 1"), 422, "tables"),
             (changed_file(file, tmp_path, "PRAGMA user_version = 99"), 422, "newer version"),
             (changed_file(file, tmp_path, "UPDATE backup SET value = 2 WHERE key = 'format'"), 422, "newer version"),
             (changed_file(file, tmp_path, "UPDATE backup SET value = '{\"moon\":1}' WHERE key = 'configuration'"),
              422, "moon")]
    for case, status, words in cases:
        problem = restore(contract, pair.gateway, case, status)
        assert words in json.dumps(problem), problem
        assert_untouched(pair.gateway, config)
    restore(contract, pair.gateway, file, 415, headers={"Content-Type": "application/json"})
    assert_untouched(pair.gateway, config)


def test_flipped_bits_never_stop_the_gateway(pair, contract):
    file, dice = bytearray(back_up(pair, secrets=False)), random.Random(9)
    for _ in range(100):
        bit = dice.randrange(len(file) * 8)
        file[bit // 8] ^= 1 << bit % 8
        answer = pair.gateway.request("POST", f"{API}/restore", body=bytes(file), headers=TYPE)
        contract.hold("POST", f"{API}/restore", answer)
        assert answer.status in (200, 400, 422)
        file[bit // 8] ^= 1 << bit % 8
    pair.get("/info")


def upload(gateway, chunked):
    """Sends, or announces, more than may come; the status of the answer."""
    host, port = gateway.address.rsplit(":", 1)
    block, sent = b"\0" * (1 << 20), 0
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {FILE_MAX + 1}"
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"POST {API}/restore HTTP/1.1\r\nHost: {gateway.address}\r\n{length}\r\n"
                           "Content-Type: application/vnd.sqlite3\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            while chunked and sent <= FILE_MAX:
                connection.sendall(b"%x\r\n%s\r\n" % (len(block), block))
                sent += len(block)
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        answer = connection.recv(4096)
    return int(answer.split()[1])


def rss(gateway):
    with open(f"/proc/{gateway.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_body_of_256_mib_and_1_is_refused_in_bounded_memory(pair):
    before = rss(pair.gateway)
    assert upload(pair.gateway, chunked=False) == 413
    assert upload(pair.gateway, chunked=True) == 413
    assert rss(pair.gateway) - before < 64 << 20
    pair.gateway.wait_for(lambda: not (data(pair.gateway) / "restore.upload").exists())


def test_an_upload_that_is_given_up_leaves_nothing_and_one_at_a_time_is_taken(pair, contract):
    host, port = pair.gateway.address.rsplit(":", 1)
    part = data(pair.gateway) / "restore.upload"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"POST {API}/restore HTTP/1.1\r\nHost: {pair.gateway.address}\r\nContent-Length: 100000\r\n"
                           "Content-Type: application/vnd.sqlite3\r\n\r\n".encode() + b"x" * 5000)
        pair.gateway.wait_for(part.exists)
        restore(contract, pair.gateway, b"SQLite format 3\0", 503)
    pair.gateway.wait_for(lambda: not part.exists())
    restore(contract, pair.gateway, b"SQLite format 3\0", 400)


def begin_again(gateway):
    """Waits until the same process is ready anew."""
    gateway.wait_for(lambda: gateway.log_text().count(" ready http=") == 2, what="the second start")
    gateway.ready = gateway.wait_ready()
    gateway.address = gateway.ready["http"]


def open_files(gateway):
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


def test_a_restart_keeps_the_process_and_everything_it_knows(pair):
    before, found = known(pair.gateway), tree(services(pair))
    number, files = pair.gateway.process.pid, open_files(pair.gateway)
    config = config_of(pair.gateway).read_text(encoding="utf-8")
    assert pair.ask("POST", f"{API}/restart", 202).json() == {"restarting": True}
    begin_again(pair.gateway)
    assert pair.gateway.is_running() and pair.gateway.process.pid == number
    assert known(pair.gateway) == before and config_of(pair.gateway).read_text(encoding="utf-8") == config
    pair.gateway.wait_online(1)
    assert tree(services(pair)) == found
    pair.gateway.wait_for(lambda: open_files(pair.gateway) <= files, what="no descriptor left over")


def test_readers_come_back_after_a_restart(pair):
    with socket.create_connection(pair.gateway.address.rsplit(":", 1), timeout=20) as reader:
        reader.sendall(f"GET {API}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b"200 OK" in reader.recv(4096)
        pair.ask("POST", f"{API}/restart", 202)
        while reader.recv(65536):  # to its end, which comes at once
            pass
    begin_again(pair.gateway)
    pair.wait_device(THERMOMETER["address"], lambda device: device["available"])


def test_a_restart_over_mqtt_says_goodbye_and_hello(start, tmp_path):
    broker = Broker(tmp_path)
    watcher = Watcher(broker.port)
    try:
        pair = start(HOUSE, settings={"mqtt": {"enabled": True, "port": broker.port, "role": "admin"}})
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
        assert watcher.ask("restart")["data"] == {"restarting": True}
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "offline"})
        begin_again(pair.gateway)
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
        for verb in ("backup", "restore"):
            answer = watcher.ask("http", method="POST", path=f"/{verb}", body={"secrets": False})
            assert answer["code"] == "forbidden"
    finally:
        watcher.stop()
        broker.stop()


def test_the_service_manager_is_told_of_a_reload_and_not_of_a_stop(start, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        pair = start(HOUSE, environment={"NOTIFY_SOCKET": str(path)})
        assert manager.recv(256) == b"READY=1"
        pair.ask("POST", f"{API}/restart", 202)
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(256))
        assert manager.recv(256) == b"READY=1"
        begin_again(pair.gateway)
        pair.gateway.stop()
        assert manager.recv(256) == b"STOPPING=1"


def test_a_signal_during_a_restart_ends_it(pair):
    pair.ask("POST", f"{API}/restart", 202)
    pair.gateway.wait_for(lambda: " restart somebody" in pair.gateway.log_text())
    code, _ = pair.gateway.stop()
    assert code == 0


def test_what_a_killed_gateway_left_is_removed_at_the_start(elsewhere):
    there = elsewhere()
    there.process.kill()
    there.process.wait()
    for name in ("restore.upload", "restore.store", "restore.config", "backup.new"):
        (data(there) / name).write_bytes(b"left")
    assert remains(elsewhere()) == []
