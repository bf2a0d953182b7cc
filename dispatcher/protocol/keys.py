"""The catalogue of Redis keys, and of the contexts that sealed messages are bound to.

Whoever reads or writes Redis asks here, so that every name stands in one place. No I/O, and no decision about what is
kept there. The names of RQ's own keys follow RQ 3 and are compared with RQ in a test.
"""

from typing import Final

#: In front of every key of ours.
PREFIX: Final = "lualoft:"

#: RQ: set of the keys of all queues.
RQ_QUEUES: Final = "rq:queues"
#: RQ: set of the keys of all workers.
RQ_WORKERS: Final = "rq:workers"

#: In front of the names of our workers; others on the queue have no lease.
WORKER_NAME_PREFIX: Final = "lualoft-"

#: What stands in a lease while its worker has it (workers/lease.lua).
LEASE_HELD: Final = b"held"

#: Hash of the scripts that are parked because they keep hitting their limits: package id -> until when.
PARKED_SCRIPTS: Final = f"{PREFIX}parked"

#: Sorted set of the names of pools, by when they last told how they are, in seconds since the epoch.
POOLS: Final = f"{PREFIX}pools"


def reply_stream(dispatcher_id: str) -> str:
    """Key of the stream on which one dispatcher object receives its outcomes."""
    return f"{PREFIX}reply:{dispatcher_id}"


def script_package(package_id_hex: str) -> str:
    """Key of the sealed script package with this id."""
    return f"{PREFIX}script:{package_id_hex}"


def worker_stats(worker_name: str) -> str:
    """Key of the hash with the counters of one worker."""
    return f"{PREFIX}worker:{worker_name}:stats"


def worker_lease(worker_name: str) -> str:
    """Key that says whether one worker still owns the chunks that it has begun."""
    return f"{PREFIX}lease:{worker_name}"


def pool_note(pool_name: str) -> str:
    """Key of what the supervisor of one pool tells (pool_note.py)."""
    return f"{PREFIX}pool:{pool_name}"


def rejected_list(queue: str) -> str:
    """Key of the list of jobs of a queue that workers rejected (rejection.py)."""
    return f"{PREFIX}rejected:{queue}"


def rejected_count(queue: str) -> str:
    """Key of the number of jobs of a queue that workers rejected."""
    return f"{PREFIX}rejected:{queue}:count"


def opened_chunks(session_hex: str, block: int) -> str:
    """Key of the bitmap of the chunks that were opened, of one block of the messages of one sealing session."""
    return f"{PREFIX}opened:{session_hex}:{block}"


def login_limit(what: str, fingerprint: bytes) -> str:
    """Key of the count of the logins of one user or address (`what`), which the fingerprint stands for."""
    return f"{PREFIX}limit:{what}:{fingerprint.hex()}"


def flight(fingerprint: bytes) -> str:
    """Key of the hash of who runs a check in flight and who waits for it; the fingerprint stands for the check."""
    return f"{PREFIX}flight:{fingerprint.hex()}"


def chunk_context(queue: str, job_id: str) -> bytes:
    """Context of a chunk: opens only on the queue that it was sent to, as the job that it was sent as."""
    return f"{PREFIX}chunk:{queue}:{job_id}".encode()


def reply_context(dispatcher_id: str) -> bytes:
    """Context of outcomes: opens only for the dispatcher that they belong to."""
    return reply_stream(dispatcher_id).encode()


def flight_context(flight_key: str) -> bytes:
    """Context of a request for the outcome of a check: opens only as one for the same check."""
    return flight_key.encode()


def script_context(package_id_hex: str) -> bytes:
    """Context of a script package: opens only under the id that it was stored with."""
    return script_package(package_id_hex).encode()


def parked_context(package_id_hex: str, text: bytes) -> bytes:
    """Context of the proof that a script is parked: it holds for this script and what the text says of it."""
    return f"{PARKED_SCRIPTS}:{package_id_hex}:".encode() + text


def rq_queue(queue: str) -> str:
    """RQ: list of the ids of the jobs that wait on a queue."""
    return f"rq:queue:{queue}"


def rq_queue_workers(queue: str) -> str:
    """RQ: set of the keys of the workers that listen on a queue."""
    return f"rq:workers:{queue}"


def rq_intermediate(queue: str) -> str:
    """RQ: list of the ids of jobs that a worker has taken and not yet started."""
    return f"rq:queue:{queue}:intermediate"


def rq_started_registry(queue: str) -> str:
    """RQ: sorted set of the executions that run, by the time at which they count as lost."""
    return f"rq:wip:{queue}"


def rq_failed_registry(queue: str) -> str:
    """RQ: sorted set of the ids of failed jobs."""
    return f"rq:failed:{queue}"


def rq_job(job_id: str) -> str:
    """RQ: hash of one job."""
    return f"rq:job:{job_id}"


def rq_worker(worker_name: str) -> str:
    """RQ: hash of one worker."""
    return f"rq:worker:{worker_name}"


def rq_worker_executions(worker_name: str) -> str:
    """RQ: what one worker is running, needed to give back the work of a dead one."""
    return f"rq:worker:{worker_name}:executions"
