"""The supervisor: spawns the workers of this machine, watches them, replaces dead ones with back-off, drains them.

Run by `lualoft worker` in the foreground and by `python -m workers` for `lualoft up`. It runs no Lua itself. When a
child dies, it gives back what the child had begun before it starts another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, connect_sync, require_key
from dispatcher.protocol.handoff import EXIT_STUCK, READY_LINE, child_environment, write_settings
from dispatcher.protocol.pool_note import PoolNote
from dispatcher.protocol.sealing import Seal
from dispatcher.protocol.settings_check import key_file_doubts
from workers.pool_report import PoolReport
from workers.recovery import Recovery
from workers.respawns import Respawns
from workers.running_note import RunningNote, create_fd
from workers.script_log import ScriptLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.settings import Settings
    from workers.running_note import Suspect

_log: Final = logging.getLogger("lualoft.pool")

#: A child that lived this long was healthy: its successor starts without back-off.
HEALTHY_AFTER_S: Final = 10.0

#: Pause between two attempts to give back the work of a dead worker.
RECOVER_EVERY_S: Final = 0.5

#: Looks, per lease, for workers of any machine whose lease has run out.
LOOK_COUNT: Final = 3

#: Time beyond the grace that a draining child has before it is killed.
KILL_MARGIN_S: Final = 5.0

#: The module that a child runs.
CHILD_MODULE: Final = "workers.process"


@dataclass(slots=True, eq=False)
class _Child:
    """One worker process."""

    slot: int
    name: str
    process: subprocess.Popen[bytes]
    note: RunningNote
    started_s: float
    is_ready: bool = False


@dataclass(slots=True, frozen=True)
class _Ready:
    child: _Child


@dataclass(slots=True, frozen=True)
class _Ended:
    child: _Child


class _Stop:
    """Somebody wants the pool to end."""


class Pool:
    """A fixed number of worker processes on this machine."""

    def __init__(self, settings: Settings, on_ready: Callable[[int], None]) -> None:
        """Set up without spawning.

        Args:
            settings: handed to every child.
            on_ready: called once with the number of workers when all of them work.

        Raises:
            KeyMissingError: a Redis without a key to seal with.
            SettingsError: a setting that only workers can judge.
        """
        require_key(settings)
        # Before any child is started: each of them would fail on it, again and again.
        ScriptLog(settings.log)
        self._settings = settings
        self._on_ready = on_ready
        self._count = settings.pool.count
        seal = Seal.from_keys([settings.key.reveal()])
        self._recovery = Recovery(connect_sync(settings.redis), seal, settings.dispatch.queue)
        # SimpleQueue.put may be called in a signal handler: it takes no lock that the main thread could hold.
        self._events: SimpleQueue[_Ready | _Ended | _Stop] = SimpleQueue()
        self._children: dict[int, _Child] = {}
        self._respawns = Respawns(settings.pool)
        self._host = socket.gethostname()
        self._name = f"{self._host}-{os.getpid()}"
        self._report = PoolReport(settings.redis, self._name)
        #: Dead workers whose chunks are still to be given back, and what ran in them.
        self._lost: dict[str, Suspect | None] = {}
        self._look_every_s = settings.pool.lease_s / LOOK_COUNT
        self._looked_s = time.monotonic()
        self._swept_s = 0.0
        self._stop_count = 0
        self._has_told_ready = False

    def stop(self) -> None:
        """Ask the pool to drain; a second time kills. Safe in a signal handler and from any thread."""
        self._events.put(_Stop())

    def run(self) -> None:
        """Run until `stop`; returns when the last child is gone."""
        for doubt in key_file_doubts(self._settings):
            _log.warning("%s", doubt)
        for slot in range(self._count):
            self._try_spawn(slot)
        while self._stop_count == 0:
            self._report.tell(self._note())
            self._handle(self._next_event())
            self._claim_abandoned()
            self._recover_lost()
            self._respawn_due()
        self._drain()
        self._report.end()

    def _next_event(self) -> _Ready | _Ended | _Stop | None:
        pause_s = RECOVER_EVERY_S if self._lost or self._recovery.has_suspects else self._look_every_s
        respawn_s = self._respawns.wait_s()
        if respawn_s is not None:
            pause_s = min(pause_s, respawn_s)
        try:
            return self._events.get(timeout=pause_s)
        except Empty:
            return None

    def _handle(self, event: _Ready | _Ended | _Stop | None) -> None:
        if isinstance(event, _Ready):
            event.child.is_ready = True
            self._tell_ready()
        elif isinstance(event, _Ended):
            self._bury(event.child)
        elif isinstance(event, _Stop):
            self._stop_count += 1

    def _tell_ready(self) -> None:
        if not self._has_told_ready and self._ready_count() == self._count:
            self._has_told_ready = True
            self._on_ready(self._count)

    def _try_spawn(self, slot: int) -> None:
        try:
            self._spawn(slot)
        except OSError as exc:
            # Out of processes or descriptors: a passing trouble of the machine must not end the whole pool.
            backoff_s = self._respawns.schedule(slot, f"cannot be started ({exc.strerror})")
            _log.error("a worker cannot be started (%s); again in %.1f s", exc.strerror, backoff_s)

    def _spawn(self, slot: int) -> None:
        name = f"{keys.WORKER_NAME_PREFIX}{self._name}-{secrets.token_hex(3)}"
        note_fd = create_fd()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", CHILD_MODULE, name, str(note_fd)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=child_environment(os.environ),
                pass_fds=[note_fd],
                # Ctrl-C reaches every process of the terminal's session; what it means is for us to say.
                start_new_session=True,
            )
            note = RunningNote(note_fd)
        finally:
            os.close(note_fd)
        child = _Child(slot, name, process, note, time.monotonic())
        self._children[slot] = child
        threading.Thread(target=self._watch, args=(child,), name=f"watch-{name}", daemon=True).start()

    def _watch(self, child: _Child) -> None:
        """Hand the settings over, wait for readiness, wait for the end; each becomes an event."""
        stdin, stdout = child.process.stdin, child.process.stdout
        if stdin is None or stdout is None:
            return
        try:
            write_settings(stdin, self._settings)
            if stdout.readline() == READY_LINE:
                self._events.put(_Ready(child))
        except OSError:
            # The child died while it was spoken to; its end is noticed right below.
            pass
        _end_commands(child.process.pid)
        child.process.wait()
        self._events.put(_Ended(child))

    def _bury(self, child: _Child) -> None:
        del self._children[child.slot]
        self._lose(child)
        lived_s = time.monotonic() - child.started_s
        # A worker that ended because of a script has given everything back itself: its successor need not hold off.
        is_healthy = lived_s > HEALTHY_AFTER_S or child.process.returncode == EXIT_STUCK
        how = _how(child.process.returncode)
        backoff_s = self._respawns.schedule(child.slot, how, is_healthy=is_healthy, was_ready=child.is_ready)
        _log.error("worker %s ended unexpectedly (%s); a new one starts in %.1f s", child.name, how, backoff_s)

    def _lose(self, child: _Child) -> None:
        self._lost[child.name] = child.note.read()
        child.note.close()

    def _claim_abandoned(self) -> None:
        """Find workers whose lease has run out: their whole machine may be gone, or a child of ours stands still."""
        if time.monotonic() - self._looked_s < self._look_every_s:
            return
        self._looked_s = time.monotonic()
        children = {child.name: child for child in self._children.values()}
        try:
            for name in self._recovery.claim_abandoned():
                # That of a child is given back when it is buried, with what is known of it.
                if name not in children:
                    _log.error("worker %s has not been heard of for too long; its calls run here", name)
                    self._lost[name] = None
            for name, child in children.items():
                if self._recovery.is_claimed(name):
                    # Stopped, or held up by something that no thread of its own can end.
                    _log.error("worker %s has lost its lease and is killed", name)
                    child.process.kill()
        except REDIS_ERRORS as exc:
            _log.debug("cannot look for lost workers: %s", type(exc).__name__)

    def _recover_lost(self) -> None:
        for name, suspect in list(self._lost.items()):
            try:
                chunks = self._recovery.recover(name, suspect)
            except REDIS_ERRORS as exc:
                _log.warning("cannot give back the work of %s yet: %s", name, type(exc).__name__)
                continue
            del self._lost[name]
            self._swept_s = time.monotonic()
            _log.info("gave back %d chunks of worker %s", chunks, name)
        self._sweep()

    def _sweep(self) -> None:
        # Half a second after a look, and not sooner: a live worker may just be taking what is in the list.
        if not self._recovery.has_suspects or time.monotonic() - self._swept_s < RECOVER_EVERY_S:
            return
        self._swept_s = time.monotonic()
        try:
            self._recovery.sweep()
        except REDIS_ERRORS as exc:
            _log.warning("cannot look for jobs that nobody has begun: %s", type(exc).__name__)

    def _respawn_due(self) -> None:
        for slot in self._respawns.take_due():
            self._try_spawn(slot)

    def _ready_count(self) -> int:
        return sum(child.is_ready for child in self._children.values())

    def _note(self) -> PoolNote:
        respawn_s = self._respawns.wait_s()
        return PoolNote(
            host=self._host,
            pid=os.getpid(),
            queue=self._settings.dispatch.queue,
            wanted_workers=self._count,
            ready_workers=self._ready_count(),
            deaths=self._respawns.recent_count(),
            last_end=self._respawns.last_end,
            next_start_unix_s=0.0 if respawn_s is None else round(time.time() + respawn_s, 1),
        )

    def _drain(self) -> None:
        """Ask every child to finish; kill what has not ended after the grace, or at a second request to stop."""
        _log.info("draining %d workers", len(self._children))
        self._signal_all(signal.SIGTERM)
        deadline_s = time.monotonic() + self._settings.pool.grace_s + KILL_MARGIN_S
        has_killed = False
        while self._children:
            try:
                event = self._events.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except Empty:
                event = None
            if isinstance(event, _Ended):
                del self._children[event.child.slot]
                if event.child.process.returncode != 0:
                    self._lose(event.child)
            elif (event is None or isinstance(event, _Stop)) and not has_killed:
                has_killed = True
                deadline_s += KILL_MARGIN_S
                self._signal_all(signal.SIGKILL)
            elif event is None:
                break
        self._recover_lost()

    def _signal_all(self, number: signal.Signals) -> None:
        for child in self._children.values():
            child.process.send_signal(number)


def _end_commands(pid: int) -> None:
    """Wait for the end of a child; after a bad one, end the commands that its scripts have started and wait for."""
    # Our own thread may reap it when it sends a signal to one that has just ended.
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # Not reaped yet, so the number of its group is nobody else's.
        if end is not None and end.si_status != 0:
            os.killpg(pid, signal.SIGKILL)


def _how(returncode: int) -> str:
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"
