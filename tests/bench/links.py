#!/usr/bin/env python3
"""What somebody who wants a connection meets: blefleet beside the Python stack of Home Assistant.

links.py --bin FOLDER --folder FOLDER [--seeds N] [--quick]

Both are asked for the same connections on the same simulated house (links_lane.py: 4 proxies with 3 slots, 24 devices,
connects of 150 to 600 ms, an attempt that nobody answers is over after 2 s), with the same seeds and at the same time:
blefleet over REST, as a client of its API does, with the defaults of its configuration; the peer (links_peer.py:
bleak-retry-connector on habluetooth, bleak-esphome and aioesphomeapi, compiled) with its own, which are 4 attempts of
20 s, or 9 where it takes the error for a passing one. A client waits 60 s at most, holds its link for 0.2 to 0.6 s and
releases it.

12 devices are asked for one after the other, and all 24 by 8 clients at a time, each device once: while no attempt
fails; while 30 or 60 % fail wherever they are made, a third of them because nobody answers; while 60 % fail at two of
the proxies and none at the others; while 90 % fail at two and 30 % at the others. Told are the share of requests that
got a connection, that of requests that got one within 10 s, which is what somebody at a door waits, and median and
95th percentile of the time that connections took.

Then what cannot be: a device that was never seen, one whose only proxy went away, one that shall be reached through a
proxy that is away (the peer has no such wish: the same as before), and one whose only proxy has no free slot
(`queue_ms` 0; the peer cannot be told). Told are how long it takes to be told so, what is told, and whether that is
right.

Every figure comes with its difference to the peer's and the 95 % interval of that, from a bootstrap over seeds and
requests. Required: no share and no time of blefleet is worse beyond doubt (the interval lies on the wrong side of
zero), its success within 10 s in all lanes with failures together is better beyond doubt, and so is its time to each
error, with nothing wrong told. In the end both connect as often: both go on for 4 attempts, or 9. Exit code 1 when a
requirement is missed, 2 when nothing could be measured. A quick run is too short to show that success is better. The
figures also go to FOLDER/links.json."""
import asyncio
import collections
import random
import sys

import skeleton
from links_lane import CONTESTANTS, DEVICES, Lane, errors, house

NOWHERE = (0, 0, 0, 0)
FAILURES = {"none": (0, NOWHERE), "30 % everywhere": (0.3, NOWHERE), "60 % everywhere": (0.6, NOWHERE),
            "30 % at two proxies": (0, (0.6, 0, 0, 0.6)), "60 % at two proxies": (0, (0.9, 0.3, 0.3, 0.9))}
