#!/usr/bin/env python3
"""Makes small mistakes in the files that decide, one at a time, and sees whether the tests notice.

mutate.py --top FOLDER --work FOLDER [--seed N] [--count N] [--files FILE...] [--jobs N] [--at-least PERCENT]

Each mutant is built in a copy of the tree, with the sanitizers of the everyday build, and meets the tests that see
its room. It is killed when one fails or takes too long. Not counted are mutants that do not compile and those that
an optimising compiler turns into the same code. Prints the survivors and the share killed of each room; exit code
1 when a room that has a mark to reach is below it. The same seed on the same tree draws the same mutants."""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import queue
import random
import re
import shlex
import shutil
import subprocess
import sys
import time

import mutants

# files: what is changed; tests: which ctests see it, the quick ones first; weight: of so many mutants in fifteen;
# has_mark: whether the share killed must reach --at-least.
Room = collections.namedtuple("Room", "name files tests weight has_mark")
ROOMS = [
    Room("scan", ["gateway/scan/*.c"],
         [r"^unit\.scan\.", r"^(integration\.(ingest\.ingest|store\.keeper)|fuzz\.device_table)$"], 5, True),
    Room("esphome", ["gateway/esphome/*.c"],
         [r"^unit\.esphome\.", r"^(integration\.proxy\.(connection|proxy)|unit\.proxy\..*|"
                               r"fuzz\.(framer|codec|advertisements|client_session|server_session))$"], 5, True),
    Room("link", ["gateway/link/*.c"], [r"^unit\.link\."], 4, True),
    Room("proxy", ["gateway/proxy/reconnect.c", "gateway/proxy/subscription.c"],
         [r"^unit\.proxy\.", r"^integration\.proxy\.proxy$"], 1, False),
]
PRESET = "debug"
LEFT_OUT = ["build", ".git", "blefleet.data", "__pycache__"]
CPU_LIMIT_S = 10  # of each test, for loops that no longer end; the longest needs 2 to 3
MEMORY_LIMIT_MB = 1024  # a loop that no longer ends may grow something


def run(command, **more):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", **more)


# ---- copies of the tree ----

class Copy:
    """A tree of its own, configured; mutants are written into it and built."""

    def __init__(self, top, folder):
        self.top = folder
        self.build = folder / "build" / PRESET
        self.listed = {}
        names = set(self._sources(top))
        for name in list(self._sources(folder)):
            if name not in names:
                (folder / name).unlink()
        for name in names:
            self._take(top / name, folder / name)
        done = run(["cmake", "--preset", PRESET], cwd=folder)
        if done.returncode:
            sys.exit(f"the copy could not be configured:\n{done.stdout}{done.stderr}")

    @staticmethod
    def _sources(top):
        """The names of all files but built ones."""
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name not in LEFT_OUT]
            for name in set(names).difference(LEFT_OUT):
                yield (pathlib.Path(folder) / name).relative_to(top).as_posix()

    @staticmethod
    def _take(source, target):
        """Only when it differs, so that the next run builds little."""
        if target.exists() and target.read_bytes() == source.read_bytes():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)

    def write(self, name, text):
        (self.top / name).write_text(text, encoding="utf-8")

    def tests(self, pattern):
        """The names of the tests; their programs are targets of the same name."""
        if pattern not in self.listed:
            listed = run(["ctest", "--test-dir", self.build, "--show-only=json-v1", "-R", pattern]).stdout
            self.listed[pattern] = [test["name"] for test in json.loads(listed)["tests"]]
        return self.listed[pattern]

    def make(self, targets):
        return run(["ninja", "-C", self.build, "-j", 1, *targets])

    def test(self, pattern):
        """Nothing when all of these tests pass, otherwise the names of those that did not."""
        done = run(["prlimit", f"--cpu={CPU_LIMIT_S}", "ctest", "--test-dir", self.build, "-R", pattern,
                    "--stop-on-failure"], env={**os.environ, "ASAN_OPTIONS": f"hard_rss_limit_mb={MEMORY_LIMIT_MB}"})
        if done.returncode == 0:
            return ""
        return ", ".join(re.findall(r"^\s*\d+ - (\S+ \(.*?\))", done.stdout, re.M)) or done.stdout + done.stderr

    def prove_sound(self):
        """Everything passes before anything is changed."""
        for room in ROOMS:
            for pattern in room.tests:
                built = self.make(self.tests(pattern))
                if built.returncode:
                    sys.exit(f"the copy does not build:\n{built.stdout[-4000:]}")
                failed = self.test(pattern)
                if failed:
                    sys.exit(f"without any mutant these fail: {failed}")


# ---- drawing ----

