"""What `lualoft batch` tells beside its output: lines that could not be called, and the summary.

All of it goes to standard error, as standard output may be the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dispatcher.cli import exit_codes
from dispatcher.cli.terminal import tell
from dispatcher.protocol.outcome import RETRYABLE, OutcomeKind

if TYPE_CHECKING:
    from collections import Counter

#: Rejected lines that are named one by one.
NAMED_LINES: Final = 10


class RejectedLines:
    """Names the first rejected lines and counts the others."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, line: int, error: str) -> None:
        """Take one."""
        self._count += 1
        if self._count <= NAMED_LINES:
            tell(f"lualoft: line {line}: {error}")

    def close(self) -> None:
        """Say how many were not named."""
        if self._count > NAMED_LINES:
            tell(f"lualoft: {self._count - NAMED_LINES:,} more lines were rejected; the output has them")


def summary(counts: Counter[OutcomeKind], elapsed_s: float) -> str:
    """Return one line: how many, how they ended, how fast."""
    total = counts.total()
    ends = ", ".join(f"{count:,} {kind.value}" for kind, count in sorted(counts.items(), key=_most_first))
    rate = total / elapsed_s if elapsed_s > 0 else 0.0
    return f"{total:,} lines in {elapsed_s:.1f} s, {rate:,.0f}/s" + (f": {ends}" if ends else "")


def _most_first(item: tuple[OutcomeKind, int]) -> tuple[int, str]:
    kind, count = item
    return -count, kind.value


def exit_code(counts: Counter[OutcomeKind]) -> int:
    """Return 75 when trying again may help, 1 when any line failed for good, else 0."""
    failed = {kind for kind, count in counts.items() if count and kind is not OutcomeKind.OK}
    if failed & RETRYABLE:
        return exit_codes.TEMPORARY
    return exit_codes.FAILED if failed else exit_codes.OK
