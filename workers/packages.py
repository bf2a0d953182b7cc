"""Script packages by id: fetched from Redis, unsealed and checked once, then kept.

The taking thread asks for what a chunk needs before the engine sees the chunk, so the engine never waits for Redis.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_package

if TYPE_CHECKING:
    from redis import Redis

    from dispatcher.protocol.invocation import ScriptPackage
    from dispatcher.protocol.sealing import Seal

#: Packages kept beside the loaded instances; a source may be large, so not many.
MAX_KEPT: Final = 2048


class PackageStore:
    """The packages that this worker knows. Used by the taking thread only; `get` is safe from any."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis = redis
        self._seal = seal
        self._kept: OrderedDict[bytes, ScriptPackage] = OrderedDict()

    def get(self, package_id: bytes) -> ScriptPackage | None:
        """Return a package that `fetch` has seen, None if it was not to be had."""
        return self._kept.get(package_id)

    def fetch(self, package_ids: set[bytes]) -> None:
        """Make the packages known, as far as Redis has them.

        Redis: one MGET when something is missing, nothing otherwise.

        Raises:
            SealError, CodecError: what lies there is not a package of ours.
            redis errors.
        """
        missing = [package_id for package_id in package_ids if package_id not in self._kept]
        if not missing:
            return
        blobs: Any = self._redis.mget([keys.script_package(package_id.hex()) for package_id in missing])
        for package_id, blob in zip(missing, blobs, strict=True):
            if blob is not None:
                data = self._seal.unseal(blob, keys.script_context(package_id.hex()))
                self._kept[package_id] = decode_package(data, package_id)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
