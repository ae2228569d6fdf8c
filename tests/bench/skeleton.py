"""What the benches share: options, the machine, a fresh folder, the end of the programs, and the figures as JSON."""
import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shutil
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/fleet"))
from programs import ProgramFailed  # noqa: E402


def parser(command):
    made = argparse.ArgumentParser(prog=command)
    made.add_argument("--bin", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    made.add_argument("--folder", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    return made


class Programs(contextlib.ExitStack):
    """Programs that were started; the last one ends first, whatever happens."""

    def add(self, program):
        self.callback(self.stop, program)
        return program

    @staticmethod
    def stop(program):
        if program.process.returncode is None:
            program.stop()


def machine(packages):
    """Where this runs, and with which versions of Python packages."""
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo", encoding="ascii").read())
    return {"processor": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "python": platform.python_version(),
            "load": [round(load, 2) for load in os.getloadavg()],
            "packages": {name: importlib.metadata.version(name) for name in packages}}


def quantile(values, part):
    return sorted(values)[min(int(part * len(values)), len(values) - 1)] if values else float("nan")


def tell_machine(where):
    print(f"{where['processor']}, {where['cores']} cores, Linux {where['kernel']}, load {where['load'][0]}; "
          f"Python {where['python']}, " + ", ".join(f"{name} {version}" for name, version in where["packages"].items()))


def show(text):
    """How far it is, to somebody who looks on."""
    if sys.stdout.isatty():
        print(f"\r{text}\033[K", end="", flush=True)


def run(name, options, measure):
    """The figures that measure(options, programs) gives, also in FOLDER/NAME.json; None when it failed."""
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    try:
        with Programs() as programs:
            figures = measure(options, programs)
    except (ProgramFailed, OSError) as error:
        print(error, file=sys.stderr)
        return None
    (options.folder / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures
