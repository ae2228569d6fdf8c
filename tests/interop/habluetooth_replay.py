#!/usr/bin/env python3
"""habluetooth-replay: what habluetooth decides about the streams that table-replay understands.

habluetooth_replay.py <STREAM >DECISIONS

Reads and writes the same lines as table_replay.c. A proxy is an ESPHomeScanner of bleak-esphome, a packet goes
through its method for single raw packets, which takes a time; a proxy that goes offline is unregistered, and
comes back as a new scanner. Their clock and their timers (unavailability, expiry, watchdog) are ours: they run
at the times of the stream, but what runs is their code. There are no Bluetooth adapters and no D-Bus.

Says on standard error which versions took part."""
import asyncio
import heapq
import itertools
import json
import sys
from importlib.metadata import version

import habluetooth.base_scanner
import habluetooth.manager
from bleak_esphome.backend.scanner import ESPHomeScanner
from bluetooth_adapters import BluetoothAdapters
from habluetooth import BluetoothManager, HaBluetoothConnector, set_manager

USEC_PER_SEC = 1000000


class Timer:
    def __init__(self, callback, arguments):
        self.callback, self.arguments = callback, arguments

    def cancel(self):
        self.callback = None


class VirtualLoop:
    """As much of an event loop as timers need, with the time of the stream."""

    def __init__(self):
        self.now, self.timers, self.numbers = 0.0, [], itertools.count()

    def time(self):
        return self.now

    def call_at(self, when, callback, *arguments):
        timer = Timer(callback, arguments)
        heapq.heappush(self.timers, (when, next(self.numbers), timer))
        return timer

    def pass_until(self, time):
        while self.timers and self.timers[0][0] <= time:
            self.now, _, timer = heapq.heappop(self.timers)
            if timer.callback:
                timer.callback(*timer.arguments)
        self.now = time

    def clear(self):
        self.timers.clear()


class NoAdapters(BluetoothAdapters):
    @property
    def adapters(self):
        return {}

    @property
    def default_adapter(self):
        return "hci0"


class Manager(BluetoothManager):
    """Tells each payload that an integration would get."""

    def __init__(self, on_payload):
        self.on_payload = on_payload
        super().__init__(NoAdapters())

    def _discover_service_info(self, service_info):
        self.on_payload(service_info)


class World:
    """One manager and its scanners."""

    def __init__(self, loop, write):
        self.loop, self.write, self.addresses = loop, write, {}
        self.owners, self.is_available = {}, {}
        self.scanners, self.pauses = {}, {}
        self.manager = Manager(self.on_payload)
        set_manager(self.manager)
        self.manager._loop = loop
        self.history = self.manager._all_history

    def start(self):
        self.manager.async_setup_unavailable_tracking()

    def tell(self, address, event, **facts):
        self.write({"time": round(self.loop.now * USEC_PER_SEC), "address": address.replace(":", ""),
                    "event": event, **facts})

    def on_payload(self, info):
        self.tell(info.address, "payload", source=source_number(info.source), payload=info.raw.hex())
        if not self.is_available.get(info.address):
            self.on_availability(info.address, True)

    def on_availability(self, address, is_available):
        self.is_available[address] = is_available
        self.tell(address, "available", value=is_available)

    def meet(self, digits):
        """A device of which nothing was heard so far: we want to know when it is gone."""
        address = ":".join(digits[i:i + 2] for i in range(0, 12, 2))
        self.addresses[digits] = address
        self.manager.async_track_unavailable(lambda _: self.on_availability(address, False), address, False)
        return address

    def on_packet(self, number, digits, rssi, payload):
        address = self.addresses.get(digits) or self.meet(digits)
        entry = self.scanners[number][0]
        entry._async_on_raw_advertisement(address, int(rssi), bytes.fromhex(payload), {"address_type": 1},
                                          self.loop.now)
        owner, before = self.history[address].source, self.owners.get(address)
        if owner != before:
            self.owners[address] = owner
            self.tell(address, "owner", to=source_number(owner), **{"from": source_number(before) if before else -1})

    def on_online(self, number):
        connector = HaBluetoothConnector(None, source_of(number), lambda: True)
        scanner = ESPHomeScanner(source_of(number), f"proxy{number}", connector, True)
        unsetup, unregister = scanner.async_setup(), self.manager.async_register_scanner(scanner)
        self.scanners[number] = (scanner, unsetup, unregister)

    def on_offline(self, number):
        self.on_listening(number)
        _, unsetup, unregister = self.scanners.pop(number)
        unregister()
        unsetup()

    def on_connecting(self, number):
        scanner = self.scanners[number][0]
        scanner._add_connecting("00:00:00:00:00:01")
        self.pauses[number] = scanner.connecting()
        self.pauses[number].__enter__()

    def on_listening(self, number):
        if pause := self.pauses.pop(number, None):
            pause.__exit__(None, None, None)
            self.scanners[number][0]._finished_connecting("00:00:00:00:00:01", True)

    def on_line(self, time, verb, *arguments):
        self.loop.pass_until(int(time) / USEC_PER_SEC)
        if verb == "packet":
            self.on_packet(*arguments)
        elif verb != "pass":
            getattr(self, f"on_{verb}")(*arguments)


def source_of(number):
    return f"00:00:00:00:{int(number) >> 8:02X}:{int(number) & 255:02X}"


def source_number(source):
    return int(source.replace(":", ""), 16)


def replay(lines, write):
    loop, world = VirtualLoop(), None
    clock = loop.time
    habluetooth.manager.monotonic_time_coarse = clock
    habluetooth.base_scanner.monotonic_time_coarse = clock
    asyncio._set_running_loop(loop)
    is_fresh = False
    for line in lines:
        words = line.split()
        if words[0] == "world":
            loop.clear()
            world, is_fresh = World(loop, write), True
            write({"world": words[1]})
            continue
        if is_fresh:
            loop.now, is_fresh = int(words[0]) / USEC_PER_SEC, False
            world.start()
        world.on_line(*words)


def main():
    print(f"habluetooth {version('habluetooth')}, bleak-esphome {version('bleak-esphome')}, "
          f"{'compiled' if habluetooth.manager.__file__.endswith('.so') else 'pure Python'}", file=sys.stderr)
    replay(sys.stdin, lambda decision: print(json.dumps(decision)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