VISITS = {1: DEVICES // 2, 8: DEVICES}  # devices that so many clients visit
RIGHT = {"unseen": {"device_not_found", "BleakNotFoundError"},
         "away": {"no_route", "proxy_offline", "BleakNotFoundError"},
         "required": {"proxy_offline", "BleakNotFoundError"},
         "full": {"no_free_slot", "BleakOutOfConnectionSlotsError"}}
CASES = {"unseen": "a device that was never seen", "away": "its only proxy is away",
         "required": "the required proxy is away", "full": "every slot is taken"}
ERRORS_LANE = "errors"
TIMES = 3  # that each impossible thing is asked for
FIRST_SEED = 20261121
SEEDS_AT_ONCE = 4  # a lane waits most of its time
PATIENCE_S, SOON_S = 60, 10
RESAMPLES = 1000
PACKAGES = ("aioesphomeapi", "bleak-esphome", "habluetooth", "bleak-retry-connector", "bleak")


# ---- measuring ----

def lane_name(clients, failures):
    return f"{clients} at a time, {failures}"


def lanes(options):
    """{name: (scenario of a seed, what is done on it)}"""
    wanted = {ERRORS_LANE: (errors, lambda lane, seed: lane.fail(TIMES))}
    for failures in options.failures:
        for clients in options.clients:
            wanted[lane_name(clients, failures)] = (
                lambda seed, of=FAILURES[failures]: house(seed, *of),
                lambda lane, seed, clients=clients: lane.visit(seed, VISITS[clients], clients))
    return wanted


async def play(options, seeds):
    """All lanes of some seeds, at the same time: for each seed {lane: {contestant: outcomes}}"""
    wanted = lanes(options)
    keys = [(seed, name, contestant) for seed in seeds for name in wanted for contestant in CONTESTANTS]
    with skeleton.Programs() as programs:
        started = await asyncio.gather(*(
            asyncio.to_thread(Lane, options, programs, f"{seed} {name}", contestant, wanted[name][0](seed))
            for seed, name, contestant in keys))
        await asyncio.gather(*(lane.warm_up() for lane in started))
        outcomes = await asyncio.gather(*(wanted[name][1](lane, seed)
                                          for (seed, name, _), lane in zip(keys, started)))
    found = {seed: collections.defaultdict(dict) for seed in seeds}
    for (seed, name, contestant), outcome in zip(keys, outcomes):
        found[seed][name][contestant.name] = outcome
    return list(found.values())


def measure(options, programs):
    machine, seeds = skeleton.machine(PACKAGES), [FIRST_SEED + number for number in range(options.seeds)]
    found = []
    for first in range(0, len(seeds), SEEDS_AT_ONCE):
        skeleton.show(f"{first} of {len(seeds)} seeds are done")
        found += asyncio.run(play(options, seeds[first:first + SEEDS_AT_ONCE]))
    skeleton.show("")
    visits, impossible = compare_visits(options, found), compare_errors(found)
    return {"machine": machine, "seeds": seeds, "patience_s": options.patience_s, "visits": visits,
            "errors": impossible,
            "requirements": requirements(options, visits, impossible), "outcomes": found}


# ---- figures ----

def share(limit_s):
    """The function that gives the percentage of requests that got a connection by then."""
    def of(outcomes):
        return 100 * sum(outcome["error"] is None and outcome["s"] <= limit_s for outcome in outcomes) / len(outcomes)
    return of


def quantile(part):
    """The function that gives it of the times of requests that got a connection."""
    def of(outcomes):
        return skeleton.quantile([outcome["s"] for outcome in outcomes if outcome["error"] is None], part)
    return of


def mean_time(outcomes):
    return sum(outcome["s"] for outcome in outcomes) / len(outcomes)


FIGURES = {"success": share(PATIENCE_S), "soon": share(SOON_S), "median_s": quantile(0.5), "p95_s": quantile(0.95)}
HEADS = {"success": "connected, %", "soon": f"within {SOON_S} s, %", "median_s": "median, s",
         "p95_s": "95th percentile, s"}
MORE_IS_BETTER = {"success", "soon"}


def pooled(seeds, contestant):
    return [outcome for seed in seeds for outcome in seed[contestant]]


def resampled(seeds, contestant, dice):
    return [outcome for seed in seeds for outcome in dice.choices(seed[contestant], k=len(seed[contestant]))]


def difference(seeds, figure):
    """{"blefleet", "peer", "low", "high"}: the figure of each, and the interval of their difference.
    seeds: [{contestant: outcomes}]"""
    dice, differences = random.Random(1), []
    for _ in range(RESAMPLES):
        chosen = dice.choices(seeds, k=len(seeds))
        differences.append(figure(resampled(chosen, "blefleet", dice)) - figure(resampled(chosen, "peer", dice)))
    differences.sort()
    of = {contestant.name: figure(pooled(seeds, contestant.name)) for contestant in CONTESTANTS}
    return {**of, "low": differences[int(0.025 * RESAMPLES)], "high": differences[int(0.975 * RESAMPLES) - 1]}


def compare_visits(options, found):
    """{lane: {figure: difference}}, and all lanes with failures together."""
    names = {failures: [lane_name(clients, failures) for clients in options.clients] for failures in options.failures}
    rows = {name: {what: difference([seed[name] for seed in found], figure) for what, figure in FIGURES.items()}
            for failures in names for name in names[failures]}
    failing = [name for failures in names if failures != "none" for name in names[failures]]
    together = [{contestant.name: [outcome for name in failing for outcome in seed[name][contestant.name]]
                 for contestant in CONTESTANTS} for seed in found]
    rows["all with failures"] = {what: difference(together, figure) for what, figure in FIGURES.items()}
    return rows


def compare_errors(found):
    rows = {}
    for case in CASES:
        seeds = [{contestant.name: seed[ERRORS_LANE][contestant.name][case] for contestant in CONTESTANTS}
                 for seed in found]
        told = {contestant.name: collections.Counter(str(outcome["error"])
                                                     for outcome in pooled(seeds, contestant.name))
                for contestant in CONTESTANTS}
        rows[case] = {"time_s": difference(seeds, mean_time), "told": told,
                      "is_right": {name: set(errors) <= RIGHT[case] for name, errors in told.items()}}
    return rows


# ---- what is required ----

def is_worse(what, row):
    return row["high"] < 0 if what in MORE_IS_BETTER else row["low"] > 0


def is_better(what, row):
    return row["low"] > 0 if what in MORE_IS_BETTER else row["high"] < 0


def requirements(options, visits, impossible):
    rows = [{"what": f"{lane}: {what} not worse", "is_met": not is_worse(what, row)}
            for lane, figures in visits.items() for what, row in figures.items()]
    if not options.quick:
        rows.append({"what": f"all with failures: better within {SOON_S} s",
                     "is_met": is_better("soon", visits["all with failures"]["soon"])})
    for case, row in impossible.items():
        rows.append({"what": f"{CASES[case]}: told right", "is_met": row["is_right"]["blefleet"]})
        rows.append({"what": f"{CASES[case]}: told sooner", "is_met": is_better("time_s", row["time_s"])})
    return rows


# ---- telling ----

def cell(what, row):
    if what in MORE_IS_BETTER:
        return f"{row['blefleet']:5.1f} {row['peer']:5.1f} {row['low']:+6.1f}..{row['high']:+.1f}"
    return f"{row['blefleet']:5.2f} {row['peer']:5.2f} {row['low']:+6.2f}..{row['high']:+.2f}"


def tell(figures):
    skeleton.tell_machine(figures["machine"])
    print(f"seeds {', '.join(map(str, figures['seeds']))}\n\nblefleet, peer, and the 95 % interval of the difference\n")
    print(f"{'':33}" + "".join(f"{HEADS[what]:27}" for what in FIGURES))
    for lane, row in figures["visits"].items():
        print(f"{lane:33}" + "".join(f"{cell(what, row[what]):27}" for what in FIGURES))
    print(f"\n{'told after, s':33}")
    for case, row in figures["errors"].items():
        told = "; ".join(f"{name}: {', '.join(errors)}, {'right' if row['is_right'][name] else 'wrong'}"
                         for name, errors in row["told"].items())
        print(f"{CASES[case]:33}{cell('time_s', row['time_s']):27}{told}")
    missed = [row["what"] for row in figures["requirements"] if not row["is_met"]]
    print(f"\n{len(figures['requirements'])} requirements, missed: {len(missed)}")
    for what in missed:
        print(f"  {what}")


def main():
    parser = skeleton.parser("./run bench links")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="one seed, two lanes, clients that wait 10 s")
    options = parser.parse_args()
    options.failures, options.clients, options.patience_s = list(FAILURES), list(VISITS), PATIENCE_S
    if options.quick:
        options.seeds, options.failures, options.clients, options.patience_s = 1, ["none", "60 % everywhere"], [8], 10
    figures = skeleton.run("links", options, measure)
    if figures is None:
        return 2
    tell(figures)
    return 0 if all(row["is_met"] for row in figures["requirements"]) else 1


if __name__ == "__main__":
    sys.exit(main())
