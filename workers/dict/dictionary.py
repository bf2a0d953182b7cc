"""A dict by its name: lookups, iterations and transactions with dict keys, whatever the driver and the layout.

The Lua binding and the command line hold one per `[dicts.NAME]`. It checks keys, turns them into names and back, and
leaves the rest to the driver. Every method belongs to the event loop that first used it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass

from workers.dict.driver import Driver
from workers.dict.error import DictIterationError
from workers.dict.iterate_flags import IterateFlag, is_exact, matches
from workers.dict.key import check_key
from workers.dict.layout import Layout
from workers.dict.result import Result, ResultKind, Row
from workers.dict.sorted_rows import SortedRows
from workers.dict.transaction import Transaction, check_expire


@dataclass(frozen=True, kw_only=True)
class DictOptions:
    """What holds for all transactions of a dict."""

    #: Expiry of a transaction without its own, in seconds; 0: none.
    expire_s: int = 0
    #: Largest value that can be set.
    max_value_bytes: int = 16 * 1024 * 1024


class Dictionary:
    """One dict."""

    def __init__(self, driver: Driver, layout: Layout, options: DictOptions) -> None:
        self._driver = driver
        self._layout = layout
        self._options = options

    async def lookup(self, key: bytes, username: bytes = b"") -> Result:
        """Return the value under a key, or the several values of a list.

        Raises:
            DictKeyError: the key breaks the rules.
        """
        check_key(key, username)
        return await self._driver.lookup(self._layout.name_of(key, username))

    async def lookup_many(self, keys: Sequence[bytes], username: bytes = b"") -> list[Result]:
        """Look several keys up at once; raises as `lookup` does, before anything is asked.

        **Redis**: one round trip, not atomic.
        """
        for key in keys:
            check_key(key, username)
        names = [self._layout.name_of(key, username) for key in keys]
        return list(await asyncio.gather(*(self._driver.lookup(name) for name in names)))

    async def iterate(
        self, paths: Sequence[bytes], flags: int = 0, username: bytes = b"", *, max_rows: int = 0
    ) -> AsyncGenerator[Row, None]:
        """Yield the rows below some paths, each once; arguments and errors as `pages`."""
        async with aclosing(self.pages(paths, flags, username, max_rows=max_rows)) as pages:
            async for page in pages:
                for row in page:
                    yield row

    async def pages(
        self, paths: Sequence[bytes], flags: int = 0, username: bytes = b"", *, max_rows: int = 0
    ) -> AsyncGenerator[list[Row], None]:
        """Yield lists of the rows below some paths, in bounded memory.

        Args:
            paths: beginnings of keys.
            flags: IterateFlag values together.
            username: whose private keys.
            max_rows: end after so many; 0: no limit.

        Raises:
            DictKeyError: a path breaks the rules.
            DictIterationError: it cannot go on; the rows so far were right.
        """
        for path in paths:
            check_key(path, username)
        left_count = max_rows
        async with aclosing(self._in_order(paths, flags, username)) as pages:
            async for page in pages:
                rows = page[:left_count] if max_rows else page
                left_count -= len(rows)
                if rows:
                    yield rows
                if max_rows and not left_count:
                    return

    def begin(self, username: bytes = b"", expire_s: int = 0, *, is_watching: bool = False) -> Transaction:
        """Begin a transaction.

        Args:
            username: whose private keys it changes.
            expire_s: seconds after which its keys disappear; 0: as the settings say.
            is_watching: fail the commit if a key that the transaction looked up has changed since.

        Raises:
            DictError: the expiry is out of range.
        """
        check_expire(expire_s)
        expire_s = expire_s or self._options.expire_s
        limit_bytes = self._options.max_value_bytes
        return Transaction(self._driver, self._layout, username, expire_s, limit_bytes, is_watching=is_watching)

    @property
    def driver(self) -> Driver:
        """What it rests on; for work on names instead of keys."""
        return self._driver

    @property
    def layout(self) -> Layout:
        """How its keys become names."""
        return self._layout

    async def remove_expired(self) -> None:
        """Forget what has expired, where the server does not do it by itself."""
        await self._driver.remove_expired()

    async def close(self) -> None:
        """Give everything back; a second time does nothing."""
        await self._driver.close()

    async def _in_order(self, paths: Sequence[bytes], flags: int, username: bytes) -> AsyncGenerator[list[Row], None]:
        is_by_value = bool(flags & IterateFlag.SORT_BY_VALUE)
        is_by_key = bool(flags & IterateFlag.SORT_BY_KEY) and not (self._driver.is_ordered and len(paths) == 1)
        if not (is_by_value or is_by_key):
            async with aclosing(self._union(paths, flags, username)) as pages:
                async for page in pages:
                    yield page
            return
        # Values are needed to sort by them, even if nobody wants to see them.
        wants_values = not flags & IterateFlag.NO_VALUE
        with closing(SortedRows(is_by_value=is_by_value, wants_values=wants_values)) as rows:
            async with aclosing(self._union(paths, flags & ~IterateFlag.NO_VALUE, username)) as pages:
                async for page in pages:
                    await asyncio.to_thread(rows.add, page)
            while page := await asyncio.to_thread(rows.next_page):
                yield page

    async def _union(self, paths: Sequence[bytes], flags: int, username: bytes) -> AsyncGenerator[list[Row], None]:
        for index, path in enumerate(paths):
            earlier = paths[:index]
            async with aclosing(self._below(path, flags, username)) as pages:
                async for page in pages:
                    # A row that an earlier path gave is not given again.
                    yield [row for row in page if not any(matches(row.key, other, flags) for other in earlier)]

    async def _below(self, path: bytes, flags: int, username: bytes) -> AsyncGenerator[list[Row], None]:
        if is_exact(flags):
            yield await self._exactly(path, flags, username)
            return
        beginning = self._layout.name_of(path, username)
        scan = self._driver.scan(
            beginning,
            is_recursive=bool(flags & IterateFlag.RECURSE),
            wants_values=not flags & IterateFlag.NO_VALUE,
        )
        cut = len(beginning)
        async with aclosing(scan) as pages:
            async for page in pages:
                yield [Row(path + row.key[cut:], row.values) for row in page]

    async def _exactly(self, path: bytes, flags: int, username: bytes) -> list[Row]:
        result = await self._driver.lookup(self._layout.name_of(path, username))
        if result.kind is ResultKind.FAILED:
            raise DictIterationError(result.error)
        if result.kind is ResultKind.NOT_FOUND:
            return []
        return [Row(path, () if flags & IterateFlag.NO_VALUE else result.values)]
