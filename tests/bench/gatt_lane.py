"""Lanes of the bench of GATT: a simulated fleet, one contestant on it, and programs that read values of devices.

Each proxy hears its own devices alone, so that everybody goes the same way to them, and there are as many slots as
anybody wants at once. Whoever is on it, a device connects, answers and lists its services in the same times, drawn
from the same dice."""
import asyncio
import json
import time

import links_lane
import skeleton
from links_lane import CONNECT, SLOTS, Lane, address, device
from programs import ProgramFailed

PROXIES = 8
APART_M = 500
BATTERY, PROMPT, TICKS = (f"0000{short}-0000-1000-8000-00805f9b34fb" for short in ("2a19", "fff1", "fff2"))
WITH_HASH = {"services": [
    {"uuid": "1801", "characteristics": [{"uuid": "2b2a", "properties": ["read"]}]},
    {"uuid": "180f", "characteristics": [{"uuid": BATTERY, "properties": ["read", "notify"], "value": "64"}]}]}
# What adds nothing of its own, and what says when it was sent.
AT_ONCE = {"services": [{"uuid": "fff0", "characteristics": [
    {"uuid": PROMPT, "properties": ["read"], "size": 8, "prompt": True},
    {"uuid": TICKS, "properties": ["notify"], "size": 4, "vary": {"size": 4, "by": "clock"}, "notify_ms": [80, 120]}]}]}


# ---- scenarios ----

def places(kinds):
    """{kind: [[its devices at a proxy], …]}; kinds: {kind: (how many at each proxy, their connect)}"""
    found, number = {kind: [[] for _ in range(PROXIES)] for kind in kinds}, 0
    for proxy in range(PROXIES):
        for kind, (count, _) in kinds.items():
            found[kind][proxy] = [address(number + more) for more in range(count)]
            number += count
    return found


def fleet(seed, kinds):
    proxies = [{"name": f"proxy-{number}", "at": [APART_M * number, 0], "profile": "2026", "slots": SLOTS}
               for number in range(PROXIES)]
    devices, number = [], 0
    for proxy in range(PROXIES):
        for count, connect in kinds.values():
            for _ in range(count):
                devices.append(device(number, [APART_M * proxy + 1, 1], connect))
                number += 1
    return {"seed": seed, "gatt": str(skeleton.TOP / "tests/data/gatt"), "proxies": proxies, "devices": devices}


def to_visit(plain, hashed):
    return {"plain": (plain, {**CONNECT, "gatt": "battery"}), "with a hash": (hashed, {**CONNECT, "gatt": WITH_HASH})}


TO_HOLD = {"open": (SLOTS, {"ms": 100, "discovery_ms": 100, "gatt": AT_ONCE})}


# ---- contestants ----

class Blefleet(links_lane.Blefleet):
    async def visit(self, device, uuid):
        """{"s": time until the value was there, as the client sees it, "error": None}"""
        began = time.perf_counter()
        status, answer = await self.ask("GET", f"devices/{device}/characteristics/{uuid}")
        seconds = time.perf_counter() - began
        if status != 200:
            return {"error": answer["code"], "text": answer.get("detail")}
        await self.ask("DELETE", f"devices/{device}/connection")
        return {"error": None, "s": seconds}

    async def reads(self, options, devices, uuid, rate, seconds):
        """What bench-reads tells, and the processor time of the gateway."""
        cpu = self.gateway.cpu_s()
        found = await bench_reads(options, self.gateway.address, rate, seconds, [
            f"/api/v1/devices/{device}/characteristics/{uuid}" for device in devices])
        return {**found, "client_cpu_s": found["cpu_s"], "cpu_s": self.gateway.cpu_s() - cpu}


class Peer(links_lane.Peer):
    program_name = "gatt_peer.py"

    async def visit(self, device, uuid):
        return await self.ask(do="visit", address=device, uuid=uuid)

    async def reads(self, options, devices, uuid, rate, seconds):
        """The same; its client is inside of it."""
        cpu = self.program.cpu_s()
        found = await self.ask(do="reads", addresses=devices, uuid=uuid, rate=rate, seconds=seconds)
        return {**found, "client_cpu_s": 0, "cpu_s": self.program.cpu_s() - cpu}


CONTESTANTS = (Blefleet, Peer)


async def bench_reads(options, where, rate, seconds, paths):
    process = await asyncio.create_subprocess_exec(
        options.bin / "bench-reads", where, str(rate), str(seconds), *paths, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    output, complaint = await process.communicate()
    if process.returncode != 0:
        raise ProgramFailed(complaint.decode())
    return json.loads(output)


# ---- a lane ----

class GattLane(Lane):
    async def visit(self, devices, uuid):
        """{device: seconds}, one after the other."""
        times = {}
        for device in devices:
            outcome = await asyncio.wait_for(self.contestant.visit(device, uuid), self.patience_s)
            if outcome["error"]:
                raise ProgramFailed(f"{self.contestant.name}, {device}: {outcome['error']}: {outcome['text']}")
            times[device] = outcome["s"]
        return times

    async def visit_all(self, at_proxies, uuid):
        """The same, with a client for each proxy."""
        found = await asyncio.gather(*(self.visit(devices, uuid) for devices in at_proxies))
        return {device: s for times in found for device, s in times.items()}

    async def hold_all(self, at_proxies):
        """Opens a link to each, one at a time at each proxy, and keeps it."""
        for devices in zip(*at_proxies):
            for outcome in await asyncio.gather(*(self.connect(device, {"lease_s": 3600}) for device in devices)):
                if outcome["error"]:
                    raise ProgramFailed(f"{self.contestant.name}: {outcome}")

    # ---- notifications, of blefleet ----

    async def listen(self, device, uuid, seconds):
        """Milliseconds from the proxy's write to the line of the event, of each."""
        where, delays = self.contestant.gateway.address, []
        host, port = where.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /api/v1/devices/{device}/notifications?subscribe={uuid} HTTP/1.1\r\n"
                     f"Host: {where}\r\n\r\n".encode())
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                line = await asyncio.wait_for(reader.readline(), self.patience_s)
                now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                if line.startswith(b'data: {') and b'"value":"' in line:
                    delays.append((now_us - stamp_of(line)) % 2**32 / 1e3)
        finally:
            writer.close()
        return delays

    async def listen_to_all(self, devices, uuid, seconds):
        found = await asyncio.gather(*(self.listen(device, uuid, seconds) for device in devices))
        return [delay for delays in found for delay in delays]


def stamp_of(line):
    value = json.loads(line[len(b"data: "):])["value"]
    return int.from_bytes(bytes.fromhex(value), "little")
