"""One request on one connection: send it, wait for `100 Continue` where that was asked for, read the answer.

`pool` runs it on a connected stream. What it raises is 9000, 9005, 9007 or 9008; `submission` decides what follows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from workers.http.failure import BAD_RESPONSE, CONNECTION_LOST, TIMED_OUT, HttpFailure
from workers.http.interruption import Interruption
from workers.http.peer import Expectation
from workers.http.response_body import Payload, PayloadReader, framing
from workers.http.response_head import Head, HeadLimits, HeadReader
from workers.http.stream import Stream

#: How long a server may take to say `100 Continue` before the payload is sent without it.
CONTINUE_WAIT_S: Final = 2.0

#: A payload up to this size travels in one piece with its head.
_JOINED_BYTES: Final = 64 * 1024

#: Statuses that say something about the connection or the peer.
REQUEST_TIMEOUT: Final = 408
EXPECTATION_FAILED: Final = 417

_CONTINUE: Final = 100
_INFORMATIONAL: Final = 1
_SUCCESS: Final = 2


@dataclass(slots=True)
class Answer:
    """What a server said."""

    head: Head
    payload: Payload
    #: The connection can take another request.
    is_kept: bool


@dataclass(slots=True, kw_only=True)
class Limits:
    """What bounds an exchange; the same for all of a client."""

    head: HeadLimits
    max_payload_bytes: int
    continue_wait_s: float


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One attempt; made for it and used once."""

    method: bytes
    head: bytes
    payload: bytes
    is_expecting: bool
    #: From the connection being ready to the last byte of the answer.
    timeout_s: float
    limits: Limits
    interruption: Interruption

    #: Monotonic times; 0: it did not come to that.
    sent_s: float = 0.0
    connected_s: float = 0.0
    in_bytes: int = 0
    out_bytes: int = 0
    _is_payload_sent: bool = False
    _is_output_broken: bool = False
    _rest: bytes = field(default=b"", repr=False)

    def run(self, stream: Stream, expectation: Expectation) -> Answer:
        """Do it.

        Args:
            stream: a connection without anything on its way.
            expectation: what the peer is known to do with `Expect`; what is learned goes there.

        Raises:
            HttpFailure: it has no answer.
        """
        in_bytes, out_bytes = stream.in_bytes, stream.out_bytes
        self.sent_s = time.monotonic()
        stream.deadline_s = min(self.sent_s + self.timeout_s, self.interruption.deadline_s)
        try:
            self.interruption.hold(stream.sock)
            return self._answer(stream, expectation)
        finally:
            self.interruption.drop(stream.sock)
            self.in_bytes, self.out_bytes = stream.in_bytes - in_bytes, stream.out_bytes - out_bytes

    def _answer(self, stream: Stream, expectation: Expectation) -> Answer:
        try:
            self._send(stream)
            head = self._final_head(stream, expectation)
        except TimeoutError as exc:
            raise self._timed_out(is_temporary=True) from exc
        plan = framing(head, self.method)
        if head.status == EXPECTATION_FAILED and self.is_expecting:
            expectation.is_useless = True
        if self._is_output_broken and head.status // 100 == _SUCCESS:
            raise HttpFailure(BAD_RESPONSE, "Server responded with success response before all payload was sent")
        try:
            payload = PayloadReader(stream, self._rest, self.limits.max_payload_bytes).read(plan)
        except TimeoutError as exc:
            # Not tried again: the server did its work, and half an answer is none.
            raise self._timed_out(is_temporary=False) from exc
        self.interruption.check()
        # A payload that was announced and not sent leaves the server waiting; 408 means that it gives up on us.
        is_kept = self._is_payload_sent and not self._is_output_broken and head.status != REQUEST_TIMEOUT
        return Answer(head, payload, is_kept and payload.is_kept)

    # Sending.

    def _send(self, stream: Stream) -> None:
        if self.is_expecting:
            self._write(stream, self.head)
        elif len(self.payload) <= _JOINED_BYTES:
            self._write(stream, self.head + self.payload)
            self._is_payload_sent = True
        else:
            self._write(stream, self.head)
            self._send_payload(stream)

    def _send_payload(self, stream: Stream) -> None:
        self._is_payload_sent = True
        if not self._is_output_broken:
            self._write(stream, self.payload)

    def _write(self, stream: Stream, data: bytes) -> None:
        try:
            stream.write(data)
        except TimeoutError:
            raise
        except (BrokenPipeError, ConnectionResetError):
            # The server hung up early, but may have said why: its answer is read first.
            self._is_output_broken = True
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise self._lost(f"write({stream.label}) failed: {reason}") from exc

    # The head of the answer.

    def _final_head(self, stream: Stream, expectation: Expectation) -> Head:
        """The head behind all interim ones."""
        while True:
            head = self._next_head(stream, expectation)
            if head.status // 100 != _INFORMATIONAL:
                return head
            framing(head, self.method)  # an interim answer with a payload is refused
            if head.status == _CONTINUE and not self._is_payload_sent:
                expectation.is_honoured, expectation.is_useless = True, False
                self._send_payload(stream)

    def _next_head(self, stream: Stream, expectation: Expectation) -> Head:
        reader = HeadReader(self.limits.head)
        complete = reader.feed(self._rest) if self._rest else None
        while complete is None:
            data = self._read(stream, expectation)
            complete = reader.feed(data) if data is not None else None
        head, self._rest = complete
        return head

    def _read(self, stream: Stream, expectation: Expectation) -> bytes | None:
        """What arrived; None: the wait for `100 Continue` is over and the payload was sent."""
        until_s = None if self._is_payload_sent else self.sent_s + self.limits.continue_wait_s
        try:
            data = stream.read(until_s)
        except TimeoutError:
            if until_s is None or time.monotonic() >= stream.deadline_s:
                raise
            # Dovecot stops expecting of a peer that never sent a 100, and stalls on one that did once: here both get
            # the payload.
            expectation.is_useless = not expectation.is_honoured
            self._send_payload(stream)
            return None
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise self._lost(f"read({stream.label}) failed: {reason}") from exc
        if not data:
            raise self._lost(f"read({stream.label}) failed: EOF")
        return data

    # Ends without an answer.

    def _lost(self, problem: str) -> HttpFailure:
        self.interruption.check()
        problem = "Remote disconnected" if self._is_output_broken else problem
        return HttpFailure(CONNECTION_LOST, f"Connection lost: {problem}", is_temporary=True)

    def _timed_out(self, *, is_temporary: bool) -> HttpFailure:
        return HttpFailure(TIMED_OUT, "Request timed out", is_temporary=is_temporary)
