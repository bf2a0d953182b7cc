"""The settings: their sections, defaults and limits, as frozen types.

`settings_source.load_settings` builds them once in `main`, everybody else gets the section they need handed down.
Nothing here reads a file or the environment, and no secret shows in a `repr`.
"""

import os
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from dispatcher.protocol.errors import CodecError
from dispatcher.protocol.secret import MASK, Secret

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
#: A day in seconds: the upper end of every duration, and a guard against `inf`.
MAX_DURATION_S: Final = 86_400
#: The smallest cap on a script's memory: an empty Lua state takes a tenth of it, so below it no script would load.
MIN_MEMORY_CAP_BYTES: Final = 1 * _MIB
MAX_MEMORY_CAP_BYTES: Final = 1024 * 1024 * _MIB
#: Without one, a script that grows takes what the machine has, and Redis with it. Far more than tables of users need: a
#: million of them are some 200 MiB.
DEFAULT_MEMORY_CAP_BYTES: Final = 512 * _MIB

Seconds = Annotated[float, Meta(gt=0, le=MAX_DURATION_S)]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
Bytes = Annotated[int, Meta(ge=1, le=1024 * _MIB)]
Count = Annotated[int, Meta(ge=1, le=100_000_000)]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z",
        description="1 to 128 letters, digits, '_', '-' and '.', beginning with a letter or digit",
    ),
]
LuaVersion = Literal["5.1", "5.2", "5.3", "5.4", "5.5", "luajit"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, named fields only."""


class RedisSettings(Section, frozen=True):
    """Where Redis is and how long to wait for it."""

    #: redis://, rediss://, unix://, sentinel:// or rediss+sentinel://; empty: none, an embedded server is started.
    url: Secret = Secret()
    #: Wait for an answer; a blocking read blocks for less.
    socket_timeout_s: Seconds = 5.0
    #: Wait for a connection to be made.
    connect_timeout_s: Seconds = 2.0
    #: Longest pause between two attempts.
    max_backoff_s: Seconds = 1.0


class DispatchSettings(Section, frozen=True):
    """How invocations are gathered, sent and bounded; workers take `queue` from here too."""

    queue: Name = "default"
    #: A call without its own deadline ends after this.
    deadline_s: Seconds = 10.0
    max_chunk_invocations: Annotated[int, Meta(ge=1, le=65_536)] = 512
    max_chunk_bytes: Bytes = 4 * _MIB
    max_invocation_bytes: Bytes = 1 * _MIB
    #: Past one of these two a call ends as `queue_full` at once.
    max_pending_invocations: Count = 200_000
    max_pending_bytes: Annotated[int, Meta(ge=1, le=1024 * 1024 * _MIB)] = 256 * _MIB
    #: A send slot comes back after this even if its chunk has not been answered.
    slot_return_ms: Milliseconds = 20


class AuthSettings(Section, frozen=True):
    """How dispatchers meet guessing; `dispatcher.auth` reads it."""

    #: Logins of one user, over all dispatchers, within the window; 0: no limit.
    max_user_logins: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    user_window_s: Seconds = 60.0
    #: Logins from one address (of IPv6: from one /64) within the window; 0: no limit.
    max_ip_logins: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    ip_window_s: Seconds = 60.0
    #: Identical checks that are in flight at the same time, in whichever dispatcher, run once.
    single_flight: bool = False


class PoolSettings(Section, frozen=True):
    """How many workers there are and how they come and go."""

    #: 0: as many as there are processor cores.
    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    #: A worker that is asked to stop has this long to finish what it has begun.
    grace_s: Seconds = 20.0
    #: Pause before a dead worker is replaced; doubles up to the maximum, up to half a second if it had been ready.
    respawn_min_s: Seconds = 0.2
    respawn_max_s: Seconds = 30.0
    #: A worker that cannot reach Redis for so long loses its calls to other machines, and stops before that. Less than
    #: `dispatch.deadline_s`, so that the calls of a machine that vanished can run again in time. Not less than four: it
    #: renews its lease every second, or every two while it waits for calls.
    lease_s: Annotated[float, Meta(ge=4, le=MAX_DURATION_S)] = 8.0

    @property
    def count(self) -> int:
        """Number of workers on this machine."""
        return self.workers or os.cpu_count() or 1


class EngineSettings(Section, frozen=True):
    """The bounds inside one worker."""

    #: Invocations that run or wait for something at once; more of them stay in the queue.
    max_in_flight: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    #: A script that computes for longer than this gives way to the other calls.
    slice_ms: Annotated[int, Meta(ge=1, le=1000)] = 10
    #: Processor time of one call, its waits not counted; past it the call ends as `cpu_limit`.
    max_cpu_s: Seconds = 1.0
    #: Operations that scripts wait for (HTTP requests, …) that run at once; more of them wait for their turn.
    max_operations: Annotated[int, Meta(ge=1, le=10_000)] = 512
    #: A script that hits a limit so often within ten seconds is parked; 0: never.
    max_limit_hits: Annotated[int, Meta(ge=0, le=10_000)] = 5
    #: First pause of a parked script; it doubles up to a minute.
    park_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    #: Scripts that stay loaded; the least recently used goes first.
    max_instances: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    #: Log lines of one invocation that travel back to the caller.
    max_log_lines: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    max_log_line_bytes: Bytes = 4 * _KIB
    max_result_bytes: Bytes = 1 * _MIB


class LuaSettings(Section, frozen=True):
    """Which Lua runs the scripts and what it may reach."""

    version: LuaVersion = "5.4"
    #: Lua search path for modules of one's own; parts separated by ";".
    path: str = ""
    #: Whether `require` may load modules written in C.
    c_modules: bool = False
    #: trusted: Dovecot's open libraries; restricted: no files, processes, environment and debug library.
    profile: Literal["trusted", "restricted"] = "trusted"
    #: Folders whose *.lua files are scripts by their name.
    script_dirs: list[str] = []


class DnsSettings(Section, frozen=True):
    """How host names become addresses."""

    #: Servers, asked in this order; empty: those of /etc/resolv.conf, with its search domains and ndots.
    servers: list[str] = []
    #: Domains that are appended to short names.
    search: list[str] = []
    #: A name with at least so many dots is asked as it is first.
    ndots: Annotated[int, Meta(ge=0, le=15)] = 1
    #: A lookup ends after this, with all its attempts.
    timeout_s: Seconds = 10.0
    #: Rounds over all servers within that time.
    attempts: Annotated[int, Meta(ge=1, le=10)] = 2
    #: Names whose answers each worker keeps; 0: none.
    cache_entries: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    #: Bounds of the time for which an answer is kept; the answer itself says how long it holds.
    cache_min_ttl_s: Annotated[int, Meta(ge=0, le=MAX_DURATION_S)] = 0
    cache_max_ttl_s: Annotated[int, Meta(ge=0, le=MAX_DURATION_S)] = 3600


class LogSettings(Section, frozen=True):
    """What is logged and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    #: Event filter as in Dovecot's log_debug: which debug lines of scripts' events are wanted; "debug" wants all.
    debug_filter: str = ""


class ScriptSettings(Section, frozen=True):
    """One script, `[scripts.NAME]` in the settings file."""

    file: str = ""
    #: The Dovecot line that the script was written for.
    dialect: Literal["2.3", "2.4"] = "2.4"
    #: Empty: `lua.version`.
    lua: Literal["", "5.1", "5.2", "5.3", "5.4", "5.5", "luajit"] = ""
    #: Argument of `script_init`: name -> text.
    settings: dict[str, str] = {}
    #: Memory of one instance; 0: no cap. `settings_source` checks the smallest one, which a type cannot say beside 0.
    max_memory_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_MEMORY_CAP_BYTES,
            description=f"0 for no cap, or a whole number from {MIN_MEMORY_CAP_BYTES} to {MAX_MEMORY_CAP_BYTES}",
        ),
    ] = DEFAULT_MEMORY_CAP_BYTES
    #: Processor time of one call; 0: `engine.max_cpu_s`.
    max_cpu_s: Annotated[float, Meta(ge=0, le=MAX_DURATION_S)] = 0.0
    #: Calls that may be inside one instance at once, waiting ones included; 0: no cap.
    max_concurrent: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    #: One call at a time: the same as `max_concurrent = 1`.
    serialize: bool = False
    #: Hosts and networks that its HTTP requests may reach; empty: all.
    egress: list[str] = []
    #: Dicts that it may open; names of [dicts.NAME].
    dicts: list[str] = []

    @property
    def concurrency(self) -> int:
        """Calls that may be inside one instance at once; 0: no cap."""
        return 1 if self.serialize else self.max_concurrent

    def __repr__(self) -> str:
        # What a script is told often holds a password for its back-end.
        shown = {field: getattr(self, field) for field in self.__struct_fields__}
        shown["settings"] = dict.fromkeys(self.settings, MASK)
        return f"ScriptSettings({', '.join(f'{field}={value!r}' for field, value in shown.items())})"


