"""The built programs, seen from outside: a simulated fleet, a gateway on it, and the contract that every
answer is held against. BLEFLEET_BIN names the folder of the programs."""
import json
import os
import pathlib
import sys

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/fleet"))
from programs import STOP_LIMIT_S, Gateway, Simulator  # noqa: E402

# Devices on the network of this machine are not our business.
os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nowhere"

BIN = pathlib.Path(os.environ.get("BLEFLEET_BIN", TOP / "build/debug/bin"))
CORPUS = TOP / "tests/data/advertisements.jsonl"


class Contract:
    """schema/openapi.yaml: finds the operation of a path and holds an answer against it."""

    def __init__(self, path):
        self.document = yaml.safe_load(path.read_text(encoding="utf-8"))
        resource = Resource(contents=self.document, specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:contract", resource)

    @staticmethod
    def _pointer(*steps):
        return "urn:contract#/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)

    def validate(self, value, *steps):
        """value against the schema at these steps of the document."""
        validator = Draft202012Validator({"$ref": self._pointer(*steps)}, registry=self.registry)
        faults = sorted(validator.iter_errors(value), key=lambda fault: fault.json_path)
        assert not faults, "\n".join(f"{fault.json_path}: {fault.message[:300]}" for fault in faults[:5])

    def template_of(self, path):
        """/api/v1/proxies/kitchen is /proxies/{name}; literal segments win over parameters."""
        path = path.split("?")[0].removeprefix("/api/v1")
        steps = path.split("/")
        fitting = [template for template in self.document["paths"]
                   if len(template.split("/")) == len(steps)
                   and all(a == b or a.startswith("{") for a, b in zip(template.split("/"), steps))]
        return min(fitting, key=lambda template: template.count("{"), default=None)

    def hold(self, method, path, answer):
        """The answer is one that the contract knows for this request."""
        kind = (answer.headers["Content-Type"] or "").split(";")[0]
        template = self.template_of(path)
        operation = self.document["paths"].get(template, {}).get(method.lower())
        status = str(answer.status)
        if operation is None or status not in operation["responses"]:
            assert answer.status in (400, 403, 404, 405, 413, 415, 422), f"{method} {path}: {status} is not in the contract"
            assert kind == "application/problem+json"
            self.validate(answer.json(), "components", "schemas", "Problem")
            return
        steps = ["paths", template, method.lower(), "responses", status]
        response = operation["responses"][status]
        if "$ref" in response:
            steps = response["$ref"].removeprefix("#/").split("/")
            response = self.document["components"]["responses"][steps[-1]]
        if "content" not in response:
            assert answer.body == b"" and not kind
            return
        assert kind in response["content"], f"{method} {path}: {kind} is not in the contract"
        self.validate(answer.json(), *steps, "content", kind, "schema")


@pytest.fixture(scope="session")
def contract():
    return Contract(TOP / "schema/openapi.yaml")


@pytest.fixture(scope="session")
def bin_folder():
    assert (BIN / "blefleet").exists(), f"no programs in {BIN}"
    return BIN


class Pair:
    """A simulated fleet and a gateway on it (`more` is for Gateway); every answer is held against the contract."""

    def __init__(self, folder, scenario, contract, settings=None, config_change=None, **more):
        self.contract = contract
        path = folder / "scenario.json"
        path.write_text(json.dumps(scenario), encoding="utf-8")
        self.gateway = None
        self.sim = Simulator(BIN, folder, path)
        config = json.loads(self.sim.gateway_config.read_text(encoding="utf-8"))
        config.update(settings or {})
        if config_change:
            config_change(config)
        self.sim.gateway_config.write_text(json.dumps(config), encoding="utf-8")
        self.gateway = Gateway(BIN, folder, self.sim.gateway_config, log_level="debug", **more)

    def ask(self, method, path, status=200, **more):
        answer = self.gateway.request(method, path, **more)
        assert answer.status == status, f"{method} {path}: {answer.status} {answer.body[:400]!r}"
        if method != "HEAD":
            self.contract.hold(method, path, answer)
        return answer

    def get(self, path, status=200, **more):
        return self.ask("GET", "/api/v1" + path, status, **more).json()

    def proxy(self, name):
        return self.get(f"/proxies/{name}")

    def wait_proxy(self, name, condition, limit_s=20.0):
        def look():
            proxy = self.proxy(name)
            return proxy if condition(proxy) else None
        return self.gateway.wait_for(look, limit_s, f"the wanted state of {name}")

    def wait_device(self, address, condition=lambda device: True, limit_s=20.0):
        def look():
            answer = self.gateway.request("GET", f"/api/v1/devices/{address}")
            return answer.json() if answer.status == 200 and condition(answer.json()) else None
        return self.gateway.wait_for(look, limit_s, f"the wanted state of {address}")

    def end(self):
        """Both end cleanly and in time, without a word from a sanitizer."""
        ends = [(program, *program.stop()) for program in (self.gateway, self.sim) if program]
        for program, code, seconds in ends:
            assert code == 0, f"{program.name} ended with {code}:\n{program.tail(40)}"
            assert seconds < STOP_LIMIT_S
        assert self.gateway is None or self.gateway.faults_in_log() == []


@pytest.fixture(scope="session")
def session_pairs(tmp_path_factory, contract, bin_folder):
    """start(scenario, …) gives a pair that lives as long as the session."""
    pairs = []

    def start(name, scenario, **more):
        pair = Pair(tmp_path_factory.mktemp(name), scenario, contract, **more)
        pairs.append(pair)
        return pair

    yield start
    for pair in pairs:
        pair.end()


@pytest.fixture
def start(tmp_path, contract, bin_folder):
    """start(scenario, …) gives a pair for one test."""
    pairs = []

    def start_pair(scenario, **more):
        folder = tmp_path / str(len(pairs))
        folder.mkdir()
        pairs.append(Pair(folder, scenario, contract, **more))
        return pairs[-1]

    yield start_pair
    for pair in pairs:
        pair.end()


# A house that is silent by itself: what is in it is said here, and nothing is left to noise.
RADIO = {"noise_db": 0, "wall_db": 0, "sensitivity_dbm": -110}
THERMOMETER = {"address": "A4:C1:38:12:AB:56", "address_type": 0, "at": [1, 1, 0], "interval_ms": 200,
               "jitter_ms": 0, "payload": {"raw": "0201060a16d2fc4002c40903bf13"}}
NAMED = {"address": "C0:FF:EE:00:00:01", "address_type": 1, "at": [9, 1, 0], "interval_ms": 200,
         "jitter_ms": 0, "payload": {"raw": "020106", "scan_response": "0c094164766572746973657273"}}


def house(proxies, devices=(THERMOMETER, NAMED)):
    return {"seed": 1, "radio": RADIO, "proxies": proxies, "devices": list(devices)}
