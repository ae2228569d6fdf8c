"""The pages of the part config, with answers as the contract has them in place of the gateway's."""
import json
import re

import pytest
from playwright.sync_api import expect

from conftest import TOP
from looks import look_at

SCHEMA = json.loads((TOP / "schema/config.schema.json").read_text(encoding="utf-8"))
CONFIG = {"http": {"listen": "127.0.0.1:8080", "hosts": ["blefleet.local"]},
          "mqtt": {"enabled": True, "password": "***"},
          "scan": {"ownership": {"margin_db": 16}},
          "proxies": [{"name": "kitchen", "host": "kitchen.local"}]}
ADMIN = {"authenticated": True, "auth_required": True, "first_run": False, "name": "ops", "role": "admin",
         "via": "cookie", "expires": "2027-01-01T00:00:00.000Z"}
NOBODY = {**ADMIN, "authenticated": False, "name": None, "role": None, "via": None, "expires": None}
TOKENS = [{"name": "ops", "role": "admin", "created": "2026-11-20T10:00:00.000Z", "last_used": None, "source": "store"},
          {"name": "env", "role": "admin", "created": None, "last_used": None, "source": "environment"}]
AUDIT = [{"time": "2026-11-21T10:00:00.000Z", "actor": "ops", "role": "admin", "remote": "192.0.2.7:51234",
          "action": "PATCH /config", "status": 200, "changed": ["/log/level"]}]
FOUND = {"name": "hall", "friendly_name": "Hall", "host": "hall.local", "port": 6053, "addresses": ["192.0.2.9"],
         "mac": "24:6F:28:AA:BB:CC", "esphome_version": "2026.8.0", "platform": "ESP32", "board": "esp32-poe",
         "network": "ethernet", "encryption": "required", "bluetooth_proxy": True, "configured": False,
         "last_seen": "2026-11-21T10:00:00.000Z"}


@pytest.fixture
def answers(house):
    info = house.gateway.get("/api/v1/info")
    return {("GET", "/info"): (200, {**info, "parts": [*info["parts"], "config"]}), ("GET", "/session"): (200, ADMIN),
            ("GET", "/config"): (200, CONFIG), ("GET", "/config/schema"): (200, SCHEMA),
            ("GET", "/tokens"): (200, {"items": TOKENS, "next": None}),
            ("GET", "/audit"): (200, {"items": AUDIT, "next": None}),
            ("GET", "/proxies/discovered"): (200, {"items": [FOUND]})}


def keep(sent, status, document):
    """An answer that remembers what it was asked."""
    def answer(request):
        sent.append((request.headers, json.loads(request.post_data or "null")))
        return status, document
    return answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["settings", "access", "about", "proxies"])
def test_a_page_of_config_shuts_nobody_out(house, open_page, answers, name, scheme):
    page = open_page(f"{house.url}#/{name}", scheme=scheme, answers=answers)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look_at(page, f"config-{name}", scheme)


def test_settings_are_sent_as_what_changed_and_nothing_else(house, open_page, answers):
    sent = []
    answers["PATCH", "/config"] = keep(sent, 200, {"changed": ["/scan/ownership/margin_db"], "restart_required": []})
    page = open_page(f"{house.url}#/settings/scan", answers=answers)
    page.get_by_label("ownership.margin_db").fill("12")
    page.get_by_label("apple_filter").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; it works at once.")).to_be_visible()
    headers, patch = sent[0]
    assert patch == {"scan": {"ownership": {"margin_db": 12}, "apple_filter": True}}
    assert headers["if-match"] == '"1"'


def test_a_refused_setting_is_told_at_its_field(house, open_page, answers):
    fault = {"pointer": "/scan/ownership/margin_db", "detail": "must be at most 60"}
    answers["PATCH", "/config"] = (422, {"type": "/problems/invalid_request", "title": "Invalid request", "status": 422,
                                         "detail": "one field is wrong", "code": "invalid_request", "errors": [fault]})
    page = open_page(f"{house.url}#/settings/scan", answers=answers)
    page.get_by_label("ownership.margin_db").fill("many")
    expect(page.locator(".setting", has_text="ownership.margin_db")).to_contain_text("A number is needed.")
    page.get_by_label("ownership.margin_db").fill("99")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".setting", has_text="ownership.margin_db")).to_contain_text("must be at most 60")
    assert "422" in open_page.complaints.pop()


def test_a_found_proxy_is_adopted_with_its_key(house, open_page, answers):
    sent = []
    answers["POST", "/proxies"] = keep(sent, 201, {})
    page = open_page(f"{house.url}#/proxies", answers=answers)
    page.get_by_role("button", name="Adopt").click()
    expect(page.get_by_label(re.compile("^Name"))).to_have_value("hall")
    page.get_by_label(re.compile(r"^Encryption key \(needed\)")).fill("c2VjcmV0")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert sent[0][1] == {"name": "hall", "host": "hall.local", "port": 6053, "area": "Hall", "weight": 0,
                          "enabled": True, "encryption_key": "c2VjcmV0"}


def test_a_new_token_is_shown_once(house, open_page, answers):
    made = {**TOKENS[0], "name": "panel", "token": "blf_" + "a" * 43}
    answers["POST", "/tokens"] = (201, made)
    page = open_page(f"{house.url}#/access", answers=answers)
    page.get_by_label("Name of the new token").fill("panel")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("dialog")).to_contain_text(made["token"])
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert made["token"] not in page.content()


def test_who_is_not_known_signs_in(house, open_page, answers):
    sent = []
    answers["GET", "/session"] = (200, NOBODY)
    answers["GET", "/info"], info = (401, {"code": "unauthorized"}), answers["GET", "/info"]
    page = open_page(house.url, answers=answers)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    look_at(page, "sign-in", "light")
    answers["POST", "/session"] = keep(sent, 200, ADMIN)
    answers["GET", "/session"] = (200, ADMIN)
    answers["GET", "/info"] = info
    page.get_by_label("Token").fill("blf_secret")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert sent[0][1] == {"token": "blf_secret"}
    assert all("401" in text for text in open_page.complaints)
    open_page.complaints.clear()


def test_the_first_run_makes_the_first_token_or_leaves_it(house, open_page, answers):
    answers["GET", "/session"] = (200, {**NOBODY, "auth_required": False, "first_run": True})
    page = open_page(house.url, answers=answers, is_first=True)
    look_at(page, "first-run", "light")
    page.get_by_role("button", name="Later").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
