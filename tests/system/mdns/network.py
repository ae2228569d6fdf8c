"""A network of our own with a D-Bus and an avahi-daemon of our own: for processes in new namespaces of network,
mounts and processes alone. Python's standard library and the programs of Debian's packages."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

from programs import Program, ProgramFailed

BUS = "/run/dbus/system_bus_socket"
BUS_CONFIG = f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={BUS}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow receive_type="method_call"/><allow send_requested_reply="true"/><allow receive_requested_reply="true"/>
<allow send_type="signal"/><allow receive_type="signal"/></policy></busconfig>
"""
AVAHI_CONFIG = """[server]
host-name=gateway
allow-interfaces=lo,near
ratelimit-interval-usec=0
[publish]
publish-hinfo=no
publish-workstation=no
"""


def command(*words):
    subprocess.run(words, check=True, capture_output=True, text=True)


VOID = "10.9.9.9"  # swallows what is sent to it


def set_up():
    """Once in new namespaces: /run is empty, lo takes multicast, and two interfaces lead to each other."""
    command("mount", "-t", "tmpfs", "tmpfs", "/run")
    for folder in ("/run/dbus", "/run/avahi-daemon"):
        os.makedirs(folder)
    command("ip", "link", "set", "lo", "up", "multicast", "on")
    command("ip", "route", "add", "224.0.0.0/4", "dev", "lo")
    command("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
    for interface in ("near", "far"):
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{interface}/accept_dad").write_text("0", encoding="ascii")
        command("ip", "link", "set", interface, "up")
    command("ip", "route", "add", VOID, "dev", "near")
    command("ip", "neighbour", "add", VOID, "lladdr", "02:00:00:00:00:09", "dev", "near")


def link_local(interface):
    """Its address of IPv6."""
    for line in pathlib.Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines():
        digits, *_, name = line.split()
        if name == interface and digits.startswith("fe80"):
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
    raise ProgramFailed(f"{interface} has no address")


class Daemon(Program):
    """A daemon that is ready when is_ready() says so."""

    def __init__(self, name, folder, words):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        end = time.monotonic() + 10
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise ProgramFailed(f"{self.name} is not ready:\n{self.tail()}")
            time.sleep(0.02)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """A clean end, unless it is stopped or does not come."""
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bus(Daemon):
    def __init__(self, folder):
        config = pathlib.Path(folder) / "bus.conf"
        config.write_text(BUS_CONFIG, encoding="utf-8")
        super().__init__("dbus-daemon", folder, ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"])

    def is_ready(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(BUS) == 0

    def stop(self):
        super().stop()
        pathlib.Path(BUS).unlink(missing_ok=True)


class Avahi(Daemon):
    def __init__(self, folder):
        config = pathlib.Path(folder) / "avahi.conf"
        config.write_text(AVAHI_CONFIG, encoding="utf-8")
        found = shutil.which("avahi-daemon", path=os.environ.get("PATH", "") + ":/usr/sbin")
        super().__init__("avahi-daemon", folder,
                         [found, "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", str(config)])

    def is_ready(self):
        return "Server startup complete" in self.log_text()


class DeadBus:
    """Takes connections to D-Bus and never says a word."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(BUS)
        self.socket.listen(5)

    def stop(self):
        self.socket.close()
        pathlib.Path(BUS).unlink()
