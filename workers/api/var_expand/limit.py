"""The bounds of an expansion, so that no template and no value can hold up the worker.

Dovecot bounds the template and its regular expressions only; the other bounds are ours.
"""

from __future__ import annotations

from workers.api.var_expand.error import VarExpandError

#: Bytes of a 2.4 template (Dovecot's own limit, and its words).
MAX_TEMPLATE_BYTES = 8192
#: Bytes of a 2.3 template; Dovecot 2.3 has no limit.
MAX_LEGACY_TEMPLATE_BYTES = 65_536
#: Bytes of any value on its way through the filters, and of the result.
MAX_RESULT_BYTES = 1 << 20
#: How deep `%{if;...}` and hashes of 2.3 may stand in one another.
MAX_NESTING_COUNT = 16
#: Hash rounds and regular expression steps of one expansion: about a quarter of a second.
MAX_WORK_COUNT = 500_000
#: Steps of one regular expression match. Dovecot allows 10,000,000, and one second.
MAX_MATCH_STEP_COUNT = 100_000
#: Steps after which a match begins anew and remembers what failed.
MAX_EXACT_STEP_COUNT = 20_000


class Budget:
    """The work that one expansion may still do."""

    __slots__ = ("left_count",)

    def __init__(self) -> None:
        self.left_count = MAX_WORK_COUNT

    def spend(self, count: int) -> None:
        """Take `count` hash rounds or match steps; raises before the work is done."""
        if count > self.left_count:
            raise VarExpandError(b"Template takes too much work")
        self.left_count -= count


def check_size(size_bytes: int) -> None:
    """Refuse a value before it is built."""
    if size_bytes > MAX_RESULT_BYTES:
        raise VarExpandError(b"Value exceeds maximum of %d bytes" % MAX_RESULT_BYTES)
