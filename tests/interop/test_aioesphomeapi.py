"""blefleet-sim, and with it our side of the ESPHome native API, against aioesphomeapi: the client that Home
Assistant uses."""
import asyncio

import aioesphomeapi
import pytest
from aioesphomeapi import (APIClient, APIConnectionError, BadMACAddressAPIError, BluetoothProxyFeature,
                           BluetoothScannerMode, BluetoothScannerState, EncryptionPlaintextAPIError,
                           InvalidEncryptionKeyAPIError, RequiresEncryptionAPIError)
from conftest import DEVICES

LIMIT_S = 10.0
OTHER_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


def client_of(proxy, **changes):
    options = {"noise_psk": proxy["encryption_key"], "client_info": "interop", **changes}
    return APIClient("127.0.0.1", proxy["port"], None, **options)


def run(conversation):
    """One conversation with its own loop and a limit."""
    return asyncio.run(asyncio.wait_for(conversation, 3 * LIMIT_S))


async def with_client(proxy, talk, **changes):
    client = client_of(proxy, **changes)
    await client.connect(login=True)
    try:
        return await talk(client)
    finally:
        await client.disconnect()


async def first(subscribe, is_wanted=lambda value: True):
    """The first wanted value that a subscription brings."""
    found = asyncio.get_running_loop().create_future()

    def on_value(value):
        if not found.done() and is_wanted(value):
            found.set_result(value)

    unsubscribe = subscribe(on_value)
    try:
        return await asyncio.wait_for(found, LIMIT_S)
    finally:
        unsubscribe()


@pytest.fixture(params=["plain", "secret"])
def proxy(request, sim):
    return sim.proxies[request.param]


def test_device_info_tells_a_bluetooth_proxy(proxy):
    info = run(with_client(proxy, lambda client: client.device_info()))
    assert info.name == proxy["name"]
    assert info.mac_address == proxy["mac"]
    assert info.bluetooth_mac_address == proxy["bluetooth_mac"]
    features = BluetoothProxyFeature(info.bluetooth_proxy_feature_flags_compat(aioesphomeapi.APIVersion(1, 14)))
    assert features & BluetoothProxyFeature.RAW_ADVERTISEMENTS
    assert features & BluetoothProxyFeature.FEATURE_STATE_AND_MODE


def test_raw_advertisements_arrive_as_they_were_sent(proxy):
    async def talk(client):
        seen = {}

        def on_packets(message):
            for packet in message.advertisements:
                seen[f"{packet.address:012X}"] = packet
            return set(DEVICES) <= set(seen)

        await first(client.subscribe_bluetooth_le_raw_advertisements, on_packets)
        return seen

    seen = run(with_client(proxy, talk))
    for address, device in DEVICES.items():
        assert seen[address].data.hex() == device["payload"]["raw"]
        assert seen[address].address_type == device["address_type"]
        assert -100 < seen[address].rssi < 0


def test_parsed_advertisements_of_old_firmware_are_understood(sim):
    async def talk(client):
        return await first(lambda on_value: client.subscribe_bluetooth_le_advertisements(on_value),
                           lambda packet: f"{packet.address:012X}" == "A4C13812AB56")

    packet = run(with_client(sim.proxies["old"], talk))
    assert packet.service_data["0000fcd2-0000-1000-8000-00805f9b34fb"].hex() == "4002c40903bf13"


def test_the_scanner_state_comes_and_follows_the_mode(proxy):
    async def talk(client):
        keep = client.subscribe_bluetooth_le_raw_advertisements(lambda message: None)
        states = []

        def wants(mode):
            def is_it(state):
                states.append(state)
                return state.mode == mode and state.state == BluetoothScannerState.RUNNING
            return is_it

        async def switch(mode):
            loop = asyncio.get_running_loop()
            loop.call_soon(client.bluetooth_scanner_set_mode, mode)
            await first(client.subscribe_bluetooth_scanner_state, wants(mode))

        await switch(BluetoothScannerMode.PASSIVE)
        await switch(BluetoothScannerMode.ACTIVE)
        keep()
        return states

    assert run(with_client(proxy, talk))


def test_free_slots_are_told(proxy):
    async def talk(client):
        told = asyncio.get_running_loop().create_future()

        def on_slots(free, limit, *_):
            if not told.done():
                told.set_result((free, limit))

        unsubscribe = client.subscribe_bluetooth_connections_free(on_slots)
        try:
            return await asyncio.wait_for(told, LIMIT_S)
        finally:
            unsubscribe()

    free, limit = run(with_client(proxy, talk))
    assert free == limit == 3


def test_several_clients_talk_at_once(proxy):
    async def talk():
        infos = await asyncio.gather(*(with_client(proxy, lambda client: client.device_info()) for _ in range(3)))
        return {info.name for info in infos}

    assert run(talk()) == {proxy["name"]}


def test_pings_are_answered(proxy):
    """The client gives up when 4.5 intervals go by without an answer; nothing else is said meanwhile."""
    async def talk(client):
        await asyncio.sleep(1.0)
        return await client.device_info()

    assert run(with_client(proxy, talk, keepalive=0.1)).name == proxy["name"]


def connection_error(proxy, **changes):
    with pytest.raises(APIConnectionError) as raised:
        run(with_client(proxy, lambda client: client.device_info(), **changes))
    return raised.type


def test_a_wrong_key_is_told_as_such(sim):
    assert connection_error(sim.proxies["secret"], noise_psk=OTHER_KEY) is InvalidEncryptionKeyAPIError


def test_plaintext_to_an_encrypted_proxy_is_told_as_such(sim):
    assert issubclass(connection_error(sim.proxies["secret"], noise_psk=None), RequiresEncryptionAPIError)


def test_noise_to_a_plaintext_proxy_is_told_as_such(sim):
    assert issubclass(connection_error(sim.proxies["plain"], noise_psk=OTHER_KEY), EncryptionPlaintextAPIError)


def test_another_mac_than_expected_is_told_as_such(sim):
    assert issubclass(connection_error(sim.proxies["secret"], expected_mac="020000000001"), BadMACAddressAPIError)
