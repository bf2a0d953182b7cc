"""Keeps what a process knows out of files and out of the reach of its neighbours: no core dump, no attaching.

Pool and workers call it first thing, as they hold keys, and workers passwords. Must never end a process: where the
system cannot do it, the process works without.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from typing import Final

#: prctl(2): may the process be dumped, and may others of its user read its memory?
_PR_SET_DUMPABLE: Final = 4


def forbid_core_dumps() -> None:
    """Have the system write no core file of this process, and let nobody but root read its memory (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        # For the programs that a script starts, too: they inherit the limit, but not the other.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    # A pipe in kernel.core_pattern ignores the limit; a process that is not dumpable is left alone there as well.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
