"""The system's crypt(3) through ctypes: the crypt family's hashes, computed without holding the interpreter.

The only module that touches the library. Python 3.13 has no `crypt` module any more, and the older one took text only
and held the interpreter. Thread-safe: every call has a buffer of its own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

Crypt = Callable[[bytes, bytes], bytes | None]

#: Distributions disagree about the number.
_NAMES: Final = ("libcrypt.so.1", "libcrypt.so.2")

#: `struct crypt_data` of libxcrypt, whose crypt_rn is told the size.
_BUFFER_BYTES: Final = 32_768

#: crypt_r is not told it: more than the 131,232 bytes of old glibc, the largest known.
_UNTOLD_BUFFER_BYTES: Final = 262_144

#: Password of the samples below.
_SAMPLE_PLAIN: Final = b"lualoft sample"

#: Method -> hash of the sample. A library that does not reproduce it does not have the method.
_SAMPLES: Final = {
    "des": b"lfy0wiykiuhgk",
    "md5": b"$1$lualoft$vLYpJFF.tIRAvTP9.FElV/",
    "bcrypt": b"$2y$04$lualoftlualoftlualoftevDjjrQbalcH.mMqtufIQHG.K1SdSryO",
    "sha256": b"$5$rounds=1000$lualoft$mm0x9pOd7RoEBcMxWvMLycXnygQ9fInhFA3bWykAXPC",
    "sha512": b"$6$rounds=1000$lualoft$ImQ2IB1VHuJSJdy8bPeNQg9N9Y6vB30gB/3UR"
    b"aAnSxu.Q8HrAK/d9hhtzqKHLsph1jprvBZ5CkiA3rv9Y6Zpp.",
}


def crypt(plain: bytes, setting: bytes) -> bytes | None:
    """Return the hash, which starts with its setting; None if the library refuses setting or password.

    libxcrypt refuses passwords of 512 bytes and more, and salts with characters that a password file cannot hold.
    """
    hashed = _function()(plain, setting)
    # crypt_r tells failure by a string that no hash can be.
    return None if hashed is None or hashed.startswith(b"*") else hashed


@cache
def methods() -> frozenset[str]:
    """Return which of des, md5, bcrypt, sha256, sha512 the library has; Dovecot asks in the same way at its start."""
    return frozenset(name for name, hashed in _SAMPLES.items() if crypt(_SAMPLE_PLAIN, hashed) == hashed)


@cache
def _function() -> Crypt:
    for library in _libraries():
        if hasattr(library, "crypt_rn"):
            return _with_size(library)
        if hasattr(library, "crypt_r"):
            return _without_size(library)
    return lambda _plain, _setting: None


def _libraries() -> Iterator[ctypes.CDLL]:
    for name in _NAMES:
        try:
            yield ctypes.CDLL(name)
        except OSError:
            continue
    # Asking the linker starts programs, so it comes last. If it finds none, None stands for the running program, which
    # has crypt_r where libc is musl.
    yield ctypes.CDLL(ctypes.util.find_library("crypt"))


def _with_size(library: ctypes.CDLL) -> Crypt:
    function = library.crypt_rn
    function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    function.restype = ctypes.c_char_p

    def call(plain: bytes, setting: bytes) -> bytes | None:
        buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        hashed: bytes | None = function(plain, setting, buffer, _BUFFER_BYTES)
        return hashed

    return call


def _without_size(library: ctypes.CDLL) -> Crypt:
    function = library.crypt_r
    function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
    function.restype = ctypes.c_char_p

    def call(plain: bytes, setting: bytes) -> bytes | None:
        hashed: bytes | None = function(plain, setting, ctypes.create_string_buffer(_UNTOLD_BUFFER_BYTES))
        return hashed

    return call
