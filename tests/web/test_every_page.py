"""Every page, light and dark: no serious fault for those who use a screen reader, and a picture of it in
build/screenshots."""
import pytest
from playwright.sync_api import expect

from looks import look_at

PAGES = ["overview", "devices", "proxies", "map", "scanning", "connections", "recorder", "settings",
         "settings/versions", "access", "logs", "about"]
TABS = ["signal", "data", "explain", "gatt", "settings"]


@pytest.fixture(scope="session")
def meter(house):
    """A device of the demo with something inside."""
    devices = house.sim.status()["devices"].values()
    address = next(device["address"] for device in devices if device["name"] == "bedroom meter")
    house.gateway.wait_for(lambda: house.gateway.request("GET", f"/api/v1/devices/{address}").status == 200)
    assert house.gateway.request("GET", f"/api/v1/devices/{address}/services").status == 200
    return address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_shuts_nobody_out(house, open_page, name, scheme):
    page = open_page(f"{house.url}#/{name}", scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look_at(page, name.replace("/", "-"), scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_a_tab_of_a_device_shuts_nobody_out(house, open_page, meter, tab, scheme):
    page = open_page(f"{house.url}#/devices/{meter}/{tab}", scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look_at(page, f"device-{tab}", scheme)


@pytest.mark.parametrize("name", ["overview", "devices", "proxies"])
def test_a_page_fits_a_phone(house, open_page, name):
    page = open_page(f"{house.url}#/{name}", width=390, height=844)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look_at(page, f"{name}-phone", "light")
