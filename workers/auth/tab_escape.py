"""Reads Dovecot's tab-separated, escaped lists: what `passdb_import` and `userdb_import` hold.

The field rules call it.

Mirrors: t_strsplit_tabescaped.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPED: Final = re.compile(rb"\x01(.?)", re.DOTALL)
_MEANINGS: Final = {b"0": b"\0", b"1": b"\1", b"t": b"\t", b"r": b"\r", b"n": b"\n"}


def split_tab_escaped(text: bytes) -> list[bytes]:
    """Split at tabs and undo the escapes; each part ends at its first NUL."""
    return [_unescaped(part).partition(b"\0")[0] for part in text.split(b"\t")]


def _unescaped(part: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: _MEANINGS.get(found[1], found[1]), part)
