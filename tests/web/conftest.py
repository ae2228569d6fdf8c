"""The dashboard in a browser: a simulated fleet, a gateway on it, and Debian's chromium.

BLEFLEET_BIN names the folder of the programs, BLEFLEET_CHROMIUM another browser. `./run test web` gives these tests a
network of their own; without one (BLEFLEET_ALONE) those of announcements are left out."""
import json
import os
import pathlib
import sys

import pytest
from playwright.sync_api import expect, sync_playwright

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/fleet"), str(TOP / "tests/system/mdns")]
import network  # noqa: E402
from announcer import Announcer  # noqa: E402
from programs import Gateway, Simulator, free_port  # noqa: E402

BIN = pathlib.Path(os.environ.get("BLEFLEET_BIN", TOP / "build/debug/bin"))
expect.set_options(timeout=10_000)
IS_ALONE = "BLEFLEET_ALONE" in os.environ
CHROMIUM = os.environ.get("BLEFLEET_CHROMIUM", "/usr/bin/chromium")


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"} if secret else {}


class House:
    """A simulated fleet and a gateway on it, which can be started anew at the same address."""

    def __init__(self, folder, scenario, config_change=None):
        self.folder = folder
        self.sim = Simulator(BIN, folder, scenario)
        if config_change:
            self.write_config(config_change)
        self.gateway = Gateway(BIN, folder, self.sim.gateway_config)
        self.url = f"http://{self.gateway.address}/"

    def stop_gateway(self):
        self.gateway.stop()

    def config(self):
        return json.loads(self.sim.gateway_config.read_text(encoding="utf-8"))

    def write_config(self, change):
        config = self.config()
        change(config)
        self.sim.gateway_config.write_text(json.dumps(config), encoding="utf-8")

    def make_token(self, name, role, by=None):
        """Its secret; `by` is that of an admin, once there is a token."""
        body = json.dumps({"name": name, "role": role})
        headers = {"Content-Type": "application/json", **bearer(by)}
        answer = self.gateway.request("POST", "/api/v1/tokens", body=body, headers=headers)
        assert answer.status == 201, answer.body
        return answer.json()["token"]

    def start_gateway(self):
        self.write_config(lambda config: config.setdefault("http", {}).update(listen=self.gateway.address))
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
def start_lab(tmp_path):
    """start_lab(scenario, config_change) gives a small house for one test."""
    labs = []

    def start(scenario=LAB, config_change=None):
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps(scenario), encoding="utf-8")
        labs.append(House(tmp_path, path, config_change))
        return labs[-1]

    yield start
    for lab in labs:
        lab.end()


@pytest.fixture
def lab(start_lab):
    """Such a house with everything online and heard."""
    lab = start_lab()
    lab.gateway.wait_online(2)
    lab.gateway.wait_for(lambda: len(lab.gateway.items("/api/v1/devices")) == 2, what="both devices")
    return lab


@pytest.fixture
def restartable(start_lab):
    """The same at an address that it has again after it started itself anew."""
    lab = start_lab(config_change=lambda config: config["http"].update(listen=f"127.0.0.1:{free_port()}"))
    lab.gateway.wait_online(2)
    return lab


@pytest.fixture(scope="session", autouse=True)
def own_network():
    """Devices on the network of this machine are not our business."""
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={network.BUS if IS_ALONE else '/nowhere'}"
    if IS_ALONE:
        network.set_up()


@pytest.fixture
def announcer(tmp_path):
    """Says what devices say, to an avahi-daemon of our own."""
    if not IS_ALONE:
        pytest.skip("wants a network of its own: ./run test web")
    daemons = [network.Bus(tmp_path), network.Avahi(tmp_path)]
    made = Announcer()
    yield made
    made.close()
    for daemon in reversed(daemons):
        daemon.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """open_page(url, …) gives a page; none may say anything wrong until the end of the test, but what is forgiven.
    token: the browser is signed in with it. is_first: nobody said yet that the first token can wait."""
    contexts, complaints = [], []

    def complain(message):
        if message.type == "error" or "Content Security Policy" in message.text:
            complaints.append(message.text)

    def forgive(*texts):
        """What has been said so far, with one of these texts in it, was meant."""
        complaints[:] = [complaint for complaint in complaints if not any(text in complaint for text in texts)]

    def open_one(url, width=1280, height=900, scheme="light", token=None, is_first=False):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB")
        contexts.append(context)
        if not is_first:
            context.add_init_script("localStorage.setItem('blefleet.later', 'yes')")
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if token:
            session = f"{url.split('#')[0]}api/v1/session"
            assert context.request.post(session, data={"token": token}).ok
        page.goto(url)
        return page

    open_one.forgive = forgive
    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
