#!/usr/bin/env python3
"""Whether the dashboard stays smooth while thousands of devices change.

web.py --bin FOLDER --folder FOLDER [--devices N] [--rate N] [--seconds N]

Two proxies hear N devices, and so `rate` advertisements a second, each of which is an event; a browser
shows the list of devices, which is scrolled all the while. Told: frames a second, how long they took,
the events a second that the page took, and what the gateway took of a core. Exit code 1 below 30 frames
a second or above 5 % of a core."""
import argparse
import json
import pathlib
import statistics
import sys
import time

from playwright.sync_api import sync_playwright

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/fleet"))
from programs import Gateway, Simulator  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
PROXIES = 2
FRAMES_MIN = 30
CORE_PERCENT_MAX = 5
WARM_UP_S = 5

COUNT_EVENTS = """
localStorage.setItem("blefleet.later", "yes");
window.counted = {events: 0, frames: []};
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (type, listener) {
  listen.call(this, type, (event) => { window.counted.events++; listener(event); });
};
"""
COUNT_FRAMES = """
const box = document.querySelector(".virtual");
let before = performance.now(), down = true;
const frame = (now) => {
  window.counted.frames.push(now - before);
  before = now;
  if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1) down = false;
  if (box.scrollTop <= 0) down = true;
  box.scrollTop += down ? 40 : -40;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""


def scenario(options):
    interval_ms = max(100, 1000 * PROXIES * options.devices // options.rate)
    return {"seed": 1, "radio": {"path_loss_exponent": 2.0, "noise_db": 2, "sensitivity_dbm": -120},
            "payloads": str(TOP / "tests/data/advertisements.jsonl"),
            "proxies": [{"count": PROXIES, "name": "proxy", "profile": "2026", "spacing": 10}],
            "devices": [{"count": options.devices, "interval_ms": interval_ms}]}


def watch(page, gateway, seconds):
    page.evaluate(COUNT_FRAMES)
    page.evaluate("window.counted.events = 0")
    began, used_s = time.monotonic(), gateway.cpu_s()
    page.wait_for_timeout(seconds * 1000)
    counted, passed = page.evaluate("window.counted"), time.monotonic() - began
    used_s = gateway.cpu_s() - used_s
    frames = sorted(counted["frames"][1:])
    return {"frames_per_s": round(len(frames) / passed, 1), "events_per_s": round(counted["events"] / passed),
            "frame_ms_median": round(statistics.median(frames), 1),
            "frame_ms_99": round(frames[len(frames) * 99 // 100], 1),
            "gateway_core_percent": round(100 * used_s / passed, 1),
            "rows_in_page": page.locator("device-table tbody tr").count()}


def measure(gateway, options):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(COUNT_EVENTS)
        page.goto(f"http://{gateway.address}/#/devices")
        page.locator("device-table tbody tr").nth(10).wait_for()
        page.wait_for_timeout(WARM_UP_S * 1000)
        figures = watch(page, gateway, options.seconds)
        figures["devices"] = gateway.get("/api/v1/info")["counts"]["devices"]
        figures["adverts_per_s"] = gateway.get("/api/v1/info")["adverts_per_s"]
        browser.close()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    parser.add_argument("--devices", type=int, default=5000)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=15)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "scenario.json"
    path.write_text(json.dumps(scenario(options)), encoding="utf-8")
    sim = Simulator(options.bin, options.folder, path)
    gateway = Gateway(options.bin, options.folder, sim.gateway_config)
    try:
        gateway.wait_online(PROXIES)
        gateway.wait_for(lambda: gateway.get("/api/v1/info")["counts"]["devices"] >= options.devices * 0.9,
                         60, "all devices heard")
        figures = measure(gateway, options)
    finally:
        gateway.stop()
        sim.stop()
    print(json.dumps(figures, indent=2))
    is_smooth = figures["frames_per_s"] >= FRAMES_MIN
    return 0 if is_smooth and figures["gateway_core_percent"] <= CORE_PERCENT_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
