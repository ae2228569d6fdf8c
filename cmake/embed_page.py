#!/usr/bin/env python3
"""embed_page.py [--dist FOLDER] --out FOLDER

Turns the files of the dashboard into page_files.c, the table that the gateway serves them from, and
page_data.S with their octets, plain and compressed. Without --dist the table is empty. The same input
always gives the same output."""
import argparse
import gzip
import hashlib
import pathlib

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

SYMBOL = """    .global page_{n}_{form}, page_{n}_{form}_end
page_{n}_{form}:
    .incbin "{path}"
page_{n}_{form}_end:

"""


def row(number, path, dist):
    """A file whose name has its hash never changes; index.html is the page itself."""
    name = path.relative_to(dist).as_posix()
    tag = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    immutable = "true" if name.startswith("assets/") else "false"
    url = "/" if name == "index.html" else f"/{name}"
    return (f'        {{"{url}", "{TYPES[path.suffix]}", "{tag}", {immutable},\n'
            f"         page_{number}_plain, page_{number}_plain_end, page_{number}_gzip, page_{number}_gzip_end}},\n")


def write_table(out, dist, files):
    externs = "".join(f"extern const char page_{n}_{form}[], page_{n}_{form}_end[];\n"
                      for n in range(len(files)) for form in ("plain", "gzip"))
    rows = "".join(row(number, path, dist) for number, path in enumerate(files))
    (out / "page_files.c").write_text(
        f'/* made by embed_page.py */\n#include "http/page_files.h"\n\n{externs}\n'
        f"const struct page_file page_files[] = {{\n{rows}        {{0}},\n}};\n", encoding="utf-8")


def write_data(out, files):
    text = "/* made by embed_page.py */\n    .section .rodata\n\n"
    for number, path in enumerate(files):
        compressed = out / f"page_{number}.gz"
        compressed.write_bytes(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))
        text += SYMBOL.format(n=number, form="plain", path=path) + SYMBOL.format(n=number, form="gzip", path=compressed)
    (out / "page_data.S").write_text(text + '    .section .note.GNU-stack, "", %progbits\n', encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dist", type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    options = parser.parse_args()
    files = sorted(path for path in options.dist.rglob("*") if path.is_file()) if options.dist else []
    options.out.mkdir(parents=True, exist_ok=True)
    write_table(options.out, options.dist, files)
    write_data(options.out, files)


if __name__ == "__main__":
    main()
