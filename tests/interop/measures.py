"""How good the decisions about a world (worlds.py) are, measured in the same way whoever decided."""
import collections
import json
import math
import statistics

from worlds import START_S

ROUNDING_S = 0.001

# name: what it is, unit, and whether more is better
MEASURES = {
    "changes": ("owner changes per device and hour", "", False),
    "needless": ("of them, to a proxy that is not stronger while the former listens", "", False),
    "share": ("time with a truly strongest owner", "%", True),
    "told": ("new payloads told", "%", True),
    "delay": ("until told, or superseded untold", "s", False),
    "gone": ("until a vanished device is declared gone", "s", False),
    "wrong": ("wrongly declared gone, per device and hour", "", False),
}
T_95 = 2.093  # Student's t for 19 degrees of freedom: 20 seeds


def decisions_by_world(lines):
    """World -> device -> its decisions."""
    worlds = {}
    for line in lines:
        decision = json.loads(line)
        if "world" in decision:
            worlds[decision["world"]] = by_device = collections.defaultdict(list)
            continue
        decision["time"] /= 1e6
        by_device[decision["address"]].append(decision)
    return worlds


def of_kind(decisions, event):
    return [d for d in decisions if d["event"] == event]


def owner_changes(decisions):
    return [d for d in of_kind(decisions, "owner") if d["from"] >= 0]


def is_needless(world, device, change):
    means, time = device.means(change["time"]), change["time"]
    return means[change["to"]] <= means[change["from"]] and not world.is_deaf(change["from"], time)


def share_of_time(world, device, decisions):
    """Seconds with a strongest owner, and all seconds with one."""
    owners, right, total, step_s = of_kind(decisions, "owner"), 0, 0, world.plan["step_s"]
    for number, begins in enumerate(owners):
        ends = owners[number + 1]["time"] if number + 1 < len(owners) else device.last_heard
        step = math.ceil((begins["time"] - START_S) / step_s)
        while (time := START_S + step * step_s) < min(ends, device.last_heard):
            right += begins["to"] in world.strongest(device, time)
            total, step = total + 1, step + 1
    return right, total


def payload_number(text):
    return int(text[-8:], 16)


def tellings(device, decisions):
    """Of each new payload that anybody heard: was it told while it was true, and after how long?"""
    told = {}
    for decision in of_kind(decisions, "payload"):
        told.setdefault(payload_number(decision["payload"]), decision["time"])
    news = {number for _, number in device.news}
    ends = [time for time, _ in device.heard[1:]] + [device.last_heard]
    for (heard, number), end in zip(device.heard, ends):
        if number in news:
            is_told = number in told and told[number] <= end + ROUNDING_S
            yield is_told, (told[number] if is_told else end) - heard


def gone_after(device, decisions):
    """Seconds from its last packet until it was declared gone; None: never."""
    times = [d["time"] for d in of_kind(decisions, "available") if not d["value"] and d["time"] > device.last_heard]
    return times[0] - device.last_heard if times else None


def wrongly_gone(device, decisions):
    return sum(not d["value"] and d["time"] < device.last_heard for d in of_kind(decisions, "available"))


def mean(values):
    return statistics.fmean(values) if values else None


def judge(world, decisions):
    """The measures of one world, None where it says nothing about one."""
    pairs = [(device, decisions[device.address]) for device in world.devices]
    hours = sum(device.last_heard - START_S for device, _ in pairs) / 3600
    shares = [share_of_time(world, *pair) for pair in pairs]
    told = [telling for pair in pairs for telling in tellings(*pair)]
    gone = [gone_after(*pair) for pair in pairs] if world.plan["vanish"] else []
    assert None not in gone, f"{world.name}: a vanished device is not declared gone"
    changes = [(device, change) for device, d in pairs for change in owner_changes(d)]
    return {
        "changes": len(changes) / hours,
        "needless": sum(is_needless(world, *change) for change in changes) / hours,
        "share": 100 * sum(right for right, _ in shares) / sum(total for _, total in shares),
        "told": mean([100.0 * is_told for is_told, _ in told]),
        "delay": mean([delay for _, delay in told]),
        "gone": mean(gone),
        "wrong": sum(wrongly_gone(*pair) for pair in pairs) / hours,
    }


def interval_of(values):
    """Mean, and half of its 95 % interval."""
    return statistics.fmean(values), T_95 * statistics.stdev(values) / math.sqrt(len(values))


def compare(ours, theirs):
    """Rows of measure, our mean and half interval, theirs, and what ours is better by, for lists of judgements of
    the same worlds."""
    rows = []
    for measure, (_, _, is_more_better) in MEASURES.items():
        a, b = [j[measure] for j in ours], [j[measure] for j in theirs]
        if None not in a:
            gains = [(x - y) * (1 if is_more_better else -1) for x, y in zip(a, b)]
            rows.append({"measure": measure, "ours": interval_of(a), "theirs": interval_of(b),
                         "gain": interval_of(gains)})
    return rows


def verdict(row):
    """better, worse, or equal: what differs by chance, or not at all."""
    gain, half = row["gain"]
    if gain > half:
        return "better"
    return "worse" if gain < -half else "equal"
