"""Iteration on Redis: over the keyspace by SCAN, or over the index.

The redis driver makes one per iteration. Both give every name that exists throughout exactly once, in bounded memory,
in commands that take the server well below a millisecond. Over the keyspace that costs a walk through the whole
database whatever the beginning; over the index it costs what is found.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final

from dispatcher.protocol.raw_connection import ReplyError
from workers.dict.commit_script import load_script
from workers.dict.error import DictIterationError
from workers.dict.redis_route import RedisRoute
from workers.dict.redis_wire import WireError
from workers.dict.reply_shape import UNEXPECTED, is_page, is_words
from workers.dict.resp import get, packed
from workers.dict.result import Row
from workers.dict.seen_names import SeenNames

#: Entries that one SCAN looks at, and names that one page of the index has.
PAGE_NAMES: Final = 500
#: Times that a walk begins anew because the connection broke.
MAX_RESTARTS: Final = 5
#: Values are fetched in groups of about this many bytes.
_GROUP_BYTES: Final = 512 * 1024
_FIRST_GROUP: Final = 32

_GLOB_SPECIAL = re.compile(rb"([*?\[\]\\])")


class _Scan(ABC):
    """What both ways share: asking, and the values behind names."""

    def __init__(self, route: RedisRoute) -> None:
        self._route = route
        #: Where the names at hand come from.
        self._wire = route.wire_of(b"")
        self._group_size = _FIRST_GROUP
        #: First thing that went wrong with a single name; raised after the last row.
        self._problem = ""

    async def pages(
        self, beginning: bytes, *, is_recursive: bool, wants_values: bool
    ) -> AsyncGenerator[list[Row], None]:
        """Yield pages of rows; see `Driver.scan`."""
        try:
            async with aclosing(self._names(beginning, is_recursive=is_recursive)) as name_pages:
                async for names in name_pages:
                    start = 0
                    while start < len(names):
                        group = names[start : start + self._group_size]
                        start += len(group)
                        yield await (self._rows(group) if wants_values else self._bare_rows(group))
        except WireError as exc:
            text = f"redis: Iteration timed out in {exc.waited_s:.3f} secs" if exc.is_timeout else str(exc)
            raise DictIterationError(text) from exc
        if self._problem:
            raise DictIterationError(self._problem)

    @abstractmethod
    def _names(self, beginning: bytes, *, is_recursive: bool) -> AsyncGenerator[list[bytes], None]:
        """Yield lists of names, each name once."""

    @abstractmethod
    async def _note_missing(self, names: list[bytes]) -> None:
        """Names that were found and do not exist any more."""

    async def _ask(self, command: bytes) -> Any:  # noqa: ANN401 - a reply of Redis
        reply = await self._wire.ask(command)
        if isinstance(reply, ReplyError):
            raise DictIterationError(f"redis: Communication failure (last reply: -{reply.line})")
        return reply

    async def _rows(self, names: list[bytes]) -> list[Row]:
        replies = await self._again([get(name) for name in names])
        size_bytes = sum(len(reply) for reply in replies if isinstance(reply, bytes))
        # Large values come in smaller groups, so that memory stays bounded.
        self._group_size = min(PAGE_NAMES, self._group_size * 2) if size_bytes < _GROUP_BYTES else self._group_size // 2
        self._group_size = max(1, self._group_size)
        rows, missing = [], []
        for name, reply in zip(names, replies, strict=True):
            if isinstance(reply, bytes):
                rows.append(Row(name, (reply,)))
            elif reply is None:
                missing.append(name)
            elif not isinstance(reply, ReplyError):
                self._problem = self._problem or UNEXPECTED
            elif values := await self._list_values(name, reply):
                rows.append(Row(name, values))
        await self._note_missing(missing)
        return rows

    async def _bare_rows(self, names: list[bytes]) -> list[Row]:
        self._group_size = PAGE_NAMES
        replies = await self._again([packed(b"EXISTS", name) for name in names])
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise DictIterationError(f"redis: Communication failure (last reply: -{reply.line})")
        await self._note_missing([name for name, reply in zip(names, replies, strict=True) if reply == 0])
        return [Row(name, ()) for name, reply in zip(names, replies, strict=True) if reply != 0]

    async def _list_values(self, name: bytes, error: ReplyError) -> tuple[bytes, ...]:
        """Return the values of a list; nothing, and a note of the problem, if it is none."""
        command = packed(b"LRANGE", name, b"0", b"-1")
        values = await self._route.ask(name, command) if error.code == "WRONGTYPE" else error
        if isinstance(values, ReplyError):
            self._problem = self._problem or f"redis: Communication failure (last reply: -{error.line})"
            return ()
        if not is_words(values):
            self._problem = self._problem or UNEXPECTED
            return ()
        return tuple(values)

    async def _again(self, commands: list[bytes]) -> list[Any]:
        """Ask something that may be asked twice."""
        try:
            return await self._route.ask_here(self._wire, commands)
        except WireError as exc:
            if exc.is_timeout or not exc.was_sent:
                raise
            return await self._route.ask_here(self._wire, commands)


class KeyspaceScan(_Scan):
    """Walks through the whole database."""

    def __init__(self, route: RedisRoute, reserved: bytes) -> None:
        """Set up; names that begin with `reserved` are lualoft's own."""
        super().__init__(route)
        self._reserved = reserved

    async def _names(self, beginning: bytes, *, is_recursive: bool) -> AsyncGenerator[list[bytes], None]:
        pattern = _GLOB_SPECIAL.sub(rb"\\\1", beginning) + b"*"
        seen = SeenNames()
        try:
            for wire in await self._route.primaries():
                self._wire = wire
                async with aclosing(self._walk(pattern)) as pages:
                    async for found in pages:
                        names = [name for name in found if self._is_wanted(name, beginning, is_recursive=is_recursive)]
                        yield await asyncio.to_thread(seen.new_of, names) if seen.is_on_disk else seen.new_of(names)
        finally:
            seen.close()

    def _is_wanted(self, name: bytes, beginning: bytes, *, is_recursive: bool) -> bool:
        if not is_recursive and name.find(b"/", len(beginning)) >= 0:
            return False
        return not name.startswith(self._reserved)

    async def _walk(self, pattern: bytes) -> AsyncGenerator[list[bytes], None]:
        cursor, epoch, restart_count = b"0", 0, 0
        while True:
            try:
                page = await self._ask(packed(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % PAGE_NAMES))
            except WireError as exc:
                restart_count += 1
                if exc.is_timeout or not exc.was_sent or restart_count > MAX_RESTARTS:
                    raise
                cursor = b"0"
                continue
            if not is_page(page):
                raise DictIterationError(UNEXPECTED)
            cursor_then, (cursor, names) = cursor, page
            yield names
            # A new connection may lead to another server, to which this cursor means something else: from the start
            # then. What came before is remembered, so nothing comes twice.
            if cursor_then != b"0" and self._wire.epoch != epoch:
                restart_count += 1
                if restart_count > MAX_RESTARTS:
                    raise DictIterationError("redis: Iteration was interrupted too often")
                cursor, epoch = b"0", self._wire.epoch
                continue
            epoch = self._wire.epoch
            if cursor == b"0":
                return

    async def _note_missing(self, names: list[bytes]) -> None:
        """Nothing to do: they went while the walk was on."""


