"""Prints "PASSED FAILED SKIPPED" of a JUnit file that ctest wrote, then the names of the failed."""

import sys
import xml.etree.ElementTree as tree


def main():
    root = tree.parse(sys.argv[1]).getroot()
    cases = list(root.iter("testcase"))
    if not cases:
        sys.exit("no tests ran")
    failed = [c.get("name") for c in cases if c.get("status") == "fail"]
    passed = sum(c.get("status") == "run" for c in cases)
    print(passed, len(failed), len(cases) - passed - len(failed))
    for name in failed:
        print(name)


if __name__ == "__main__":
    main()
