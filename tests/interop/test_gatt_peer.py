"""GATT of blefleet-sim against aioesphomeapi, and against what Home Assistant puts on top of it: bleak-esphome,
habluetooth and bleak-retry-connector."""
import asyncio
import json

import pytest
from aioesphomeapi.core import BluetoothConnectionDroppedError, BluetoothGATTAPIError, TimeoutAPIError
from bleak.exc import BleakError
from conftest import BIN, STOP_LIMIT_S, TOP
from peers import LIMIT_S, assert_all_is_free, at_home, slots_of, talk, text_of, until
from programs import Simulator

MTU = 247
INVALID_HANDLE, READ_REFUSED, WRITE_REFUSED, INVALID_LENGTH, APPLICATION = 0x01, 0x02, 0x03, 0x0d, 0x80
UNAUTHENTICATED, UNENCRYPTED, BUSY = 0x05, 0x0f, 0x84
PAIRING_UNSUPPORTED = 82
BENCH, HEART, THERMOMETER, LOCK, TWINS, UPDATED, SHY, KEEN = (0xC0FFEE000011 + number for number in range(8))
LARGE, NOTE, ECHO, COUNT, BAD, SLOW, MUTE, SHORT = 18, 19, 21, 25, 29, 31, 33, 35  # handles of bench
STATE, COMMAND, VERSION = 6, 10, 12                                                 # … of lock
LONG_VALUE = bytes(i % 256 for i in range(512))
BASE = "-0000-1000-8000-00805f9b34fb"
BENCH_UUID = "be9c000{}-7e57-4b1e-9c3d-0123456789ab"
CONNECT = {BENCH: {"gatt": "bench"}, HEART: {"gatt": "heart-rate"}, THERMOMETER: {"gatt": "thermometer"},
           LOCK: {"gatt": "lock"}, TWINS: {"gatt": "twins"}, UPDATED: {"gatt": ["updated-a", "updated-b"]},
           SHY: {"gatt": "lock", "pairing_error": PAIRING_UNSUPPORTED}, KEEN: {"gatt": "lock", "pairs_itself": True}}
SCENARIO = {
    "gatt": str(TOP / "tests/data/gatt"),
    "radio": {"noise_db": 0, "sensitivity_dbm": -110},
    "proxies": [{"name": "new", "at": [0, 0], "profile": "2026", "encryption_key": True},
                {"name": "old", "at": [0, 0], "profile": "2024"}],
    "devices": [{"address": f"{address:012X}", "address_type": 1, "at": [1, 1], "interval_ms": 100,
                 "payload": {"raw": "020106"}, "connect": {"ms": [50, 100], "discovery_ms": 50, "mtu": MTU, **connect}}
                for address, connect in CONNECT.items()],
}


@pytest.fixture(scope="module")
def gatt_sim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gatt")
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO), encoding="utf-8")
    sim = Simulator(BIN, folder, scenario)
    yield sim
    code, seconds = sim.stop()
    assert code == 0, sim.tail(40)
    assert seconds < STOP_LIMIT_S


@pytest.fixture(params=["new", "old"])
def proxy(request, gatt_sim):
    yield gatt_sim.proxies[request.param]
    assert_all_is_free(gatt_sim, request.param)


def attribute(sim, address, handle):
    attributes = sim.ask(do="gatt", device=text_of(address))["attributes"]
    return next(entry for entry in attributes if entry["handle"] == handle)


# ---- aioesphomeapi ----

def with_link(proxy, address, visit):
    """visit(client, talk) on a link to the device."""
    async def conversation(talk):
        assert await talk.connect(address) == (True, MTU, 0)
        result = await visit(talk.client, talk)
        await talk.disconnect(address)
        await talk.free(3)
        return result
    return talk(proxy, conversation)


async def error_of(operation):
    with pytest.raises(BluetoothGATTAPIError) as caught:
        await operation
    return caught.value.error.error


async def enable(client, address, handle, cccd=b"\1\0"):
    """The values that come, and what ends them: at the proxy alone."""
    values = []
    stop, _ = await client.bluetooth_gatt_start_notify(address, handle, lambda _, data: values.append(bytes(data)))
    if cccd:
        await client.bluetooth_gatt_write_descriptor(address, handle + 1, cccd)
    return values, stop


