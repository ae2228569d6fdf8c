#!/usr/bin/env python3
"""Sums up JUnit result files.

count_results.py FILE                                "41 passed, 0 failed"
count_results.py --closing-line FOLDER RING...       the same over FOLDER/RING.xml of all rings, alone on
                                                     its line; a ring without a test counts as a failed one
"""
import sys

import results


def count(path):
    """(passed, failed, skipped) of a file; nothing when there is none or it is broken."""
    states = [test.state for test in results.read(path)]
    return tuple(states.count(state) for state in (results.PASSED, results.FAILED, results.SKIPPED))


def line(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def main(arguments):
    if arguments[0] != "--closing-line":
        print(line(*count(arguments[0])))
        return
    totals = [0, 0, 0]
    for ring in arguments[2:]:
        tally = count(f"{arguments[1]}/{ring}.xml")
        if sum(tally) == 0:
            tally = (0, 1, 0)
        totals = [total + more for total, more in zip(totals, tally)]
    print(line(*totals))


if __name__ == "__main__":
    main(sys.argv[1:])
