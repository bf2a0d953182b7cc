"""`python -m workers`: the pool as a child of `lualoft up`, with the settings on standard input.

Says `ready` on standard output when all workers work, and drains when it is told to stop or its parent is gone.
"""

from __future__ import annotations

import signal
import sys

from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.handoff import READY_LINE, read_settings, when_parent_ends
from workers.core_dumps import forbid_core_dumps
from workers.log_queue import queue_stderr
from workers.log_setup import set_up_logging
from workers.pool import Pool


def main() -> int:
    """Run the pool; returns the exit code."""
    forbid_core_dumps()
    queue_stderr()
    # Ctrl-C reaches this process too; the parent decides what it means and ends our standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = read_settings(sys.stdin.buffer)
        set_up_logging(settings.log)
        pool = Pool(settings, _tell_ready)
    except LualoftError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    signal.signal(signal.SIGTERM, lambda _signal, _frame: pool.stop())
    when_parent_ends(sys.stdin.buffer, pool.stop)
    pool.run()
    # All is done; one more SIGTERM while the interpreter ends must not turn this into a failure.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return 0


def _tell_ready(_count: int) -> None:
    sys.stdout.buffer.write(READY_LINE)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
