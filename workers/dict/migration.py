r"""Copies a dict into another one, from Dovecot's layout into the tagged one for example.

`lualoft dict migrate` runs it. Names become keys again here: in the tagged layout they say themselves whose they are;
in Dovecot's `u/x` may be `shared/u/x` or the `priv/x` of user `u`, so whoever migrates names the users.
"""

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from workers.dict.dictionary import Dictionary
from workers.dict.error import DictError
from workers.dict.layout import DovecotLayout
from workers.dict.result import ResultKind, Row

_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_MEANINGS: Final = {b"-": b"/", b"\\": b"\\", b")": b"}"}


class OwnedKey(NamedTuple):
    """A key and whose it is; nobody's if it is shared."""

    key: bytes
    username: bytes


class Names(Protocol):
    """How names behind the prefix become keys again."""

    def key_of(self, rest: bytes) -> OwnedKey:
        """Return the key of a name without its prefix."""


class DovecotNames:
    """Dovecot's layout, with the users whose keys are private."""

    def __init__(self, users: Iterable[bytes]) -> None:
        """Take the users.

        Raises:
            DictError: two of them have the same names in the database, so nobody can tell whose keys are whose.
        """
        layout = DovecotLayout(b"")
        self._users: dict[bytes, bytes] = {}
        for user in users:
            component = layout.name_of(b"priv/", user)
            if self._users.setdefault(component, user) != user:
                raise DictError(
                    f"the users {user!r} and {self._users[component]!r} share their keys in Dovecot's layout"
                )

    def key_of(self, rest: bytes) -> OwnedKey:
        """Return the key of a name without its prefix."""
        component, slash, inner = rest.partition(b"/")
        user = self._users.get(component + slash) if slash else None
        return OwnedKey(b"shared/" + rest, b"") if user is None else OwnedKey(b"priv/" + inner, user)


class TaggedNames:
    """The tagged layout."""

    def key_of(self, rest: bytes) -> OwnedKey:
        """Return the key of a name without its prefix.

        Raises:
            DictError: it is no name of this layout.
        """
        if rest.startswith(b"s/"):
            return OwnedKey(b"shared/" + rest[2:], b"")
        component, brace, inner = rest.removeprefix(b"p/{").partition(b"}/")
        if not rest.startswith(b"p/{") or not brace:
            raise DictError(f"{rest!r} is no name of the tagged layout")
        return OwnedKey(b"priv/" + inner, _ESCAPED.sub(lambda found: _MEANINGS.get(found[1], found[0]), component))


class _Item(NamedTuple):
    """What is written together has the same user and the same expiry."""

    username: bytes
    expire_s: int
    key: bytes
    value: bytes


async def copy(
    source: Dictionary, prefix: bytes, names: Names, target: Dictionary, *, skipped: bytes | None = None
) -> AsyncGenerator[int, None]:
    """Copy all rows with what is left of their time; yields how many so far.

    Args:
        source: the dict to read.
        prefix: its prefix.
        names: how its names become keys.
        target: the dict to write.
        skipped: names that begin so are the target's own.

    Raises:
        DictError: a row cannot be read or written; the message says how far it came.
    """
    count = 0
    scan = source.driver.scan(prefix, is_recursive=True, wants_values=True)
    async with aclosing(scan) as pages:
        async for page in pages:
            rows = [row for row in page if skipped is None or not row.key.startswith(skipped)]
            await _write(target, await _items(source, len(prefix), names, rows), count)
            count += len(rows)
            yield count


async def _items(source: Dictionary, cut: int, names: Names, rows: list[Row]) -> list[_Item]:
    items = []
    remaining_s = await source.driver.remaining_s([row.key for row in rows])
    for row, expire_s in zip(rows, remaining_s, strict=True):
        key, username = names.key_of(row.key[cut:])
        if len(row.values) != 1:
            raise DictError(f"{row.key!r} is a list, which a dict cannot write; remove it first")
        items.append(_Item(username, expire_s, key, row.values[0]))
    return sorted(items)


async def _write(target: Dictionary, items: list[_Item], count: int) -> None:
    for (username, expire_s), group in groupby(items, key=attrgetter("username", "expire_s")):
        transaction = target.begin(username, expire_s)
        for item in group:
            transaction.set(item.key, item.value)
        result = await transaction.commit()
        if result.kind is not ResultKind.OK:
            raise DictError(f"stopped after about {count} rows: {result.error}")
