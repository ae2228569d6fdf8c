"""The flight recorder from outside: what a fleet said is read as lines of JSON, by tshark, and replayed."""
import json
import re
import shutil
import subprocess

import pytest
from conftest import BIN, NAMED, THERMOMETER, Gateway, house
from test_links import LOCK, connect, running, sleepy

PACKETS = 60


@pytest.fixture(scope="module")
def pair(session_pairs):
    proxies = [{"name": name, "at": [x, 0, 0], "profile": "2026"} for name, x in (("kitchen", 0), ("living-room", 8))]
    pair = session_pairs("recorder", house(proxies))
    pair.gateway.wait_for(lambda: len(lines(pair)) >= PACKETS, 30, "packets")
    return pair


def lines(pair, query=""):
    answer = pair.gateway.request("GET", f"/api/v1/recorder{query}")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def test_each_line_is_one_of_the_contract_and_tells_what_was_sent(pair):
    all_lines = lines(pair)
    for line in all_lines:
        pair.contract.validate(line, "components", "schemas", "RecorderLine")
    heard = {line["address"]: line["raw"] for line in all_lines}
    assert heard[THERMOMETER["address"]] == THERMOMETER["payload"]["raw"]
    assert {line["proxy"] for line in all_lines} == {"kitchen", "living-room"}
    times = [line["time"] for line in all_lines]
    assert times == sorted(times)


def test_filters_leave_what_was_asked_for(pair):
    only = lines(pair, f"?address={NAMED['address']}&proxy=kitchen")
    assert only and all(line["address"] == NAMED["address"] and line["proxy"] == "kitchen" for line in only)
    middle = lines(pair)[PACKETS // 2]["time"]
    assert lines(pair, f"?since={middle}")[0]["time"] >= middle
    assert lines(pair, f"?until={middle}")[-1]["time"] <= middle
    assert lines(pair, "?proxy=nobody") == []
    pair.ask("GET", "/api/v1/recorder?since=yesterday", 400)
    pair.ask("GET", "/api/v1/recorder?format=pcap", 422)
    pair.ask("GET", "/api/v1/recorder?format=native&proxy=kitchen", 422)


def test_tshark_reads_address_rssi_and_payload(pair, tmp_path):
    assert shutil.which("tshark"), "tshark is not installed"
    until = lines(pair)[PACKETS - 1]["time"]
    expected = lines(pair, f"?until={until}")
    path = tmp_path / "recording.btsnoop"
    path.write_bytes(pair.gateway.request("GET", f"/api/v1/recorder?format=btsnoop&until={until}").body)
    fields = ("bthci_evt.bd_addr", "bthci_evt.rssi", "btcommon.eir_ad.entry.type", "frame.time_epoch", "hci_mon.adapter_id",
              "_ws.malformed")
    command = ["tshark", "-r", path, "-Y", "bthci_evt.le_meta_subevent == 0x0d", "-T", "fields"]
    done = subprocess.run(command + [word for field in fields for word in ("-e", field)], capture_output=True, text=True,
                          check=True)
    shown = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(shown) == len(expected)
    adapters = {}
    for row, line in zip(shown, expected):
        address, rssi, types, epoch, adapter, malformed = row
        assert (address.upper(), int(rssi)) == (line["address"], line["rssi"])
        assert types.split(",")[0] == "0x01" and malformed == ""  # flags come first in both payloads
        assert abs(float(epoch) % 60 - float(line["time"][17:23])) < 0.0011
        assert adapters.setdefault(adapter, line["proxy"]) == line["proxy"]
    assert len(adapters) == 2
    done = subprocess.run(["tshark", "-r", path, "-V"], capture_output=True, text=True, check=True)
    assert "proxy living-room" in done.stdout
    done = subprocess.run(["tshark", "-r", path, "-x"], capture_output=True, text=True, check=True)
    assert THERMOMETER["payload"]["raw"][:8] in done.stdout.replace(" ", "")


def replay(bin_folder, path, *more):
    return subprocess.run([bin_folder / "blefleet", "--replay", path, *more], capture_output=True, text=True, timeout=30,
                          check=False)


def recorded_decisions(text):
    """How many there were, all of which came again as they were."""
    recorded, repeated, added = re.search(r"Of (\d+) recorded decisions (\d+) came again .*, and (\d+) more", text).groups()
    assert (repeated, added) == (recorded, "0"), text
    return int(recorded)


@pytest.mark.parametrize("form", ["native", "jsonl"])
def test_a_downloaded_recording_is_replayed(pair, bin_folder, tmp_path, form):
    path = tmp_path / "recording"
    path.write_bytes(pair.gateway.request("GET", f"/api/v1/recorder?format={form}").body)
    done = replay(bin_folder, path, "--set", "scan.ownership.margin_db=1", "--set", "scan.ownership.stale_s=60")
    assert done.returncode == 0, done.stderr
    assert " packets, 20" in done.stdout and "owner changes" in done.stdout and done.stderr == ""
    assert int(done.stdout.split()[0]) >= PACKETS


def test_what_cannot_be_replayed_is_refused_with_a_line(bin_folder, tmp_path, pair):
    native = pair.gateway.request("GET", "/api/v1/recorder?format=native").body
    path = tmp_path / "recording"
    for octets, words in ((b"", "is empty"), (b"nothing", "is no recording"), (b"{}\n", "is no recording"),
                          (native[:8] + b"\2" + native[9:], "another version")):
        path.write_bytes(octets)
        done = replay(bin_folder, path)
        assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1
    assert replay(bin_folder, tmp_path / "none").returncode == 2
    path.write_bytes(native)
    for change in ("scan.ownership.margin=1", "limits.devices=1", "scan.ownership.margin_db", "scan.ownership.margin_db=1000"):
        done = replay(bin_folder, path, "--set", change)
        assert done.returncode == 2 and "--set" in done.stderr


def test_info_and_metrics_tell_how_the_recorder_is(pair):
    recorder = pair.get("/info")["recorder"]
    assert recorder["enabled"] and recorder["bytes"] > PACKETS * 4 and recorder["oldest"]
    metrics = pair.gateway.request("GET", "/metrics").body.decode()
    figures = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith("blefleet_recorder"))
    assert float(figures["blefleet_recorder_advertisements_total"]) >= PACKETS
    assert float(figures["blefleet_recorder_segments_dropped_total"]) == 0


