"""A backup out of the browser, and the way back through it."""
import contextlib
import re

from playwright.sync_api import expect

PASSPHRASE = "correct horse battery"


def hand_in(page, path, passphrase):
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_label("Passphrase, if it has one").fill(passphrase)
    page.get_by_role("button", name="Restore").click()


def is_back(house):
    with contextlib.suppress(OSError):
        return house.gateway.request("GET", "/readyz").status == 200


def test_a_backup_is_made_checked_and_taken_back_by_a_restart(restartable, open_page, tmp_path):
    page = open_page(f"{restartable.url}#/about")
    page.get_by_label(re.compile("^Passphrase(?!,)")).fill(PASSPHRASE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Make a backup").click()
    path = tmp_path / "backup.db"
    download.value.save_as(path)
    before = restartable.config()
    restartable.gateway.request("PATCH", "/api/v1/config", body='{"scan":{"ownership":{"margin_db":12}}}',
                        headers={"Content-Type": "application/json"})
    assert restartable.config() != before

    hand_in(page, path, "wrong horse battery")
    expect(page.locator(".toast.error")).to_contain_text("passphrase")
    open_page.forgive("422")
    hand_in(page, path, PASSPHRASE)
    expect(page.get_by_text("is good; it is taken at the next start.")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    restartable.gateway.wait_for(lambda: restartable.config() == before, what="the settings of the backup")
    restartable.gateway.wait_for(lambda: is_back(restartable), what="the gateway")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Scanning").click()
    expect(page.get_by_label("ownership.margin_db")).to_have_value("16")
    open_page.forgive("ERR_", "503")
