"""Filters on text: lookup, literal, default, concat, case, parts of a value, filling, lists, escaping.

Called through the table in filters.py. Every filter gets the state and its arguments, and raises VarExpandError with
Dovecot's text without the filter's own name.

Mirrors: the filters of Dovecot 2.4's lib-var-expand, documented under "Settings variables".
"""

from __future__ import annotations

from workers.api.var_expand.argument import Arguments, anything, number, positional, required, string
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.limit import MAX_RESULT_BYTES, check_size
from workers.api.var_expand.state import State

_REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}"
#: For str.translate: control characters, and bytes that are no UTF-8 as "surrogateescape" decodes them.
_UNPRINTABLE = dict.fromkeys([*range(32), *range(0xDC80, 0xDD00)], _REPLACEMENT_CHARACTER)
_TAB_ESCAPED = {b"0": b"\0", b"1": b"\1", b"t": b"\t", b"r": b"\r", b"n": b"\n"}
_MAX_INDEX = (1 << 31) - 1


def lookup(state: State, arguments: Arguments) -> None:
    """The variable whose name is the argument."""
    if not arguments:
        raise VarExpandError(b"Missing name to lookup")
    (operand, *_) = positional(arguments, len(arguments))
    state.unset()
    state.set_text(state.lookup(string(state, operand)))


def literal(state: State, arguments: Arguments) -> None:
    """The argument itself."""
    required(arguments)
    (operand, *_) = positional(arguments, len(arguments))
    state.set_text(anything(state, operand))


def default(state: State, arguments: Arguments) -> None:
    """The argument, if there is no value, an empty one, or an error so far."""
    if state.is_set and state.value:
        return
    operands = positional(arguments, 1)
    state.set_text(anything(state, operands[0]) if operands else b"")


def concat(state: State, arguments: Arguments) -> None:
    """The value and all arguments."""
    required(arguments)
    result = bytearray(state.value)
    for operand in positional(arguments, len(arguments)):
        result += anything(state, operand)
        check_size(len(result))
    state.set_data(bytes(result))


def lower(state: State, arguments: Arguments) -> None:
    """ASCII letters in lower case."""
    positional(arguments, 0)
    state.require(b"lower")
    state.value = state.value.lower()


def upper(state: State, arguments: Arguments) -> None:
    """ASCII letters in upper case."""
    positional(arguments, 0)
    state.require(b"upper")
    state.value = state.value.upper()


def reverse(state: State, arguments: Arguments) -> None:
    """The bytes backwards."""
    positional(arguments, 0)
    state.require(b"reverse")
    state.set_data(state.value[::-1])


def substr(state: State, arguments: Arguments) -> None:
    """With offset and maybe length: negative ones count from the end; nothing may lie outside of the value."""
    required(arguments)
    offset, *rest = (number(state, operand) for operand in positional(arguments, 2))
    state.require(b"substring")
    size = len(state.value)
    length = rest[0] if rest else size
    if not -size <= offset <= size:
        raise VarExpandError(b"Offset out of bounds")
    start = offset if offset >= 0 else size + offset
    end = size
    if rest:
        end = start + length if length >= 0 else size + length
    if not -size <= length <= size or (length != 0 and not start <= end <= size):
        raise VarExpandError(b"Length out of bounds")
    state.set_data(state.value[start:end] if length else b"")


def ldap_dn(state: State, arguments: Arguments) -> None:
    """`sub.domain.org` as `sub,dc=domain,dc=org`."""
    positional(arguments, 0)
    state.require(b"convert to ldap_dn")
    state.set_data(state.text.replace(b".", b",dc="))


def index(state: State, arguments: Arguments) -> None:
    """With separator and position: one part of the value; a negative position counts from the end."""
    required(arguments)
    operands = positional(arguments, 2)
    separator = string(state, operands[0])
    if len(operands) == 1:
        raise VarExpandError(b"Missing index parameter")
    position = number(state, operands[1])
    if not -_MAX_INDEX - 1 <= position <= _MAX_INDEX:
        raise VarExpandError(b"Position out of bounds")
    state.require(b"index")
    if not separator:
        # Dovecot never returns from this.
        raise VarExpandError(b"Empty separator")
    parts = state.text.split(separator)
    if not -len(parts) <= position < len(parts):
        raise VarExpandError(b"Position out of bounds")
    state.set_text(parts[position])


def username(state: State, arguments: Arguments) -> None:
    """What stands before the first @."""
    positional(arguments, 0)
    state.require(b"get username from")
    state.set_text(state.text.partition(b"@")[0])


def domain(state: State, arguments: Arguments) -> None:
    """All that stands behind the first @."""
    positional(arguments, 0)
    state.require(b"get domain from")
    state.set_text(state.text.partition(b"@")[2])


def join_list(state: State, arguments: Arguments) -> None:
    """With an optional separator: the tab-escaped values of a list, joined without any escaping."""
    operands = positional(arguments, 1)
    separator = string(state, operands[0]) if operands else b","
    state.require(b"generate list from")
    values = [_tab_unescaped(value) for value in state.text.split(b"\t")]
    check_size(sum(map(len, values)) + len(separator) * (len(values) - 1))
    state.set_text(separator.join(value.partition(b"\0")[0] for value in values))


def lfill(state: State, arguments: Arguments) -> None:
    """With width and maybe filler: whole fillers before the value until it is wide enough."""
    state.set_data(_filling(state, arguments) + state.value)


def rfill(state: State, arguments: Arguments) -> None:
    """With width and maybe filler: whole fillers behind the value until it is wide enough."""
    filling = _filling(state, arguments)
    state.set_data(state.value + filling)


def text(state: State, arguments: Arguments) -> None:
    """Binary data as text: what is no printable UTF-8 becomes U+FFFD."""
    positional(arguments, 0)
    state.require(b"text")
    decoded = state.text.decode(errors="surrogateescape")
    state.set_text(decoded.translate(_UNPRINTABLE).encode())


def escape(state: State, arguments: Arguments) -> None:
    """Escape now, for templates that are escaped (queries); Lua templates are not."""
    positional(arguments, 0)
    state.require(b"escape")
    if state.escape is None:
        raise VarExpandError(b"No escape function")
    state.set_text(state.escape(state.text))


def safe(state: State, arguments: Arguments) -> None:
    """Do not escape this value at the end."""
    positional(arguments, 0)
    state.require(b"mark safe")
    state.is_safe = True


def _filling(state: State, arguments: Arguments) -> bytes:
    required(arguments)
    operands = positional(arguments, 2)
    width = number(state, operands[0])
    if not 1 <= width <= MAX_RESULT_BYTES:
        raise VarExpandError(b"Fill length out of bounds")
    filler = string(state, operands[1]) if operands[1:] else b"0"
    state.require(b"fill")
    if not filler:
        # Dovecot never returns from this.
        raise VarExpandError(b"Empty filler")
    missing = max(0, width - len(state.value))
    count = -(-missing // len(filler))
    check_size(count * len(filler))
    return filler * count


def _tab_unescaped(value: bytes) -> bytes:
    first, *rest = value.split(b"\1")
    if not rest:
        return value
    result = bytearray(first)
    parts = iter(rest)
    for part in parts:
        if part:
            result += _TAB_ESCAPED.get(part[:1], part[:1]) + part[1:]
            continue
        # \1\1: the second one is the escaped character, the part behind it is plain.
        following = next(parts, None)
        if following is not None:
            result += b"\1" + following
    return bytes(result)
