#!/usr/bin/env python3
"""Tests of what reads results: tests/results.py, count_results.py and acceptance.py. Run it, or ctest -R house."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import acceptance  # noqa: E402
import count_results  # noqa: E402
import results  # noqa: E402

CMOCKA = """<testsuite><testcase name="unit.a" status="run"><system-out>[==========] Running 3 test(s).
[ RUN      ] A01_A02_passes
[       OK ] A01_A02_passes
[ RUN      ] A03_fails
[  ERROR   ] --- 1 != 2
[   LINE   ] --- a.c:1: error: Failure!
[  FAILED  ] A03_fails
[ RUN      ] A04_is_left_out
[  SKIPPED ] A04_is_left_out
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] A03_fails
</system-out><failure message=""/></testcase></testsuite>"""

CRASHED = """<testsuite><testcase name="unit.a"><system-out>[ RUN      ] A01_passes
[       OK ] A01_passes
[ RUN      ] A03_crashes
</system-out><failure message=""/></testcase></testsuite>"""

LEAKED = """<testsuite><testcase name="unit.a"><system-out>[ RUN      ] A01_passes
[       OK ] A01_passes
ERROR: LeakSanitizer</system-out><failure message=""/></testcase></testsuite>"""

TORN = """<testsuite><testcase name="unit.a"><system-out>[ RUN      ] A01_passes
[       OK ] A01_passes
[ RUN      ] A03_passes
[       a line of the log
OK ] A03_passes
</system-out></testcase></testsuite>"""

PYTEST = """<testsuites><testsuite><testcase name="test_A03_python[1]"/><testcase name="test_E01_python"/>
<testcase name="test_E02_x"><skipped/></testcase><testcase name="test_E03_x"><error/></testcase>
<testcase name="test_of_A05_nothing"/></testsuite></testsuites>"""

ROWS = {row: "statement" for row in ("A01", "A02", "A03", "A04", "A05", "E01", "E02", "E03")}


class Folder(unittest.TestCase):
    """A folder of results."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, ring, text):
        path = self.folder / f"{ring}.xml"
        path.write_text(text, encoding="utf-8")
        return path

    def states(self, text):
        return {test.name: test.state for test in results.read(self.write("unit", text))}


class Results(Folder):
    def test_program_of_cmocka_counts_as_its_functions(self):
        self.assertEqual(self.states(CMOCKA), {"A01_A02_passes": "passed", "A03_fails": "failed",
                                               "A04_is_left_out": "skipped"})

    def test_function_without_an_end_has_failed(self):
        self.assertEqual(self.states(CRASHED), {"A01_passes": "passed", "A03_crashes": "failed"})

    def test_program_that_fails_after_its_functions_is_one_failure(self):
        self.assertEqual(self.states(LEAKED), {"unit.a": "failed"})

    def test_torn_line_of_a_program_that_passed_is_no_failure(self):
        self.assertEqual(self.states(TORN), {"A01_passes": "passed"})

    def test_missing_or_broken_file_holds_no_tests(self):
        self.assertEqual(results.read(self.folder / "none.xml"), [])
        self.assertEqual(self.states("<testsuite>"), {})


class Count(Folder):
    def test_functions_and_cases_are_counted(self):
        self.assertEqual(count_results.count(self.write("unit", CMOCKA)), (1, 1, 1))
        self.assertEqual(count_results.count(self.write("system", PYTEST)), (3, 1, 1))


class Acceptance(Folder):
    def verdicts(self):
        found = acceptance.collect(self.folder)
        return {row: acceptance.verdict(found.get(row, [])) for row in ROWS}

    def test_name_may_carry_several_rows_and_only_at_its_beginning(self):
        self.assertEqual(acceptance.rows_of("A01_A02_x"), ["A01", "A02"])
        self.assertEqual(acceptance.rows_of("test_A01_x[A02_1]"), ["A01"])
        self.assertEqual(acceptance.rows_of("test_of_A05_nothing"), [])

    def test_row_with_a_failed_test_is_open_although_another_passed(self):
        self.write("unit", CMOCKA)
        self.write("system", PYTEST)
        self.assertEqual(self.verdicts(), {"A01": "passed", "A02": "passed", "A03": "failed", "A04": "skipped",
                                           "A05": "skipped", "E01": "passed", "E02": "skipped", "E03": "failed"})

    def test_open_rows_are_told_in_few_lines(self):
        self.write("unit", CMOCKA)
        lines = list(acceptance.missing(ROWS, acceptance.collect(self.folder)))
        self.assertEqual(lines, ["acceptance: 2 of 8 rows proved by this run, open (!: failed):",
                                 " A03! A04 A05 E01 E02 E03"])

    def test_table_of_the_house_fits_into_six_lines(self):
        rows = acceptance.read_rows(acceptance.TESTS / "data/acceptance_rows.tsv")
        self.assertTrue(all(acceptance.rows_of(f"{row}_x") == [row] for row in rows))
        self.assertLessEqual(len(list(acceptance.missing(rows, {}))), 6)

    def test_everything_names_tests_and_rings(self):
        self.write("unit", CMOCKA)
        self.write("clang", CMOCKA)
        lines = list(acceptance.everything(ROWS, acceptance.collect(self.folder)))
        self.assertEqual(lines[:2], ["A01 proved  statement", "         A01_A02_passes (clang, unit)"])
        self.assertIn("         failed: A03_fails (clang, unit)", lines)


if __name__ == "__main__":
    unittest.main()
