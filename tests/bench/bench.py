#!/usr/bin/env python3
"""What a stream of advertisements costs.

bench.py --bin FOLDER --folder FOLDER [--proxies N] [--devices N] [--seconds N]

First bench-ingest: octets to device table, without the kernel. Then the whole gateway on a simulated
fleet: processor time per advertisement, memory, and how long the API takes meanwhile. The figures also
go to FOLDER/stream.json."""
import http.client
import json
import statistics
import subprocess
import sys
import time

import skeleton
from programs import Gateway, Simulator

WARM_UP_S = 5
REQUESTS_PER_S = 20


def scenario(options):
    return {"seed": 1, "payloads": str(skeleton.TOP / "tests/data/advertisements.jsonl"),
            "proxies": [{"count": options.proxies, "name": "proxy", "profile": "2026", "spacing": 6}],
            "devices": [{"count": options.devices, "interval_ms": 1000}]}


def received(gateway):
    return sum(proxy["advertisements_total"] for proxy in gateway.items("/api/v1/proxies"))


def ask_for(gateway, seconds):
    """Milliseconds that each of a steady row of requests took."""
    connection = http.client.HTTPConnection(gateway.address, timeout=20)
    end, times = time.monotonic() + seconds, []
    while time.monotonic() < end:
        started = time.perf_counter()
        connection.request("GET", "/api/v1/devices?limit=100&sort=-rssi")
        connection.getresponse().read()
        times.append(1000 * (time.perf_counter() - started))
        time.sleep(1 / REQUESTS_PER_S)
    return sorted(times)


def measure(gateway, sim, options):
    gateway.wait_online(options.proxies, 30)
    time.sleep(WARM_UP_S)
    count, cpu, sim_cpu, began = received(gateway), gateway.cpu_s(), sim.cpu_s(), time.monotonic()
    times = ask_for(gateway, options.seconds)
    seconds = time.monotonic() - began
    count, cpu, sim_cpu = received(gateway) - count, gateway.cpu_s() - cpu, sim.cpu_s() - sim_cpu
    return {"proxies": options.proxies, "devices": gateway.get("/api/v1/info")["counts"]["devices"],
            "advertisements_per_s": round(count / seconds), "cpu_percent": round(100 * cpu / seconds, 2),
            "cpu_us_per_advertisement": round(1e6 * cpu / max(count, 1), 2),
            "memory_mib": round(gateway.memory_bytes() / 1048576, 1),
            "devices_request_ms": {"median": round(statistics.median(times), 2),
                                   "p99": round(times[int(0.99 * (len(times) - 1))], 2)},
            "simulator_cpu_percent": round(100 * sim_cpu / seconds, 1)}


def stream(options, programs):
    path = options.folder / "scenario.json"
    path.write_text(json.dumps(scenario(options)), encoding="utf-8")
    sim = programs.add(Simulator(options.bin, options.folder, path))
    gateway = programs.add(Gateway(options.bin, options.folder, sim.gateway_config, log_level="warning"))
    return measure(gateway, sim, options)


def main():
    parser = skeleton.parser("./run bench")
    parser.add_argument("--proxies", type=int, default=20)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print("ingest: octets of a frame to the device table", flush=True)
    code = subprocess.run([options.bin / "bench-ingest"]).returncode
    print(f"\nstream: the whole gateway, {options.proxies} proxies, {options.devices} devices", flush=True)
    figures = skeleton.run("stream", options, stream)
    if figures is None:
        return 1
    for name, value in figures.items():
        print(f"  {name:26} {value}")
    return code


if __name__ == "__main__":
    sys.exit(main())
