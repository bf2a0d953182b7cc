"""One iteration that a script has begun: pages of rows, fetched when a step needs them.

`operations` holds them by number, on the operations' loop. At most one fetch runs at a time, as its call waits for it.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from workers.dict.error import DictError
from workers.dict.result import Row

#: Rows that travel to Lua at once: enough to make the way there cheap, few enough to begin soon.
_PAGE_ROWS: Final = 500


@dataclass(frozen=True)
class Page:
    """Some rows, and whether that was all."""

    rows: list[Row]
    is_last: bool
    #: Why the iteration ends behind these rows; empty: it is at its end, or goes on.
    problem: str = ""


class Iterator:
    """The pages of a dict's iteration, gathered into larger ones."""

    def __init__(self, pages: AsyncGenerator[list[Row], None]) -> None:
        self._pages = pages
        self._fetching: asyncio.Task[object] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def next_page(self) -> Page:
        """Fetch the next page; at least one row, or it is the last."""
        self._fetching = asyncio.current_task()
        rows: list[Row] = []
        try:
            async for page in self._pages:
                rows += page
                if len(rows) >= _PAGE_ROWS:
                    return Page(rows, is_last=False)
        except DictError as exc:
            return Page(rows, is_last=True, problem=str(exc))
        finally:
            self._fetching = None
        return Page(rows, is_last=True)

    def close_soon(self) -> None:
        """Have it closed; a fetch that runs is cancelled first."""
        self._closing = asyncio.get_running_loop().create_task(self.close())

    async def close(self) -> None:
        """Close it, with its temporary file."""
        fetching = self._fetching
        if fetching is not None and fetching is not asyncio.current_task():
            # A generator that runs cannot be closed; cancelling its task ends both.
            fetching.cancel()
            await asyncio.wait([fetching])
        await self._pages.aclose()
