"""Windows of active scanning from outside: who asks for them, who runs them, and what comes of proxies that do not
do as they are told. Intervals of needs begin at 60 s, so what is looked at is each time the first window."""
import json
import threading
import time

import pytest
from conftest import BIN, NAMED, THERMOMETER, Gateway, house
from test_events import Stream

# Configured to scan actively, so that a proxy which forgets what it was told would be noticed.
PROXIES = [
    {"name": "kitchen", "at": [0, 0, 0], "profile": "2026", "scan": "active"},
    {"name": "office", "at": [10, 0, 0], "profile": "2025", "scan": "active"},
    {"name": "shed", "at": [500, 0, 0], "profile": "2022", "scan": "passive"},
]
SHY = {"address": "C0:FF:EE:00:00:02", "address_type": 1, "at": [499, 1, 0], "interval_ms": 200, "jitter_ms": 0,
       "payload": {"raw": "020106", "scan_response": "0409736879"}}
SECOND = {"address": "C0:FF:EE:00:00:03", "address_type": 1, "at": [1, 1, 0], "interval_ms": 200, "jitter_ms": 0,
          "payload": {"raw": "020106", "scan_response": "0409322e30"}}
SETTINGS = {"scan": {"windows": {"retry_s": 5, "confirm_s": 1.0}}}


def is_passive(pair, name):
    proxy = pair.sim.status()["proxies"][name]
    return proxy["mode"] == "passive" and proxy["scanner"] == "running"


def wait_passive(pair, *names):
    pair.gateway.wait_for(lambda: all(is_passive(pair, name) for name in names), 10, f"{names} passive")


def windows(pair, query=""):
    return pair.get(f"/scan/windows?limit=1000{query}")["items"]


def wait_window(pair, number, state, limit_s=10.0):
    """The window with this id, when it has come to that state."""
    def look():
        return next((window for window in windows(pair) if window["id"] == number and window["state"] == state), None)
    return pair.gateway.wait_for(look, limit_s, f"{number} {state}")


def open_windows(pair, status=201, **wish):
    answer = pair.ask("POST", "/api/v1/scan/windows", status, body=json.dumps(wish)).json()
    return answer["items"] if status == 201 else answer


def set_mode(pair, name, mode):
    answer = pair.ask("PUT", f"/api/v1/proxies/{name}/scanner", body=json.dumps({"mode": mode})).json()
    assert answer["scanner"]["configured"] == mode


def put_need(pair, address, **wish):
    return pair.ask("PUT", f"/api/v1/scan/needs/{address}", body=json.dumps(wish)).json()


def end_need(pair, address):
    assert pair.gateway.request("DELETE", f"/api/v1/scan/needs/{address}").status == 204


def need_of(pair, address):
    return next((need for need in pair.get("/scan/needs")["items"] if need["address"] == address), None)


def lines(pair, event):
    return [line for line in pair.gateway.log_text().splitlines() if f" {event} " in line]


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("scan", house(PROXIES, (THERMOMETER, NAMED, SHY, SECOND)), settings=SETTINGS)
    pair.gateway.wait_online(len(PROXIES))
    wait_passive(pair, "kitchen", "office")
    for name in ("kitchen", "office"):
        pair.wait_proxy(name, lambda proxy: proxy["scanner"]["mode"] == "passive")
    pair.wait_device(NAMED["address"], lambda device: device["proxy"] == "office" and len(device["sources"]) > 1)
    pair.wait_device(SHY["address"], lambda device: device["proxy"] == "shed")
    return pair


@pytest.fixture(autouse=True)
def quiet(pair):
    """Each test begins and ends without needs, windows and faults."""
    yield
    pair.sim.ask(do="clear", proxy="*")
    for need in pair.get("/scan/needs")["items"]:
        end_need(pair, need["address"])
    for name in ("kitchen", "office"):
        set_mode(pair, name, "passive")
        set_mode(pair, name, "auto")
    wait_passive(pair, "kitchen", "office")


