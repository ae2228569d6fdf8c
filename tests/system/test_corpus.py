"""A03: every well-formed captured packet, sent by a simulated device, is read over REST as the corpus says."""
import http.client
import json

import pytest
from conftest import CORPUS, RADIO

FIRST_ADDRESS = 0xC0DE00000000  # and the row's line


def rows():
    for line, text in enumerate(CORPUS.read_text(encoding="utf-8").splitlines()):
        row = json.loads(text)
        if row["kind"] != "malformed" and len(row["raw"]) <= 2 * 62:
            yield f"{FIRST_ADDRESS + line:012X}", row


@pytest.fixture(scope="module")
def pair(session_pairs):
    scenario = {
        "seed": 1, "radio": RADIO, "payloads": str(CORPUS),
        "proxies": [{"name": "ear", "at": [0, 0, 0], "profile": "2026", "always_scan_response": True}],
        "devices": [{"rows": "all", "interval_ms": 1000}],
        "rooms": [{"name": "hall", "rect": [-2, -2, 2, 2]}],
    }
    pair = session_pairs("corpus", scenario, settings={"scan": {"apple_filter": False}})
    pair.gateway.wait_for(lambda: pair.get("/info")["counts"]["devices"] >= len(list(rows())), 30, "all devices")
    return pair


def difference(expected, device):
    """What the device shows otherwise than the row says; None if nothing."""
    latest = device["latest"]
    shown = {"local_name": latest["name"], "service_uuids": latest["service_uuids"],
             "service_data": latest["service_data"], "manufacturer_data": latest["manufacturer_data"],
             "tx_power": latest["tx_power"], "flags": latest["flags"]}
    expected = {key: expected[key] for key in shown}
    return None if shown == expected else {key: (shown[key], expected[key]) for key in shown
                                           if shown[key] != expected[key]}


def test_A03_every_captured_packet_is_read_as_the_corpus_says(pair):
    connection = http.client.HTTPConnection(pair.gateway.address, timeout=20)
    wrong, count = [], 0
    for address, row in rows():
        connection.request("GET", f"/api/v1/devices/{address}")
        response = connection.getresponse()
        device = json.loads(response.read())
        assert response.status == 200, device
        pair.contract.validate(device, "components", "schemas", "DeviceDetail")
        assert device["latest"]["raw"] == row["raw"], row["id"]
        found = difference(row["expect"], device)
        if found:
            wrong.append((row["id"], found))
        count += 1
    assert count > 800
    assert wrong == []
