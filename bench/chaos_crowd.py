"""The callers of the chaos benchmark: dispatchers in processes of their own, and what became of each of their calls.

A call belongs to one dispatcher. When that one is killed, nobody waits for what it had not reported as answered, so its
successor asks all of that again, with a new deadline. A call is lost if in the end nobody ever reported an outcome.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, Self

from bench.chaos_client import RECORD, Answer, read_answers
from dispatcher.protocol.handoff import write_settings

if TYPE_CHECKING:
    from dispatcher.protocol.settings import Settings

#: Beyond its deadline a call may take so long, in seconds.
DEADLINE_MARGIN_S: Final = 1.0

#: Bytes taken from a pipe at once.
READ_BYTES: Final = 65_536


class _Client:
    """One dispatcher and its successors."""

    def __init__(self, settings: Settings, numbers: range, in_flight: int, deadline_s: float) -> None:
        self._settings = settings
        self._numbers = numbers
        self._in_flight = in_flight
        self._deadline_s = deadline_s
        self.answers: dict[int, Answer] = {}
        self._start()

    def restart(self) -> None:
        """Kill the dispatcher and start its successor, which asks again what was not reported."""
        self.kill()
        self._start()

    def kill(self) -> None:
        """Kill the dispatcher, and take what it had still written."""
        self._process.kill()
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended and everything is read."""
        self._reader.join()
        self._process.wait()

    @property
    def has_ended(self) -> bool:
        """Has it ended by itself?"""
        return not self._reader.is_alive()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.chaos_client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        left = [number for number in self._numbers if number not in self.answers]
        order = {"numbers": left, "in_flight": self._in_flight, "deadline_s": self._deadline_s}
        if self._process.stdin is not None:
            write_settings(self._process.stdin, self._settings)
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.close()
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        stream, rest = process.stdout, b""
        if stream is None:
            return
        with stream:
            while data := stream.raw.read(READ_BYTES):  # type: ignore[attr-defined]  # IO[bytes] does not tell that it is buffered
                rest += data
                whole = len(rest) - len(rest) % RECORD.size
                self.answers.update((answer.number, answer) for answer in read_answers(rest[:whole]))
                rest = rest[whole:]


class Crowd:
    """All dispatchers; a context manager that leaves none behind."""

    def __init__(self, settings: Settings, clients: int, calls: int, in_flight: int, deadline_s: float) -> None:
        """Start asking.

        Args:
            settings: of the dispatchers.
            clients: dispatchers.
            calls: of all of them together.
            in_flight: of each of them.
            deadline_s: of each call.
        """
        self._calls = calls
        self._deadline_s = deadline_s
        share = calls // clients
        self._start_s = time.monotonic()
        self._clients = [
            _Client(settings, range(share * i, share * (i + 1)), in_flight, deadline_s) for i in range(clients)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        for client in self._clients:
            client.kill()

    @property
    def done_share(self) -> float:
        """Part of the calls that has an outcome."""
        return sum(len(client.answers) for client in self._clients) / self._calls

    @property
    def has_ended(self) -> bool:
        """Have all dispatchers ended?"""
        return all(client.has_ended for client in self._clients)

    def restart_one(self) -> None:
        """Kill a dispatcher and start its successor."""
        self._clients[0].restart()

    def wait(self, limit_s: float) -> None:
        """Wait until all have ended, or the limit is over: then something was lost, which the counts will say."""
        ends_s = time.monotonic() + limit_s
        while not self.has_ended and time.monotonic() < ends_s:
            time.sleep(0.01)

    def took_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start_s

    def latencies_s(self) -> list[float]:
        """Return the time of each call, sorted."""
        return sorted(answer.took_s for client in self._clients for answer in client.answers.values())

    def counts(self) -> dict[str, float]:
        """Count what must be zero: without an outcome, late, wrong, and each kind of outcome but `ok`."""
        answers = [answer for client in self._clients for answer in client.answers.values()]
        counts: dict[str, float] = {
            "without an outcome": self._calls - len(answers),
            "later than deadline + 1 s": sum(a.took_s > self._deadline_s + DEADLINE_MARGIN_S for a in answers),
            "wrong": sum(a.kind == "ok" and not a.is_right for a in answers),
            "lost": sum(a.kind != "ok" for a in answers),
        }
        kinds = Counter(str(answer.kind) for answer in answers if answer.kind != "ok")
        return counts | {f"ended as {kind}": count for kind, count in kinds.items()}
