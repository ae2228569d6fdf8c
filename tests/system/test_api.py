"""Every route of the core and every kind of error, over HTTP, held against the contract."""
import http.client
import json

import pytest
from conftest import NAMED, THERMOMETER, house

PROXIES = [
    {"name": "kitchen", "at": [0, 0, 0], "profile": "2026", "scan": "passive"},
    {"name": "office", "at": [10, 0, 0], "profile": "2026", "encryption_key": True},
    {"name": "attic", "at": [0, 40, 0], "profile": "2024"},
    {"name": "cellar", "at": [10, 40, 0], "profile": "2022"},
    {"name": "lamp", "at": [5, 0, 0], "profile": "none"},
]
ABSENT = "11:22:33:44:55:66"


def configure(config):
    config["proxies"][0]["area"] = "Kitchen"
    config["proxies"].append({"name": "spare", "host": "127.0.0.1", "port": 1, "enabled": False})
    config["devices"] = [{"address": THERMOMETER["address"], "alias": "Fridge"},
                         {"address": "A4C13800ABCD", "alias": "Never heard"}]
    config["mqtt"] = {"enabled": False}
    config["http"]["hosts"] = ["ble.example"]


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("api", house(PROXIES), config_change=configure)
    pair.gateway.wait_online(4)
    pair.wait_device(THERMOMETER["address"], lambda device: len(device["sources"]) == 4)
    pair.wait_device(THERMOMETER["address"], lambda device: device["proxy"] == "kitchen")  # after a few packets
    pair.wait_device(NAMED["address"], lambda device: device["name"])
    return pair


def test_info_counts_what_is_there(pair):
    info = pair.get("/info")
    assert info["name"] == "blefleet"
    assert info["parts"] == ["core", "voices", "ears", "recorder", "links", "gatt", "config"]
    assert info["counts"]["proxies"] == 6
    assert info["counts"]["proxies_online"] == 4
    assert info["counts"]["devices"] == 3


def test_the_contract_is_served_as_json(pair):
    served = pair.ask("GET", "/api/v1/openapi.json").json()
    assert served["openapi"].startswith("3.1")
    assert served == pair.contract.document


def test_liveness_and_readiness(pair):
    assert pair.ask("GET", "/healthz").status == 200
    assert pair.ask("GET", "/readyz").json()["checks"]["proxies"]


def test_proxies_come_with_what_they_told(pair):
    proxies = {proxy["name"]: proxy for proxy in pair.get("/proxies")["items"]}
    assert list(proxies) == sorted(proxies)
    for name in ("kitchen", "office", "attic", "cellar"):
        truth = pair.sim.proxies[name]
        assert proxies[name]["state"] == "online"
        assert proxies[name]["mac"] == truth["mac"]
        assert proxies[name]["port"] == truth["port"]
    assert proxies["kitchen"]["area"] == "Kitchen"
    assert proxies["kitchen"]["bluetooth_mac"] == pair.sim.proxies["kitchen"]["bluetooth_mac"]
    assert proxies["kitchen"]["encrypted"] is False and proxies["office"]["encrypted"] is True
    assert "raw_advertisements" in proxies["kitchen"]["features"]
    assert "raw_advertisements" not in proxies["cellar"]["features"]
    assert proxies["lamp"]["state"] == "online_no_bluetooth"
    assert proxies["spare"]["state"] == "disabled"
    assert pair.get("/proxies/kitchen")["name"] == "kitchen"


