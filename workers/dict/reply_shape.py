"""Whether a reply of Redis has the form that its command promises: what calls itself a server may say anything.

The redis driver and its scans ask it before they believe a reply. Pure.
"""

from typing import Any, Final, TypeGuard

#: Said of a reply of another form.
UNEXPECTED: Final = "redis: Unexpected input: an answer of another form than the command has"


def is_words(reply: Any) -> TypeGuard[list[bytes]]:  # noqa: ANN401 - a reply of Redis
    """Tell whether it is a list of strings."""
    return isinstance(reply, list) and all(isinstance(word, bytes) for word in reply)


def is_page(reply: Any) -> TypeGuard[tuple[bytes, list[bytes]]]:  # noqa: ANN401 - a reply of Redis
    """Tell whether it is a cursor with some names, as SCAN gives it."""
    return isinstance(reply, list) and len(reply) == 2 and isinstance(reply[0], bytes) and is_words(reply[1])  # noqa: PLR2004
