"""The `regexp` filter. Called through the table in filters.py."""

from __future__ import annotations

from workers.api.var_expand.argument import Arguments, positional, required, string
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.regexp import replace_pcre
from workers.api.var_expand.state import State

_OPERAND_COUNT = 2


def regexp(state: State, arguments: Arguments) -> None:
    """With pattern and replacement: replaces the first match; without one the value stays."""
    required(arguments)
    operands = [string(state, operand) for operand in positional(arguments, _OPERAND_COUNT)]
    if len(operands) < _OPERAND_COUNT:
        raise VarExpandError(b"Missing replacement parameter")
    state.require(b"regexp")
    replaced = replace_pcre(operands[0], operands[1], state.text, state.budget)
    if replaced is not None:
        state.set_data(replaced)
