#!/usr/bin/env python3
"""What the flight recorder adds to what an advertisement costs.

recorder.py --bin FOLDER --folder FOLDER [--rounds N]

Two gateways with REST alone, one that records and one that does not, get the same frames as in ingest.py, in
turns: 30,000 advertisements a second (1,875 frames, each a write of its own), and as fast as the sockets take
them. Measured is as there. Told is the median of the ratios of each round. Exit code 1 when the recorder adds
more than 10 % at 30,000 a second, 2 when nothing could be measured. The figures also go to FOLDER/recorder.json."""
import os
import statistics
import sys

import skeleton
from ingest import FRAMINGS, OTHER_CORE, Alone, Lane, Unrecorded, cell

LANES = {"recorded": Alone, "not recorded": Unrecorded}
MODES = {"steady": ("30,000/s", 240_000), "coalesced": ("large writes", 5_120_000)}
ADDED_MAX_PERCENT = 10
FILLING = 4_800_000  # advertisements, until the ring is full and takes no fresh memory any more


def measure_framing(options, is_encrypted):
    """{mode: {lane: [ns of each round]}}"""
    figures = {mode: {name: [] for name in LANES} for mode in MODES}
    with skeleton.Programs() as programs:
        lanes = [Lane(name, options, programs, is_encrypted, contestants=LANES) for name in LANES]
        for lane in lanes:
            lane.run("coalesced", FILLING)
        for number in range(options.rounds):
            skeleton.show(f"{FRAMINGS[is_encrypted]}: round {number + 1} of {options.rounds}")
            for mode, (_, count) in MODES.items():
                for lane in lanes if number % 2 == 0 else reversed(lanes):
                    figures[mode][lane.name].append(lane.run(mode, count))
    return figures


def measure(options, programs):
    os.sched_setaffinity(0, {OTHER_CORE})
    before = skeleton.machine([])
    costs = {FRAMINGS[is_encrypted]: measure_framing(options, is_encrypted) for is_encrypted in (False, True)}
    skeleton.show("")
    return {"machine": before, "rounds": options.rounds, "ns_per_advertisement": costs,
            "added_percent": {framing: {mode: added(lanes) for mode, lanes in modes.items()} for framing, modes in costs.items()}}


def added(lanes):
    ratios = [a / b for a, b in zip(lanes["recorded"], lanes["not recorded"])]
    return round(100 * (statistics.median(ratios) - 1), 1)


def tell(figures):
    where = figures["machine"]
    print(f"{where['processor']}, {where['cores']} cores, load {where['load'][0]}\n"
          f"ns of processor time per advertisement, median (least..most) of {figures['rounds']} rounds\n")
    print(f"{'':31}" + "".join(f"{name:27}" for name in LANES) + "added")
    for framing, modes in figures["ns_per_advertisement"].items():
        for mode, lanes in modes.items():
            print(f"{framing + ', ' + MODES[mode][0]:31}" + "".join(f"{cell(lanes[name]):27}" for name in LANES) +
                  f"{figures['added_percent'][framing][mode]:4} %")


def main():
    parser = skeleton.parser("./run bench recorder")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    figures = skeleton.run("recorder", options, measure)
    if figures is None:
        return 2
    tell(figures)
    return 0 if all(modes["steady"] <= ADDED_MAX_PERCENT for modes in figures["added_percent"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