def test_all_services_characteristics_and_descriptors_are_found(proxy):
    async def visit(client, _):
        return (await client.bluetooth_gatt_get_services(BENCH)).services

    services = with_link(proxy, BENCH, visit)
    assert [(service.uuid, service.handle) for service in services] == [("00001800" + BASE, 1),
                                                                        (BENCH_UUID.format(0), 16)]
    bench = {c.handle: c for c in services[1].characteristics}
    assert list(bench) == [LARGE, ECHO, COUNT, BAD, SLOW, MUTE, SHORT, 38, 40]
    assert bench[ECHO].uuid == BENCH_UUID.format(2)
    assert bench[ECHO].properties == 0x02 | 0x04 | 0x08 | 0x10
    assert [(d.uuid, d.handle) for d in bench[ECHO].descriptors] == [("00002902" + BASE, ECHO + 1)]
    assert [(d.uuid, d.handle) for d in bench[LARGE].descriptors] == [("00002901" + BASE, NOTE)]


def test_a_second_request_for_services_is_not_answered(proxy):
    async def visit(client, _):
        await client.bluetooth_gatt_get_services(HEART)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.bluetooth_gatt_get_services(HEART), 0.5)

    with_link(proxy, HEART, visit)


def test_values_and_descriptors_are_read_and_written(proxy, gatt_sim):
    async def visit(client, _):
        assert bytes(await client.bluetooth_gatt_read_descriptor(BENCH, NOTE)) == b"long value"
        await client.bluetooth_gatt_write(BENCH, LARGE, LONG_VALUE[::-1], response=True)
        long_value = bytes(await client.bluetooth_gatt_read(BENCH, LARGE))
        await client.bluetooth_gatt_write(BENCH, LARGE, b"quick", response=False)
        quick = bytes(await client.bluetooth_gatt_read(BENCH, LARGE))
        await client.bluetooth_gatt_write_descriptor(BENCH, NOTE, b"long value")
        return long_value, quick

    assert with_link(proxy, BENCH, visit) == (LONG_VALUE[::-1], b"quick")
    assert attribute(gatt_sim, BENCH, LARGE)["value"] == b"quick".hex()


def test_a_write_without_response_that_is_too_long_is_cut(proxy):
    async def visit(client, _):
        await client.bluetooth_gatt_write(BENCH, LARGE, LONG_VALUE, response=False)
        return len(await client.bluetooth_gatt_read(BENCH, LARGE))

    assert with_link(proxy, BENCH, visit) == MTU - 3


def test_every_error_is_told_with_its_number(proxy, gatt_sim):
    async def visit(client, _):
        gatt_sim.ask(do="fail_gatt", device=text_of(BENCH), handle=ECHO, times=1, error=0x81)
        return [await error_of(operation) for operation in (
            client.bluetooth_gatt_read(BENCH, 1000),
            client.bluetooth_gatt_read(BENCH, SHORT),
            client.bluetooth_gatt_write(BENCH, COUNT, b"1", response=True),
            client.bluetooth_gatt_write(BENCH, SHORT, b"12345", response=True),
            client.bluetooth_gatt_read(BENCH, BAD),
            client.bluetooth_gatt_read(BENCH, ECHO),
        )]

    assert with_link(proxy, BENCH, visit) == [INVALID_HANDLE, READ_REFUSED, WRITE_REFUSED, INVALID_LENGTH,
                                              APPLICATION, 0x81]


def test_an_operation_without_a_link_fails_with_minus_one(proxy):
    async def conversation(talk):
        return await error_of(talk.client.bluetooth_gatt_read(BENCH, ECHO))

    assert talk(proxy, conversation) == -1


def test_a_slow_value_is_waited_for_and_a_silent_one_is_not(proxy):
    async def visit(client, _):
        slow = bytes(await client.bluetooth_gatt_read(BENCH, SLOW, timeout=LIMIT_S))
        with pytest.raises(TimeoutAPIError):
            await client.bluetooth_gatt_read(BENCH, MUTE, timeout=0.3)
        return slow

    assert with_link(proxy, BENCH, visit) == b"\x51"


