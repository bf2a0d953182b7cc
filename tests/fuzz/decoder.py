"""What a decoder is to the fuzzer."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Decoder(NamedTuple):
    """One decoder; it may return anything, and an error that is not among `errors` is a bug."""

    name: str
    decode: Callable[[bytes], Any]
    #: Valid inputs.
    seeds: list[bytes]
    #: What it may raise.
    errors: tuple[type[Exception], ...] = ()


def run_one(decoder, data):
    """Give one input to a decoder; raises what it must not raise."""
    with contextlib.suppress(*decoder.errors):
        decoder.decode(data)
