"""`lualoft`: the entry point. Sees to it that Ctrl-C is quiet from the first moment on, then hands over to `app`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run `lualoft` with the arguments of the process."""
    # Ctrl-C while the libraries load ends us without a traceback; nothing is there yet that needs cleaning up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from dispatcher.cli.app import run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
