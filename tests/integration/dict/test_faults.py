"""What becomes of lookups and commits when the connection or the server fails: named rightly, nothing half-written."""

import asyncio
import re

import pytest

from dispatcher.embedded import EmbeddedServer
from tests.integration.dict.faulty_proxy import Fault, FaultyProxy
from tests.integration.dict.stores import KINDS, Kind, Store, run
from workers.dict.error import DictIterationError

PLAIN = Kind("redis", "dovecot")
REDIS_KINDS = [kind for kind in KINDS if kind.driver == "redis"]


def through_proxy(redis_url, test, *, timeout_s=5.0, kind=PLAIN):
    """Run a test with a store behind a proxy, and a second store past it."""

    async def whole():
        async with FaultyProxy(redis_url) as proxy:
            store = Store(kind, proxy.url, timeout_s=timeout_s)
            direct = Store(kind, redis_url, prefix=store.prefix)
            try:
                # The server knows the script after this, so one commit is one message.
                await store.write((b"shared/n", b"1"))
                return await test(store, direct, proxy)
            finally:
                await proxy.stop_listening()
                await store.dict.close()
                await direct.dict.close()

    return asyncio.run(whole())


def sets(store):
    transaction = store.dict.begin()
    transaction.set(b"shared/a", b"1")
    transaction.set(b"shared/b", b"2")
    return transaction


def increments(store):
    transaction = store.dict.begin()
    transaction.set(b"shared/a", b"1")
    transaction.atomic_inc(b"shared/n", 1)
    return transaction


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.DURING, Fault.AFTER], ids=lambda fault: fault.value)
@pytest.mark.parametrize("kind", REDIS_KINDS, ids=str)
def test_commit_of_plain_sets_survives_a_lost_connection(redis_url, fault, kind):
    async def test(store, direct, proxy):
        proxy.strike(fault)
        result = await sets(store).commit()
        return result, sorted(await direct.rows(b"shared/"))

    result, rows = through_proxy(redis_url, test, kind=kind)
    assert "ok" == result.kind
    assert [(b"shared/a", b"1"), (b"shared/b", b"2"), (b"shared/n", b"1")] == rows


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        (Fault.BEFORE, [(b"shared/n", b"1")]),
        (Fault.DURING, [(b"shared/n", b"1")]),
        (Fault.AFTER, [(b"shared/a", b"1"), (b"shared/n", b"2")]),
    ],
    ids=["before", "during", "after"],
)
def test_commit_with_an_increment_is_uncertain_and_sent_once(redis_url, fault, rows):
    async def test(store, direct, proxy):
        seen_before = proxy.commit_count
        proxy.strike(fault)
        result = await increments(store).commit()
        return result, proxy.commit_count - seen_before, sorted(await direct.rows(b"shared/"))

    result, sent_count, rows_after = through_proxy(redis_url, test)
    assert ("uncertain", "Disconnected during transaction") == (result.kind, result.error)
    assert 1 == sent_count
    assert rows == rows_after


def test_repeated_commit_does_not_overwrite_what_others_wrote_since(redis_url):
    async def test(store, direct, proxy):
        await proxy.stop_listening()
        proxy.strike(Fault.AFTER)
        commit = asyncio.ensure_future(sets(store).commit())
        while (await direct.dict.lookup(b"shared/a")).kind != "ok":
            await asyncio.sleep(0.01)
        await direct.write((b"shared/a", b"theirs"))
        await proxy.listen()
        return await commit, await direct.dict.lookup(b"shared/a")

    result, value = through_proxy(redis_url, test)
    # While nobody listened the commit's end was not known.
    assert result.kind in {"ok", "uncertain"}
    assert (b"theirs",) == value.values


def test_commit_that_comes_late_and_again_is_carried_out_once(redis_url):
    async def test(store, direct, proxy):
        proxy.strike(Fault.LATE)
        result = await sets(store).commit()
        await direct.write((b"shared/a", b"theirs"))
        await proxy.release()
        return result, await direct.dict.lookup(b"shared/a")

    result, value = through_proxy(redis_url, test)
    assert "ok" == result.kind
    assert (b"theirs",) == value.values


def test_dict_that_is_closed_while_a_commit_is_repeated_answers_it(redis_url):
    async def test(store, _direct, proxy):
        await proxy.stop_listening()
        proxy.strike(Fault.AFTER)
        commit = asyncio.ensure_future(sets(store).commit())
        while proxy.count:
            await asyncio.sleep(0.01)
        await store.dict.close()
        return await commit

    result = through_proxy(redis_url, test, timeout_s=60)
    assert ("uncertain", "Disconnected during transaction") == (result.kind, result.error)


