"""`lualoft`: the entry point. Makes Ctrl-C quiet and the standard streams whole, then hands over to `app`."""

# First of all, before any other import: Ctrl-C while Python loads ends us without a traceback, and nothing is there
# yet that needs cleaning up. `interrupt` says when that changes.
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

import os  # noqa: E402 - see above
import sys  # noqa: E402
from typing import NoReturn  # noqa: E402

#: The exit code of `exit_codes.INTERNAL`, for when not even that can be loaded.
_INTERNAL = 70


def main() -> NoReturn:
    """Run `lualoft` with the arguments of the process."""
    _fill_standard_streams()
    try:
        from dispatcher.cli.app import run
    except Exception as exc:  # noqa: BLE001 - no libraries, no descriptors, no memory: a sentence, whatever it is
        os.write(2, f"lualoft: cannot load itself: {type(exc).__name__}\n".encode())
        sys.exit(_INTERNAL)
    sys.exit(run(sys.argv[1:]))


def _fill_standard_streams() -> None:
    """Put something under closed descriptors, so that no file or socket of ours becomes a standard stream by chance."""
    # Using a closed input or output fails as it did before; what is said on a closed standard error goes nowhere.
    for descriptor, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor is this one.
            os.set_inheritable(os.open(os.devnull, mode), True)  # noqa: FBT003 - the system's signature
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115 - a descriptor, for good


if __name__ == "__main__":
    main()