def test_a_recorder_that_is_off_gives_nothing(start):
    pair = start(house([{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"}]), settings={"recorder": {"enabled": False}})
    pair.wait_device(THERMOMETER["address"])
    assert pair.get("/info")["recorder"] == {"enabled": False, "bytes": 0, "oldest": None}
    assert lines(pair) == []


def ask_replay(pair, body, status=200):
    return pair.ask("POST", "/api/v1/recorder/replay", status, body=json.dumps(body)).json()


def test_a_replay_tells_what_other_settings_would_have_done(pair):
    same = ask_replay(pair, {"settings": {}})
    assert same["packets"] >= PACKETS and same["actual"] == same["replayed"] and same["differences"] == []
    other = ask_replay(pair, {"settings": {"ownership": {"margin_db": 1, "gone_factor": None}}, "address": NAMED["address"],
                              "since": None})
    assert 0 < other["packets"] < same["packets"]
    assert other["since"] <= other["until"]


def test_what_cannot_be_replayed_is_told_with_its_place(pair):
    problem = ask_replay(pair, {"settings": {"ownership": {"margin_db": 1000, "margin": 1}}}, 422)
    assert {error["pointer"] for error in problem["errors"]} == {"/settings/ownership/margin_db", "/settings/ownership/margin"}
    problem = ask_replay(pair, {"since": "yesterday", "address": 7, "more": 1}, 422)
    assert {error["pointer"] for error in problem["errors"]} == {"/since", "/address", "/more", "/settings"}
    assert pair.gateway.request("POST", "/api/v1/recorder/replay").status == 422


def test_windows_and_changed_settings_are_in_the_recording(pair):
    pair.ask("POST", "/api/v1/scan/windows", 201, body=json.dumps({"proxies": ["kitchen"], "duration_s": 5}))
    pair.gateway.wait_for(lambda: ask_replay(pair, {"settings": {}})["actual"]["windows"] > 0, 10, "a recorded window")
    pair.ask("PATCH", f"/api/v1/devices/{NAMED['address']}", body=json.dumps({"settings": {"expected_interval_s": 30}}))
    address = bytes.fromhex(NAMED["address"].replace(":", ""))[::-1]
    told = re.compile(re.escape(address) + b"." + bytes([0xb1, 0xea, 0x01]), re.S)  # 1 + 30,000 ms
    assert told.search(pair.gateway.request("GET", "/api/v1/recorder?format=native").body)


def test_a_run_with_remembered_devices_needs_and_commands_is_replayed_exactly(start, bin_folder, tmp_path):
    proxies = [{"name": name, "at": [x, 0, 0], "profile": "2026"} for name, x in (("kitchen", 0), ("office", 12))]
    pair = start(house(proxies))
    pair.wait_device(THERMOMETER["address"], lambda device: len(device["sources"]) == 2)
    pair.wait_device(NAMED["address"], lambda device: len(device["sources"]) == 2)
    pair.gateway.stop()
    pair.gateway = Gateway(BIN, pair.sim.gateway_config.parent, pair.sim.gateway_config, log_level="debug")
    pair.gateway.wait_online(2)
    before = len(lines(pair))
    settings = {"settings": {"active_scan": {"interval_s": 60, "duration_s": 5}, "expected_interval_s": 30}}
    pair.ask("PATCH", f"/api/v1/devices/{NAMED['address']}", body=json.dumps(settings))
    pair.gateway.wait_for(lambda: len(lines(pair)) >= before + PACKETS, 30, "packets")
    pair.ask("POST", f"/api/v1/devices/{NAMED['address']}/clear-history", 204)
    pair.ask("DELETE", f"/api/v1/devices/{NAMED['address']}", 204)
    pair.ask("DELETE", f"/api/v1/devices/{THERMOMETER['address']}", 204)
    pair.gateway.wait_for(lambda: len(lines(pair)) >= before + 2 * PACKETS, 30, "packets")
    path = tmp_path / "recording"
    path.write_bytes(pair.gateway.request("GET", "/api/v1/recorder?format=native").body)
    done = replay(bin_folder, path)
    assert done.returncode == 0, done.stderr
    assert recorded_decisions(done.stdout) > 4
    assert "does not begin" not in done.stdout


def test_connect_attempts_are_counted_by_proxy_and_change_no_decision(start, bin_folder, tmp_path):
    pair = running(start, (LOCK, sleepy(1)))
    connect(pair, proxy="kitchen")
    connect(pair, sleepy(1), 504, proxy="office", attempts=1, attempt_timeout_ms=1000)
    path = tmp_path / "recording"
    path.write_bytes(pair.gateway.request("GET", "/api/v1/recorder?format=native").body)
    done = replay(bin_folder, path)
    assert done.returncode == 0 and done.stderr == ""
    rows = re.findall(r"^(\S.*?) +(\d+)  (\d.*)$", done.stdout[done.stdout.index("connect attempts"):], re.M)
    assert rows == [("connect attempts", "2", "1 connected, 1 timed out"), ("kitchen", "1", "1 connected"),
                    ("office", "1", "1 timed out")]
    assert recorded_decisions(done.stdout) > 0
