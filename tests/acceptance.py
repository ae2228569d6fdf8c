#!/usr/bin/env python3
"""Says which rows of the acceptance table the last run has proved.

acceptance.py [--results build/results] [--rows tests/data/acceptance_rows.tsv]     every row with its tests
acceptance.py --missing                                                             the open ones, in few lines

A row is proved when a test that carries its id at the beginning of its name (A03_…, test_A03_…,
A01_A02_…) has passed, and none has failed. The ring of a test is the name of its result file.
"""
import argparse
import pathlib
import re
import sys

import results

TESTS = pathlib.Path(__file__).resolve().parent
PREFIX = re.compile(r"(?:test_)?((?:[A-Z]\d\d_)+)")
WIDTH = 110


def read_rows(path):
    """{id: statement}, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


def rows_of(name):
    """The ids at the beginning of a test's name."""
    match = PREFIX.match(name)
    return re.findall(r"[A-Z]\d\d", match.group(1)) if match else []


def collect(folder):
    """{id: [(ring, Test)]} of all result files."""
    found = {}
    for path in sorted(folder.glob("*.xml")):
        for test in results.read(path):
            for row in rows_of(test.name):
                found.setdefault(row, []).append((path.stem, test))
    return found


def verdict(tests):
    """PASSED: proved. FAILED: a test of it failed. SKIPPED: nothing proves it."""
    states = {test.state for _, test in tests}
    return next((state for state in (results.FAILED, results.PASSED) if state in states), results.SKIPPED)


def wrapped(words):
    """Lines of WIDTH, so many words each as fit."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] += f" {word}"
    return lines


def missing(rows, found):
    verdicts = {row: verdict(found.get(row, [])) for row in rows}
    still = [row + "!" * (state == results.FAILED) for row, state in verdicts.items() if state != results.PASSED]
    told = f"acceptance: {len(rows) - len(still)} of {len(rows)} rows proved by this run"
    yield f"{told}, open (!: failed):" if still else told
    if still:
        yield from wrapped(still)


def names(tests):
    """A line for each test, with all rings it ran in."""
    rings = {}
    for ring, test in tests:
        rings.setdefault((test.name, test.state), []).append(ring)
    for (name, state), where in rings.items():
        mark = "" if state == results.PASSED else f"{state}: "
        yield f"         {mark}{name} ({', '.join(where)})"


def everything(rows, found):
    words = {results.PASSED: "proved", results.FAILED: "FAILED", results.SKIPPED: "open"}
    for row, statement in rows.items():
        tests = found.get(row, [])
        yield f"{row} {words[verdict(tests)]:6}  {statement}"
        yield from names(tests)
    yield from missing(rows, found)


def main(arguments):
    parser = argparse.ArgumentParser(description="which rows of the acceptance table the last run has proved")
    parser.add_argument("--missing", action="store_true", help="only the open rows, in few lines")
    parser.add_argument("--results", type=pathlib.Path, default=TESTS.parent / "build/results")
    parser.add_argument("--rows", type=pathlib.Path, default=TESTS / "data/acceptance_rows.tsv")
    options = parser.parse_args(arguments)
    rows, found = read_rows(options.rows), collect(options.results)
    strangers = sorted(set(found) - set(rows))
    if strangers:
        print(f"acceptance: tests are named after rows that are not in the table: {' '.join(strangers)}")
    print("\n".join((missing if options.missing else everything)(rows, found)))


if __name__ == "__main__":
    main(sys.argv[1:])
