"""What differs between Dovecot 2.3 and 2.4 about stored passwords: default scheme, weak schemes.

Callers of `check` ask it for the values that fit a script's dialect.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Dialect(StrEnum):
    """Whose rules hold."""

    V2_3 = "2.3"
    V2_4 = "2.4"
    #: The schemes of both; for tools that know of no dialect.
    EITHER = ""


class Origin(StrEnum):
    """Who gave the stored password."""

    #: A script called `request:password_verify`.
    PASSWORD_VERIFY = "password_verify"  # noqa: S105 - a Lua name
    #: A passdb lookup of a script returned it, and Dovecot compares.
    PASSDB_LOOKUP = "passdb_lookup"


_PLAIN: Final = "PLAIN"
_CRYPT: Final = "CRYPT"


def default_scheme(dialect: Dialect, origin: Origin) -> str:
    """Return the scheme of stored passwords without a `{SCHEME}`.

    Mirrors: 2.3's lua passdb (`scheme=` argument) and 2.4.3's `passdb_default_password_scheme`; before 2.4.3 it was
    PLAIN there too. `password_verify` has always taken PLAIN.
    """
    return _CRYPT if dialect is Dialect.V2_4 and origin is Origin.PASSDB_LOOKUP else _PLAIN


def allows_weak(dialect: Dialect, setting: bool | None = None) -> bool:  # noqa: FBT001 - a setting's value
    """Return whether weak schemes are let through.

    Args:
        dialect: 2.3 knows no weak schemes.
        setting: `auth_allow_weak_schemes` of 2.4, None if it was not set.
    """
    return dialect is not Dialect.V2_4 or bool(setting)
