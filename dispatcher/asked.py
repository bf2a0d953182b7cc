"""A dispatcher's books of the calls that it was asked for and that have no outcome yet.

An AsyncDispatcher's own: how many calls and bytes wait, which are allowed, what each needs on its way. No I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.protocol.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from dispatcher.coalescer import Pending, Slot
    from dispatcher.protocol.settings import DispatchSettings


class Asked:
    """A call that waits for its outcome."""

    __slots__ = ("bucket", "chunk_number", "future", "is_idempotent", "package", "pending", "queue", "slot")

    def __init__(
        self,
        future: asyncio.Future[Outcome],
        pending: Pending,
        package: tuple[bytes, bytes],
        queue: str,
        *,
        is_idempotent: bool,
    ) -> None:
        self.future = future
        self.pending = pending
        #: (package id, encoded package) of its script.
        self.package = package
        self.queue = queue
        self.is_idempotent = is_idempotent
        self.bucket = 0
        self.slot: Slot | None = None
        self.chunk_number = 0


class HeldCall:
    """A call that is made, with its deadline running, and not sent: somebody else's outcome may become its own."""

    __slots__ = ("_send", "future", "invocation_id")

    def __init__(self, invocation_id: int, future: asyncio.Future[Outcome], send: Callable[[], None]) -> None:
        self.invocation_id = invocation_id
        #: Done at once when the call is refused.
        self.future = future
        self._send: Callable[[], None] | None = send

    def send(self) -> None:
        """Let it go; a second time does nothing."""
        send, self._send = self._send, None
        if send is not None and not self.future.done():
            send()


class AskedCalls:
    """The calls without an outcome, by id, within the bounds of `[dispatch]`."""

    def __init__(self, settings: DispatchSettings) -> None:
        self._settings = settings
        self._calls: dict[int, Asked] = {}
        self._bytes = 0
        self.get = self._calls.get

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, call_id: int) -> bool:
        return call_id in self._calls

    def ids(self) -> list[int]:
        """Return the ids of all of them."""
        return list(self._calls)

    def ids_in_chunk(self, chunk_number: int) -> list[int]:
        """Return the ids of those that travelled in a chunk last."""
        return [call_id for call_id, asked in self._calls.items() if asked.chunk_number == chunk_number]

    def alive(self, chunk: Iterable[Pending]) -> list[tuple[Pending, Asked]]:
        """Return those of a chunk that still wait."""
        found = ((pending, self._calls.get(pending.invocation_id)) for pending in chunk)
        return [(pending, asked) for pending, asked in found if asked is not None]

    def add(self, asked: Asked) -> None:
        """Note a call down."""
        self._calls[asked.pending.invocation_id] = asked
        self._bytes += len(asked.pending.data)

    def take(self, call_id: int) -> Asked | None:
        """Strike a call out and return it; None: it has ended before."""
        asked = self._calls.pop(call_id, None)
        if asked is not None:
            self._bytes -= len(asked.pending.data)
        return asked

    def refusal(self, pending: Pending) -> Outcome | None:
        """Return why there is no room for one more call; None: there is."""
        limits = self._settings
        has_count = len(self._calls) < limits.max_pending_invocations
        if has_count and self._bytes + len(pending.data) <= limits.max_pending_bytes:
            return None
        error = (
            f"{len(self._calls)} invocations ({self._bytes} bytes) wait already; the limits are "
            f"dispatch.max_pending_invocations = {limits.max_pending_invocations} and "
            f"dispatch.max_pending_bytes = {limits.max_pending_bytes}"
        )
        return Outcome(pending.invocation_id, OutcomeKind.QUEUE_FULL, error=error)