def test_proxies_come_in_pages(pair):
    seen, cursor = [], ""
    while cursor is not None:
        page = pair.get("/proxies?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        assert 1 <= len(page["items"]) <= 2
        seen += [proxy["name"] for proxy in page["items"]]
        cursor = page["next"]
    assert seen == sorted(proxy["name"] for proxy in PROXIES + [{"name": "spare"}])


def test_devices_belong_to_the_nearest_proxy(pair):
    thermometer = pair.wait_device(THERMOMETER["address"], lambda device: device["proxy"] == "kitchen")
    assert thermometer["area"] == "Kitchen"
    assert thermometer["alias"] == "Fridge"
    heard_raw = pair.wait_device(THERMOMETER["address"], lambda device: device["raw"])  # the cellar sends none
    assert heard_raw["raw"] == THERMOMETER["payload"]["raw"]
    assert thermometer["service_data"] == {"0000fcd2-0000-1000-8000-00805f9b34fb": "4002c40903bf13"}
    pair.wait_device(NAMED["address"], lambda device: device["proxy"] == "office")


def test_A07_a_name_that_another_proxy_learned_is_shown(pair):
    device = pair.get(f"/devices/{NAMED['address']}")
    assert device["name"] == "Advertisers"


def test_one_device_shows_who_hears_it(pair):
    device = pair.wait_device(THERMOMETER["address"], lambda device: device["latest"]["raw"])
    sources = {source["proxy"]: source for source in device["sources"]}
    assert set(sources) == {"kitchen", "office", "attic", "cellar"}
    assert [name for name, source in sources.items() if source["owner"]] == ["kitchen"]
    assert sources["kitchen"]["rssi"] > sources["office"]["rssi"] > sources["attic"]["rssi"]
    assert device["latest"]["flags"] == 6
    assert [element["name"] for element in device["elements"]]
    assert device["settings"]["alias"] == "Fridge"


def test_a_configured_device_that_was_never_heard_is_known(pair):
    device = pair.get("/devices/a4-c1-38-00-ab-cd")
    assert device["address"] == "A4:C1:38:00:AB:CD"
    assert device["available"] is False and device["proxy"] is None and device["sources"] == []


@pytest.mark.parametrize("spelling", ["A4:C1:38:12:AB:56", "a4:c1:38:12:ab:56", "a4-c1-38-12-ab-56", "a4c13812ab56"])
def test_an_address_may_be_spelled_in_four_ways(pair, spelling):
    assert pair.get(f"/devices/{spelling}")["address"] == THERMOMETER["address"]


@pytest.mark.parametrize("query, addresses", [
    ("name=fridge", [THERMOMETER["address"]]),
    ("name=ADVERT", [NAMED["address"]]),
    ("proxy=office&sort=address", [THERMOMETER["address"], NAMED["address"]]),
    ("proxy=lamp", []),
    ("area=Kitchen", [THERMOMETER["address"]]),
    ("service_uuid=fcd2", [THERMOMETER["address"]]),
    ("rssi_min=-1", []),
    ("seen_within_s=60&sort=address", [THERMOMETER["address"], NAMED["address"]]),
    ("sort=-address&available=true", [NAMED["address"], THERMOMETER["address"]]),
    ("available=false", ["A4:C1:38:00:AB:CD"]),
    ("name=nothing&wait_ms=50", []),
])
def test_devices_are_filtered_and_sorted(pair, query, addresses):
    assert [device["address"] for device in pair.get(f"/devices?{query}")["items"]] == addresses


def test_waiting_ends_at_the_first_match(pair):
    added = {"address": "C0:FF:EE:00:00:77", "address_type": 1, "at": [0, 0, 0], "interval_ms": 100,
             "payload": {"raw": "0b094c617465636f6d657273"}}
    pair.sim.ask(do="add", device=added)
    try:
        items = pair.get("/devices?name=latecomers&wait_ms=20000")["items"]
        assert [device["address"] for device in items] == ["C0:FF:EE:00:00:77"]
    finally:
        pair.sim.ask(do="remove", device="C0:FF:EE:00:00:77")


def test_A09_A11_A12_old_elements_stay_with_their_time_beside_the_latest_packet(pair):
    address = THERMOMETER["address"]
    pair.sim.ask(do="payload", device=address, raw="0201060409414243")
    device = pair.wait_device(address, lambda device: device["latest"]["name"] == "ABC")
    assert device["service_data"] == {"0000fcd2-0000-1000-8000-00805f9b34fb": "4002c40903bf13"}
    assert device["latest"]["service_data"] == {}
    times = {element["name"]: element["last_seen"] for element in device["elements"]}
    assert min(times.values()) < max(times.values())
    pair.sim.ask(do="payload", device=address, raw=THERMOMETER["payload"]["raw"])
    pair.wait_device(address, lambda device: device["raw"] == THERMOMETER["payload"]["raw"])


def test_without_mdns_nothing_is_discovered(pair):
    assert pair.get("/proxies/discovered") == {"items": [], "next": None}
    assert pair.gateway.log_text().count("mdns.unavailable") == 1


def test_reconnect_begins_a_new_conversation(pair):
    before = pair.proxy("attic")["since"]
    answer = pair.ask("POST", "/api/v1/proxies/attic/reconnect", 202)
    assert answer.json()["name"] == "attic"
    after = pair.wait_proxy("attic", lambda proxy: proxy["state"] == "online" and proxy["since"] > before)
    assert after["state"] == "online"


@pytest.mark.parametrize("path, status, code", [
    ("/api/v1/proxies/nobody", 404, "proxy_not_found"),
    (f"/api/v1/devices/{ABSENT}", 404, "device_not_found"),
    ("/api/v1/devices/not-an-address", 400, "invalid_request"),
    ("/api/v1/nothing", 404, "not_found"),
    ("/api/v1/areas", 404, "not_found"),
    ("/api/v1/proxies/discovered?cursor=!!!", 400, "invalid_request"),
    ("/api/v1/devices?limit=many", 400, "invalid_request"),
    ("/api/v1/devices?rssi_min=loud", 400, "invalid_request"),
    ("/api/v1/devices?service_uuid=xyz", 400, "invalid_request"),
    ("/api/v1/devices?cursor=!!!", 400, "invalid_request"),
])
def test_requests_that_cannot_be_answered(pair, path, status, code):
    problem = pair.ask("GET", path, status).json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{code}"


@pytest.mark.parametrize("query, pointer", [
    ("limit=0", "?limit"), ("limit=1001", "?limit"), ("wait_ms=60001", "?wait_ms"), ("sort=size", "?sort"),
    ("available=perhaps", "?available"), ("colour=red", "?colour"),
])
def test_query_values_out_of_range_are_named(pair, query, pointer):
    problem = pair.ask("GET", f"/api/v1/devices?{query}", 422).json()
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_all_wrong_query_values_are_named_at_once(pair):
    problem = pair.ask("GET", "/api/v1/devices?limit=0&wait_ms=60001", 422).json()
    assert {error["pointer"] for error in problem["errors"]} == {"?limit", "?wait_ms"}


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/api/v1/info", "GET"), ("POST", "/api/v1/devices", "GET"), ("PUT", "/healthz", "GET"),
    ("GET", "/api/v1/proxies/kitchen/reconnect", "POST"),
])
def test_a_wrong_method_is_told_the_right_ones(pair, method, path, allowed):
    answer = pair.ask(method, path, 405)
    assert answer.json()["code"] == "method_not_allowed"
    assert allowed in answer.headers["Allow"].split(", ")


