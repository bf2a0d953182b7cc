"""The hash functions of dialect 2.3: `%{sha256;rounds=1000,salt=%u:password}`, `%{pkcs5:password}`.

Called by legacy.py.

Mirrors: Dovecot 2.3.19, compared with its library. `format=hexuc` gives lower case there, and here. md4 is missing:
OpenSSL 3 has it no more.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from workers.api.var_expand.bits import ALGORITHM_NAMES, digest, digest_size_bytes, first_bits
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import parse_unsigned
from workers.api.var_expand.limit import Budget

PKCS5 = b"pkcs5"
HASH_NAMES = frozenset({*ALGORITHM_NAMES, PKCS5})

_PKCS5_DIGEST = "sha256"
_PKCS5_ROUND_COUNT = 2048
#: As many bytes as the largest HMAC context of Dovecot 2.3 takes on x86-64.
_PKCS5_BYTES = 336
_MAX_NUMBER = (1 << 32) - 1
_FORMATS = {b"hex", b"hexuc", b"base64"}


@dataclass(frozen=True, slots=True)
class _Settings:
    """What stands between the semicolon and the colon."""

    round_count: int
    salt: bytes
    bit_count: int = 0
    form: bytes = b"hex"


def hashed(key: bytes, field: bytes, value: bytes, expand: Callable[[bytes], bytes], budget: Budget) -> bytes:
    """Hash a value.

    Args:
        key: algorithm, and parameters behind a semicolon.
        field: the name of the variable, which is the default salt of pkcs5.
        expand: expands the salt.
    """
    algorithm, semicolon, text = key.partition(b";")
    is_pkcs5 = algorithm == PKCS5
    settings = _Settings(_PKCS5_ROUND_COUNT, field) if is_pkcs5 else _Settings(1, b"")
    for parameter in text.split(b",") if semicolon else ():
        name, equals, argument = parameter.partition(b"=")
        if equals and name == b"salt":
            # Nothing is read behind the salt.
            settings = replace(settings, salt=expand(argument))
            break
        if equals:
            settings = _with_parameter(settings, name, argument)
    if is_pkcs5:
        budget.spend(settings.round_count * (_PKCS5_BYTES // 32 + 1))
        result = hashlib.pbkdf2_hmac(_PKCS5_DIGEST, value, settings.salt, settings.round_count, _PKCS5_BYTES)
    else:
        result = digest(algorithm, value, salt=settings.salt, round_count=settings.round_count, budget=budget)
    return _written(result, settings, 32 if is_pkcs5 else digest_size_bytes(algorithm))


def _with_parameter(settings: _Settings, name: bytes, argument: bytes) -> _Settings:
    match name:
        case b"rounds":
            count = _number(argument, b"rounds")
            if count < 1:
                raise _bad_argument(b"rounds must be at least 1")
            return replace(settings, round_count=count)
        case b"truncate":
            return replace(settings, bit_count=_number(argument, b"truncbits"))
        case b"format":
            if argument not in _FORMATS:
                raise _bad_argument(b"'%b' is not supported format" % argument)
            return replace(settings, form=argument)
    return settings


def _written(result: bytes, settings: _Settings, digest_bytes: int) -> bytes:
    if settings.bit_count:
        result = first_bits(result, min(settings.bit_count, digest_bytes * 8))
    return base64.b64encode(result) if settings.form == b"base64" else result.hex().encode()


def _number(argument: bytes, name: bytes) -> int:
    number = parse_unsigned(argument)
    if number is None or number > _MAX_NUMBER:
        raise _bad_argument(b"'%b' is not number for %b" % (argument, name))
    return number


def _bad_argument(detail: bytes) -> VarExpandError:
    return VarExpandError(b"Cannot parse hash arguments:" + detail)
