"""Scripts by name: where their source comes from, and the package that is shipped to Redis once.

The dispatcher asks it at every call. A file is looked at again at most once a second; when it changed, the next call
gets the new version while calls in flight finish on the old one. Nothing here runs Lua.
"""

from __future__ import annotations

import hashlib
import stat
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.bounded_file import read_bounded
from dispatcher.protocol.codec import encode_package
from dispatcher.protocol.egress_rule import parse_egress_rule
from dispatcher.protocol.errors import ArgumentError, ScriptNotFoundError, ScriptUnreadableError, SettingsError
from dispatcher.protocol.invocation import SCHEMA_VERSION, ScriptPackage
from dispatcher.protocol.settings import (
    DEFAULT_MEMORY_CAP_BYTES,
    MAX_MEMORY_CAP_BYTES,
    MIN_MEMORY_CAP_BYTES,
    ScriptSettings,
)

if TYPE_CHECKING:
    from dispatcher.protocol.settings import LuaSettings, Settings

#: A script file is compared with the disk at most this often.
RECHECK_S: Final = 1.0

#: The largest source that is accepted; a script is read into memory whole.
MAX_SOURCE_BYTES: Final = 64 * 1024 * 1024

#: Where a script may come from.
ORIGINS: Final = ("file", "string", "stream")
#: The Dovecot lines that a script may be written for.
DIALECTS: Final = ("2.3", "2.4")
#: The Luas that may run it.
LUA_VERSIONS: Final = ("5.1", "5.2", "5.3", "5.4", "5.5", "luajit")


@dataclass(frozen=True)
class Script:
    """A Lua source with its name, and how it wants to be run.

    Make one with `from_file`, `from_string` or `from_stream`: the origin decides the chunk name in Lua's messages
    as it does in Dovecot.
    """

    name: str
    origin: str
    source: bytes = field(repr=False)
    dialect: str = "2.4"
    lua: str = "5.4"
    #: What `script_init` is given; may hold credentials.
    settings: dict[str, str] = field(default_factory=dict, repr=False)
    #: Cap of the Lua state's memory; 0 means none.
    max_memory_bytes: int = DEFAULT_MEMORY_CAP_BYTES
    #: Processor time of one call; 0 means the worker's own limit.
    max_cpu_s: float = 0.0
    #: Calls that may be inside one instance at once; 0 means no cap.
    max_concurrent: int = 0
    #: Hosts and networks that its requests may reach; empty: all.
    egress: tuple[str, ...] = ()
    #: Names of the dicts that it may open.
    dicts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no worker could load.

        Raises:
            ArgumentError: names the field and what is allowed.
        """
        for field_name, value, allowed in (
            ("origin", self.origin, ORIGINS),
            ("dialect", self.dialect, DIALECTS),
            ("lua", self.lua, LUA_VERSIONS),
        ):
            if value not in allowed:
                raise ArgumentError(f"script {field_name} must be one of {', '.join(allowed)}, not {value!r}")
        if self.max_memory_bytes and not MIN_MEMORY_CAP_BYTES <= self.max_memory_bytes <= MAX_MEMORY_CAP_BYTES:
            bounds = f"{MIN_MEMORY_CAP_BYTES} to {MAX_MEMORY_CAP_BYTES}"
            raise ArgumentError(f"script max_memory_bytes must be 0 or {bounds}")
        for entry in self.egress:
            try:
                parse_egress_rule(entry, "script egress")
            except SettingsError as exc:
                raise ArgumentError(str(exc)) from exc

    @classmethod
    def from_file(cls, path: str | Path, options: ScriptSettings | None = None, lua: str = "5.4") -> Script:
        """Read a script file; its path is its name.

        Raises:
            ScriptUnreadableError: with Dovecot's text for a missing file.
        """
        return cls._make(str(path), "file", _read(Path(path)), options, lua)

    @classmethod
    def from_string(cls, text: str | bytes, options: ScriptSettings | None = None, lua: str = "5.4") -> Script:
        """Take a script given as text; its name is the SHA-1 of the text in hex, as in Dovecot."""
        source = text.encode() if isinstance(text, str) else text
        name = hashlib.sha1(source, usedforsecurity=False).hexdigest()
        return cls._make(name, "string", source, options, lua)

    @classmethod
    def from_stream(cls, name: str, data: bytes, options: ScriptSettings | None = None, lua: str = "5.4") -> Script:
        """Take a script read from a stream of that (not empty) name."""
        return cls._make(name, "stream", data, options, lua)

    @classmethod
    def _make(cls, name: str, origin: str, source: bytes, options: ScriptSettings | None, lua: str) -> Script:
        # A path may hold bytes that are not UTF-8; the wire and the logs carry text.
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        options = options or ScriptSettings()
        return cls(
            name,
            origin,
            source,
            dialect=options.dialect,
            lua=options.lua or lua,
            settings=dict(options.settings),
            max_memory_bytes=options.max_memory_bytes,
            max_cpu_s=options.max_cpu_s,
            max_concurrent=options.concurrency,
            egress=tuple(options.egress),
            dicts=tuple(options.dicts),
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 hex of the source."""
        return hashlib.sha256(self.source).hexdigest()

    @cached_property
    def packed(self) -> tuple[bytes, bytes]:
        """(package id, encoded package): what the wire carries."""
        package = ScriptPackage(
            SCHEMA_VERSION,
            self.name,
            self.origin,
            self.source,
            self.dialect,
            self.lua,
            self.settings,
            self.max_memory_bytes,
            self.max_cpu_s,
            self.max_concurrent,
            list(self.egress),
            list(self.dicts),
        )
        return encode_package(package)


