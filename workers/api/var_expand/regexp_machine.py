"""Runs the program of a regular expression, counting its steps.

Called by regexp.py. Python's own `re` cannot be stopped, and a user name may be made to keep it busy for years. Here a
search that has taken many steps begins anew and remembers which branches failed at which position: its steps grow with
program times subject only. Back references do not allow that; they, and huge subjects, may exceed the limit of steps,
which is an error in Dovecot too.
"""

from __future__ import annotations

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.limit import MAX_EXACT_STEP_COUNT, MAX_MATCH_STEP_COUNT, Budget
from workers.api.var_expand.regexp_node import Assertion, Expression, Instruction, Op, Program

#: Slot number -> position, -1 if unset.
Slots = tuple[int, ...]
#: Instruction, position, slots.
_State = tuple[int, int, Slots]


class _StepsUsedUpError(VarExpandError):
    """A search takes too many steps."""


class Machine:
    """One search of a subject."""

    def __init__(self, expression: Expression, subject: str, budget: Budget) -> None:
        self._expression = expression
        self._subject = subject
        self._budget = budget
        self._left_count = 0
        self._is_remembering = False

    def search(self, *, is_empty_allowed: bool) -> Slots | None:
        """The slots of the first match, or None. Slots 0 and 1 are the whole match."""
        if self._expression.has_back_reference:
            return self._search(MAX_MATCH_STEP_COUNT, is_empty_allowed=is_empty_allowed)
        try:
            return self._search(MAX_EXACT_STEP_COUNT, is_empty_allowed=is_empty_allowed)
        except _StepsUsedUpError:
            # Remembering is not the first choice: in loops that match nothing it may prefer another match.
            self._is_remembering = True
            return self._search(MAX_MATCH_STEP_COUNT, is_empty_allowed=is_empty_allowed)

    def _search(self, step_count: int, *, is_empty_allowed: bool) -> Slots | None:
        self._left_count = available_count = min(step_count, self._budget.left_count)
        slots = (-1,) * self._expression.slot_count
        # What failed from one start fails from the later ones too.
        failed: set[tuple[int, int]] = set()
        try:
            for start in range(len(self._subject) + 1):
                least_end = start if is_empty_allowed else start + 1
                found = self._run(self._expression.program, (0, start, slots), least_end, failed)
                if found is not None:
                    return (start, found[1], *found[2:])
            return None
        finally:
            self._budget.spend(available_count - self._left_count)

    def _run(self, program: Program, state: _State, least_end: int, failed: set[tuple[int, int]]) -> Slots | None:
        """Match from a state on; slot 1 of the result is the end."""
        waiting = [state]
        while waiting:
            counter, position, slots = waiting.pop()
            while counter >= 0:
                self._count()
                instruction = program[counter]
                op = instruction.op
                counter += 1
                if op is Op.TEST:
                    counter = counter if self._passes(instruction, position) else -1
                    position += 1
                elif op is Op.SPLIT:
                    if self._is_new((counter, position), failed):
                        waiting.append((instruction.second, position, slots))
                        counter = instruction.first
                    else:
                        counter = -1
                elif op is Op.JUMP:
                    counter = instruction.first
                elif op is Op.SAVE:
                    slots = _with(slots, instruction.first, position)
                elif op is not Op.MATCH:
                    counter, position, slots = self._rare(instruction, (counter, position, slots))
                elif position >= least_end:
                    return _with(slots, 1, position)
                else:
                    counter = -1
        return None

    def _passes(self, instruction: Instruction, position: int) -> bool:
        test = instruction.test
        return test is not None and position < len(self._subject) and test(self._subject[position])

    def _is_new(self, branch: tuple[int, int], failed: set[tuple[int, int]]) -> bool:
        if not self._is_remembering:
            return True
        is_new = branch not in failed
        failed.add(branch)
        return is_new

    def _rare(self, instruction: Instruction, state: _State) -> _State:
        """The instructions that seldom occur; a counter of -1 is a failure."""
        counter, position, slots = state
        if instruction.op is Op.ASSERT:
            return (counter if self._holds(Assertion(instruction.first), position) else -1), position, slots
        if instruction.op is Op.ADVANCED:
            # An empty round ends the loop: the jump back to its beginning is skipped.
            return (counter if position > slots[instruction.first] else counter + 1), position, slots
        if instruction.op is Op.BACK:
            end = self._repeated(instruction, position, slots)
            return (counter if end >= 0 else -1), end, slots
        found = self._run(instruction.program, (0, position, slots), position, set())
        if (found is None) != bool(instruction.second):
            return -1, position, slots
        # Groups inside a positive look-ahead keep their text.
        return counter, position, slots if found is None else _with(found, 1, slots[1])

    def _repeated(self, instruction: Instruction, position: int, slots: Slots) -> int:
        start, end = slots[2 * instruction.first], slots[2 * instruction.first + 1]
        if start < 0 or end < 0:
            return -1
        text = self._subject[start:end]
        again = self._subject[position : position + len(text)]
        is_equal = text.lower() == again.lower() if instruction.second else text == again
        return position + len(text) if is_equal else -1

    def _holds(self, assertion: Assertion, position: int) -> bool:
        subject = self._subject
        size = len(subject)
        if assertion <= Assertion.LINE_END:
            return {
                Assertion.TEXT_START: position == 0,
                Assertion.TEXT_END: position == size,
                Assertion.TEXT_END_OR_LAST_NEWLINE: position == size or (position == size - 1 and subject[-1] == "\n"),
                Assertion.LINE_START: position == 0 or subject[position - 1] == "\n",
                Assertion.LINE_END: position == size or subject[position] == "\n",
            }[assertion]
        before = position > 0 and is_word(subject[position - 1])
        after = position < size and is_word(subject[position])
        return {
            Assertion.WORD_EDGE: before != after,
            Assertion.NO_WORD_EDGE: before == after,
            Assertion.WORD_START: after and not before,
            Assertion.WORD_END: before and not after,
        }[assertion]

    def _count(self) -> None:
        self._left_count -= 1
        if self._left_count < 0:
            self._left_count = 0
            raise _StepsUsedUpError(b"match limit exceeded")


def is_word(character: str) -> bool:
    """Letters, digits and the underscore."""
    return character == "_" or character.isalnum()


def _with(slots: Slots, number: int, position: int) -> Slots:
    return (*slots[:number], position, *slots[number + 1 :])