def test_sixteen_operations_wait_in_line_and_the_others_are_refused(proxy):
    async def visit(client, _):
        handles = [*range(1000, 1018)]
        return sorted(await asyncio.gather(*(error_of(client.bluetooth_gatt_read(BENCH, h)) for h in handles)))

    assert with_link(proxy, BENCH, visit) == [INVALID_HANDLE] * 16 + [BUSY] * 2


def test_notifications_flow_when_both_have_enabled_them(proxy):
    async def visit(client, _):
        values, stop = await enable(client, BENCH, COUNT, cccd=None)
        await asyncio.sleep(0.3)
        silent = len(values)
        await client.bluetooth_gatt_write_descriptor(BENCH, COUNT + 1, b"\1\0")
        await until(lambda: len(values) >= 5)
        await stop()
        count = len(values)
        await asyncio.sleep(0.3)
        return silent, values[:5], len(values) - count

    silent, values, late = with_link(proxy, BENCH, visit)
    numbers = [int.from_bytes(value, "little") for value in values]
    assert (silent, late) == (0, 0)
    assert numbers == [*range(numbers[0], numbers[0] + 5)]


def test_an_echo_is_notified_in_order(proxy):
    async def visit(client, _):
        values, stop = await enable(client, BENCH, ECHO)
        for number in range(10):
            await client.bluetooth_gatt_write(BENCH, ECHO, bytes([number]), response=number % 2 == 0)
        await until(lambda: len(values) == 10)
        await stop()
        return values

    assert with_link(proxy, BENCH, visit) == [bytes([number]) for number in range(10)]


def test_indications_come_like_notifications(proxy, gatt_sim):
    async def visit(client, _):
        values, stop = await enable(client, BENCH, SHORT, b"\2\0")
        await client.bluetooth_gatt_write(BENCH, SHORT, b"hey", response=True)
        gatt_sim.ask(do="set_value", device=text_of(BENCH), handle=SHORT, value="686f")
        await until(lambda: len(values) == 2)
        await stop()
        return values

    assert with_link(proxy, BENCH, visit) == [b"hey", b"ho"]


def test_a_link_that_breaks_fails_what_waits(proxy, gatt_sim):
    async def conversation(talk):
        await talk.connect(BENCH)
        reading = asyncio.ensure_future(talk.client.bluetooth_gatt_read(BENCH, MUTE))
        await until(lambda: slots_of(gatt_sim, proxy["name"])[0]["waiting"] == 1)
        gatt_sim.ask(do="drop_link", proxy=proxy["name"], device=text_of(BENCH))
        with pytest.raises(BluetoothConnectionDroppedError):
            await reading
        await talk.free(3)

    talk(proxy, conversation)


def test_a_lock_opens_after_pairing_and_closes_with_the_end_of_the_bond(proxy, gatt_sim):
    async def visit(client, talk):
        refused = [await error_of(client.bluetooth_gatt_read(LOCK, STATE)),
                   await error_of(client.bluetooth_gatt_write(LOCK, COMMAND, b"\1", response=True))]
        assert (await client.bluetooth_device_pair(LOCK, timeout=LIMIT_S)).paired
        state = bytes(await client.bluetooth_gatt_read(LOCK, STATE))
        assert gatt_sim.status()["proxies"][proxy["name"]]["bonds"] == [text_of(LOCK)]
        await talk.disconnect(LOCK)
        await until(lambda: not slots_of(gatt_sim, proxy["name"]))
        await talk.connect(LOCK)
        again = bytes(await client.bluetooth_gatt_read(LOCK, STATE))
        assert (await client.bluetooth_device_unpair(LOCK, timeout=LIMIT_S)).success
        await talk.disconnect(LOCK)
        await until(lambda: not slots_of(gatt_sim, proxy["name"]))
        await talk.connect(LOCK)
        return refused, state, again, await error_of(client.bluetooth_gatt_read(LOCK, STATE))

    assert with_link(proxy, LOCK, visit) == ([UNAUTHENTICATED, UNENCRYPTED], b"\1", b"\1", UNAUTHENTICATED)


def test_a_pairing_that_fails_tells_why(proxy):
    async def visit(client, _):
        answer = await client.bluetooth_device_pair(SHY, timeout=LIMIT_S)
        return answer.paired, answer.error

    assert with_link(proxy, SHY, visit) == (False, PAIRING_UNSUPPORTED)


