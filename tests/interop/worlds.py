"""Simulated houses: devices that speak, proxies that hear some of it, and the truth to judge by.

A packet is heard at -59 dBm - 25 log10(metres), with a shadow that is constant for the pair of device and proxy
and gaussian noise of its own, rounded to whole dB. Packets get lost: one in twenty by chance, and the more the
fainter they are. The same seed makes the same world. STREAMS says which worlds there are."""
import bisect
import math
import random

START_S = 1000.0
HOUSE = (12.0, 9.0)
HOUSE_PROXIES = [(2.0, 2.0), (10.0, 2.0), (2.0, 7.0), (10.0, 7.0)]
SHADOW_DB = 4.0
CHANCE_LOSS, FAINT_DBM, FAINT_DB = 0.05, -94.0, 2.0
LOSS = {rssi: CHANCE_LOSS + (1 - CHANCE_LOSS) / (1 + math.exp((rssi - FAINT_DBM) / FAINT_DB))
        for rssi in range(-127, 20)}
WALK_M_PER_S = 1.0
GO_ON_S = 1300.0  # with devices that vanish, so that the slowest notices

# What is not said is as in STILL. Intervals in seconds, further_db is taken from everything that is heard, step_s is
# how often the owner is looked at.
STREAMS = {
    "still": {},
    "walking": {"interval": (1, 1), "minutes": 30, "moves": "walks", "step_s": 1},
    "sparse": {"devices": 16, "interval": (30, 90), "minutes": 120, "moves": "carried", "news": "often"},
    "bursty": {"devices": 10, "interval": (30, 120), "burst": 5, "moves": "carried", "news": "bursts"},
    "rebooting": {"devices": 8, "interval": (2, 5), "minutes": 40, "news": "often", "reboots": True},
    "connecting": {"devices": 8, "interval": (2, 5), "minutes": 40, "news": "often", "connects": True},
    "noise": {"devices": 3, "interval": (1, 1), "house": (3.5, 3.0), "proxies": [(0.0, 1.5), (3.5, 1.5)],
              "noise_db": (8, 8), "shadow_db": 0},
    "vanishing": {"devices": 24, "interval": (1, 10), "minutes": 20, "vanish": True},
    "faint": {"devices": 24, "interval": (2, 20), "minutes": 60, "further_db": 20, "vanish": True},
    "weak_news": {"devices": 6, "minutes": 30, "news": "unheard by the strongest"},
}
STILL = {"devices": 4, "interval": (2, 2), "minutes": 60, "house": HOUSE, "proxies": HOUSE_PROXIES,
         "noise_db": (4, 8), "shadow_db": SHADOW_DB, "further_db": 0, "moves": None, "burst": 1, "news": None,
         "reboots": False, "connects": False, "vanish": False, "step_s": 5}


class Device:
    """Where one device is and how loud each proxy hears it on average."""

    def __init__(self, world, number):
        chance, plan = world.chance, world.plan
        self.address = f"C0000000{number:04X}"
        self.noise_db = chance.uniform(*plan["noise_db"])
        self.interval_s = chance.uniform(*plan["interval"])
        self.proxies = plan["proxies"]
        self.shadows = [chance.gauss(-plan["further_db"], plan["shadow_db"]) for _ in self.proxies]
        self.ends = world.ends - GO_ON_S - chance.uniform(0, 600) if plan["vanish"] else world.ends
        self.path = path_of(world)
        self.times = [time for time, _ in self.path]
        self.means_at_rest = {}
        self.payload, self.news, self.heard = 0, [], []

    def means(self, time):
        """dBm, of each proxy."""
        leg = bisect.bisect_right(self.times, time) - 1
        here, there = self.path[leg][1], self.path[min(leg + 1, len(self.path) - 1)][1]
        if here == there or there is None:
            if leg not in self.means_at_rest:
                self.means_at_rest[leg] = self.means_of(here)
            return self.means_at_rest[leg]
        way = (time - self.times[leg]) / (self.times[leg + 1] - self.times[leg])
        return self.means_of(tuple(a + way * (b - a) for a, b in zip(here, there)))

    def means_of(self, place):
        return [-59 - 25 * math.log10(max(math.dist(place, proxy), 0.3)) + shadow
                for proxy, shadow in zip(self.proxies, self.shadows)]