class Compiler:
    """Compiles a changed text as the build would, but optimised, to see whether it means anything else."""

    def __init__(self, copy):
        self.copy = copy
        self.commands = {entry["file"]: entry["command"]
                         for entry in json.loads((copy.build / "compile_commands.json").read_text(encoding="utf-8"))}
        self.originals = {}

    def _assembled(self, name, text):
        """The text of the assembler, or nothing when it does not compile."""
        words = shlex.split(self.commands[str(self.copy.top / name)])
        words = words[:words.index("-o")]
        words = [word for word in words if not re.match(r"-(g|O\w?|fsanitize.*|W.*)$", word)]
        done = run([*words, "-O2", "-w", "-x", "c", "-S", "-o", "-", "-iquote", (self.copy.top / name).parent, "-"],
                   input=text, cwd=self.copy.build)
        return done.stdout if done.returncode == 0 else None

    def means_something_else(self, name, original, changed):
        if name not in self.originals:
            self.originals[name] = self._assembled(name, original)
        found = self._assembled(name, changed)
        return found is not None and found != self.originals[name]


def candidates(top, names, dice):
    """The mutants of these files in the order of the draw: a line first, then what is wrong in it."""
    lines = [line for name in names for line in mutants.mutants_of(name, (top / name).read_text(encoding="utf-8"))]
    for line in lines:
        dice.shuffle(line)
    while lines:
        dice.shuffle(lines)
        yield from [line.pop() for line in lines]
        lines = [line for line in lines if line]


def draw(top, names, count, dice, compiler, pool):
    """The first count candidates that compile to something else."""
    texts = {name: (top / name).read_text(encoding="utf-8") for name in names}

    def is_real(mutant):
        text = texts[mutant.name]
        return compiler.means_something_else(mutant.name, text, mutants.applied(text, mutant))

    drawn, order = [], candidates(top, names, dice)
    while len(drawn) < count:
        some = [mutant for mutant, _ in zip(order, range(count - len(drawn)))]
        if not some:
            break
        drawn += [mutant for mutant, real in zip(some, pool.map(is_real, some)) if real]
    return drawn


# ---- judging ----

def killer_of(copy, room, mutant):
    """The test that notices, or nothing. The file's own test comes first: mostly it is enough."""
    name, original = mutant.name, (copy.top / mutant.name).read_text(encoding="utf-8")
    own = rf"^unit\.{room.name}\.{pathlib.Path(name).stem}$"
    copy.write(name, mutants.applied(original, mutant))
    try:
        for pattern in [own] * bool(copy.tests(own)) + room.tests:
            built = copy.make(copy.tests(pattern))
            if built.returncode:
                sys.exit(f"{name}:{mutant.number} does not build:\n{mutant.after}\n{built.stdout[-4000:]}")
            failed = copy.test(pattern)
            if failed:
                return failed
        return ""
    finally:
        copy.write(name, original)


def judge(copies, jobs, pool):
    """(room, mutant, what killed it) of each job."""
    free = queue.Queue()
    for copy in copies:
        free.put(copy)

    def one(job):
        copy = free.get()
        try:
            return (*job, killer_of(copy, *job))
        finally:
            free.put(copy)

    return list(pool.map(one, jobs))


def described(mutant):
    after = mutant.after.strip()
    return f"{mutant.name}:{mutant.number}: {mutant.before.strip()}  =>  {after if after.strip(';') else 'nothing'}"


def tell(verdicts, mark):
    """Prints who was killed by what, the survivors and the shares; the names of the rooms below their mark."""
    for _, mutant, killer in verdicts:
        if killer:
            print(f"killed by {killer}: {described(mutant)}")
    for _, mutant, killer in verdicts:
        if not killer:
            print(f">> survived: {described(mutant)}")
    below = []
    for room in ROOMS:
        killers = [killer for other, _, killer in verdicts if other is room]
        if not killers:
            continue
        killed = sum(1 for killer in killers if killer)
        print(f">> {room.name}: {killed} of {len(killers)} mutants killed, {100 * killed / len(killers):.0f} %")
        if room.has_mark and 100 * killed < mark * len(killers):
            below.append(room.name)
    return below


# ---- the run ----

def files_of(room, top, wanted):
    names = sorted(path.relative_to(top).as_posix() for pattern in room.files for path in top.glob(pattern))
    return [name for name in names if not wanted or name in wanted]


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--files", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--at-least", type=float, default=80)
    options = parser.parse_args()
    options.top, options.work = options.top.resolve(), options.work.resolve()
    return options


def main():
    options, started = parse(), time.monotonic()
    chosen = [(room, names) for room in ROOMS if (names := files_of(room, options.top, options.files))]
    if not chosen:
        sys.exit("none of these files decides anything")
    weights = sum(room.weight for room, _ in chosen)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        copies = [Copy(options.top, options.work / str(index)) for index in range(options.jobs)]
        list(pool.map(Copy.prove_sound, copies))
        print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
        compiler, jobs = Compiler(copies[0]), []
        for room, names in chosen:
            count = round(options.count * room.weight / weights)
            drawn = draw(options.top, names, count, random.Random(f"{options.seed} {room.name}"), compiler, pool)
            jobs += [(room, mutant) for mutant in drawn]
        verdicts = judge(copies, jobs, pool)
    below = tell(verdicts, options.at_least)
    print(f"{len(verdicts)} mutants, seed {options.seed}, in {time.monotonic() - started:.0f} s")
    if below:
        print(f"less than {options.at_least:g} % killed in: {', '.join(below)}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
