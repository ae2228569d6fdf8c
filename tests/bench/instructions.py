#!/usr/bin/env python3
"""Counts the instructions of fixed workloads (workloads.c) and holds them against a baseline.

instructions.py --program build/bin/bench-workloads --folder build/bench/instructions [--update] [--junit FILE]

Counts do not depend on how busy a machine is: callgrind plays the processor, the workloads have neither
time nor chance in them, and C library and libsodium are told to take their code for any x86-64. So 3 %
more is a change of the program, and exit code 1. A baseline of another compiler or library says nothing:
then the counts are told, and the tests are skipped. --update makes the baseline of what is counted now.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import xml.sax.saxutils

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
WORKLOADS = {"plaintext": "ingest_run", "noise": "ingest_run", "recorded": "ingest_run", "house": "house_run",
             "faces": "faces_run"}  # what counts
ALLOWED = 0.03  # of the total, either way
SHARE = 0.001  # of the total: smaller functions are not named
NAMED = 10  # functions in a report
TIMEOUT = 300

# What the C library would choose by processor; names that it does not know are passed over.
PROCESSOR = """
AVX AVX2 AVX_Fast_Unaligned_Load BMI1 BMI2 ERMS FSRM Fast_Copy_Backward Fast_Rep_String Fast_Unaligned_Copy
Fast_Unaligned_Load LZCNT MOVBE POPCNT RTM SSE4_1 SSE4_2 SSSE3 Slow_BSF""".split()
TUNABLES = ["glibc.cpu.x86_non_temporal_threshold=0x100000",
            "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in PROCESSOR)]
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "LD_BIND_NOW": "1",
               "GLIBC_TUNABLES": ":".join(TUNABLES)}


def grouped(number):
    return f"{number:,}"


# ---- counting ----

def origin(program):
    """What the program was made with: {"compiler": …, "libc": …}."""
    done = subprocess.run([program, "origin"], capture_output=True, text=True, check=True, timeout=TIMEOUT)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def record(program, workload, path):
    """Plays the workload; callgrind writes to path."""
    command = ["setarch", "-R", "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={path}",
               "--compress-strings=no", "--compress-pos=no", f"--toggle-collect={WORKLOADS[workload]}",
               f"./{program.name}", workload]
    done = subprocess.run(command, cwd=program.parent, env=ENVIRONMENT, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode != 0:
        sys.exit(f"{workload} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def label(library, source, function, program):
    """How a function is named: ours by the file in the tree, others by their library."""
    if pathlib.Path(library).name != program:
        return f"{pathlib.Path(library).name}:{function}"
    return f"{source.removeprefix(f'{TOP}/')}:{function}"


def read_profile(lines, program):
    """{function: instructions of its own} of a file of callgrind, without compression."""
    costs, library, source, key, is_call, told = {}, "", "", "", False, None
    for line in lines:
        name, equals, value = line.rstrip("\n").partition("=")
        if line.startswith(("+", "-", "*")) or line[:1].isdigit():
            if not is_call:  # otherwise what the called function took
                costs[key] = costs.get(key, 0) + int(line.split()[1])
            is_call = False
        elif name == "ob":
            library = value
        elif name == "fl":
            source = value
        elif name == "fn":
            key = label(library, source, value, program)
        elif name == "calls":
            is_call = True
        elif line.startswith("summary:"):
            told = int(line.split()[1])
    if sum(costs.values()) != told:
        raise ValueError(f"callgrind tells {told} instructions, its functions have {sum(costs.values())}")
    return costs


def measure(program, folder):
    """{workload: {"total": …, "functions": {…}}} with all functions."""
    folder.mkdir(parents=True, exist_ok=True)
    counted = {}
    for workload in WORKLOADS:
        path = folder / f"{workload}.callgrind"
        what = record(program, workload, path)
        with path.open(encoding="utf-8") as lines:
            costs = read_profile(lines, program.name)
        counted[workload] = {"total": sum(costs.values()), "functions": costs}
        print(f"{workload}: {grouped(counted[workload]['total'])} instructions ({what})")
    return counted


# ---- the baseline ----

def large(result):
    """The functions that are worth their line, the largest first."""
    named = [(name, cost) for name, cost in result["functions"].items() if cost >= SHARE * result["total"]]
    return dict(sorted(named, key=lambda item: (-item[1], item[0])))


def write_baseline(path, made_with, counted):
    workloads = {name: {"total": result["total"], "functions": large(result)} for name, result in counted.items()}
    path.write_text(json.dumps({"made_with": made_with, "workloads": workloads}, indent=1) + "\n", encoding="utf-8")
    print(f"written to {path}")


def grown_functions(before, after):
    """Lines for the functions that grew most."""
    least = SHARE * before["total"]
    growth = {name: cost - before["functions"].get(name, 0) for name, cost in after["functions"].items()}
    names = sorted((name for name in growth if growth[name] >= least), key=lambda name: -growth[name])
    for name in names[:NAMED]:
        was = before["functions"].get(name)
        yield f"  {grouped(was) if was else 'little':>14} -> {grouped(after['functions'][name]):>12}  {name}"


def compare(workload, before, after):
    """(a verdict in words, whether it is within what is allowed)."""
    was, now = before["total"], after["total"]
    head = f"{workload}: {grouped(was)} -> {grouped(now)} instructions, {now / was - 1:+.2%}"
    if now > was * (1 + ALLOWED):
        return "\n".join([f"{head}, {ALLOWED:.0%} are allowed. What grew:", *grown_functions(before, after)]), False
    if now < was * (1 - ALLOWED):
        return f">> {head}; the baseline can be lowered: ./run bench instructions --update", True
    return head, True


def in_words(made_with):
    return ", ".join(f"{key} {value}" for key, value in made_with.items())


def check(baseline, made_with, counted):
    """{workload: "" or what failed}; None: the baseline is of something else."""
    if baseline["made_with"] != made_with:
        print(">> not comparable, skipped. The baseline was made with "
              f"{in_words(baseline['made_with'])}; this is {in_words(made_with)}")
        return None
    failures = {}
    for workload, result in counted.items():
        words, is_allowed = compare(workload, baseline["workloads"][workload], result)
        failures[workload] = "" if is_allowed else words
        print(words)
    return failures


def write_junit(path, failures):
    """failures as check() tells them."""
    cases = []
    for workload in WORKLOADS:
        inside = "<skipped/>" if failures is None else ""
        if failures and failures[workload]:
            inside = f"<failure>{xml.sax.saxutils.escape(failures[workload])}</failure>"
        cases.append(f'<testcase name="instructions.{workload}">{inside}</testcase>')
    path.write_text(f'<testsuite name="instructions">{"".join(cases)}</testsuite>\n', encoding="utf-8")


def main(arguments):
    parser = argparse.ArgumentParser(description="counts the instructions of fixed workloads")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="bench-workloads")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="for the files of callgrind")
    parser.add_argument("--baseline", type=pathlib.Path, default=TOP / "tests/bench/baseline.json")
    parser.add_argument("--update", action="store_true", help="make what is counted now the baseline")
    parser.add_argument("--junit", type=pathlib.Path)
    options = parser.parse_args(arguments)
    program = options.program.resolve()
    made_with, counted = origin(program), measure(program, options.folder.resolve())
    if options.update:
        write_baseline(options.baseline, made_with, counted)
        return 0
    failures = check(json.loads(options.baseline.read_text(encoding="utf-8")), made_with, counted)
    if options.junit:
        write_junit(options.junit, failures)
    return 1 if failures and any(failures.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
