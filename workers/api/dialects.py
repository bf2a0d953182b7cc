"""What differs between the Dovecot lines that scripts are written for, in one table.

`LuaState` takes the names away that a line lacks, `script_life` follows its rules for `script_init`, hosts of other
objects (dict, http, auth) look up their rows here. tests/conformance has a case for each row.

**Mirrors** the release trees 2.3.13 to 2.4.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A row's cell for a name that the line does not have.
ABSENT: Final = "absent"
PRESENT: Final = "present"


@dataclass(frozen=True, slots=True)
class Row:
    """One difference."""

    #: A Lua-visible name (`dovecot.X`, `event:X`), an argument (`dict:expire_secs`), or the rule that differs.
    subject: str
    in_23: str
    in_24: str
    #: Version that brought it.
    since: str


TABLE: Final = (
    Row("script_init argument", "none", "table of settings", "2.4.0"),
    Row("script_init result", "the integer 0 or failure", "ignored", "2.4.0"),
    Row("dovecot.gettimeofday", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.nanoseconds", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.microseconds", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.net_ip_family", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.tabescape", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.tabunescape", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.split_tabescaped", ABSENT, PRESENT, "2.4.0"),
    Row("dovecot.var_expand", ABSENT, PRESENT, "2.4.2"),
    Row("dovecot.base64", ABSENT, PRESENT, "2.4.2"),
    Row("http_request:set_event", ABSENT, PRESENT, "2.4.3"),
    Row("http_request:get_event", ABSENT, PRESENT, "2.4.3"),
    Row("dovecot.dict", ABSENT, PRESENT, "2.4.0"),
    Row("dict:expire_secs", ABSENT, PRESENT, "2.4.0"),
    Row("dict_txn:set_non_atomic", ABSENT, PRESENT, "2.4.0"),
    Row("event:set_forced_debug", ABSENT, PRESENT, "2.4.1"),
    Row("event:unset_forced_debug", ABSENT, PRESENT, "2.4.1"),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The rules of one line."""

    name: str
    #: Does `script_init` get the settings, and may it return anything?
    gives_settings_to_init: bool
    #: Names that scripts of this line do not see, as in `Row.subject`.
    absent_names: tuple[str, ...]


DIALECTS: Final = {
    "2.3": Dialect(
        name="2.3",
        gives_settings_to_init=False,
        absent_names=tuple(row.subject for row in TABLE if row.in_23 == ABSENT),
    ),
    "2.4": Dialect(
        name="2.4",
        gives_settings_to_init=True,
        absent_names=tuple(row.subject for row in TABLE if row.in_24 == ABSENT),
    ),
}
