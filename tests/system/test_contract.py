"""Requests that nobody thought of: schemathesis reads the contract and makes some, right and wrong ones, for each
operation, as each role. Every answer is one that the contract knows for that operation, none is 500, and what the
contract does not allow, to this role or to anybody, is refused.

The ring `contract` runs this; EXAMPLES, in the environment, says how many requests each operation gets."""
import email.message
import json
import os
import re

import pytest
import requests
import schemathesis
import yaml
from conftest import NAMED, THERMOMETER, TOP, house
from hypothesis import HealthCheck, Phase, settings
from programs import Answer
from schemathesis.specs.openapi.checks import negative_data_rejection
from test_links import CONNECT

EXAMPLES = int(os.environ.get("EXAMPLES", 40))
ENDING = ("/restart", "/restore")  # would end the run
STREAM = "text/event-stream"
OUTSIDE = ("/healthz", "/readyz", "/metrics")  # not below /api/v1
ROLES = ["none", "read", "control", "admin"]
UNTOLD = {"404", "405"}  # any path may answer them: a part that is not there yet, another method

REACHED = {"connect": CONNECT}
LAMP = {**THERMOMETER, "address": "C0:FF:EE:00:00:02", "address_type": 1, "connect": {**CONNECT, "gatt": [{"services": [
    {"uuid": "180f", "characteristics": [{"uuid": "2a19", "properties": ["read", "notify"], "value": "57"}]}]}]}}
KNOWN = {"Address": [THERMOMETER["address"], LAMP["address"], NAMED["address"].lower()],
         "path_name": ["kitchen", "office"], "path_characteristic": ["2a19", "14"]}
# Waits are no longer than the first of these; up to the second, which is the contract's, they are made so.
WAITS = {"wait_ms": (50, 60000), "wait_notification_ms": (50, 60000), "timeout_ms": (300, 600000),
         "queue_ms": (100, 600000), "attempt_timeout_ms": (1000, 60000), "duration_s": (1, 60)}
LINKS = {"timeout_ms": 300, "attempt_timeout_ms": 1000, "attempts": 1, "queue_ms": 100, "gatt_timeout_ms": 300,
         "retry_attempts": 1}


def prefer(schema, values):
    """What is there is asked for as often as what is not."""
    return {"anyOf": [{"enum": values}, schema]}


def narrowed():
    """The contract, with the names of what is there."""
    document = yaml.safe_load((TOP / "schema/openapi.yaml").read_text(encoding="utf-8"))
    components = document["components"]
    components["schemas"]["Address"] = prefer(components["schemas"]["Address"], KNOWN["Address"])
    for name in ("path_name", "path_characteristic"):
        components["parameters"][name]["schema"] = prefer(components["parameters"][name]["schema"], KNOWN[name])
        components["parameters"][name].pop("examples", None)
    return document


