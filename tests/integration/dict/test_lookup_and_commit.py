"""What a dict promises, on both drivers and in both layouts."""

import asyncio

import pytest

from workers.dict.error import DictError, DictKeyError, DictStateError, DictTimestampError
from workers.dict.result import ResultKind
from workers.dict.transaction import MAX_CHANGES, MAX_EXPIRE_S

MAX_INTEGER = 2**63 - 1
ALL_BYTES = bytes(range(256))


async def increment(store, key, *differences, **options):
    transaction = store.dict.begin()
    for difference in differences:
        transaction.atomic_inc(key, difference, **options)
    return await transaction.commit()


def test_missing_key_is_not_found(in_dict):
    async def test(store):
        return await store.dict.lookup(b"shared/x")

    result = in_dict(test)
    assert (ResultKind.NOT_FOUND, ()) == (result.kind, result.values)


@pytest.mark.parametrize("value", [b"", b"v", ALL_BYTES, b"v" * 1024 * 1024], ids=["empty", "short", "bytes", "1 MB"])
def test_value_comes_back_as_it_was_set(in_dict, value):
    async def test(store):
        await store.write((b"shared/x", value))
        return await store.dict.lookup(b"shared/x")

    assert (value,) == in_dict(test).values


@pytest.mark.parametrize(
    "key",
    [b"shared/", b"shared/\xff\n\r*?[a]\\", b"shared/" + b"k" * (1024 * 1024 - 7), b"shared/a//b/"],
    ids=["only the prefix", "odd bytes", "1 MB", "empty components"],
)
def test_key_is_found_as_it_was_set(in_dict, key):
    async def test(store):
        await store.write((key, b"v"))
        return await store.dict.lookup(key), await store.rows(key, flags=1)

    result, rows = in_dict(test)
    assert (b"v",) == result.values
    assert [(key, b"v")] == rows


def test_private_keys_of_two_users_are_two(in_dict):
    async def test(store):
        await store.write((b"priv/x", b"1"), username=b"u1")
        await store.write((b"priv/x", b"2"), username=b"u2")
        return [(await store.dict.lookup(b"priv/x", user)).values for user in (b"u1", b"u2", b"u3")]

    assert [(b"1",), (b"2",), ()] == in_dict(test)


@pytest.mark.parametrize("user", [b"a/b", b"a\\b", b"a/b\\c", b"{x}", b"a}b", b"\xff"], ids=repr)
def test_any_user_name_has_keys(in_dict, user):
    async def test(store):
        await store.write((b"priv/x", b"1"), username=user)
        return await store.rows(b"priv/", username=user)

    assert [(b"priv/x", b"1")] == in_dict(test)


