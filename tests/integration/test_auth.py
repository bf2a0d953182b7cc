"""Auth scripts through the pool: verdicts, fields, users, chains; and no failure of ours that looks like a verdict."""

import asyncio

import pytest
from msgspec.structs import replace

from dispatcher.auth import Auth, CacheKeyError, IterationError
from dispatcher.auth_chain import Link, Rule
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.settings import DispatchSettings, PoolSettings, ScriptSettings
from workers.engine import LONG_LINE

USERS = Script.from_stream(
    "users",
    b"""
    local hashes = { ada = "{SSHA256}rQf7mCsDoXbmMyHrEVWnEzjBZ0bKpzsM6Ka7ehmHh9gHHR4R", bob = "{PLAIN}hunter2" }
    function auth_passdb_lookup(request)
       local hash = hashes[request.user]
       if not hash then return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such user" end
       return dovecot.auth.PASSDB_RESULT_OK, { password = hash, quota = "5G", userdb_uid = "1000" }
    end
    function auth_userdb_lookup(request)
       if not hashes[request.user] then return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "no" end
       return dovecot.auth.USERDB_RESULT_OK, { home = "/home/" .. request.user, uid = "1000", gid = "1000" }
    end
    function auth_userdb_iterate()
       local names = {}
       for i = 1, 2500 do names[i] = "user" .. i end
       return names
    end
    """,
)


def verdict_script(name, verdict, second="nil"):
    source = f"function auth_password_verify(r, p) return dovecot.auth.{verdict}, {second} end"
    return Script.from_stream(name, source.encode())


OK = verdict_script("ok", "PASSDB_RESULT_OK", "{ from = 'ok' }")
MISMATCH = verdict_script("mismatch", "PASSDB_RESULT_PASSWORD_MISMATCH")
UNKNOWN = verdict_script("unknown", "PASSDB_RESULT_USER_UNKNOWN")
DISABLED = verdict_script("disabled", "PASSDB_RESULT_USER_DISABLED")
NEXT = verdict_script("next", "PASSDB_RESULT_NEXT")
BROKEN = Script.from_stream("broken", b"function auth_password_verify(r, p) error('no luck') end")


def run(settings, work):
    async def scenario():
        async with AsyncDispatcher(settings) as dispatcher:
            return await work(Auth(dispatcher, deadline_s=20))

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("bob", "hunter2", AuthVerdict.OK),
        ("bob", "wrong", AuthVerdict.PASSWORD_MISMATCH),
        ("bob", "", AuthVerdict.PASSWORD_MISMATCH),
        ("eve", "hunter2", AuthVerdict.USER_UNKNOWN),
        # Dovecot's strings end at a NUL.
        ("bob\x00eve", "hunter2", AuthVerdict.OK),
    ],
)
def test_lookup_with_a_stored_password_gives_the_verdict(settings, pool, user, password, expected):  # noqa: ARG001
    result = run(settings, lambda auth: auth.verify(USERS, {"user": user}, password))
    assert expected is result.verdict
    assert "hunter2" not in repr(result)


def test_fields_of_a_login_come_back(settings, pool):  # noqa: ARG001
    result = run(settings, lambda auth: auth.verify(USERS, {"user": "bob"}, "hunter2"))
    assert ({b"quota": b"5G"}, {b"uid": b"1000"}) == (result.fields, result.userdb_fields)


def test_user_is_looked_up(settings, pool):  # noqa: ARG001
    result = run(settings, lambda auth: auth.userdb(USERS, {"user": "ada"}))
    assert AuthVerdict.OK is result.verdict
    assert b"/home/ada" in {**result.fields, **result.userdb_fields}.values()


def test_users_are_listed_page_by_page(settings, pool):  # noqa: ARG001
    async def work(auth):
        return [user async for user in auth.iterate(USERS)]

    assert [b"user%d" % n for n in range(1, 2501)] == run(settings, work)


