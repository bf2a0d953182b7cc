"""A transaction: changes are gathered here and carried out by one commit.

Several may be open at once; a lookup inside one sees the old data, as in Dovecot. With `is_watching`, the commit
fails if a key that the transaction looked up has another value by then. Mirrors dict_transaction_* (2.4); where Dovecot
crashes, the two texts about the state come instead.
"""

from enum import Enum
from typing import Final

from workers.dict.change import (
    MAX_INTEGER,
    MIN_INTEGER,
    Change,
    Commit,
    Condition,
    IncrementChange,
    SetChange,
    UnsetChange,
)
from workers.dict.driver import Driver
from workers.dict.error import DictError, DictStateError, DictTimestampError
from workers.dict.key import check_key
from workers.dict.layout import Layout
from workers.dict.result import DONE, Result, ResultKind, failed

#: Changes of one transaction. The server stands still while it carries them out: about a second for so many.
MAX_CHANGES: Final = 100_000
#: Keys and values of one transaction, in bytes.
MAX_TRANSACTION_BYTES: Final = 64 * 1024 * 1024
#: Largest expiry: Dovecot keeps it in 32 bits.
MAX_EXPIRE_S: Final = 2**32 - 1


class State(Enum):
    """Where a transaction stands."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


class Transaction:
    """Changes that are carried out together or not at all."""

    def __init__(
        self, driver: Driver, layout: Layout, username: bytes, expire_s: int, max_value_bytes: int, *, is_watching: bool
    ) -> None:
        self._driver = driver
        self._layout = layout
        self._username = username
        self._expire_s = expire_s
        self._max_value_bytes = max_value_bytes
        self._is_watching = is_watching
        self._changes: list[Change] = []
        self._watched: dict[bytes, Condition] = {}
        self._size_bytes = 0
        self._problem = ""
        self._has_timestamp = False
        self._state = State.OPEN

    def __repr__(self) -> str:
        return f"Transaction({self._state.value}, {len(self._changes)} changes)"

    @property
    def is_open(self) -> bool:
        """Whether it takes changes."""
        return self._state is State.OPEN

    def set(self, key: bytes, value: bytes) -> None:
        """Put a value under a key.

        Raises:
            DictKeyError: the key breaks the rules.
            DictStateError: it was committed or rolled back.
        """
        name = self._name(key)
        if len(value) > self._max_value_bytes:
            self._fail(f"value of {len(value)} bytes is over the limit of {self._max_value_bytes}")
        else:
            self._add(SetChange(name, value), len(name) + len(value))

    def unset(self, key: bytes) -> None:
        """Remove a key; raises as `set` does."""
        name = self._name(key)
        self._add(UnsetChange(name), len(name))

    def atomic_inc(self, key: bytes, difference: int, *, is_creating: bool = False) -> None:
        """Add to the integer under a key; raises as `set` does.

        A key that does not exist makes the commit end as NOT_FOUND with nothing written, which is the dict contract;
        Dovecot's redis driver takes it for 0 instead, as `is_creating` does.
        """
        name = self._name(key)
        if not MIN_INTEGER <= difference <= MAX_INTEGER:
            self._fail("increment is not a 64-bit integer")
        else:
            self._add(IncrementChange(name, difference, is_creating), len(name))

    def set_timestamp(self, seconds: int, nanoseconds: int = 0) -> None:
        """Say when the changes were made; checked, and of no effect on these drivers, as in Dovecot.

        Raises:
            DictTimestampError: it is not above 0, comes a second time, or after a change.
            DictStateError: it was committed or rolled back.
        """
        self._check_open()
        if seconds <= 0 or nanoseconds < 0:
            raise DictTimestampError("dict transaction timestamp must be above 0")
        if self._has_timestamp:
            raise DictTimestampError("dict transaction already has a timestamp")
        if self._changes or self._problem:
            raise DictTimestampError("dict transaction timestamp must be set before any changes")
        self._has_timestamp = True

    def set_non_atomic(self) -> None:
        """Allow the changes to be carried out one by one; every commit here is atomic all the same."""
        self._check_open()

    async def lookup(self, key: bytes) -> Result:
        """Look a key up, without the changes of this transaction, and watch it if that is wanted.

        Raises:
            DictKeyError: the key breaks the rules.
            DictStateError: it was committed or rolled back.
        """
        name = self._name(key)
        result = await self._driver.lookup(name)
        if self._is_watching and result.kind in {ResultKind.OK, ResultKind.NOT_FOUND}:
            values = result.values if result.kind is ResultKind.OK else None
            # The first reading counts: what the script saw first must still be true.
            self._watched.setdefault(name, Condition(name, values))
        return result

    async def commit(self) -> Result:
        """Carry out all changes in one step; the transaction is over, whatever comes of it.

        **Redis**: one script call, atomic; nothing if there are no changes. A commit that only sets and unsets is sent
        again under the same token if its answer is lost.

        Raises:
            DictStateError: it was committed or rolled back before.
        """
        self._check_open()
        self._state = State.COMMITTED
        if self._problem:
            return failed(self._problem)
        if not self._changes:
            return DONE
        return await self._driver.commit(Commit(tuple(self._changes), self._expire_s, tuple(self._watched.values())))

    def rollback(self) -> None:
        """Forget all changes.

        Raises:
            DictStateError: it was committed or rolled back before.
        """
        self._check_open()
        self._state = State.ABORTED
        self._changes.clear()

    def _check_open(self) -> None:
        if self._state is not State.OPEN:
            raise DictStateError(f"dict transaction already {self._state.value}")

    def _name(self, key: bytes) -> bytes:
        self._check_open()
        check_key(key, self._username)
        return self._layout.name_of(key, self._username)

    def _add(self, change: Change, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        if len(self._changes) >= MAX_CHANGES:
            self._fail(f"transaction has more than {MAX_CHANGES} changes")
        elif self._size_bytes > MAX_TRANSACTION_BYTES:
            self._fail(f"transaction has more than {MAX_TRANSACTION_BYTES} bytes")
        else:
            self._changes.append(change)

    def _fail(self, problem: str) -> None:
        """Let the commit fail; what was gathered is not needed any more."""
        self._problem = self._problem or problem
        self._changes.clear()


def check_expire(expire_s: int) -> None:
    """Refuse an expiry that Dovecot could not hold.

    Raises:
        DictError: it is negative or over 32 bits.
    """
    if not 0 <= expire_s <= MAX_EXPIRE_S:
        raise DictError(f"expiry of {expire_s} s is not a number from 0 to {MAX_EXPIRE_S}")