class IndexScan(_Scan):
    """Pages through the sorted set that commits keep beside the data."""

    def __init__(self, route: RedisRoute, index: bytes, prefix_length: int) -> None:
        super().__init__(route)
        self._wire = route.wire_of(index)
        self._index = index
        self._prefix_length = prefix_length
        self._prune_script = load_script("prune.lua")

    async def _names(self, beginning: bytes, *, is_recursive: bool) -> AsyncGenerator[list[bytes], None]:
        prefix, member_beginning = beginning[: self._prefix_length], beginning[self._prefix_length :]
        low, high = b"[" + member_beginning, _end_of(member_beginning)
        while True:
            # The next page begins behind the last member, so it does not matter who answers.
            members = await self._page(low, high)
            if not members:
                return
            low = b"(" + members[-1]
            if not is_recursive:
                cut = len(member_beginning)
                below = members[-1].find(b"/", cut)
                if below >= 0:
                    # Past everything below this one: "0" is what comes after "/".
                    low = b"[" + members[-1][:below] + b"0"
                members = [member for member in members if member.find(b"/", cut) < 0]
            yield [prefix + member for member in members]

    async def _page(self, low: bytes, high: bytes) -> list[bytes]:
        words = (b"ZRANGEBYLEX", self._index, low, high, b"LIMIT", b"0", b"%d" % PAGE_NAMES)
        (reply,) = await self._again([packed(*words)])
        if isinstance(reply, ReplyError):
            raise DictIterationError(f"redis: Communication failure (last reply: -{reply.line})")
        if not is_words(reply):
            raise DictIterationError(UNEXPECTED)
        return reply

    async def _note_missing(self, names: list[bytes]) -> None:
        if not names:
            return
        keys, words = [self._index, *names], [b"%d" % self._prefix_length]
        # Only tidying: what stays in the index is found missing again next time.
        with suppress(WireError):
            await self._route.ask(self._index, self._prune_script.call(keys, words, is_known=False))


def _end_of(beginning: bytes) -> bytes:
    """Return the bound above all members with this beginning."""
    kept = beginning.rstrip(b"\xff")
    return b"(" + kept[:-1] + bytes([kept[-1] + 1]) if kept else b"+"