def test_head_is_get_without_a_body(pair):
    answer = pair.ask("HEAD", "/api/v1/info")
    assert answer.body == b"" and int(answer.headers["Content-Length"]) > 0


def test_a_body_over_the_limit_is_refused_before_it_is_sent(pair):
    connection = http.client.HTTPConnection(pair.gateway.address, timeout=20)
    connection.putrequest("POST", "/api/v1/proxies/attic/reconnect")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(1048576 + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    problem = json.loads(answer.read())
    assert problem["code"] == "body_too_large" and problem["max"] == 1048576
    connection.close()


def test_an_unknown_content_type_is_refused(pair):
    answer = pair.ask("POST", "/api/v1/proxies/attic/reconnect", 415, body=b"<x/>",
                      headers={"Content-Type": "application/xml"})
    assert answer.json()["code"] == "unsupported_media_type"


def test_a_body_that_is_no_json_is_refused(pair):
    answer = pair.ask("POST", "/api/v1/proxies/attic/reconnect", 400, body=b"{",
                      headers={"Content-Type": "application/json"})
    assert answer.json()["code"] == "invalid_request"


def test_unknown_fields_of_a_body_are_named(pair):
    problem = pair.ask("POST", "/api/v1/proxies/attic/reconnect", 422, body=b'{"force":true}',
                       headers={"Content-Type": "application/json"}).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/force"]


@pytest.mark.parametrize("host, status", [
    ("evil.example", 403), ("localhost:8080", 200), ("127.0.0.1", 200), ("ble.example", 200),
    ("BLE.example:80", 200), ("ble.example.evil.example", 403),
])
def test_a_foreign_host_is_refused(pair, host, status):
    pair.ask("GET", "/api/v1/info", status, headers={"Host": host})


@pytest.mark.parametrize("origin, status", [
    ("http://evil.example", 403), ("null", 403), ("http://localhost:1", 403), ("http://localhost:PORT", 202),
    ("http://127.0.0.1:PORT", 202), ("https://ble.example", 202),
])
def test_a_change_from_a_foreign_origin_is_refused(pair, origin, status):
    own = origin.replace("PORT", pair.gateway.address.rsplit(":", 1)[1])
    pair.ask("POST", "/api/v1/proxies/attic/reconnect", status, headers={"Origin": own})


def test_no_answer_allows_other_origins_or_tells_secrets(pair):
    key = pair.sim.proxies["office"]["encryption_key"]
    for path in ("/api/v1/proxies", "/api/v1/info", "/api/v1/devices", "/readyz"):
        answer = pair.ask("GET", path, headers={"Origin": "http://evil.example"})
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert key not in answer.body.decode()
    assert key not in pair.gateway.log_text()


def test_odd_requests_do_no_harm(pair):
    for path in ("/api/v1/devices/" + "A" * 4000, "/api/v1/%00", "/api/v1/proxies/%ff%fe", "/api/v1//proxies",
                 "/api/v1/devices?name=" + "x" * 6000, "/api/v1/proxies/../info", "/api/v1/devices?limit=%zz"):
        assert pair.gateway.request("GET", path).status in (200, 400, 404, 414, 422, 431)
    assert json.loads(pair.gateway.request("GET", "/api/v1/info").body)["name"] == "blefleet"


@pytest.mark.parametrize("method, path, status, code", [
    ("GET", "/connections", 200, None),
    ("GET", "/connections?limit=1&state=connected&proxy=kitchen", 200, None),
    ("GET", "/connections?cursor=!!!", 400, "invalid_request"),
    ("POST", "/connections/close-stale", 200, None),
    ("GET", f"/devices/{ABSENT}/connection", 200, None),
    ("GET", f"/devices/{ABSENT}/connection?wait=disconnected&timeout_ms=1000", 200, None),
    ("GET", f"/devices/{ABSENT}/connection?wait=connected", 422, "invalid_request"),
    ("PUT", f"/devices/{ABSENT}/connection", 404, "device_not_found"),
    ("DELETE", f"/devices/{ABSENT}/connection", 200, None),
    ("DELETE", f"/devices/{ABSENT}/connection?lease=L7f3a9c21", 200, None),
    ("DELETE", f"/proxies/kitchen/slots/{ABSENT}", 404, "not_found"),
    ("DELETE", f"/proxies/spare/slots/{ABSENT}", 503, "proxy_offline"),
    ("DELETE", f"/proxies/nobody/slots/{ABSENT}", 404, "proxy_not_found"),
    ("GET", f"/explain/{ABSENT}?intent=connection", 200, None),
    ("GET", f"/explain/{THERMOMETER['address']}?intent=connection", 200, None),
])
def test_links_that_are_not_there_are_asked_about(pair, method, path, status, code):
    answer = pair.ask(method, f"/api/v1{path}", status).json()
    assert answer.get("code") == code or status == 200


def test_each_field_of_a_connect_has_its_range(pair):
    body = {"timeout_ms": 99, "attempts": 21, "lease_s": 0, "purpose": "x" * 65, "force": True}
    problem = pair.ask("PUT", f"/api/v1/devices/{THERMOMETER['address']}/connection", 422,
                       body=json.dumps(body)).json()
    assert {error["pointer"] for error in problem["errors"]} == {f"/{name}" for name in body}


def examples(node, steps=()):
    """(schema's steps, example) of each schema in the document, and of each media type with named examples."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from examples(child, (*steps, str(index)))
    if not isinstance(node, dict):
        return
    if "schema" in node and isinstance(node.get("examples"), dict):
        yield from (((*steps, "schema"), example["value"]) for example in node["examples"].values())
    elif isinstance(node.get("examples"), list) and not steps[-1:] == ("properties",):
        yield from ((steps, example) for example in node["examples"])
    for key, child in node.items():
        if key != "examples":
            yield from examples(child, (*steps, key))


def test_each_example_of_the_contract_is_valid(contract):
    found = list(examples(contract.document))
    assert len(found) > 100
    for steps, example in found:
        contract.validate(example, *steps)
