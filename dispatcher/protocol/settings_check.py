"""Looks at settings that are allowed and yet may not be meant, and says in a sentence each what to do.

`lualoft check-config` shows the sentences, workers log those about the key when they start. Nothing is refused.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dispatcher.protocol.settings import Settings


def key_file_doubts(settings: Settings) -> Iterator[str]:
    """Say whether others than its owner and its group can read or change the key's file."""
    if not settings.key_file:
        return
    try:
        mode = Path(settings.key_file).stat().st_mode
    except OSError:
        # It was read a moment ago; that it has gone since is nothing for here.
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield (
            f"key_file {settings.key_file} has mode {stat.S_IMODE(mode):o}: every user of this machine can reach the "
            f"key; chmod 600 {settings.key_file}"
        )


def limit_doubts(settings: Settings) -> Iterator[str]:
    """Say which calls end by their deadline before their limit of processor time could end them."""
    deadline_s = settings.dispatch.deadline_s
    limits = {"engine.max_cpu_s": settings.engine.max_cpu_s}
    limits |= {f"scripts.{name}.max_cpu_s": script.max_cpu_s for name, script in settings.scripts.items()}
    for name, max_cpu_s in limits.items():
        if max_cpu_s >= deadline_s:
            yield (
                f"{name} is {max_cpu_s:g} s and dispatch.deadline_s {deadline_s:g} s: an endless loop runs until its "
                f"deadline, the limit never ends it; set it to less than {deadline_s:g}"
            )
