"""Expands templates of dialect 2.3: `%u`, `%Ld`, `%2.1n`, `%{env:HOME}`, `%{if;%u;eq;x;a;b}`, `%{sha256:user}`.

Called by `request:var_expand` and `request:response_from_template` of 2.3 scripts.

Mirrors: var_expand_with_funcs() of Dovecot 2.3.19, compared with its library. `%{encrypt;...}` and `%{decrypt;...}` are
missing; they are unknown variables, as in a Dovecot without the plugin.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.legacy_condition import chosen
from workers.api.var_expand.legacy_hash import HASH_NAMES, hashed
from workers.api.var_expand.legacy_modifier import FIELD, parse_field
from workers.api.var_expand.limit import MAX_LEGACY_TEMPLATE_BYTES, MAX_NESTING_COUNT, Budget, check_size
from workers.api.var_expand.providers import hostname, process_id

#: A letter or a name of at least two characters -> value; None counts as the empty string.
Table: TypeAlias = Mapping[bytes, bytes | None]
#: Name -> function of what stands behind the colon (empty without one); None counts as the empty string.
Functions: TypeAlias = Mapping[bytes, Callable[[bytes], bytes | None]]

#: Braces, and whatever a backslash takes their meaning from.
_BRACES = re.compile(rb"\\.?|[{}]", re.DOTALL)


def expand_legacy(template: bytes, table: Table, functions: Functions, *, keeps_unknown: bool = False) -> bytes:
    """Expand a template, which ends at its first NUL.

    Args:
        table: `%u` takes the letter `u`, `%{user}` the name `user`.
        functions: `%{passdb:uid}` calls `passdb` with `uid`; `env` is among them, see environment_function().
        keeps_unknown: put UNSUPPORTED_VARIABLE_NAME in the place of an unknown variable, as Lua scripts see it.

    Raises:
        VarExpandError: with Dovecot's words in `detail`; an unknown variable is an error unless it is kept.
    """
    if len(template) > MAX_LEGACY_TEMPLATE_BYTES:
        raise VarExpandError(b"Template exceeds maximum of %d bytes" % MAX_LEGACY_TEMPLATE_BYTES)
    return _Expansion(table, functions, keeps_unknown=keeps_unknown).expand(template.partition(b"\0")[0])


def environment_function(environment: Mapping[bytes, bytes]) -> Functions:
    """The function `env`; a variable that is not set is empty."""
    return {b"env": environment.get}


class _UnknownVariableError(VarExpandError):
    """There is no variable of that name; `placeholder` is what may stand for it, `end` where its text ends."""

    def __init__(self, name: bytes) -> None:
        super().__init__(b"Unknown variable '%%%b'" % name)
        self.placeholder = b"UNSUPPORTED_VARIABLE_" + name
        self.end = 0


class _Expansion:
    """One expansion with everything that stands inside of it."""

    def __init__(self, table: Table, functions: Functions, *, keeps_unknown: bool) -> None:
        self._keeps_unknown = keeps_unknown
        self._table = table
        self._functions = functions
        self._budget = Budget()
        self._depth = 0

    def expand(self, template: bytes) -> bytes:
        self._depth += 1
        if self._depth > MAX_NESTING_COUNT:
            raise VarExpandError(b"Variables are nested too deeply")
        result = bytearray()
        position = 0
        while (percent := template.find(b"%", position)) >= 0:
            result += template[position:percent]
            value, position = self._field_or_placeholder(template, percent + 1)
            result += value
            check_size(len(result))
        self._depth -= 1
        result += template[position:]
        check_size(len(result))
        return bytes(result)

    def _field_or_placeholder(self, template: bytes, position: int) -> tuple[bytes, int]:
        depth = self._depth
        try:
            return self._field(template, position)
        except _UnknownVariableError as exc:
            if depth > 1 or not self._keeps_unknown:
                raise
            # No modifier applies to it.
            self._depth = depth
            return exc.placeholder, exc.end

    def _field(self, template: bytes, position: int) -> tuple[bytes, int]:
        found = FIELD.match(template, position)
        position = found.end() if found else position
        letter = template[position : position + 1]
        if found is None or not letter:
            # A percent sign without a variable ends the template.
            return b"", len(template)
        is_named = letter == b"{" and b"}" in template[position:]
        end = _closing_brace(template, position) if is_named else position
        try:
            value = self._named(template[position + 1 : end]) if is_named else self._lettered(letter)
        except _UnknownVariableError as exc:
            exc.end = end + 1
            raise
        return parse_field(found).apply(value), end + 1

    def _lettered(self, letter: bytes) -> bytes:
        if letter in self._table:
            return _c_string(self._table[letter])
        if letter == b"%":
            return letter
        raise _UnknownVariableError(letter)

    def _named(self, text: bytes) -> bytes:
        if len(text) > 1 and text in self._table:
            return _c_string(self._table[text])
        match text:
            case b"pid":
                return process_id()
            case b"uid":
                return b"%d" % os.geteuid()
            case b"gid":
                return b"%d" % os.getegid()
            case b"hostname":
                return hostname({})
        return self._extension(text)

    def _extension(self, text: bytes) -> bytes:
        key, _, data = text.partition(b":")
        name = key.partition(b";")[0]
        try:
            if name.lower() == b"if":
                return chosen(b"%b:%b" % (key, data), self.expand, self._budget)
            if name in HASH_NAMES:
                return self._hash(key, data)
        except _UnknownVariableError as exc:
            # Inside of another variable: all of that one is empty.
            exc.placeholder = b""
            raise
        if key not in self._functions:
            raise _UnknownVariableError(key)
        return _c_string(self._functions[key](data))

    def _hash(self, key: bytes, field: bytes) -> bytes:
        self._depth += 1
        if self._depth > MAX_NESTING_COUNT:
            raise VarExpandError(b"Variables are nested too deeply")
        value = self._named(field)
        self._depth -= 1
        return hashed(key, field, value, self.expand, self._budget)


def _closing_brace(template: bytes, position: int) -> int:
    """Where the brace that opens at `position` closes; the end of the template if it does not."""
    depth = 0
    for found in _BRACES.finditer(template, position):
        depth += {b"{": 1, b"}": -1}.get(found.group(), 0)
        if depth == 0:
            return found.start()
    return len(template)


def _c_string(value: bytes | None) -> bytes:
    return (value or b"").partition(b"\0")[0]