@dataclass
class _Watched:
    """A script file as it was when it was last looked at."""

    script: Script
    stamp: tuple[int, int, int]
    checked_s: float


class Catalog:
    """Finds scripts by name: `[scripts.NAME]` of the settings, then `NAME.lua` in the script directories."""

    def __init__(self, settings: Settings) -> None:
        self._scripts = settings.scripts
        self._lua: LuaSettings = settings.lua
        self._watched: dict[str, _Watched] = {}

    def find(self, name: str) -> Script:
        """Return the script of that name in its newest version.

        Raises:
            ScriptNotFoundError: no source has the name; the error lists those that exist.
            ScriptUnreadableError: the name is known and its file cannot be read.
        """
        watched = self._watched.get(name)
        now_s = time.monotonic()
        if watched is not None and now_s - watched.checked_s < RECHECK_S:
            return watched.script
        path, options = self._locate(name)
        stamp = _stamp(path)
        if watched is None or watched.stamp != stamp:
            watched = _Watched(Script.from_file(path, options, self._lua.version), stamp, now_s)
            self._watched[name] = watched
        watched.checked_s = now_s
        return watched.script

    def names(self) -> tuple[str, ...]:
        """All names that `find` knows, sorted."""
        found = {path.stem for folder in self._lua.script_dirs for path in Path(folder).glob("*.lua")}
        return tuple(sorted(found | set(self._scripts)))

    def _locate(self, name: str) -> tuple[Path, ScriptSettings | None]:
        options = self._scripts.get(name)
        if options is not None and options.file:
            return Path(options.file), options
        for folder in self._lua.script_dirs:
            path = Path(folder) / f"{name}.lua"
            # A name is no path: `../x` must not leave the directory.
            if path.parent == Path(folder) and path.is_file():
                return path, options
        raise ScriptNotFoundError(name, self.names())


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as exc:
        raise ScriptUnreadableError(str(path), exc.strerror or str(exc)) from exc
    except ValueError as exc:
        raise ScriptUnreadableError(str(path), "the path holds a NUL") from exc
    # A pipe can be read once, and a script with a name is read again when it changed.
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise ScriptUnreadableError(str(path), "Is not a regular file")
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_SOURCE_BYTES, may_be_pipe=True)
    except OSError as exc:
        raise ScriptUnreadableError(str(path), exc.strerror or str(exc)) from exc
