"""Reads the result files of a run: JUnit of ctest, of pytest and of our own.

A program of cmocka is one case for ctest; here it counts as the functions that it ran, by the lines
that cmocka prints for each. Every other case is one test.
"""
import re
import typing
import xml.etree.ElementTree as ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

# cmocka's lines; a function that began and never came to an end is one that failed.
FUNCTION = re.compile(r"\[ +(RUN|OK|FAILED|ERROR|SKIPPED) +\] (\w+)$", re.M)
STATES = {"OK": PASSED, "SKIPPED": SKIPPED}


class Test(typing.NamedTuple):
    name: str
    state: str


def state_of(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return FAILED
    if case.find("skipped") is not None:
        return SKIPPED
    return PASSED


def functions_of(case):
    """[Test] of a program of cmocka; nothing when it is none."""
    states = {name: STATES.get(word, FAILED) for word, name in FUNCTION.findall(case.findtext("system-out") or "")}
    return [Test(name, state) for name, state in states.items()]


def tests_of(case):
    whole = Test(case.get("name"), state_of(case))
    functions = functions_of(case)
    if not functions:
        return [whole]
    failed = any(test.state == FAILED for test in functions)
    # Functions that passed prove nothing when their program fails all the same: a leak, a crash at its end.
    # And in a program that passed, a line torn by another stream is no failure.
    if whole.state == FAILED and not failed:
        return [whole]
    if whole.state == PASSED and failed:
        return [test for test in functions if test.state != FAILED]
    return functions


def read(path):
    """[Test] of a file; nothing when there is none or it is broken."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return []
    return [test for case in root.iter("testcase") for test in tests_of(case)]
