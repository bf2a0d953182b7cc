"""One worker process: builds its parts, takes chunks until it is told to stop, then drains.

Started by the pool as `python -m workers.process NAME NOTE` with the settings on standard input; NOTE is a descriptor
(running_note.py). The main thread takes chunks and beats; the engine and the outbox have a thread each.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, connect_sync
from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.handoff import EXIT_STUCK, READY_LINE, read_settings, when_parent_ends
from dispatcher.protocol.sealing import Seal
from workers.c_stack import C_STACK_BYTES
from workers.core_dumps import forbid_core_dumps
from workers.engine import Engine, EngineHost
from workers.lease import Lease, LeaseLostError
from workers.log_queue import END_LIMIT_S, LAST_WORDS_S, queue_stderr, write_out
from workers.log_setup import set_up_logging
from workers.operations.catalog import standard_catalog
from workers.outbox import Outbox, OutboxDuties
from workers.packages import PackageStore
from workers.parked_share import ParkedShare
from workers.recovery import Recovery
from workers.rq_books import BEAT_EVERY_S
from workers.rq_worker import ChunkWorker
from workers.running_note import RunningNote
from workers.script_log import ScriptLog
from workers.stats import StatsWriter
from workers.work import InFlight, TakenChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.settings import Settings

_log: Final = logging.getLogger("lualoft.worker")

#: First pause after Redis did not answer; it doubles.
FIRST_BACKOFF_S: Final = 0.05

#: Seconds for which a worker without a parent tries to reach Redis at each step of its end.
ORPHAN_LIMIT_S: Final = 1.0

#: Pause between two attempts to end a wait for the next chunk.
INTERRUPT_EVERY_S: Final = 0.02

#: Seconds for which a worker with a long line of hashes leaves what is on the queue to others.
OTHERS_FIRST_S: Final = 0.002

#: Bytecode time slice between threads: the engine hands over often and briefly.
SWITCH_INTERVAL_S: Final = 0.001


#: Exit code of a worker that failed by its own fault (EX_SOFTWARE of sysexits.h).
EXIT_BUG: Final = 70

#: Seconds in which the engine ends once its grace is over.
ENGINE_END_S: Final = 1.0

#: Seconds between two looks whether it has ended, or a script holds it up.
ENGINE_LOOK_S: Final = 0.05


class WorkerProcess:
    """The parts of one worker and the order in which they start and stop."""

    def __init__(self, settings: Settings, name: str, note: RunningNote, tell_ready: Callable[[], None]) -> None:
        """Build the parts; nothing runs yet.

        Args:
            settings: of the pool.
            name: unique among all workers.
            note: where the pool finds out who ran when this worker died.
            tell_ready: called once when chunks are taken.
        """
        self._tell_ready = tell_ready
        self._settings = settings
        self._name = name
        self._redis = connect_sync(settings.redis)
        # The taking connection must not move a chunk twice behind our back when an answer is lost.
        self._taking_redis = connect_sync(settings.redis, retry_count=0)
        seal = Seal.from_keys([settings.key.reveal()])
        self._in_flight = InFlight()
        self._chunks: set[TakenChunk] = set()
        self._worker = ChunkWorker(
            settings.dispatch.queue, name, self._redis, self._taking_redis, seal, PackageStore(self._redis, seal)
        )
        self._lease = Lease(self._redis, name, settings.pool.lease_s, _end_fenced)
        duties = OutboxDuties(self._finish, keys.worker_lease(name), _end_fenced)
        self._outbox = Outbox(self._redis, seal, self._in_flight, duties, settings.redis.max_backoff_s)
        self._engine = Engine(
            settings.engine,
            settings.lua,
            ScriptLog(settings.log),
            standard_catalog(settings),
            EngineHost(self._outbox.put, note.write, self._stop_stuck),
        )
        self._parked_share = ParkedShare(self._redis, seal, self._engine.breaker)
        self._recovery = Recovery(self._redis, seal, settings.dispatch.queue)
        self._stats = StatsWriter(self._redis, name, settings.dispatch.queue, self._engine, self._in_flight)
        self._threads = [
            threading.Thread(target=_or_die, args=(self._engine.run,), name="engine", daemon=True),
            threading.Thread(target=_or_die, args=(self._outbox.run,), name="outbox", daemon=True),
            threading.Thread(target=self._interrupt, name="interrupt", daemon=True),
        ]
        self._is_stopping = False
        self._is_orphan = False
        self._is_stuck = False
        # SimpleQueue: its put may be called in a signal handler, whatever the main thread is doing.
        self._stop_requests: SimpleQueue[None] = SimpleQueue()
        self._is_taking = True
        self._may_take = True
        self._beat_s = 0.0

    def stop(self) -> None:
        """Stop taking; safe in a signal handler and from any thread."""
        self._is_stopping = True
        self._stop_requests.put(None)

    def stop_as_orphan(self) -> None:
        """Stop because the parent is gone: its embedded server may be gone too, so do not insist on telling Redis."""
        self._is_orphan = True
        self.stop()

    def _stop_stuck(self) -> None:
        """Stop because a script holds the engine up: no grace for anybody, the others wait already."""
        self._is_stuck = True
        self.stop()

    def run(self) -> int:
        """Register, work until `stop`, drain; returns the exit code."""
        # First the lease: a worker in the listing without one counts as lost.
        self._persist_in_redis(self._lease.renew)
        self._persist_in_redis(self._worker.register)
        self._lease.watch()
        # Lua 5.1 and LuaJIT notice a C stack overflow late; the engine's thread gets room for it.
        threading.stack_size(C_STACK_BYTES)
        for thread in self._threads:
            thread.start()
        threading.stack_size(0)
        self._tell_ready()
        backoff_s = FIRST_BACKOFF_S
        while not self._is_stopping:
            try:
                self._turn()
            except REDIS_ERRORS as exc:
                _log.warning("Redis does not answer, trying again in %.2f s: %s", backoff_s, exc)
                time.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, self._settings.redis.max_backoff_s)
            else:
                backoff_s = FIRST_BACKOFF_S
        self._is_taking = False
        self._drain()
        return EXIT_STUCK if self._is_stuck else 0

    def _interrupt(self) -> None:
        """Once asked to stop: end the main thread's wait for the next chunk, which it must not do itself.

        Again and again, because the request may come between the look at it and the beginning of a wait.
        """
        self._stop_requests.get()
        while self._is_taking:
            with contextlib.suppress(*REDIS_ERRORS):
                self._worker.stop_waiting()
            time.sleep(INTERRUPT_EVERY_S)

    def _turn(self) -> None:
        now_s = time.monotonic()
        if now_s - self._beat_s >= BEAT_EVERY_S:
            self._beat_s = now_s
            self._renew_lease()
            self._may_take = self._worker.beat()
            self._stats.write()
            self._parked_share.share()
        # The bound is invocations in flight, not chunks: parked calls do not keep the next chunk out.
        if not self._in_flight.wait_below(self._settings.engine.max_in_flight, BEAT_EVERY_S):
            return
        if not self._may_take:
            time.sleep(BEAT_EVERY_S)
            return
        chunk = self._take()
        if chunk is not None:
            self._chunks.add(chunk)
            self._in_flight.add(len(chunk.invocations))
            self._engine.give(chunk)

    def _take(self) -> TakenChunk | None:
        """Take a chunk; not at once while hashes stand in line here.

        Redis serves whoever has waited for longest, a slow worker as often as a quick one: in the end all hashes would
        stand in line at the slow one.
        """
        if not self._engine.has_long_line:
            return self._worker.take()
        time.sleep(OTHERS_FIRST_S)
        return self._worker.take(is_waiting=False)

    def _finish(self, chunk: TakenChunk) -> None:
        self._worker.finish(chunk)
        self._chunks.discard(chunk)

    def _drain(self) -> None:
        """Stop in an order that loses nothing.

        First the running calls get their grace. Then the engine ends (it unloads the scripts), then the outbox, which
        by now has all answers; what is left unanswered goes back to the queue, and only then does the worker sign off,
        so that nobody recovers its chunks while it still answers them.
        """
        _log.info("worker %s drains: %d invocations in flight", self._name, self._in_flight.count)
        if not self._is_stuck:
            is_empty = self._wait_for_calls()
            self._engine.stop()
            self._wait_for_engine(self._settings.pool.grace_s if is_empty else ENGINE_END_S)
            # An engine that runs still: its calls are given back below, and one that is to run once must not begin now.
            self._engine.abandon()
        else:
            # Its successor is to know what it did.
            self._persist_in_redis(self._parked_share.share)
        self._outbox.stop()
        self._threads[1].join(timeout=self._settings.redis.socket_timeout_s)
        for chunk in list(self._chunks):
            self._persist_in_redis(partial(self._recovery.give_back, chunk, self._worker))
        self._persist_in_redis(self._worker.register_death)
        self._persist_in_redis(self._lease.release)
        self._persist_in_redis(self._stats.remove)

    def _wait_for_calls(self) -> bool:
        """Give the running calls their grace, and keep the lease meanwhile; returns whether all have ended."""
        ends_s = time.monotonic() + self._settings.pool.grace_s
        while (left_s := ends_s - time.monotonic()) > 0:
            if self._in_flight.wait_below(1, min(left_s, BEAT_EVERY_S)):
                return True
            with contextlib.suppress(*REDIS_ERRORS):
                self._renew_lease()
        return False

    def _wait_for_engine(self, limit_s: float) -> None:
        """Let the engine unload the scripts, unless one of them holds it up; and keep the lease meanwhile."""
        ends_s = time.monotonic() + limit_s
        while self._threads[0].is_alive() and not self._is_stuck and time.monotonic() < ends_s:
            self._threads[0].join(timeout=ENGINE_LOOK_S)
            if time.monotonic() - self._beat_s >= BEAT_EVERY_S:
                self._beat_s = time.monotonic()
                with contextlib.suppress(*REDIS_ERRORS):
                    self._renew_lease()

    def _renew_lease(self) -> None:
        try:
            self._lease.renew()
        except LeaseLostError:
            _end_fenced()

    def _persist_in_redis(self, work: Callable[[], object]) -> None:
        """Do it, trying again for as long as a worker that stops may take."""
        limit_s = ORPHAN_LIMIT_S if self._is_orphan else self._settings.pool.grace_s
        give_up_s = time.monotonic() + limit_s
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                work()
            except REDIS_ERRORS as exc:
                if time.monotonic() > give_up_s:
                    _log.error("Redis does not answer, giving up: %s", exc)
                    return
                time.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, self._settings.redis.max_backoff_s)
            else:
                return


def _end_fenced() -> NoReturn:
    """End at once: what this worker has begun is another one's now, and no outcome of it is wanted."""
    _log.error("this worker has lost its lease and ends; its calls run elsewhere")
    write_out(LAST_WORDS_S)
    os._exit(EXIT_STUCK)


