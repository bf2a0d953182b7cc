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


def expand_legacy(template: bytes, table: Table, functions: Functions) -> bytes:
    """Expand a template, which ends at its first NUL.

    Args:
        table: `%u` takes the letter `u`, `%{user}` the name `user`.
        functions: `%{passdb:uid}` calls `passdb` with `uid`; `env` is among them, see environment_function().

    Raises:
        VarExpandError: with Dovecot's words in `detail`; an unknown variable is an error, as it is to a Lua script.
    """
    if len(template) > MAX_LEGACY_TEMPLATE_BYTES:
        raise VarExpandError(b"Template exceeds maximum of %d bytes" % MAX_LEGACY_TEMPLATE_BYTES)
    return _Expansion(table, functions).expand(template.partition(b"\0")[0])


def environment_function(environment: Mapping[bytes, bytes]) -> Functions:
    """The function `env`; a variable that is not set is empty."""
    return {b"env": environment.get}


class _Expansion:
    """One expansion with everything that stands inside of it."""

    def __init__(self, table: Table, functions: Functions) -> None:
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
            value, position = self._field(template, percent + 1)
            result += value
            check_size(len(result))
        self._depth -= 1
        result += template[position:]
        check_size(len(result))
        return bytes(result)

    def _field(self, template: bytes, position: int) -> tuple[bytes, int]:
        found = FIELD.match(template, position)
        position = found.end() if found else position
        letter = template[position : position + 1]
        if found is None or not letter:
            # A percent sign without a variable ends the template.
            return b"", len(template)
        if letter == b"{" and b"}" in template[position:]:
            end = _closing_brace(template, position)
            value = self._named(template[position + 1 : end])
            position = end
        else:
            value = self._lettered(letter)
        return parse_field(found).apply(value), position + 1

    def _lettered(self, letter: bytes) -> bytes:
        if letter in self._table:
            return _c_string(self._table[letter])
        if letter == b"%":
            return letter
        raise _unknown(letter)

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
        if name.lower() == b"if":
            return chosen(b"%b:%b" % (key, data), self.expand, self._budget)
        if name in HASH_NAMES:
            return self._hash(key, data)
        if key not in self._functions:
            raise _unknown(key)
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


def _unknown(name: bytes) -> VarExpandError:
    return VarExpandError(b"Unknown variable '%%%b'" % name)
