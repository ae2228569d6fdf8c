"""Lanes of the bench of GATT: a simulated fleet, one contestant on it, and programs that read values of devices.

Each proxy hears its own devices alone, so that everybody goes the same way to them, and there are as many slots as
anybody wants at once. Whoever is on it, a device connects, answers and lists its services in the same times, drawn
from the same dice."""
import asyncio
import json
import time
import time

import links_lane
import skeleton
from links_lane import CONNECT, SLOTS, Lane, address, device
from programs import Asked, ProgramFailed

PROXIES = 8
APART_M = 500
BATTERY, PROMPT, TICKS = (f"0000{short}-0000-1000-8000-00805f9b34fb" for short in ("2a19", "fff1", "fff2"))
PROMPT_HANDLE = 8
WITH_HASH = {"services": [
    {"uuid": "1801", "characteristics": [{"uuid": "2b2a", "properties": ["read"]}]},
    {"uuid": "180f", "characteristics": [{"uuid": BATTERY, "properties": ["read", "notify"], "value": "64"}]}]}
# What adds nothing of its own, and what says when it was sent.
AT_ONCE = {"services": [{"uuid": "fff0", "characteristics": [
    {"uuid": PROMPT, "handle": PROMPT_HANDLE, "properties": ["read"], "size": 8, "prompt": True},
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
    return {"seed": seed, "tick_ms": 1, "gatt": str(skeleton.TOP / "tests/data/gatt"), "proxies": proxies,
            "devices": devices}


def to_visit(plain, hashed):
    return {"plain": (plain, {**CONNECT, "gatt": "battery"}), "with a hash": (hashed, {**CONNECT, "gatt": WITH_HASH})}


TO_HOLD = {"open": (SLOTS, {"ms": 100, "discovery_ms": 100, "gatt": AT_ONCE})}


def bare():
    """One device, for who goes to its proxy without a gateway."""
    return {"tick_ms": 1, "proxies": [{"name": "bare", "at": [0, 0], "profile": "2026"}],
            "devices": [device(0, [1, 1], TO_HOLD["open"][1])]}


# ---- contestants ----

class Blefleet(links_lane.Blefleet):
    def start_clients(self, options, programs, folder):
        command = [options.bin / "bench-reads", "--visit", self.gateway.address]
        self.clients = [programs.add(Asked(f"client-{number}", folder, command)) for number in range(PROXIES)]

    async def visit(self, client, device, uuid):
        """Seconds until a client, which connected for that, had the value."""
        found = await asyncio.to_thread(self.clients[client].ask, f"/api/v1/devices/{device}/characteristics/{uuid}")
        await self.ask("DELETE", f"devices/{device}/connection")
        await self.ask("GET", f"devices/{device}/connection?wait=disconnected&timeout_ms=5000")  # as the peer waits
        return found["us"] / 1e6

    async def reads(self, options, devices, uuid, rate, seconds):
        """What bench-reads tells, and the processor time of the gateway."""
        cpu = self.gateway.cpu_s()
        found = await bench_reads(options, self.gateway.address, rate, seconds, [
            f"/api/v1/devices/{device}/characteristics/{uuid}" for device in devices])
        return {**found, "client_cpu_s": found["cpu_s"], "cpu_s": self.gateway.cpu_s() - cpu}


class Peer(links_lane.Peer):
    program_name = "gatt_peer.py"

    def start_clients(self, options, programs, folder):
        """They are inside of it."""

    async def visit(self, _, device, uuid):
        found = await self.ask(do="visit", address=device, uuid=uuid)
        if found["error"]:
            raise ProgramFailed(f"peer, {device}: {found['error']}: {found['text']}")
        return found["s"]

    async def reads(self, options, devices, uuid, rate, seconds):
        """The same."""
        cpu = self.program.cpu_s()
        found = await self.ask(do="reads", addresses=devices, uuid=uuid, rate=rate, seconds=seconds)
        return {**found, "client_cpu_s": 0, "cpu_s": self.program.cpu_s() - cpu}


CONTESTANTS = (Blefleet, Peer)


async def bench_reads(options, where, rate, seconds, what, *mode):
    process = await asyncio.create_subprocess_exec(
        options.bin / "bench-reads", *mode, where, str(rate), str(seconds), *what, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    output, complaint = await process.communicate()
    if process.returncode != 0:
        raise ProgramFailed(complaint.decode())
    return json.loads(output)


# ---- a lane ----

class GattLane(Lane):
    def __init__(self, options, programs, *more):
        super().__init__(options, programs, *more)
        self.contestant.start_clients(options, programs, self.contestant.program.log_path.parent)

    async def visit(self, client, devices, uuid):
        """{device: seconds}, one after the other."""
        return {device: await asyncio.wait_for(self.contestant.visit(client, device, uuid), self.patience_s)
                for device in devices}

    async def visit_all(self, at_proxies, uuid):
        """The same, with a client for each proxy."""
        found = await asyncio.gather(*(self.visit(client, devices, uuid) for client, devices in enumerate(at_proxies)))
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
