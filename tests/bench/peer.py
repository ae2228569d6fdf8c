#!/usr/bin/env python3
"""bench-peer: what Home Assistant does with the streams of many proxies, and nothing else of it.

peer.py [--key BASE64] PORT…

Connects to each port with aioesphomeapi, makes a scanner of it with bleak-esphome and registers that with a
manager of habluetooth, which takes in everything and counts it. Says {"proxies": N} when all are subscribed,
and answers "count" on standard input with one line of JSON. Ends with the input.

Pure Python versions of these packages would be a comparison with something nobody runs, so it refuses to
start unless the compiled ones were installed. There are no Bluetooth adapters of its own."""
import argparse
import asyncio
import importlib
import json
import sys

from aioesphomeapi import APIClient
from bleak_esphome import connect_scanner
from bluetooth_adapters import BluetoothAdapters
from habluetooth import BluetoothManager, set_manager

COMPILED = ["aioesphomeapi.connection", "aioesphomeapi.client_base", "aioesphomeapi._frame_helper.plain_text",
            "aioesphomeapi._frame_helper.noise", "bleak_esphome.backend.scanner", "bluetooth_data_tools.gap",
            "bluetooth_data_tools._utils_impl", "habluetooth.advertisement_tracker", "habluetooth.base_scanner",
            "habluetooth.manager", "habluetooth.models", "google._upb._message"]


class NoAdapters(BluetoothAdapters):
    @property
    def adapters(self):
        return {}

    @property
    def default_adapter(self):
        return "hci0"


class Manager(BluetoothManager):
    """Takes what is told of every device."""

    def __init__(self):
        super().__init__(NoAdapters())
        self.discovered = 0

    def _discover_service_info(self, service_info):
        self.discovered += 1


class Peer:
    def __init__(self, key):
        self.key, self.advertisements, self.manager, self.kept = key, 0, None, []

    def count(self, message):
        self.advertisements += len(message.advertisements)

    async def connect(self, port):
        client = APIClient("127.0.0.1", port, None, client_info="Home Assistant", noise_psk=self.key)
        await client.connect(login=True)
        data = connect_scanner(client, await client.device_info(), True)
        data.scanner.async_setup()
        self.manager.async_register_scanner(data.scanner)
        client.subscribe_bluetooth_le_raw_advertisements(self.count)
        self.kept.append((client, data))

    async def start(self, ports):
        self.manager = Manager()
        set_manager(self.manager)
        await self.manager.async_setup()
        for port in ports:
            await self.connect(port)
        print(json.dumps({"proxies": len(ports)}), flush=True)

    async def answer(self):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            print(json.dumps({"advertisements": self.advertisements, "discovered": self.manager.discovered,
                              "devices": len(self.manager.async_discovered_service_info(False))}), flush=True)

    async def run(self, ports):
        await self.start(ports)
        await self.answer()


def pure_python_modules():
    return [name for name in COMPILED if not importlib.import_module(name).__file__.endswith(".so")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key")
    parser.add_argument("ports", nargs="+", type=int)
    options = parser.parse_args()
    if pure := pure_python_modules():
        print(f"bench-peer: these modules are not the compiled ones: {', '.join(pure)}", file=sys.stderr)
        return 1
    asyncio.run(Peer(options.key).run(options.ports))
    return 0


if __name__ == "__main__":
    sys.exit(main())
