#!/usr/bin/env python3
"""yaml_to_json.py IN.yaml OUT.json OUT.json.gz OUT.etag.h

Turns the contract into what the gateway serves: compact JSON, the same compressed, and a header with
the entity tag. The same input always gives the same octets."""
import gzip
import hashlib
import json
import sys

import yaml


class Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):
    """Leaves times as the texts they are."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def main(source, plain, compressed, header):
    with open(source, encoding="utf-8") as file:
        document = yaml.load(file, Loader)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    with open(plain, "wb") as file:
        file.write(text)
    with open(compressed, "wb") as file:
        file.write(gzip.compress(text, compresslevel=9, mtime=0))
    with open(header, "w", encoding="ascii") as file:
        file.write("/* made by yaml_to_json.py */\n#pragma once\n\n")
        file.write(f'#define CONTRACT_HASH "{hashlib.sha256(text).hexdigest()[:32]}"\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
