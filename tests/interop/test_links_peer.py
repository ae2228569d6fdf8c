"""The links of blefleet-sim against aioesphomeapi, and against what Home Assistant puts on top of it: bleak-esphome,
habluetooth and bleak-retry-connector."""
import asyncio
import json

import pytest
from aioesphomeapi.core import TimeoutAPIError
from conftest import BIN, STOP_LIMIT_S
from peers import LIMIT_S, assert_all_is_free, at_home, slots_of, talk, text_of, until
from programs import Simulator

MTU, MTU_WITH_CACHE = 247, 23
NOT_ESTABLISHED, SUPERVISION_TIMEOUT, CANCELLED = 0x3e, 0x08, 0x100
PAIRING_UNSUPPORTED = 82
LAMP, LOCK, SCALE, VALVE, SHY, SLOW, WALL = (0xC0FFEE000001 + number for number in range(7))
QUICK = {"ms": [50, 150], "discovery_ms": 50, "mtu": MTU}
CONNECT = {LAMP: QUICK, LOCK: QUICK, SCALE: QUICK, VALVE: QUICK, SHY: {**QUICK, "pairing_error": PAIRING_UNSUPPORTED},
           SLOW: {**QUICK, "ms": 1000}, WALL: False}
FIRMWARE = {"give_up_ms": 1500}
SCENARIO = {
    "radio": {"noise_db": 0, "sensitivity_dbm": -110},
    "proxies": [{"name": "new", "at": [0, 0], "profile": "2026", "encryption_key": True, "firmware": FIRMWARE},
                {"name": "old", "at": [0, 0], "profile": "2024", "firmware": FIRMWARE}],
    "devices": [{"address": f"{address:012X}", "address_type": 1, "at": [1, 1], "interval_ms": 100,
                 "payload": {"raw": "020106"}, "connect": connect} for address, connect in CONNECT.items()],
}


@pytest.fixture(scope="module")
def links_sim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("links")
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO), encoding="utf-8")
    sim = Simulator(BIN, folder, scenario)
    yield sim
    code, seconds = sim.stop()
    assert code == 0, sim.tail(40)
    assert seconds < STOP_LIMIT_S


@pytest.fixture(params=["new", "old"])
def proxy(request, links_sim):
    yield links_sim.proxies[request.param]
    assert_all_is_free(links_sim, request.param)


@pytest.fixture
def new_proxy(links_sim):
    yield links_sim.proxies["new"]
    assert_all_is_free(links_sim, "new")


# ---- aioesphomeapi ----

def test_a_connect_without_cache_brings_mtu_and_services(proxy):
    async def conversation(talk):
        state = await talk.connect(LAMP)
        services = (await talk.client.bluetooth_gatt_get_services(LAMP)).services
        await talk.disconnect(LAMP)
        await talk.free(3)
        return state, services

    state, services = talk(proxy, conversation)
    assert state == (True, MTU, 0)
    assert [service.uuid for service in services] == ["00001800-0000-1000-8000-00805f9b34fb"]
    assert [c.uuid for c in services[0].characteristics] == ["00002a00-0000-1000-8000-00805f9b34fb"]


def test_a_connect_with_cache_brings_mtu_23_and_no_services(new_proxy):
    async def conversation(talk):
        state = await talk.connect(LAMP, has_cache=True)
        services = (await talk.client.bluetooth_gatt_get_services(LAMP)).services
        await talk.disconnect(LAMP)
        return state, services

    assert talk(new_proxy, conversation) == ((True, MTU_WITH_CACHE, 0), [])


def test_the_slots_are_told_as_they_change(new_proxy):
    async def conversation(talk):
        await talk.free(3)
        await talk.connect(LAMP)
        await talk.connect(LOCK)
        await talk.free(1)
        await talk.disconnect(LAMP)
        await talk.disconnect(LOCK)
        await talk.free(3)
        return talk.slots

    slots = [(free, limit, list(allocated)) for free, limit, allocated in talk(new_proxy, conversation)]
    assert slots == [(3, 3, []), (2, 3, [LAMP]), (2, 3, [LAMP]), (1, 3, [LAMP, LOCK]), (1, 3, [LAMP, LOCK]),
                     (2, 3, [LOCK]), (3, 3, [])]


def test_old_firmware_names_no_addresses(links_sim):
    async def conversation(talk):
        await talk.connect(LAMP)
        await talk.free(2)
        return talk.slots[-1]

    assert list(talk(links_sim.proxies["old"], conversation)[2]) == []
    assert_all_is_free(links_sim, "old")


@pytest.mark.parametrize("error", [NOT_ESTABLISHED, SUPERVISION_TIMEOUT, 0x85])
def test_the_reason_of_a_failed_attempt_is_told(proxy, links_sim, error):
    links_sim.ask(do="fail_next", device=text_of(LAMP), attempts=1, error=error)

    async def conversation(talk):
        failed = await talk.connect(LAMP)
        await until(lambda: not slots_of(links_sim, proxy["name"]))  # old firmware refuses until then
        return failed, await talk.connect(LAMP)

    assert talk(proxy, conversation) == ((False, 0, error), (True, MTU, 0))


