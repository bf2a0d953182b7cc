"""Scripts that are parked because they keep hitting their limits, as workers share them in a hash.

Workers write and read it, `lualoft status` shows it. It is not sealed: whoever may write to Redis can hinder calls
anyway; what is read is bounded, so that nobody parks a script for long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds of the longest pause.
MAX_PAUSE_S: Final = 60.0


class Parked(NamedTuple):
    """A script that is let in again at a time."""

    until_unix_s: float
    pause_s: float
    name: str

    def to_text(self) -> str:
        """Return the value of its field."""
        return msgspec.json.encode(self).decode()


def parked_from_hash(found: Mapping[bytes, bytes]) -> dict[bytes, Parked]:
    """Read the hash: package id in hex -> Parked. What is not ours is left out."""
    parked = {}
    latest_unix_s = time.time() + MAX_PAUSE_S
    for field, value in found.items():
        try:
            one = msgspec.json.decode(value, type=Parked)
            package_id = bytes.fromhex(field.decode())
        except (msgspec.DecodeError, ValueError):
            continue
        until_unix_s, pause_s = min(one.until_unix_s, latest_unix_s), min(max(one.pause_s, 0.0), MAX_PAUSE_S)
        parked[package_id] = Parked(until_unix_s, pause_s, one.name)
    return parked
