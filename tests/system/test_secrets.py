"""Secrets are written and never read: each has a mark here, everything that the gateway says is collected, and no
mark is found in it, in none of the forms in which an octet can be written."""
import base64
import json
import pathlib
import re
import stat
import subprocess
import urllib.parse

import pytest
from conftest import BIN, Pair, house
from programs import Broker
from test_events import Stream
from test_gatt import LAMP
from test_mqtt import Watcher

PROXIES = [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026", "encryption_key": True},
           {"name": "office", "at": [1, 0, 0], "profile": "2026", "encryption_key": True},
           {"name": "cellar", "at": [0, 1, 0], "profile": "2022"}]
WRONG_KEY = base64.b64encode(b"marked: the wrong key of a proxy").decode()
FRONT_KEY = base64.b64encode(b"marked: key of the front, single").decode()
MIRROR_KEY = base64.b64encode(b"marked: key of a front, a mirror").decode()
PASSWORD, BROKER_PASSWORD = "marked+/pass word=of a proxy", "marked+/pass word=of the broker"
AUTHORIZATION = "Bearer marked+/authorization="
BINDKEY, IRK, NEW_BINDKEY = (word.hex() for word in (b"marked: bindkey!", b"marked: an irk!!", b"marked: another!"))
TOKEN, COOKIE, PASSPHRASE = "blf_marked-token-of-a-client", "marked-cookie-of-a-client", "marked passphrase of a backup"
DEVICE = LAMP["address"]
OTHER = "AA:BB:CC:DD:EE:01"


def octets_of(secret):
    """The octets that a secret stands for, beside its text."""
    if re.fullmatch("[0-9a-f]{32}", secret):
        return bytes.fromhex(secret)
    return base64.b64decode(secret) if re.fullmatch("[A-Za-z0-9+/]{43}=", secret) else secret.encode()


