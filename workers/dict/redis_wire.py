"""One pipelined connection to Redis: what many ask in one turn of the loop travels in one write.

The redis driver sends all commands through it. It connects when it is first needed and again when it broke, with
back-off. Replies come back in order, so when the oldest command is not answered in time, the connection is given up.
It sends nothing twice: whoever asked decides what a lost answer means.
"""

import asyncio
from collections import deque
from typing import Any, ClassVar, Final

from dispatcher.protocol.errors import EXIT_TEMPORARY, LualoftError, SettingsError
from dispatcher.protocol.raw_connection import ConnectionLostError, RawConnection, ReplyError
from dispatcher.protocol.settings import RedisSettings

#: First pause before connecting again; doubles up to `max_backoff_s` of the settings.
_BACKOFF_BASE_S: Final = 0.05
#: Pause before what is to end is told so again.
_CANCEL_AGAIN_S: Final = 0.1
#: Bytes of commands that are handed over in one write.
_WRITE_BYTES: Final = 1024 * 1024


class WireError(LualoftError):
    """A command without an answer."""

    exit_code: ClassVar[int] = EXIT_TEMPORARY

    def __init__(self, text: str, *, was_sent: bool, is_timeout: bool = False, waited_s: float = 0.0) -> None:
        """Say why, whether the command may have been carried out, and how long it was waited for if that was it."""
        super().__init__(text)
        self.was_sent = was_sent
        self.is_timeout = is_timeout
        self.waited_s = waited_s


class _Request:
    """Commands that belong together, and their answer."""

    __slots__ = ("asked_s", "commands", "future", "is_single", "replies", "reply_count")

    def __init__(self, commands: bytes, reply_count: int, asked_s: float, *, is_single: bool) -> None:
        self.commands = commands
        self.reply_count = reply_count
        self.asked_s = asked_s
        self.is_single = is_single
        self.replies: list[Any] = []
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def take(self, reply: object) -> bool:
        """Take the next reply; tell whether it was the last one."""
        if self.is_single:
            if not self.future.done():
                self.future.set_result(reply)
            return True
        self.replies.append(reply)
        if len(self.replies) < self.reply_count:
            return False
        if not self.future.done():
            self.future.set_result(self.replies)
        return True


