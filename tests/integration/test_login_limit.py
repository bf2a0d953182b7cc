"""Limits on logins: counted over all dispatchers, told as an internal failure, and never in the way of trouble."""

import asyncio

import pytest
from msgspec.structs import replace

from dispatcher.auth_chain import Link, Rule
from dispatcher.auth_guard import guarded_auth
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.login_limit import LoginLimits
from dispatcher.protocol import keys
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import AuthSettings
from tests.waiting import wait_until

JOE = {"user": "joe", "remote_ip": "192.0.2.1"}
OK = Script.from_stream("ok", b"function auth_password_verify() return dovecot.auth.PASSDB_RESULT_OK, {} end")


@pytest.fixture
def limited(roles):
    """Settings of a dispatcher with limits; a key of its own keeps its counts apart from those of other tests."""

    def make(**auth):
        return replace(roles("dispatcher"), key=Secret(generate_key()), auth=AuthSettings(**auth))

    return make


def counts(settings, requests, dispatchers=1):
    """Return the reasons of logins, dealt to several dispatchers in turn."""

    async def scenario():
        limits = [LoginLimits(settings) for _ in range(dispatchers)]
        reasons = []
        for number, request in enumerate(requests):
            reasons.append(await limits[number % dispatchers].count(request))
        for one in limits:
            await one.__aexit__(None, None, None)
        return reasons

    return asyncio.run(scenario())


def allowed(reasons):
    return [not reason for reason in reasons]


@pytest.mark.parametrize("maximum", [1, 2, 5])
@pytest.mark.parametrize("dispatchers", [1, 3])
def test_as_many_logins_of_a_user_as_the_limit_says_are_allowed(limited, maximum, dispatchers):
    settings = limited(max_user_logins=maximum)
    assert [True] * maximum + [False] * 2 == allowed(counts(settings, [JOE] * (maximum + 2), dispatchers))


def test_limit_of_nothing_is_no_limit(limited):
    assert not LoginLimits.are_wanted(AuthSettings())
    assert [True] * 50 == allowed(counts(limited(max_user_logins=0, max_ip_logins=100), [JOE] * 50))


def test_reason_names_the_rule_and_nobody(limited):
    reason = counts(limited(max_user_logins=1), [JOE] * 2)[1]
    assert reason.startswith("limited: more than 1 logins of this user in 60 s; again in ")
    assert "joe" not in reason


def test_users_are_counted_apart_and_addresses_too(limited):
    settings = limited(max_user_logins=1, max_ip_logins=2)
    ann, bob = {**JOE, "user": "ann"}, {"user": "bob", "remote_ip": "192.0.2.2"}
    # The third from the same address is too many; what was refused does not count against its user.
    assert [True, True, False, True] == allowed(counts(settings, [JOE, ann, {**JOE, "user": "eve"}, bob]))
    elsewhere = {"user": "eve", "remote_ip": "192.0.2.3"}
    assert [True, False] == allowed(counts(settings, [elsewhere, elsewhere]))


SAME = {
    "case": ({"user": "Joe"}, {"user": "jOE"}),
    "what follows a NUL": ({"user": "joe"}, {"user": "joe\0x"}),
    "bytes and text": ({"user": "jö"}, {"user": "jö".encode()}),
    "one IPv6 network": ({"remote_ip": "2001:db8::1"}, {"remote_ip": "2001:db8::ffff:2"}),
    "two forms of an address": ({"remote_ip": "::ffff:192.0.2.1"}, {"remote_ip": "192.0.2.1"}),
    "no address at all": ({"remote_ip": "console"}, {"remote_ip": b"console"}),
}


@pytest.mark.parametrize("pair", SAME)
def test_two_spellings_of_one_are_counted_together(limited, pair):
    assert [True, False] == allowed(counts(limited(max_user_logins=1, max_ip_logins=1), SAME[pair]))


@pytest.mark.parametrize("request_", [{}, {"user": ""}, {"user": None, "remote_ip": 5}], ids=repr)
def test_login_that_names_nobody_is_not_counted(limited, request_):
    assert [True] * 5 == allowed(counts(limited(max_user_logins=1, max_ip_logins=1), [request_] * 5))