def test_dict_whose_commits_are_lost_closes_at_any_moment_of_connecting(redis_url):
    async def close(proxy, number):
        # The commit is given up while it connects anew, each time a little later.
        store = Store(PLAIN, proxy.url, timeout_s=0.03 + number / 1000)
        result = await sets(store).commit()
        # Not `wait_for`, whose own cancellation would help.
        _, left = await asyncio.wait([asyncio.ensure_future(store.dict.close())], timeout=5)
        assert set() == left
        return result.kind

    async def test(_store, _direct, proxy):
        proxy.strike(Fault.BEFORE, count=100_000)
        return {await close(proxy, number) for number in range(60)}

    # On a busy machine one may be given up before it was sent.
    assert through_proxy(redis_url, test) <= {"uncertain", "failed"}


@pytest.mark.parametrize(("make", "kind"), [(sets, "uncertain"), (increments, "uncertain")], ids=["sets", "increments"])
def test_commit_without_an_answer_in_time_is_uncertain(redis_url, make, kind):
    async def test(store, _direct, proxy):
        proxy.strike(Fault.SILENT)
        return await make(store).commit()

    result = through_proxy(redis_url, test, timeout_s=0.3)
    assert kind == result.kind
    # It says how long it did wait, which on a busy machine is longer.
    assert 0.3 <= float(re.fullmatch(r"redis: Commit timed out in (\d+\.\d{3}) secs", result.error)[1]) < 3


def test_silent_connection_is_replaced(redis_url):
    async def test(store, _direct, proxy):
        proxy.strike(Fault.SILENT)
        await sets(store).commit()
        return (await store.dict.lookup(b"shared/a")).values, proxy.connection_count

    assert ((b"1",), 2) == through_proxy(redis_url, test, timeout_s=0.3)


def test_lookups_beside_a_lost_commit_are_answered(redis_url):
    async def test(store, _direct, proxy):
        proxy.strike(Fault.AFTER)
        jobs = [increments(store).commit(), *(store.dict.lookup(b"shared/n") for _ in range(50))]
        return await asyncio.gather(*jobs)

    commit, *lookups = through_proxy(redis_url, test)
    assert "uncertain" == commit.kind
    assert {"ok"} == {result.kind for result in lookups}


def test_nobody_listens(redis_url):
    async def test(store):
        commit = await sets(store).commit()
        lookup = await store.dict.lookup(b"shared/a")
        with pytest.raises(DictIterationError) as caught:
            await store.rows(b"shared/")
        return commit, lookup, str(caught.value)

    async def whole():
        store = Store(PLAIN, "unix:///nowhere/redis.sock")
        try:
            return await test(store)
        finally:
            await store.dict.close()

    expected = "connect() failed: Redis at unix:///nowhere/redis.sock is not available (No such file or directory)"
    commit, lookup, text = asyncio.run(whole())
    assert ("failed", expected) == (commit.kind, commit.error)
    assert ("failed", expected) == (lookup.kind, lookup.error)
    assert expected == text
    assert redis_url


def test_dict_works_again_when_the_server_is_back(redis_url):
    async def test(store, _direct, proxy):
        await proxy.stop_listening()
        proxy.strike(Fault.BEFORE)
        first = await increments(store).commit()
        second = await store.dict.lookup(b"shared/n")
        await proxy.listen()
        return first.kind, second.kind, (await store.dict.lookup(b"shared/n")).values

    assert ("uncertain", "failed", (b"1",)) == through_proxy(redis_url, test)


def test_closed_dict_answers_at_once():
    async def whole():
        store = Store(PLAIN, "unix:///nowhere/redis.sock")
        await store.dict.close()
        return await store.dict.lookup(b"shared/a"), await sets(store).commit()

    assert ["the dict was closed"] * 2 == [result.error for result in asyncio.run(whole())]


