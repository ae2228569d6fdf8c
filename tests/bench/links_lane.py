"""A lane of the bench of links: a simulated fleet, one contestant on it, and clients that connect to devices.

A house of four rooms with a proxy of three slots in each, and devices about it. Whoever is on it, a lane of the same
kind and seed has the same devices in the same places, the same requests in the same order, and the same dice."""
import asyncio
import json
import random
import sys
import time

import skeleton
from programs import Asked, Gateway, ProgramFailed, Simulator

ROOMS = {"north-west": [0, 5, 6, 10], "north-east": [6, 5, 12, 10], "south-west": [0, 0, 6, 5],
         "south-east": [6, 0, 12, 5]}
DEVICES, SLOTS = 24, 3
CONNECT = {"ms": [150, 600], "discovery_ms": 100}
FIRMWARE = {"give_up_ms": 2000}
ERRORS = [62, 62, 133, 8]  # of attempts that fail at once: not established (twice as likely), GATT error, time-out
HOLD_S = (0.2, 0.6)
WARM_UP_S = 5  # until every proxy has heard every device some times
START_LIMIT_S = 60
HERE, AWAY = "here", "away"  # the proxies of the scenario of errors


# ---- scenarios ----

def address(number):
    text = f"C0FFEE{number:06X}"
    return ":".join(text[i:i + 2] for i in range(0, 12, 2))


def device(number, place, connect):
    return {"address": address(number).replace(":", ""), "address_type": 1, "at": place, "interval_ms": 1000,
            "payload": {"raw": "020106"}, "connect": {**CONNECT, **connect}}


def everywhere(share):
    """Attempts fail wherever they are made; a third of those that fail is answered by nobody."""
    unanswered = share / 3
    return {"unanswered": unanswered, "failure": (share - unanswered) / (1 - unanswered), "errors": ERRORS}


def house(seed, failing, at_proxies):
    """failing: the share of attempts that fail everywhere; at_proxies: that which fails at each proxy."""
    dice = random.Random(seed)
    proxies = [{"name": room, "room": room, "profile": "2026", "slots": SLOTS,
                "firmware": {**FIRMWARE, "failure": share, "errors": ERRORS}}
               for room, share in zip(ROOMS, at_proxies)]
    devices = [device(number, [dice.uniform(0, 12), dice.uniform(0, 10), 0], everywhere(failing))
               for number in range(DEVICES)]
    return {"seed": seed, "rooms": [{"name": name, "rect": rect} for name, rect in ROOMS.items()],
            "proxies": proxies, "devices": devices}


