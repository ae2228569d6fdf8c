"""What people do with the dashboard, in a browser."""
import datetime
import re
import time

from playwright.sync_api import expect

from conftest import BAND, THERMOMETER

NEW = {"address": "C0:FF:EE:00:00:01", "address_type": 1, "at": [2, 1, 0], "interval_ms": 200, "jitter_ms": 0,
       "payload": {"raw": "0201060c094164766572746973657273"}}
NOBODY_THERE = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_EMPTY")  # the browser's words about a server


def row(page, text):
    return page.locator("device-table tbody tr", has_text=text)


def live(page):
    return page.locator("header.top").get_by_text("Live")


def forget(lab, address):
    """Once it is silent for a second: a last packet of it might still be on its way."""
    path = f"/api/v1/devices/{address}"
    lab.gateway.wait_for(lambda: time.time() - seen_at(lab.gateway.get(path)) > 1, what="silence")
    lab.gateway.request("DELETE", path)


def seen_at(device):
    return datetime.datetime.fromisoformat(device["last_seen"]).timestamp()


def test_devices_come_and_go_while_one_looks(lab, open_page):
    page = open_page(f"{lab.url}#/devices")
    expect(row(page, "Bnd1")).to_have_count(1)
    expect(row(page, NEW["address"])).to_have_count(0)
    lab.sim.ask(do="add", device=NEW)
    expect(row(page, NEW["address"])).to_contain_text("Advertisers")
    lab.sim.ask(do="remove", device=NEW["address"])
    forget(lab, NEW["address"])
    expect(row(page, NEW["address"])).to_have_count(0)


def test_loudness_moves_by_itself(lab, open_page):
    page = open_page(f"{lab.url}#/devices")
    expect(row(page, "Bnd1").locator("svg.spark")).to_be_visible()
    before = row(page, "Bnd1").locator(".loudness").inner_text()
    lab.sim.ask(do="move", device=BAND["address"], to=[40, 1, 0])
    expect(row(page, "Bnd1").locator(".loudness")).not_to_have_text(before)


def test_filters_are_in_the_address_and_hold_after_a_reload(lab, open_page):
    page = open_page(f"{lab.url}#/devices")
    search = page.get_by_role("searchbox")
    search.fill("bnd")
    expect(row(page, "Bnd1")).to_have_count(1)
    expect(row(page, THERMOMETER["address"])).to_have_count(0)
    assert "name=bnd" in page.url
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("bnd")
    expect(row(page, THERMOMETER["address"])).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    expect(row(page, THERMOMETER["address"])).to_have_count(1)
    page.get_by_text("Filters").click()
    page.get_by_label("Service UUID").fill("fcd2")
    expect(row(page, "Bnd1")).to_have_count(0)
    expect(row(page, THERMOMETER["address"])).to_have_count(1)


def test_a_search_that_finds_nothing_says_how_to_go_on(lab, open_page):
    page = open_page(f"{lab.url}#/devices?name=nobody")
    page.get_by_role("button", name="Show all devices").click()
    expect(row(page, "Bnd1")).to_have_count(1)


def test_an_alias_is_given_in_its_place(lab, open_page):
    page = open_page(f"{lab.url}#/devices")
    row(page, "Bnd1").hover()
    page.get_by_role("button", name="Alias of Bnd1").click()
    page.get_by_label(f"Alias of {BAND['address']}").fill("Door")
    page.keyboard.press("Enter")
    expect(row(page, BAND["address"])).to_contain_text("Door")
    assert lab.gateway.get(f"/api/v1/devices/{BAND['address']}")["alias"] == "Door"


def test_a_wrong_setting_is_told_at_its_field(lab, open_page):
    page = open_page(f"{lab.url}#/devices/{BAND['address']}/settings")
    page.get_by_label("Ask it every (s)").fill("5")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("label", has_text="Ask it every").locator(".fault").first).to_be_visible()
    open_page.forgive("422")  # the browser says so, too
    page.get_by_label("Ask it every (s)").fill("300")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; it works at once.")).to_be_visible()
    saved = lab.gateway.get(f"/api/v1/devices/{BAND['address']}")["settings"]
    assert saved["active_scan"] == {"interval_s": 300, "duration_s": 10}


def characteristic(page, handle):
    return page.locator("gatt-characteristic", has_text=f"handle {handle}")


