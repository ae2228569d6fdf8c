#!/usr/bin/env python3
"""Sums up JUnit result files.

count_results.py FILE                                "41 passed, 0 failed"
count_results.py --closing-line FOLDER RING...       the same over FOLDER/RING.xml of all rings, alone on
                                                     its line; a ring without a test counts as a failed one
"""
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    """(passed, failed, skipped) of a file; nothing when there is none or it is broken."""
    passed = failed = skipped = 0
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return 0, 0, 0
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def line(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def main(arguments):
    if arguments[0] != "--closing-line":
        print(line(*count(arguments[0])))
        return
    totals = [0, 0, 0]
    for ring in arguments[2:]:
        tally = count(f"{arguments[1]}/{ring}.xml")
        if sum(tally[:2]) == 0:
            tally = (0, 1, tally[2])
        totals = [total + more for total, more in zip(totals, tally)]
    print(line(*totals))


if __name__ == "__main__":
    main(sys.argv[1:])