def test_S03_a_need_gets_its_first_window_at_once_and_a_name_comes_of_it(pair):
    before = {window["id"] for window in windows(pair)}
    started = time.monotonic()
    need = put_need(pair, NAMED["address"], interval_s=60, duration_s=5)
    assert need["interval_s"] == 60 and need["duration_s"] == 5
    named = pair.wait_device(NAMED["address"], lambda device: device["name"] == "Advertisers", 5)
    assert time.monotonic() - started < 5
    assert named["settings"]["active_scan"] == {"interval_s": 60, "duration_s": 5}
    ran = pair.gateway.wait_for(lambda: [window for window in windows(pair, "&state=done")
                                         if window["id"] not in before], 10, "the end of the window")
    assert [(window["proxy"], window["cause"], window["addresses"], window["answered"]) for window in ran] == \
        [("office", "need", [NAMED["address"]], 1)]
    after = need_of(pair, NAMED["address"])
    assert after["state"] == "waiting" and after["last_window"] == ran[0]["id"] and after["answered"] == 1


def test_S02_only_the_owner_runs_the_window_of_a_need(pair):
    before = {window["id"] for window in windows(pair)}
    put_need(pair, SECOND["address"], interval_s=60, duration_s=5)
    ran = pair.gateway.wait_for(lambda: [window for window in windows(pair, "&state=done")
                                         if window["id"] not in before], 10, "the end of the window")
    assert {window["proxy"] for window in windows(pair) if window["id"] not in before} == {"kitchen"}
    need = need_of(pair, SECOND["address"])
    due = time.strptime(need["next_due"][:19], "%Y-%m-%dT%H:%M:%S")
    planned = time.strptime(ran[0]["planned"][:19], "%Y-%m-%dT%H:%M:%S")
    assert 59 <= time.mktime(due) - time.mktime(planned) <= 62


def test_S11_after_a_window_the_proxy_scans_passively_again(pair):
    events = Stream(pair, "?types=scan_window,proxy")
    [window] = open_windows(pair, proxies=["kitchen"], address=SECOND["address"], duration_s=5)
    assert window["state"] == "opening" and window["cause"] == "request"
    shown = pair.wait_proxy("kitchen", lambda proxy: proxy["scanner"]["window"] == window["id"])
    assert shown["scanner"] == {"configured": "auto", "mode": "active", "state": "running", "window": window["id"]}
    seen = events.until(lambda event, identity, data: event == "scan_window" and data["action"] == "closed")
    told = [data for event, _, data in seen if event == "scan_window"]
    assert [(data["action"], data["window"]["id"]) for data in told] == [("opened", window["id"]), ("closed", window["id"])]
    wait_passive(pair, "kitchen")
    pair.wait_proxy("kitchen", lambda proxy: proxy["scanner"]["mode"] == "passive" and not proxy["scanner"]["window"])


def test_S09_a_longer_request_makes_the_window_longer(pair):
    events = Stream(pair, "?types=scan_window")
    [first] = open_windows(pair, proxies=["kitchen"], duration_s=5)
    wait_window(pair, first["id"], "running")
    [second] = open_windows(pair, proxies=["kitchen"], duration_s=20)
    assert second["id"] == first["id"] and second["duration_s"] > 15
    seen = events.until(lambda event, identity, data: data["action"] == "extended")
    assert {data["window"]["id"] for _, _, data in seen} == {first["id"]}


