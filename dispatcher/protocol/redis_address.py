"""Redis addresses as people write them, taken apart and checked.

Used by settings (to refuse a bad address where it came from) and by connection (to connect). Opens nothing, and its
messages never hold the password, nor the address that may hold one.

  redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]
  rediss://… the same over TLS, with ssl_ca_certs=, ssl_certfile=, ssl_keyfile= naming files
  unix:///PATH[?db=DB&username=USER&password=PASSWORD]
  sentinel://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…]/SERVICE[?db=DB&sentinel_password=PASSWORD]
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
#: Scheme -> what may stand behind the question mark.
_OPTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "redis": frozenset({"db"}),
        "rediss": frozenset({"db"}) | _TLS_OPTIONS,
        "unix": frozenset({"db", "username", "password"}),
        "sentinel": frozenset({"db", "sentinel_password"}),
    }
)
_ALLOWED: Final = (
    "redis://[user:password@]host:port/db, rediss:// (the same over TLS), unix:///path?db=0, "
    "sentinel://host:port,host:port/service?db=0"
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
    sentinel_password: Secret = field(default_factory=Secret)
    #: ssl_ca_certs, ssl_certfile, ssl_keyfile -> path.
    tls_files: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Return the address without user name and passwords, fit for logs."""
        if self.scheme == "unix":
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        if self.scheme == "sentinel":
            return f"sentinel://{hosts}/{self.service}?db={self.db}"
        return f"{self.scheme}://{hosts}/{self.db}"


def parse_redis_url(url: Secret) -> RedisAddress:
    """Take an address apart.

    Raises:
        SettingsError: it is none of the four forms; the message says which part is wrong.
    """
    parts = _split(url.reveal())
    options = parts.options
    username, password, hosts = _authority(parts)
    path = unquote(parts.path)
    db_text = options.get("db", "0")
    service = ""
    if parts.scheme == "sentinel":
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
        sentinel_password=Secret(options.get("sentinel_password", "")),
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
    scheme = "rediss" if address.scheme == "rediss" else "redis"
    query = f"?{urlencode(dict(address.tls_files))}" if address.tls_files else ""
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


def _split(text: str) -> _Parts:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _OPTIONS:
        raise _bad("its scheme is none of redis, rediss, unix, sentinel")
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
    default_port = SENTINEL_PORT if parts.scheme == "sentinel" else REDIS_PORT
    hosts = tuple(_host(text, default_port) for text in host_list.split(",")) if host_list else ()
    if len(hosts) > 1 and parts.scheme != "sentinel":
        raise _bad("only sentinel:// takes several hosts")
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
        raise _bad("sentinel:// needs the name of the service after the hosts")
    return service


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
