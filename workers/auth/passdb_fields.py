"""Puts passdb fields into a request, as a passdb script returned them.

The auth task calls it.

Mirrors: auth_request_set_field of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Final

from workers.auth.field_syntax import MAX_IMPORTS, Suffix, split_import, split_suffix
from workers.auth.networks import check_networks
from workers.auth.request_fields import USERDB_PREFIX
from workers.auth.userdb_fields import set_userdb_field
from workers.auth.username import RENAMING, rename
from workers.passwords.check import split_scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.auth.request_fields import RequestFields

#: The scheme of a password that a script sets without one (STATIC_PASS_SCHEME).
_STATIC_SCHEME: Final = b"PLAIN"

#: Seconds that a login may be delayed at most.
MAX_DELAY_S: Final = 300

#: Of the C types behind the two numbers of `delay_until`.
_MAX_TIME: Final = (1 << 63) - 1
_MAX_SPREAD: Final = (1 << 32) - 1

_DELAY: Final = re.compile(rb"([^+]*)(?:\+(.*))?", re.DOTALL)


def set_passdb_field(request: RequestFields, name: bytes, value: bytes, depth: int = 0) -> None:
    """Apply one field."""
    # Most names have no suffix.
    if b":" in name:
        suffix, name = split_suffix(name, is_legacy=request.is_legacy)
        if suffix is Suffix.REMOVE:
            request.remove(name)
            return
        if suffix is Suffix.DEFAULT and request.has(name):
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
    """Keep a password, the first one; `scheme` is put in front unless it names one."""
    if request.password:
        request.log.append(("error", b"Multiple password values not supported"))
        return
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
    for part in split_import(value, is_legacy=request.is_legacy):
        name, _, text = part.partition(b"=")
        if name:
            set_passdb_field(request, prefix + name, text, depth + 1)


def _password(request: RequestFields, _name: bytes, value: bytes) -> None:
    set_password(request, value, _STATIC_SCHEME)


def _password_noscheme(request: RequestFields, _name: bytes, value: bytes) -> None:
    set_password(request, b"{%b}%b" % (_STATIC_SCHEME, value), _STATIC_SCHEME)


def _nopassword(request: RequestFields, name: bytes, value: bytes) -> None:
    if request.password and split_scheme(request.password).data and not request.has(b"noauthenticate"):
        request.log.append(("error", b"nopassword set but password is non-empty"))
        return
    request.password = b""
    request.hide(name, value)


def _noauthenticate(request: RequestFields, name: bytes, value: bytes) -> None:
    # The other field keeps later passdbs from checking the password.
    request.hide(b"nopassword", b"")
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
    if request.is_legacy:
        # 2.3 does not know it.
        request.show(name, value)
        return
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
        if (most_s := _number(spread, _MAX_SPREAD)) is not None:
            extra_s = secrets.randbelow(max(most_s, 1))
        else:
            request.refuse("error", f"Invalid delay_until randomness number '{_text(spread)}'")
    is_negative = timestamp.startswith(b"-")
    until = _number(timestamp.removeprefix(b"-"), _MAX_TIME)
    if until is None:
        request.refuse("error", f"Invalid delay_until timestamp '{_text(timestamp)}'")
        return
    left_s = 0 if is_negative else until - int(time.time())
    if left_s > MAX_DELAY_S:
        request.refuse("error", f"delay_until timestamp {_text(timestamp)} is too much in the future, failing")
    elif left_s > 0:
        timestamp = b"%d" % (int(time.time()) + min(left_s + extra_s, MAX_DELAY_S))
    request.hide(name, timestamp)


def _number(text: bytes, maximum: int) -> int | None:
    """Digits, up to a maximum; int() of a hundred thousand of them would take a while."""
    digits = text.lstrip(b"0")
    if not text.isdigit() or len(digits) > len(str(maximum)):
        return None
    number = int(digits or b"0")
    return number if number <= maximum else None


def _login_user(request: RequestFields, name: bytes, value: bytes) -> None:
    if value:
        request.login_user = value
    else:
        # Dovecot goes on with a user whose name is empty.
        request.refuse("error", "login_user attempted to be changed to empty")
    request.hide(name, value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


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
    b"login_user": _login_user,
    **dict.fromkeys(RENAMING, _rename),
}
