"""Regular expressions of dialect 2.4: those of PCRE2, without look-behind, atomic groups, conditions and recursion.

Called by regexp.py. What is missing is refused when the pattern is compiled. Letters and digits are Unicode's.

Mirrors: Dovecot 2.4.2 and later use libpcre2 with UCP and UTF; the error texts are those of libpcre2.
"""

from __future__ import annotations

import re
from typing import ClassVar

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.regexp_machine import is_word
from workers.api.var_expand.regexp_node import Assertion, At, Back, Group, Look, Node, One, Sequence, Test
from workers.api.var_expand.regexp_parser import Parser

_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "e": "\x1b", "a": "\a"}
_CLASSES: dict[str, Test] = {
    "d": str.isdecimal,
    "D": lambda character: not character.isdecimal(),
    "w": is_word,
    "W": lambda character: not is_word(character),
    "s": str.isspace,
    "S": lambda character: not character.isspace(),
    "h": "\t \u00a0".__contains__,
    "N": "\n".__ne__,
}
_POSITIONS = {
    "b": Assertion.WORD_EDGE,
    "B": Assertion.NO_WORD_EDGE,
    "A": Assertion.TEXT_START,
    "z": Assertion.TEXT_END,
    "Z": Assertion.TEXT_END_OR_LAST_NEWLINE,
}
_HEXADECIMAL = re.compile(r"x(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{0,2}))")
_FLAGS = re.compile(r"\?([ims]*)(?:-([ims]+))?([:)])")
_NAMED = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_]{0,31})>")


class PerlParser(Parser):
    """Reads one pattern."""

    errors: ClassVar[dict[str, bytes]] = {
        "unmatched )": b"unmatched closing parenthesis",
        "unmatched (": b"missing closing parenthesis",
        "unmatched [": b"missing terminating ] for character class",
        "no such group": b"reference to non-existent subpattern",
        "large number": b"number too big in {} quantifier",
        "number order": b"numbers out of order in {} quantifier",
        "range order": b"range out of order in character class",
        "class name": b"unknown POSIX class name",
        "nothing to repeat": b"quantifier does not follow a repeatable item",
        "trailing backslash": b"\\ at end of pattern",
        "unknown escape": b"unrecognized character follows \\",
        "unknown group": b"unrecognized character after (? or (?-",
        "large code point": b"character code point value in \\x{} or \\o{} is too large",
    }
    max_repeat_count: ClassVar[int] = 65_535

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._is_dot_all = False
        self._is_multiline = False

    def unclosed_class(self) -> str:
        """A bracket and a colon, nothing more."""
        self.position -= 1
        return "["

    def is_sequence_end(self) -> bool:
        """A bar or a closing parenthesis, which may be one too many."""
        return self.peek() in {"", "|", ")"}

    def quantified(self, node: Node) -> Node:
        """Read one quantifier, greedy or lazy."""
        interval = self.interval()
        if interval is None:
            return node
        if self.peek() == "+":
            raise VarExpandError(b"possessive quantifiers are not supported")
        repeated = self.repeat(node, interval, is_lazy=self.eat("?"))
        if self.interval() is not None:
            raise self.error("nothing to repeat")
        return repeated

    def atom(self) -> Node:
        """Read a character, class, group or position."""
        if self.interval() is not None:
            raise self.error("nothing to repeat")
        character = self.take()
        match character:
            case "(":
                return self._group()
            case "[":
                return self.bracket()
            case "\\":
                return self._escape()
        return self._point(character)

    def _point(self, character: str) -> Node:
        if character == ".":
            return One((lambda _: True) if self._is_dot_all else "\n".__ne__)
        if character == "^":
            return At(Assertion.LINE_START if self._is_multiline else Assertion.TEXT_START)
        if character == "$":
            return At(Assertion.LINE_END if self._is_multiline else Assertion.TEXT_END_OR_LAST_NEWLINE)
        return self.one(character)

    def bracket_escape(self) -> Test | str:
        r"""Inside of [...], \b is a backspace."""
        if self.eat("b"):
            return "\b"
        return self._character()

    def _escape(self) -> Node:
        if self.peek() in _POSITIONS:
            return At(_POSITIONS[self.take()])
        if self.peek() in set("123456789"):
            number = int(self.take())
            self.highest_reference = max(number, self.highest_reference)
            return Back(number, self.is_caseless)
        found = self._character()
        return self.one(found) if isinstance(found, str) else One(found)

    def _character(self) -> Test | str:
        found = _HEXADECIMAL.match(self.pattern, self.position)
        if found is not None:
            self.position = found.end()
            return self._code_point(found[1] or found[2] or "0")
        character = self.take()
        if not character:
            raise self.error("trailing backslash")
        if character in _CLASSES:
            return _CLASSES[character]
        if character == "0":
            return "\0"
        if character in _CONTROL:
            return _CONTROL[character]
        if character.isascii() and character.isalnum():
            raise self.error("unknown escape")
        return character

    def _code_point(self, digits: str) -> str:
        try:
            return chr(int(digits, 16))
        except ValueError as exc:
            raise self.error("large code point") from exc

    def _group(self) -> Node:
        flags = self.is_caseless, self._is_dot_all, self._is_multiline
        if self.eat("?=") or self.eat("?!"):
            is_negative = self.pattern[self.position - 1] == "!"
            return self._restoring(flags, Look(self.nested(), is_negative))
        if found := _FLAGS.match(self.pattern, self.position):
            self.position = found.end()
            self._set_flags(found[1], found[2] or "")
            # (?i) holds up to the end of the group that it stands in.
            return Sequence(()) if found[3] == ")" else self._restoring(flags, self.nested())
        self.group_count += 1
        number = self.group_count
        if found := _NAMED.match(self.pattern, self.position):
            self.position = found.end()
            self.group_names[found[1]] = number
        elif self.peek() in {"?", "*"}:
            raise self.error("unknown group")
        return self._restoring(flags, Group(self.nested(), number))

    def _restoring(self, flags: tuple[bool, bool, bool], node: Node) -> Node:
        self.is_caseless, self._is_dot_all, self._is_multiline = flags
        return node

    def _set_flags(self, switched_on: str, switched_off: str) -> None:
        for names, value in ((switched_on, True), (switched_off, False)):
            self.is_caseless = value if "i" in names else self.is_caseless
            self._is_dot_all = value if "s" in names else self._is_dot_all
            self._is_multiline = value if "m" in names else self._is_multiline