@pytest.mark.parametrize(
    ("key", "user", "text"),
    [
        (b"", b"u", "Invalid dict key prefix"),
        (b"shared", b"u", "Invalid dict key prefix"),
        (b"priv", b"u", "Invalid dict key prefix"),
        (b"Shared/x", b"u", "Invalid dict key prefix"),
        (b"/shared/x", b"u", "Invalid dict key prefix"),
        (b"priv/x", b"", "priv/ dict key prefix requires username"),
        (b"shared/a\0b", b"", "Invalid dict key: it or the username holds a NUL"),
        (b"priv/a", b"u\0", "Invalid dict key: it or the username holds a NUL"),
        (
            b"shared/" + b"k" * (1024 * 1024 - 6),
            b"",
            "Invalid dict key: it or the username is longer than 1048576 bytes",
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("use", ["lookup", "lookup_many", "iterate", "set", "unset", "atomic_inc"])
def test_wrong_key_is_refused_before_anything_is_asked(in_dict, use, key, user, text):
    async def test(store):
        transaction = store.dict.begin(user)
        if use == "lookup":
            await store.dict.lookup(key, user)
        elif use == "lookup_many":
            await store.dict.lookup_many([b"shared/ok", key], user)
        elif use == "iterate":
            await store.rows(b"shared/ok", key, username=user)
        elif use == "set":
            transaction.set(key, b"v")
        elif use == "unset":
            transaction.unset(key)
        else:
            transaction.atomic_inc(key, 1)

    with pytest.raises(DictKeyError) as caught:
        in_dict(test)
    assert text == str(caught.value)


def test_several_lookups_come_back_in_order(in_dict):
    async def test(store):
        await store.write((b"shared/a", b"1"), (b"shared/b", b"2"))
        return await store.dict.lookup_many([b"shared/b", b"shared/x", b"shared/a"])

    assert [(b"2",), (), (b"1",)] == [result.values for result in in_dict(test)]


def test_list_is_read_as_several_values(in_dict):
    async def test(store):
        await store.put_list(b"shared/l", (b"x", b"", b"y"))
        return await store.dict.lookup(b"shared/l")

    assert (b"x", b"", b"y") == in_dict(test).values


def test_set_replaces_a_list(in_dict):
    async def test(store):
        await store.put_list(b"shared/l", (b"x", b"y"))
        await store.write((b"shared/l", b"z"))
        return await store.dict.lookup(b"shared/l")

    assert (b"z",) == in_dict(test).values


def test_last_change_of_a_key_wins(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"1")
        transaction.unset(b"shared/a")
        transaction.set(b"shared/b", b"1")
        transaction.set(b"shared/b", b"2")
        transaction.unset(b"shared/never-there")
        await transaction.commit()
        return await store.rows(b"shared/")

    assert [(b"shared/b", b"2")] == in_dict(test)


def test_changes_show_only_after_the_commit(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"1")
        before = await transaction.lookup(b"shared/a"), await store.dict.lookup(b"shared/a")
        await transaction.commit()
        return [result.kind for result in (*before, await store.dict.lookup(b"shared/a"))]

    assert [ResultKind.NOT_FOUND, ResultKind.NOT_FOUND, ResultKind.OK] == in_dict(test)


def test_rollback_changes_nothing(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"1")
        transaction.rollback()
        return await store.rows(b"shared/")

    assert [] == in_dict(test)


def test_two_transactions_may_be_open(in_dict):
    async def test(store):
        first, second = store.dict.begin(), store.dict.begin()
        first.set(b"shared/a", b"1")
        second.set(b"shared/b", b"2")
        await second.commit()
        await first.commit()
        return sorted(await store.rows(b"shared/"))

    assert [(b"shared/a", b"1"), (b"shared/b", b"2")] == in_dict(test)


def test_empty_transaction_commits(in_dict):
    async def test(store):
        return await store.dict.begin().commit()

    assert ResultKind.OK == in_dict(test).kind


@pytest.mark.parametrize(("end", "text"), [("commit", "already committed"), ("rollback", "already aborted")])
@pytest.mark.parametrize(
    "use",
    [
        lambda transaction: transaction.set(b"shared/a", b"1"),
        lambda transaction: transaction.unset(b"shared/a"),
        lambda transaction: transaction.atomic_inc(b"shared/a", 1),
        lambda transaction: transaction.set_timestamp(1),
        lambda transaction: transaction.set_non_atomic(),
        lambda transaction: transaction.rollback(),
    ],
    ids=["set", "unset", "atomic_inc", "set_timestamp", "set_non_atomic", "rollback"],
)
def test_ended_transaction_takes_nothing_more(in_dict, end, text, use):
    async def test(store):
        transaction = store.dict.begin()
        if end == "commit":
            await transaction.commit()
        else:
            transaction.rollback()
        use(transaction)

    with pytest.raises(DictStateError) as caught:
        in_dict(test)
    assert f"dict transaction {text}" == str(caught.value)


def test_second_commit_is_refused_even_after_a_failed_one(in_dict):
    async def test(store):
        await store.put_list(b"shared/a", (b"1", b"2"))
        transaction = store.dict.begin()
        transaction.atomic_inc(b"shared/a", 1)
        assert ResultKind.FAILED == (await transaction.commit()).kind
        await transaction.commit()

    with pytest.raises(DictStateError) as caught:
        in_dict(test)
    assert "dict transaction already committed" == str(caught.value)


@pytest.mark.parametrize(
    ("value", "difference", "expected"),
    [
        (b"5", 3, b"8"),
        (b"5", -8, b"-3"),
        (b"-3", 3, b"0"),
        (b"0", 0, b"0"),
        (b"999999999", 1, b"1000000000"),
        (b"1000000000", -1, b"999999999"),
        (b"-1000000000", 1, b"-999999999"),
        (b"4999999999", -9999999999, b"-5000000000"),
        (b"9007199254740993", 1, b"9007199254740994"),
        (b"9223372036854775806", 1, b"9223372036854775807"),
        (b"-9223372036854775807", -1, b"-9223372036854775808"),
        (b"-9223372036854775808", MAX_INTEGER, b"-1"),
        (b"9223372036854775807", -(2**63), b"-1"),
    ],
)
def test_increment_adds(in_dict, value, difference, expected):
    async def test(store):
        await store.write((b"shared/n", value))
        result = await increment(store, b"shared/n", difference)
        return result.kind, (await store.dict.lookup(b"shared/n")).values

    assert (ResultKind.OK, (expected,)) == in_dict(test)


@pytest.mark.parametrize(
    ("value", "difference"),
    [
        (b"9223372036854775807", 1),
        (b"-9223372036854775808", -1),
        (b"9223372036854775808", 0),
        (b"99999999999999999999", 1),
        (b"", 1),
        (b"x", 1),
        (b"1.0", 1),
        (b"01", 1),
        (b"+1", 1),
        (b"-0", 1),
        (b" 1", 1),
        (b"1\n", 1),
        (b"1\0", 1),
    ],
)
def test_increment_of_no_integer_fails_and_writes_nothing(in_dict, value, difference):
    async def test(store):
        await store.write((b"shared/n", value))
        transaction = store.dict.begin()
        transaction.set(b"shared/other", b"1")
        transaction.atomic_inc(b"shared/n", difference)
        result = await transaction.commit()
        name = store.name(b"shared/n").decode()
        assert f"Value of key {name} is not an integer or would be out of range" == result.error
        return result.kind, await store.rows(b"shared/")

    assert (ResultKind.FAILED, [(b"shared/n", value)]) == in_dict(test)


def test_increment_of_a_missing_key_is_not_found_and_writes_nothing(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/other", b"1")
        transaction.atomic_inc(b"shared/n", 1)
        result = await transaction.commit()
        return result.kind, await store.rows(b"shared/")

    assert (ResultKind.NOT_FOUND, []) == in_dict(test)


def test_creating_increment_takes_a_missing_key_for_zero(in_dict):
    async def test(store):
        await increment(store, b"shared/n", 5, is_creating=True)
        return await store.rows(b"shared/")

    assert [(b"shared/n", b"5")] == in_dict(test)


def test_increment_sees_the_changes_before_it(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/n", b"9007199254740993")
        transaction.atomic_inc(b"shared/n", 1)
        transaction.atomic_inc(b"shared/n", 1)
        await transaction.commit()
        return await store.rows(b"shared/")

    assert [(b"shared/n", b"9007199254740995")] == in_dict(test)


def test_increment_of_a_list_fails(in_dict):
    async def test(store):
        await store.put_list(b"shared/l", (b"1",) * 2)
        return (await increment(store, b"shared/l", 1)).kind

    assert ResultKind.FAILED == in_dict(test)


@pytest.mark.parametrize("difference", [2**63, -(2**63) - 1])
def test_increment_beyond_64_bits_fails(in_dict, difference):
    async def test(store):
        await store.write((b"shared/n", b"1"))
        return await increment(store, b"shared/n", difference)

    assert (ResultKind.FAILED, "increment is not a 64-bit integer") == (in_dict(test).kind, in_dict(test).error)


def test_concurrent_increments_all_count(in_dict):
    async def test(store):
        await store.write((b"shared/n", b"0"))
        await asyncio.gather(*(increment(store, b"shared/n", 1) for _ in range(100)))
        return await store.rows(b"shared/n")

    assert [(b"shared/n", b"100")] == in_dict(test)


@pytest.mark.parametrize(("size_bytes", "kind"), [(9, "ok"), (10, "ok"), (11, "failed")])
def test_value_over_the_limit_fails_the_commit(in_dict, size_bytes, kind):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/other", b"1")
        transaction.set(b"shared/v", b"v" * size_bytes)
        return (await transaction.commit()).kind, len(await store.rows(b"shared/"))

    assert (kind, 2 if kind == "ok" else 0) == in_dict(test, max_value_bytes=10)


@pytest.mark.parametrize("expire_s", [-1, MAX_EXPIRE_S + 1])
def test_expiry_out_of_range_is_refused(in_dict, expire_s):
    async def test(store):
        store.dict.begin(b"", expire_s)

    with pytest.raises(DictError) as caught:
        in_dict(test)
    assert f"expiry of {expire_s} s is not a number from 0 to 4294967295" == str(caught.value)


def test_largest_expiry_is_kept(in_dict):
    async def test(store):
        transaction = store.dict.begin(b"", MAX_EXPIRE_S)
        transaction.set(b"shared/a", b"1")
        return (await transaction.commit()).kind, await store.rows(b"shared/")

    assert (ResultKind.OK, [(b"shared/a", b"1")]) == in_dict(test)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda t: t.set_timestamp(0), "dict transaction timestamp must be above 0"),
        (lambda t: t.set_timestamp(1, -1), "dict transaction timestamp must be above 0"),
        (lambda t: (t.set_timestamp(1), t.set_timestamp(2)), "dict transaction already has a timestamp"),
        (
            lambda t: (t.set(b"shared/a", b"1"), t.set_timestamp(1)),
            "dict transaction timestamp must be set before any changes",
        ),
    ],
    ids=["zero", "negative", "twice", "after a change"],
)
def test_wrong_timestamp_is_refused(in_dict, use, text):
    async def test(store):
        use(store.dict.begin())

    with pytest.raises(DictTimestampError) as caught:
        in_dict(test)
    assert text == str(caught.value)


def test_timestamp_and_non_atomic_are_accepted(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set_timestamp(1, 999)
        transaction.set_non_atomic()
        transaction.set(b"shared/a", b"1")
        return (await transaction.commit()).kind

    assert ResultKind.OK == in_dict(test)


async def watched(store, between):
    """Look two keys up, let somebody else work, write: shows whether the commit noticed."""
    await store.write((b"shared/a", b"1"))
    await store.put_list(b"shared/l", (b"1", b"2"))
    transaction = store.dict.begin(is_watching=True)
    for key in (b"shared/a", b"shared/missing", b"shared/l"):
        await transaction.lookup(key)
    transaction.set(b"shared/written", b"1")
    await between(store)
    result = await transaction.commit()
    written = await store.dict.lookup(b"shared/written")
    assert (result.kind is ResultKind.OK) == (written.kind is ResultKind.OK)
    return result


async def nothing(_store):
    pass


@pytest.mark.parametrize(
    "between",
    [nothing, lambda store: store.write((b"shared/elsewhere", b"2"))],
    ids=["nothing", "another key"],
)
def test_watching_commit_succeeds_when_what_it_read_still_holds(in_dict, between):
    assert ResultKind.OK == in_dict(lambda store: watched(store, between)).kind


@pytest.mark.parametrize(
    "between",
    [
        lambda store: store.write((b"shared/a", b"2")),
        lambda store: store.write((b"shared/missing", b"")),
        lambda store: store.write((b"shared/l", b"1")),
    ],
    ids=["changed", "created", "list replaced"],
)
def test_watching_commit_fails_when_what_it_read_has_changed(in_dict, between):
    result = in_dict(lambda store: watched(store, between))
    assert ResultKind.FAILED == result.kind
    assert "has changed since it was looked up" in result.error


def test_commit_that_does_not_watch_overwrites(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        await transaction.lookup(b"shared/a")
        await store.write((b"shared/a", b"1"))
        transaction.set(b"shared/a", b"2")
        return (await transaction.commit()).kind

    assert ResultKind.OK == in_dict(test)


def test_transaction_shows_its_state(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"1")
        return repr(transaction)

    assert "Transaction(open, 1 changes)" == in_dict(test)


def test_more_changes_than_allowed_fail_the_commit(in_dict):
    async def test(store):
        transaction = store.dict.begin()
        for _ in range(MAX_CHANGES + 1):
            transaction.set(b"shared/a", b"1")
        return await transaction.commit(), await store.rows(b"shared/")

    result, rows = in_dict(test)
    assert (ResultKind.FAILED, f"transaction has more than {MAX_CHANGES} changes") == (result.kind, result.error)
    assert [] == rows