# The same requests in each run; the first that fails is told as it is, without looking for a smaller one.
LIKE_THIS = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
THOROUGH = settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate], **LIKE_THIS)
BRIEF = settings(max_examples=max(1, EXAMPLES // 5), phases=[Phase.generate], **LIKE_THIS)  # what is refused is refused

CONFIG = schemathesis.Config()
CONFIG.projects.default.generation.update(with_security_parameters=False)  # who asks is said here
SCHEMA = schemathesis.openapi.from_dict(narrowed(), config=CONFIG).exclude(path="/session", method="DELETE")
for path in ENDING:
    SCHEMA = SCHEMA.exclude(path=path)


@pytest.fixture(scope="module")
def pair(session_pairs):
    proxies = [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"},
               {"name": "office", "at": [5, 0, 0], "profile": "2026", "encryption_key": True}]
    devices = [{**THERMOMETER, **REACHED}, {**NAMED, **REACHED}, LAMP]
    pair = session_pairs("contract", house(proxies, devices), settings={"links": LINKS})
    pair.gateway.wait_online(2)
    pair.wait_device(LAMP["address"])
    pair.admin, pair.reached = "", set()
    pair.cookies = {role: sign_in(pair, role) for role in reversed(ROLES[1:])}  # an admin first: it may make the others
    return pair


def sign_in(pair, role):
    """The cookie of a session of this role; sessions go on when wrong tokens are held off."""
    def say(path, cookie="", **fields):
        return pair.gateway.request("POST", f"/api/v1{path}", body=json.dumps(fields), headers={"Cookie": cookie})

    made = say("/tokens", pair.admin, name=f"as-{role}", role=role)
    assert made.status == 201, made.body
    cookie = say("/session", token=made.json()["token"]).headers["Set-Cookie"].split(";")[0]
    pair.admin = pair.admin or cookie
    return cookie


def shorten(values):
    """Waits that the contract allows, in a query or a body."""
    for name, (longest, allowed) in WAITS.items() if isinstance(values, dict) else ():
        number = values.get(name)
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(number)) and longest < float(number) <= allowed:
            values[name] = type(number)(longest)


def ask(pair, case, role):
    """The answer; of a stream its headers alone."""
    base = f"http://{pair.gateway.address}" + ("" if case.operation.path in OUTSIDE else "/api/v1")
    shorten(case.query)
    shorten(case.body)
    request = case.as_transport_kwargs(base_url=base, headers={"Cookie": pair.cookies.get(role, "")})
    with requests.request(**request, stream=True, timeout=30) as response:
        is_stream = response.headers.get("Content-Type", "").startswith(STREAM)
        headers = email.message.Message()  # as the answers of programs.py have them
        for name, value in response.headers.items():
            headers[name] = value
        if response.ok and not is_stream:  # else it was refused, for one reason or another
            case.validate_response(response, checks=[negative_data_rejection])
        return Answer(response.status_code, headers, b"" if is_stream else response.content)


def takes_its_time(case):
    """It tells no time for a wait, and the contract's own is long."""
    method, path = case.method, case.operation.path
    if (method, path) == ("POST", "/scan/discover"):
        return not isinstance(case.body, dict) or "duration_s" not in case.body
    return (method, path) == ("GET", "/devices/{address}/connection") and "timeout_ms" not in (case.query or {})


def is_another(case):
    """No proxy has such a name: the path belongs to another operation."""
    return case.operation.path == "/proxies/{name}" and case.path_parameters["name"] in ("discovered", "import")


def is_above(case, role):
    """Whether this role may not ask so. What is not there yet is 404 for everybody."""
    return ROLES.index(role) < ROLES.index(case.operation.definition.raw["x-role"])


def check(pair, case, role):
    """The contract has this answer for this operation."""
    if takes_its_time(case) or is_another(case):
        return
    answer = ask(pair, case, role)
    status = str(answer.status)
    if is_above(case, role):
        assert answer.status in (401 if role == "none" else 403, 404), f"{status} for {role}: {answer.body[:500]}"
    responses = case.operation.definition.raw["responses"]
    assert status != "500", answer.body
    assert status in responses.keys() | UNTOLD, f"{status} is not in the contract: {answer.body[:500]}"
    if answer.status < 300:
        pair.reached.add((role, case.operation.label))
    kind = answer.headers.get("Content-Type", "").split(";")[0]
    if kind in ("", "application/json", "application/problem+json"):
        pair.contract.hold(case.method, case.operation.path, answer)
    else:
        assert kind in responses[status]["content"]


@SCHEMA.parametrize()
@BRIEF
def test_no_answer_to_nobody_is_outside_the_contract(case, pair):
    check(pair, case, "none")


@SCHEMA.parametrize()
@BRIEF
def test_no_answer_to_a_reader_is_outside_the_contract(case, pair):
    check(pair, case, "read")


@SCHEMA.parametrize()
@BRIEF
def test_no_answer_to_a_controller_is_outside_the_contract(case, pair):
    check(pair, case, "control")


@SCHEMA.parametrize()
@THOROUGH
def test_no_answer_to_an_admin_is_outside_the_contract(case, pair):
    check(pair, case, "admin")


def test_what_there_is_was_reached(pair):
    """The others were refused for a reason: most of what a role may do was done."""
    for role, least in (("none", 4), ("read", 15), ("control", 25), ("admin", 45)):
        done = {label for who, label in pair.reached if who == role}
        assert len(done) >= least, f"{role}: {sorted(done)}"
