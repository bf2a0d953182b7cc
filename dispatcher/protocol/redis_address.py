"""Redis addresses as people write them, taken apart and checked.

Used by settings (to refuse a bad address where it came from) and by connection (to connect). Opens nothing, and its
messages never hold the password, nor the address that may hold one.

  redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]
  rediss://… the same over TLS, with ssl_ca_certs=, ssl_certfile=, ssl_keyfile= naming files
  unix:///PATH[?db=DB&username=USER&password=PASSWORD]
  sentinel://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…]/SERVICE[?db=DB&sentinel_username=…&sentinel_password=…]
  rediss+sentinel://… the same over TLS, to the Sentinels too; sentinel_tls=yes or no has them differ
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.secret import Secret

#: Port of Redis if none is given.
REDIS_PORT: Final = 6379
#: Port of Sentinel if none is given.
SENTINEL_PORT: Final = 26379

_MAX_PORT = 65535
_MAX_DATABASE = 2**31 - 1
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL_OPTIONS = frozenset({"db", "sentinel_username", "sentinel_password", "sentinel_tls"}) | _TLS_OPTIONS
#: Schemes that are reached over TLS.
_TLS_SCHEMES: Final = frozenset({"rediss", "rediss+sentinel"})
#: Scheme -> what may stand behind the question mark.
_OPTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "redis": frozenset({"db"}),
        "rediss": frozenset({"db"}) | _TLS_OPTIONS,
        "unix": frozenset({"db", "username", "password"}),
        "sentinel": _SENTINEL_OPTIONS,
        "rediss+sentinel": _SENTINEL_OPTIONS,
    }
)
_ALLOWED: Final = (
    "redis://[user:password@]host:port/db, rediss:// (the same over TLS), unix:///path?db=0, "
    "sentinel://host:port,host:port/service?db=0, rediss+sentinel:// (the same over TLS)"
)


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """A Redis address in its parts; unused parts are empty."""

    scheme: str
    #: (host, port) of the server, or of each Sentinel.
    hosts: tuple[tuple[str, int], ...] = ()
    #: Path of a unix socket.
    path: str = ""
    #: Name under which Sentinel knows the servers.
    service: str = ""
    db: int = 0
    username: str = ""
    password: Secret = field(default_factory=Secret)
    sentinel_username: str = ""
    sentinel_password: Secret = field(default_factory=Secret)
    #: Whether the Sentinels speak TLS.
    has_sentinel_tls: bool = False
    #: ssl_ca_certs, ssl_certfile, ssl_keyfile -> path.
    tls_files: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sentinel(self) -> bool:
        """Whether Sentinels are asked where the server is."""
        return self.scheme in {"sentinel", "rediss+sentinel"}

    @property
    def is_tls(self) -> bool:
        """Whether the server speaks TLS."""
        return self.scheme in _TLS_SCHEMES

    def describe(self) -> str:
        """Return the address without user name and passwords, fit for logs."""
        if self.scheme == "unix":
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        if self.is_sentinel:
            differs = f"&sentinel_tls={'yes' if self.has_sentinel_tls else 'no'}"
            shown = differs if self.has_sentinel_tls != self.is_tls else ""
            return f"{self.scheme}://{hosts}/{self.service}?db={self.db}{shown}"
        return f"{self.scheme}://{hosts}/{self.db}"


def parse_redis_url(url: Secret) -> RedisAddress:
    """Take an address apart.

    Raises:
        SettingsError: it is none of these forms; the message says which part is wrong.
    """
    parts = _split(url.reveal())
    options = parts.options
    username, password, hosts = _authority(parts)
    path = unquote(parts.path)
    db_text = options.get("db", "0")
    service = ""
    if parts.is_sentinel:
        service, path = _only_name(path), ""
    elif parts.scheme != "unix":
        db_text, path = options.get("db") or path.strip("/") or "0", ""
    elif hosts or not path.strip("/") or "\0" in path:
        raise _bad("a unix socket needs an absolute path after three slashes")
    if parts.scheme != "unix" and not hosts:
        raise _bad("it names no host")
    return RedisAddress(
        scheme=parts.scheme,
        hosts=hosts,
        path=path,
        service=service,
        db=_database(db_text),
        username=username or options.get("username", ""),
        password=Secret(password or options.get("password", "")),
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=Secret(options.get("sentinel_password", "")),
        has_sentinel_tls=_has_sentinel_tls(parts),
        tls_files=MappingProxyType({name: options[name] for name in _TLS_OPTIONS & options.keys()}),
    )


def at_other_host(url: Secret, host: str, port: int) -> Secret:
    """Return the address of another server of the same cluster, with the user name, password and TLS files of this one.

    Raises:
        SettingsError: it is no address.
    """
    address = parse_redis_url(url)
    userinfo = f"{quote(address.username, safe='')}:{quote(address.password.reveal(), safe='')}@"
    has_user = address.username or address.password
    shown_host = f"[{host}]" if ":" in host else host
    scheme = "rediss" if address.is_tls else "redis"
    query = f"?{urlencode(dict(address.tls_files))}" if address.is_tls and address.tls_files else ""
    return Secret(f"{scheme}://{userinfo if has_user else ''}{shown_host}:{port}/{address.db}{query}")


def _bad(problem: str) -> SettingsError:
    return SettingsError("redis.url", problem, allowed=_ALLOWED)


@dataclass(frozen=True)
class _Parts:
    """An address cut at its separators; by hand, as urlsplit knows one host only and differs between Pythons."""

    scheme: str
    authority: str
    path: str
    options: Mapping[str, str]

    @property
    def is_sentinel(self) -> bool:
        return self.scheme.endswith("sentinel")


def _split(text: str) -> _Parts:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _OPTIONS:
        raise _bad("its scheme is none of redis, rediss, unix, sentinel, rediss+sentinel")
    if "#" in rest:
        raise _bad("it holds a '#'; in a user name or password write %23")
    before, _, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    return _Parts(scheme, authority, slash + path, _split_options(scheme, query))


def _split_options(scheme: str, query: str) -> Mapping[str, str]:
    known = ", ".join(sorted(_OPTIONS[scheme]))
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        # `from None`: the library's message quotes the option, and with it perhaps a password.
        raise _bad(f"behind the '?' stand options as NAME=VALUE, of {known}") from None
    if options.keys() - _OPTIONS[scheme]:
        raise _bad(f"{scheme}:// takes the options {known}, and not what stands behind the '?'")
    return options


def _authority(parts: _Parts) -> tuple[str, str, tuple[tuple[str, int], ...]]:
    """Return user name, password and hosts."""
    userinfo, _, host_list = parts.authority.rpartition("@")
    username, _, password = userinfo.partition(":")
    default_port = SENTINEL_PORT if parts.is_sentinel else REDIS_PORT
    hosts = tuple(_host(text, default_port) for text in host_list.split(",")) if host_list else ()
    if len(hosts) > 1 and not parts.is_sentinel:
        raise _bad("only sentinel:// and rediss+sentinel:// take several hosts")
    return unquote(username), unquote(password), hosts


def _host(text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        # Without its bracket a host is malformed, whatever it is.
        host, colon, port_text = host if bracket else "", rest[:1], rest[1:]
    else:
        host, colon, port_text = text.partition(":")
    if not host or (colon and colon != ":"):
        raise _bad("a host is empty or malformed")
    if not colon:
        return host, default_port
    port = _number(port_text, _MAX_PORT)
    if not port:
        raise _bad(f"a port is not a number from 1 to {_MAX_PORT}")
    return host, port


def _only_name(path: str) -> str:
    service = path.removeprefix("/")
    if not service or "/" in service:
        raise _bad("a Sentinel address needs the name of the service after the hosts")
    return service


def _has_sentinel_tls(parts: _Parts) -> bool:
    is_tls = parts.scheme in _TLS_SCHEMES
    text = parts.options.get("sentinel_tls", "yes" if is_tls and parts.is_sentinel else "no")
    if text not in {"yes", "no"}:
        raise _bad("sentinel_tls is neither yes nor no")
    if _TLS_OPTIONS & parts.options.keys() and not is_tls and text == "no":
        # Otherwise somebody who forgot the scheme would believe that TLS is on.
        raise _bad("it names files for TLS, and neither Redis nor the Sentinels are reached over TLS")
    return text == "yes"


def _database(text: str) -> int:
    number = _number(text, _MAX_DATABASE)
    if number is None:
        raise _bad(f"the database is not a number from 0 to {_MAX_DATABASE}")
    return number


def _number(text: str, maximum: int) -> int | None:
    # The length first: Python refuses to convert thousands of digits, with an error of its own.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(maximum))):
        return None
    number = int(text)
    return number if number <= maximum else None