def _take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to the parent for ourselves: a script's io.read gets nothing, its print goes to the log."""
    sys.stdout.flush()
    parent_in, parent_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return parent_in, parent_out


def _take_note(fd: int) -> RunningNote:
    """Map the running note, and close what commands of scripts would inherit: they are not to say who ran."""
    note = RunningNote(fd)
    os.close(fd)
    return note


def _write_ready(parent_out: BinaryIO) -> None:
    parent_out.write(READY_LINE)
    parent_out.flush()


def _or_die(work: Callable[[], None]) -> None:
    """Run a thread's work; a bug in it ends the process, so that the pool recovers what it had begun."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, a worker with a dead thread would answer nobody
        _log.exception("thread %s failed, the worker ends", threading.current_thread().name)
        write_out(LAST_WORDS_S)
        os._exit(EXIT_BUG)


def main() -> int:
    """Run one worker; returns the exit code."""
    forbid_core_dumps()
    queue_stderr()
    # Ctrl-C goes to every process of the terminal; the pool alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    parent_in, parent_out = _take_standard_streams()
    try:
        settings = read_settings(parent_in)
        set_up_logging(settings.log)
        note = _take_note(int(sys.argv[2]))
        process = WorkerProcess(settings, sys.argv[1], note, lambda: _write_ready(parent_out))
    except LualoftError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    signal.signal(signal.SIGTERM, lambda _signal, _frame: process.stop())
    when_parent_ends(parent_in, process.stop_as_orphan)
    # What is there by now stays until the end. To look through it again and again would hold all calls up, for 20 ms.
    gc.collect()
    gc.freeze()
    exit_code = process.run()
    # Daemon threads may be stuck in Lua; the interpreter's own shutdown would wait for their locks.
    write_out(END_LIMIT_S)
    os._exit(exit_code)


if __name__ == "__main__":
    sys.exit(main())
