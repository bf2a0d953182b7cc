"""The rules for dict keys: which are valid and what they need.

Checked before any driver is asked, for lookups, paths and changes alike. Mirrors dict_key_prefix_is_valid (2.3, 2.4);
the limit and the NUL are ours: Dovecot cannot even express a key with a NUL.
"""

from typing import Final

from workers.dict.error import DictKeyError

#: In front of the keys that all users share.
SHARED: Final = b"shared/"
#: In front of the keys that each user has for themselves.
PRIVATE: Final = b"priv/"

#: Longest key, path or user name, in bytes.
MAX_KEY_BYTES: Final = 1024 * 1024


def check_key(key: bytes, username: bytes) -> None:
    """Refuse a key or path that breaks the rules.

    Raises:
        DictKeyError: no valid prefix, a private key without a user, a NUL, or too long.
    """
    if key.startswith(PRIVATE):
        if not username:
            raise DictKeyError("priv/ dict key prefix requires username")
    elif not key.startswith(SHARED):
        raise DictKeyError("Invalid dict key prefix")
    if b"\0" in key or b"\0" in username:
        raise DictKeyError("Invalid dict key: it or the username holds a NUL")
    if len(key) > MAX_KEY_BYTES or len(username) > MAX_KEY_BYTES:
        raise DictKeyError(f"Invalid dict key: it or the username is longer than {MAX_KEY_BYTES} bytes")


def escape_component(text: bytes) -> bytes:
    r"""Escape a text for use between two slashes of a key: `/` becomes `\|`, `\` becomes `\\`.

    **Mirrors** dict_escape_string; like Dovecot, nothing here calls it by itself.
    """
    return text.replace(b"\\", b"\\\\").replace(b"/", b"\\|")
