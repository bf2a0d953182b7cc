"""What the two syntaxes of regular expressions have in common: choices, sequences, quantifiers, brackets.

Base of regexp_perl.py (dialect 2.4) and regexp_posix.py (dialect 2.3); they say what an atom is and name the errors.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.regexp_machine import is_word
from workers.api.var_expand.regexp_node import Choice, Compiler, Expression, Node, One, Repeat, Sequence, Test

#: Bytes of a pattern; a longer one would not fit into a template.
MAX_PATTERN_LENGTH = 8192
#: Groups inside of one another.
MAX_DEPTH_COUNT = 100

_INTERVAL = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_SIMPLE = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_CLASSES: dict[str, Test] = {
    "alpha": str.isalpha,
    "digit": str.isdecimal,
    "alnum": str.isalnum,
    "upper": str.isupper,
    "lower": str.islower,
    "space": str.isspace,
    "blank": " \t".__contains__,
    "punct": lambda character: character.isprintable() and not character.isalnum() and not character.isspace(),
    "print": str.isprintable,
    "graph": lambda character: character.isprintable() and not character.isspace(),
    "cntrl": lambda character: ord(character) < ord(" ") or character == "\x7f",
    "xdigit": "0123456789abcdefABCDEF".__contains__,
    "word": is_word,
}


class Parser(ABC):
    """One pattern being read."""

    #: What goes wrong -> the text of the library that Dovecot uses.
    errors: ClassVar[dict[str, bytes]]
    #: The largest number in {n,m}.
    max_repeat_count: ClassVar[int]

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0
        self.group_count = 0
        self.group_names: dict[str, int] = {}
        self.highest_reference = 0
        self.is_caseless = False

    def expression(self) -> Expression:
        """Parse the whole pattern."""
        if len(self.pattern) > MAX_PATTERN_LENGTH:
            raise VarExpandError(b"regular expression is too large")
        node = self.choice()
        if self.position < len(self.pattern):
            raise self.error("unmatched )")
        if self.highest_reference > self.group_count:
            raise self.error("no such group")
        compiler = Compiler(self.group_count)
        program = compiler.program(node)
        return Expression(program, compiler.slot_count, self.group_count, self.group_names, self.highest_reference > 0)

    @abstractmethod
    def atom(self) -> Node:
        """Read what a quantifier may follow, or an anchor."""

    @abstractmethod
    def bracket_escape(self) -> Test | str:
        """Read an escape inside of [...], the backslash is read already."""

    @abstractmethod
    def unclosed_class(self) -> str:
        """What `[:` inside of [...] is if no `:]` follows; it is read already."""

    @abstractmethod
    def is_sequence_end(self) -> bool:
        """Whether the next character ends a sequence."""

    @abstractmethod
    def quantified(self, node: Node) -> Node:
        """Read the quantifiers behind an atom."""

    def error(self, what: str) -> VarExpandError:
        """The error of a key of `errors`."""
        return VarExpandError(self.errors[what])

    def peek(self) -> str:
        """The next character, or nothing."""
        return self.pattern[self.position : self.position + 1]

    def take(self) -> str:
        """Read the next character, or nothing."""
        character = self.peek()
        self.position += 1
        return character

    def eat(self, text: str) -> bool:
        """Read `text` if it comes next."""
        if not self.pattern.startswith(text, self.position):
            return False
        self.position += len(text)
        return True

    def choice(self) -> Node:
        """Read alternatives up to the end of the group."""
        nodes = [self.sequence()]
        while self.eat("|"):
            nodes.append(self.sequence())
        return nodes[0] if len(nodes) == 1 else Choice(tuple(nodes))

    def nested(self) -> Node:
        """Read the inside of a group and its closing parenthesis."""
        self.depth += 1
        if self.depth > MAX_DEPTH_COUNT:
            raise VarExpandError(b"parentheses are too deeply nested")
        node = self.choice()
        if not self.eat(")"):
            raise self.error("unmatched (")
        self.depth -= 1
        return node

    def interval(self) -> tuple[int, int | None] | None:
        """Read `*`, `+`, `?` or {n,m}; None if there is none."""
        if self.peek() in _SIMPLE:
            return _SIMPLE[self.take()]
        found = _INTERVAL.match(self.pattern, self.position)
        if found is None:
            return None
        self.position = found.end()
        least_digits, comma, most_digits = found.groups()
        if max(len(least_digits), len(most_digits)) > len(str(self.max_repeat_count)):
            raise self.error("large number")
        least = int(least_digits)
        most = int(most_digits) if most_digits else (None if comma else least)
        if max(least, most or 0) > self.max_repeat_count:
            raise self.error("large number")
        if most is not None and most < least:
            raise self.error("number order")
        return least, most

    def repeat(self, node: Node, interval: tuple[int, int | None], *, is_lazy: bool = False) -> Node:
        """Repeat a node."""
        return Repeat(node, interval[0], interval[1], is_lazy)

    def one(self, character: str) -> One:
        """A node for one character."""
        return One(self.same(character))

    def same(self, character: str) -> Test:
        """A test for one character, in any case if the flags say so."""
        if self.is_caseless:
            lowered = character.lower()
            return lambda other: other.lower() == lowered
        return character.__eq__

    def bracket(self) -> One:
        """Read the inside of [...]."""
        is_negative = self.eat("^")
        tests: list[Test] = []
        is_first = True
        while is_first or self.peek() != "]":
            if not self.peek():
                raise self.error("unmatched [")
            tests.append(self._member())
            is_first = False
        self.take()
        return One(lambda character: any(test(character) for test in tests) != is_negative)

    def _member(self) -> Test:
        low = self._end_point()
        if not isinstance(low, str):
            return low
        is_range = self.peek() == "-" and self.pattern[self.position + 1 : self.position + 2] not in {"]", ""}
        if not is_range:
            return self.same(low)
        self.take()
        high = self._end_point()
        if not isinstance(high, str) or high < low:
            raise self.error("range order")
        return self._range(low, high)

    def _range(self, low: str, high: str) -> Test:
        if self.is_caseless:
            return lambda character: low <= character.lower() <= high or low <= character.upper() <= high
        return lambda character: low <= character <= high

    def _end_point(self) -> Test | str:
        if self.eat("[:"):
            end = self.pattern.find(":]", self.position)
            return self._named_class(end) if end >= 0 else self.unclosed_class()
        character = self.take()
        return self.bracket_escape() if character == "\\" else character

    def _named_class(self, end: int) -> Test:
        name = self.pattern[self.position : end]
        self.position = end + 2
        is_negative = name.startswith("^")
        test = _CLASSES.get(name.removeprefix("^"))
        if test is None:
            raise self.error("class name")
        return (lambda character: not test(character)) if is_negative else test

    def sequence(self) -> Node:
        """Read what stands between two bars."""
        nodes: list[Node] = []
        while not self.is_sequence_end():
            nodes.append(self.quantified(self.atom()))
        return nodes[0] if len(nodes) == 1 else Sequence(tuple(nodes))
