"""What every script of tests that checks claims needs. Standard library only."""

import time

PATIENCE_S = 120  # after which a condition counts as never coming true


class Failure(AssertionError):
    """A claim does not hold."""


def check(condition, claim):
    if not condition:
        raise Failure(claim)


def wait_for(condition, what, patience_s=PATIENCE_S, every_s=0.05):
    """Polls until condition() is true (its value is returned)."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {patience_s} s for: {what}")
        time.sleep(every_s)
