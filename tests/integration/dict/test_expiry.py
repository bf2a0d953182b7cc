"""Expiry and the index on a real server."""

import asyncio

import pytest

from tests.integration.dict.stores import KINDS, Kind, run
from workers.dict.redis_driver import INDEX

REDIS_KINDS = [kind for kind in KINDS if kind.driver == "redis"]
WITH_INDEX = [kind for kind in KINDS if kind.has_index]


async def expiry_s(store, key):
    return await store.command("TTL", store.name(key))


async def index_of(store):
    return await store.command("ZRANGE", store.prefix + INDEX, 0, -1)


@pytest.mark.parametrize("kind", REDIS_KINDS, ids=str)
@pytest.mark.parametrize(
    ("default_s", "own_s", "expected_s"), [(0, 0, -1), (100, 0, 100), (0, 200, 200), (100, 200, 200)]
)
def test_transaction_expiry_comes_before_the_default(redis_url, kind, default_s, own_s, expected_s):
    async def test(store):
        transaction = store.dict.begin(b"", own_s)
        transaction.set(b"shared/a", b"1")
        transaction.atomic_inc(b"shared/n", 1, is_creating=True)
        await transaction.commit()
        return await expiry_s(store, b"shared/a"), await expiry_s(store, b"shared/n")

    for seconds in run(kind, redis_url, test, expire_s=default_s):
        assert expected_s - 5 <= seconds <= expected_s


@pytest.mark.parametrize("kind", REDIS_KINDS, ids=str)
def test_set_without_expiry_takes_an_older_one_away_and_increment_keeps_it(redis_url, kind):
    async def test(store):
        transaction = store.dict.begin(b"", 100)
        transaction.set(b"shared/a", b"1")
        transaction.set(b"shared/n", b"1")
        await transaction.commit()
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"2")
        transaction.atomic_inc(b"shared/n", 1)
        await transaction.commit()
        return await expiry_s(store, b"shared/a"), await expiry_s(store, b"shared/n")

    set_s, incremented_s = run(kind, redis_url, test)
    assert -1 == set_s
    assert 95 <= incremented_s <= 100


@pytest.mark.parametrize("kind", WITH_INDEX, ids=str)
def test_index_holds_what_the_dict_holds(redis_url, kind):
    async def test(store):
        await store.write((b"shared/a", b"1"), (b"shared/b", b"2"))
        await store.write((b"priv/c", b"3"), username=b"joe")
        transaction = store.dict.begin()
        transaction.unset(b"shared/a")
        transaction.atomic_inc(b"shared/n", 1, is_creating=True)
        await transaction.commit()
        names = [store.name(b"shared/b"), store.name(b"shared/n"), store.name(b"priv/c", b"joe")]
        return await index_of(store), sorted(name.removeprefix(store.prefix) for name in names)

    members, expected = run(kind, redis_url, test)
    assert expected == members


@pytest.mark.parametrize("kind", WITH_INDEX, ids=str)
@pytest.mark.parametrize("look", ["values", "keys only", "remove_expired"])
def test_iteration_takes_expired_names_out_of_the_index(redis_url, kind, look):
    async def test(store):
        await store.write((b"shared/a", b"1"), (b"shared/b", b"2"))
        # As if it had expired: gone without a commit.
        await store.command("DEL", store.name(b"shared/a"))
        if look == "remove_expired":
            await store.dict.remove_expired()
        else:
            rows = await store.rows(b"shared/", flags=8 if look == "keys only" else 0)
            assert [b"shared/b"] == [row[0] for row in rows]
        return await index_of(store), [store.name(b"shared/b").removeprefix(store.prefix)]

    members, expected = run(kind, redis_url, test)
    assert expected == members


@pytest.mark.parametrize(
    "name", [b"shared/lualoft:dict-index", b"shared/lualoft:dict-commits:x:0", b"shared/lualoft:dict-"]
)
def test_names_of_our_own_are_reserved_in_the_layout_without_room_for_them(redis_url, name):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(name, b"1")
        return await transaction.commit(), await store.rows(b"shared/", flags=1), store.name(name).decode()

    result, rows, shown = run(Kind("redis", "dovecot"), redis_url, test)
    assert ("failed", f"Key {shown} is reserved for lualoft") == (result.kind, result.error)
    assert [] == rows


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_expired_key_is_gone(redis_url, kind):
    async def test(store):
        transaction = store.dict.begin(b"", 1)
        transaction.set(b"shared/a", b"1")
        await transaction.commit()

        async def is_gone():
            return (await store.dict.lookup(b"shared/a")).kind == "not_found"

        deadline_s = asyncio.get_running_loop().time() + 5
        while not await is_gone():
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.02)
        return await store.rows(b"shared/")

    assert [] == run(kind, redis_url, test)
