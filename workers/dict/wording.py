"""The sentences about keys that both drivers say, in one place, and how a name is shown in them."""

from typing import Final

from workers.dict.result import Result, ResultKind

#: A key that was looked up inside a transaction has another value at its commit.
CHANGED: Final = "Key {name} has changed since it was looked up"
#: A value that is to be incremented.
NOT_INTEGER: Final = "Value of key {name} is not an integer or would be out of range"

#: Bytes of a name that are shown.
_MAX_SHOWN_BYTES: Final = 200


def name_text(name: bytes) -> str:
    """Return a name as text that is fit for a log: escapes for what is no printable UTF-8, and not too long."""
    shown = name[:_MAX_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)
    return shown + ("…" if len(name) > _MAX_SHOWN_BYTES else "")


def not_found(name: bytes) -> Result:
    """Make the result of a commit that was to increment a missing key."""
    return Result(ResultKind.NOT_FOUND, error=f"Key {name_text(name)} does not exist")
