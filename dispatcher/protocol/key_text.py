"""The text form of sealing keys: `lk1_` and 32 bytes in URL-safe base64.

Used by sealing (to read keys) and by settings (to refuse a bad key where it came from).
Must never put a key, or a part of one, into an error.
"""

import base64
import binascii
import re
from typing import Final

from dispatcher.protocol.errors import SettingsError

#: Version mark in front of a key, so that a key is recognised wherever it turns up.
KEY_PREFIX: Final = "lk1_"
#: Length of a key in bytes: AES-256 and HKDF-SHA256 both take 32.
KEY_BYTES: Final = 32

_SEPARATORS = re.compile(r"[\s,]+")
_ALLOWED = "one or more keys as `lualoft keygen` prints them, separated by commas or white space"


def encode_key(key: bytes) -> str:
    """Return the text form of a key of `KEY_BYTES` bytes."""
    return KEY_PREFIX + base64.urlsafe_b64encode(key).rstrip(b"=").decode("ascii")


def decode_keys(text: str) -> list[bytes]:
    """Return the keys in a text, in their order and each once: the first seals, all open.

    Raises:
        SettingsError: the text holds no key, or something that is not a key.
    """
    words = [word for word in _SEPARATORS.split(text) if word]
    if not words:
        raise SettingsError("key", "there is no key in it", allowed=_ALLOWED)
    return list(dict.fromkeys(_decode(word, index) for index, word in enumerate(words, start=1)))


def _decode(word: str, position: int) -> bytes:
    payload = word.removeprefix(KEY_PREFIX)
    try:
        key = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    # The comparison refuses spellings that decode alike (stray bits in the last letter).
    if len(key) != KEY_BYTES or encode_key(key) != word:
        raise SettingsError("key", f"key number {position} is not a key", allowed=_ALLOWED)
    return key
