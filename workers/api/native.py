"""The natives that every Lua state has: pure functions behind the `dovecot` table, none of which needs an instance.

`LuaState` hands them to the Lua files of this folder. They never raise, never keep a reference to anything of a state,
and take and return only what every Lua version can hold: None, bool, int, float, bytes and tuples of these.
"""

from __future__ import annotations

import base64
import re
import socket
import time
from typing import TYPE_CHECKING, Final

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand
from workers.api.var_expand.providers import standard_providers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NS_PER_S: Final = 1_000_000_000
_NS_PER_US: Final = 1_000

#: What base64 decoding reads: everything up to the first character that is neither a digit of it nor white space.
_BASE64_DIGITS: Final = re.compile(rb"[A-Za-z0-9+/ \t\r\n]*")
_WHITE_SPACE: Final = b" \t\r\n"
_BASE64_GROUP: Final = 4

_INT_BITS: Final = 64
_IP_FAMILIES: Final = {socket.AF_INET: 4, socket.AF_INET6: 6}


def time_of_day() -> tuple[int, int]:
    """Seconds and microseconds since the epoch."""
    now_ns = time.time_ns()
    return now_ns // _NS_PER_S, now_ns % _NS_PER_S // _NS_PER_US


def nanoseconds() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()


def microseconds() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // _NS_PER_US


def has_flag(value: float, flag: float) -> bool:
    """Are all bits of `flag` set? These three stand in for the operators that Lua before 5.3 lacks."""
    return int(value) & int(flag) == int(flag)


def set_flag(value: float, flag: float) -> int:
    """Set the bits of `flag`."""
    return _wrapped(int(value) | int(flag))


def clear_flag(value: float, flag: float) -> int:
    """Clear the bits of `flag`."""
    return _wrapped(int(value) & ~int(flag))


def net_ip_family(text: bytes) -> int:
    """4 or 6 for a numeric IP address, 0 for anything else.

    **Mirrors** net_addr2ip of Dovecot 2.4: numeric getaddrinfo, so short IPv4 forms count, and `[…]` around IPv6.
    """
    if b":" in text and text.startswith(b"[") and text.endswith(b"]"):
        text = text[1:-1]
    if not text:
        return 0
    try:
        found = socket.getaddrinfo(text, None, flags=socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return 0
    return _IP_FAMILIES.get(found[0][0], 0)


def base64_encode(data: bytes) -> bytes:
    """Encode with the standard alphabet, padded, in one line."""
    return base64.b64encode(data)


def base64_decode(text: bytes) -> bytes:
    """Decode up to the first character that does not belong; white space is skipped, padding may be missing.

    **Mirrors** base64.c of Dovecot 2.4 as dovecot.base64.decode uses it.
    """
    found = _BASE64_DIGITS.match(text)
    digits = found.group().translate(None, _WHITE_SPACE) if found else b""
    left_over = len(digits) % _BASE64_GROUP
    if left_over == 1:
        # Six bits make no byte.
        digits, left_over = digits[:-1], 0
    return base64.b64decode(digits + b"=" * (-left_over % _BASE64_GROUP))


def make_var_expand(environment: Mapping[bytes, bytes]) -> Callable[[bytes], tuple[bool, bytes]]:
    """Make the native `var_expand`: (True, text), or (False, Dovecot's detail).

    Args:
        environment: what `%{env:NAME}` sees; a worker leaves its own settings and keys out.

    **Mirrors** dlua_var_expand of 2.4.2: no variables of its own and no event.
    """
    providers = standard_providers(environment)

    def var_expand(template: bytes) -> tuple[bool, bytes]:
        try:
            return True, expand(template, {}, providers)
        except VarExpandError as exc:
            return False, exc.detail

    return var_expand


def _wrapped(value: int) -> int:
    value &= (1 << _INT_BITS) - 1
    return value - (1 << _INT_BITS) if value >> (_INT_BITS - 1) else value


#: Name in `host.native` -> function.
NATIVES: Final[Mapping[str, Callable[..., object]]] = {
    function.__name__: function
    for function in (
        time_of_day,
        nanoseconds,
        microseconds,
        has_flag,
        set_flag,
        clear_flag,
        net_ip_family,
        base64_encode,
        base64_decode,
    )
} | {"var_expand": make_var_expand({})}
