#!/usr/bin/env python3
"""build_page.py --source web --contract schema/openapi.yaml --folder build/web

Builds the dashboard: copies its sources to FOLDER, fetches what package-lock.json names (only when that
changed), makes types of the contract, checks types, and writes the files to FOLDER/dist. Where nothing
changed since the last time nothing is done, so that several builds of one tree can share FOLDER."""
import argparse
import fcntl
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

SOURCES = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.ts", "index.html")
FOLDERS = ("src", "public")


def files_of(source):
    for name in SOURCES:
        yield source / name
    for folder in FOLDERS:
        yield from sorted(path for path in (source / folder).rglob("*") if path.is_file())


def digest_of(source, contract):
    digest = hashlib.sha256()
    for path in [*files_of(source), contract, pathlib.Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def copy_sources(source, contract, folder):
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in files_of(source):
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(contract, folder / "openapi.yaml")


def run(folder, *command):
    code = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        sys.exit(f"ERROR: {' '.join(command)} ended with {code}")


def install(folder):
    """Exactly what the lock file names; no program of a package runs while it is installed."""
    wanted = (folder / "package-lock.json").read_bytes()
    installed = folder / "installed-lock.json"
    if installed.exists() and installed.read_bytes() == wanted and (folder / "node_modules").is_dir():
        return
    installed.unlink(missing_ok=True)
    run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    installed.write_bytes(wanted)


def write_licences(folder):
    """Those of the packages that are in the files: who passes the program on passes them on."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    texts = []
    for path, package in sorted(lock["packages"].items()):
        if path and not package.get("dev"):
            names = [(folder / path).glob(pattern) for pattern in ("LICENSE*", "NOTICE*", "licenses/*")]
            files = sorted(file for found in names for file in found)
            title = f"{path.removeprefix('node_modules/')} {package['version']} ({package.get('license', 'see below')})"
            texts.append("\n\n".join([title, *(file.read_text(encoding="utf-8").strip() for file in files)]))
    (folder / "dist/licences.txt").write_text(("\n\n" + 80 * "-" + "\n\n").join(texts) + "\n", encoding="utf-8")


def build(source, contract, folder):
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "built-from"
    digest = digest_of(source, contract)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
            return
        stamp.unlink(missing_ok=True)
        copy_sources(source, contract, folder)
        install(folder)
        for step in ("contract", "check", "build"):
            run(folder, "npm", "run", "--silent", step)
        write_licences(folder)
        stamp.write_text(digest, encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("source", "contract", "folder"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    options = parser.parse_args()
    build(options.source.resolve(), options.contract.resolve(), options.folder.resolve())


if __name__ == "__main__":
    main()
