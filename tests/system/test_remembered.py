"""What was known before a restart is known after it, before any proxy is back."""
from conftest import BIN, NAMED, THERMOMETER, Gateway, house

PROXIES = [{"name": "kitchen", "at": [0, 0, 0], "profile": "2026"},
           {"name": "office", "at": [12, 0, 0], "profile": "2026"}]


def sources_of(device):
    return {source["proxy"]: source["owner"] for source in device["sources"]}


def test_P06_a_device_comes_back_with_its_name_its_sources_and_its_owner(start):
    pair = start(house(PROXIES), settings={"scan": {"default_mode": "active"}})  # names are in scan responses
    pair.gateway.wait_online(2)
    heard = pair.wait_device(THERMOMETER["address"], lambda device: len(device["sources"]) == 2)
    named = pair.wait_device(NAMED["address"], lambda device: device["name"] and len(device["sources"]) == 2)
    code, _ = pair.gateway.stop()
    assert code == 0, pair.gateway.tail()
    pair.sim.stop()
    pair.gateway = Gateway(BIN, pair.sim.gateway_config.parent, pair.sim.gateway_config, log_level="debug")
    again = pair.get(f"/devices/{THERMOMETER['address']}")
    assert sources_of(again) == sources_of(heard)
    assert sum(sources_of(again).values()) == 1
    assert again["available"]
    assert pair.get(f"/devices/{NAMED['address']}")["name"] == named["name"]
    assert all(proxy["state"] != "online" for proxy in pair.get("/proxies")["items"])
