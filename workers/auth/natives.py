"""What the Lua side of the auth host calls in Python: variable expansion, cheap password checks, the log prefix.

Part of the natives of every script (workers/natives.py). Nothing here may refer to a Lua state, and nothing raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand
from workers.api.var_expand.legacy import environment_function, expand_legacy
from workers.auth.log_prefix import log_prefix
from workers.auth.password_check import quick_verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.api.var_expand.providers import Provider

#: Lua files of the auth host, run in every script's state: (package, file).
HOST_FILES: Final = (
    ("workers.auth", "variables.lua"),
    ("workers.auth", "request.lua"),
    ("workers.auth", "entry_points.lua"),
)

#: The dialect whose templates are `%u`.
_LEGACY: Final = "2.3"

#: Letter of 2.3 -> name of the variable; `%!` is the number of the database.
_LETTERS: Final = {
    b"u": b"user",
    b"n": b"username",
    b"d": b"domain",
    b"s": b"service",
    b"h": b"home",
    b"l": b"lip",
    b"r": b"rip",
    b"p": b"pid",
    b"w": b"password",
    b"m": b"mech",
    b"c": b"secured",
    b"a": b"lport",
    b"b": b"rport",
    b"k": b"cert",
}


def auth_natives(
    dialect: str, environment: Mapping[bytes, bytes], providers: Mapping[bytes, Provider]
) -> dict[str, Callable[..., object] | bytes]:
    """Return the natives of the auth host.

    Args:
        dialect: of the script.
        environment: what `%{env:NAME}` sees.
        providers: of 2.4's templates.
    """
    var_expand = _legacy_expansion(environment) if dialect == _LEGACY else _expansion(providers)
    return {
        "auth_dialect": dialect.encode(),
        "auth_log_prefix": log_prefix,
        "auth_quick_verify": quick_verify(dialect),
        "auth_var_expand": var_expand,
    }


def _expansion(providers: Mapping[bytes, Provider]) -> Callable[..., tuple[bool, bytes]]:
    def var_expand(template: bytes, variables: bytes, passdb: bytes, userdb: bytes, *_: object) -> tuple[bool, bytes]:
        passdb_fields, userdb_fields = _unpacked(passdb), _unpacked(userdb)
        own: dict[bytes, Provider] = {
            b"passdb": lambda name: passdb_fields.get(name) or b"",
            b"userdb": lambda name: userdb_fields.get(name) or b"",
        }
        try:
            return True, expand(template, _unpacked(variables), {**providers, **own})
        except VarExpandError as exc:
            return False, exc.detail

    return var_expand


def _legacy_expansion(environment: Mapping[bytes, bytes]) -> Callable[..., tuple[bool, bytes]]:
    shared = environment_function(environment)

    def var_expand(
        template: bytes,
        variables: bytes,
        passdb: bytes,
        userdb: bytes,
        keeps_unknown: bool,  # noqa: FBT001 - called by Lua
    ) -> tuple[bool, bytes]:
        table = _unpacked(variables)
        table.update({letter: table.get(name) for letter, name in _LETTERS.items()})
        table[b"!"] = b""
        own = {b"passdb": _with_default(_unpacked(passdb)), b"userdb": _with_default(_unpacked(userdb))}
        try:
            return True, expand_legacy(template, table, {**shared, **own}, keeps_unknown=keeps_unknown)
        except VarExpandError as exc:
            return False, exc.detail

    return var_expand


def _with_default(fields: Mapping[bytes, bytes | None]) -> Callable[[bytes], bytes | None]:
    """`%{passdb:NAME:DEFAULT}` of 2.3."""

    def find(data: bytes) -> bytes | None:
        name, _, default = data.partition(b":")
        return fields.get(name, default)

    return find


def _unpacked(packed: bytes) -> dict[bytes, bytes | None]:
    """Read what request.lua packs: name, then `=` and the value, or nothing where it has none."""
    if not packed:
        return {}
    parts = packed.split(b"\0")
    return {name: value[1:] if value else None for name, value in zip(parts[::2], parts[1::2], strict=False)}
