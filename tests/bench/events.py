#!/usr/bin/env python3
"""How long an event is on its way, and what readers cost.

events.py --bin FOLDER --folder FOLDER [--rate N] [--readers N] [--stalled N] [--seconds N]

The simulated fleet sends `rate` advertisements a second; those of some devices carry the moment at which
their proxy sent them. `readers` follow /events, `stalled` of them connect and never read. Told: the time
from the proxy's write to the reader's line, how many events each living reader got (all must get the
same), processor time, memory. The figures also go to FOLDER/events.json."""
import asyncio
import json
import struct
import sys
import time

import skeleton
from programs import Gateway, ProgramFailed, Simulator

PROXIES = 20
STAMPED = 100           # devices whose payload carries the time, each sending once a second
STAMP = "0effffff6e6f77"
CLOCK_START_US = 1 << 50  # of base/clock: what monotonic time begins with
WARM_UP_S = 3


def scenario(options):
    ordinary = max(1, options.rate // PROXIES - STAMPED)
    at = {"path_loss_exponent": 2.0, "noise_db": 2, "sensitivity_dbm": -120}
    return {"seed": 1, "radio": at,
            "payloads": str(skeleton.TOP / "tests/data/advertisements.jsonl"),
            "proxies": [{"count": PROXIES, "name": "proxy", "profile": "2026", "spacing": 4}],
            "devices": [{"count": ordinary, "interval_ms": 1000}] +
                       [{"address": f"C0FFEE{number:06X}", "address_type": 1, "at": [number % 20, number // 20, 0],
                         "interval_ms": 1000, "payload": {"raw": STAMP + 16 * "0"}} for number in range(STAMPED)]}


class Reader:
    """Follows the events and counts them; the first one also looks at the times."""

    def __init__(self, is_timed):
        self.is_timed, self.events, self.dropped, self.delays, self.is_counting = is_timed, 0, 0, [], False

    async def follow(self, address):
        host, port = address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        writer.write(f"GET /api/v1/events?types=advertisement&mode=change HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                self.take(line)
        finally:
            writer.close()

    def take(self, line):
        if line.startswith(b"event: dropped"):
            self.dropped += 1
        if not line.startswith(b"data: {") or not self.is_counting:
            return
        self.events += 1
        at = line.find(b'"raw":"' + STAMP.encode()) if self.is_timed else -1
        if at >= 0:
            octets = bytes.fromhex(line[at + 7 + len(STAMP):at + 7 + len(STAMP) + 16].decode())
            sent = struct.unpack("<Q", octets)[0] - CLOCK_START_US
            self.delays.append(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e3 - sent / 1e3)


async def stall(address):
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(f"GET /api/v1/events?types=advertisement&mode=all&proxies=all HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    writer.transport.pause_reading()
    return writer


async def follow_all(gateway, options):
    readers = [Reader(number == 0) for number in range(options.readers - options.stalled)]
    tasks = [asyncio.create_task(reader.follow(gateway.address)) for reader in readers]
    stalled = [await stall(gateway.address) for _ in range(options.stalled)]
    await asyncio.sleep(WARM_UP_S)
    memory, cpu, began = gateway.memory_bytes(), gateway.cpu_s(), time.monotonic()
    count = sum(proxy["advertisements_total"] for proxy in gateway.items("/api/v1/proxies"))
    for reader in readers:
        reader.is_counting = True
    await asyncio.sleep(options.seconds)
    for reader in readers:
        reader.is_counting = False
    seconds, cpu = time.monotonic() - began, gateway.cpu_s() - cpu
    count = sum(proxy["advertisements_total"] for proxy in gateway.items("/api/v1/proxies")) - count
    for task in tasks:
        task.cancel()
    for writer in stalled:
        writer.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    return figures(readers, options, count / seconds, cpu / seconds, memory, gateway.memory_bytes())


def figures(readers, options, rate, cpu, memory_before, memory_after):
    delays, counts = sorted(readers[0].delays), [reader.events for reader in readers]
    if not delays:
        raise ProgramFailed("no stamped event came")
    return {"advertisements_per_s": round(rate), "readers": options.readers, "stalled": options.stalled,
            "events_per_reader": {"least": min(counts), "most": max(counts)},
            "readers_that_lost_events": sum(reader.dropped > 0 for reader in readers),
            "delay_ms": {"median": round(delays[len(delays) // 2], 2), "p99": round(delays[int(0.99 * (len(delays) - 1))], 2),
                         "worst": round(delays[-1], 2)},
            "cpu_percent": round(100 * cpu, 1),
            "memory_mib": {"before": round(memory_before / 1048576, 1), "after": round(memory_after / 1048576, 1)}}


def measure(options, programs):
    path = options.folder / "scenario.json"
    path.write_text(json.dumps(scenario(options)), encoding="utf-8")
    sim = programs.add(Simulator(options.bin, options.folder, path))
    gateway = programs.add(Gateway(options.bin, options.folder, sim.gateway_config, log_level="warning"))
    gateway.wait_online(PROXIES, 30)
    return asyncio.run(follow_all(gateway, options))


def main():
    parser = skeleton.parser("./run bench events")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--stalled", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    result = skeleton.run("events", options, measure)
    if result is None:
        return 1
    for name, value in result.items():
        print(f"  {name:26} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
