"""Random transactions, lookups and iterations against a model, on both drivers and both layouts, with other writers."""

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule, run_state_machine_as_test

from tests.integration.dict.stores import KINDS, Store
from workers.dict.dictionary import Dictionary, DictOptions
from workers.dict.iterate_flags import IterateFlag

KEYS = st.sampled_from([b"shared/a", b"shared/a/b", b"shared/ab", b"shared/u/a", b"priv/a", b"priv/a/b", b"priv/"])
USERS = st.sampled_from([b"u", b"a/b", b"a\\-b", b"}"])
VALUES = st.sampled_from([b"", b"0", b"7", b"-5", b"9223372036854775807", b"text", b"\0\xff"])
DIFFERENCES = st.sampled_from([0, 1, -1, 5, -(2**63), 2**63 - 1])
PATHS = st.sampled_from([b"shared/", b"shared/a", b"shared/a/", b"priv/", b"priv/a"])
FLAGS = st.sampled_from([0, 1, 2, 3, 8, 9, 16, 17, 4 | 1])


class Model:
    """What names hold; Python's integers, no driver's code."""

    def __init__(self, names):
        self.names = dict(names)

    def apply(self, changes):
        """Carry changes out; returns how that ends, and changes nothing unless it is `ok`."""
        after = dict(self.names)
        for kind, name, operand in changes:
            if kind == "set":
                after[name] = operand
            elif kind == "unset":
                after.pop(name, None)
            else:
                if name not in after and kind == "inc":
                    return "not_found"
                before = after.get(name, b"0")
                if not is_integer(before) or not -(2**63) <= int(before) + operand < 2**63:
                    return "failed"
                after[name] = str(int(before) + operand).encode()
        self.names = after
        return "ok"


def is_integer(text):
    digits = text.removeprefix(b"-")
    return text == str(int(digits or 0) * (-1 if text != digits else 1)).encode() if digits.isdigit() else False


class Open:
    """A transaction that is open, with what the model must do at its commit."""

    def __init__(self, transaction, user):
        self.transaction = transaction
        self.user = user
        self.changes = []


class DictMachine(RuleBasedStateMachine):
    kind = None
    redis_url = ""
    open_transactions = Bundle("open_transactions")

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = self.run(self._make_store())
        # Somebody else on the same data.
        self.other = self.run(self._make_other())
        self.model = Model({})

    def run(self, coroutine):
        return self.runner.run(coroutine)

    async def _make_store(self):
        return Store(self.kind, self.redis_url)

    async def _make_other(self):
        if self.kind.driver == "memory":
            return Dictionary(self.store.driver, self.store.layout, DictOptions())
        return Store(self.kind, self.redis_url, prefix=self.store.prefix).dict

    def teardown(self):
        self.run(self.other.close())
        self.run(self.store.dict.close())
        self.runner.close()

    def owned(self, key, user):
        return self.store.name(key, user)

    @rule(target=open_transactions, user=USERS)
    def begin(self, user):
        return Open(self.store.dict.begin(user), user)

    @rule(opened=open_transactions, key=KEYS, value=VALUES)
    def set(self, opened, key, value):
        opened.transaction.set(key, value)
        opened.changes.append(("set", self.owned(key, opened.user), value))

    @rule(opened=open_transactions, key=KEYS)
    def unset(self, opened, key):
        opened.transaction.unset(key)
        opened.changes.append(("unset", self.owned(key, opened.user), None))

    @rule(opened=open_transactions, key=KEYS, difference=DIFFERENCES, is_creating=st.booleans())
    def increment(self, opened, key, difference, is_creating):
        opened.transaction.atomic_inc(key, difference, is_creating=is_creating)
        opened.changes.append(("create" if is_creating else "inc", self.owned(key, opened.user), difference))

    @rule(opened=consumes(open_transactions))
    def commit(self, opened):
        assert self.model.apply(opened.changes) == self.run(opened.transaction.commit()).kind

    @rule(opened=consumes(open_transactions))
    def rollback(self, opened):
        opened.transaction.rollback()

    @rule(target=open_transactions, first=consumes(open_transactions), second=consumes(open_transactions))
    def commit_two_beside_another_writer(self, first, second):
        """What comes of commits at the same time is what some order of them gives."""
        name = b"shared/a"
        writer = Open(self.other.begin(b"u"), b"u")
        writer.transaction.atomic_inc(name, 1, is_creating=True)
        writer.changes.append(("create", self.owned(name, b"u"), 1))
        together = [first, second, writer]

        async def race():
            return [result.kind for result in await asyncio.gather(*(one.transaction.commit() for one in together))]

        kinds = self.run(race())
        found = self.run(self._everything())
        for order in itertools.permutations(range(3)):
            model = Model(self.model.names)
            expected = [None] * 3
            for index in order:
                expected[index] = model.apply(together[index].changes)
            if expected == kinds and model.names == found:
                self.model = model
                return multiple()
        raise AssertionError(f"no order of these gives {kinds} and {found}")

    @rule(key=KEYS, user=USERS, value=VALUES)
    def somebody_else_writes(self, key, user, value):
        transaction = self.other.begin(user)
        transaction.set(key, value)
        changes = [("set", self.owned(key, user), value)]
        assert self.model.apply(changes) == self.run(transaction.commit()).kind

    @rule(key=KEYS, user=USERS)
    def lookup(self, key, user):
        result = self.run(self.store.dict.lookup(key, user))
        expected = self.model.names.get(self.owned(key, user))
        assert (() if expected is None else (expected,)) == result.values
        assert ("not_found" if expected is None else "ok") == result.kind

    @rule(path=PATHS, user=USERS, flags=FLAGS)
    def iterate(self, path, user, flags):
        rows = self.run(self.store.rows(path, flags=flags, username=user))
        beginning = self.owned(path, user)
        expected = {}
        for name, value in self.model.names.items():
            rest = name[len(beginning) :]
            is_wanted = bool(flags & IterateFlag.RECURSE) or (
                rest == b"" if flags & IterateFlag.EXACT_KEY else b"/" not in rest
            )
            if name.startswith(beginning) and is_wanted:
                expected[path + rest] = value
        wanted = {(key,) if flags & IterateFlag.NO_VALUE else (key, value) for key, value in expected.items()}
        assert sorted(wanted) == sorted(rows)
        if flags & IterateFlag.SORT_BY_KEY:
            assert sorted(row[0] for row in rows) == [row[0] for row in rows]
        if flags & IterateFlag.SORT_BY_VALUE:
            assert sorted(row[1] for row in rows) == [row[1] for row in rows]

    async def _everything(self):
        rows = self.store.driver.scan(self.store.prefix, is_recursive=True, wants_values=True)
        return {row.key: row.values[0] async for page in rows for row in page}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_dict_does_what_the_model_says(kind, redis_url):
    machine = type("Machine", (DictMachine,), {"kind": kind, "redis_url": redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"0", True),
        (b"-1", True),
        (b"10", True),
        (b"", False),
        (b"-0", False),
        (b"01", False),
        (b"x", False),
        (b"-", False),
    ],
)
def test_model_knows_integers(text, expected):
    assert expected == is_integer(text)
