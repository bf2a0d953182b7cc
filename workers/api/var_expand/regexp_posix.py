"""Regular expressions of dialect 2.3: POSIX extended ones, as the GNU C library reads them.

Called by regexp.py. Characters are bytes, and only ASCII letters are letters: Dovecot runs in the C locale.

Mirrors: Dovecot 2.3 compiles with REG_EXTENDED; the error texts are those of regerror(3).
"""

from __future__ import annotations

import re
from typing import ClassVar

from workers.api.var_expand.regexp_machine import is_word
from workers.api.var_expand.regexp_node import Assertion, At, Back, Choice, Group, Node, One, Test
from workers.api.var_expand.regexp_parser import Parser

_QUANTIFIERS = frozenset("*+?{")
_OPEN_INTERVAL = re.compile(r"\{(?:[0-9]*,)?[^},]*")
#: a** and so on: each quantifier nests the one before.
MAX_QUANTIFIER_COUNT = 20

_CLASSES: dict[str, Test] = {
    "w": lambda character: character.isascii() and is_word(character),
    "W": lambda character: not (character.isascii() and is_word(character)),
    "s": " \t\n\v\f\r".__contains__,
    "S": lambda character: character not in " \t\n\v\f\r",
}
_POSITIONS = {
    "b": Assertion.WORD_EDGE,
    "B": Assertion.NO_WORD_EDGE,
    "<": Assertion.WORD_START,
    ">": Assertion.WORD_END,
    "`": Assertion.TEXT_START,
    "'": Assertion.TEXT_END,
}


class PosixParser(Parser):
    """Reads one pattern."""

    errors: ClassVar[dict[str, bytes]] = {
        "unmatched )": b"Unmatched ) or \\)",
        "unmatched (": b"Unmatched ( or \\(",
        "unmatched [": b"Unmatched [, [^, [:, [., or [=",
        "no such group": b"Invalid back reference",
        "empty [": b"Invalid regular expression",
        "unmatched {": b"Unmatched \\{",
        "interval": b"Invalid content of \\{\\}",
        "large number": b"Regular expression too big",
        "number order": b"Invalid content of \\{\\}",
        "range order": b"Invalid range end",
        "class name": b"Invalid character class name",
        "nothing to repeat": b"Invalid preceding regular expression",
        "trailing backslash": b"Trailing backslash",
    }
    max_repeat_count: ClassVar[int] = 32_767

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._closed_groups: set[int] = set()

    def is_sequence_end(self) -> bool:
        """A bar or a closing parenthesis; without an opening one that is a character."""
        return self.peek() in {"", "|"} or (self.peek() == ")" and self.depth > 0)

    def unclosed_class(self) -> str:
        """An error."""
        raise self.error("unmatched [")

    def quantified(self, node: Node) -> Node:
        """Read any number of quantifiers."""
        quantifier_count = 0
        while self.peek() in _QUANTIFIERS:
            quantifier_count += 1
            if quantifier_count > MAX_QUANTIFIER_COUNT:
                raise self.error("large number")
            node = self.repeat(node, self._interval())
        return node

    def atom(self) -> Node:
        """Read a character, class, group or anchor."""
        if self.peek() in _QUANTIFIERS:
            raise self.error("nothing to repeat")
        character = self.take()
        match character:
            case "(":
                return self._group()
            case "[":
                if self.pattern[self.position :] in {"", "^"}:
                    raise self.error("empty [")
                return self.bracket()
            case ".":
                return One("\0".__ne__)
            case "^" | "$":
                return self._anchor(Assertion.TEXT_START if character == "^" else Assertion.TEXT_END)
            case "\\":
                return self._escape()
        return self.one(character)

    def _anchor(self, assertion: Assertion) -> Node:
        if self.peek() in _QUANTIFIERS:
            raise self.error("nothing to repeat")
        return At(assertion)

    def choice(self) -> Node:
        """Read alternatives. A group of one alternative is not closed yet in the next one."""
        closed_before = frozenset(self._closed_groups)
        closed: set[int] = set()
        nodes = []
        is_first = True
        while is_first or self.eat("|"):
            is_first = False
            self._closed_groups = set(closed_before)
            nodes.append(self.sequence())
            closed |= self._closed_groups
        self._closed_groups = closed
        return nodes[0] if len(nodes) == 1 else Choice(tuple(nodes))

    def _group(self) -> Node:
        self.group_count += 1
        number = self.group_count
        node = Group(self.nested(), number)
        self._closed_groups.add(number)
        return node

    def _interval(self) -> tuple[int, int | None]:
        if self.pattern.startswith("{,", self.position):
            # No least number is zero.
            self.pattern = self.pattern[: self.position] + "{0" + self.pattern[self.position + 1 :]
        interval = self.interval()
        if interval is None:
            is_open = _OPEN_INTERVAL.fullmatch(self.pattern, self.position)
            raise self.error("unmatched {" if is_open else "interval")
        return interval

    def bracket_escape(self) -> Test | str:
        """A backslash in brackets is itself."""
        return "\\"

    def _escape(self) -> Node:
        character = self.take()
        if not character:
            raise self.error("trailing backslash")
        if character in _POSITIONS:
            return self._anchor(_POSITIONS[character])
        if character in _CLASSES:
            return One(_CLASSES[character])
        if character in set("123456789"):
            if int(character) not in self._closed_groups:
                raise self.error("no such group")
            self.highest_reference = max(int(character), self.highest_reference)
            return Back(int(character), is_caseless=False)
        return self.one(character)
