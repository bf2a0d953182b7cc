"""Waiting for a condition, with a limit; tests never pause for a fixed time."""

import time
from collections.abc import Callable
from typing import Final

#: Pause between two looks at the condition, in seconds.
LOOK_EVERY_S: Final = 0.005


def wait_until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Return as soon as the condition holds; fail the test when it does not within the limit."""
    ends_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends_s, f"not within {limit_s:g} s: {condition}"
        time.sleep(LOOK_EVERY_S)