class DictSettings(Section, frozen=True):
    """One dict, `[dicts.NAME]` in the settings file."""

    #: redis, or memory: inside each worker, lost with it.
    driver: Literal["redis", "memory"] = "redis"
    #: As `redis.url`; the driver redis needs one.
    url: Secret = Secret()
    #: In front of every name in the database.
    prefix: str = ""
    #: dovecot: as Dovecot's redis driver lays keys out; tagged: without its collisions.
    layout: Literal["dovecot", "tagged"] = "dovecot"
    #: Whether commits keep an index, which makes iterations cheap and ordered; all writers must go through lualoft.
    index: bool = False
    #: Seconds after which what is written disappears, unless a transaction says otherwise; 0: never.
    expire_s: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    #: Longest wait for an answer.
    timeout_s: Seconds = 5.0
    #: Wait for a connection to be made.
    connect_timeout_s: Seconds = 2.0
    #: Longest pause between two attempts.
    max_backoff_s: Seconds = 1.0
    #: The largest value that may be set.
    max_value_bytes: Bytes = 16 * _MIB


class Settings(Section, frozen=True):
    """All of them."""

    #: Keys to seal with, separated by commas or white space: the first seals, all open.
    key: Secret = Secret()
    #: The file that `key` was read from; empty if it came from elsewhere.
    key_file: str = ""
    redis: RedisSettings = RedisSettings()
    dispatch: DispatchSettings = DispatchSettings()
    auth: AuthSettings = AuthSettings()
    pool: PoolSettings = PoolSettings()
    engine: EngineSettings = EngineSettings()
    lua: LuaSettings = LuaSettings()
    dns: DnsSettings = DnsSettings()
    log: LogSettings = LogSettings()
    #: Script name -> its settings.
    scripts: dict[str, ScriptSettings] = {}
    #: Dict name -> its settings.
    dicts: dict[str, DictSettings] = {}


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(type(value).__name__)


def _conceal(wanted: type, value: object) -> object:
    # msgspec turns what is raised here into its ValidationError.
    if wanted is not Secret or not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return Secret(value)


def convert_value(value: object, wanted: object, *, is_text: bool) -> object:
    """Turn a value from a settings source into the type of its field.

    Args:
        value: the value as it was read.
        wanted: the field's type.
        is_text: the source knows only text (environment), so "5" may become a number.

    Raises:
        msgspec.ValidationError: it does not fit.
    """
    return msgspec.convert(value, wanted, strict=not is_text, dec_hook=_conceal)


def settings_to_bytes(settings: Settings) -> bytes:
    """Write settings, with their secrets, for a child process; only ever into a pipe, never argv or a file."""
    return msgspec.msgpack.encode(settings, enc_hook=_reveal)


def settings_from_bytes(data: bytes) -> Settings:
    """Read what `settings_to_bytes` wrote.

    Raises:
        CodecError: the data is something else.
    """
    try:
        return msgspec.msgpack.decode(data, type=Settings, dec_hook=_conceal)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise CodecError("the settings from the parent process do not decode") from exc
