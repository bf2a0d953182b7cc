import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.queue import Queue
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.worker import Worker
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from dispatcher.protocol import keys


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        pytest.param(Queue.redis_queues_keys, keys.RQ_QUEUES, id="queues"),
        pytest.param(REDIS_WORKER_KEYS, keys.RQ_WORKERS, id="workers"),
        pytest.param(Queue.redis_queue_namespace_prefix + "q", keys.rq_queue("q"), id="queue"),
        pytest.param(WORKERS_BY_QUEUE_KEY % "q", keys.rq_queue_workers("q"), id="workers of a queue"),
        pytest.param(
            IntermediateQueue.get_intermediate_queue_key("rq:queue:q"), keys.rq_intermediate("q"), id="intermediate"
        ),
        pytest.param(StartedJobRegistry.key_template.format("q"), keys.rq_started_registry("q"), id="started"),
        pytest.param(FailedJobRegistry.key_template.format("q"), keys.rq_failed_registry("q"), id="failed"),
        pytest.param(Job.key_for("j"), keys.rq_job("j"), id="job"),
        pytest.param(Worker.redis_worker_namespace_prefix + "w", keys.rq_worker("w"), id="worker"),
        pytest.param(WORKER_EXECUTIONS_KEY_TEMPLATE.format("w"), keys.rq_worker_executions("w"), id="executions"),
    ],
)
def test_name_of_a_key_of_rq_is_what_rq_says(expected, actual):
    assert expected == actual


@pytest.mark.parametrize("function", [keys.reply_stream, keys.script_package, keys.worker_stats, keys.worker_lease])
@given(first=st.text(), second=st.text())
def test_two_ids_never_share_a_key(function, first, second):
    assert (first == second) == (function(first) == function(second))


@given(name=st.text(st.characters(codec="utf-8")))
def test_contexts_of_different_kinds_never_meet(name):
    contexts = {
        keys.chunk_context(name, "job"),
        keys.chunk_context(name, "other"),
        keys.reply_context(name),
        keys.script_context(name),
    }
    assert 4 == len(contexts)
    assert all(context.startswith(b"lualoft:") for context in contexts)
