"""The `encrypt` and `decrypt` filters.

Called through the table in filters.py. With an `iv` the key is hexadecimal; without one both are derived from the key
and a salt by PBKDF2. Text output is `<iv>$<data>$` or `s=<salt>,r=<rounds>$<data>$`, in hexadecimal digits.

Mirrors: Dovecot 2.4's var-expand-crypt plugin ("Cryptography support" in the documentation of the variables).
"""

from __future__ import annotations

import hashlib
import re
import string as characters
from dataclasses import dataclass, replace

from workers.api.var_expand import cipher
from workers.api.var_expand.argument import Arguments, boolean, named, number, string, unsupported
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import parse_integer
from workers.api.var_expand.state import State

_DEFAULT_ALGORITHM = b"AES-256-CBC"
_DEFAULT_DIGEST = b"sha256"
_DEFAULT_ROUND_COUNT = 10_000
_DEFAULT_SALT_LENGTH = 8
#: Characters of a salt that we make; neither `$` nor `,`, which end it.
_SALT_CHARACTERS = (characters.ascii_letters + characters.digits + "./").encode()
_DIGESTS = {b"md5", b"sha1", b"sha224", b"sha256", b"sha384", b"sha512"}
_TEXT_KEYS = {b"algorithm", b"hash", b"iv", b"key", b"salt"}
_PREFIX_HEX = re.compile(rb"(?:[0-9a-fA-F]{2})*")


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the arguments say."""

    algorithm: bytes
    digest: bytes
    round_count: int
    key: bytes
    iv: bytes | None
    salt: bytes | None
    is_raw: bool


def encrypt(state: State, arguments: Arguments) -> None:
    """With key=, iv= or salt=, algorithm=, hash=, rounds=, raw=."""
    settings = _settings(state, arguments)
    state.require(b"encrypt")
    if settings.iv is None and settings.salt is None:
        settings = replace(settings, salt=_new_salt())
    if settings.iv == b"":
        settings = replace(settings, iv=cipher.random_bytes(cipher.find_algorithm(settings.algorithm).iv_bytes))
    algorithm, key, iv = _key_material(state, settings)
    encrypted = cipher.encrypt(algorithm, key, iv, state.value)
    if settings.is_raw:
        state.set_binary(encrypted)
        return
    header = b"s=%b,r=%d" % (settings.salt, settings.round_count) if settings.salt is not None else iv.hex().encode()
    state.set_text(b"%b$%b$" % (header, encrypted.hex().encode()))


def decrypt(state: State, arguments: Arguments) -> None:
    """The same arguments; the header of the value names the iv, or the salt and rounds, unless raw=1."""
    settings = _settings(state, arguments)
    state.require(b"decrypt")
    data = state.value
    if not settings.is_raw:
        parts = state.text.split(b"$")
        if len(parts) != 3 or parts[2]:  # noqa: PLR2004 - header, data, nothing
            raise VarExpandError(b"Invalid input format")
        settings, data = _with_header(settings, parts[0]), _from_hex(parts[1])
    decrypted = cipher.decrypt(*_key_material(state, settings), data)
    if b"\0" in decrypted:
        state.set_binary(decrypted)
    else:
        state.set_text(decrypted)


def _settings(state: State, arguments: Arguments) -> _Settings:
    texts: dict[bytes, bytes] = {}
    round_count = _DEFAULT_ROUND_COUNT
    is_raw = False
    for key, operand in named(arguments):
        if key == b"raw":
            is_raw = boolean(state, operand)
        elif key == b"rounds":
            round_count = number(state, operand)
        elif key in _TEXT_KEYS:
            texts[key] = string(state, operand)
        else:
            raise unsupported(key)
    _check_arguments(texts, round_count)
    return _Settings(
        algorithm=texts.get(b"algorithm", _DEFAULT_ALGORITHM),
        digest=texts.get(b"hash", _DEFAULT_DIGEST),
        round_count=round_count,
        key=texts[b"key"],
        iv=_from_hex(texts[b"iv"]) if b"iv" in texts else None,
        salt=texts.get(b"salt"),
        is_raw=is_raw,
    )


def _check_arguments(texts: dict[bytes, bytes], round_count: int) -> None:
    if texts.get(b"key") == b"":
        raise VarExpandError(b"Empty encryption key")
    if round_count < 1:
        raise VarExpandError(b"rounds must be positive integer")
    if b"iv" in texts and b"salt" in texts:
        raise VarExpandError(b"Cannot use both salt and iv")
    if b"key" not in texts:
        raise VarExpandError(b"Encryption key missing")


def _with_header(settings: _Settings, header: bytes) -> _Settings:
    if settings.iv is not None:
        raise VarExpandError(b"Cannot have iv in parameter and input")
    if not header.startswith((b"s", b"r")):
        return replace(settings, iv=_from_hex(header))
    for parameter in header.split(b","):
        name, equals, value = parameter.partition(b"=")
        if name == b"s" and equals:
            settings = replace(settings, salt=value)
            continue
        count = parse_integer(value) if name == b"r" and equals else None
        if count is None or count < 1:
            raise VarExpandError(b"Invalid input")
        settings = replace(settings, round_count=count)
    return settings


def _key_material(state: State, settings: _Settings) -> tuple[cipher.Algorithm, bytes, bytes]:
    algorithm = cipher.find_algorithm(settings.algorithm)
    if settings.iv is not None:
        return algorithm, _from_hex(settings.key), settings.iv
    if settings.digest not in _DIGESTS:
        raise VarExpandError(b"Invalid digest %b" % settings.digest)
    state.budget.spend(settings.round_count)
    size = algorithm.key_bytes + algorithm.iv_bytes
    digest = settings.digest.decode()
    material = hashlib.pbkdf2_hmac(digest, settings.key, settings.salt or b"", settings.round_count, size)
    return algorithm, material[: algorithm.key_bytes], material[algorithm.key_bytes :]


def _new_salt() -> bytes:
    return cipher.random_bytes(_DEFAULT_SALT_LENGTH).translate((_SALT_CHARACTERS * 4)[:256])


def _from_hex(digits: bytes) -> bytes:
    # As far as it is hexadecimal; a length that does not fit is reported later.
    found = _PREFIX_HEX.match(digits)
    return bytes.fromhex(found[0].decode()) if found else b""