def test_S08_discoveries_at_the_same_time_share_their_windows(pair):
    answers = []

    def discover(duration_s):
        answers.append(pair.ask("POST", "/api/v1/scan/discover", body=json.dumps({"duration_s": duration_s})).json())

    threads = [threading.Thread(target=discover, args=(duration,)) for duration in (3, 2)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    running = pair.gateway.wait_for(lambda: len(windows(pair, "&state=running")) == 2 and windows(pair, "&state=running"),
                                    2, "two windows")
    for thread in threads:
        thread.join()
    assert 3 <= time.monotonic() - started < 6
    assert {window["cause"] for window in running} == {"discover"}
    assert {window["proxy"] for window in running} == {"kitchen", "office"}  # and not the one that cannot
    assert sorted(answers[0]["windows"]) == sorted(answers[1]["windows"]) == sorted(w["id"] for w in running)


def test_D05_discover_gives_the_devices_of_that_time(pair):
    pair.sim.ask(do="remove", device=THERMOMETER["address"])
    listed = {device["address"] for device in pair.get("/devices")["items"]}
    answer = pair.ask("POST", "/api/v1/scan/discover", body=json.dumps({"duration_s": 1, "active": False})).json()
    late = pair.ask("POST", "/api/v1/scan/discover", body=json.dumps({"duration_s": 1, "active": False})).json()
    assert answer["windows"] == [] and answer["duration_s"] == 1
    assert THERMOMETER["address"] in listed  # for a while, but nobody heard it
    assert {device["address"] for device in late["items"]} == {NAMED["address"], SHY["address"], SECOND["address"]}
    assert {device["raw"] for device in late["items"] if device["proxy"] != "shed"} == {"020106"}  # it sends no raw ones
    pair.sim.ask(do="add", device=THERMOMETER)


def test_D04_a_wait_for_a_name_ends_when_a_window_brings_it(pair):
    device = dict(SECOND, address="C0:FF:EE:00:00:04", payload={"raw": "020106", "scan_response": "0509776f6e21"})
    pair.sim.ask(do="add", device=device)
    pair.wait_device(device["address"])
    found = []
    waiting = threading.Thread(target=lambda: found.append(pair.get("/devices?name=won!&wait_ms=10000")))
    waiting.start()
    open_windows(pair, address=device["address"], duration_s=5)
    waiting.join()
    assert [item["address"] for item in found[0]["items"]] == [device["address"]]
    assert pair.get("/devices?name=nobody&wait_ms=100")["items"] == []
    pair.sim.ask(do="remove", device=device["address"])


def test_S14_a_proxy_that_cannot_change_its_mode_is_refused_and_shown_so(pair):
    assert "state_and_mode" not in pair.proxy("shed")["features"]
    refused = pair.ask("PUT", "/api/v1/proxies/shed/scanner", 501, body=json.dumps({"mode": "auto"})).json()
    assert (refused["feature"], refused["proxy"]) == ("state_and_mode", "shed")
    problem = open_windows(pair, 503, proxies=["shed"])
    assert problem["code"] == "scan_refused"
    [window] = problem["windows"]
    assert window["state"] == "refused" and "cannot change the scan mode" in window["detail"]


def test_S13_a_proxy_that_cannot_and_owns_a_device_with_a_need_is_warned_about_once(pair):
    put_need(pair, SHY["address"], interval_s=60, duration_s=5)
    pair.gateway.wait_for(lambda: lines(pair, "scan.passive_only"), 10, "a warning")
    put_need(pair, SHY["address"], interval_s=60, duration_s=6)
    pair.get("/devices?name=nobody&wait_ms=1000")
    [warning] = lines(pair, "scan.passive_only")
    assert "proxy=shed" in warning and SHY["address"] in warning


def test_S10_a_window_that_is_not_confirmed_is_told_and_tried_again(pair):
    pair.sim.fault("kitchen", "ignore_mode")
    events = Stream(pair, "?types=scan_window")
    put_need(pair, SECOND["address"], interval_s=60, duration_s=5)
    [told] = [data for _, _, data in events.until(lambda *event: True)]
    assert told["action"] == "refused" and told["window"]["state"] == "failed" and told["window"]["started"] is None
    assert "did not report an active scan in time" in told["window"]["detail"]
    assert need_of(pair, SECOND["address"])["state"] == "deferred"
    pair.sim.ask(do="clear", proxy="kitchen")
    seen = events.until(lambda event, identity, data: data["action"] == "opened")
    assert seen[-1][2]["window"]["addresses"] == [SECOND["address"]]


def test_S12_a_change_to_auto_starts_what_waited_for_it(pair):
    for name in ("kitchen", "office"):
        set_mode(pair, name, "passive")
    events = Stream(pair, "?types=scan_window")
    put_need(pair, NAMED["address"], interval_s=60, duration_s=5)
    pair.gateway.wait_for(lambda: need_of(pair, NAMED["address"])["state"] == "no_capable_proxy", 5, "nobody to serve it")
    open_windows(pair, 503, proxies=["office"])
    set_mode(pair, "office", "auto")
    seen = events.until(lambda event, identity, data: data["action"] == "opened")
    assert seen[-1][2]["window"]["proxy"] == "office"


def test_S01_active_and_passive_are_commanded_at_once_and_stay(pair):
    set_mode(pair, "kitchen", "active")
    pair.wait_proxy("kitchen", lambda proxy: proxy["scanner"]["mode"] == "active")
    set_mode(pair, "kitchen", "passive")
    wait_passive(pair, "kitchen")


def test_a_proxy_that_is_lost_in_a_window_fails_it_and_another_serves_the_need(pair):
    [window] = open_windows(pair, proxies=["office"], duration_s=30)
    wait_window(pair, window["id"], "running")
    before = {window["id"] for window in windows(pair)}
    pair.sim.fault("office", "reboot", seconds=2)
    lost = wait_window(pair, window["id"], "failed")
    assert "offline" in lost["detail"]
    put_need(pair, NAMED["address"], interval_s=60, duration_s=5)
    new = pair.gateway.wait_for(lambda: [w for w in windows(pair) if w["id"] not in before], 10, "another window")
    assert new[-1]["proxy"] == "kitchen"
    pair.gateway.wait_online(len(PROXIES))


def test_S05_what_is_out_of_range_names_its_field(pair):
    for wish, pointer in (({"interval_s": 59}, "/interval_s"), ({"duration_s": 4}, "/duration_s"),
                          ({"duration_s": 36}, "/duration_s"), ({"every": 1}, "/every")):
        answer = pair.ask("PUT", f"/api/v1/scan/needs/{NAMED['address']}", 422, body=json.dumps(wish)).json()
        assert [error["pointer"] for error in answer["errors"]] == [pointer]
    for path, wish, pointer in (("windows", {"duration_s": 4}, "/duration_s"), ("windows", {"proxies": []}, "/proxies"),
                                ("windows", {"address": "kitchen"}, "/address"),
                                ("discover", {"duration_s": 61}, "/duration_s")):
        answer = pair.ask("POST", f"/api/v1/scan/{path}", 422, body=json.dumps(wish)).json()
        assert [error["pointer"] for error in answer["errors"]] == [pointer]
    assert open_windows(pair, 404, proxies=["nowhere"])["code"] == "proxy_not_found"
    assert pair.gateway.request("DELETE", f"/api/v1/scan/needs/{NAMED['address']}").status == 404


def test_S11_the_end_of_the_gateway_restores_the_mode_and_the_next_start_keeps_what_was_set(start):
    pair = start(house(PROXIES[:2], (NAMED,)))
    pair.gateway.wait_online(2)
    set_mode(pair, "kitchen", "active")
    put_need(pair, NAMED["address"], interval_s=3600, duration_s=5)
    [window] = open_windows(pair, proxies=["office"], duration_s=35)
    wait_window(pair, window["id"], "running")
    assert pair.sim.status()["proxies"]["office"]["mode"] == "active"
    code, _ = pair.gateway.stop()
    assert code == 0, pair.gateway.tail()
    wait_passive(pair, "office")
    assert pair.sim.status()["proxies"]["kitchen"]["mode"] == "active"
    pair.gateway = Gateway(BIN, pair.sim.gateway_config.parent, pair.sim.gateway_config, log_level="debug")
    pair.gateway.wait_online(2)
    assert pair.proxy("kitchen")["scanner"]["configured"] == "active"
    assert need_of(pair, NAMED["address"])["interval_s"] == 3600
