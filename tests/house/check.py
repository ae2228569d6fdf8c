#!/usr/bin/env python3
"""Holds the tree against the rules of the house that no compiler checks; see gateway/ARCHITECTURE.md.

check.py TOP. One line per fault, exit code 1 if there is any:
* a room includes only rooms below it, and never with "..";
* a third-party header has one home;
* rooms that decide (base, ble, esphome, scan, config, recorder) touch neither clock nor file nor socket nor chance;
* every .c of a room is in its CMakeLists.txt;
* the C files are formatted (where clang-format is installed, in the version the house uses);
* every unit test is registered and run.
"""
import pathlib
import re
import shutil
import subprocess
import sys

# What the rooms may include beside themselves. What is the program alone sees everything.
ROOMS = {
    "gateway/base": [],
    "gateway/ble": ["base"],
    "gateway/config": ["base", "ble"],
    "gateway/esphome": ["base", "ble"],
    "gateway/scan": ["base", "ble"],
    "gateway/recorder": ["base", "ble"],
    "gateway/replay": ["base", "ble", "scan", "recorder"],
    "gateway/accounts": ["base"],
    "gateway/store": ["base", "ble", "accounts"],
    "gateway/keeper": ["base", "ble", "scan", "store"],
    "gateway/mdns": ["base", "ble"],
    "gateway/backup": ["base", "config", "store"],
    "gateway/proxy": ["base", "ble", "esphome"],
    "gateway/link": ["base", "ble", "esphome"],
    "gateway/gatt": ["base", "ble", "esphome", "link"],
    "gateway": ["base", "ble", "config", "gatt", "link", "mdns", "proxy", "scan", "store", "keeper", "recorder", "replay", "gateway", "accounts", "backup"],
    "frontends/json": ["base", "ble", "config", "gateway", "json", "accounts"],
    "frontends/rest": ["base", "ble", "accounts", "config", "gateway", "json"],
    "frontends/http": ["base", "accounts", "config", "gateway", "json", "rest"],
    "frontends/mqtt": ["base", "ble", "config", "gateway", "json", "rest"],
    "tests/fleet": ["base", "ble", "esphome", "fleet"],
}
PROGRAM = ["gateway/main.c", "gateway/config_watch.c", "gateway/replay_file.c", "gateway/token_command.c"]
MAIN = ["base", "ble", "accounts", "backup", "config", "gateway", "json", "rest", "http", "mqtt", "mqtt", "store", "recorder", "replay"]

# Where a header of another project may be included.
HOMES = {
    r"uv\.h": ["gateway/main.c", "gateway/config_watch.c", "gateway/service.c", "gateway/backups.c", "gateway/gateway.c", "gateway/gatting.c", "gateway/inside.h", "gateway/keeping.c", "gateway/linking.c", "gateway/loop_lag.c", "gateway/replay_job.c", "gateway/rewriter.c", "gateway/scanning.c", "gateway/proxy/", "gateway/mdns/",
               "gateway/store/", "frontends/http/", "frontends/mqtt/", "frontends/esphome/",
               "frontends/matter/", "tests/fleet/", "tests/integration/", "tests/unit/proxy/",
               "tests/unit/http/", "tests/unit/gateway/", "tests/unit/fleet/", "tests/unit/rest/"],
    r".*\.pb-c\.h": ["gateway/esphome/", "tests/unit/esphome/", "tests/fuzz/"],
    r"protobuf-c.*": ["gateway/esphome/", "tests/unit/esphome/"],
    r"jansson\.h": ["gateway/config/", "frontends/json/", "tests/"],
    r"microhttpd\.h": ["frontends/http/"],
    r"sodium\.h": ["gateway/esphome/noise.", "gateway/backup/sealed.", "tests/bench/floor.", "gateway/accounts/secret.", "tests/unit/esphome/"],
    r"gnutls/.*": ["frontends/http/certificate."],
    r"sqlite3\.h": ["gateway/store/", "gateway/backup/", "tests/integration/store/", "tests/integration/backup/", "tests/fuzz/"],
    r"(mosquitto|mqtt_protocol)\.h": ["frontends/mqtt/broker.", "tests/integration/mqtt/"],
    r"libwebsockets\.h": ["frontends/matter/"],
    r"avahi-.*": ["gateway/mdns/"],
    r"openssl/.*": ["gateway/ble/crypto"],
    r"cmocka\.h": ["tests/"],
}

