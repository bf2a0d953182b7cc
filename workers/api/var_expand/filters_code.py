"""Filters that encode and digest: hashes, base64, hexlify, truncate.

Called through the table in filters.py. Hashes and decoders give binary values: hexadecimal digits in the end.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from workers.api.var_expand.argument import (
    Arguments,
    boolean,
    named,
    number,
    positional,
    required,
    string,
    unsupported,
)
from workers.api.var_expand.bits import ALGORITHM_NAMES, digest, first_bits
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import MAX_INTEGER
from workers.api.var_expand.limit import check_size
from workers.api.var_expand.state import State

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL = _BASE64[:-2] + b"-_"
_BLANKS = b" \t\r\n"


def hash_named(state: State, arguments: Arguments) -> None:
    """Hash by the algorithm that the first argument names; rounds=, salt=."""
    required(arguments)
    if arguments[0].key is not None:
        raise VarExpandError(b"No algorithm as first parameter")
    algorithm = string(state, arguments[0].operand)
    _hash(state, algorithm, arguments[1:], b"hash")


def hash_with(algorithm: bytes) -> Callable[[State, Arguments], None]:
    """The filter that is called like its algorithm."""

    def apply(state: State, arguments: Arguments) -> None:
        _hash(state, algorithm, arguments, algorithm)

    return apply


def encode_base64(state: State, arguments: Arguments) -> None:
    """The value in base64; pad=0 leaves out the padding, url=1 takes the URL alphabet."""
    is_padded, is_url = _base64_arguments(state, arguments)
    state.require(b"base64")
    result = base64.urlsafe_b64encode(state.value) if is_url else base64.b64encode(state.value)
    state.set_text(result if is_padded else result.rstrip(b"="))


def decode_base64(state: State, arguments: Arguments) -> None:
    """Decode base64 (pad=, url=): skips blanks, ends at the first other character, and never fails."""
    # A padding character ends the data like any other that is no digit, so `pad` changes nothing.
    _, is_url = _base64_arguments(state, arguments)
    state.require(b"unbase64")
    alphabet = _URL if is_url else _BASE64
    data = state.value.translate(None, _BLANKS)
    digits = data[: len(data) - len(data.lstrip(alphabet))]
    state.set_binary(_decoded(digits.translate(bytes.maketrans(alphabet, _BASE64))))


def hexlify(state: State, arguments: Arguments) -> None:
    """With an optional width: the bytes as hexadecimal digits, filled on the left, or cut on the right."""
    operands = positional(arguments, len(arguments))
    width = number(state, operands[0]) if operands else 0
    if width < 0:
        raise VarExpandError(b"Width must be positive")
    state.require(b"hexlify")
    check_size(max(width, len(state.value) * 2))
    digits = binascii.hexlify(state.value)
    state.set_text(digits.rjust(width, b"0")[:width] if width else digits)


def unhexlify(state: State, arguments: Arguments) -> None:
    """Hexadecimal digits as the bytes they stand for."""
    positional(arguments, 0)
    state.require(b"unhexlify")
    try:
        state.set_binary(binascii.unhexlify(state.value))
    except binascii.Error as exc:
        raise VarExpandError(b"Not a hex value") from exc


def truncate(state: State, arguments: Arguments) -> None:
    """The first bytes, or with bits= the first bits."""
    required(arguments)
    length = 0
    has_bits = False
    for position, argument in enumerate(arguments):
        if argument.key not in {None, b"bits"}:
            raise unsupported(argument.key or b"")
        if argument.key is None and position > 0:
            raise VarExpandError(b"Too many positional parameters")
        length = number(state, argument.operand)
        if not 0 <= length <= MAX_INTEGER:
            raise VarExpandError(b"Value of out of bounds")
        has_bits = has_bits or argument.key is not None
    state.require(b"truncate")
    state.set_data(first_bits(state.value, length) if has_bits else state.value[:length])


def _hash(state: State, algorithm: bytes, arguments: Arguments, action: bytes) -> None:
    if algorithm not in ALGORITHM_NAMES:
        raise VarExpandError(b"Unsupported algorithm '%b'" % algorithm)
    round_count = 1
    salt = b""
    for key, operand in named(arguments):
        if key == b"rounds":
            round_count = number(state, operand)
        elif key == b"salt":
            salt = string(state, operand)
        else:
            raise unsupported(key)
    state.require(action)
    state.set_binary(digest(algorithm, state.value, salt=salt, round_count=round_count, budget=state.budget))


def _base64_arguments(state: State, arguments: Arguments) -> tuple[bool, bool]:
    values = {b"pad": True, b"url": False}
    for key, operand in named(arguments):
        if key not in values:
            raise unsupported(key)
        values[key] = boolean(state, operand)
    return values[b"pad"], values[b"url"]


def _decoded(digits: bytes) -> bytes:
    # One digit of a group holds no whole byte.
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
