"""A worker's right to the chunks that it has begun: a key in Redis that it renews, and that runs out without it.

When a lease has run out, the pool of another machine may claim the worker's chunks. So a worker that cannot renew stops
for good before that, by its own clock; and what it may still send afterwards (it was stopped, its host slept) is not
taken any more, because the claim leaves a mark in the key (workers/deliver.lua).
"""

from __future__ import annotations

import logging
import threading
import time
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from dispatcher.protocol import keys
from dispatcher.protocol.errors import LualoftError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

_log: Final = logging.getLogger("lualoft.worker")

#: Part of a lease after which the worker itself stops, counted from its last renewal: the rest is more than clocks may
#: drift apart meanwhile, and than an outcome travels.
OWN_SHARE: Final = 0.8

#: Looks at the clock per lease.
LOOK_COUNT: Final = 30

#: Seconds for which a claim holds at first: should who made it die before the work is given back, another one may.
CLAIM_HOLDS_S: Final = 60

#: Seconds for which it stays marked once that is done: no worker is stopped for longer and then goes on.
CLAIM_KEPT_S: Final = 86_400


class LeaseLostError(LualoftError):
    """The lease was claimed by another pool."""

    def __init__(self) -> None:
        super().__init__("the lease of this worker was claimed by another pool, which runs its calls now")


class Lease:
    """The lease of one worker."""

    def __init__(self, redis: Redis, worker_name: str, lease_s: float, on_lost: Callable[[], None]) -> None:
        """Set up without renewing.

        Args:
            redis: any client of this worker.
            worker_name: unique among all workers.
            lease_s: seconds from a renewal until somebody else may claim.
            on_lost: called once, on a thread of its own; must end the process.
        """
        self._redis = redis
        self._key = keys.worker_lease(worker_name)
        self._lease_s = lease_s
        self._on_lost = on_lost
        self._valid_until_s = float("inf")

    def renew(self) -> None:
        """Hold the lease from now on. Redis: one script, atomic.

        Raises:
            LeaseLostError: somebody else has claimed it.
            redis errors.
        """
        # Before it is sent: Redis counts from when it arrives, which is later.
        asked_s = _now_s()
        if not self._redis.eval(lease_script(), 1, self._key, "renew", int(self._lease_s * 1000)):
            raise LeaseLostError
        self._valid_until_s = asked_s + self._lease_s * OWN_SHARE

    def watch(self) -> None:
        """Look at the clock from here on, on a thread of its own."""
        threading.Thread(target=self._watch, name="lease", daemon=True).start()

    def release(self) -> None:
        """Give it up in good order. Redis: DEL."""
        self._valid_until_s = float("inf")
        self._redis.delete(self._key)

    def _watch(self) -> None:
        while _now_s() < self._valid_until_s:
            time.sleep(self._lease_s / LOOK_COUNT)
        _log.error("Redis could not be reached for %g s: this worker stops", self._lease_s * OWN_SHARE)
        self._on_lost()


def claim(redis: Redis, worker_name: str) -> bool:
    """Take a lease away if it has run out; returns whether the worker's chunks are the caller's. Redis: one script."""
    return bool(redis.eval(lease_script(), 1, keys.worker_lease(worker_name), "claim", CLAIM_HOLDS_S * 1000))


def keep_claim(redis: Redis, worker_name: str) -> None:
    """Leave the mark of a claim for good: what the worker had begun is given back. Redis: EXPIRE."""
    redis.expire(keys.worker_lease(worker_name), CLAIM_KEPT_S)


def is_claimed(redis: Redis, worker_name: str) -> bool:
    """Has somebody claimed it? Redis: GET."""
    return bool(redis.get(keys.worker_lease(worker_name)) == b"claimed")


@cache
def lease_script() -> str:
    """Return the script behind `renew` and `claim`."""
    return resources.files("workers").joinpath("lease.lua").read_text(encoding="ascii")


def _now_s() -> float:
    # Unlike the monotonic clock it goes on while the machine sleeps.
    return time.clock_gettime(time.CLOCK_BOOTTIME)
