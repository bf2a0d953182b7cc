"""Grammar of 2.4 templates: text and pipelines of filter calls.

Called by expansion.py, which keeps the parsed form. Never looks at a variable.

Mirrors: the grammar of Dovecot 2.4's lib-var-expand (documented under "Variable expansion design"). Its error texts are
those of a Bison parser: the unexpected token, and what was expected when that is at most four kinds.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeAlias

from workers.api.var_expand import scanner
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import parse_integer
from workers.api.var_expand.limit import MAX_TEMPLATE_BYTES
from workers.api.var_expand.scanner import Scanner, Token


class Variable(NamedTuple):
    """An argument that names a variable, maybe with a provider: `user`, `env:HOME`."""

    name: bytes


Operand: TypeAlias = bytes | int | Variable


class Argument(NamedTuple):
    """One argument; positional if `key` is None, otherwise the key in lower case."""

    key: bytes | None
    operand: Operand


class Call(NamedTuple):
    """A filter with its arguments: positional ones first, then named ones by key."""

    name: bytes
    arguments: tuple[Argument, ...]


Pipeline: TypeAlias = tuple[Call, ...]
Template: TypeAlias = tuple[bytes | Pipeline, ...]


class Operator(IntEnum):
    """The first argument of `calculate`; the numbers are Dovecot's."""

    PLUS = 0
    MINUS = 1
    STAR = 2
    SLASH = 3
    MODULO = 4


_OPERATORS = {
    scanner.PLUS: Operator.PLUS,
    scanner.MINUS: Operator.MINUS,
    scanner.STAR: Operator.STAR,
    scanner.SLASH: Operator.SLASH,
    scanner.PERCENT: Operator.MODULO,
}


def parse(template: bytes) -> Template:
    """Parse a template that contains no NUL.

    Raises:
        VarExpandError: syntax error, a bad escape, invalid UTF-8 in a name or string, or a template that is too long.
    """
    if len(template) > MAX_TEMPLATE_BYTES:
        raise VarExpandError(b"Program size exceeds maximum of %d bytes" % MAX_TEMPLATE_BYTES)
    parts: list[bytes | Pipeline] = []
    position = 0
    while (percent := template.find(b"%", position)) >= 0:
        parts.append(template[position:percent])
        if template.startswith(b"%{", percent):
            parser = _Parser(template, percent + 2)
            parts.append(parser.pipeline())
            position = parser.position
        elif template.startswith(b"%%{", percent):
            parts.append(b"%{")
            position = percent + 3
        else:
            parts.append(b"%")
            position = percent + 1
    parts.append(template[position:])
    return tuple(part for part in parts if part)


class _Parser:
    """One `%{...}`."""

    def __init__(self, template: bytes, position: int) -> None:
        self._scanner = Scanner(template, position)
        self._token = self._scanner.next()

    @property
    def position(self) -> int:
        return self._scanner.position

    def pipeline(self) -> Pipeline:
        """Parse up to the closing brace. An empty filter (`%{a || b}`) is allowed."""
        calls: list[Call] = []
        while True:
            if self._token.kind == scanner.NAME:
                calls.append(self._call())
                if self._token.kind in _OPERATORS:
                    calls.append(self._calculation())
            if self._token.kind == scanner.CLOSE:
                # The token behind the brace is text: it is not asked for.
                return tuple(calls)
            self._take(scanner.CLOSE, scanner.PIPE)

    def _call(self) -> Call:
        name = self._take(scanner.NAME).text
        if self._token.kind != scanner.OPEN_LIST:
            return Call(name, ())
        self._take(scanner.OPEN_LIST)
        arguments = [self._argument()]
        while self._take(scanner.CLOSE_LIST, scanner.COMMA).kind == scanner.COMMA:
            arguments.append(self._argument())
        return Call(name, _sorted(arguments))

    def _argument(self) -> Argument:
        operand = self._operand(scanner.MINUS, scanner.NAME, scanner.VALUE, scanner.NUMBER)
        if not isinstance(operand, Variable) or self._token.kind != scanner.EQUALS:
            return Argument(None, operand)
        self._take(scanner.EQUALS)
        value = self._operand(scanner.MINUS, scanner.NAME, scanner.VALUE, scanner.NUMBER)
        return Argument(operand.name.lower(), value)

    def _calculation(self) -> Call:
        operator = _OPERATORS[self._take(*_OPERATORS).kind]
        right = self._operand(scanner.MINUS, scanner.NAME, scanner.NUMBER)
        return Call(b"calculate", (Argument(None, int(operator)), Argument(None, right)))

    def _operand(self, *kinds: bytes) -> Operand:
        token = self._take(*kinds)
        if token.kind == scanner.NAME:
            return Variable(token.text)
        if token.kind == scanner.VALUE:
            return token.text
        if token.kind == scanner.MINUS:
            return _integer(b"-" + self._take(scanner.NUMBER).text)
        return _integer(token.text)

    def _take(self, *kinds: bytes) -> Token:
        token = self._token
        if token.kind not in kinds:
            detail = b"syntax error, unexpected %b, expecting %b" % (token.kind, b" or ".join(kinds))
            raise VarExpandError(detail)
        self._token = self._scanner.next()
        return token


def _sorted(arguments: list[Argument]) -> tuple[Argument, ...]:
    positional = [argument for argument in arguments if argument.key is None]
    # Of a key given twice the first one is read last, and wins.
    named = [argument for argument in reversed(arguments) if argument.key is not None]
    return (*positional, *sorted(named, key=lambda argument: argument.key or b""))


def _integer(digits: bytes) -> int:
    number = parse_integer(digits)
    if number is None:
        raise VarExpandError(b"Not a number")
    return number
