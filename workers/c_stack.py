"""Room on the C stack for Lua versions that count their nested C calls too late.

A worker process calls it once at its start. Lua 5.1 (patterns) and LuaJIT (callbacks of string.gsub and the like)
would run over the usual 8 MiB before they report an overflow; a script could end the process that way.
"""

from __future__ import annotations

import resource
from typing import Final

#: Enough for LuaJIT's own limit of Lua stack slots, all of them spent on the largest C frames. Linux keeps this much
#: address space free below the stack whatever the limit was at the start.
C_STACK_BYTES: Final = 120 << 20


def raise_c_stack_limit() -> int:
    """Raise the soft limit of the main thread's stack, as far as the hard limit allows; returns the new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft >= C_STACK_BYTES:
        return soft
    wanted = C_STACK_BYTES if hard == resource.RLIM_INFINITY else min(C_STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    return wanted
