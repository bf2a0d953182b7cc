"""How fields are written: the suffixes of their names, and the lists that `passdb_import` and `userdb_import` hold.

passdb_fields and userdb_fields read them; what a field does is their business.

Mirrors: auth_request_set_field and auth_request_passdb_import of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

#: How often an import may contain another one.
MAX_IMPORTS: Final = 16

_ESCAPED: Final = re.compile(rb"\x01(.?)", re.DOTALL)
_MEANINGS: Final = {b"0": b"\0", b"1": b"\1", b"t": b"\t", b"r": b"\r", b"n": b"\n"}


class Suffix(Enum):
    """What the end of a name asks for."""

    NONE = b""
    #: Set the field only if it is not set yet; 2.3 calls it `protected`.
    DEFAULT = b":default"
    REMOVE = b":remove"


_SUFFIXES: Final = {
    False: {b":default": Suffix.DEFAULT, b":remove": Suffix.REMOVE},
    True: {b":protected": Suffix.DEFAULT, b":remove": Suffix.REMOVE},
}


def split_suffix(name: bytes, *, is_legacy: bool) -> tuple[Suffix, bytes]:
    """Take a suffix off a name; a name that is nothing else keeps it."""
    # Most names have none.
    if b":" in name:
        for ending, suffix in _SUFFIXES[is_legacy].items():
            if name.endswith(ending) and name != ending:
                return suffix, name.removesuffix(ending)
    return Suffix.NONE, name


def split_import(text: bytes, *, is_legacy: bool) -> list[bytes]:
    """Split a list at its tabs. 2.4 undoes escapes, and each part ends at its first NUL; 2.3 knows no escapes."""
    parts = text.split(b"\t")
    return parts if is_legacy else [_unescaped(part).partition(b"\0")[0] for part in parts]


def _unescaped(part: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: _MEANINGS.get(found[1], found[1]), part)
