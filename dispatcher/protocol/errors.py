"""Every error that lualoft raises on purpose, under one root.

Both sides and the command line use it: the command line turns an error into its sentence and `exit_code`.
Messages never hold a secret or an argument's value; what a caller may want to act on is a typed field.
"""

from collections.abc import Sequence
from typing import ClassVar

#: Exit code: the script failed or said no, or something that has no code of its own.
EXIT_FAILURE = 1
#: Exit code: the command was called wrongly.
EXIT_USAGE = 2
#: Exit code: a temporary failure, trying again later may help (EX_TEMPFAIL of sysexits.h).
EXIT_TEMPORARY = 75
#: Exit code: the settings are wrong, trying again will not help (EX_CONFIG of sysexits.h).
EXIT_SETTINGS = 78


class LualoftError(Exception):
    """The root: everything that lualoft raises on purpose."""

    exit_code: ClassVar[int] = EXIT_FAILURE


class SettingsError(LualoftError):
    """A setting that cannot be used, with where it came from and what is allowed."""

    exit_code = EXIT_SETTINGS

    def __init__(self, key: str, problem: str, *, source: str = "", allowed: str = "") -> None:
        """Build the sentence from its parts.

        Args:
            key: dotted name of the setting ("redis.url"), or the unknown name as it was written.
            problem: what is wrong with it; never the value of a secret.
            source: where it came from ("environment LUALOFT_REDIS_URL"); empty if it was left out.
            allowed: what would have been right.
        """
        origin = f" ({source})" if source else ""
        hint = f"; allowed: {allowed}" if allowed else ""
        super().__init__(f"{key}{origin}: {problem}{hint}")
        self.key = key
        self.problem = problem
        self.source = source
        self.allowed = allowed

    def located(self, source: str) -> "SettingsError":
        """Return the same error with the place that its setting came from."""
        return SettingsError(self.key, self.problem, source=source, allowed=self.allowed)


class KeyMissingError(SettingsError):
    """A Redis that others may reach is to be used without a key to seal with."""

    def __init__(self, redis_address: str) -> None:
        """Say how to get a key; `redis_address` is shown and must hold no password."""
        super().__init__(
            "key",
            f"the Redis at {redis_address} needs a key to seal messages with",
            allowed="the output of `lualoft keygen`, the same on every machine, in LUALOFT_KEY, "
            "in a file named by LUALOFT_KEY_FILE, or as key_file in the settings file",
        )
        self.redis_address = redis_address


class SealError(LualoftError):
    """A message that does not unseal: another key, another place, or changed on the way."""


class CodecError(LualoftError):
    """A message that does not decode, or whose schema version is not ours."""


class ArgumentError(LualoftError):
    """An argument that cannot travel; the message says where it stands (`args[1]["x"]`) and its type."""


class OversizeError(ArgumentError):
    """Something that is over its cap in bytes."""

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        """Name what was too big ("invocation", "chunk", ...), how big it was, and its cap."""
        super().__init__(f"{what} has {size_bytes} bytes, the limit is {limit_bytes} bytes")
        self.what = what
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class ScriptNotFoundError(LualoftError):
    """A script name or file that nothing stands behind."""

    exit_code = EXIT_USAGE

    def __init__(self, name: str, known_names: Sequence[str] = ()) -> None:
        """Name the script that was asked for and those that exist."""
        known = ", ".join(known_names) if known_names else "none"
        super().__init__(f"there is no script {name!r}; known scripts: {known}")
        self.name = name
        self.known_names = tuple(known_names)


class ScriptUnreadableError(LualoftError):
    """A script file that cannot be read, in Dovecot's words."""

    exit_code = EXIT_USAGE

    def __init__(self, path: str, reason: str) -> None:
        """Name the file and the system's reason."""
        super().__init__(f"access({path}) failed: {reason}")
        self.path = path
        self.reason = reason


class UnavailableError(LualoftError):
    """No Redis, or no worker: a failure of the moment."""

    exit_code = EXIT_TEMPORARY
