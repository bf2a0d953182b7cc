"""A pool of workers on this machine, as a child process of whoever wants one.

`lualoft up`, `run`, `batch`, `demo`, the benchmarks and the tests enter `LocalPool`. The pool's module is named by a
string, because this side must not import the worker side. A parent that is killed takes the pool with it: its standard
input ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final, Self

from dispatcher.protocol.errors import UnavailableError
from dispatcher.protocol.handoff import READY_LINE, child_environment, write_settings

if TYPE_CHECKING:
    from types import TracebackType

    from dispatcher.protocol.settings import Settings

#: The module that runs the pool.
POOL_MODULE: Final = "workers"

#: Waiting for all workers to be ready, in seconds.
START_LIMIT_S: Final = 60.0

#: Time beyond the pool's own grace before a pool that does not end is killed, in seconds.
STOP_MARGIN_S: Final = 15.0


class LocalPool:
    """The pool from the side of the process that wants it; a context manager."""

    def __init__(self, settings: Settings, *, start_limit_s: float = START_LIMIT_S, stderr: int | None = None) -> None:
        """Set up without starting.

        Args:
            settings: what the workers are given.
            start_limit_s: how long they may take to be ready.
            stderr: descriptor that takes the pool's log; None: our own standard error.
        """
        self._settings = settings
        self._start_limit_s = start_limit_s
        self._stderr = stderr
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the pool.

        Raises:
            UnavailableError: it ended or was not ready within the limit; it has said why on standard error.
        """
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", POOL_MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=child_environment(os.environ),
            # Ctrl-C reaches every process of the terminal's session; what it means is for us to say.
            start_new_session=True,
        )
        # A pool that hangs is ended, which ends the readline below.
        timer = threading.Timer(self._start_limit_s, process.kill)
        timer.start()
        try:
            is_ready = self._greet(process)
        except BaseException:
            # Interrupted: nobody will leave the context that was not entered.
            self.stop()
            raise
        finally:
            timer.cancel()
        if not is_ready:
            self.stop()
            message = "the workers did not start"
            raise UnavailableError(message)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain and end the pool."""
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the supervisor; 0 while not started."""
        return self._process.pid if self._process is not None else 0

    @property
    def has_ended(self) -> bool:
        """Has the pool ended by itself?"""
        return self._process is not None and self._process.poll() is not None

    def wait(self) -> int:
        """Wait until the pool ends by itself; returns its exit code."""
        return self._process.wait() if self._process is not None else 0

    def stop(self) -> None:
        """Have the pool drain, and wait for it; after the grace and a margin it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(self._settings.pool.grace_s + STOP_MARGIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _greet(self, process: subprocess.Popen[bytes]) -> bool:
        if process.stdin is None or process.stdout is None:
            return False
        try:
            write_settings(process.stdin, self._settings)
        except BrokenPipeError:
            return False
        return process.stdout.readline() == READY_LINE
