#!/usr/bin/env python3
"""What an advertisement costs in blefleet, beside the least possible and beside Home Assistant's own stack.

ingest.py --bin FOLDER --folder FOLDER [--rounds N] [--quick]

Contestants get the same recorded frames from the same player of 20 proxies (bench-sender), in turns, round by
round: the floor (bench-floor: reads, decodes, one hash table), blefleet with everything on (REST, MQTT at a
broker, one reader of the plain GET /api/v1/events), the same with REST alone, which shows what of it MQTT and
the reader are, and the peer (aioesphomeapi, bleak-esphome and habluetooth, compiled). 1,000 devices, each heard
by 3 proxies; 31 octets; one transmission in five with a payload that is new; one device in twenty is Apple's
noise. Contestants run on core 0, all else on core 1.

Frames of 16 advertisements come in three ways: as fast as the sockets take them, in large writes; 10,000 a second
and 200 a second, each frame a write of its own, of one proxy after the other. At those rates all contestants can
follow, so that all have the same load, and none gets its frames together only because it was slow: a reader that
reads at once gets each alone, one that reads in turns gets what came since the last.

Measured is the processor time of all threads from the first frame until 0.25 s after the last and everything was
received, divided by the advertisements; what was received must be what was sent, and the reader of events still
there. At 200 frames a second three rounds of 4 s are played, each lane after a rest in which is told what was
left to tell. Then the memory that
1,000 devices at each of 20 proxies take. Exit code 1 when a target is missed, 2 when nothing could be
measured, or the floor is not one. The figures also go to FOLDER/ingest.json."""
import base64
import contextlib
import json
import os
import socket
import statistics
import sys
import threading
import time

import skeleton
from programs import Asked, Broker, Gateway, ProgramFailed

CONTESTANT_CORE, OTHER_CORE = 0, 1
PACED_ROUNDS = 3  # these runs take 4 s each, and the load is the same whatever the machine does
SETTLE_S = 0.25
CALM_S = 1.5  # until what single frames left behind has been told
PATIENCE_S = 60
WARM_UP = 192000  # advertisements: the whole recording once
FLOOR_NS_MAX = 50
MODES = {"coalesced": "large writes", "single": "10,000 frames/s", "paced": "200 frames/s"}
FRAMINGS = ("plaintext", "Noise")
EVENTS = "/api/v1/events"
PACKAGES = ("aioesphomeapi", "bleak-esphome", "habluetooth", "bluetooth-data-tools", "protobuf")
MIB = 1048576


# ---- the contestants ----

class Floor(Asked):
    def __init__(self, options, programs, ports, key):
        super().__init__("floor", options.folder, [options.bin / "bench-floor", *(["--key"] if key else []), *ports])

    def received(self):
        return self.ask("count")["advertisements"]


class Peer(Asked):
    def __init__(self, options, programs, ports, key):
        super().__init__("peer", options.folder, [sys.executable, skeleton.TOP / "tests/bench/peer.py",
                                                  *(["--key", key] if key else []), *ports])

    def received(self):
        return self.ask("count")["advertisements"]


class Alone(Gateway):
    """blefleet to which nobody listens."""
    FOLDER, SETTINGS = "alone", {}

    def __init__(self, options, programs, ports, key, mqtt=None):
        folder = options.folder / ("blefleet" if mqtt else self.FOLDER)
        folder.mkdir(exist_ok=True)
        config = folder / "gateway.json"
        config.write_text(json.dumps(configuration(ports, key, mqtt or {"enabled": False}) | self.SETTINGS), encoding="utf-8")
        super().__init__(options.bin, folder, config, log_level="warning")

    def received(self):
        return sum(proxy["advertisements_total"] for proxy in self.items("/api/v1/proxies"))

    def is_whole(self):
        """Whether all that shall cost is still there."""
        return True


class Unrecorded(Alone):
    """The same without the flight recorder, for recorder.py."""
    FOLDER, SETTINGS = "unrecorded", {"recorder": {"enabled": False}}


class Blefleet(Alone):
    """With a broker and a reader of events."""

    def __init__(self, options, programs, ports, key):
        broker = programs.add(Broker(options.folder))
        broker.pin(OTHER_CORE)
        super().__init__(options, programs, ports, key, {"enabled": True, "port": broker.port})
        host, port = self.address.rsplit(":", 1)
        self.events = socket.create_connection((host, int(port)))
        self.events.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode())
        self.reader = threading.Thread(target=self.forget_events, daemon=True)
        self.reader.start()

    def is_whole(self):
        return self.reader.is_alive()

    def forget_events(self):
        with contextlib.suppress(OSError):
            while self.events.recv(1 << 18):
                pass
        self.events.close()


