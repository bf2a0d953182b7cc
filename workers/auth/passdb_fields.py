"""Puts passdb fields into a request, as a passdb script returned them.

The auth task calls it.

Mirrors: auth_request_set_field of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Final

from workers.auth.networks import check_networks
from workers.auth.tab_escape import split_tab_escaped
from workers.auth.userdb_fields import DEFAULT_SUFFIX, MAX_IMPORTS, REMOVE_SUFFIX, set_userdb_field
from workers.auth.username import RENAMING, rename
from workers.passwords.check import split_scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.auth.request_fields import RequestFields

#: Fields of a passdb that are one of the userdb's.
USERDB_PREFIX: Final = b"userdb_"

#: The scheme of a password that a script sets without one (STATIC_PASS_SCHEME).
_STATIC_SCHEME: Final = b"PLAIN"

#: Seconds that a login may be delayed at most.
MAX_DELAY_S: Final = 300

_DELAY: Final = re.compile(rb"([^+]*)(?:\+(.*))?", re.DOTALL)


def set_passdb_field(request: RequestFields, name: bytes, value: bytes, depth: int = 0) -> None:
    """Apply one field."""
    if name.endswith(DEFAULT_SUFFIX) and name != DEFAULT_SUFFIX:
        name = name.removesuffix(DEFAULT_SUFFIX)
        if request.has(name):
            return
    elif name.endswith(REMOVE_SUFFIX) and name != REMOVE_SUFFIX:
        request.remove(name.removesuffix(REMOVE_SUFFIX))
        return
    rule = _RULES.get(name)
    if name.startswith(USERDB_PREFIX):
        _set_prefetched(request, name, value, depth)
    elif name == b"passdb_import":
        _import(request, b"", value, depth)
    elif rule is None:
        request.show(name, value)
    else:
        rule(request, name, value)


def set_password(request: RequestFields, value: bytes, scheme: bytes) -> None:
    """Keep a password; `scheme` is put in front unless it names one."""
    has_scheme = value.startswith(b"{") and b"}" in value
    request.password = value if has_scheme else b"{%b}%b" % (scheme, value)


def _set_prefetched(request: RequestFields, name: bytes, value: bytes, depth: int) -> None:
    if name == b"userdb_userdb_import":
        _import(request, USERDB_PREFIX, value, depth)
        return
    field = name.removeprefix(USERDB_PREFIX)
    if field:
        set_userdb_field(request, field, value, depth)
    request.hide(name, value)


def _import(request: RequestFields, prefix: bytes, value: bytes, depth: int) -> None:
    if depth >= MAX_IMPORTS:
        request.refuse("error", "passdb_import nests too deeply")
        return
    for part in split_tab_escaped(value):
        name, _, text = part.partition(b"=")
        if name:
            set_passdb_field(request, prefix + name, text, depth + 1)


def _password(request: RequestFields, _name: bytes, value: bytes) -> None:
    if not value and request.has(b"nopassword"):
        return
    set_password(request, value, _STATIC_SCHEME)


def _password_noscheme(request: RequestFields, _name: bytes, value: bytes) -> None:
    request.password = b"{%b}%b" % (_STATIC_SCHEME, value)


def _nopassword(request: RequestFields, name: bytes, value: bytes) -> None:
    if request.password and split_scheme(request.password).data and not request.has(b"noauthenticate"):
        request.log.append(("error", b"nopassword set but password is non-empty"))
        return
    request.password = b""
    request.show(name, value)


def _noauthenticate(request: RequestFields, name: bytes, value: bytes) -> None:
    # The other field keeps later passdbs from checking the password.
    request.show(b"nopassword", b"")
    request.hide(name, value)


def _rename(request: RequestFields, name: bytes, value: bytes) -> None:
    rename(request, name, value)
    request.hide(name, value)


def _allow_nets(request: RequestFields, name: bytes, value: bytes) -> None:
    check_networks(request, name, value, request.remote_ip)
    request.hide(name, value)


def _allow_real_nets(request: RequestFields, name: bytes, value: bytes) -> None:
    check_networks(request, name, value, request.real_remote_ip)
    request.hide(name, value)


def _check_client_fp(request: RequestFields, name: bytes, value: bytes) -> None:
    if value not in request.client_fingerprints:
        request.refuse("info", "check_client_fp failed: the client's certificate has another fingerprint")
    request.hide(name, value)


def _fail(request: RequestFields, name: bytes, value: bytes) -> None:
    request.refusal = request.refusal or "the script set the field fail"
    request.hide(name, value)


def _delay_until(request: RequestFields, name: bytes, value: bytes) -> None:
    found = _DELAY.fullmatch(value)
    timestamp, spread = found.groups() if found else (value, None)
    extra_s = 0
    if spread is not None:
        if _is_number(spread):
            extra_s = secrets.randbelow(max(int(spread), 1))
        else:
            request.refuse("error", f"Invalid delay_until randomness number '{_text(spread)}'")
    if not _is_number(timestamp):
        request.refuse("error", f"Invalid delay_until timestamp '{_text(timestamp)}'")
        return
    left_s = int(timestamp) - int(time.time())
    if left_s > MAX_DELAY_S:
        request.refuse("error", f"delay_until timestamp {_text(timestamp)} is too much in the future, failing")
    elif left_s > 0:
        value = b"%d" % (int(time.time()) + min(left_s + extra_s, MAX_DELAY_S))
    request.hide(name, value)


def _is_number(text: bytes) -> bool:
    # No time stamp has more digits, and int() of a hundred thousand takes a while.
    return text.isdigit() and len(text) <= len(str(1 << 63))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _hide(request: RequestFields, name: bytes, value: bytes) -> None:
    request.hide(name, value)


#: Fields that do more than go to the client.
_RULES: Final[dict[bytes, Callable[[RequestFields, bytes, bytes], None]]] = {
    b"password": _password,
    b"password_noscheme": _password_noscheme,
    b"nopassword": _nopassword,
    b"noauthenticate": _noauthenticate,
    b"allow_nets": _allow_nets,
    b"allow_real_nets": _allow_real_nets,
    b"check_client_fp": _check_client_fp,
    b"fail": _fail,
    b"delay_until": _delay_until,
    b"nodelay": _hide,
    b"login_user": _hide,
    **dict.fromkeys(RENAMING, _rename),
}
