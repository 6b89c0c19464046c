#!/usr/bin/env python3
"""River's small data sets, as River reads them, out of ../shared/data beside the project.

    small_data.py NAME          (trump, chick, phishing, bananas) to standard output: two 64-bit
                                counts, rows and features; then a row's features, label and weight 1
                                as doubles, little-endian

They are not part of the project. Exit status 77 where they are not there, with the reason.
"""

import csv
import gzip
import pathlib
import struct
import sys
import zipfile

SKIP = 77
DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
TARGETS = {"trump": ("trump_approval.csv.gz", "five_thirty_eight"), "chick": ("chick-weights.csv", "weight"),
           "phishing": ("phishing.csv.gz", "is_phishing")}
BANANAS = "banana.zip"


class Unavailable(Exception):
    """The file is not there."""


def read_bytes(name):
    try:
        return (DATA / name).read_bytes()
    except OSError as e:
        raise Unavailable(f"River's small data sets are not there: {e}") from e


def bananas():
    with zipfile.ZipFile(DATA / BANANAS) as archive:
        text = archive.read("banana.all.txt").decode()
    for line in text.splitlines():
        label, *cells = line.split()
        yield {name: float(v) for name, v in (cell.split(":") for cell in cells)}, float(label == "1")


def rows(name):
    """(features by name, label) of each row."""
    if name == "bananas":
        read_bytes(BANANAS)
        yield from bananas()
        return
    file, target = TARGETS[name]
    data = read_bytes(file)
    text = (gzip.decompress(data) if file.endswith(".gz") else data).decode()
    for line in csv.DictReader(text.splitlines()):
        y = float(line.pop(target))
        yield {column: float(v) for column, v in line.items()}, y


def main(argv):
    if len(argv) != 1 or argv[0] not in (*TARGETS, "bananas"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        found = list(rows(argv[0]))
    except Unavailable as e:
        print(f"SKIPPED: {e}", file=sys.stderr)
        return SKIP
    out = struct.pack("<QQ", len(found), len(found[0][0]))
    for x, y in found:
        out += struct.pack(f"<{len(x) + 2}d", *x.values(), y, 1.0)
    sys.stdout.buffer.write(out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
