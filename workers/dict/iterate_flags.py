"""The flags of an iteration, and which keys they let through. Mirrors dict.h and the file driver (2.4)."""

from enum import IntFlag


class IterateFlag(IntFlag):
    """Dovecot's numbers; scripts see them as `dovecot.dict.ITERATE_FLAG_…`."""

    #: Keys below a further slash too.
    RECURSE = 1
    SORT_BY_KEY = 2
    SORT_BY_VALUE = 4
    #: Keys only: every row has no values.
    NO_VALUE = 8
    #: The row of exactly this key.
    EXACT_KEY = 16
    #: Without meaning here: nothing blocks.
    ASYNC = 32


def is_exact(flags: int) -> bool:
    """Tell whether only the path itself is meant; RECURSE beats EXACT_KEY."""
    return bool(flags & IterateFlag.EXACT_KEY and not flags & IterateFlag.RECURSE)


def matches(key: bytes, path: bytes, flags: int) -> bool:
    """Tell whether an iteration over a path gives a key: a textual prefix, without RECURSE no slash behind it."""
    if not key.startswith(path):
        return False
    if flags & IterateFlag.RECURSE:
        return True
    if flags & IterateFlag.EXACT_KEY:
        return len(key) == len(path)
    return key.find(b"/", len(path)) < 0