def test_login_is_allowed_again_after_a_while(limited):
    settings = limited(max_user_logins=2, user_window_s=1.0)
    assert [True, True, False] == allowed(counts(settings, [JOE] * 3))
    wait_until(lambda: allowed(counts(settings, [JOE])) == [True], limit_s=5)


def test_thousand_logins_at_once_are_counted_exactly(limited):
    settings = limited(max_user_logins=100)

    async def scenario():
        async with LoginLimits(settings) as one, LoginLimits(settings) as other:
            return await asyncio.gather(*(limits.count(JOE) for limits in (one, other) for _ in range(500)))

    assert 100 == sum(allowed(asyncio.run(scenario())))


def test_keys_in_redis_name_nobody_and_expire(own):
    settings = replace(own, auth=AuthSettings(max_user_logins=5, max_ip_logins=5))
    counts(settings, [JOE])
    with connect_sync(own.redis) as redis:
        found = redis.keys("*")
        assert 2 == len(found)
        assert all(0 < redis.pttl(key) <= 60_000 for key in found)
        text = b" ".join(found) + b" ".join(redis.mget(found))
        assert all(name not in text for name in (b"joe", b"192.0.2.1", b"joe".hex().encode()))


@pytest.mark.parametrize("value", ["x", "-1", "1e400", "nan", "9" * 300], ids=repr)
def test_count_that_somebody_spoiled_locks_nobody_out_for_longer_than_the_window(own, value):
    settings = replace(own, auth=AuthSettings(max_user_logins=1, user_window_s=0.3))
    counts(settings, [JOE])
    with connect_sync(own.redis) as redis:
        (key,) = redis.keys(keys.login_limit("user", b"") + "*")
        redis.set(key, value)
        wait_until(lambda: allowed(counts(settings, [JOE])) == [True], limit_s=5)


def test_login_that_cannot_be_counted_is_let_through(own, caplog):
    settings = replace(own, auth=AuthSettings(max_user_logins=1))
    counts(settings, [JOE])
    with connect_sync(own.redis) as redis:
        (key,) = redis.keys("*")
        redis.delete(key)
        redis.lpush(key, "no count")
    assert [True] * 3 == allowed(counts(settings, [JOE] * 3))
    assert "logins are not limited at the moment" in caplog.text


def test_login_is_let_through_while_redis_is_away(own, tmp_path):
    gone = replace(own.redis, url=Secret(f"unix://{tmp_path}/nothing"))
    settings = replace(own, redis=gone, auth=AuthSettings(max_user_logins=1))
    assert [True] * 3 == allowed(counts(settings, [JOE] * 3))


def test_login_is_let_through_while_redis_is_slow(own):
    settings = replace(own, auth=AuthSettings(max_user_logins=1))
    with connect_sync(own.redis) as redis:
        redis.execute_command("CLIENT", "PAUSE", "3000", "ALL")
    assert [True] * 2 == allowed(counts(settings, [JOE] * 2))


def test_limited_login_is_an_internal_failure_and_no_chain_counts_twice(settings, pool):  # noqa: ARG001 - the pool must run
    guarded = replace(settings, auth=AuthSettings(max_user_logins=2))
    chain = [Link(OK, result_success=Rule.CONTINUE_OK), Link(OK)]

    async def scenario():
        user = {"user": "chained", "remote_ip": "192.0.2.9"}
        async with AsyncDispatcher(guarded) as dispatcher, guarded_auth(dispatcher, guarded, deadline_s=20) as auth:
            first = await auth.verify_chain(chain, user, "x")
            second = await auth.verify(OK, user, "x")
            return [first, second, await auth.verify(OK, user, "x"), await auth.verify_chain(chain, user, "x")]

    results = asyncio.run(scenario())
    assert [AuthVerdict.OK] * 2 + [AuthVerdict.INTERNAL_FAILURE] * 2 == [result.verdict for result in results]
    assert results[2].reason.startswith("limited: ")
