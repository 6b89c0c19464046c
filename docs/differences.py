"""Where the parameters of our classes differ from those of River's, and why: for docs/learners.py.

River's are recorded in tests/golden/signatures.json (record_signatures.py, with River); the reasons are in
differences.json beside this file, by class and parameter. A difference without a reason is wrong, and so is a reason
without a difference. That River has no default where ours has one needs none.
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIGNATURES = ROOT / "tests" / "golden" / "signatures.json"
REASONS = pathlib.Path(__file__).with_name("differences.json")
PATH = re.compile(r"(?:[a-z_]+\.)+[A-Z]\w*")
REQUIRED = "required"
EMPTY = ([], {}, "")
NO_DEFAULT = "River has no default"


def signature(c, recorded):
    """River's parameters: of the class that ours follows, and of what stands in its parentheses. None: not recorded."""
    paths = PATH.findall(c["river"] or "")
    if not paths or not set(paths) <= set(recorded):
        return None
    return {name: default for path in reversed(paths) for name, default in recorded[path].items()}


def snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def is_same(ours, theirs, classes):
    if isinstance(theirs, dict) and theirs["class"].startswith("metrics."):  # a choice of ours
        return ours == snake(theirs["class"].partition(".")[2])
    if isinstance(theirs, dict):
        name, given = (ours, {}) if isinstance(ours, str) else next(iter(ours.items()))
        followed = {c["river"] for c in classes if c["name"] == name}
        return theirs["class"] in followed and given == theirs["parameters"]
    return ours == theirs or (theirs is None and ours in EMPTY)


def text_of(value):
    if isinstance(value, dict):
        value = {value["class"]: value["parameters"]} if value["parameters"] else value["class"]
    return "`" + json.dumps(value) + "`"


def of_class(c, theirs, classes):
    """{parameter: what is different}"""
    ours = {p["name"]: p["default"] for p in c["parameters"]}
    out = {name: "River's only" for name in theirs if name not in ours}
    for name, default in ours.items():
        if name not in theirs:
            out[name] = "ours only"
        elif theirs[name] == REQUIRED:
            if default not in EMPTY:
                out[name] = NO_DEFAULT
        elif not is_same(default, theirs[name], classes):
            out[name] = f"River's default is {text_of(theirs[name])}"
    return out


def reasons():
    """{class: {parameter: reason}}; a key may name several classes, with spaces between."""
    out = {}
    for names, given in json.loads(REASONS.read_text()).items():
        for name in names.split():
            out.setdefault(name, {}).update(given)
    return out


def key_of(c, classes):
    """Its name; behind its kind where others have the same."""
    return c["name"] if sum(other["name"] == c["name"] for other in classes) == 1 else f"{c['kind']}.{c['name']}"


def lines(classes):
    """({class's key: lines of the page}, what is wrong)"""
    recorded = json.loads(SIGNATURES.read_text())["classes"]
    known, wrong, out = reasons(), [], {}
    for c in classes:
        if not c["river"]:
            continue
        theirs = signature(c, recorded)
        if theirs is None:
            wrong.append(f"{c['name']}: {c['river']} is not in signatures.json: run tests/golden/record_signatures.py with River")
            continue
        key = key_of(c, classes)
        given = known.pop(key, {})
        found = of_class(c, theirs, classes)
        wrong += [f"{key}.{name}: {what}; differences.json has no reason" for name, what in found.items()
                  if name not in given and what != NO_DEFAULT]
        wrong += [f"{key}.{name}: is as in River; differences.json has a reason" for name in given
                  if name not in found]
        out[key] = [f"- `{name}` ({what}). {given.get(name, '')}".rstrip() for name, what in found.items()]
    wrong += [f"{name}: differences.json has reasons, and there is nothing to compare" for name in known]
    return out, wrong
