#!/usr/bin/env python3
"""Runs every fuzzer for a while; each is one test of the JUnit file.

run_fuzzers.py --programs FOLDER --corpus FOLDER --work FOLDER --seconds N --junit FILE"""
import argparse
import pathlib
import subprocess
import sys
import time
from xml.sax.saxutils import quoteattr


def run(program, options):
    """Whether it found nothing; what it finds stays in the work folder."""
    name = program.name.removeprefix("fuzz_")
    grown = options.work / name
    grown.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([program, f"-max_total_time={options.seconds}", "-timeout=10", "-rss_limit_mb=2048",
                           "-print_final_stats=1", f"-artifact_prefix={options.work}/{name}-", str(grown),
                           str(options.corpus / name)], capture_output=True, text=True, errors="replace")
    lines = done.stderr.splitlines()
    print(f"{name}: {'nothing found' if done.returncode == 0 else 'FOUND'}")
    if done.returncode:
        print("\n".join(lines[-60:]))
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    for name in ("programs", "corpus", "work", "junit"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    options = parser.parse_args()
    cases, failed = [], False
    for program in sorted(options.programs.glob("fuzz_*")):
        started = time.monotonic()
        is_fine = run(program, options)
        failed |= not is_fine
        cases.append(f"<testcase name={quoteattr(program.name)} time=\"{time.monotonic() - started:.1f}\">"
                     + ("" if is_fine else "<failure message=\"a finding\"/>") + "</testcase>")
    options.junit.write_text(f"<testsuite name=\"fuzz\">{''.join(cases)}</testsuite>\n", encoding="utf-8")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
