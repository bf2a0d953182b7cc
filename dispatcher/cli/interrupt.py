"""From when on Ctrl-C is an exception that cleans up, instead of the plain end of the process.

`main` begins with the plain end. A sub-command changes over once its libraries are loaded and before it starts what
needs cleaning up: Python drops an interrupt that comes inside one of the import system's callbacks.
"""

from __future__ import annotations

import signal


def raise_on_interrupt() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from now on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
