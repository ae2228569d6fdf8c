"""What mDNS finds, with a real avahi-daemon. `./run test mdns` gives these tests a network of their own, where nobody
else announces anything."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import network  # noqa: E402
from announcer import Announcer  # noqa: E402


@pytest.fixture(scope="session")
def own_network():
    network.set_up()
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={network.BUS}"


@pytest.fixture
def daemons(own_network, tmp_path):
    """daemons(network.Bus), daemons(network.Avahi): started, and ended with the test if they are still there."""
    running = []

    def start_daemon(kind):
        running.append(kind(tmp_path))
        return running[-1]

    yield start_daemon
    for daemon in reversed(running):
        if daemon.process.poll() is None:
            daemon.stop()


@pytest.fixture
def avahi(daemons):
    daemons(network.Bus)
    return daemons(network.Avahi)


@pytest.fixture
def announcer(own_network):
    made = Announcer()
    yield made
    made.close()