def errors(seed):
    """A proxy that will be full, and one that will be away with the devices that it alone hears."""
    near = [device(number, [1, 1], {}) for number in range(DEVICES // 2)]
    far = [device(number, [5000, 1], {}) for number in range(DEVICES // 2, DEVICES)]
    proxies = [{"name": name, "at": [x, 0], "profile": "2026", "slots": SLOTS, "firmware": FIRMWARE}
               for name, x in ((HERE, 0), (AWAY, 5000))]
    return {"seed": seed, "proxies": proxies, "devices": near + far}


# ---- contestants ----

async def exchange(where, question):
    """All that is answered."""
    host, port = where.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(question)
        return await reader.read()
    finally:
        writer.close()


class Blefleet:
    name = "blefleet"

    def __init__(self, options, folder, sim):
        self.program = self.gateway = Gateway(options.bin, folder, sim.gateway_config, log_level="warning")
        self.leases = {}

    async def ask(self, method, path, body=None):
        """(status, what the answer says)"""
        text = json.dumps(body) if body is not None else ""
        answer = await exchange(self.gateway.address, (
            f"{method} /api/v1/{path} HTTP/1.1\r\nHost: {self.gateway.address}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode())
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(content)

    async def connect(self, device, wish):
        status, answer = await self.ask("PUT", f"devices/{device}/connection", wish)
        if status != 200:
            return {"error": answer["code"], "text": answer.get("detail")}
        self.leases[device] = answer["lease"]
        return {"error": None}

    async def disconnect(self, device):
        status, answer = await self.ask("DELETE", f"devices/{device}/connection?lease={self.leases.pop(device)}")
        if status != 200:
            raise ProgramFailed(f"{device} was not released: {answer}")

    async def devices(self):
        return len((await self.ask("GET", "devices?limit=1000"))[1]["items"])

    async def proxies(self):
        proxies = (await self.ask("GET", "proxies?limit=1000"))[1]["items"]
        return sum(proxy["state"] == "online" for proxy in proxies)


class Peer:
    name, program_name = "peer", "links_peer.py"

    def __init__(self, options, folder, sim):
        self.program = Asked("peer", folder, [sys.executable, skeleton.TOP / "tests/bench" / self.program_name,
                                              *(proxy["port"] for proxy in sim.proxies.values())])
        self.where = f"127.0.0.1:{self.program.ready['port']}"

    async def ask(self, **request):
        return json.loads(await exchange(self.where, json.dumps(request).encode() + b"\n"))

    async def connect(self, device, wish):
        """It takes no wishes."""
        return await self.ask(do="connect", address=device)

    async def disconnect(self, device):
        await self.ask(do="disconnect", address=device)

    async def devices(self):
        return (await self.ask(do="devices"))["devices"]

    async def proxies(self):
        return (await self.ask(do="proxies"))["proxies"]


CONTESTANTS = (Blefleet, Peer)


# ---- a lane ----

class Lane:
    def __init__(self, options, programs, name, contestant, scenario):
        self.patience_s, self.devices = options.patience_s, len(scenario["devices"])
        folder = options.folder / f"{name}, {contestant.name}".replace(" ", "-").replace(",", "")
        folder.mkdir()
        path = folder / "scenario.json"
        path.write_text(json.dumps(scenario), encoding="utf-8")
        self.sim = programs.add(Simulator(options.bin, folder, path))
        self.contestant = contestant(options, folder, self.sim)
        programs.add(self.contestant.program)

    async def until(self, what, count):
        """Until so many are there: proxies or devices."""
        end = time.monotonic() + START_LIMIT_S
        while await what() != count:
            if time.monotonic() > end:
                raise ProgramFailed(f"{self.contestant.name}: not {count} {what.__name__}")
            await asyncio.sleep(0.1)

    async def warm_up(self):
        await self.until(self.contestant.proxies, len(self.sim.proxies))
        await self.until(self.contestant.devices, self.devices)
        await asyncio.sleep(WARM_UP_S)

    async def connect(self, device, wish=None):
        """{"s": time, "error": None or what the client is told}"""
        began = time.monotonic()
        try:
            answer = await asyncio.wait_for(self.contestant.connect(device, wish or {}), self.patience_s)
        except asyncio.TimeoutError:
            answer = {"error": "nothing yet", "text": None}
        return {"s": time.monotonic() - began, **answer}

    async def client(self, requests, outcomes):
        for device, hold_s in requests:
            outcome = outcomes[device] = await self.connect(device)
            if outcome["error"] is None:
                await asyncio.sleep(hold_s)
                await self.contestant.disconnect(device)

    async def visit(self, seed, count, clients):
        """So many devices are connected to once each, by so many clients at a time: the outcomes, by device."""
        dice, outcomes = random.Random(seed), {}
        requests = iter([(address(number), dice.uniform(*HOLD_S)) for number in dice.sample(range(DEVICES), count)])
        await asyncio.gather(*(self.client(requests, outcomes) for _ in range(clients)))
        return [outcomes[device] for device in sorted(outcomes)]

    # ---- errors ----

    async def fill(self):
        for number in range(SLOTS):
            outcome = await self.connect(address(number), {"lease_s": 3600})
            if outcome["error"] is not None:
                raise ProgramFailed(f"{self.contestant.name}: {outcome}")

    async def lose(self):
        for fault in ("refuse", "drop"):
            self.sim.fault(AWAY, fault)
        await self.until(self.contestant.proxies, 1)

    async def fail(self, times):
        """{case: outcomes} of requests that cannot be fulfilled, so many of each case, all at a time."""
        await self.fill()
        await self.lose()
        cases = {"unseen": (DEVICES, {}), "away": (DEVICES // 2, {}), "full": (SLOTS, {"queue_ms": 0}),
                 "required": (DEVICES // 2 + times, {"proxy": AWAY})}
        outcomes = iter(await asyncio.gather(*(self.connect(address(first + number), wish)
                                               for first, wish in cases.values() for number in range(times))))
        return {case: [next(outcomes) for _ in range(times)] for case in cases}
