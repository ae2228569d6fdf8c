#!/usr/bin/env python3
"""Runs every fuzzer for a while, as many at once as there are processors; each is one test of the JUnit file.

run_fuzzers.py --programs FOLDER --corpus FOLDER --work FOLDER --seconds N --junit FILE [--only NAME …]
run_fuzzers.py … --seconds N --merge          also keeps what reached something new, by a merge into the corpus

What a fuzzer found is printed with the path of its input, the input in base64 and the stack. Copied into the
corpus and named after what was wrong, it is replayed in every build from then on."""
import argparse
import base64
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time
from xml.sax.saxutils import escape, quoteattr

# What tells an input apart that is a finding; slow-unit files are none.
FINDINGS = ("crash", "leak", "oom", "timeout")
STACK_LINES = 60


def fuzz(program, options):
    """The finished process; what it found is in the work folder."""
    name = program.name.removeprefix("fuzz_")
    grown = options.work / name
    grown.mkdir(parents=True, exist_ok=True)
    return subprocess.run([program, f"-max_total_time={options.seconds}", "-timeout=10", "-rss_limit_mb=2048",
                           "-print_final_stats=1", f"-artifact_prefix={options.work}/{name}-", grown,
                           options.corpus / name], capture_output=True, text=True, errors="replace")


def merge(program, options):
    """Adds to the corpus the small inputs of the work folder that reach code which nothing there reaches."""
    name = program.name.removeprefix("fuzz_")
    subprocess.run([program, "-merge=1", "-use_counters=0", "-max_len=1024", options.corpus / name,
                    options.work / name], capture_output=True, check=True)


def describe(program, options, done, since):
    """The inputs that were found, in a form that can be mailed, and the stack."""
    name = program.name.removeprefix("fuzz_")
    lines = done.stderr.splitlines()
    start = next((i for i, line in enumerate(lines) if "ERROR: " in line or "runtime error" in line), -STACK_LINES)
    text = [f"{name}: FOUND (exit code {done.returncode})"]
    for kind in FINDINGS:
        for path in sorted(options.work.glob(f"{name}-{kind}-*")):
            if path.stat().st_mtime >= since:
                text += [f"input:  {path}", f"base64: {base64.b64encode(path.read_bytes()).decode()}"]
    return "\n".join(text + lines[start:][:STACK_LINES])


def printable(text):
    """XML has no control characters."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def run(program, options):
    """One test case, and what to print."""
    since, started = time.time() - 1, time.monotonic()
    done = fuzz(program, options)
    runs = [line.split()[-1] for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed_units")]
    said = f"{program.name.removeprefix('fuzz_')}: nothing found in {runs[-1] if runs else '?'} runs"
    failure = ""
    if done.returncode:
        said = describe(program, options, done, since)
        failure = f"<failure message=\"a finding\">{escape(printable(said))}</failure>"
    elif options.merge:
        merge(program, options)
    taken = time.monotonic() - started
    return f"<testcase name={quoteattr(program.name)} time=\"{taken:.1f}\">{failure}</testcase>", said, done.returncode


def chosen(options):
    """The corpora say which fuzzers there are; an old build folder may hold others."""
    names = sorted(path.name for path in options.corpus.iterdir() if path.is_dir())
    return [options.programs / f"fuzz_{name}" for name in names if not options.only or name in options.only]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("programs", "corpus", "work", "junit"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--merge", action="store_true")
    options = parser.parse_args()
    cases, failed = [], False
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for case, said, code in pool.map(lambda program: run(program, options), chosen(options)):
            print(said, flush=True)
            cases.append(case)
            failed |= code != 0
    options.junit.write_text(f"<testsuite name=\"fuzz\">{''.join(cases)}</testsuite>\n", encoding="utf-8")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
