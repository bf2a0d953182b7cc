"""Hash slots of a Redis cluster: which names one server keeps together. Mirrors the cluster specification."""

import binascii
from typing import Final

#: Slots of a cluster.
SLOT_COUNT: Final = 16384


def hash_tag(name: bytes) -> bytes:
    """Return the part of a name that decides: what stands between the first `{` and the next `}`, or all of it."""
    start = name.find(b"{")
    end = name.find(b"}", start + 1) if start >= 0 else -1
    return name[start + 1 : end] if end > start + 1 else name


def slot_of(name: bytes) -> int:
    """Return the slot of a name."""
    return binascii.crc_hqx(hash_tag(name), 0) % SLOT_COUNT
