#!/usr/bin/env python3
"""What a broker that stands still costs, and how fast one that lost its memory knows everything again.

broker.py --bin FOLDER --folder FOLDER [--seconds N]

500 devices send 5,000 advertisements a second, each another payload than before. The broker is stopped
for so many seconds (SIGSTOP), goes on, and is then replaced by an empty one. Told: how much the gateway's
memory grew meanwhile, the slowest answer over REST, how old the oldest retained state is after the
wake-up, and how long the empty broker took to have all states. Exit code 1 when that is more than
promised. The figures also go to FOLDER/broker.json."""
import datetime
import json
import signal
import subprocess
import sys
import time

import skeleton
from programs import Broker, Gateway, Simulator

DEVICES = 500
WARM_UP_S = 10
MEMORY_GROWTH_MIB = 8
FULL_AGAIN_S = 10
SLOWEST_MS = 500


def scenario():
    devices = [{"address": f"A4C13800{number:04X}", "address_type": 0, "at": [1, 1, 0], "interval_ms": 100, "jitter_ms": 5,
                "payloads": [{"raw": f"0201060a16d2fc4002c4{value:02x}03bf13"} for value in range(8)],
                "payload_events": 1} for number in range(DEVICES)]
    return {"seed": 1, "radio": {"noise_db": 4, "sensitivity_dbm": -110},
            "proxies": [{"name": "kitchen", "at": [0, 0, 0]}], "devices": devices}


def retained(broker, limit_s=2):
    """The states that the broker holds, by topic."""
    done = subprocess.run(["mosquitto_sub", "-p", str(broker.port), "-t", "blefleet/+", "--retained-only", "-W",
                           str(limit_s), "-F", "%t %p"], capture_output=True, text=True, check=False)
    return {topic: json.loads(state) for topic, state in (line.split(" ", 1) for line in done.stdout.splitlines())}


def oldest_s(states):
    now = datetime.datetime.now(datetime.timezone.utc)
    return max((now - datetime.datetime.fromisoformat(state["last_seen"].replace("Z", "+00:00"))).total_seconds()
               for state in states.values())


def watch(gateway, seconds):
    """Peak of the memory, slowest answer in milliseconds."""
    peak, slowest, end = 0, 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        gateway.get("/api/v1/info")
        slowest = max(slowest, 1000 * (time.perf_counter() - started))
        peak = max(peak, gateway.memory_bytes())
        time.sleep(0.05)
    return peak, slowest


def connected(gateway):
    return gateway.get("/api/v1/info")["mqtt"]["state"] == "connected"


def refill(gateway, folder, port):
    """Seconds that an empty broker at the same port needs to have every state."""
    broker = Broker(folder, port=port)
    try:
        gateway.wait_for(lambda: connected(gateway), 70, "the connection")
        began = time.monotonic()
        gateway.wait_for(lambda: len(retained(broker, 1)) == DEVICES, 60, "all states")
        return time.monotonic() - began
    finally:
        broker.stop()


def measure(options, programs):
    path = options.folder / "scenario.json"
    path.write_text(json.dumps(scenario()), encoding="utf-8")
    sim = programs.add(Simulator(options.bin, options.folder, path))
    broker = programs.add(Broker(options.folder))
    config = json.loads(sim.gateway_config.read_text(encoding="utf-8"))
    config["mqtt"] = {"enabled": True, "port": broker.port}
    sim.gateway_config.write_text(json.dumps(config), encoding="utf-8")
    gateway = programs.add(Gateway(options.bin, options.folder, sim.gateway_config, log_level="warning"))
    time.sleep(WARM_UP_S)
    rate, before = gateway.get("/api/v1/info")["adverts_per_s"], gateway.memory_bytes()
    broker.signal(signal.SIGSTOP)
    peak, slowest = watch(gateway, options.seconds)
    broker.signal(signal.SIGCONT)
    gateway.wait_for(lambda: connected(gateway), 70, "the connection")
    time.sleep(6)
    states = retained(broker)
    broker.stop()
    return {"advertisements_per_s": round(rate), "stopped_s": options.seconds,
            "memory_grew_mib": round((peak - before) / 1048576, 1), "slowest_answer_ms": round(slowest, 1),
            "states_after_wake_up": len(states), "oldest_state_s": round(oldest_s(states), 1),
            "empty_broker_full_after_s": round(refill(gateway, options.folder, broker.port), 1)}


def main():
    parser = skeleton.parser("./run bench broker")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    result = skeleton.run("broker", options, measure)
    if result is None:
        return 1
    for name, value in result.items():
        print(f"  {name:26} {value}")
    is_kept = (result["memory_grew_mib"] <= MEMORY_GROWTH_MIB and result["slowest_answer_ms"] <= SLOWEST_MS and
               result["states_after_wake_up"] == DEVICES and result["empty_broker_full_after_s"] <= FULL_AGAIN_S)
    print("as promised" if is_kept else "not as promised")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
