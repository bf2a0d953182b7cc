"""`-x KEY=VALUE`: what Dovecot calls auth info, made into the variables of a request.

The `auth` commands share it. Dovecot passes on whatever it is given; here a name that no script could read, or an
address that is none, is wrong use, because a check that silently lacks it would prove nothing.
"""

from __future__ import annotations

import difflib
import ipaddress
from typing import Any, Final

import click

#: Dovecot 2.4 variables that a client, or the server in front of it, tells.
_NAMES: Final = frozenset({
    "protocol", "local_ip", "remote_ip", "local_port", "remote_port", "local_name", "mechanism", "secured", "cert",
    "real_local_ip", "real_remote_ip", "real_local_port", "real_remote_port", "client_id", "client_pid", "session",
    "session_pid", "login_user", "master_user", "original_user", "ssl_ja3_hash", "ssl_client_cert_fp",
    "ssl_client_cert_pubkey_fp",
})  # fmt: skip

#: Names of the auth protocol and of Dovecot 2.3 -> those of 2.4.
_ALIASES: Final = {
    "service": "protocol",
    "lip": "local_ip",
    "rip": "remote_ip",
    "lport": "local_port",
    "rport": "remote_port",
    "real_lip": "real_local_ip",
    "real_rip": "real_remote_ip",
    "real_lport": "real_local_port",
    "real_rport": "real_remote_port",
    "pid": "client_pid",
    "mech": "mechanism",
    "orig_user": "original_user",
}

#: Names that are given in another way -> how.
_ELSEWHERE: Final = {
    "user": "the user is the argument USER",
    "username": "the user is the argument USER",
    "password": "the password is asked for, or comes from --password-stdin or --password-file",
    "pass": "the password is asked for, or comes from --password-stdin or --password-file",
}

_MAX_PORT: Final = 65535


def auth_info_option(function: Any) -> Any:  # noqa: ANN401 - a click decorator
    """Add `-x` to a command; its value is the request without a user."""
    return click.option(
        "-x",
        "info",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_parse,
        help="What the client tells, as for doveadm: service, rip, lip, session, ...; may be repeated.",
    )(function)


def _parse(_ctx: click.Context, _param: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    return dict(parse_pair(pair) for pair in pairs)


def parse_pair(pair: str) -> tuple[str, str]:
    """Return (name in 2.4, value).

    Raises:
        click.BadParameter: it is no pair, or the name or the value means nothing; never holds the value.
    """
    given, equals, value = pair.partition("=")
    if not given or not equals:
        # Not quoted: it may be a password that lost its name.
        raise click.BadParameter("auth info is written KEY=VALUE, as in -x service=imap")
    if given in _ELSEWHERE:
        raise click.BadParameter(f"{given} cannot be set: {_ELSEWHERE[given]}")
    name = _ALIASES.get(given, given)
    if name not in _NAMES:
        raise click.BadParameter(f"no script reads {given!r}{_hint(given)}")
    if name.endswith("_ip") and not _is_address(value):
        raise click.BadParameter(f"the value of {given} is no IP address")
    if name.endswith("_port") and not _is_port(value):
        raise click.BadParameter(f"the value of {given} is no port: a number from 0 to {_MAX_PORT}")
    return name, value


def _hint(given: str) -> str:
    known = sorted({*_NAMES, *_ALIASES})
    close = difflib.get_close_matches(given.lower(), known, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else f"; known: {', '.join(known)}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_PORT)) and int(text) <= _MAX_PORT
