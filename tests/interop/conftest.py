"""A small simulated fleet for independent clients. BLEFLEET_BIN names the folder of the programs."""
import json
import os
import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/fleet"))
from programs import STOP_LIMIT_S, Simulator  # noqa: E402

BIN = pathlib.Path(os.environ.get("BLEFLEET_BIN", TOP / "build/debug/bin"))

DEVICES = {
    "A4C13812AB56": {"address_type": 0, "payload": {"raw": "0201060a16d2fc4002c40903bf13"}},
    "C0FFEE000001": {"address_type": 1, "payload": {"raw": "0201060c094164766572746973657273"}},
}
SCENARIO = {
    "seed": 1,
    "radio": {"noise_db": 0, "sensitivity_dbm": -110},
    "proxies": [
        {"name": "plain", "at": [0, 0, 0], "profile": "2026"},
        {"name": "secret", "at": [5, 0, 0], "profile": "2026", "encryption_key": True},
        {"name": "old", "at": [0, 5, 0], "profile": "2022"},
    ],
    "devices": [{"address": address, "at": [1, 1, 0], "interval_ms": 100, **device}
                for address, device in DEVICES.items()],
}


SUMMARY = pytest.StashKey()


@pytest.fixture(scope="session")
def summary(request):
    """summary(TEXT): it stands at the end of the log."""
    return request.config.stash.setdefault(SUMMARY, []).append


def pytest_terminal_summary(terminalreporter, config):
    for text in config.stash.get(SUMMARY, []):
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def sim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop")
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO), encoding="utf-8")
    sim = Simulator(BIN, folder, scenario)
    yield sim
    code, seconds = sim.stop()
    assert code == 0, sim.tail(40)
    assert seconds < STOP_LIMIT_S