def encoded(octets):
    """The octets as base64 has them wherever they stand in a longer text: without what their neighbours decide."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + octets + bytes(-(before + len(octets)) % 3))
        inner = text[4 if before else 0:-4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def forms(secret):
    """How it may be written: as it is, its octets, backwards, in hex, base64, in a URL, within JSON."""
    for octets in {secret.encode(), octets_of(secret)}:
        yield from (octets, octets[::-1], octets.hex().encode(), octets.hex().upper().encode(),
                    octets[::-1].hex().encode(), octets.hex(":").encode(), *encoded(octets))
    yield urllib.parse.quote(secret, safe="").encode()
    yield urllib.parse.quote_plus(secret).encode()
    yield json.dumps(secret)[1:-1].replace("/", "\\/").encode()


class Said:
    """Everything that was said, and by what."""

    def __init__(self):
        self.parts = []

    def add(self, source, content):
        self.parts.append((source, content if isinstance(content, bytes) else content.encode()))

    def find(self, secrets):
        """(name of the secret, where it was found)"""
        return [(name, source, form) for name, secret in secrets.items() for form in set(forms(secret))
                for source, content in self.parts if form in content]


def configure(config, broker):
    kitchen, office, cellar = config["proxies"]
    office["encryption_key"] = WRONG_KEY
    cellar["password"] = PASSWORD
    config["devices"] = [{"address": DEVICE, "bindkey": BINDKEY, "irk": IRK}]
    config["mqtt"] = {"enabled": True, "port": broker.port, "username": "us", "password": BROKER_PASSWORD,
                      "role": "admin"}
    config["esphome"] = {"single": {"encryption_key": FRONT_KEY}, "mirror": {"encryption_key": MIRROR_KEY}}
    config["matter"] = {"servers": [{"url": "wss://matter.example/ws", "authorization": AUTHORIZATION}]}
    return kitchen["encryption_key"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp("broker"))
    yield running
    running.stop()


class Marked:
    def __init__(self, folder, contract, broker):
        self.secrets = {"wrong key": WRONG_KEY, "front": FRONT_KEY, "mirror": MIRROR_KEY, "password": PASSWORD,
                        "broker": BROKER_PASSWORD, "authorization": AUTHORIZATION, "bindkey": BINDKEY, "irk": IRK,
                        "new bindkey": NEW_BINDKEY, "token": TOKEN, "cookie": COOKIE, "passphrase": PASSPHRASE}
        self.said = Said()
        self.credentials = {}
        self.watcher = Watcher(broker.port, topic="#")
        self.pair = Pair(folder, house(PROXIES, [LAMP]), contract,
                         config_change=lambda config: self.secrets.update(key=configure(config, broker)))
        self.gateway = self.pair.gateway
        self.folder = folder

    def ask(self, method, path, body=None, **headers):
        """Any answer will do: what counts is what it says."""
        answer = self.gateway.request(method, path, body=body, headers={**self.credentials, **headers})
        self.said.add(f"{method} {path} {answer.status}", answer.body + str(answer.headers).encode())
        return answer

    def sign_in(self):
        """A token and a session, whose secrets are said once, here, and asked with from now on."""
        body = json.dumps({"name": "marked", "role": "admin"})
        answer = self.gateway.request("POST", "/api/v1/tokens", body=body)
        assert answer.status == 201, answer.body
        self.secrets["made token"] = answer.json()["token"]
        answer = self.gateway.request("POST", "/api/v1/session", body=json.dumps({"token": answer.json()["token"]}))
        cookie = answer.headers["Set-Cookie"].split(";")[0]
        self.secrets["session"] = cookie.partition("=")[2]
        self.credentials = {"Cookie": cookie}
        assert self.ask("GET", "/api/v1/session").json()["role"] == "admin"
        self.ask("GET", "/api/v1/tokens", Cookie="", Authorization=f"Bearer {self.secrets['made token']}")

    def everything_that_is_read(self):
        values = {"address": DEVICE, "name": "kitchen", "characteristic": "2a19", "handle": "3", "area": "Hall",
                  "version": "1"}
        for template, operations in self.pair.contract.document["paths"].items():
            if "get" not in operations or template.endswith(("/events", "/notifications")):
                continue
            path = template.format(**values)
            self.ask("GET", path if template in ("/healthz", "/readyz", "/metrics") else f"/api/v1{path}")
        for query in ("logs?level=debug&limit=1000", "recorder?format=jsonl", "recorder?format=btsnoop",
                      "recorder?format=native", "devices?available=any", "proxies/office", "proxies/cellar",
                      f"explain/{DEVICE}?intent=advertisement"):
            self.ask("GET", f"/api/v1/{query}")

    def finish(self):
        """What is left in files when it has ended: all but the configuration and its versions."""
        self.watcher.stop()
        self.pair.end()
        for path in [self.gateway.log_path, *pathlib.Path(self.folder / "data").iterdir()]:
            self.said.add(path.name, path.read_bytes())
        while not self.watcher.messages.empty():
            message = self.watcher.messages.get()
            self.said.add(message.topic, message.payload)


def wrong_places(marked):
    """Requests that hold secrets where none belongs, or secrets of the wrong form."""
    credentials = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"blefleet_session={COOKIE}",
                   "Blefleet-Passphrase": PASSPHRASE}
    for path in ("/api/v1/info", "/api/v1/nothing", "/api/v1/proxies/nobody", "/healthz", "/api/v1/session"):
        marked.ask("GET", path, **credentials)
        marked.ask("POST", path, body=json.dumps({"token": TOKEN}), **credentials)
    marked.ask("GET", "/api/v1/info", **credentials, Host="evil.example")
    marked.ask("POST", "/api/v1/restart", **credentials, Origin="http://evil.example")
    marked.ask("GET", f"/api/v1/info?token={TOKEN}", Authorization=f"Basic {TOKEN}")
    device = f"/api/v1/devices/{OTHER}"
    for settings in ({"bindkey": BINDKEY + "00"}, {"bindkey": BINDKEY[:-1]}, {"irk": [IRK]},
                     {"bindkey": {"x": BINDKEY}}, {"irk": IRK, "nonsense": 1}, {"bindkey": PASSWORD},
                     {"alias": 5, "bindkey": BINDKEY}):
        marked.ask("PATCH", device, body=json.dumps({"settings": settings}))
    marked.ask("PATCH", device, body='{"settings":{"bindkey":"' + BINDKEY)
    marked.ask("PATCH", device, body='{"settings":{"bindkey":"' + BINDKEY + '"}} and more')
    proxy = {"name": "x", "host": "127.0.0.1", "port": 1, "encryption_key": WRONG_KEY, "password": PASSWORD}
    for change in ({}, {"encryption_key": WRONG_KEY + "A"}, {"encryption_key": [WRONG_KEY]},
                   {"password": {"x": PASSWORD}}, {"port": 70000}, {"nonsense": 1}):
        marked.ask("POST", "/api/v1/proxies", body=json.dumps({**proxy, **change}))
        marked.ask("POST", "/api/v1/proxies/import", body=json.dumps({"proxies": [{**proxy, **change}]}))
        marked.ask("PATCH", "/api/v1/proxies/cellar", body=json.dumps({"password": PASSWORD, **change}))
    for config in ({"mqtt": {"password": [BROKER_PASSWORD]}}, {"proxies": [{**proxy, "port": 70000}]},
                   {"matter": {"servers": [{"url": "x", "authorization": AUTHORIZATION}]}, "nonsense": 1}):
        marked.ask("PATCH", "/api/v1/config", body=json.dumps(config))
        marked.ask("PUT", "/api/v1/config", body=json.dumps(config))
    marked.ask("POST", "/api/v1/restore", body=PASSPHRASE, **credentials)


def over_mqtt(marked):
    marked.watcher.wait("blefleet/bridge/state", lambda state: state and state["state"] == "online")
    marked.watcher.ask("device/options", address=OTHER, settings={"bindkey": BINDKEY + "00"})
    marked.watcher.ask("proxy/add", name="y", host="127.0.0.1", encryption_key=WRONG_KEY + "A", password=PASSWORD)
    marked.watcher.ask("http", method="GET", path="/api/v1/config")
    marked.watcher.ask("http", method="GET", path=f"/api/v1/devices/{DEVICE}")


def is_only_echoed(source, form):
    """MQTT requests are our own words."""
    return source.startswith("blefleet/bridge/request/")


def drive(marked):
    """It meets, says and is asked whatever it can."""
    pair = marked.pair
    pair.wait_proxy("office", lambda proxy: proxy["last_error"] and proxy["last_error"]["code"] == "wrong_key")
    pair.wait_device(DEVICE, lambda device: device["available"])
    stream = Stream(pair, "?snapshot=true&types=device,proxy,connection,log,scan_window")
    stream.until(lambda event, *_: event == "ready")
    pair.get(f"/devices/{DEVICE}/services")
    settings = {"alias": "Lamp", "bindkey": NEW_BINDKEY}
    pair.ask("PATCH", f"/api/v1/devices/{OTHER}", body=json.dumps({"settings": settings}))
    stream.until(lambda event, _, data: event == "device" and data["reason"] == "settings")
    pair.ask("PATCH", "/api/v1/config", body=json.dumps({"esphome": {"single": {"encryption_key": WRONG_KEY}}}))
    wrong_places(marked)
    over_mqtt(marked)
    marked.sign_in()
    marked.everything_that_is_read()
    marked.said.add("events", "\n".join(stream.lines))
    stream.close()


@pytest.fixture(scope="module")
def marked(tmp_path_factory, contract, bin_folder, broker):
    """All of it has been driven, and has ended."""
    marked = Marked(tmp_path_factory.mktemp("secrets"), contract, broker)
    try:
        drive(marked)
    finally:
        marked.finish()
    return marked


def test_the_search_finds_a_secret_in_each_form():
    """What follows would be worth nothing without."""
    for form in forms(BINDKEY):
        said = Said()
        said.add("x", b"in front" + form + b"behind")
        assert said.find({"bindkey": BINDKEY})
    said = Said()
    said.add("x", base64.b64encode(b"a longer text with " + PASSWORD.encode() + b" in it"))
    assert said.find({"password": PASSWORD})


def test_no_secret_is_said_anywhere(marked):
    found = [(name, source, form) for name, source, form in marked.said.find(marked.secrets)
             if not is_only_echoed(source, form)]
    assert found == []
    assert len(marked.said.parts) > 100


def test_what_was_said_is_what_there_is_to_say(marked):
    """The places that matter were read, and had something in them."""
    sources = {source: content for source, content in marked.said.parts}
    assert b"***" in sources[f"GET /api/v1/devices/{DEVICE} 200"]
    assert sources["GET /api/v1/config 200"].count(b"***") >= 8
    assert b" debug " in sources["blefleet.log"]
    assert len(sources["GET /api/v1/recorder?format=native 200"]) > 1000
    assert b"blefleet_http_requests_total" in sources["GET /metrics 200"]
    assert "blefleet/bridge/info" in sources and "events" in sources and "blefleet.db" in sources


def test_files_with_secrets_are_for_their_owner_alone(marked):
    files = [path for path in pathlib.Path(marked.folder).glob("gateway.json.*")]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_faults_of_the_configuration_name_no_value(tmp_path):
    path = tmp_path / "config.json"
    said = Said()
    proxy = {"name": "x", "host": "h"}
    for config in ({"proxies": [{**proxy, "encryption_key": WRONG_KEY + "A"}]},
                   {"mqtt": {"password": [BROKER_PASSWORD]}}, {"mqtt": {"passwort": BROKER_PASSWORD}},
                   {"proxies": [{**proxy, "password": {"x": PASSWORD}}]},
                   {"devices": [{"address": OTHER, "bindkey": BINDKEY + "00", "irk": [IRK]}]},
                   {"esphome": {"single": {"encryption_key": FRONT_KEY[1:]}}}):
        path.write_text(json.dumps(config), encoding="utf-8")
        done = subprocess.run([BIN / "blefleet", "--config", path, "--check-config"], capture_output=True, check=False)
        assert done.returncode == 1
        said.add(json.dumps(config), done.stdout + done.stderr)
    path.write_text('{"mqtt":{"password":"' + BROKER_PASSWORD, encoding="utf-8")
    done = subprocess.run([BIN / "blefleet", "--config", path, "--check-config"], capture_output=True, check=False)
    said.add("cut off", done.stdout + done.stderr)
    found = said.find({"wrong key": WRONG_KEY, "password": PASSWORD, "broker": BROKER_PASSWORD, "bindkey": BINDKEY,
                       "irk": IRK, "front": FRONT_KEY[1:]})
    assert found == []
