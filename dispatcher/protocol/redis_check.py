"""Looks whether a Redis is set up to keep what is put into it, and says in a line each what to do.

`lualoft worker` logs the lines once when it starts, `lualoft status` shows them. It reads configuration and changes
nothing; whether Redis permits that is Redis's affair, so being refused is no trouble.
"""

import logging
from typing import Any, Final

from dispatcher.protocol.connection import REDIS_ERRORS, SyncRedis

_log: Final = logging.getLogger("lualoft.redis")

#: The policy that refuses writes when memory is full; every other one throws keys away.
_KEEPING_POLICY: Final = "noeviction"

_EVICTS: Final = (
    "Redis has maxmemory-policy {policy}: when its memory is full it throws queued calls away; "
    "set maxmemory-policy noeviction"
)
_FORGETS: Final = "Redis keeps nothing on disk: queued calls are lost when it restarts; set appendonly yes"


def find_troubles(redis: SyncRedis) -> list[str]:
    """Return a sentence for each setting of Redis that can lose calls; none when Redis does not tell.

    **Redis**: CONFIG GET, three times, in one round trip.
    """
    try:
        with redis.pipeline(transaction=False) as pipeline:
            for name in ("maxmemory-policy", "appendonly", "save"):
                pipeline.config_get(name)
            found = _merged(pipeline.execute())
    except REDIS_ERRORS as exc:
        # Not its text: it names the user.
        _log.debug("how Redis is set up cannot be looked at, CONFIG GET ends with %s", type(exc).__name__)
        return []
    troubles = []
    policy = found.get("maxmemory-policy", _KEEPING_POLICY)
    if policy != _KEEPING_POLICY:
        troubles.append(_EVICTS.format(policy=policy))
    if found.get("appendonly") == "no" and found.get("save") == "":
        troubles.append(_FORGETS)
    return troubles


def _merged(answers: list[Any]) -> dict[str, str]:
    return {_text(name): _text(value) for answer in answers for name, value in answer.items()}


def _text(value: bytes | str) -> str:
    # redis-py gives names and values of CONFIG GET as text or bytes, by the protocol that it speaks.
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