class World:
    """lines: the stream, as for table-replay; devices: the truth about each; deaf: per proxy the spans of time in
    which it did not listen."""

    def __init__(self, stream, seed):
        self.name, self.plan = f"{stream}-{seed}", {**STILL, **STREAMS[stream]}
        self.chance = random.Random(self.name)
        self.ends = START_S + 60 * self.plan["minutes"] + (GO_ON_S + 600 if self.plan["vanish"] else 0)
        self.events = []
        self.deaf = [self.interruptions(proxy) for proxy in range(len(self.plan["proxies"]))]
        self.devices = [Device(self, number) for number in range(self.plan["devices"])]
        for device in self.devices:
            self.speak(device)
        self.events.sort()
        self.events.append((self.ends, "pass"))

    def lines(self):
        yield f"world {self.name}\n"
        for time, what in self.events:
            yield f"{round(time * 1e6)} {what}\n"

    def interruptions(self, proxy):
        """Of a proxy that is online from the start: reboots, or attempts to connect."""
        self.events.append((START_S, f"online {proxy}"))
        spans, time = [], START_S
        if self.plan["reboots"]:
            words, pause, length = ("offline", "online"), (300, 900), (15, 60)
        elif self.plan["connects"]:
            words, pause, length = ("connecting", "listening"), (60, 300), (3, 20)
        else:
            return spans
        while (time := time + self.chance.uniform(*pause)) < self.ends:
            begins, time = time, time + self.chance.uniform(*length)
            spans.append((begins, time))
            self.events += [(begins, f"{words[0]} {proxy}"), (time, f"{words[1]} {proxy}")]
        return spans

    def speak(self, device):
        time = START_S + self.chance.uniform(0, device.interval_s)
        while time < device.ends:
            self.speak_once(device, time)
            time += device.interval_s * self.chance.uniform(0.98, 1.02)

    def speak_once(self, device, time):
        chance, news = self.chance, self.plan["news"]
        if news == "bursts" or (news == "often" and chance.random() < 0.5):
            self.change(device, time)
        for number in range(self.plan["burst"]):
            self.send(device, time + 0.2 * number)
        if news == "unheard by the strongest" and chance.random() < 0.05:
            self.press(device, time + 0.7)

    def change(self, device, time):
        device.payload += 1
        device.news.append((time, device.payload))

    def press(self, device, time):
        """A button: three packets that tell it, of which the proxies that hear best hear nothing."""
        means = device.means(time)
        missing = {proxy for proxy, mean in enumerate(means) if mean >= max(means) - 3}
        self.change(device, time)
        for number in range(3):
            self.send(device, time + 0.1 * number, missing)
        device.payload += 1  # released again: told or not, it is no news

    def send(self, device, time, missing=()):
        time = round(time, 6)
        gauss, roll = self.chance.gauss, self.chance.random
        payload = f"02010607ff9904{device.payload:08x}"
        for proxy, mean in enumerate(device.means(time)):
            rssi = round(min(max(mean + gauss(0, device.noise_db), -127), -1))
            if roll() < LOSS[rssi] or proxy in missing or self.is_deaf(proxy, time):
                continue
            self.events.append((time, f"packet {proxy} {device.address} {rssi} {payload}"))
            if not device.heard or device.heard[-1][1] != device.payload:
                device.heard.append((time, device.payload))
            device.last_heard = time

    def is_deaf(self, proxy, time):
        return any(begins <= time < ends for begins, ends in self.deaf[proxy])

    def strongest(self, device, time):
        """The proxies that would speak for it best now: within 3 dB of the best of those that listen."""
        means = device.means(time)
        best = max((mean for proxy, mean in enumerate(means) if not self.is_deaf(proxy, time)), default=-200)
        return {proxy for proxy, mean in enumerate(means) if mean >= best - 3 and not self.is_deaf(proxy, time)}


def somewhere(world):
    width, depth = world.plan["house"]
    return (world.chance.uniform(0, width), world.chance.uniform(0, depth))


def path_of(world):
    """Moments and places; between two of them it moves steadily."""
    path, time = [(START_S, somewhere(world))], START_S
    while world.plan["moves"] and time < world.ends:
        here, there = path[-1][1], somewhere(world)
        if world.plan["moves"] == "carried":  # at once, every half an hour
            begins = time + world.chance.uniform(1200, 2400)
            time = begins + 1
        else:
            begins = time + world.chance.uniform(0, 60)
            time = begins + math.dist(here, there) / WALK_M_PER_S
        path += [(begins, here), (time, there)]
    return path
