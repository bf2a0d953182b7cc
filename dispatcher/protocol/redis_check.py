"""Looks whether a Redis is set up to keep what is put into it, and says in a line each what to do.

`lualoft worker` logs the lines once when it starts, `lualoft status` shows them. It asks with INFO, which the roles of
config/redis/users.acl may, and changes nothing. A Redis that does not say is told as one that could not be checked.
"""

import logging
from typing import Any, Final

from dispatcher.protocol.connection import REDIS_ERRORS, REDIS_GONE, SyncRedis

_log: Final = logging.getLogger("lualoft.redis")

#: The policy that refuses writes when memory is full; every other one throws keys away.
_KEEPING_POLICY: Final = "noeviction"

_EVICTS: Final = (
    "Redis has maxmemory-policy {policy}: when its memory is full it throws queued calls away; "
    "set maxmemory-policy noeviction"
)
_FORGETS: Final = "Redis keeps nothing on disk: queued calls are lost when it restarts; set appendonly yes"
#: INFO does not say whether snapshots are configured, only whether there was one.
_MAY_FORGET: Final = (
    "Redis keeps no append-only file and has made no snapshot yet: unless it is set up to make some, queued calls are "
    "lost when it restarts; set appendonly yes"
)
_UNKNOWN: Final = (
    "whether Redis is set up to keep queued calls could not be checked: it does not permit INFO; "
    "give its user +info, as config/redis/users.acl does"
)


def find_troubles(redis: SyncRedis) -> list[str]:
    """Return a sentence for each setting of Redis that can lose calls; none while it does not answer.

    **Redis**: INFO twice in one round trip, CONFIG GET once where that leaves a question.
    """
    try:
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.info("memory")
            pipeline.info("persistence")
            memory, persistence = pipeline.execute()
    except REDIS_ERRORS as exc:
        # Not its text: it names the user.
        _log.debug("how Redis is set up cannot be looked at, INFO ends with %s", type(exc).__name__)
        return [] if isinstance(exc, REDIS_GONE) else [_UNKNOWN]
    troubles = []
    policy = str(memory.get("maxmemory_policy", _KEEPING_POLICY))
    if policy != _KEEPING_POLICY:
        troubles.append(_EVICTS.format(policy=policy))
    if not persistence.get("aof_enabled") and not persistence.get("rdb_saves"):
        troubles += _snapshot_troubles(redis)
    return troubles


def _snapshot_troubles(redis: SyncRedis) -> list[str]:
    try:
        found: Any = redis.config_get("save")
    except REDIS_ERRORS as exc:
        _log.debug("whether Redis makes snapshots cannot be looked at, CONFIG GET ends with %s", type(exc).__name__)
        return [_MAY_FORGET]
    return [] if any(found.values()) else [_FORGETS]
