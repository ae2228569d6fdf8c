"""The past of a device and the explanation of its present, over HTTP, while a device is carried around and a
proxy reboots."""
import datetime

from conftest import RADIO

LAMP = {"address": "A4:C1:38:12:AB:56", "address_type": 0, "at": [1, 0, 0], "interval_ms": 200, "jitter_ms": 0,
        "payload": {"raw": "0201060a16d2fc4002c40903bf13"}}
COUNTING = {"address": "A4:C1:38:12:AB:57", "address_type": 0, "at": [2, 0, 0], "interval_ms": 500, "jitter_ms": 0,
            "payload": {"raw": "0201060916d2fc40000902c409"}}
PROXIES = [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026", "scan": "passive"},
           {"name": "hall", "at": [6, 0, 0], "profile": "2026", "scan": "passive"}]
UNKNOWN = "11:22:33:44:55:66"


def house():
    return {"seed": 1, "radio": RADIO, "proxies": PROXIES, "devices": [LAMP, COUNTING]}


def candidates_of(pair, address, intent):
    explanation = pair.get(f"/explain/{address}?intent={intent}")
    return explanation, {candidate["proxy"]: candidate for candidate in explanation["candidates"]}


def heard_by_both(device):
    return len(device["sources"]) == 2


def test_D02_each_owner_change_of_a_rebooting_proxy_is_explained_in_a_sentence(start):
    pair = start(house())
    address = LAMP["address"]
    pair.wait_device(address, lambda device: heard_by_both(device) and device["proxy"] == "kitchen")
    pair.sim.fault("kitchen", "reboot", seconds=8)
    pair.wait_device(address, lambda device: device["proxy"] == "hall", 30)
    explanation, candidates = candidates_of(pair, address, "advertisement")
    assert candidates["hall"]["verdict"] == "chosen"
    sentences = [advice for advice in explanation["advice"] if " took over " in advice]
    assert sentences[0].startswith("hall took over from kitchen at ")
    assert sentences[0].endswith(" UTC: kitchen was offline.")
    owners = pair.get(f"/devices/{address}/history")["owners"]
    assert len(owners) == len(sentences)
    assert (owners[-1]["from"], owners[-1]["to"], owners[-1]["why"]) == ("kitchen", "hall", "proxy_offline")


def test_D01_one_request_gives_who_hears_it_how_well_and_what_each_lacks(start):
    pair = start(house())
    address = LAMP["address"]
    pair.wait_device(address, lambda device: heard_by_both(device) and device["proxy"] == "kitchen")
    explanation, candidates = candidates_of(pair, address, "advertisement")
    assert explanation["possible"] and explanation["known"] and explanation["available"]
    assert explanation["candidates"][0]["proxy"] == "kitchen"
    assert candidates["kitchen"]["cause"] == "best"
    assert candidates["hall"]["verdict"] == "possible"
    assert "weaker than kitchen; it would take over at more than 16 dB louder" in candidates["hall"]["detail"]
    assert any(advice.startswith("hall takes over when") for advice in explanation["advice"])


def test_D02_a_way_for_a_connection_is_explained(start):
    pair = start(house())
    address = LAMP["address"]
    pair.wait_device(address, heard_by_both)
    explanation, candidates = candidates_of(pair, address, "connection")
    assert explanation["possible"] and explanation["code"] is None
    assert candidates["kitchen"]["verdict"] == "chosen"
    assert candidates["kitchen"]["slots_free"] == candidates["kitchen"]["slots_limit"] > 0


def test_D02_an_unknown_address_is_explained_too(start):
    pair = start(house())
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online")
    explanation = pair.get(f"/explain/{UNKNOWN}")
    assert explanation["known"] is False and explanation["code"] == "device_not_found"
    assert explanation["possible"] is False
    assert {candidate["cause"] for candidate in explanation["candidates"]} <= {"never_heard", "offline"}
    pair.get("/explain/nonsense", 400)
    pair.get(f"/explain/{UNKNOWN}?intent=dance", 422)


def test_the_past_of_a_device_is_told_per_proxy(start):
    pair = start(house())
    address = LAMP["address"]
    device = pair.wait_device(address, heard_by_both)
    past = pair.get(f"/devices/{address}/history")
    assert past["grid_s"] == 10 and past["truncated"] is False
    assert {track["proxy"] for track in past["rssi"]} == {"kitchen", "hall"}
    for track in past["rssi"]:
        assert len(track["rssi"]) == len(track["packets"])
        assert sum(track["packets"]) > 0 and track["rssi"][0] < 0
    assert [payload["raw"] for payload in past["payloads"]] == [LAMP["payload"]["raw"]]
    assert past["owners"][0]["why"] == "first"
    moment = datetime.datetime.fromisoformat(device["first_seen"].replace("Z", "+00:00"))
    before = (moment - datetime.timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert pair.get(f"/devices/{address}/history?until={before}")["payloads"] == []
    assert pair.get(f"/devices/{address}/history?since={before}")["payloads"] != []
    pair.get(f"/devices/{UNKNOWN}/history", 404)
    pair.get(f"/devices/{address}/history?since=yesterday", 400)


def test_without_a_history_the_present_is_told_all_the_same(start):
    pair = start(house(), settings={"limits": {"history_mb": 0}})
    address = LAMP["address"]
    pair.wait_device(address, heard_by_both)
    past = pair.get(f"/devices/{address}/history")
    assert past["rssi"] == past["payloads"] == past["owners"] == [] and past["truncated"] is True
    assert pair.get(f"/explain/{address}?intent=advertisement")["possible"]


def test_packets_that_a_device_counts_are_counted_per_proxy(start):
    pair = start(house())
    address = COUNTING["address"]
    pair.wait_device(address, heard_by_both)

    def told():
        _, candidates = candidates_of(pair, address, "advertisement")
        return all("of its packets in the last 10 min" in candidate["detail"] for candidate in candidates.values())
    pair.gateway.wait_for(told, 20, "losses of both proxies")
