"""A dict on a Redis cluster of two servers."""

import asyncio
from contextlib import ExitStack

import pytest

from tests.integration.dict.stores import Kind, Store
from tests.integration.dict.valkey_process import LIMIT_S, ValkeyProcess
from tests.waiting import wait_until
from workers.dict.slot import slot_of

PLAIN = Kind("redis", "dovecot")
INDEXED = Kind("redis", "dovecot", has_index=True)
TAGGED = Kind("redis", "tagged")


@pytest.fixture(scope="module")
def cluster():
    """Two servers with one half of the slots each."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(ValkeyProcess("cluster-enabled yes")) for _ in range(2))
        first.ask("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        second.ask("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        first.ask("CLUSTER", "MEET", "127.0.0.1", second.port)
        for server in (first, second):
            wait_until(lambda: b"cluster_state:ok" in server.ask("CLUSTER", "INFO"), LIMIT_S)  # noqa: B023 - used at once
            wait_until(lambda: server.ask("CLUSTER", "SLOTS").startswith(b"*2"), LIMIT_S)  # noqa: B023
        yield first, second


def run(cluster, test, *, kind=PLAIN, prefix=b""):
    async def whole():
        store = Store(kind, f"redis://127.0.0.1:{cluster[0].port}", prefix=prefix)
        try:
            return await test(store)
        finally:
            await store.dict.close()

    return asyncio.run(whole())


def test_slots_are_the_servers_own(cluster):
    for name in ("foo", "{user1000}.following", "foo{}{bar}", "foo{{bar}}zap", "foo{bar}{zap}"):
        assert b":%d\r\n" % slot_of(name.encode()) == cluster[0].ask("CLUSTER", "KEYSLOT", name)


def test_keys_on_both_servers_are_written_read_and_iterated(cluster):
    async def test(store):
        keys = [b"shared/%d" % number for number in range(200)]
        results = await asyncio.gather(*(store.write((key, key)) for key in keys))
        values = [result.values for result in await store.dict.lookup_many(keys)]
        assert [(key,) for key in keys] == values
        return len(results), sorted(await store.rows(b"shared/")) == sorted((key, key) for key in keys)

    assert (200, True) == run(cluster, test)
    assert all(int(server.ask("DBSIZE")[1:]) > 50 for server in cluster)


def test_transaction_over_two_slots_fails_with_advice_and_writes_nothing(cluster):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"1")
        transaction.set(b"shared/b", b"1")
        return await transaction.commit(), await store.rows(b"shared/")

    result, rows = run(cluster, test)
    assert "failed" == result.kind
    assert "on a cluster all keys of one transaction must share a hash tag" in result.error
    assert not result.is_temporary
    assert [] == rows


@pytest.mark.parametrize("kind", [PLAIN, INDEXED], ids=str)
def test_prefix_with_a_hash_tag_keeps_a_dict_together(cluster, kind):
    async def test(store):
        await store.write(*((b"shared/%d" % number, b"v") for number in range(20)))
        return len(await store.rows(b"shared/"))

    assert 20 == run(cluster, test, kind=kind, prefix=b"{together}:" + str(kind).encode())


def test_index_without_a_hash_tag_fails_with_advice(cluster):
    async def test(store):
        transaction = store.dict.begin()
        transaction.set(b"shared/a", b"1")
        return await transaction.commit()

    assert "must share a hash tag" in run(cluster, test, kind=INDEXED).error


def test_private_keys_of_a_user_go_together_in_the_tagged_layout(cluster):
    async def test(store):
        for user in (b"joe", b"ann", b"x}y"):
            await store.write((b"priv/a", user), (b"priv/b", user), username=user)
        return [await store.rows(b"priv/a", username=user) for user in (b"joe", b"ann", b"x}y")]

    assert [[(b"priv/a", b"joe")], [(b"priv/a", b"ann")], [(b"priv/a", b"x}y")]] == run(cluster, test, kind=TAGGED)


def test_key_whose_tag_no_token_can_share_is_written_all_the_same(cluster):
    async def test(store):
        await store.write((b"shared/a}b", b"v"))
        return await store.rows(b"shared/a}")

    assert [(b"shared/a}b", b"v")] == run(cluster, test)


def test_slot_that_moves_is_followed(cluster):
    first, second = cluster

    async def test(store):
        await store.write((b"shared/x", b"1"))
        slot = slot_of(store.name(b"shared/x"))
        source, target = (first, second) if slot < 8192 else (second, first)
        target_id = target.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode()
        source_id = source.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode()
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        name = store.name(b"shared/x").decode()
        assert b"+OK" in source.ask("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
        # On its way: the old server says ASK.
        asked = await store.dict.lookup(b"shared/x")
        for server in (target, source):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
        moved = await store.dict.lookup(b"shared/x")
        await store.write((b"shared/x", b"2"))
        return asked.values, moved.values, (await store.dict.lookup(b"shared/x")).values

    assert ((b"1",), (b"1",), (b"2",)) == run(cluster, test)