def configuration(ports, key, mqtt):
    secret = {"encryption_key": key} if key else {}
    proxies = [{"name": f"bench-{number}", "host": "127.0.0.1", "port": port, **secret}
               for number, port in enumerate(ports)]
    return {"http": {"listen": "127.0.0.1:0"}, "mqtt": mqtt, "proxies": proxies}


CONTESTANTS = {"floor": Floor, "blefleet": Blefleet, "REST alone": Alone, "peer": Peer}
COUNTS = {"coalesced": {"floor": 10_000_000, "blefleet": 5_120_000, "REST alone": 10_000_000, "peer": 320_000},
          "single": dict.fromkeys(CONTESTANTS, 160_000),
          "paced": dict.fromkeys(CONTESTANTS, 12_800)}


class Lane:
    """A contestant and its own player of proxies, connected."""

    def __init__(self, name, options, programs, is_encrypted, world=(), contestants=CONTESTANTS):
        command = [options.bin / "bench-sender", *world, *(["--key"] if is_encrypted else []),
                   *(["--bare"] if name == "floor" else [])]
        self.name = name
        self.sender = programs.add(Asked(f"sender of {name}", options.folder, command))
        self.sender.pin(OTHER_CORE)
        key = base64.b64encode(bytes.fromhex(self.sender.ready["key"])).decode() if is_encrypted else None
        self.contestant = programs.add(contestants[name](options, programs, self.sender.ready["ports"], key))
        self.contestant.pin(CONTESTANT_CORE)
        self.sender.ask("wait")
        if isinstance(self.contestant, Gateway):
            self.contestant.wait_online(len(self.sender.ready["ports"]))

    def run(self, mode, count):
        """Nanoseconds of processor time for each of so many advertisements."""
        before, cpu = self.contestant.received(), self.contestant.cpu_s()
        sent = self.sender.ask(f"{mode} {count}")["sent"]
        end = time.monotonic() + PATIENCE_S
        received = spent = 0
        while received < sent and time.monotonic() < end:
            time.sleep(SETTLE_S)
            spent = self.contestant.cpu_s() - cpu  # before asking for the count, which costs as well
            received = self.contestant.received() - before
        if received != sent:
            raise ProgramFailed(f"{self.name}: {sent} advertisements sent, {received} received")
        if isinstance(self.contestant, Alone) and not self.contestant.is_whole():
            raise ProgramFailed(f"{self.name}: its reader of events is gone")
        return 1e9 * spent / sent


# ---- measuring ----

def measure_framing(options, is_encrypted):
    """{mode: {contestant: [ns of each round]}}"""
    figures = {mode: {name: [] for name in CONTESTANTS} for mode in MODES}
    with skeleton.Programs() as programs:
        lanes = [Lane(name, options, programs, is_encrypted) for name in CONTESTANTS]
        for lane in lanes:
            lane.run("coalesced", WARM_UP)
        for number in range(options.rounds):
            skeleton.show(f"{FRAMINGS[is_encrypted]}: round {number + 1} of {options.rounds}")
            for mode in MODES:
                if mode == "paced" and number >= PACED_ROUNDS:
                    continue
                for lane in lanes:
                    time.sleep(CALM_S if mode == "paced" else 0)
                    figures[mode][lane.name].append(lane.run(mode, options.counts[mode][lane.name]))
    return figures


def measure_memory(options, name):
    """MiB in memory: connected with nothing heard, and with 1,000 devices at each of 20 proxies."""
    with skeleton.Programs() as programs:
        lane = Lane(name, options, programs, False, ["--heard-by", "20", "--rounds", "8"])
        time.sleep(1)
        idle = lane.contestant.memory_bytes()
        lane.run("coalesced", 20 * 1000 * 8)
        time.sleep(2)
        full = lane.contestant.memory_bytes()
    return {"idle": idle / MIB, "full": full / MIB, "grown": (full - idle) / MIB}