def test_a_value_is_read_written_and_listened_to(lab, open_page):
    page = open_page(f"{lab.url}#/devices/{BAND['address']}/gatt")
    page.get_by_role("button", name="Connect", exact=True).click()
    battery = characteristic(page, 12)
    expect(battery).to_contain_text("Battery Level")
    battery.get_by_role("button", name="Read").click()
    expect(battery.locator(".gatt-value code")).to_have_text("87")
    battery.get_by_label(re.compile("Format of")).select_option("hex")
    expect(battery.locator(".gatt-value code")).to_have_text("57")

    echo = characteristic(page, 21)
    echo.get_by_label(re.compile("New value of")).fill("01 f")
    echo.get_by_role("button", name="Write").click()
    expect(echo.get_by_role("alert")).to_contain_text("Pairs of hex digits")
    echo.get_by_label(re.compile("Format of")).select_option("text")
    echo.get_by_label(re.compile("New value of")).fill("hello")
    echo.get_by_role("button", name="Write").click()
    expect(echo.locator(".gatt-value code")).to_have_text("hello")

    ticks = characteristic(page, 25)
    ticks.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.locator(".notifications li").nth(4)).to_be_visible()
    ticks.get_by_role("button", name="Unsubscribe").click()
    page.get_by_text("Connection parameters").click()
    page.get_by_role("button", name="Ask for them").click()
    expect(page.get_by_text("The device was asked for these parameters.")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    lab.gateway.wait_for(lambda: lab.gateway.get(f"/api/v1/devices/{BAND['address']}/connection")["leases"] == [])


def wait_unlinked(lab, address):
    path = f"/api/v1/devices/{address}/connection"
    lab.gateway.wait_for(lambda: lab.gateway.get(path)["state"] == "none", what="no link and nobody who wants one")


def test_a_connection_that_does_not_come_is_called_off(lab, open_page):
    """The thermometer does not answer: nobody has to wait for that, not even the gateway."""
    page = open_page(f"{lab.url}#/devices/{THERMOMETER['address']}/gatt")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(re.compile("connecting through (kitchen|office)"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Connect", exact=True)).to_be_visible()
    wait_unlinked(lab, THERMOMETER["address"])
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(re.compile("connecting through (kitchen|office)"))).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    wait_unlinked(lab, THERMOMETER["address"])


def test_leaving_the_page_lets_go_of_the_link(lab, open_page):
    page = open_page(f"{lab.url}#/devices/{BAND['address']}/gatt")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("button", name="Disconnect")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    lab.gateway.wait_for(lambda: lab.gateway.get(f"/api/v1/devices/{BAND['address']}/connection")["leases"] == [])


def test_a_gateway_that_restarts_is_told_and_found_again(lab, open_page):
    page = open_page(f"{lab.url}#/devices")
    expect(row(page, "Bnd1")).to_have_count(1)
    lab.stop_gateway()
    expect(page.get_by_role("alert")).to_contain_text("connects again by itself")
    lab.start_gateway()
    expect(live(page)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    lab.sim.ask(do="add", device=NEW)
    expect(row(page, NEW["address"])).to_have_count(1)
    open_page.forgive(*NOBODY_THERE)


def test_a_proxy_that_is_away_is_told_with_its_reason_and_the_next_step(lab, open_page):
    page = open_page(f"{lab.url}#/overview")
    expect(page.get_by_text("Nothing: everything works as it should.")).to_be_visible()
    lab.sim.fault("office", "refuse")
    lab.sim.fault("office", "drop")
    matter = page.locator("li", has_text="Proxy office is away")
    expect(matter).to_be_visible()
    matter.get_by_role("link", name="Look at it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("office")
    expect(page.locator("proxy-card")).to_contain_text("not reachable")


def test_the_scan_mode_of_a_proxy_is_chosen(lab, open_page):
    page = open_page(f"{lab.url}#/proxies")
    page.get_by_label("Scan mode of kitchen").select_option("active")
    expect(page.get_by_text("kitchen scans active from now on.")).to_be_visible()
    assert lab.gateway.get("/api/v1/proxies/kitchen")["scanner"]["configured"] == "active"


def test_windows_appear_on_the_line_of_time(lab, open_page):
    page = open_page(f"{lab.url}#/scanning")
    page.get_by_role("button", name="Scan actively").click()
    expect(page.locator("rect.window.running")).to_have_count(2)


def test_a_narrow_page_has_a_menu_and_no_sideways_scrolling(house, open_page):
    page = open_page(f"{house.url}#/devices", width=360, height=720)
    expect(page.locator("device-table tbody tr").nth(5)).to_be_visible()
    for name in ("Overview", "Proxies", "Map", "Scanning", "Connections", "Recorder", "Logs", "About", "Devices"):
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_dark_follows_the_system_and_the_switch(house, open_page):
    page = open_page(house.url, scheme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name=re.compile("Colours")).click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")


def test_the_keyboard_reaches_search_and_rows(house, open_page):
    page = open_page(f"{house.url}#/devices")
    expect(page.locator("device-table tbody tr").nth(5)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    first = page.locator("device-table tbody a").first
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("device-table tbody tr:not(.space)").nth(1).locator(".name a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="GATT")).to_be_visible()


def test_columns_are_chosen_and_kept(lab, open_page):
    page = open_page(f"{lab.url}#/devices")
    page.get_by_text("Columns").click()
    page.get_by_label("Payload").check()
    page.get_by_label("Interval").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Interval")).to_be_hidden()
    page.reload()
    expect(row(page, THERMOMETER["address"])).to_contain_text(THERMOMETER["payload"]["raw"])
    expect(page.get_by_role("columnheader", name="Interval")).to_have_count(0)


def test_rows_beyond_the_view_do_not_exist_and_come_when_scrolled_to(house, open_page):
    page = open_page(f"{house.url}#/devices?sort=address")
    rows = page.locator("device-table tbody tr:not(.space)")
    expect(page.locator("device-table table")).to_have_attribute("aria-rowcount", re.compile("^[5-9][0-9]$"))
    assert rows.count() < 45
    before = rows.last.inner_text()
    page.locator(".virtual").evaluate("box => box.scrollTop = box.scrollHeight")
    expect(rows.last).not_to_contain_text(before.split()[0])
    count = page.locator("device-table table").get_attribute("aria-rowcount")
    expect(rows.last).to_have_attribute("aria-rowindex", count)


def test_a_replay_under_other_rules_is_compared(house, open_page):
    page = open_page(f"{house.url}#/recorder")
    page.get_by_label("How much louder a new owner must be (dB)").fill("40")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("region", name="Comparison").locator("tr", has_text="Owner changes")).to_be_visible()


def test_a_slot_that_nobody_holds_is_freed_by_hand(lab, open_page):
    lab.sim.ask(do="occupy_slot", proxy="kitchen", device=BAND["address"])
    page = open_page(f"{lab.url}#/proxies/kitchen")
    page.get_by_role("region", name="Slots of kitchen").get_by_role("button", name="Free").click()
    page.get_by_role("button", name="Free it").click()
    expect(page.get_by_text("The slot is free.")).to_be_visible()
    expect(page.get_by_role("region", name="Slots of kitchen")).to_have_count(0)
