"""What programs do with characteristics over HTTP: values, subscriptions, long polls and streams, each answer held
against the contract. The simulator's device says what was really written."""
import json

from test_events import Stream
from test_links import BETWEEN, CONNECT, running

ECHO, TICKS, GUARDED = "fff2", "fff3", "fff4"
BAND = {**BETWEEN, "connect": {**CONNECT, "advertises_linked": True, "gatt": {"services": [
    {"uuid": "fff0", "handle": 16, "characteristics": [
        {"uuid": ECHO, "handle": 21, "properties": ["read", "write", "write-without-response", "notify"], "echo": True,
         "descriptors": [{"uuid": "2901", "handle": 23, "text": "an echo"}]},
        {"uuid": TICKS, "handle": 25, "properties": ["read", "notify"], "value": "00", "vary": {"size": 1},
         "notify_ms": 100},
        {"uuid": GUARDED, "handle": 29, "properties": ["read", "write"], "error": 5},
        {"uuid": "fff5", "handle": 31, "properties": ["read"], "value": "01"},
        {"uuid": "fff5", "handle": 33, "properties": ["read"], "value": "02"}]}]}}}
PATH = f"/devices/{BAND['address']}"


def at(characteristic, rest=""):
    return f"/api/v1{PATH}/characteristics/{characteristic}{rest}"


def put(pair, path, status=200, **body):
    return pair.ask("PUT", path, status, body=json.dumps(body)).json()


def leases(pair):
    return [lease["id"] for lease in pair.get(f"{PATH}/connection")["leases"]]


def subscriptions(pair):
    return {entry["handle"]: entry for entry in pair.get(f"{PATH}/connection")["subscriptions"]}


def cccd(pair, handle):
    """How many links have subscribed to the value of this handle, as the device has it."""
    attributes = pair.sim.ask(do="gatt", device=BAND["address"])["attributes"]
    return {entry["handle"]: entry for entry in attributes}[handle + 1]["subscribers"]


def test_G04_values_are_written_and_read_in_both_forms(start):
    pair = running(start, (BAND,))
    assert put(pair, at(ECHO), value="01FF")["response"] is True
    assert put(pair, at(21), value="02", response=False)["response"] is False
    octets = {"Content-Type": "application/octet-stream"}
    pair.ask("PUT", at(ECHO, "?response=true"), body=b"\x00abc", headers=octets)
    assert pair.get(f"{PATH}/characteristics/{ECHO}")["value"] == "00616263"
    answer = pair.gateway.request("GET", at(ECHO), headers={"Accept": "application/octet-stream"})
    assert (answer.headers["Content-Type"], answer.body) == ("application/octet-stream", b"\x00abc")
    problem = put(pair, at(ECHO), 422, value="00" * 300, response=False)
    assert (problem["code"], problem["max"], problem["errors"][0]["pointer"]) == ("value_too_long", 244, "/value")


def test_G01_the_tree_has_names_and_the_longest_write(start):
    pair = running(start, (BAND,))
    found = pair.get(f"{PATH}/services")["services"]
    entries = {entry["handle"]: entry for service in found for entry in service["characteristics"]}
    assert entries[21]["max_write_without_response"] == 244
    names = {descriptor["handle"]: descriptor["name"] for descriptor in entries[21]["descriptors"]}
    assert names[22] == "Client Characteristic Configuration"
    assert pair.get(f"{PATH}/descriptors/23")["value"] == b"an echo".hex()


def test_G03_G12_what_goes_wrong_is_told_with_its_fields(start):
    pair = running(start, (BAND,))
    problem = pair.ask("GET", at("fff5"), 409).json()
    assert (problem["code"], problem["handles"]) == ("characteristic_ambiguous", [31, 33])
    assert pair.get(f"{PATH}/characteristics/33")["value"] == "02"
    assert pair.ask("GET", at("2a19"), 404).json()["code"] == "characteristic_not_found"
    problem = pair.ask("GET", at(GUARDED), 502).json()
    assert (problem["code"], problem["handle"], problem["att_error"]["number"]) == ("gatt_error", 29, 5)
    problem = put(pair, at("fff5", "/subscription").replace("fff5", "33"), 409)
    assert (problem["code"], problem["properties"]) == ("not_permitted", ["read"])
    assert put(pair, f"/api/v1{PATH}/descriptors/22", 409, value="0100")["code"] == "use_subscription"


