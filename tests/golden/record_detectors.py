#!/usr/bin/env python3
"""Records what River's drift detectors say, for tests/unit/learn/test_detector.c to replay.

    python tests/golden/record_detectors.py        (with River 0.26.1)

Writes, beside itself:
    detector-streams.bin.gz   for each stream its VALUES doubles, little-endian
    detectors.json            the streams' names in that order; for each trace its stream, detector
                              and River equivalent, the values at which River found a drift, and at
                              every 100th value and the first 20 drifts: [index, level, width, spread] (ADWIN's estimation,
                              width and variance; of the others the mean and the count)
"""

import gzip
import json
import math
import pathlib
import platform
import random
import struct

import river
from river import drift

HERE = pathlib.Path(__file__).parent
VALUES = 4000
EVERY = 100
RIVER = "0.26.1"


def stationary(rng):
    return [round(abs(rng.gauss(0, 150)), 2) for _ in range(VALUES)]


def abrupt(rng):
    levels = (100, 180, 60, 61)
    return [round(rng.expovariate(1 / levels[i * len(levels) // VALUES]), 2) for i in range(VALUES)]


def gradual(rng):
    return [round(100 + 150 * min(1, max(0, i - 1000) / 2000) + rng.gauss(0, 40), 2) for i in range(VALUES)]


def bits(rng):
    return [float(rng.random() < (0.2 if i < 1500 or i > 3000 else 0.5)) for i in range(VALUES)]


def constant(_):
    return [7.25] * VALUES


def huge(rng):
    return [rng.choice((1, 2, 3)) * (1e100 if i < 2500 else 4e100) for i in range(VALUES)]


def spikes(rng):
    return [round(rng.random(), 2) + (1e6 if i % 997 == 500 else 0) for i in range(VALUES)]


def signed(rng):
    return [round(rng.gauss(0 if i // 700 % 2 else -3, 1), 2) for i in range(VALUES)]


STREAMS = [stationary, abrupt, gradual, bits, constant, huge, spikes, signed]

ADWINS = [{}, {"delta": 0.2, "clock": 1}, {"max_buckets": 2, "min_window_length": 1, "grace_period": 0, "clock": 7},
          {"max_buckets": 12, "min_window_length": 30, "grace_period": 300, "delta": 1e-5}]
PAGE_HINKLEYS = [{}, {"threshold": 5000.0, "delta": 5.0, "min_instances": 100}, {"mode": "up", "threshold": 300.0},
                 {"mode": "down", "threshold": 2.0, "alpha": 0.99, "delta": 0.0}]
KSWINS = [{"seed": 1}, {"seed": 42, "alpha": 0.2, "window_size": 60, "stat_size": 30},
          {"seed": 7, "alpha": 0.0001, "window_size": 400, "stat_size": 25}]
DDMS = [{}, {"warm_start": 0, "drift_threshold": 1.5}, {"warm_start": 100, "drift_threshold": 2.0}]


def record(name, parameters, stream, values):
    if name == "adwin":
        detector = drift.ADWIN(**parameters)
        look = lambda: [detector.estimation, detector.width, detector.variance]
    elif name == "kswin":
        detector = drift.KSWIN(**parameters)
        look = lambda: [sum(detector.window) / len(detector.window), len(detector.window), 0]
    elif name == "ddm":
        detector = drift.binary.DDM(**parameters)
        look = lambda: [detector._p.get(), detector._p.n, 0]
    else:
        detector = drift.PageHinkley(**parameters)
        look = lambda: [detector._x_mean.get(), detector._x_mean.n, 0]
    found, seen = [], []
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(i)
        if i % EVERY == 0 or (found[-1:] == [i] and len(found) <= 20):
            seen.append([i, *look()])
    print(f"{stream:12} {name:14} {json.dumps(parameters):80} {len(found)} drifts")
    return {"stream": stream, "detector": {name: parameters}, "drifts": found, "seen": seen}


def main():
    if river.__version__ != RIVER:
        raise SystemExit(f"River {river.__version__}: the traces are those of {RIVER}")
    data, traces = b"", []
    for make in STREAMS:
        values = make(random.Random(make.__name__))
        assert len(values) == VALUES and all(map(math.isfinite, values))
        data += struct.pack(f"<{VALUES}d", *values)
        for name, many in (("adwin", ADWINS), ("page_hinkley", PAGE_HINKLEYS)):
            traces += [record(name, parameters, make.__name__, values) for parameters in many]
        traces += [record("kswin", parameters, make.__name__, values) for parameters in KSWINS]
        if make is bits:
            traces += [record("ddm", parameters, make.__name__, values) for parameters in DDMS]
    (HERE / "detector-streams.bin.gz").write_bytes(gzip.compress(data, compresslevel=9, mtime=0))
    lines = ",\n".join(json.dumps(trace) for trace in traces)
    (HERE / "detectors.json").write_text(
        f'{{"river": "{river.__version__}", "python": "{platform.python_version()}", "values": {VALUES},\n'
        f'"streams": {json.dumps([make.__name__ for make in STREAMS])},\n"traces": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
