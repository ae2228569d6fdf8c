#!/usr/bin/env python3
"""bench-links-peer: connections as an integration of Home Assistant makes them, for whoever asks.

links_peer.py PORT…

Connects to each port as peer.py does, and lets go of a proxy whose conversation ended as Home Assistant does. Says
{"port": P} when all have told their slots; whoever connects there writes one request, a line of JSON, and gets one
answer: {"do": "connect", "address": A}, {"do": "disconnect", "address": A}, {"do": "devices"} (how many can be
connected to), {"do": "proxies"} (how many are there). Who hangs up before the answer does not want it any more. Ends
with its standard input.

Connecting is what integrations do: the device that the scanner wrapper finds, or one made by hand where it finds none
and all that is known is the address, goes to establish_connection() with its defaults."""
import argparse
import asyncio
import contextlib
import json
import sys

import habluetooth.manager
from aioesphomeapi import APIClient
from bleak.backends.device import BLEDevice
from bleak_esphome import connect_scanner
from bleak_retry_connector import establish_connection
from habluetooth import BluetoothManager, set_manager
from habluetooth.wrappers import HaBleakClientWrapper, HaBleakScannerWrapper
from peer import NoAdapters, pure_python_modules


class Proxy:
    """One conversation, and what is registered because of it."""

    def __init__(self, manager, port):
        self.manager, self.client, self.unregister = manager, APIClient("127.0.0.1", port, None), []

    async def connect(self):
        await self.client.connect(on_stop=self.on_stop, login=True)
        self.data = connect_scanner(self.client, await self.client.device_info(), True)
        self.unregister = [self.data.bluetooth_device.async_set_unavailable, self.data.scanner.async_setup(),
                           self.manager.async_register_scanner(self.data.scanner)]
        while not self.data.bluetooth_device.ble_connections_limit:
            await asyncio.sleep(0.01)

    async def on_stop(self, is_expected):
        for undo in self.unregister:
            undo()
        self.unregister = []


class Home:
    def __init__(self):
        habluetooth.manager.IS_LINUX = False  # or it asks the kernel for adapters
        self.manager, self.proxies, self.clients = BluetoothManager(NoAdapters()), [], {}

    async def start(self, ports):
        set_manager(self.manager)
        await self.manager.async_setup()
        for port in ports:
            proxy = Proxy(self.manager, port)
            await proxy.connect()
            self.proxies.append(proxy)

    async def connect(self, address):
        device = await HaBleakScannerWrapper.find_device_by_address(address) or BLEDevice(address, None, {})
        try:
            self.clients[address] = await establish_connection(HaBleakClientWrapper, device, address)
        except Exception as error:  # pylint: disable=broad-except # whatever it is, it is what the user gets
            return {"error": type(error).__name__, "text": str(error)}
        return {"error": None}

    async def disconnect(self, address):
        await self.clients.pop(address).disconnect()
        return {}

    async def answer(self, request):
        if request["do"] == "connect":
            return await self.connect(request["address"])
        if request["do"] == "disconnect":
            return await self.disconnect(request["address"])
        if request["do"] == "devices":
            return {"devices": len(self.manager.async_discovered_service_info(True))}
        return {"proxies": sum(bool(proxy.unregister) for proxy in self.proxies)}

    async def serve(self, reader, writer):
        work = asyncio.create_task(self.answer(json.loads(await reader.readline())))
        gone = asyncio.create_task(reader.read())
        await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if work.done():
            writer.write(json.dumps(work.result()).encode() + b"\n")
        work.cancel()
        writer.close()


async def run(home, ports):
    await home.start(ports)
    server = await asyncio.start_server(home.serve, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    until = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(until), sys.stdin)
    with contextlib.suppress(asyncio.CancelledError):
        await until.read()


def main(home):
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", nargs="+", type=int)
    options = parser.parse_args()
    if pure := pure_python_modules():
        print(f"bench-links-peer: these modules are not the compiled ones: {', '.join(pure)}", file=sys.stderr)
        return 1
    asyncio.run(run(home(), options.ports))
    return 0


if __name__ == "__main__":
    sys.exit(main(Home))
