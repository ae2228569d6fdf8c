"""Who may come in, and what each may do, against the gateway as it is."""
import re

from playwright.sync_api import expect

from conftest import BAND, bearer
from looks import look_at

PAGES = ["overview", "devices", "proxies", "proxies/kitchen", "map", "scanning", "connections", "recorder", "settings",
         "settings/versions", "logs", "about"]
TABS = ["signal", "data", "explain", "gatt", "settings"]


def heading(page):
    return page.get_by_role("heading", level=1)


def test_the_first_run_makes_the_first_token_and_comes_in_with_it(lab, open_page):
    page = open_page(lab.url, is_first=True)
    expect(heading(page)).to_have_text("Welcome to blefleet")
    look_at(page, "first-run", "light")
    page.get_by_label("Your name").fill("ops")
    page.get_by_role("button", name="Make my admin token").click()
    secret = page.locator(".secret code").inner_text()
    assert lab.gateway.request("GET", "/api/v1/info").status == 401
    page.get_by_role("button", name="I have it").click()
    expect(heading(page)).to_have_text("Overview")
    page.get_by_role("link", name="About").click()
    expect(page.get_by_text("ops", exact=True)).to_be_visible()

    other = open_page(lab.url)
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    look_at(other, "sign-in", "light")
    other.get_by_label("Token").fill("blf_" + "a" * 43)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("alert")).to_be_visible()
    other.get_by_label("Token").fill(secret)
    other.get_by_role("button", name="Sign in").click()
    expect(heading(other)).to_have_text("Overview")
    expect(other.get_by_role("row", name=re.compile("kitchen"))).to_be_visible()
    open_page.forgive("401")


def test_the_first_token_can_wait_and_is_not_asked_for_again(lab, open_page):
    page = open_page(lab.url, is_first=True)
    page.get_by_role("button", name="Later").click()
    expect(heading(page)).to_have_text("Overview")
    page.reload()
    expect(heading(page)).to_have_text("Overview")


def test_the_first_token_of_the_form_is_an_admin_and_then_all_roles_are_offered(lab, open_page):
    page = open_page(f"{lab.url}#/access")
    roles = page.get_by_label("Role of the new token").locator("option")
    expect(roles).to_have_count(1)
    page.get_by_label("Name of the new token").fill("ops")
    page.get_by_role("button", name="Make a token").click()
    secret = page.get_by_role("dialog").locator("code").inner_text()
    assert lab.gateway.request("GET", "/api/v1/tokens", headers=bearer(secret)).json()["items"][0]["role"] == "admin"
    page = open_page(f"{lab.url}#/access", token=secret)
    expect(page.get_by_label("Role of the new token").locator("option")).to_have_count(3)
    open_page.forgive("401")


def test_signing_out_leaves_nothing_behind(lab, open_page):
    page = open_page(f"{lab.url}#/about", token=lab.make_token("ops", "admin"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()
    open_page.forgive("401")


def test_a_token_is_made_shown_once_and_revoked(lab, open_page):
    admin = lab.make_token("ops", "admin")
    page = open_page(f"{lab.url}#/access", token=admin)
    page.get_by_label("Name of the new token").fill("panel")
    page.get_by_label("Role of the new token").select_option("read")
    page.get_by_role("button", name="Make a token").click()
    secret = page.get_by_role("dialog").locator("code").inner_text()
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert secret not in page.content()
    assert lab.gateway.request("GET", "/api/v1/info", headers=bearer(secret)).status == 200

    panel = page.get_by_role("region", name="Tokens").get_by_role("row", name=re.compile("panel"))
    panel.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(panel).to_have_count(0)
    assert lab.gateway.request("GET", "/api/v1/info", headers=bearer(secret)).status == 401


def test_a_session_that_is_revoked_ends_while_one_looks(lab, open_page):
    admin = lab.make_token("ops", "admin")
    page = open_page(f"{lab.url}#/devices", token=lab.make_token("guest", "read", by=admin))
    expect(page.locator("device-table tbody tr", has_text="Bnd1")).to_have_count(1)
    assert lab.gateway.request("DELETE", "/api/v1/tokens/guest", headers=bearer(admin)).status == 204
    expect(page.get_by_label("Token")).to_be_visible()
    open_page.forgive("401", "ERR_INCOMPLETE")


def test_what_was_done_is_told_with_who_did_it(lab, open_page):
    admin = lab.make_token("ops", "admin")
    page = open_page(f"{lab.url}#/settings/scan", token=admin)
    page.get_by_label("ownership.margin_db").fill("12")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; it works at once.")).to_be_visible()
    page.get_by_role("link", name="Access").click()
    entry = page.get_by_role("region", name="What was done").locator("tr", has_text="PATCH")
    expect(entry).to_contain_text("ops admin")
    expect(entry).to_contain_text("/scan/ownership/margin_db")


def press_everything(page):
    """Each button of the page once; how many there were."""
    buttons = page.locator("main button:visible:enabled", has_not_text="Sign out")
    count = buttons.count()
    for index in range(count):
        button = buttons.nth(index)
        if button.is_visible() and button.is_enabled():
            button.click()
            page.keyboard.press("Escape")
    return count


def test_who_may_only_read_sees_no_button_that_is_refused(lab, open_page):
    """Every button on every page is pressed, and the gateway refuses none of it."""
    admin = lab.make_token("ops", "admin")
    lab.gateway.get(f"/api/v1/devices/{BAND['address']}/services", headers=bearer(admin))  # there is a tree to look at
    page = open_page(lab.url, token=lab.make_token("guest", "read", by=admin))
    refused, pressed = [], 0
    page.on("response", lambda answer: answer.status in (401, 403) and refused.append(answer.url))
    for place in PAGES + [f"devices/{BAND['address']}/{tab}" for tab in TABS]:
        page.goto(f"{lab.url}#/{place}")
        expect(heading(page)).to_be_visible()
        expect(page.locator(".loading")).to_have_count(0)
        pressed += press_everything(page)
    assert refused == []
    assert pressed > 12


def test_who_may_only_read_sees_values_and_no_way_to_change_them(lab, open_page):
    admin = lab.make_token("ops", "admin")
    page = open_page(f"{lab.url}#/proxies", token=lab.make_token("guest", "read", by=admin))
    expect(page.get_by_role("link", name="kitchen")).to_be_visible()
    forbidden = re.compile("Add a proxy|Reconnect|Remove|Settings of|Scan now")
    expect(page.get_by_role("button", name=forbidden)).to_have_count(0)
    expect(page.get_by_label("Scan mode of kitchen")).to_be_hidden()
    expect(page.get_by_role("link", name="Access")).to_have_count(0)
    page.goto(f"{lab.url}#/settings/scan")
    expect(page.get_by_label("ownership.margin_db")).to_be_disabled()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.goto(f"{lab.url}#/access")
    expect(page.get_by_text("This page is not for your role")).to_be_visible()


def test_who_controls_works_with_devices_and_changes_no_settings(lab, open_page):
    admin = lab.make_token("ops", "admin")
    page = open_page(f"{lab.url}#/proxies", token=lab.make_token("panel", "control", by=admin))
    page.get_by_label("Scan mode of kitchen").select_option("active")
    expect(page.get_by_text("kitchen scans active from now on.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Add a proxy|Remove|Settings of"))).to_have_count(0)
