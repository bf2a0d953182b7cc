"""Expands templates of dialect 2.4: `%{user | domain | upper}`.

Called by `dovecot.var_expand` and `request:var_expand`. Parsed templates are kept.

Mirrors: var_expand() of Dovecot 2.4.
"""

from __future__ import annotations

from functools import lru_cache

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.filters import FILTERS
from workers.api.var_expand.limit import check_size
from workers.api.var_expand.state import Escape, Providers, State, Variables
from workers.api.var_expand.syntax import Call, Pipeline, Template, parse

#: Templates that are kept; a script has a handful.
_CACHE_COUNT = 1024


def expand(template: bytes, variables: Variables, providers: Providers, *, escape: Escape | None = None) -> bytes:
    """Expand a template, which ends at its first NUL.

    Args:
        variables: name -> value; None counts as the empty string, a missing name is an error that `default` catches.
        providers: prefix -> function of the rest of the name, as standard_providers() makes them.
        escape: applied to the result of each `%{...}` that is not marked safe.

    Raises:
        VarExpandError: with Dovecot's words in `detail`.
    """
    state = State(variables, providers, escape)
    result = bytearray()
    for part in _compiled(template):
        result += part if isinstance(part, bytes) else _run(part, state)
        check_size(len(result))
    return bytes(result)


@lru_cache(maxsize=_CACHE_COUNT)
def _compiled(template: bytes) -> Template:
    return parse(template.partition(b"\0")[0])


def _run(pipeline: Pipeline, state: State) -> bytes:
    state.reset()
    if not pipeline:
        return b""
    delayed = _first(pipeline[0], state)
    for call in pipeline[1:]:
        if call.name not in FILTERS:
            raise VarExpandError(b"No such function '%b'" % call.name)
        delayed = _apply(call, state, delayed)
    if state.is_binary:
        state.set_text(state.value.hex().encode())
    if not state.is_set:
        raise delayed or VarExpandError(b"No value")
    if state.escape is not None and not state.is_safe:
        state.set_text(state.escape(state.text))
    return state.value


def _first(call: Call, state: State) -> VarExpandError | None:
    """A pipeline begins with a variable or, where no variable has that name, with a filter."""
    try:
        state.set_text(state.lookup(call.name))
    except VarExpandError as exc:
        return _apply(call, state, None) if call.name in FILTERS else exc
    return None


def _apply(call: Call, state: State, delayed: VarExpandError | None) -> VarExpandError | None:
    """Run a filter. Its error waits for the next filter, which is `default` or fails with the error that came first."""
    try:
        FILTERS[call.name](state, call.arguments)
    except VarExpandError as exc:
        state.unset()
        if delayed is not None:
            raise delayed from exc
        return VarExpandError(b"%b: %b" % (call.name, exc.detail))
    return None