def test_G09_notifications_of_a_lease_wait_for_who_asks(start):
    pair = running(start, (BAND,))
    lease = put(pair, at(TICKS, "/subscription"), lease_s=30)["lease"]
    query = f"?wait_notification_ms=5000&lease={lease}"
    counters = [pair.get(f"{PATH}/characteristics/{TICKS}{query}")["counter"] for _ in range(5)]
    assert counters == [1, 2, 3, 4, 5]
    assert put(pair, at(TICKS, "/subscription"), 409, type="indicate")["code"] in ("conflict", "not_permitted")
    pair.ask("DELETE", at(TICKS, f"/subscription?lease={lease}"), 204)
    pair.ask("DELETE", at(TICKS, f"/subscription?lease={lease}"), 204)
    assert cccd(pair, 25) == 0
    assert pair.ask("GET", at(TICKS, query), 404).json()["code"] == "not_found"
    pair.ask("DELETE", f"/api/v1{PATH}/connection?lease={lease}")
    assert pair.ask("GET", at(TICKS, query), 410).json()["code"] == "gone"


def test_a_wait_without_a_lease_leaves_nothing_behind(start):
    pair = running(start, (BAND,))
    found = pair.get(f"{PATH}/characteristics/{TICKS}?wait_notification_ms=5000")
    assert (found["source"], found["counter"]) == ("notification", 1)
    pair.gateway.wait_for(lambda: leases(pair) == [] and subscriptions(pair) == {}, what="no lease")
    pair.gateway.wait_for(lambda: cccd(pair, 25) == 0, what="the CCCD of nobody")
    pair.ask("GET", at(ECHO, "?wait_notification_ms=50"), 204)


def test_a_stream_is_the_lease_of_its_subscriptions(start):
    pair = running(start, (BAND,))
    stream = Stream(pair, f"?subscribe={TICKS}&subscribe=21", path=f"{PATH}/notifications")
    assert stream.answer.status == 200
    assert sorted(subscriptions(pair)) == [21, 25]
    assert len(leases(pair)) == 1
    put(pair, at(ECHO), value="aa55")
    seen = stream.until(lambda event, _, data: event == "notification" and data["value"] == "aa55")
    ticks = [data["counter"] for event, _, data in seen if event == "notification" and data["handle"] == 25]
    assert ticks == list(range(1, len(ticks) + 1))
    stream.connection.close()
    stream.answer.close()
    pair.gateway.wait_for(lambda: leases(pair) == [] and subscriptions(pair) == {}, what="no lease")
    pair.gateway.wait_for(lambda: cccd(pair, 25) == 0, what="the CCCD of nobody")


def test_a_stream_ends_when_its_link_is_closed_for_everybody(start):
    pair = running(start, (BAND,))
    stream = Stream(pair, f"?subscribe={TICKS}", path=f"{PATH}/notifications")
    pair.ask("DELETE", f"/api/v1{PATH}/connection")
    seen = []
    while (event := stream.next()) is not None:
        seen.append(event)
    assert seen[-1][0] == "connection" and seen[-1][2]["action"] == "closed"


def test_a_stream_that_cannot_subscribe_is_a_problem(start):
    pair = running(start, (BAND,))
    assert pair.ask("GET", f"/api/v1{PATH}/notifications?subscribe=2a19", 404).json()["code"] == \
        "characteristic_not_found"
    assert pair.get("/clients?kind=sse")["items"] == []


def test_the_end_of_the_gateway_finds_queues_and_streams(start):
    """Its end is what is looked at: clean, and in time."""
    pair = running(start, (BAND,))
    put(pair, at(TICKS, "/subscription"), lease_s=600)
    stream = Stream(pair, f"?subscribe={ECHO}", path=f"{PATH}/notifications")
    stream.until(lambda event, _, data: event == "notification" and data["handle"] == 25)
    pair.end()
    pair.gateway = pair.sim = None
    while stream.next() is not None:
        pass


def test_G13_connection_parameters_are_set_on_a_link_alone(start):
    pair = running(start, (BAND,))
    wish = {"min_interval": 24, "max_interval": 40, "latency": 0, "timeout": 400}
    path = f"/api/v1{PATH}/connection/parameters"
    assert put(pair, path, 409, **wish)["code"] == "not_connected"
    pair.get(f"{PATH}/characteristics/{ECHO}")
    assert put(pair, path, **wish) == wish
    assert put(pair, path, 422, **{**wish, "timeout": 10})["errors"][0]["pointer"] == "/timeout"


def test_G14_bonds_are_made_and_ended(start):
    pair = running(start, (BAND,))
    bond = pair.ask("POST", f"/api/v1{PATH}/bond", body="{}").json()
    assert bond["bonded"] is True
    assert pair.get(PATH)["bonds"] == [bond["proxy"]]
    assert pair.ask("POST", f"/api/v1{PATH}/bond", 501, body='{"passkey":123456}').json()["feature"] == "passkey"
    ended = pair.ask("DELETE", f"/api/v1{PATH}/bond").json()["items"]
    assert [(entry["proxy"], entry["bonded"]) for entry in ended] == [(bond["proxy"], False)]
    assert pair.get(PATH)["bonds"] == []
    assert pair.ask("DELETE", f"/api/v1{PATH}/bond").json()["items"] == []
