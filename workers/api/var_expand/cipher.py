"""Symmetric encryption for the `encrypt` and `decrypt` filters.

The importer of `cryptography` in this package; the seal of messages (dispatcher/protocol/sealing.py) has nothing to do
with it and imports it for itself.

Mirrors: algorithm names are OpenSSL's, of which AES with CBC, CTR and ECB are known here.
"""

from __future__ import annotations

import os
from typing import NamedTuple, TypeAlias

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from workers.api.var_expand.error import VarExpandError

_BLOCK_BYTES = 16
_KEY_BITS = {b"128", b"192", b"256"}
_MODES: dict[bytes, type[modes.CBC | modes.CTR]] = {b"cbc": modes.CBC, b"ctr": modes.CTR}
_ECB = b"ecb"
_PADDED = {b"cbc", _ECB}


#: The modes that authenticate nothing.
_Mode: TypeAlias = modes.CBC | modes.CTR | modes.ECB


class Algorithm(NamedTuple):
    """An algorithm with its lengths."""

    mode: bytes
    key_bytes: int
    iv_bytes: int


def find_algorithm(name: bytes) -> Algorithm:
    """The algorithm of a name such as AES-256-CBC, in any case."""
    family, _, rest = name.lower().partition(b"-")
    bits, _, mode = rest.partition(b"-")
    if family != b"aes" or bits not in _KEY_BITS or mode not in {*_MODES, _ECB}:
        raise VarExpandError(b"Invalid cipher %b" % name)
    return Algorithm(mode, int(bits) // 8, 0 if mode == _ECB else _BLOCK_BYTES)


def random_bytes(size_bytes: int) -> bytes:
    """Bytes for an initialisation vector or a salt."""
    return os.urandom(size_bytes)


def encrypt(algorithm: Algorithm, key: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypt, with padding where the mode needs it."""
    if algorithm.mode in _PADDED:
        padder = PKCS7(_BLOCK_BYTES * 8).padder()
        data = padder.update(data) + padder.finalize()
    encryptor = _cipher(algorithm, key, iv).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def decrypt(algorithm: Algorithm, key: bytes, iv: bytes, data: bytes) -> bytes:
    """Decrypt; a wrong key is an error in most cases where the mode needs padding."""
    decryptor = _cipher(algorithm, key, iv).decryptor()
    try:
        data = decryptor.update(data) + decryptor.finalize()
        if algorithm.mode not in _PADDED:
            return data
        unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
        return unpadder.update(data) + unpadder.finalize()
    except ValueError as exc:
        raise VarExpandError(b"bad decrypt") from exc


def _cipher(algorithm: Algorithm, key: bytes, iv: bytes) -> Cipher[_Mode]:
    if len(iv) != algorithm.iv_bytes:
        raise VarExpandError(b"IV length invalid (%d != %d)" % (len(iv), algorithm.iv_bytes))
    if len(key) != algorithm.key_bytes:
        raise VarExpandError(b"Key length invalid (%d != %d)" % (len(key), algorithm.key_bytes))
    mode: _Mode = modes.ECB() if algorithm.mode == _ECB else _MODES[algorithm.mode](iv)  # noqa: S305 - the template names it
    return Cipher(algorithms.AES(key), mode)