@pytest.mark.parametrize("address", [WALL, 0xDEAD])
def test_what_cannot_be_connected_to_is_given_up(proxy, address):
    assert talk(proxy, lambda talk: talk.connect(address)) == (False, 0, CANCELLED)


def test_a_fourth_device_finds_no_slot(proxy):
    async def conversation(talk):
        states = await asyncio.gather(*(talk.connect(address) for address in (LAMP, LOCK, SCALE)))
        return states, await talk.connect(VALVE)

    states, fourth = talk(proxy, conversation)
    assert states == [(True, MTU, 0)] * 3
    assert fourth == (False, 0, 0)


def test_a_link_that_breaks_is_told_with_its_reason(proxy, links_sim):
    async def conversation(talk):
        await talk.connect(LAMP)
        links_sim.ask(do="drop_link", proxy=proxy["name"], device=text_of(LAMP))
        await talk.free(3)
        return talk.states[LAMP]

    assert (False, 0, SUPERVISION_TIMEOUT) in talk(proxy, conversation)


@pytest.mark.parametrize("request_name", ["leak_slot", "occupy_slot"])
def test_a_slot_that_somebody_else_holds_is_listed_and_can_be_freed(new_proxy, links_sim, request_name):
    async def conversation(talk):
        await talk.free(3)
        links_sim.ask(do=request_name, proxy="new", device=text_of(LAMP))
        await talk.free(2)
        allocated = list(talk.slots[-1][2])
        await talk.disconnect(LAMP)
        await talk.free(3)
        return allocated

    assert talk(new_proxy, conversation) == [LAMP]


def test_a_connect_that_takes_too_long_gives_its_slot_back(proxy):
    async def conversation(talk):
        with pytest.raises(TimeoutAPIError, match="disconnect timed out: False"):
            await talk.connect(SLOW, timeout=0.3)
        await talk.free(3)

    talk(proxy, conversation)


def test_pairing_is_answered(proxy):
    async def conversation(talk):
        answers = []
        for address in (LAMP, SHY):
            await talk.connect(address)
            answers.append(await talk.client.bluetooth_device_pair(address, timeout=LIMIT_S))
        answers.append(await talk.client.bluetooth_device_unpair(LAMP, timeout=LIMIT_S))
        answers.append(await talk.client.bluetooth_device_clear_cache(LAMP, timeout=LIMIT_S))
        return answers

    paired, refused, unpaired, cleared = talk(proxy, conversation)
    assert (paired.paired, paired.error) == (True, 0)
    assert (refused.paired, refused.error) == (False, PAIRING_UNSUPPORTED)
    assert unpaired.success and cleared.success


# ---- bleak-esphome, habluetooth, bleak-retry-connector ----

def test_an_integration_connects_and_disconnects(proxy):
    async def visit(home):
        client = await home.connect(LAMP)
        services = [service.uuid for service in client.services]
        await client.disconnect()
        await until(lambda: home.free() == 3)
        return services, home.disconnected

    assert at_home(proxy, visit) == (["00001800-0000-1000-8000-00805f9b34fb"], [LAMP])


def test_a_second_visit_uses_the_cache(new_proxy):
    async def visit(home):
        for _ in range(2):
            client = await home.connect(LAMP)
            services, mtu = len(list(client.services)), client.mtu_size
            await client.disconnect()
        return services, mtu

    assert at_home(new_proxy, visit) == (1, MTU)


def test_three_integrations_connect_at_once_and_a_fourth_waits_its_turn(proxy):
    async def visit(home):
        clients = await asyncio.gather(*(home.connect(address) for address in (LAMP, LOCK, SCALE)))
        assert home.free() == 0
        fourth = asyncio.ensure_future(home.connect(VALVE))
        done, _ = await asyncio.wait([fourth], timeout=0.5)
        assert not done
        await clients[0].disconnect()
        clients[0] = await fourth
        assert all(client.is_connected for client in clients)
        for client in clients:
            await client.disconnect()
        await until(lambda: home.free() == 3)
        return sorted(home.disconnected)

    assert at_home(proxy, visit) == [LAMP, LOCK, SCALE, VALVE]


def test_a_failed_attempt_is_repeated_by_the_retry_connector(proxy, links_sim):
    async def visit(home):
        links_sim.ask(do="fail_next", device=text_of(LAMP), attempts=2, error=NOT_ESTABLISHED)
        client = await home.connect(LAMP)
        assert client.is_connected
        await client.disconnect()

    at_home(proxy, visit)


def test_a_broken_link_is_told_to_the_integration(proxy, links_sim):
    async def visit(home):
        client = await home.connect(LAMP)
        links_sim.ask(do="drop_link", proxy=proxy["name"], device=text_of(LAMP))
        await until(lambda: home.disconnected)
        return client.is_connected, home.disconnected

    assert at_home(proxy, visit) == (False, [LAMP])


def test_an_integration_that_leaves_without_a_word_leaves_nothing_behind(proxy):
    async def visit(home):
        await asyncio.gather(*(home.connect(address) for address in (LAMP, LOCK)))

    at_home(proxy, visit)  # the fixture looks