def test_script_that_cannot_list_users_is_an_error(settings, pool):  # noqa: ARG001
    async def work(auth):
        return [user async for user in auth.iterate(OK)]

    with pytest.raises(IterationError):
        run(settings, work)


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ([OK], AuthVerdict.OK),
        ([UNKNOWN, OK], AuthVerdict.OK),
        ([MISMATCH, OK], AuthVerdict.OK),
        ([UNKNOWN, MISMATCH], AuthVerdict.PASSWORD_MISMATCH),
        ([DISABLED, OK], AuthVerdict.USER_DISABLED),
        ([NEXT, OK], AuthVerdict.OK),
        ([OK, MISMATCH], AuthVerdict.OK),
        ([NEXT], AuthVerdict.INTERNAL_FAILURE),
        ([BROKEN], AuthVerdict.INTERNAL_FAILURE),
        ([BROKEN, OK], AuthVerdict.OK),
        ([BROKEN, MISMATCH], AuthVerdict.INTERNAL_FAILURE),
    ],
    ids=lambda value: "+".join(script.name for script in value) if isinstance(value, list) else value.value,
)
def test_chain_goes_by_dovecots_rules(settings, pool, scripts, expected):  # noqa: ARG001
    chain = [Link(script) for script in scripts]
    assert expected is run(settings, lambda auth: auth.verify_chain(chain, {"user": "joe"}, "x")).verdict


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([Link(OK, result_success=Rule.CONTINUE_OK), Link(MISMATCH)], AuthVerdict.OK),
        ([Link(OK, result_success=Rule.CONTINUE_FAIL)], AuthVerdict.PASSWORD_MISMATCH),
        ([Link(MISMATCH, result_failure=Rule.RETURN_OK)], AuthVerdict.OK),
        ([Link(UNKNOWN, result_failure=Rule.RETURN_FAIL), Link(OK)], AuthVerdict.USER_UNKNOWN),
        ([Link(BROKEN, result_internalfail=Rule.RETURN_FAIL), Link(OK)], AuthVerdict.INTERNAL_FAILURE),
    ],
)
def test_chain_follows_its_settings(settings, pool, links, expected):  # noqa: ARG001
    assert expected is run(settings, lambda auth: auth.verify_chain(links, {"user": "joe"}, "x")).verdict


def test_fields_of_one_script_reach_the_next(settings, pool):  # noqa: ARG001
    reader = Script.from_stream(
        "reader",
        b"""
        function auth_password_verify(request, password)
           return dovecot.auth.PASSDB_RESULT_OK, { seen = request.passdb.from }
        end
        """,
    )
    chain = [Link(OK, result_success=Rule.CONTINUE), Link(reader)]
    result = run(settings, lambda auth: auth.verify_chain(chain, {"user": "joe"}, "x"))
    assert b"ok" == result.fields[b"seen"]


def test_password_that_dovecot_would_refuse_reaches_no_script(settings, pool):  # noqa: ARG001
    result = run(settings, lambda auth: auth.verify_chain([Link(OK)], {"user": "bob"}, "a\tb"))
    assert (AuthVerdict.USER_UNKNOWN, b"bob") == (result.verdict, result.user)


def test_master_user_logs_in_as_another(settings, pool):  # noqa: ARG001
    script = Script.from_stream(
        "master", b"function auth_password_verify(r, p) return 1, { login_user = 'jane', nologin = 'y' } end"
    )
    result = run(settings, lambda auth: auth.verify_chain([Link(script)], {"user": "root"}, "x"))
    assert (AuthVerdict.OK, b"jane", b"root") == (result.verdict, result.user, result.master_user)
    assert {b"original_user": b"root", b"auth_user": b"root", b"nologin": b""} == result.fields


CACHED = Script.from_stream(
    "cached",
    b"""
    function auth_passdb_get_cache_key() return "%{protocol}%{user}" end
    function auth_userdb_get_cache_key() return {} end
    """,
)