# Rooms in which nothing comes from outside but arguments (config reads the one file it is asked to).
PURE = ["gateway/ble", "gateway/esphome", "gateway/scan", "gateway/link", "gateway/gatt", "gateway/recorder", "gateway/replay", "gateway/config", "gateway/accounts"]
IMPURE = re.compile(r"\b(clock_gettime|gettimeofday|time\(NULL\)|clock_now|clock_wall|socket\(|connect\(|"
                    r"getrandom|randombytes_buf|rand\(|srand|log_(error|warning|info|debug|write)\(|fopen\()")

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)


def sources(top, folder):
    return sorted(path for suffix in ("*.c", "*.h") for path in (top / folder).glob(suffix))


def all_sources(top):
    for folder in ("gateway", "frontends", "tests"):
        for path in sorted((top / folder).rglob("*")):
            if path.suffix in (".c", ".h"):
                yield path


def check_directions(top):
    names = {folder.split("/")[-1] for folder in ROOMS} | {"fleet"}
    for folder, allowed in ROOMS.items():
        for path in sources(top, folder):
            text = path.read_text(encoding="utf-8")
            seen = MAIN if path.relative_to(top).as_posix() in PROGRAM else allowed
            for quoted, _ in INCLUDE.findall(text):
                room = quoted.split("/")[0] if "/" in quoted else None
                if room in names and room != folder.split("/")[-1] and room not in seen:
                    yield f"{path.relative_to(top)}: includes \"{quoted}\": {room} is not below {folder}"


def check_includes(top):
    for path in all_sources(top):
        name = path.relative_to(top).as_posix()
        for quoted, angled in INCLUDE.findall(path.read_text(encoding="utf-8")):
            header = quoted or angled
            if ".." in header:
                yield f"{name}: includes \"{header}\": name the room instead of .."
            for pattern, homes in HOMES.items():
                if re.fullmatch(pattern, header) and not any(name.startswith(home) for home in homes):
                    yield f"{name}: {header} is at home in {', '.join(homes[:3])}, not here"


def without_comments(text):
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', "", text, flags=re.S)


def check_purity(top):
    for folder in PURE:
        for path in sources(top, folder):
            for match in IMPURE.finditer(without_comments(path.read_text(encoding="utf-8"))):
                yield f"{path.relative_to(top)}: {match.group(1).rstrip('(')}: this room takes such things as arguments"


def check_cmake(top):
    for folder in ROOMS:
        cmake = top / folder / "CMakeLists.txt"
        if not cmake.exists():
            continue
        text = cmake.read_text(encoding="utf-8")
        for path in (top / folder).glob("*.c"):
            if not re.search(rf"(^|[\s(/]){re.escape(path.name)}([\s)]|$)", text):
                yield f"{path.relative_to(top)}: is in no list of {cmake.relative_to(top)}"
    for path in sorted((top / "tests/unit").rglob("test_*.c")):
        room = path.parent.name
        cmake = path.parent / "CMakeLists.txt"
        if not cmake.exists() or f"{room}/{path.stem}" not in cmake.read_text(encoding="utf-8"):
            yield f"{path.relative_to(top)}: is not registered in {cmake.relative_to(top)}"


def check_tests_are_run(top):
    """Every test function of cmocka stands in a list of tests as well."""
    for path in sorted((top / "tests").rglob("test_*.c")):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^static void (\w+)\(void \*\*\w+\)", text, re.M):
            if len(re.findall(rf"\b{name}\b", text)) < 2:
                yield f"{path.relative_to(top)}: {name} is never run"


def check_format(top):
    if not shutil.which("clang-format"):
        return
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True)
    if "version 14." not in version.stdout:
        return  # each version formats a little differently
    names = [path.relative_to(top).as_posix() for path in all_sources(top)]
    done = subprocess.run(["clang-format", "--dry-run", *names], cwd=top, capture_output=True, text=True)
    for name in sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", done.stderr, re.M))):
        yield f"{name}: is not formatted: clang-format -i"


def main(top):
    top = pathlib.Path(top).resolve()
    faults = [fault for check in (check_directions, check_includes, check_purity, check_cmake,
                                  check_tests_are_run, check_format) for fault in check(top)]
    print("\n".join(faults) if faults else "the house is in order")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