class RedisWire:
    """The connection of one dict; belongs to one event loop."""

    def __init__(self, settings: RedisSettings, timeout_s: float) -> None:
        """Set up without connecting.

        Args:
            settings: where Redis is.
            timeout_s: longest wait for an answer, connecting included.
        """
        self._settings = settings
        self._timeout_s = timeout_s
        #: Not yet written.
        self._waiting: deque[_Request] = deque()
        #: Written, in the order of their replies.
        self._sent: deque[_Request] = deque()
        self._writable = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._backoff_s = 0.0
        #: The connection takes no more commands.
        self._is_ending = False
        self._is_closed = False
        #: Grows with every connection that was made.
        self.epoch = 0

    async def ask(self, command: bytes) -> Any:  # noqa: ANN401 - a reply of Redis
        """Send one command in wire format and return its reply; an error reply is returned, not raised.

        Raises:
            WireError: there is no answer.
        """
        return await self._enter(command, 1, is_single=True)

    async def ask_many(self, commands: list[bytes]) -> list[Any]:
        """Send several commands together and return their replies in order; errors as `ask`."""
        if not commands:
            return []
        replies: list[Any] = await self._enter(b"".join(commands), len(commands), is_single=False)
        return replies

    def renew(self) -> None:
        """Connect anew when what was sent is answered: this server is not the right one any more."""
        self._is_ending = True
        if not self._sent and self._reader is not None:
            self._reader.cancel()

    async def close(self) -> None:
        """Close the connection; who still waits gets a WireError."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        runner, self._runner = self._runner, None
        while runner is not None and not runner.done():
            runner.cancel()
            # More than once: redis-py loses a cancellation that meets an answer while it connects, and goes on.
            await asyncio.wait([runner], timeout=_CANCEL_AGAIN_S)
        self._fail_all("the dict was closed")

    def _enter(self, commands: bytes, reply_count: int, *, is_single: bool) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        request = _Request(commands, reply_count, loop.time(), is_single=is_single)
        if self._is_closed:
            request.future.set_exception(WireError("the dict was closed", was_sent=False))
            return request.future
        self._waiting.append(request)
        self._writable.set()
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        if self._timer is None:
            self._timer = loop.call_at(request.asked_s + self._timeout_s, self._check_time)
        return request.future

    async def _run(self) -> None:
        """Connect and serve, until nobody waits and there is no connection."""
        try:
            while self._waiting and not self._is_closed:
                connection = await self._connect()
                if connection is not None:
                    await self._serve(connection)
        finally:
            self._runner = None

    async def _connect(self) -> RawConnection | None:
        await asyncio.sleep(self._backoff_s)
        try:
            connection = await RawConnection.open(self._settings)
        except LualoftError as exc:
            # Whoever waits is told at once; who asks during the pause waits for the next attempt.
            self._backoff_s = min(max(self._backoff_s * 2, _BACKOFF_BASE_S), self._settings.max_backoff_s)
            # A refused password is said of `redis.url` there; here the address is the dict's own.
            reason = exc.problem if isinstance(exc, SettingsError) else str(exc)
            self._fail_waiting(f"connect() failed: {reason}")
            return None
        self._backoff_s = 0.0
        self.epoch += 1
        return connection

    async def _serve(self, connection: RawConnection) -> None:
        """Write and read until the connection breaks or an answer takes too long."""
        tasks = [asyncio.ensure_future(job) for job in (self._write(connection), self._read(connection))]
        self._reader = tasks[1]
        self._is_ending = False
        # What waited while there was no connection.
        self._writable.set()
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._reader = None
            for task in tasks:
                task.cancel()
            # Their errors say the same in other words: the connection broke.
            await asyncio.gather(*tasks, return_exceptions=True)
            await connection.close()
            self._fail_sent("connection lost")

    async def _write(self, connection: RawConnection) -> None:
        while True:
            await self._writable.wait()
            # One more turn of the loop, in which others may ask too.
            await asyncio.sleep(0)
            self._writable.clear()
            while self._waiting and not self._is_ending:
                await connection.write(self._take_batch())

    def _take_batch(self) -> list[bytes]:
        """Move requests from the waiting to the sent; after this they may have been carried out."""
        batch, size_bytes = [], 0
        while self._waiting and size_bytes < _WRITE_BYTES:
            request = self._waiting.popleft()
            # Nobody waits for it any more: its caller was cancelled.
            if request.future.done():
                continue
            self._sent.append(request)
            batch.append(request.commands)
            size_bytes += len(request.commands)
            request.commands = b""
        return batch

    async def _read(self, connection: RawConnection) -> None:
        try:
            while not self._is_ending or self._sent:
                try:
                    reply = await connection.read()
                except ReplyError as exc:
                    reply = exc
                if not self._sent:
                    raise ConnectionLostError("an answer that nobody asked for")
                if self._sent[0].take(reply):
                    self._sent.popleft()
        finally:
            # At once: the writer may have its turn before the connection is closed.
            self._is_ending = True

    def _check_time(self) -> None:
        """Give up what has waited too long; come again when the oldest would have."""
        self._timer = None
        loop = asyncio.get_running_loop()
        limit_s = loop.time() - self._timeout_s
        # Half a millisecond: a timer may come that early.
        if self._sent and self._sent[0].asked_s <= limit_s + 0.0005:
            # Later commands have no answer either, as answers come in order, and this one may still come: the
            # connection has to go.
            while self._sent:
                self._end(self._sent.popleft(), "timed out", was_sent=True, is_timeout=True)
            self._is_ending = True
            if self._reader is not None:
                self._reader.cancel()
        while self._waiting and self._waiting[0].asked_s <= limit_s + 0.0005:
            request = self._waiting.popleft()
            self._end(request, "timed out", was_sent=False, is_timeout=True)
        oldest = [queue[0].asked_s for queue in (self._sent, self._waiting) if queue]
        if oldest:
            self._timer = loop.call_at(min(oldest) + self._timeout_s, self._check_time)

    def _fail_waiting(self, text: str) -> None:
        while self._waiting:
            self._end(self._waiting.popleft(), text, was_sent=False)

    def _fail_sent(self, text: str) -> None:
        while self._sent:
            self._end(self._sent.popleft(), text, was_sent=True)

    def _fail_all(self, text: str) -> None:
        self._fail_sent(text)
        self._fail_waiting(text)

    def _end(self, request: _Request, text: str, *, was_sent: bool, is_timeout: bool = False) -> None:
        if request.future.done():
            return
        waited_s = asyncio.get_running_loop().time() - request.asked_s
        request.future.set_exception(WireError(text, was_sent=was_sent, is_timeout=is_timeout, waited_s=waited_s))
