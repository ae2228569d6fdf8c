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


# A house that is silent by itself, with a band that echoes what is written and ticks when it is listened to.
BAND = {"address": "A4:C1:38:00:00:02", "address_type": 0, "at": [5, 1, 0], "interval_ms": 200, "jitter_ms": 0,
        "payload": {"raw": "0201060509426e6431"},
        "connect": {"ms": [50, 100], "discovery_ms": 50, "advertises_linked": True, "gatt": {"services": [
            {"uuid": "180f", "characteristics": [
                {"uuid": "2a19", "handle": 12, "properties": ["read"], "value": "57"}]},
            {"uuid": "fff0", "characteristics": [
                {"uuid": "fff2", "handle": 21, "properties": ["read", "write"], "echo": True},
                {"uuid": "fff3", "handle": 25, "properties": ["read", "notify"], "value": "00", "vary": {"size": 1},
                 "notify_ms": 100}]}]}}}
THERMOMETER = {"address": "A4:C1:38:12:AB:56", "address_type": 0, "at": [1, 1, 0], "interval_ms": 200, "jitter_ms": 0,
               "payload": {"raw": "0201060a16d2fc4002c40903bf13"}}
LAB = {"seed": 1, "radio": {"noise_db": 0, "wall_db": 0, "sensitivity_dbm": -110},
       "proxies": [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"},
                   {"name": "office", "at": [12, 0, 0], "profile": "2026"}],
       "devices": [BAND, THERMOMETER]}


@pytest.fixture
def lab(tmp_path):
    """A small house for one test."""
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps(LAB), encoding="utf-8")
    lab = House(tmp_path, scenario)
    lab.gateway.wait_online(2)
    lab.gateway.wait_for(lambda: len(lab.gateway.items("/api/v1/devices")) == 2, what="both devices")
    yield lab
    lab.end()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """open_page(url, …) gives a page; none may say anything wrong until the end of the test. answers {(method, path):
    (status, document)} stand in for the gateway's. is_first: nobody said yet that the first token can wait."""
    contexts, complaints = [], []

    def complain(message):
        if message.type == "error" or "Content Security Policy" in message.text:
            complaints.append(message.text)

    def fulfil(route, answers):
        path = route.request.url.split("/api/v1", 1)[1].split("?")[0]
        answer = answers.get((route.request.method, path))
        if answer is None:
            return route.fallback()
        status, document = answer(route.request) if callable(answer) else answer
        return route.fulfill(status=status, json=document, headers={"ETag": '"1"'})

    def open_one(url, width=1280, height=900, scheme="light", answers=None, is_first=False):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB")
        contexts.append(context)
        if not is_first:
            context.add_init_script("localStorage.setItem('blefleet.later', 'yes')")
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if answers:
            page.route("**/api/v1/**", lambda route: fulfil(route, answers))
        page.goto(url)
        return page

    open_one.complaints = complaints
    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