def measure(options, programs):
    os.sched_setaffinity(0, {OTHER_CORE})
    before = skeleton.machine(PACKAGES)
    costs = {FRAMINGS[is_encrypted]: measure_framing(options, is_encrypted) for is_encrypted in (False, True)}
    skeleton.show("memory")
    memory = {name: measure_memory(options, name) for name in ("blefleet", "peer")}
    skeleton.show("")
    return {"machine": before, "rounds": options.rounds, "offered": options.counts, "ns_per_advertisement": costs,
            "memory_mib": memory, "targets": targets(costs, memory)}


# ---- what it means ----

def ratio(costs, framing, mode, above, below):
    """Median of the ratios of each round."""
    pairs = zip(costs[framing][mode][above], costs[framing][mode][below])
    return statistics.median(a / b for a, b in pairs)


def targets(costs, memory):
    rows = [target("blefleet, plaintext, large writes: ns",
                   statistics.median(costs["plaintext"]["coalesced"]["blefleet"]), at_most=120)]
    for framing in FRAMINGS:
        rows.append(target(f"blefleet / floor, {framing}, {MODES['single']}",
                           ratio(costs, framing, "single", "blefleet", "floor"), at_most=1.4))
    for mode, least in (("coalesced", 15), ("paced", 5)):
        for framing in FRAMINGS:
            rows.append(target(f"peer / blefleet, {framing}, {MODES[mode]}",
                               ratio(costs, framing, mode, "peer", "blefleet"), at_least=least))
    rows.append(target("blefleet, 20 proxies x 1,000 devices: MiB over idle", memory["blefleet"]["grown"], at_most=12))
    return rows


def target(what, value, at_most=None, at_least=None):
    is_met = value <= at_most if at_most is not None else value >= at_least
    return {"what": what, "value": round(value, 2), "at_most": at_most, "at_least": at_least, "is_met": is_met}


# ---- telling ----

def cell(values):
    return f"{statistics.median(values):9.1f} ({min(values):.1f}..{max(values):.1f})"


def tell(figures):
    skeleton.tell_machine(figures["machine"])
    print(f"ns of processor time per advertisement, median (least..most) of {figures['rounds']} rounds, "
          f"{min(PACED_ROUNDS, figures['rounds'])} at {MODES['paced']}\n"
          f"blefleet with REST, MQTT and one reader of GET {EVENTS}; and with REST alone\n")
    print(f"{'':31}" + "".join(f"{name:27}" for name in CONTESTANTS))
    for framing, modes in figures["ns_per_advertisement"].items():
        for mode, costs in modes.items():
            print(f"{framing + ', ' + MODES[mode]:31}" + "".join(f"{cell(costs[name]):27}" for name in CONTESTANTS))
    print("\nadvertisements of a run")
    for mode, counts in figures["offered"].items():
        print(f"{MODES[mode]:31}" + "".join(f"{counts[name]:9,}{'':18}" for name in CONTESTANTS))
    print("\nMiB in memory                   idle, nothing heard   20 proxies x 1,000 devices")
    for name, memory in figures["memory_mib"].items():
        print(f"{name:31} {memory['idle']:9.1f} {memory['full']:21.1f}  (+{memory['grown']:.1f})")
    print("\ntargets")
    for row in figures["targets"]:
        limit = f"at most {row['at_most']}" if row["at_most"] is not None else f"at least {row['at_least']}"
        print(f"{row['what']:55} {row['value']:9.2f}  {limit:13}  {'ok' if row['is_met'] else 'MISSED'}")


def exit_code(figures):
    floor = statistics.median(figures["ns_per_advertisement"]["plaintext"]["coalesced"]["floor"])
    if floor > FLOOR_NS_MAX:
        print(f"the floor needs {floor:.1f} ns, more than {FLOOR_NS_MAX}: it is none, and the ratios say nothing",
              file=sys.stderr)
        return 2
    return 0 if all(row["is_met"] for row in figures["targets"]) else 1


def main():
    parser = skeleton.parser("./run bench ingest")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="two rounds with a quarter of the advertisements")
    options = parser.parse_args()
    share = 4 if options.quick else 1
    options.rounds = 2 if options.quick else options.rounds
    options.counts = {mode: {name: count // share for name, count in counts.items()} for mode, counts in COUNTS.items()}
    if os.cpu_count() < 2:
        print("this bench needs two cores", file=sys.stderr)
        return 2
    figures = skeleton.run("ingest", options, measure)
    if figures is None:
        return 2
    tell(figures)
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
