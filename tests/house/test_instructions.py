#!/usr/bin/env python3
"""Tests of tests/bench/instructions.py without callgrind. Run it, or ctest -R house."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import count_results  # noqa: E402
import instructions  # noqa: E402

PROFILE = f"""# callgrind format
positions: line
events: Ir
summary: 1114

ob=/x/bin/program
fl={instructions.TOP}/gateway/base/map.c
fn=map_find
10 100
fi=/usr/include/string.h
20 4
fe={instructions.TOP}/gateway/base/map.c
cob=/lib/libc.so.6
cfi=./malloc/malloc.c
cfn=malloc
calls=3 +5
+2 1010
* 1

ob=/lib/libc.so.6
fl=./malloc/malloc.c
fn=malloc
5 1000
-1 9
"""

MADE_WITH = {"compiler": "1"}


def baseline(total, functions):
    return {"made_with": MADE_WITH, "workloads": {name: result(total, functions) for name in instructions.WORKLOADS}}


def result(total, functions):
    return {"total": total, "functions": functions}


def counted(total, functions):
    return {name: result(total, functions) for name in instructions.WORKLOADS}


def check(*arguments):
    """(what check() says, what it prints)."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        failures = instructions.check(*arguments)
    return failures, text.getvalue()


class Profile(unittest.TestCase):
    def test_functions_have_their_own_instructions_and_not_those_of_the_called(self):
        costs = instructions.read_profile(PROFILE.splitlines(), "program")
        self.assertEqual(costs, {"gateway/base/map.c:map_find": 105, "libc.so.6:malloc": 1009})

    def test_sum_that_is_not_what_callgrind_tells_is_a_fault(self):
        with self.assertRaises(ValueError):
            instructions.read_profile(PROFILE.replace("1114", "1115").splitlines(), "program")


class Check(unittest.TestCase):
    def test_three_percent_more_pass(self):
        failures, _ = check(baseline(1000, {"a": 900}), MADE_WITH, counted(1030, {"a": 930}))
        self.assertEqual(set(failures.values()), {""})

    def test_beyond_it_what_grew_is_named_the_most_first(self):
        after = counted(1100, {"a": 910, "b": 70, "new": 95, "same": 25})
        failures, text = check(baseline(1000, {"a": 900, "b": 75, "same": 25}), MADE_WITH, after)
        self.assertIn("1,000 -> 1,100 instructions, +10.00%, 3% are allowed", failures["house"])
        words = [line.split() for line in failures["house"].splitlines()[1:]]
        self.assertEqual(words, [["little", "->", "95", "new"], ["900", "->", "910", "a"]])
        self.assertIn(failures["house"], text)

    def test_three_percent_less_is_a_note(self):
        failures, text = check(baseline(1000, {"a": 900}), MADE_WITH, counted(900, {"a": 800}))
        self.assertEqual(set(failures.values()), {""})
        self.assertIn(">> house: 1,000 -> 900 instructions, -10.00%; the baseline can be lowered", text)

    def test_other_compiler_says_nothing_and_is_skipped(self):
        failures, text = check(baseline(1000, {}), {"compiler": "2"}, counted(9000, {}))
        self.assertIsNone(failures)
        self.assertTrue(text.startswith(">> "))


class Junit(unittest.TestCase):
    def tally(self, failures):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "instructions.xml"
            instructions.write_junit(path, failures)
            return count_results.count(path)

    def test_result_file_has_a_test_for_each_workload(self):
        self.assertEqual(self.tally(None), (0, 0, 5))
        self.assertEqual(self.tally(dict.fromkeys(instructions.WORKLOADS, "") | {"house": "a -> b"}), (4, 1, 0))


class Baseline(unittest.TestCase):
    def test_small_functions_are_left_out_and_the_largest_come_first(self):
        functions = {"small": 0, "b": 400, "a": 400, "c": 599}
        self.assertEqual(list(instructions.large(result(1000, functions))), ["c", "a", "b"])


if __name__ == "__main__":
    unittest.main()
