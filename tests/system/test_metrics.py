"""GET /metrics and GET /logs of the built program: what a Prometheus, and a person at night, would see."""
import pathlib
import re
import subprocess

import pytest
from conftest import THERMOMETER, house

TOP = pathlib.Path(__file__).resolve().parents[2]
PROMTOOL = TOP / "build/promtool/usr/bin/promtool"  # fetched by ./run
SAMPLE = re.compile(r'^(?P<name>[a-zA-Z_:][\w:]*)(?P<labels>\{.*\})? (?P<value>\S+)$')
PASSWORD = "open-sesame-4711"
WRONG_KEY = "d3Jvbmcga2V5IG9mIDMyIG9jdGV0cyBmb3IgdGVzdHM="
PROXIES = [
    {"name": "kitchen", "at": [0, 0, 0], "profile": "2026"},
    {"name": "office", "at": [10, 0, 0], "profile": "2026", "encryption_key": True},
    {"name": "attic", "at": [0, 40, 0], "profile": "2024", "encryption_key": True},
]


def configure(config):
    by_name = {proxy["name"]: proxy for proxy in config["proxies"]}
    by_name["attic"]["encryption_key"] = WRONG_KEY
    by_name["kitchen"]["password"] = PASSWORD


@pytest.fixture(scope="module")
def pair(session_pairs):
    pair = session_pairs("metrics", house(PROXIES), config_change=configure)
    pair.gateway.wait_online(2)
    pair.wait_device(THERMOMETER["address"], lambda device: len(device["sources"]) == 2)
    pair.wait_proxy("attic", lambda proxy: proxy["state"] == "failed")
    return pair


def text(pair):
    answer = pair.gateway.request("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.body.decode()


def samples(pair):
    """{'name{labels}': value}; every line is one that the format knows, and none comes twice."""
    found = {}
    for line in text(pair).splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            continue
        match = SAMPLE.match(line)
        assert match, line
        series = match["name"] + (match["labels"] or "")
        assert series not in found, line
        found[series] = float(match["value"])
    return found


def test_promtool_has_nothing_to_say(pair):
    """Fails where promtool is missing, rather than prove nothing."""
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text(pair), capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_D03_figures_are_those_of_the_api(pair):
    proxies = {proxy["name"]: proxy for proxy in pair.get("/proxies")["items"]}
    found = samples(pair)
    for name, proxy in proxies.items():
        label = f'{{proxy="{name}"}}'
        assert found["blefleet_proxy_up" + label] == (proxy["state"] == "online")
        assert found[f'blefleet_proxy_state{{proxy="{name}",state="{proxy["state"]}"}}'] == 1
        assert sum(value for series, value in found.items()
                   if series.startswith(f'blefleet_proxy_state{{proxy="{name}",')) == 1
        assert found["blefleet_proxy_advertisements_total" + label] >= proxy["advertisements_total"]
        if proxy["slots"]["limit"] is not None:
            assert found["blefleet_proxy_slots" + label] == proxy["slots"]["limit"]
    assert found["blefleet_devices"] == 2
    assert found["blefleet_proxies_up"] == 2
    assert found['blefleet_proxy_failures_total{proxy="attic",cause="wrong_key"}'] >= 1
    assert found['blefleet_owner_changes_total{why="first"}'] == 2
    assert 1e6 < found["blefleet_process_resident_memory_bytes"] < 1e9
    assert found["blefleet_process_open_fds"] >= 5


def test_D03_counters_only_grow_and_repeated_payloads_are_not_parsed(pair):
    before = samples(pair)
    total = 'blefleet_proxy_advertisements_total{proxy="kitchen"}'
    pair.gateway.wait_for(lambda: samples(pair)[total] >= before[total] + 10, what="ten more advertisements")
    after = samples(pair)
    for series, value in before.items():
        if "_total" in series:
            assert after[series] >= value, series
    assert after["blefleet_reports_total"] >= before["blefleet_reports_total"] + 10
    assert after["blefleet_reports_parsed_total"] < after["blefleet_reports_total"] / 2


def test_D03_requests_are_counted_by_class(pair):
    before = samples(pair)
    pair.get("/info")
    pair.get("/nothing", status=404)
    after = samples(pair)
    assert after['blefleet_http_requests_total{code="2xx"}'] == before['blefleet_http_requests_total{code="2xx"}'] + 2
    assert after['blefleet_http_requests_total{code="4xx"}'] == before['blefleet_http_requests_total{code="4xx"}'] + 1


def test_logs_come_newest_first_and_say_what_went_wrong(pair):
    lines = pair.get("/logs?level=debug&limit=1000")["items"]
    assert lines == sorted(lines, key=lambda line: line["time"], reverse=True)
    failed = [line for line in lines if line["fields"].get("cause") == "wrong_key"]
    assert failed and failed[-1]["level"] == "warning" and failed[-1]["module"] == "proxy"
    assert failed[-1]["fields"]["name"] == "attic"
    assert all(line["level"] == "warning" for line in pair.get("/logs?level=warning")["items"])
    assert {line["module"] for line in pair.get("/logs?level=debug&module=proxy")["items"]} == {"proxy"}


def test_logs_come_in_pages(pair):
    seen, cursor = [], ""
    while cursor is not None and len(seen) < 12:
        page = pair.get("/logs?level=debug&limit=3" + (f"&cursor={cursor}" if cursor else ""))
        seen += [(line["time"], line["message"]) for line in page["items"]]
        cursor = page["next"]
    assert len(seen) >= 6 and seen == sorted(seen, key=lambda line: line[0], reverse=True)
    pair.get("/logs?cursor=nonsense", status=400)
    pair.get("/logs?level=loud", status=422)


def test_no_secret_is_told(pair):
    config = pair.sim.gateway_config.read_text(encoding="utf-8")
    keys = re.findall(r'"encryption_key": ?"([^"]+)"', config)
    assert WRONG_KEY in keys and len(keys) == 2
    told = "\n".join([text(pair), pair.gateway.log_text(),
                      *(pair.gateway.request("GET", path).body.decode() for path in (
                          "/api/v1/logs?level=debug&limit=1000", "/api/v1/proxies", "/api/v1/info"))])
    for secret in (*keys, PASSWORD):
        assert secret not in told
    assert "wrong_key" in told
