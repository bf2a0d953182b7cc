"""Authenticated encryption of everything that lies in Redis: AES-256-GCM under a key per process.

Dispatchers and workers seal what they write and unseal what they read; whatever does not unseal is refused before
anyone looks at it. Must never log or show a key, and never reuse a nonce.

Wire: version (1 byte) | key id (4) | session salt (16) | nonce (12) | ciphertext and tag (16).
The session key is HKDF-SHA256(key, salt); the salt is random and fresh for every Seal object and every process, so
nonces can simply be counted.
"""

import hashlib
import hmac
import itertools
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dispatcher.protocol.errors import SealError, SettingsError
from dispatcher.protocol.key_text import KEY_BYTES, decode_keys, encode_key

#: Version of the wire form.
VERSION: Final = b"\x01"
#: Length of a key id in bytes.
KEY_ID_BYTES: Final = 4
#: Length of a session salt in bytes.
SALT_BYTES: Final = 16
#: Length of a nonce in bytes, as GCM likes it.
NONCE_BYTES: Final = 12
#: Length of a fingerprint in bytes.
FINGERPRINT_BYTES: Final = 16
#: Bytes that sealing adds to a message.
OVERHEAD_BYTES: Final = 1 + KEY_ID_BYTES + SALT_BYTES + NONCE_BYTES + 16
#: Derived keys that a receiver keeps: one per process that seals, so far more than a pool has.
MAX_DERIVED_KEYS: Final = 1024
#: Messages under one session key; NIST SP 800-38D stops at 2**32.
MAX_SESSION_MESSAGES: Final = 2**32

_SALT_START = 1 + KEY_ID_BYTES
_NONCE_START = _SALT_START + SALT_BYTES
_BODY_START = _NONCE_START + NONCE_BYTES


class _ForkCount:
    """How many forks lie between the first process and this one."""

    value = 0

    @classmethod
    def increase(cls) -> None:
        cls.value += 1


# A counter of forks instead of a comparison of process ids: A seals and ends, its child B forks C, and C gets A's id.
# With ids, C would go on with the session that it inherited from A and repeat A's nonces.
os.register_at_fork(after_in_child=_ForkCount.increase)


class _Session(NamedTuple):
    """A session key of this process with its counter."""

    fork_count: int
    header: bytes
    cipher: AESGCM
    # `next` on it is one step under the interpreter lock: two threads never get the same number.
    counter: "itertools.count[int]"


class Seal:
    """Seals and unseals with the keys of one installation; for several threads at once, and after a fork."""

    def __init__(self, keys: Iterable[bytes], *, max_session_messages: int = MAX_SESSION_MESSAGES) -> None:
        """Take the keys themselves (32 bytes each); the first seals, all open."""
        self._keys = {_key_id(key): key for key in keys}
        if not self._keys:
            raise SettingsError("key", "there is no key to seal with", allowed="at least one key")
        self._sealing_key = next(iter(self._keys.values()))
        self._max_session_messages = max_session_messages
        # lru_cache is thread-safe; two threads may derive the same key twice, which is harmless.
        self._opener = lru_cache(maxsize=MAX_DERIVED_KEYS)(self._derive_opener)
        self._fingerprint_keys: dict[bytes, bytes] = {}
        self._session = self._new_session()

    @classmethod
    def from_keys(cls, key_texts: Iterable[str]) -> "Seal":
        """Read keys from texts, each of which may hold several.

        Raises:
            SettingsError: a text holds no key, or something that is not a key.
        """
        return cls([key for text in key_texts for key in decode_keys(text)])

    def __repr__(self) -> str:
        return f"Seal(keys={len(self._keys)})"

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Return the data sealed for one place.

        Args:
            data: what to hide.
            context: where the message will lie (see `keys.py`); it opens nowhere else.
        """
        session = self._session
        number = next(session.counter)
        if session.fork_count != _ForkCount.value or number >= self._max_session_messages:
            # Two threads may both arrive here and make a session each. Both sessions are good, as each has
            # its own salt; no lock is needed, and so none can be held while somebody forks.
            self._session = session = self._new_session()
            number = next(session.counter)
        nonce = number.to_bytes(NONCE_BYTES, "big")
        return b"".join((session.header, nonce, session.cipher.encrypt(nonce, data, context)))

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed for this context.

        Raises:
            SealError: the message is cut off, of another version, changed, sealed for another place, or with a key
                that is not ours.
        """
        if len(sealed) < OVERHEAD_BYTES:
            raise SealError("the message is too short to be a sealed one")
        if sealed[:1] != VERSION:
            raise SealError("the message is not sealed, or by another version of lualoft")
        cipher = self._opener(sealed[1:_SALT_START], sealed[_SALT_START:_NONCE_START])
        nonce = sealed[_NONCE_START:_BODY_START]
        try:
            return cipher.decrypt(nonce, sealed[_BODY_START:], context)
        except InvalidTag:
            # `from None`: InvalidTag says nothing, and its traceback shows only the library's insides.
            raise SealError("the message was changed, or sealed for another place") from None

    def fingerprint(self, purpose: bytes, data: bytes) -> bytes:
        """Return a keyed hash that stands for the data where it must not be read: as part of a key in Redis.

        It is the same on every side with the same first key, and says nothing to anybody else.
        """
        if purpose not in self._fingerprint_keys:
            hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"lualoft fingerprint v1\0" + purpose)
            self._fingerprint_keys[purpose] = hkdf.derive(self._sealing_key)
        return hmac.digest(self._fingerprint_keys[purpose], data, "sha256")[:FINGERPRINT_BYTES]

    def _new_session(self) -> _Session:
        salt = os.urandom(SALT_BYTES)
        return _Session(
            fork_count=_ForkCount.value,
            header=VERSION + _key_id(self._sealing_key) + salt,
            cipher=_session_cipher(self._sealing_key, salt),
            counter=itertools.count(),
        )

    def _derive_opener(self, key_id: bytes, salt: bytes) -> AESGCM:
        key = self._keys.get(key_id)
        if key is None:
            raise SealError("the message is sealed with a key that is not ours")
        return _session_cipher(key, salt)


def message_number(sealed: bytes) -> tuple[bytes, int]:
    """Return (session, number) of a sealed message: no two messages ever have the same.

    Args:
        sealed: a message that was unsealed; of any other this says nothing.
    """
    return sealed[_SALT_START:_NONCE_START], int.from_bytes(sealed[_NONCE_START:_BODY_START], "big")


def generate_key() -> str:
    """Return a new random key as text, as it is put into settings."""
    return encode_key(os.urandom(KEY_BYTES))


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"lualoft key id\0" + key).digest()[:KEY_ID_BYTES]


def _session_cipher(key: bytes, salt: bytes) -> AESGCM:
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"lualoft seal v1")
    return AESGCM(hkdf.derive(key))
