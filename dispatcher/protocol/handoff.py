"""How a parent process gives a child its settings and hears that it is ready.

Settings hold keys, so they go through the child's standard input: arguments and environment can be read by others. The
pipe stays open afterwards; its end tells the child that the parent is gone. Used by the pool, its workers, and whoever
starts `python -m workers`.
"""

from __future__ import annotations

import os
import threading
from typing import IO, TYPE_CHECKING, BinaryIO, Final

from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.settings import settings_from_bytes, settings_to_bytes
from dispatcher.protocol.settings_fields import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dispatcher.protocol.settings import Settings

#: What a child writes to its standard output, once, when it can work.
READY_LINE: Final = b"ready\n"

#: Exit code of a worker that a script held up: it has given its work back, another one is to start (EX_TEMPFAIL).
EXIT_STUCK: Final = 75

_LENGTH_BYTES: Final = 4


class HandoffError(LualoftError):
    """The parent sent no settings."""


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child.

    Without our own variables, which hold keys that a script could read; and such that a folder named `workers` or
    `dispatcher` in the current directory is not imported in our place.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    return kept | {"PYTHONSAFEPATH": "1"}


def write_settings(stream: IO[bytes], settings: Settings) -> None:
    """Send settings to a child; the stream stays open."""
    data = settings_to_bytes(settings)
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    stream.flush()


def read_settings(stream: BinaryIO) -> Settings:
    """Read what the parent sent: a 4-byte big-endian length, then the settings.

    Raises:
        HandoffError: the stream ends too early, as when somebody starts the module by hand.
    """
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
    data = stream.read(length)
    if not length or len(data) < length:
        message = "no settings on standard input: this process is started by `lualoft worker` or `lualoft up`"
        raise HandoffError(message)
    return settings_from_bytes(data)


def when_parent_ends(stream: BinaryIO, act: Callable[[], None]) -> None:
    """Call `act` on a thread of its own once the parent's end of the pipe is closed."""

    def watch() -> None:
        # The descriptor itself: a thread inside the buffered stream would hold its lock when the interpreter ends.
        while os.read(stream.fileno(), 1):
            pass
        act()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
