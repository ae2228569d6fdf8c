"""Settings, their versions and the log, against the gateway as it is."""
import re

from playwright.sync_api import expect

MARGIN = "ownership.margin_db"


def change_margin(page, value):
    page.get_by_label(MARGIN).fill(value)
    page.get_by_role("button", name="Save").click()


def setting(page, label):
    return page.locator(".setting", has_text=label)


def test_settings_are_written_as_what_changed_and_nothing_else(lab, open_page):
    before = lab.config()
    page = open_page(f"{lab.url}#/settings/scan")
    page.get_by_label(MARGIN).fill("12")
    page.get_by_label("apple_filter").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; it works at once.")).to_be_visible()
    assert lab.config() == {**before, "scan": {"ownership": {"margin_db": 12}, "apple_filter": False}}


def test_every_setting_is_explained(lab, open_page):
    page = open_page(f"{lab.url}#/settings")
    tabs = page.get_by_role("navigation", name="Sections").get_by_role("link")
    expect(tabs.nth(5)).to_be_visible()
    for index in range(tabs.count()):
        tabs.nth(index).click()
        for text in page.locator(".setting > div:first-child .help").all_inner_texts():
            assert len(text) > 3


def test_a_refused_setting_is_told_at_its_field(lab, open_page):
    page = open_page(f"{lab.url}#/settings/scan")
    page.get_by_label(MARGIN).fill("many")
    expect(setting(page, MARGIN)).to_contain_text("A number is needed.")
    change_margin(page, "99")
    expect(setting(page, MARGIN).get_by_role("alert")).to_contain_text("found 99")
    assert "scan" not in lab.config()
    change_margin(page, "12")
    expect(page.get_by_text("Saved; it works at once.")).to_be_visible()
    open_page.forgive("422")


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(lab, open_page):
    page, other = open_page(f"{lab.url}#/settings/scan"), open_page(f"{lab.url}#/settings/scan")
    expect(page.get_by_label(MARGIN)).to_have_value("16")
    change_margin(other, "12")
    expect(other.get_by_text("Saved; it works at once.")).to_be_visible()
    change_margin(page, "20")
    expect(page.get_by_text("Somebody else changed the settings meanwhile")).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_label(MARGIN)).to_have_value("12")
    open_page.forgive("412")


def test_a_setting_that_needs_a_restart_waits_for_it_and_then_works(restartable, open_page):
    page = open_page(f"{restartable.url}#/settings/log")
    page.get_by_label("ring").fill("50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; /log/ring after a restart.")).to_be_visible()
    page.get_by_role("button", name="Restart for 1 setting").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(page.get_by_role("button", name="Restart for 1 setting")).to_have_count(0)
    assert restartable.gateway.get("/api/v1/info")["restart_required"] == []
    open_page.forgive("ERR_", "503")


def test_earlier_settings_are_compared_and_come_back(lab, open_page):
    before = lab.config()
    page = open_page(f"{lab.url}#/settings/versions")
    expect(page.get_by_text("No earlier version yet")).to_be_visible()
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Scanning").click()
    change_margin(page, "12")
    expect(page.get_by_text("Saved; it works at once.")).to_be_visible()
    page.get_by_role("link", name="Versions").click()
    differs = page.get_by_role("region", name="What differs").locator("tbody tr")
    expect(differs).to_have_count(1)
    expect(differs).to_have_text(re.compile(r"scan\.ownership\.margin_db\s*12\s*16"))
    page.get_by_role("button", name="Go back to it").click()
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    expect(page.get_by_text("Gone back; it works at once.")).to_be_visible()
    assert lab.config() == before
    expect(differs).to_have_text(re.compile(r"scan\.ownership\.margin_db\s*16\s*12"))
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Scanning").click()
    expect(page.get_by_label(MARGIN)).to_have_value("16")


def test_a_list_leads_to_the_pages_of_its_entries(lab, open_page):
    page = open_page(f"{lab.url}#/settings/lists")
    setting(page, "proxies").get_by_role("link", name="office").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("office")


def test_the_level_of_the_log_is_chosen_where_it_is_read(lab, open_page):
    page = open_page(f"{lab.url}#/logs?level=debug")
    lines = page.get_by_role("region", name="Log").locator("tbody tr")
    expect(lines.first).to_be_visible()
    expect(lines.filter(has_text="debug")).to_have_count(0)
    page.get_by_label("Level that the gateway writes").select_option("debug")
    expect(page.get_by_text("The gateway writes debug and worse from now on.")).to_be_visible()
    assert lab.config()["log"] == {"level": "debug"}
    lab.sim.fault("office", "drop")
    expect(lines.filter(has_text="debug").first).to_be_visible()
    page.get_by_label("Level", exact=True).select_option("warning")
    expect(lines.filter(has_text="debug")).to_have_count(0)