def test_a_device_that_pairs_by_itself_opens_by_itself(proxy, gatt_sim):
    async def visit(client, _):
        await until(lambda: slots_of(gatt_sim, proxy["name"])[0]["paired"])
        state = bytes(await client.bluetooth_gatt_read(KEEN, STATE))
        await client.bluetooth_device_unpair(KEEN, timeout=LIMIT_S)
        return state

    assert with_link(proxy, KEEN, visit) == b"\1"


def test_an_update_is_indicated_and_changes_the_hash(proxy, gatt_sim):
    async def visit(client, _):
        services = (await client.bluetooth_gatt_get_services(UPDATED)).services
        changed, hashed = (c.handle for s in services if s.uuid.startswith("00001801") for c in s.characteristics)
        before = bytes(await client.bluetooth_gatt_read(UPDATED, hashed))
        values, _ = await enable(client, UPDATED, changed, b"\2\0")
        gatt_sim.ask(do="change_gatt", device=text_of(UPDATED))
        await until(lambda: values)
        return values, before != bytes(await client.bluetooth_gatt_read(UPDATED, hashed))

    assert with_link(proxy, UPDATED, visit) == ([b"\x01\x00\xff\xff"], True)


def test_connection_parameters_are_answered(gatt_sim):
    async def visit(client, _):
        await client.bluetooth_device_set_connection_params(BENCH, 6, 12, 0, 400)

    with_link(gatt_sim.proxies["new"], BENCH, visit)


# ---- bleak-esphome, habluetooth, bleak-retry-connector ----

def at_home_with(proxy, address, visit):
    async def stay(home):
        client = await home.connect(address)
        result = await visit(client)
        await client.disconnect()
        await until(lambda: home.free() == 3)
        return result
    return at_home(proxy, stay)


def test_an_integration_reads_a_heart_rate_and_its_notifications(proxy):
    async def visit(client):
        values = []
        maker = bytes(await client.read_gatt_char("00002a29" + BASE))
        await client.start_notify("00002a37" + BASE, lambda _, data: values.append(bytes(data)))
        await until(lambda: len(values) >= 2)
        await client.stop_notify("00002a37" + BASE)
        with pytest.raises(BleakError, match="error=2 "):
            await client.read_gatt_char("00002a39" + BASE)
        await client.write_gatt_char("00002a39" + BASE, b"\1", response=True)
        return maker, values[:2], client.mtu_size

    maker, values, mtu = at_home_with(proxy, HEART, visit)
    assert maker == b"Simulated Instruments"
    assert all(len(value) == 2 and 60 <= value[1] <= 90 for value in values)
    assert mtu == MTU


def test_an_integration_gets_indications_of_a_thermometer(proxy):
    async def visit(client):
        values = []
        await client.start_notify("00002a1c" + BASE, lambda _, data: values.append(bytes(data)))
        await until(lambda: values)
        await client.stop_notify("00002a1c" + BASE)
        return values[0]

    value = at_home_with(proxy, THERMOMETER, visit)
    assert 3650 <= int.from_bytes(value[1:3], "little") <= 3750 and value[3:] == b"\0\xfe"


def test_an_integration_tells_twins_apart_by_their_handles(proxy):
    async def visit(client):
        twins = [c for service in client.services for c in service.characteristics if c.uuid == "00002a56" + BASE]
        with pytest.raises(BleakError, match="Multiple Characteristics"):
            await client.read_gatt_char("00002a56" + BASE)
        return [bytes(await client.read_gatt_char(twin)) for twin in twins]

    assert at_home_with(proxy, TWINS, visit) == [b"\1", b"\2", b"\3", b"\4"]


def test_an_integration_pairs_reads_unpairs_and_clears_the_cache(proxy):
    async def visit(client):
        with pytest.raises(BleakError, match="error=5 "):
            await client.read_gatt_char(STATE)
        await client.pair()
        state = bytes(await client.read_gatt_char(STATE))
        note = bytes(await client.read_gatt_descriptor(STATE + 2))
        await client.unpair()
        return state, note, await client.clear_cache()

    assert at_home_with(proxy, LOCK, visit) == (b"\1", b"state", True)
