"""The exit codes of `lualoft`, in one place for those who script it.

Sub-commands return them. 1, 2, 75 and 78 are those of `dispatcher.protocol.errors`, given names here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.errors import EXIT_FAILURE, EXIT_SETTINGS, EXIT_TEMPORARY, EXIT_USAGE

if TYPE_CHECKING:
    from dispatcher.protocol.outcome import Outcome

#: Everything went well.
OK: Final = 0
#: The script failed or refused the login, or an input line could not be used.
FAILED: Final = EXIT_FAILURE
#: The command was called wrongly: unknown option, missing file, unknown script.
USAGE: Final = EXIT_USAGE
#: A user that was looked up does not exist (EX_NOUSER of sysexits.h, as doveadm ends then).
NO_USER: Final = 67
#: A mistake in lualoft itself (EX_SOFTWARE of sysexits.h).
INTERNAL: Final = 70
#: A failure of the moment (no Redis, no worker, deadline): the same command may succeed later.
TEMPORARY: Final = EXIT_TEMPORARY
#: The settings are wrong; trying again does not help.
SETTINGS: Final = EXIT_SETTINGS
#: Ended by Ctrl-C, as shells count it: 128 + SIGINT.
INTERRUPTED: Final = 130
#: Whoever read the output has gone, as in `| head`: 128 + SIGPIPE.
READER_GONE: Final = 141
#: Ended by SIGTERM: 128 + SIGTERM.
TERMINATED: Final = 143

#: Verdicts that decide nothing: `next` says that another script would have to.
_UNDECIDED: Final = frozenset({AuthVerdict.INTERNAL_FAILURE, AuthVerdict.NEXT})


def of_outcome(outcome: Outcome) -> int:
    """Return the exit code of a single call."""
    if outcome.is_ok:
        return OK
    return TEMPORARY if outcome.is_retryable else FAILED


def of_login(verdict: AuthVerdict) -> int:
    """Return the exit code of a login that was tried: what is not the script's own answer is never its no."""
    if verdict is AuthVerdict.OK:
        return OK
    return TEMPORARY if verdict in _UNDECIDED else FAILED


def of_lookup(verdict: AuthVerdict) -> int:
    """Return the exit code of a user that was looked up: a user who does not exist has a code of its own."""
    return NO_USER if verdict is AuthVerdict.USER_UNKNOWN else of_login(verdict)
