"""Parts of a regular expression, and the program that regexp_machine.py runs.

The parsers (regexp_parser.py) make the parts. A program is a list of instructions, so that matching needs no recursion
and can be counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from workers.api.var_expand.error import VarExpandError

#: Instructions of a program, after {n,m} is written out.
MAX_PROGRAM_LENGTH = 4000

Test: TypeAlias = Callable[[str], bool]


class Op(IntEnum):
    """What an instruction does; `first` and `second` are its operands."""

    TEST = 0  # the next character passes the test
    SPLIT = 1  # try `first`, then `second`
    JUMP = 2
    SAVE = 3  # remember the position in slot `first`
    ASSERT = 4  # the position passes Assertion `first`
    ADVANCED = 5  # unless the position is behind slot `first`, skip the next instruction
    BACK = 6  # the text of group `first` again
    LOOK = 7  # program `first` matches here; `second`: it must not
    MATCH = 8


class Assertion(IntEnum):
    """A condition on a position."""

    TEXT_START = 0
    TEXT_END = 1
    TEXT_END_OR_LAST_NEWLINE = 2
    LINE_START = 3
    LINE_END = 4
    WORD_EDGE = 5
    NO_WORD_EDGE = 6
    WORD_START = 7
    WORD_END = 8


@dataclass(frozen=True, slots=True)
class One:
    """One character."""

    test: Test


@dataclass(frozen=True, slots=True)
class At:
    """A position."""

    assertion: Assertion


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first that fits."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """At least `least` and at most `most` times; None: without end."""

    node: Node
    least: int
    most: int | None
    is_lazy: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A capture group, counted from 1."""

    node: Node
    number: int


@dataclass(frozen=True, slots=True)
class Back:
    """The text of a group again."""

    number: int
    is_caseless: bool


@dataclass(frozen=True, slots=True)
class Look:
    """A condition on what follows."""

    node: Node
    is_negative: bool


Node: TypeAlias = One | At | Sequence | Choice | Repeat | Group | Back | Look
Program: TypeAlias = tuple["Instruction", ...]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step of a program."""

    op: Op
    first: int = 0
    second: int = 0
    test: Test | None = None
    program: Program = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled regular expression."""

    program: Program
    slot_count: int
    group_count: int
    group_names: dict[str, int]
    has_back_reference: bool


class Compiler:
    """Writes the program of a node. Slots 2n and 2n+1 hold group n; the slots behind them guard loops."""

    def __init__(self, group_count: int) -> None:
        self.slot_count = 2 * (group_count + 1)
        self._code: list[Instruction] = []
        self._total_count = 0

    def program(self, node: Node) -> Program:
        """The program that matches the node."""
        outer, self._code = self._code, []
        self._write(node)
        self._emit(Instruction(Op.MATCH))
        result, self._code = tuple(self._code), outer
        return result

    def _emit(self, instruction: Instruction) -> int:
        self._total_count += 1
        if self._total_count > MAX_PROGRAM_LENGTH:
            raise VarExpandError(b"regular expression is too large")
        self._code.append(instruction)
        return len(self._code) - 1

    def _write(self, node: Node) -> None:
        match node:
            case One(test):
                self._emit(Instruction(Op.TEST, test=test))
            case At(assertion):
                self._emit(Instruction(Op.ASSERT, assertion))
            case Sequence(nodes):
                for part in nodes:
                    self._write(part)
            case Choice(nodes):
                self._write_choice(nodes)
            case Repeat():
                self._write_repeat(node)
            case Group(inner, number):
                self._emit(Instruction(Op.SAVE, 2 * number))
                self._write(inner)
                self._emit(Instruction(Op.SAVE, 2 * number + 1))
            case Back(number, is_caseless):
                self._emit(Instruction(Op.BACK, number, int(is_caseless)))
            case Look(inner, is_negative):
                self._emit(Instruction(Op.LOOK, 0, int(is_negative), program=self.program(inner)))

    def _write_choice(self, nodes: tuple[Node, ...]) -> None:
        jumps = []
        for node in nodes[:-1]:
            split = self._emit(Instruction(Op.SPLIT))
            self._write(node)
            jumps.append(self._emit(Instruction(Op.JUMP)))
            self._code[split] = Instruction(Op.SPLIT, split + 1, len(self._code))
        self._write(nodes[-1])
        for jump in jumps:
            self._code[jump] = Instruction(Op.JUMP, len(self._code))

    def _write_repeat(self, repeat: Repeat) -> None:
        for _ in range(repeat.least):
            length = len(self._code)
            self._write(repeat.node)
            if len(self._code) == length:
                break  # nothing, however often: {1000000} of it must not take its time
        if repeat.most is None:
            self._write_loop(repeat)
            return
        splits = []
        for _ in range(repeat.most - repeat.least):
            splits.append(self._emit(Instruction(Op.SPLIT)))
            self._write(repeat.node)
        for split in splits:
            self._code[split] = _split(split + 1, len(self._code), is_lazy=repeat.is_lazy)

    def _write_loop(self, repeat: Repeat) -> None:
        split = self._emit(Instruction(Op.SPLIT))
        slot = self.slot_count
        self.slot_count += 1
        self._emit(Instruction(Op.SAVE, slot))
        self._write(repeat.node)
        self._emit(Instruction(Op.ADVANCED, slot))
        self._emit(Instruction(Op.JUMP, split))
        self._code[split] = _split(split + 1, len(self._code), is_lazy=repeat.is_lazy)


def _split(inside: int, behind: int, *, is_lazy: bool) -> Instruction:
    return Instruction(Op.SPLIT, behind, inside) if is_lazy else Instruction(Op.SPLIT, inside, behind)
