"""Makes dicts from their settings, each when it is first used, and closes them all at the end.

The worker's operations hold one `DictFactory`; the command line makes one for a single run.
"""

from collections.abc import Mapping

from dispatcher.protocol.settings import DictSettings, RedisSettings
from workers.dict.dictionary import Dictionary, DictOptions
from workers.dict.driver import Driver
from workers.dict.error import DictNotFoundError
from workers.dict.layout import LAYOUTS
from workers.dict.memory_driver import MemoryDriver
from workers.dict.redis_driver import RedisDriver, RedisOptions


class DictFactory:
    """The dicts of the settings by name; belongs to one event loop."""

    def __init__(self, settings: Mapping[str, DictSettings]) -> None:
        self._settings = settings
        self._dicts: dict[str, Dictionary] = {}

    def get(self, name: str) -> Dictionary:
        """Return a dict; nothing is connected before it is used.

        Raises:
            DictNotFoundError: there is no such dict.
        """
        if name not in self._dicts:
            if name not in self._settings:
                raise DictNotFoundError(name, self._settings)
            self._dicts[name] = make_dictionary(self._settings[name])
        return self._dicts[name]

    async def close(self) -> None:
        """Close all of them."""
        dicts, self._dicts = self._dicts, {}
        for dictionary in dicts.values():
            await dictionary.close()


def make_dictionary(settings: DictSettings) -> Dictionary:
    """Make a dict as its settings say."""
    prefix = settings.prefix.encode()
    options = DictOptions(expire_s=settings.expire_s, max_value_bytes=settings.max_value_bytes)
    return Dictionary(_make_driver(settings, prefix), LAYOUTS[settings.layout](prefix), options)


def _make_driver(settings: DictSettings, prefix: bytes) -> Driver:
    if settings.driver == "memory":
        return MemoryDriver()
    redis_settings = RedisSettings(
        url=settings.url,
        socket_timeout_s=settings.timeout_s,
        connect_timeout_s=settings.connect_timeout_s,
        max_backoff_s=settings.max_backoff_s,
    )
    return RedisDriver(
        redis_settings, RedisOptions(prefix=prefix, has_index=settings.index, timeout_s=settings.timeout_s)
    )
