"""Start and end of the program: options, faults of the configuration, exit codes, the ready file."""
import json
import re
import signal
import socket
import subprocess

import pytest
from conftest import STOP_LIMIT_S, Gateway, house


def run(bin_folder, *arguments):
    return subprocess.run([bin_folder / "blefleet", *arguments], capture_output=True, text=True, timeout=20)


def write(tmp_path, content, name="blefleet.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_version_and_help(bin_folder):
    assert re.fullmatch(r"blefleet \d+\.\d+\.\d+\n", run(bin_folder, "--version").stdout)
    assert "--check-config" in run(bin_folder, "--help").stdout


@pytest.mark.parametrize("arguments", [[], ["--colour"], ["--config"], ["surplus", "--config", "x"],
                                       ["--config", "x", "--log-level", "loud"]])
def test_wrong_arguments_are_told(bin_folder, arguments):
    done = run(bin_folder, *arguments)
    assert done.returncode == 1 and done.stdout == "" and done.stderr


@pytest.mark.parametrize("content", [{}, {"proxies": [{"name": "a", "host": "192.0.2.1"}], "mqtt": {"enabled": True}}])
def test_a_good_configuration_is_passed_in_silence(bin_folder, tmp_path, content):
    done = run(bin_folder, "--config", write(tmp_path, content), "--check-config")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_example_is_good(bin_folder):
    example = bin_folder.parents[0]
    while not (example / "config/blefleet.example.json").exists():
        example = example.parent
    assert run(bin_folder, "--config", example / "config/blefleet.example.json", "--check-config").returncode == 0


def test_every_fault_of_a_configuration_is_a_line_with_its_pointer(bin_folder, tmp_path):
    secret = "correct-horse-battery"
    done = run(bin_folder, "--check-config", "--config", write(tmp_path, {
        "htp": {}, "scan": {"quiet_s": 1}, "http": {"listen": "127.0.0.1:99999"},
        "proxies": [{"name": "a/b", "encryption_key": secret}, {"name": "ok", "host": "h", "port": "6053"}]}))
    assert done.returncode == 1
    for pointer in ("/htp:", "/scan/quiet_s:", "/http/listen:", "/proxies/0/name:", "/proxies/0:",
                    "/proxies/0/encryption_key:", "/proxies/1/port:"):
        assert sum(f" {pointer} " in f" {line} " for line in done.stdout.splitlines()) == 1, pointer
    assert len(done.stdout.splitlines()) == 7
    assert secret not in done.stdout + done.stderr


def test_listening_off_loopback_without_a_token_is_a_fault(bin_folder, tmp_path):
    path = write(tmp_path, {"http": {"listen": "0.0.0.0:0"}})
    for arguments in (["--check-config"], ["--data-dir", tmp_path]):
        done = run(bin_folder, "--config", path, *arguments)
        assert done.returncode == 1 and "/http/listen: " in done.stdout + done.stderr and "token" in done.stdout + done.stderr


@pytest.mark.parametrize("content, part", [("{", "line 1"), ("[]", "must be an object"), ("", "is empty"),
                                           ("\ufeff{}", "byte order mark")])
def test_a_file_that_is_no_configuration_ends_the_start(bin_folder, tmp_path, content, part):
    path = write(tmp_path, content)
    for arguments in (["--check-config"], []):
        done = run(bin_folder, "--config", path, *arguments)
        assert done.returncode == 1 and part in done.stdout + done.stderr


def test_a_missing_file_ends_the_start(bin_folder, tmp_path):
    done = run(bin_folder, "--config", tmp_path / "none.json")
    assert done.returncode == 1 and "ENOENT" in done.stderr


def test_a_taken_port_ends_the_start_with_one_clear_line(bin_folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ready = tmp_path / "ready.json"
        done = run(bin_folder, "--config", write(tmp_path, {"http": {"listen": f"127.0.0.1:{port}"}}), "--ready-file", ready)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if " error " in line]
    assert len(errors) == 1 and "127.0.0.1" in errors[0] and port in errors[0]
    assert not ready.exists()


def test_settings_without_effect_are_named_once(bin_folder, tmp_path):
    gateway = Gateway(bin_folder, tmp_path, write(tmp_path, {"http": {"listen": "127.0.0.1:0"}, "areas": [],
                                                             "links": {"operations_queue": 5},
                                                             "mqtt": {"homeassistant": {"enabled": False}}}))
    assert gateway.stop()[0] == 0
    lines = [line for line in gateway.log_text().splitlines() if "config.without_effect" in line]
    assert len(lines) == 1 and "areas" in lines[0] and "mqtt.homeassistant.enabled" in lines[0]
    assert "links.operations_queue" not in lines[0]


def test_ready_is_told_by_file_then_log_with_the_bound_address(bin_folder, tmp_path):
    gateway = Gateway(bin_folder, tmp_path, write(tmp_path, {"http": {"listen": ["127.0.0.1:0", "[::1]:0"]}}))
    try:
        assert set(gateway.ready) == {"http", "esphome"} and gateway.ready["esphome"] == []
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", gateway.ready["http"])
        assert gateway.get("/healthz")
        lines = [line for line in gateway.log_text().splitlines() if " ready " in line]
        assert len(lines) == 1 and lines[0].endswith(f"ready http={gateway.ready['http']} esphome=-")
    finally:
        assert gateway.stop()[0] == 0


def test_ready_does_not_wait_for_proxies(bin_folder, tmp_path):
    config = {"http": {"listen": "127.0.0.1:0"},
              "proxies": [{"name": f"p{i}", "host": "127.0.0.1", "port": 1} for i in range(50)] +
                         [{"name": "silent", "host": "192.0.2.1"}, {"name": "nameless", "host": "nobody.invalid"}]}
    gateway = Gateway(bin_folder, tmp_path, write(tmp_path, config))
    try:
        assert gateway.get("/api/v1/info")["counts"]["proxies"] == 52
    finally:
        code, seconds = gateway.stop()
    assert code == 0 and seconds < STOP_LIMIT_S and gateway.faults_in_log() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_while_all_is_busy(start, number):
    pair = start(house([{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"},
                        {"name": "office", "at": [9, 0, 0], "profile": "2026", "encryption_key": True}]))
    pair.gateway.wait_online(2)
    with socket.create_connection(tuple(pair.gateway.address.rsplit(":", 1))) as idle, \
            socket.create_connection(tuple(pair.gateway.address.rsplit(":", 1))) as waiting:
        waiting.sendall(b"GET /api/v1/devices?name=nobody&wait_ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        idle.sendall(b"GET /api/v1/info HT")
        code, seconds = pair.gateway.stop(number)
        assert code == 0 and seconds < STOP_LIMIT_S
    assert pair.gateway.faults_in_log() == []
    assert "stopped" in pair.gateway.tail(3)


def test_the_proxies_are_told_goodbye(start):
    pair = start(house([{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"}]))
    pair.gateway.wait_online(1)
    pair.gateway.stop()
    pair.gateway.wait_for(lambda: pair.sim.status()["proxies"]["kitchen"]["clients"] == 0, 5, "the end of the client")