@pytest.mark.parametrize(("script", "expected"), [(CACHED, b"%{protocol}%{user}"), (OK, None)], ids=["given", "none"])
def test_cache_key_is_what_the_script_says(settings, pool, script, expected):  # noqa: ARG001
    assert expected == run(settings, lambda auth: auth.cache_key(script))


def test_cache_key_that_is_none_is_an_error(settings, pool):  # noqa: ARG001
    with pytest.raises(CacheKeyError, match=r"expected string, got table"):
        run(settings, lambda auth: auth.cache_key(CACHED, "userdb"))


def test_other_calls_are_answered_while_many_hashes_stand_in_line(settings, pool):  # noqa: ARG001
    hash_text = "{SHA512-CRYPT}$6$rounds=40000$abcdefgh$" + "x" * 86
    source = f"function auth_passdb_lookup() return dovecot.auth.PASSDB_RESULT_OK, {{ password = '{hash_text}' }} end"
    slow = Script.from_stream("slow", source.encode())

    async def work(auth):
        hashes = [asyncio.create_task(auth.verify(slow, {"user": "ada"}, "x")) for _ in range(60)]
        await asyncio.sleep(0)
        await auth.verify(OK, {"user": "ada"}, "x")
        left_count = sum(not task.done() for task in hashes)
        return left_count, {result.verdict for result in await asyncio.gather(*hashes)}

    left_count, verdicts = run(settings, work)
    assert left_count > LONG_LINE
    assert {AuthVerdict.PASSWORD_MISMATCH} == verdicts


def test_no_worker_is_an_internal_failure_and_never_a_verdict(settings):
    nobody = replace(settings, dispatch=DispatchSettings(queue="nobody", deadline_s=0.5))

    async def scenario():
        async with AsyncDispatcher(nobody) as dispatcher:
            return await Auth(dispatcher).verify(OK, {"user": "joe"}, "x")

    result = asyncio.run(scenario())
    assert AuthVerdict.INTERNAL_FAILURE is result.verdict
    assert "no worker listens" in result.reason


def test_old_string_result_is_taken_in_dialect_23_and_refused_in_24(settings, pool):  # noqa: ARG001
    source = b"function auth_password_verify(r, p) return dovecot.auth.PASSDB_RESULT_OK, 'quota=5G' end"
    results = {
        dialect: run(
            settings,
            lambda auth, dialect=dialect: auth.verify(
                Script.from_stream("old", source, ScriptSettings(dialect=dialect)), {"user": "joe"}, "x"
            ),
        )
        for dialect in ("2.3", "2.4")
    }
    assert (AuthVerdict.OK, b"5G") == (results["2.3"].verdict, results["2.3"].fields.get(b"quota"))
    assert AuthVerdict.INTERNAL_FAILURE is results["2.4"].verdict


def test_script_that_serves_two_hosts_is_loaded_twice(settings, pool):  # noqa: ARG001
    # As Dovecot does for a passdb and a userdb of one file: their states do not meet.
    script = Script.from_stream(
        "counter",
        b"""
        calls = 0
        function auth_password_verify(request, password)
           calls = calls + 1
           return dovecot.auth.PASSDB_RESULT_OK, { calls = calls }
        end
        function plain() calls = calls + 100 return calls end
        """,
    )
    one = replace(settings, dispatch=DispatchSettings(queue="one-worker"), pool=PoolSettings(workers=1))

    async def scenario():
        async with AsyncDispatcher(one) as dispatcher:
            first = await Auth(dispatcher).verify(script, {"user": "joe"}, "x")
            plain = await dispatcher.call(script, "plain")
            second = await Auth(dispatcher).verify(script, {"user": "joe"}, "x")
        return first.fields[b"calls"], plain.values, second.fields[b"calls"]

    with LocalPool(one):
        assert (b"1", [100], b"2") == asyncio.run(scenario())
