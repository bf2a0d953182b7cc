"""The options of `dovecot.http.client{…}` in dialect 2.3: Lua values, each of its type; unknown ones are ignored.

The natives of `dovecot.http` call it. Keys are those of Dovecot's documentation of 2.3.

**Mirrors** dlua-dovecot-http.c and http-client.c of 2.3.19 to 2.3.21, where 0 stands for a default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol.secret import Secret
from workers.http.options_24 import LINE_BREAK, OPTION_PREFIX, OptionError, has_line_break
from workers.http.settings import UNLIMITED, ClientSettings
from workers.http.url import UrlError, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterable

_STRING, _UINT, _BOOL, _PROXY = "string", "non-negative number", "boolean", "proxy"

#: Option -> (field of ClientSettings, type), in the order in which Dovecot looks at them.
OPTIONS: Final = {
    "user_agent": ("user_agent", _STRING),
    "rawlog_dir": ("rawlog_dir", _STRING),
    "max_idle_time_msecs": ("max_idle_time_ms", _UINT),
    "no_auto_redirect": ("auto_redirect", _BOOL),
    "no_auto_retry": ("auto_retry", _BOOL),
    "max_redirects": ("request_max_redirects", _UINT),
    "max_attempts": ("request_max_attempts", _UINT),
    "max_connect_attempts": ("max_connect_attempts", _UINT),
    "connect_backoff_time_msecs": ("connect_backoff_time_ms", _UINT),
    "connect_backoff_max_time_msecs": ("connect_backoff_max_time_ms", _UINT),
    "request_absolute_timeout_msecs": ("request_absolute_timeout_ms", _UINT),
    "request_timeout_msecs": ("request_timeout_ms", _UINT),
    "connect_timeout_msecs": ("connect_timeout_ms", _UINT),
    "soft_connect_timeout_msecs": ("soft_connect_timeout_ms", _UINT),
    "max_auto_retry_delay_secs": ("max_auto_retry_delay_s", _UINT),
    "debug": ("debug", _BOOL),
    "proxy_url": ("proxy_url", _PROXY),
}

#: Fields whose option says the opposite.
_INVERTED: Final = frozenset({"auto_redirect", "auto_retry"})

#: Fields where 0 means the default.
_DEFAULT_AT_ZERO: Final = frozenset(
    {"request_max_attempts", "connect_backoff_time_ms", "connect_backoff_max_time_ms", "request_timeout_ms"}
)


def read_option(key: bytes, kind: bytes, text: bytes) -> dict[str, Any]:
    """Read one option of `OPTIONS`: fields of ClientSettings with their values; none if it says nothing.

    Args:
        key: the option's name.
        kind: Lua's type of the value.
        text: a string or number as Lua shows it, `true` or `false`.

    Raises:
        OptionError: the value has another type.
    """
    name = key.decode("latin-1")
    field, wanted = OPTIONS[name]
    if wanted == _PROXY:
        return _proxy(text) if kind == b"string" else {}
    if name == "user_agent" and kind == b"string" and has_line_break(text):
        raise OptionError(f"{OPTION_PREFIX}{name}: {LINE_BREAK}")
    if wanted == _STRING and kind == b"string":
        return {field: text}
    if wanted == _BOOL and kind == b"boolean":
        return {field: (text == b"true") != (field in _INVERTED)}
    if wanted == _UINT and kind == b"number":
        number = _uint(text)
        if number is not None:
            return {} if number == 0 and field in _DEFAULT_AT_ZERO else {field: number}
    raise OptionError(f"{OPTION_PREFIX}{name}: {wanted} expected")


def settings_of(options: Iterable[tuple[bytes, bytes, bytes]]) -> ClientSettings:
    """Make the settings of a client from its options (key, kind, text), all of them keys of `OPTIONS`.

    Raises:
        OptionError: one of them has another type.
    """
    fields: dict[str, Any] = {}
    for option in options:
        fields.update(read_option(*option))
    return ClientSettings(**fields)


def _uint(text: bytes) -> int | None:
    try:
        number = float(text)
    except ValueError:
        # `inf` and `nan` of Lua are words that Python knows too, so this is none of Lua's numbers.
        return None
    return int(number) if 0 <= number <= UNLIMITED and number.is_integer() else None


def _proxy(text: bytes) -> dict[str, Any]:
    try:
        url = parse_url(text)
    except UrlError as exc:
        raise OptionError(f"{OPTION_PREFIX}proxy_url is invalid: {exc.detail_23}") from exc
    fields: dict[str, Any] = {"proxy_url": (b"https://" if url.is_tls else b"http://") + url.authority + b"/"}
    if url.user is not None:
        fields["proxy_username"] = url.user
        fields["proxy_password"] = Secret((url.password or b"").decode("latin-1"))
    return fields
