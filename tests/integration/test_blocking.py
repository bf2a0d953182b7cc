"""The blocking dispatcher from several threads, and at its end."""

import threading

import pytest

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.client import Call
from dispatcher.protocol.outcome import OutcomeKind

SCRIPT = Script.from_stream("blocking", b"function echo(...) return ... end")

#: Longer than any of these calls takes.
LIMIT_S = 20


def test_call_after_the_end_is_unavailable(settings, pool):  # noqa: ARG001 - the pool must run
    with Dispatcher(settings) as dispatcher:
        dispatcher.call(SCRIPT, "echo")
    outcome = dispatcher.call(SCRIPT, "echo")
    assert (OutcomeKind.UNAVAILABLE, "the dispatcher is closed") == (outcome.kind, outcome.error)


def test_calls_of_other_threads_all_end_when_the_dispatcher_is_closed(settings, pool):  # noqa: ARG001
    futures = []
    has_begun, is_over = threading.Event(), threading.Event()

    def ask():
        while not is_over.is_set():
            futures.append(dispatcher.submit(SCRIPT, "echo", [1], deadline_s=LIMIT_S))
            has_begun.set()

    thread = threading.Thread(target=ask)
    with Dispatcher(settings) as dispatcher:
        thread.start()
        has_begun.wait(LIMIT_S)
    is_over.set()
    thread.join()
    kinds = {future.result(timeout=LIMIT_S).kind for future in futures}
    assert kinds <= {OutcomeKind.OK, OutcomeKind.UNAVAILABLE, OutcomeKind.QUEUE_FULL}


def test_map_whose_source_uses_the_dispatcher_is_refused_instead_of_waiting_for_itself(dispatcher):
    source = (Call(SCRIPT, "echo", dispatcher.call(SCRIPT, "echo", n).values) for n in range(3))
    with pytest.raises(RuntimeError, match="dispatcher's own thread"):
        list(dispatcher.map(source))
