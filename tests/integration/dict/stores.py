"""Makes dicts on both drivers and in both layouts for the tests of the store."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dispatcher.protocol.connection import connect_async
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from workers.dict.dictionary import Dictionary, DictOptions
from workers.dict.layout import LAYOUTS
from workers.dict.memory_driver import MemoryDriver
from workers.dict.redis_driver import RedisDriver, RedisOptions

_prefix_numbers = itertools.count(1)


@dataclass(frozen=True)
class Kind:
    """One way to build a dict."""

    driver: str
    layout: str
    has_index: bool = False

    def __str__(self) -> str:
        return f"{self.driver}-{self.layout}" + ("-index" if self.has_index else "")


KINDS = [
    *(Kind("redis", layout, has_index) for layout in LAYOUTS for has_index in (False, True)),
    *(Kind("memory", layout) for layout in LAYOUTS),
]


class Store:
    """A dict with a prefix of its own, and what somebody else does to its database."""

    def __init__(
        self, kind: Kind, redis_url: str, *, prefix: bytes = b"", timeout_s: float = 5.0, **options: Any
    ) -> None:
        self.kind = kind
        self.prefix = prefix or b"t%d:" % next(_prefix_numbers)
        self.layout = LAYOUTS[kind.layout](self.prefix)
        self._settings = RedisSettings(url=Secret(redis_url))
        if kind.driver == "redis":
            redis_options = RedisOptions(prefix=self.prefix, has_index=kind.has_index, timeout_s=timeout_s)
            self.driver: Any = RedisDriver(self._settings, redis_options)
        else:
            self.driver = MemoryDriver()
        self.dict = Dictionary(self.driver, self.layout, DictOptions(**options))

    def name(self, key: bytes, username: bytes = b"") -> bytes:
        return self.layout.name_of(key, username)

    async def put_list(self, key: bytes, values: tuple[bytes, ...]) -> None:
        if self.kind.driver == "memory":
            self.driver.put_list(self.name(key), values)
        else:
            await self.command("RPUSH", self.name(key), *values)

    async def command(self, *words: Any) -> Any:
        async with connect_async(self._settings) as client:
            return await client.execute_command(*words)

    async def write(self, *items: tuple[bytes, bytes], username: bytes = b"") -> None:
        transaction = self.dict.begin(username)
        for key, value in items:
            transaction.set(key, value)
        result = await transaction.commit()
        assert "ok" == result.kind

    async def rows(
        self, *paths: bytes, flags: int = 0, username: bytes = b"", max_rows: int = 0
    ) -> list[tuple[Any, ...]]:
        rows = self.dict.iterate(paths, flags, username, max_rows=max_rows)
        return [(row.key, *row.values) async for row in rows]


def run(kind: Kind, redis_url: str, test: Callable[[Store], Any], **options: Any) -> Any:
    """Run a test on an event loop of its own, with a dict that is closed at the end."""

    async def whole() -> Any:
        store = Store(kind, redis_url, **options)
        try:
            return await test(store)
        finally:
            await store.dict.close()

    return asyncio.run(whole())
