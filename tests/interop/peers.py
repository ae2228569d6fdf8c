"""Independent clients of simulated proxies: aioesphomeapi, and what Home Assistant puts on top of it: bleak-esphome,
habluetooth and bleak-retry-connector."""
import asyncio
import contextlib

import habluetooth.manager
from aioesphomeapi import APIClient, BluetoothProxyFeature
from bleak_esphome import connect_scanner
from bleak_retry_connector import establish_connection
from bluetooth_adapters import BluetoothAdapters
from habluetooth import BluetoothManager, set_manager
from habluetooth.wrappers import HaBleakClientWrapper

LIMIT_S = 10.0


def text_of(address):
    return ":".join(f"{address:012X}"[i:i + 2] for i in range(0, 12, 2))


def slots_of(sim, name):
    return sim.status()["proxies"][name]["slots"]


def assert_all_is_free(sim, name):
    """Whatever a conversation had, a moment after its end nothing of it is left."""
    asyncio.run(until(lambda: not slots_of(sim, name)))
    assert all(device["links"] == 0 for device in sim.status()["devices"].values())


async def until(is_there):
    """Asks until it is so."""
    async with asyncio.timeout(LIMIT_S):
        while not is_there():
            await asyncio.sleep(0.02)


def run(conversation):
    return asyncio.run(asyncio.wait_for(conversation, 3 * LIMIT_S))


@contextlib.asynccontextmanager
async def connected_client(proxy):
    client = APIClient("127.0.0.1", proxy["port"], None, noise_psk=proxy["encryption_key"])
    await client.connect(login=True)
    try:
        yield client
    finally:
        await client.disconnect(force=True)


class Talk:
    """A conversation that owns the proxy: what it was told of links and slots, in order."""

    def __init__(self, client):
        self.client, self.states, self.slots = client, {}, []
        client.subscribe_bluetooth_le_raw_advertisements(lambda message: None)
        client.subscribe_bluetooth_connections_free(lambda *told: self.slots.append(told))

    async def connect(self, address, has_cache=False, timeout=LIMIT_S):
        """The first state of the link: connected, MTU, error."""
        states = self.states[address] = []
        await self.client.bluetooth_device_connect(
            address, lambda *state: states.append(state), timeout=timeout, has_cache=has_cache, address_type=1,
            feature_flags=BluetoothProxyFeature.REMOTE_CACHING)
        return states[0]

    async def disconnect(self, address):
        await self.client.bluetooth_device_disconnect(address, timeout=LIMIT_S)

    async def free(self, count):
        await until(lambda: self.slots and self.slots[-1][0] == count)


def talk(proxy, conversation):
    async def converse():
        async with connected_client(proxy) as client:
            return await conversation(Talk(client))
    return run(converse())


# ---- bleak-esphome, habluetooth, bleak-retry-connector ----

class NoAdapters(BluetoothAdapters):
    """Nothing of the machine that this runs on takes part."""
    adapters, default_adapter = {}, "hci0"


class Home:
    """A manager that has one proxy, as the integrations of Home Assistant use it."""

    def __init__(self, manager, data):
        self.manager, self.data, self.disconnected = manager, data, []

    async def connect(self, address):
        """As an integration does: through the retry connector, on whatever path the manager chooses."""
        text = text_of(address)
        await until(lambda: self.manager.async_ble_device_from_address(text, True))
        device = self.manager.async_ble_device_from_address(text, True)
        return await establish_connection(HaBleakClientWrapper, device, text,
                                          disconnected_callback=lambda _: self.disconnected.append(address))

    def free(self):
        return self.data.bluetooth_device.ble_connections_free


@contextlib.asynccontextmanager
async def home_with(proxy):
    habluetooth.manager.IS_LINUX = False  # or it asks the kernel for adapters
    manager = BluetoothManager(NoAdapters())
    set_manager(manager)
    await manager.async_setup()
    async with connected_client(proxy) as client:
        data = connect_scanner(client, await client.device_info(), available=True)
        unsetup, unregister = data.scanner.async_setup(), manager.async_register_scanner(data.scanner)
        await until(lambda: data.bluetooth_device.ble_connections_limit)
        yield Home(manager, data)
        data.bluetooth_device.async_set_unavailable()
        unregister()
        unsetup()
    manager.async_stop()


def at_home(proxy, visit):
    async def stay():
        async with home_with(proxy) as home:
            return await visit(home)
    return run(stay())
