#!/usr/bin/env python3
"""Records the parameters of River's classes that ours follow, with their defaults, for docs/learners.py to compare.

    python tests/golden/record_signatures.py [--bin DIR]        (with River 0.26.1)

Writes signatures.json beside itself: of each class that `oxbow learners` says a class of ours follows, parameter to
default. A default is a JSON value; {"class": .., "parameters": {..}} for an object of River's, with those parameters
that are not that class's own defaults; "required" for none. Where River's signature says None and the object that it
makes then is there for all to see, it is that object.
"""

import argparse
import importlib
import inspect
import json
import pathlib
import re
import subprocess
import warnings

import river
from river import base, optim

from record import RIVER

HERE = pathlib.Path(__file__).parent
PATH = re.compile(r"(?:[a-z_]+\.)+[A-Z]\w*")
REQUIRED = "required"


def find(path):
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module("river." + module), name)


def path_of(cls):
    """As River's documentation has it: optim.SGD, and not optim.sgd.SGD."""
    parts = cls.__module__.split(".")[1:]
    while len(parts) > 1 and getattr(importlib.import_module("river." + ".".join(parts[:-1])), cls.__name__, None) is cls:
        parts.pop()
    return ".".join([*parts, cls.__name__])


def default_of(value):
    if isinstance(value, optim.schedulers.Constant):
        return value.learning_rate
    if isinstance(value, base.Base):
        own, one = parameters(type(value)), made(type(value))
        given = {name: default_of(getattr(value, name)) for name in own if hasattr(value, name)}
        return {"class": path_of(type(value)),
                "parameters": {name: v for name, v in given.items()
                               if v != own[name] and (one is None or v != default_of(getattr(one, name)))}}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)


def made(cls):
    """One with every default, or None where something has to be given."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls()
    except (TypeError, ValueError):
        return None


def parameters(cls):
    if cls.__init__ is object.__init__:
        return {}
    one = made(cls)
    out = {}
    for name, p in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        if name in ("args", "kwargs"):
            continue
        if p.kind is inspect.Parameter.VAR_POSITIONAL or p.default is inspect.Parameter.empty:
            out[name] = REQUIRED
        elif p.default is None and isinstance(getattr(one, name, None), base.Base):
            out[name] = default_of(getattr(one, name))
        else:
            out[name] = default_of(p.default)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--bin", default=HERE.parents[1] / "build" / "release" / "bin", type=pathlib.Path)
    a = p.parse_args()
    if river.__version__ != RIVER:
        raise SystemExit(f"River {river.__version__}: the signatures are those of {RIVER}")
    listing = subprocess.run([str(a.bin / "oxbow"), "learners", "--json"], capture_output=True, text=True, check=True)
    paths = {path for c in json.loads(listing.stdout) for path in PATH.findall(c["river"] or "")}
    lines = ",\n".join(f"  {json.dumps(path)}: {json.dumps(parameters(find(path)))}" for path in sorted(paths))
    (HERE / "signatures.json").write_text(f'{{"river": "{river.__version__}", "classes": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
