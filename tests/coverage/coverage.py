#!/usr/bin/env python3
"""Says which lines of gateway/ and frontends/ ran in a build that counts them, and in which functions the others are.

coverage.py --top FOLDER --build FOLDER --at-least PERCENT. Exit code 1 when fewer lines ran. Lines that begin
with ">> " are shown by ./run; the table of files is in the log."""
import argparse
import collections
import json
import pathlib
import subprocess
import sys

FUNCTIONS_SHOWN = 20

Function = collections.namedtuple("Function", "file name number is_entered lines missed")


def counted(options):
    """What gcovr knows of our .c files; generated ones are below the build folder and left out."""
    out = options.build / "coverage.json"
    command = ["gcovr", "--root", options.top, "--filter", r"gateway/.*\.c", "--filter", r"frontends/.*\.c",
               "--exclude-directories", ".*/CompilerIdC", "--json", out, options.build]
    subprocess.run(list(map(str, command)), check=True)
    return json.loads(out.read_text(encoding="utf-8"))["files"]


def functions_of(file):
    """The functions of a file, each with how many of its lines there are and which did not run."""
    lines = {line["line_number"]: line["count"] for line in file["lines"]
             if not line["gcovr/noncode"] and not line["gcovr/excluded"]}
    starts = sorted(file["functions"], key=lambda function: function["lineno"])
    ends = [function["lineno"] for function in starts[1:]] + [sys.maxsize]
    for function, end in zip(starts, ends):
        own = [number for number in lines if function["lineno"] <= number < end]
        yield Function(file["file"], function["name"], function["lineno"], function["execution_count"] > 0, len(own),
                       [number for number in sorted(own) if lines[number] == 0])


def percent(functions):
    lines = sum(function.lines for function in functions)
    return 100 * (lines - sum(len(function.missed) for function in functions)) / lines if lines else 0.0


def ranges(numbers):
    """[3, 4, 5, 9] is "3-5, 9"."""
    runs = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs)


def tell(by_file):
    functions = [function for own in by_file.values() for function in own]
    print("lines that ran, by file:")
    for name, own in sorted(by_file.items(), key=lambda item: percent(item[1])):
        print(f"  {percent(own):5.1f} %  {name}  ({sum(len(function.missed) for function in own)} not)")
    print(">> functions that were never entered:")
    for function in sorted((f for f in functions if not f.is_entered), key=lambda f: -f.lines):
        print(f">>   {function.file}:{function.number} {function.name} ({function.lines} lines)")
    print(">> functions with lines that did not run, most first:")
    partly = sorted((f for f in functions if f.is_entered and f.missed), key=lambda f: -len(f.missed))
    for function in partly[:FUNCTIONS_SHOWN]:
        where = f"{len(function.missed)} of {function.lines}: {ranges(function.missed)}"
        print(f">>   {function.file} {function.name}: {where}")
    if len(partly) > FUNCTIONS_SHOWN:
        print(f">>   and {len(partly) - FUNCTIONS_SHOWN} more")
    print(f">> lines that ran: {percent(functions):.1f} % of {sum(function.lines for function in functions)}")
    return percent(functions)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--at-least", type=float, required=True)
    options = parser.parse_args()
    reached = tell({file["file"]: list(functions_of(file)) for file in counted(options)})
    if reached < options.at_least:
        print(f"that is less than {options.at_least:g} %")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
