"""One DNS server: questions to it over UDP, over TCP where an answer does not fit. Used on the loop only.

Against forged answers: connected sockets (the kernel drops what comes from elsewhere), random ids, the question is
compared, and the sockets' random ports change (RFC 5452). A message that does not match is ignored: the right one may
still come.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
import time
from typing import Final, NamedTuple

from workers.dns.message import answered_id, is_answer, is_truncated, query_bytes

#: Sockets that are open at once; each query takes one of them by chance.
SOCKETS: Final = 16

#: Queries after which a socket is replaced by one on another port, and its longest use in seconds.
MAX_QUERIES: Final = 1000
MAX_AGE_S: Final = 60.0

#: Seconds for which a server that did not answer is asked after the others.
SUSPECT_S: Final = 30.0

#: Datagrams that one turn of the loop reads from a socket.
_READ_AT_ONCE: Final = 64
_MAX_DATAGRAM_BYTES: Final = 65535
_LENGTH: Final = struct.Struct("!H")


class _Waiting(NamedTuple):
    question: bytes
    future: asyncio.Future[bytes]


class _UdpSocket:
    """A socket that is connected to the server, and the queries that wait for its answers."""

    def __init__(self, ip: str, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[int, _Waiting] = {}
        self._query_count = 0
        self._ends_s = time.monotonic() + MAX_AGE_S
        self._is_retired = False
        self._socket = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 - the socket module's signature
        try:
            self._socket.connect((ip, port))
        except OSError:
            self._socket.close()
            raise
        loop.add_reader(self._socket, self._read)

    @property
    def is_worn(self) -> bool:
        """Has it been used for long enough?"""
        return self._query_count >= MAX_QUERIES or time.monotonic() > self._ends_s

    async def ask(self, question: bytes, timeout_s: float) -> bytes:
        """Send a question; the matching answer's bytes."""
        query_id = self._new_id()
        waiting = self._waiting[query_id] = _Waiting(question, self._loop.create_future())
        self._query_count += 1
        timer = self._loop.call_later(timeout_s, _expire, waiting.future)
        try:
            self._send(query_bytes(query_id, question))
            return await waiting.future
        finally:
            timer.cancel()
            del self._waiting[query_id]
            if self._is_retired and not self._waiting:
                self._close()

    def retire(self) -> None:
        """Take no more queries; those that wait are waited for."""
        self._is_retired = True
        if not self._waiting:
            self._close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except BlockingIOError:
            # A full buffer is as good as a loss on the way; the next attempt repeats it.
            return
        except OSError as exc:
            # The system reports an ICMP message once, to whoever comes first: it may be about the queries before.
            self._fail(exc)

    def _new_id(self) -> int:
        while True:
            query_id = int.from_bytes(os.urandom(2))
            if query_id not in self._waiting:
                return query_id

    def _read(self) -> None:
        for _ in range(_READ_AT_ONCE):
            try:
                data = self._socket.recv(_MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError as exc:
                # ICMP: nobody listens there. It does not say which query it is about.
                self._fail(exc)
                return
            waiting = self._waiting.get(answered_id(data))
            if waiting and not waiting.future.done() and is_answer(data, waiting.question):
                waiting.future.set_result(data)

    def _fail(self, exc: OSError) -> None:
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(ConnectionError(exc.errno, exc.strerror))

    def _close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


class DnsServer:
    """A server by its address."""

    def __init__(self, ip: str, port: int) -> None:
        self.ip = ip
        self.port = port
        self._sockets: list[_UdpSocket | None] = [None] * SOCKETS
        self._suspect_until_s = 0.0

    @property
    def is_suspect(self) -> bool:
        """Did it fail to answer a moment ago?"""
        return time.monotonic() < self._suspect_until_s

    async def ask(self, question: bytes, timeout_s: float) -> bytes:
        """Ask over UDP, and over TCP if the answer does not fit.

        Raises:
            TimeoutError: no answer in time.
            OSError: it cannot be reached.
        """
        ends_s = time.monotonic() + timeout_s
        try:
            answer = await self._socket().ask(question, timeout_s)
            if is_truncated(answer):
                async with asyncio.timeout(ends_s - time.monotonic()):
                    answer = await self._ask_over_tcp(question)
        except OSError:
            # TimeoutError is one too.
            self._suspect_until_s = time.monotonic() + SUSPECT_S
            raise
        self._suspect_until_s = 0.0
        return answer

    def close(self) -> None:
        """Close the sockets."""
        sockets, self._sockets = self._sockets, [None] * SOCKETS
        for one in sockets:
            if one is not None:
                one.retire()

    def _socket(self) -> _UdpSocket:
        index = secrets.randbelow(SOCKETS)
        found = self._sockets[index]
        if found is None or found.is_worn:
            if found is not None:
                found.retire()
            found = self._sockets[index] = _UdpSocket(self.ip, self.port, asyncio.get_running_loop())
        return found

    async def _ask_over_tcp(self, question: bytes) -> bytes:
        query_id = secrets.randbelow(1 << 16)
        query = query_bytes(query_id, question)
        reader, writer = await asyncio.open_connection(self.ip, self.port)
        try:
            writer.write(_LENGTH.pack(len(query)) + query)
            (size_bytes,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            answer = await reader.readexactly(size_bytes)
        except asyncio.IncompleteReadError as exc:
            raise ConnectionError("the server closed the connection before its answer") from exc
        finally:
            writer.close()
        if answered_id(answer) != query_id or not is_answer(answer, question):
            raise ConnectionError("the server answered another question")
        return answer
