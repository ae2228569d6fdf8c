"""The dashboard in a browser: a simulated fleet, a gateway on it, and Debian's chromium.

BLEFLEET_BIN names the folder of the programs, BLEFLEET_CHROMIUM another browser."""
import json
import os
import pathlib
import sys

import pytest
from playwright.sync_api import sync_playwright

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/fleet"))
from programs import Gateway, Simulator  # noqa: E402

BIN = pathlib.Path(os.environ.get("BLEFLEET_BIN", TOP / "build/debug/bin"))
CHROMIUM = os.environ.get("BLEFLEET_CHROMIUM", "/usr/bin/chromium")


class House:
    """A simulated fleet and a gateway on it, which can be started anew at the same address."""

    def __init__(self, folder, scenario):
        self.folder = folder
        self.sim = Simulator(BIN, folder, scenario)
        self.gateway = Gateway(BIN, folder, self.sim.gateway_config)
        self.url = f"http://{self.gateway.address}/"

    def stop_gateway(self):
        self.gateway.stop()

    def start_gateway(self):
        config = json.loads(self.sim.gateway_config.read_text(encoding="utf-8"))
        config.setdefault("http", {})["listen"] = self.gateway.address
        self.sim.gateway_config.write_text(json.dumps(config), encoding="utf-8")
        self.gateway = Gateway(BIN, self.folder, self.sim.gateway_config)

    def end(self):
        assert self.gateway.stop()[0] == 0
        assert self.sim.stop()[0] == 0
        assert self.gateway.faults_in_log() == []


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """The house of the demo, with all of its proxies online."""
    house = House(tmp_path_factory.mktemp("house"), TOP / "config/demo.json")
    house.gateway.wait_online(7)
    yield house
    house.end()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
