#!/usr/bin/env python3
"""habluetooth-paths: which path habluetooth chooses, as vectors for the mode "ha" of the router.

habluetooth_paths.py [--cases 400] [--seed 1] >tests/data/habluetooth_paths.tsv

The choice is made by its own HaBleakClientWrapper, the scores by its own scanners; who hears the device at what
loudness is ours. The order is who is chosen, then who is chosen once that one
cannot connect, and so on. A scanner that told no slots (0 of 0) can connect; one without a free slot cannot.

A line: the paths in the order of the scanners, each as rssi,in_progress,failures,slots,free; a tab; the order, as
numbers of paths (-: nobody can); a tab; the score of each path (-: of a single path none is made)."""
import argparse
import random
from importlib.metadata import version

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from bleak_retry_connector import Allocations
from bluetooth_adapters import BluetoothAdapters
from habluetooth import (BaseHaRemoteScanner, BluetoothManager, BluetoothScannerDevice, HaBluetoothConnector,
                         set_manager)
from habluetooth.wrappers import HaBleakClientWrapper

ADDRESS = "AA:BB:CC:DD:EE:FF"


class NoAdapters(BluetoothAdapters):
    @property
    def adapters(self):
        return {}

    @property
    def default_adapter(self):
        return "hci0"


class Manager(BluetoothManager):
    def __init__(self):
        self.devices = []
        super().__init__(NoAdapters())

    def _discover_service_info(self, service_info):
        """Nobody wants it."""

    def async_scanner_devices_by_address(self, address, connectable):
        return self.devices

    def async_address_reachability_diagnostics(self, address, intent):
        return ""


class Scanner(BaseHaRemoteScanner):
    def __init__(self, number, path):
        _, in_progress, failures, self.slots, self.free = path
        self.may_connect = self.slots == 0 or self.free > 0
        connector = HaBluetoothConnector(client=object, source=str(number), can_connect=lambda: self.may_connect)
        super().__init__(str(number), str(number), connector, True)
        for other in range(in_progress):
            self._add_connecting(f"00:00:00:00:00:{other:02X}")
        if failures:
            self._connect_failures[ADDRESS] = failures

    def get_allocations(self):
        return Allocations(self.source, self.slots, self.free, [])


def device_of(number, path):
    ble_device = BLEDevice(ADDRESS, "device", {"source": str(number)})
    advertisement = AdvertisementData(None, {}, {}, [], None, path[0], ())
    return BluetoothScannerDevice(Scanner(number, path), ble_device, advertisement)


def order_of(manager, client):
    order = []
    while True:
        try:
            backend = client._async_get_best_available_backend_and_device(manager)
        except BleakError:
            return order
        order.append(int(backend.source))
        backend.scanner.may_connect = False


def scores_of(devices):
    if len(devices) < 2:
        return ["-"] * len(devices)
    loudest = sorted((device.advertisement.rssi for device in devices), reverse=True)
    return [repr(float(device.score_connection_path(loudest[0] - loudest[1]))) for device in devices]


def line_of(manager, client, paths):
    manager.devices = [device_of(number, path) for number, path in enumerate(paths)]
    scores = scores_of(manager.devices)
    order = order_of(manager, client)
    return "\t".join([" ".join(",".join(map(str, path)) for path in paths),
                      " ".join(map(str, order)) or "-", " ".join(scores)])


def random_path(chance):
    slots = chance.choice([0, 1, 3, 3, 3, 5])
    rssi = 0 if chance.random() < 0.03 else chance.randint(-100, -40)
    return (rssi, chance.choice([0, 0, 0, 1, 2]), chance.choice([0, 0, 0, 1, 2, 7]), slots, chance.randint(0, slots))


def random_paths(chance):
    paths = [random_path(chance) for _ in range(chance.randint(1, 6))]
    if chance.random() < 0.3:  # equal loudness, so that ties are met
        paths = [(paths[0][0], *path[1:]) for path in paths]
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    manager, chance = Manager(), random.Random(arguments.seed)
    set_manager(manager)
    client = HaBleakClientWrapper(ADDRESS)
    print(f"# Made by tests/interop/habluetooth_paths.py, which says what the columns are; habluetooth "
          f"{version('habluetooth')}, seed {arguments.seed}.")
    for _ in range(arguments.cases):
        print(line_of(manager, client, random_paths(chance)))


if __name__ == "__main__":
    main()
