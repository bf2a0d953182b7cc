"""Scripts that are parked because they keep hitting their limits, as workers share them in a hash.

Workers write and read it, `lualoft status` shows it. A value is a proof, a blank and what is parked until when. That
can be read by everybody; the proof, which is a seal around nothing, is bound to all of it and to the script. So nobody
without the key can park a script, and what somebody has recorded says itself when it is over.
"""

from __future__ import annotations

import binascii
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from dispatcher.protocol import keys
from dispatcher.protocol.errors import SealError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatcher.protocol.sealing import Seal

#: Seconds of the longest pause.
MAX_PAUSE_S: Final = 60.0

#: Seconds without another pause after which a script starts with the shortest one again.
FORGET_S: Final = 300.0

#: Fields of the hash, and bytes of a value: what is larger was not written by workers.
MAX_FIELDS: Final = 256
MAX_VALUE_BYTES: Final = 1024

#: Characters of a name that are written, so that a value stays within that.
_MAX_NAME_CHARS: Final = 100


class Parked(NamedTuple):
    """A script that is let in again at a time."""

    until_unix_s: float
    pause_s: float
    name: str


def encode_parked(package_id: bytes, parked: Parked, seal: Seal) -> bytes:
    """Return the value of a script's field."""
    text = msgspec.json.encode(parked._replace(name=parked.name[:_MAX_NAME_CHARS]))
    proof = seal.seal(b"", keys.parked_context(package_id.hex(), text))
    return binascii.hexlify(proof) + b" " + text


def decode_parked(found: Mapping[bytes, bytes], seal: Seal | None) -> dict[bytes, Parked]:
    """Read the hash.

    Args:
        found: package id in hex -> what `encode_parked` made of it.
        seal: checks each; None: for those who have no key, and must believe none of it.

    Returns:
        package id -> Parked. What is not ours, and what is long over, is left out.
    """
    now_unix_s = time.time()
    parked = {}
    for field, value in found.items():
        one = _decode(field, value, seal)
        if one is not None and one[1].until_unix_s > now_unix_s - FORGET_S:
            parked[one[0]] = one[1]._replace(until_unix_s=min(one[1].until_unix_s, now_unix_s + MAX_PAUSE_S))
    return parked


def _decode(field: bytes, value: bytes, seal: Seal | None) -> tuple[bytes, Parked] | None:
    proof, _, text = value.partition(b" ")
    try:
        package_id = bytes.fromhex(field.decode())
        one = msgspec.json.decode(text, type=Parked)
        if seal is not None:
            seal.unseal(binascii.unhexlify(proof), keys.parked_context(package_id.hex(), text))
    except (msgspec.DecodeError, ValueError, SealError):
        return None
    return package_id, one._replace(pause_s=min(max(one.pause_s, 0.0), MAX_PAUSE_S))
