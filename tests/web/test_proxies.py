"""Proxies added, mended, renamed, removed and adopted; a device that prefers one; the broker in words."""
import base64
import copy
import re

import pytest
from playwright.sync_api import expect

from announcer import service
from conftest import BAND, LAB
from programs import Broker

KEYED = {**copy.deepcopy(LAB), "proxies": [*LAB["proxies"], {"name": "safe", "at": [1, 1, 0], "encryption_key": True}]}


def without(name):
    def change(config):
        config["proxies"] = [proxy for proxy in config["proxies"] if proxy["name"] != name]
    return change


@pytest.fixture
def keyed(start_lab):
    """A house with a third proxy, which wants a key and is not known to the gateway."""
    lab = start_lab(KEYED, without("safe"))
    lab.gateway.wait_online(2)
    return lab


def card(page, name):
    return page.locator("proxy-card", has=page.get_by_role("link", name=name, exact=True))


def fill_new(page, name, port, key):
    page.get_by_role("button", name="Add a proxy").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Name")).fill(name)
    dialog.get_by_label(re.compile("^Host")).fill("127.0.0.1")
    dialog.get_by_label(re.compile("^Port")).fill(str(port))
    dialog.get_by_label(re.compile("^Encryption key")).fill(key)
    dialog.get_by_role("button", name="Add", exact=True).click()


def test_a_proxy_is_added_its_wrong_key_is_told_and_mended(keyed, open_page):
    safe = keyed.sim.proxies["safe"]
    page = open_page(f"{keyed.url}#/proxies")
    fill_new(page, "safe", safe["port"], base64.b64encode(bytes(32)).decode())
    expect(card(page, "safe")).to_contain_text("wrong key")
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("li", has_text="Proxy safe is away")).to_contain_text("Copy its encryption key")
    page.get_by_role("link", name="Proxies", exact=True).click()
    page.get_by_role("button", name="Settings of safe").click()
    page.get_by_label(re.compile("^Encryption key")).fill(safe["encryption_key"])
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(card(page, "safe").locator(".mark", has_text="online")).to_be_visible()


def test_what_is_wrong_with_a_new_proxy_is_told_at_its_fields(keyed, open_page):
    page = open_page(f"{keyed.url}#/proxies")
    fill_new(page, "kitchen kitchen", keyed.sim.proxies["safe"]["port"], "short")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("label", has=page.locator("[name=name]")).locator(".fault")).to_be_visible()
    expect(dialog.locator("label", has=page.locator("[name=encryption_key]")).locator(".fault")).to_be_visible()
    expect(dialog.locator("label", has=page.locator("[name=port]")).locator(".fault")).to_have_count(0)
    assert len(keyed.config()["proxies"]) == 2
    open_page.forgive("422")


def test_a_proxy_is_renamed_and_removed(lab, open_page):
    page = open_page(f"{lab.url}#/proxies")
    page.get_by_role("button", name="Settings of office").click()
    page.get_by_label(re.compile("^Name")).fill("study")
    page.get_by_role("button", name="Save").click()
    expect(card(page, "study")).to_be_visible()
    expect(card(page, "office")).to_have_count(0)
    assert [proxy["name"] for proxy in lab.config()["proxies"]] == ["kitchen", "study"]
    page.get_by_role("button", name="Remove study").click()
    page.get_by_role("button", name="Remove it").click()
    expect(card(page, "study")).to_have_count(0)
    expect(card(page, "kitchen")).to_be_visible()
    assert [proxy["name"] for proxy in lab.config()["proxies"]] == ["kitchen"]


def announce(announcer, proxy):
    texts = [f"mac={proxy['mac'].replace(':', '').lower()}", "friendly_name=Hall closet", "version=2026.8.0",
             "platform=ESP32", "board=esp32-poe", "api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256"]
    announcer.say(service("safe", texts, port=proxy["port"]))


def test_a_proxy_that_is_found_in_the_network_is_adopted(announcer, keyed, open_page):
    safe = keyed.sim.proxies["safe"]
    keyed.gateway.wait_for(lambda: "mdns.browsing" in keyed.gateway.log_text(), what="browsing")
    announce(announcer, safe)
    keyed.gateway.wait_for(lambda: keyed.gateway.items("/api/v1/proxies/discovered"), what="the announcement")
    page = open_page(f"{keyed.url}#/proxies")
    found = page.locator("li", has_text="Hall closet")
    expect(found).to_contain_text("needs its key")
    found.get_by_role("button", name="Adopt").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label(re.compile("^Name"))).to_have_value("safe")
    expect(dialog.get_by_label(re.compile("^Port"))).to_have_value(str(safe["port"]))
    dialog.get_by_label(re.compile(r"^Encryption key \(needed\)")).fill(safe["encryption_key"])
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(card(page, "safe").locator(".mark", has_text="online")).to_be_visible()
    expect(found).to_have_count(0)


def choose_way(page, proxy, word):
    page.get_by_role("navigation", name="About this device").get_by_role("link", name="Settings").click()
    page.locator(f"[name='route.{proxy}']").select_option(label=word)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; it works at once.").last).to_be_visible()


def test_a_proxy_that_is_preferred_is_the_one_that_connects(lab, open_page):
    """The kitchen hears the band best; the office connects all the same once it is preferred."""
    page = open_page(f"{lab.url}#/devices/{BAND['address']}/explain")
    chosen = page.get_by_role("region", name="Proxies judged").locator("tr", has_text="chosen")
    expect(chosen).to_contain_text("kitchen")
    choose_way(page, "office", "preferred")
    assert lab.config()["devices"][0]["route"]["prefer"] == ["office"]
    page.get_by_role("link", name="Explain").click()
    expect(chosen).to_contain_text("office")
    page.get_by_role("link", name="GATT").click()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("connected through office")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()


@pytest.fixture
def start_broker(tmp_path):
    brokers = []

    def start(port=None):
        brokers.append(Broker(tmp_path, port))
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.stop()


def test_the_broker_stands_on_the_overview_in_words(start_lab, open_page, start_broker):
    broker = start_broker()
    lab = start_lab(config_change=lambda config: config.update(mqtt={"enabled": True, "port": broker.port}))
    page = open_page(lab.url)
    line = page.locator("li", has=page.locator(".mark", has_text="mqtt"))
    words = rf"connected to mqtt://127\.0\.0\.1:{broker.port} since \d\d:\d\d:\d\d, MQTT 5"
    expect(line).to_have_text(re.compile(words))
    expect(page.get_by_role("region", name="Clients")).to_contain_text("mqtt")
    broker.stop()
    expect(line).to_contain_text("waiting retry")
    expect(page.get_by_text(f"The MQTT broker mqtt://127.0.0.1:{broker.port} is away")).to_be_visible()
    start_broker(broker.port)
    expect(line).to_contain_text("connected to", timeout=30_000)  # it waits longer each time