def test_cancelled_lookup_leaves_the_others_their_own_answers(redis_url):
    async def test(store):
        await store.write(*((b"shared/%d" % number, b"%d" % number) for number in range(100)))
        tasks = [asyncio.create_task(store.dict.lookup(b"shared/%d" % number)) for number in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = run(PLAIN, redis_url, test)
    for number, result in enumerate(results):
        if number % 3:
            assert (b"%d" % number,) == result.values


def test_wrong_type_is_a_failed_lookup_in_the_words_of_dovecot(redis_url):
    async def test(store):
        await store.command("HSET", store.name(b"shared/h"), "f", "v")
        return await store.dict.lookup(b"shared/h")

    result = run(PLAIN, redis_url, test)
    assert "failed" == result.kind
    assert (
        "redis: Communication failure (last reply: "
        "-WRONGTYPE Operation against a key holding the wrong kind of value)" == result.error
    )


@pytest.fixture
def own_server():
    with EmbeddedServer() as server:
        yield server.url


@pytest.mark.parametrize("make", [sets, increments])
@pytest.mark.parametrize("kind", REDIS_KINDS, ids=str)
def test_full_server_refuses_the_whole_commit(own_server, make, kind):
    async def test(store):
        await store.write((b"shared/n", b"1"))
        await store.command("CONFIG", "SET", "maxmemory", "1")
        result = await make(store).commit()
        await store.command("CONFIG", "SET", "maxmemory", "0")
        return result, await store.rows(b"shared/")

    result, rows = run(kind, own_server, test)
    assert "failed" == result.kind
    assert "OOM command not allowed when used memory > 'maxmemory'" in result.error
    assert [(b"shared/n", b"1")] == rows


@pytest.mark.parametrize("make", [sets, increments])
def test_read_only_replica_refuses_the_whole_commit(own_server, make):
    async def test(store):
        await store.write((b"shared/n", b"1"))
        # A primary that nobody answers for: the replica keeps its data.
        await store.command("REPLICAOF", "127.0.0.1", "1")
        results = [await make(store).commit(), await store.dict.lookup(b"shared/n")]
        await store.command("REPLICAOF", "NO", "ONE")
        return *results, await store.rows(b"shared/")

    commit, lookup, rows = run(PLAIN, own_server, test)
    assert "failed" == commit.kind
    assert "-READONLY You can't write against a read only replica" in commit.error
    assert "ok" == lookup.kind
    assert [(b"shared/n", b"1")] == rows


def test_user_without_permission_for_one_of_the_commands_writes_nothing(own_server):
    async def test(store):
        await store.write((b"shared/n", b"1"))
        await store.command("ACL", "SETUSER", "half", "on", ">secret", "~*", "+@all", "-del")
        half = Store(PLAIN, f"{own_server}?username=half&password=secret", prefix=store.prefix)
        transaction = half.dict.begin()
        transaction.set(b"shared/a", b"1")
        transaction.unset(b"shared/n")
        result = await transaction.commit()
        await half.dict.close()
        return result, await store.rows(b"shared/")

    result, rows = run(PLAIN, own_server, test)
    assert ("failed", [(b"shared/n", b"1")]) == (result.kind, rows)
    assert "NOPERM" in result.error


def test_wrong_password_fails_without_showing_it(own_server):
    async def test(_store):
        wrong = Store(PLAIN, f"{own_server}?username=nobody&password=hunter2")
        result = await wrong.dict.lookup(b"shared/a")
        await wrong.dict.close()
        return result

    result = run(PLAIN, own_server, test)
    assert "failed" == result.kind
    assert "refuses the user name, the password or the permission" in result.error
    assert "hunter2" not in result.error


def test_server_that_lost_its_scripts_is_given_them_again(own_server):
    async def test(store):
        await store.write((b"shared/n", b"1"))
        await store.command("SCRIPT", "FLUSH")
        return (await increments(store).commit()).kind, await store.rows(b"shared/n")

    assert ("ok", [(b"shared/n", b"2")]) == run(PLAIN, own_server, test)


def test_iteration_goes_on_after_a_lost_connection_and_gives_every_row_once(own_server):
    async def test(store):
        keys = [b"shared/%d" % number for number in range(3000)]
        await store.write(*((key, b"") for key in keys))
        seen = []
        async for page in store.dict.pages([b"shared/"]):
            seen += [row.key for row in page]
            if len(seen) in range(500, 1500):
                await store.command("CLIENT", "KILL", "TYPE", "normal")
        return sorted(keys), sorted(seen)

    for kind in REDIS_KINDS:
        expected, seen = run(kind, own_server, test)
        assert expected == seen


@pytest.mark.parametrize("answer", [b"%1\r\n*0\r\n+x\r\n", b"-\xff\r\n"], ids=["list as name", "no UTF-8"])
def test_what_answers_like_no_redis_is_said_to_be_none(tmp_path, answer):
    async def talk(reader, writer):
        while await reader.read(1 << 16):
            writer.write(answer)
        writer.close()

    async def test():
        path = tmp_path / "no-redis"
        async with await asyncio.start_unix_server(talk, path):
            store = Store(PLAIN, f"unix://{path}", timeout_s=5.0)
            result = await store.dict.lookup(b"shared/a")
            await store.dict.close()
            return result

    result = asyncio.run(test())
    assert "failed" == result.kind
    assert result.error.startswith("connect() failed: ")
