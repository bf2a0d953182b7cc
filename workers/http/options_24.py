"""The options of `dovecot.http.client{…}` in dialect 2.4: texts, each read by the type of its setting.

The natives of `dovecot.http` call it. Keys are the settings of Dovecot 2.4 without `http_client_`.

**Mirrors** dlua-dovecot-http.c and http-client-settings.c of 2.4. TLS options never fail here: what is wrong with one
is told by the first https request, as in Dovecot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.secret import Secret
from workers.http.option_values import (
    ValueSyntaxError,
    parse_bool,
    parse_size_bytes,
    parse_time_ms,
    parse_time_s,
    parse_uint,
)
from workers.http.settings import ClientSettings
from workers.http.url import UrlError, parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: In front of every complaint about one option.
OPTION_PREFIX: Final = "Invalid HTTP client setting: "
#: In front of a complaint about options that do not go together.
CHECK_PREFIX: Final = "http_client settings: Invalid settings: "

#: The complaint about an option that would become lines on the wire.
LINE_BREAK: Final = "CR and LF are not allowed"

#: What Lua says of a boolean option, in Dovecot's words: Dovecot itself crashes at booleans.
_BOOLEAN_TEXTS: Final = {b"true": b"yes", b"false": b"no"}


class OptionError(LualoftError):
    """An option that cannot be used; the text is Dovecot's."""


def has_line_break(text: bytes) -> bool:
    """Would it end its line on the wire? Dovecot sends it as it stands, and whatever follows as a header."""
    return b"\r" in text or b"\n" in text


def _text(text: str) -> bytes:
    return text.encode("latin-1")


_UINT_NAMES: Final = (
    "request_max_redirects",
    "request_max_attempts",
    "read_request_max_attempts",
    "write_request_max_attempts",
    "delete_request_max_attempts",
    "max_connect_attempts",
    "max_parallel_connections",
    "max_pipelined_requests",
    "response_hdr_max_fields",
)
_TIME_NAMES: Final = (
    "connect_backoff_time",
    "connect_backoff_max_time",
    "request_timeout",
    "read_request_timeout",
    "write_request_timeout",
    "delete_request_timeout",
    "request_absolute_timeout",
    "connect_timeout",
    "soft_connect_timeout",
    "max_idle_time",
    "dns_ttl",
    "dns_client_timeout",
)
_SIZE_NAMES: Final = (
    "response_hdr_max_size",
    "response_hdr_max_field_size",
    "socket_send_buffer_size",
    "socket_recv_buffer_size",
)
_BOOL_NAMES: Final = ("auto_redirect", "auto_retry", "proxy_ssl_tunnel", "ssl_client_require_valid_cert")
_TEXT_NAMES: Final = (
    "user_agent",
    "proxy_url",
    "proxy_socket_path",
    "proxy_username",
    "rawlog_dir",
    "base_dir",
    "dns_client_socket_path",
    "ssl_client_ca_file",
    "ssl_client_ca_dir",
    "ssl_client_cert_file",
    "ssl_client_key_file",
    "ssl_cipher_list",
    "ssl_cipher_suites",
    "ssl_curve_list",
    "ssl_min_protocol",
    "ssl_crypto_device",
    "ssl_options",
    "ssl_peer_certificate_fingerprint_hash",
)
_SECRET_NAMES: Final = ("proxy_password", "ssl_client_key_password")

#: Option -> (field of ClientSettings, how its text is read).
OPTIONS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    **{name: (name, parse_uint) for name in _UINT_NAMES},
    **{name: (f"{name}_ms", parse_time_ms) for name in _TIME_NAMES},
    "max_auto_retry_delay": ("max_auto_retry_delay_s", parse_time_s),
    **{name: (f"{name}_bytes", parse_size_bytes) for name in _SIZE_NAMES},
    **{name: (name, parse_bool) for name in _BOOL_NAMES},
    **{name: (name, _text) for name in _TEXT_NAMES},
    **{name: (name, Secret) for name in _SECRET_NAMES},
}


def read_option(key: bytes, kind: bytes, text: bytes) -> tuple[str, Any]:
    """Read one option: (field of ClientSettings, value).

    Args:
        key: the option's name.
        kind: Lua's type of the value.
        text: a string or number as Lua shows it, `true` or `false`; without meaning for any other kind.

    Raises:
        OptionError: there is no such option, or its value has another syntax.
    """
    name = key.decode("latin-1")
    if name not in OPTIONS:
        raise OptionError(f"{OPTION_PREFIX}{name} is unknown setting")
    if kind not in {b"string", b"number", b"boolean"}:
        raise OptionError(f"{OPTION_PREFIX}{name}=: string expected, got {kind.decode('latin-1')}")
    if kind == b"boolean":
        text = _BOOLEAN_TEXTS[text]
    shown = text.decode("latin-1")
    field, parse = OPTIONS[name]
    if name == "user_agent" and has_line_break(text):
        raise OptionError(f"{OPTION_PREFIX}{name}: {LINE_BREAK}")
    try:
        return field, parse(shown)
    except ValueSyntaxError as exc:
        if name.startswith("ssl_"):
            return "ssl_problem", f"{name}={shown}: {exc.detail}"
        raise OptionError(f"{OPTION_PREFIX}{name}={shown}: {exc.detail}") from exc


def settings_of(options: Iterable[tuple[bytes, bytes, bytes]]) -> ClientSettings:
    """Make the settings of a client from its options (key, kind, text).

    Raises:
        OptionError: one of them cannot be used, or they do not go together.
    """
    settings = ClientSettings(**dict(read_option(*option) for option in options))
    problem = _contradiction(settings)
    if problem:
        raise OptionError(CHECK_PREFIX + problem)
    return settings


def _contradiction(settings: ClientSettings) -> str:
    """What is wrong with the settings as a whole, in Dovecot's order and words; empty if nothing is."""
    if settings.proxy_url:
        try:
            parse_url(settings.proxy_url, allows_userinfo=False)
        except UrlError as exc:
            return f"Invalid http_client_proxy_url: {exc.detail}"
    zeros = (
        (settings.request_max_attempts, "request_max_attempts"),
        (settings.max_pipelined_requests, "http_client_max_pipelined_requests"),
        (settings.max_parallel_connections, "http_client_max_parallel_connections"),
        (settings.connect_backoff_time_ms, "http_client_connect_backoff_time_msecs"),
    )
    for value, name in zeros:
        if value == 0:
            return f"{name} must not be 0"
    if settings.connect_backoff_max_time_ms < settings.connect_backoff_time_ms:
        # The names are swapped; so they are in Dovecot.
        return (
            f"http_client_connect_backoff_time_msecs ({settings.connect_backoff_max_time_ms}) must not be smaller than "
            f"http_client_connect_backoff_max_time_msecs ({settings.connect_backoff_time_ms})"
        )
    if settings.request_timeout_ms == 0:
        return "http_client_request_timeout_msecs must not be 0"
    return ""
