"""GATT from outside: what is known of a device's database outlives a kill, another proxy and a reboot, and is let go
of when it is wrong. The simulator's devices say what is true."""
import contextlib
import signal
import sqlite3

from test_links import BETWEEN, CONNECT, connect, restart, running, stop, wait_heard, wait_slots

BATTERY = "2a19"


def database(handle, level):
    """A battery whose level has this handle; a handle that is another database's is nobody's here."""
    return {"services": [{"uuid": "180f", "handle": handle - 2, "characteristics": [
        {"uuid": BATTERY, "handle": handle, "properties": ["read", "notify"], "value": f"{level:02x}"}]}]}


LAMP = {**BETWEEN, "connect": {**CONNECT, "advertises_linked": True, "gatt": [database(20, 87), database(10, 12)]}}
PATH = f"/devices/{LAMP['address']}"


def services(pair, query=""):
    return pair.get(f"{PATH}/services{query}")


def tree(found):
    """What of an answer with services does not depend on the link."""
    return [(service["uuid"], service["handle"], [(entry["uuid"], entry["handle"], entry["properties"],
                                                   entry["descriptors"]) for entry in service["characteristics"]])
            for service in found["services"]]


def battery(pair):
    found = pair.get(f"{PATH}/characteristics/{BATTERY}")
    assert found["source"] == "read"
    return found["handle"], found["value"]


def close_link(pair):
    pair.ask("DELETE", f"/api/v1{PATH}/connection")
    pair.gateway.wait_for(lambda: pair.get(f"{PATH}/connection")["state"] == "none")


def kept(pair):
    """When the databases in the store's file were discovered."""
    path = pair.sim.gateway_config.parent / "data/blefleet.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        return [row[0] for row in file.execute("SELECT updated FROM gatt_devices")]


def kill(pair):
    pair.gateway.stop(signal.SIGKILL)
    restart(pair)
    wait_heard(pair, (LAMP,))
    wait_slots(pair, "kitchen", [])  # its proxy ends the link of who is gone, and answers nothing meanwhile


def reads(pair):
    """How often the values of the device were read, by handle: what was really asked over the air."""
    attributes = pair.sim.ask(do="gatt", device=LAMP["address"])["attributes"]
    return {attribute["handle"]: attribute["reads"] for attribute in attributes if attribute["reads"]}


def test_G03_a_battery_is_read_with_one_request(start):
    pair = running(start, (LAMP,))
    assert battery(pair) == (20, "57")
    assert pair.get(f"{PATH}/connection")["state"] == "connected"  # and lingers
    assert services(pair)["source"] == "store"
    assert reads(pair) == {20: 1}


def test_P02_a_database_outlives_a_kill(start):
    pair = running(start, (LAMP,))
    connect(pair, LAMP, proxy="kitchen")
    assert battery(pair) == (20, "57")
    found = services(pair)
    pair.gateway.wait_for(lambda: kept(pair), 15, "the database in the file")
    kill(pair)
    again = services(pair)
    assert (again["source"], again["updated"], tree(again)) == ("store", found["updated"], tree(found))
    link = connect(pair, LAMP, proxy="kitchen")
    assert (link["mtu"], link["mtu_source"]) == (247, "stored")
    assert battery(pair) == (20, "57")
    assert services(pair)["updated"] == found["updated"]


def test_P02_it_is_known_through_all_proxies_and_after_their_reboot(start):
    pair = running(start, (LAMP,))
    connect(pair, LAMP, proxy="kitchen")
    assert battery(pair) == (20, "57")
    found = services(pair)["updated"]
    for source in ("negotiated", "stored"):
        close_link(pair)
        assert connect(pair, LAMP, proxy="office")["mtu_source"] == source
        assert battery(pair) == (20, "57")
    pair.sim.fault("kitchen", "reboot", seconds=2)
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] != "online")
    pair.wait_proxy("kitchen", lambda proxy: proxy["state"] == "online")
    close_link(pair)
    pair.wait_device(LAMP["address"], lambda device: len(device["sources"]) == 2)
    assert connect(pair, LAMP, proxy="kitchen")["mtu_source"] == "stored"
    assert battery(pair) == (20, "57")
    assert services(pair)["updated"] == found


def test_P05_a_database_that_changed_is_not_believed_twice(start):
    pair = running(start, (LAMP,))
    assert battery(pair) == (20, "57")
    close_link(pair)
    before = services(pair)["updated"]
    pair.sim.ask(do="change_gatt", device=LAMP["address"])
    assert battery(pair) == (10, "0c")
    found = services(pair)
    assert found["source"] == "store"
    assert found["updated"] != before
    assert [service["handle"] for service in found["services"]] == [8]
    pair.gateway.wait_for(lambda: len(kept(pair)) == 1, 15, "the new database in the file")
    stop(pair)
    restart(pair)
    wait_heard(pair, (LAMP,))
    assert tree(services(pair)) == tree(found)
    assert battery(pair) == (10, "0c")


def test_P03_whoever_asks_for_it_gets_a_discovery(start):
    pair = running(start, (LAMP,))
    found = services(pair)
    assert (found["source"], services(pair)["source"]) == ("discovery", "store")
    assert services(pair, "?refresh=true")["source"] == "discovery"
    pair.ask("DELETE", f"/api/v1{PATH}/gatt-cache")
    close_link(pair)
    assert services(pair)["source"] == "discovery"
