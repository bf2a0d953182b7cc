"""The operations `dict_lookup`, `dict_iterate` and `dict_commit` (workers/api/dict*.lua), and what goes with them.

The catalogue of a worker holds one `DictOperations`. All of it runs on the operations' loop except `release`, which may
come from any thread. Nothing is raised into Lua: a failure is a code with its text. Keys and values are C strings here
as in Dovecot: they end at their first NUL.
"""

from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Final

from dispatcher.protocol.settings import DictSettings
from workers.dict.error import DictError
from workers.dict.factory import DictFactory
from workers.dict.result import Result, ResultKind
from workers.dict_binding.iterator import Iterator, Page
from workers.operations.loop_thread import LoopThread
from workers.operations.operation import Asynchronous, Operation, Results

# How a lookup ended; the numbers stand in workers/api/dict.lua too.
FOUND: Final = 1
MISSING: Final = 0
FAILED: Final = -1


class DictOperations:
    """The dicts of a worker and the iterations that scripts have begun."""

    def __init__(self, settings: Mapping[str, DictSettings], loop: LoopThread) -> None:
        """Set up; nothing is connected before it is used."""
        self._factory = DictFactory(settings)
        self._loop = loop
        self._numbers = count(1)
        self._iterators: dict[int, Iterator] = {}

    @property
    def operations(self) -> Mapping[bytes, Operation]:
        """Name -> operation, for the catalogue."""
        return {
            b"dict_lookup": Asynchronous(self.lookup),
            b"dict_iterate": Asynchronous(self.iterate),
            b"dict_commit": Asynchronous(self.commit),
        }

    @property
    def open_iterator_count(self) -> int:
        """Iterations that are begun and not given back."""
        return len(self._iterators)

    async def lookup(self, name: bytes, key: bytes, username: bytes) -> Results:
        """Return FOUND and the values, MISSING, or FAILED and a text."""
        try:
            result = await self._factory.get(name.decode()).lookup(key, username)
        except DictError as exc:
            return FAILED, str(exc).encode()
        if result.kind is ResultKind.OK:
            return FOUND, *map(c_string, result.values)
        return (MISSING,) if result.kind is ResultKind.NOT_FOUND else (FAILED, result.error.encode())

    async def iterate(self, number: int, name: bytes, path: bytes, flags: int, username: bytes) -> Results:
        """Return the number of the iterator (0: it is at its end), what went wrong or nothing, and a page of rows.

        Args:
            number: of an iterator that was returned; 0 begins one.
            name: the dict.
            path: beginning of the keys.
            flags: IterateFlag values together.
            username: whose private keys.
        """
        if number == 0:
            try:
                pages = self._factory.get(name.decode()).pages([path], flags, username)
            except DictError as exc:
                return 0, str(exc).encode(), []
            number = next(self._numbers)
            self._iterators[number] = Iterator(pages)
        try:
            page = await self._iterators[number].next_page()
        except BaseException:
            # Cancelled before the script knew its number: nobody would give it back.
            await self._forget(number)
            raise
        if page.is_last:
            await self._forget(number)
        return _page_results(0 if page.is_last else number, page)

    async def commit(self, name: bytes, username: bytes, expire_s: int, changes: list[bytes]) -> Results:
        """Return True, or False and a text.

        Args:
            name: the dict.
            username: whose private keys.
            expire_s: seconds until the keys disappear; 0: as the settings say.
            changes: "set", "unset" or "inc", key, value or difference, and so on.
        """
        try:
            transaction = self._factory.get(name.decode()).begin(username, int(expire_s))
            for place in range(0, len(changes), 3):
                kind, key, value = changes[place : place + 3]
                if kind == b"set":
                    transaction.set(key, value)
                elif kind == b"inc":
                    transaction.atomic_inc(key, int(value), is_creating=True)
                else:
                    transaction.unset(key)
            result = await transaction.commit()
        except DictError as exc:
            return False, str(exc).encode()
        return _commit_results(result)

    def release(self, number: int) -> None:
        """Give back an iterator that its script has left; from any thread."""
        self._loop.post(partial(self._release, number))

    async def close(self) -> None:
        """Give everything back."""
        for number in list(self._iterators):
            await self._forget(number)
        await self._factory.close()

    def _release(self, number: int) -> None:
        iterator = self._iterators.pop(number, None)
        if iterator is not None:
            iterator.close_soon()

    async def _forget(self, number: int) -> None:
        iterator = self._iterators.pop(number, None)
        if iterator is not None:
            await iterator.close()


def c_string(value: bytes) -> bytes:
    """Return what C code sees of a value: all before its first NUL."""
    return value.partition(b"\0")[0] if b"\0" in value else value


def _page_results(number: int, page: Page) -> Results:
    rows: list[bytes | int] = []
    for row in page.rows:
        rows += (c_string(row.key), len(row.values))
        rows += map(c_string, row.values)
    return number, page.problem.encode(), rows


def _commit_results(result: Result) -> Results:
    return (True,) if result.kind is ResultKind.OK else (False, result.error.encode())
