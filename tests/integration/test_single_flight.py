"""Identical checks in flight run once, over any number of dispatchers; nobody waits for one that will not answer."""

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
from msgspec.structs import replace

from dispatcher.auth_guard import guarded_auth
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.handoff import write_settings
from dispatcher.protocol.settings import AuthSettings
from dispatcher.shared_flight import CLAIM_EVERY_S, FLIGHT_MS
from tests.waiting import wait_until

JOE = {"user": "joe"}

#: Seconds; nothing here comes near it unless somebody waits for an outcome that will not come.
DEADLINE_S = 30.0

#: Seconds after which at the latest a follower has taken the lead of one that has died.
TAKEN_OVER_S = FLIGHT_MS / 1000 + 2 * CLAIM_EVERY_S

#: A dispatcher of its own process that checks one login.
LEADER = """
import asyncio, sys
from dispatcher.auth_guard import guarded_auth
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.handoff import read_settings

async def main():
    settings = read_settings(sys.stdin.buffer)
    async with AsyncDispatcher(settings) as dispatcher, guarded_auth(dispatcher, settings, deadline_s=60) as auth:
        await auth.verify(Script.from_stream("gate", sys.argv[1].encode()), {"user": "joe"}, "guess")

asyncio.run(main())
"""


class Gate:
    """A script that notes each of its runs and answers when the test lets it."""

    def __init__(self, folder):
        self._runs, self._open = folder / "runs", folder / "open"
        self.source = f"""
        local socket = require("socket")
        function auth_password_verify(request, password)
           local runs = io.open("{self._runs}", "a") runs:write("x") runs:close()
           while true do
              local gate = io.open("{self._open}")
              if gate then gate:close() break end
              socket.sleep(0.01)
           end
           if password == "right" then return dovecot.auth.PASSDB_RESULT_OK, {{}} end
           return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "no"
        end
        """
        self.script = Script.from_stream("gate", self.source.encode())

    @property
    def runs(self):
        return len(self._runs.read_text()) if self._runs.exists() else 0

    def open(self):
        self._open.touch()

    def close(self):
        self._open.unlink()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path)


@pytest.fixture
def guarded(roles, pool):  # noqa: ARG001 - the pool must run
    return replace(roles("dispatcher"), auth=AuthSettings(single_flight=True))


@pytest.fixture
def redis(settings):
    with connect_sync(settings.redis) as redis:
        yield redis


@asynccontextmanager
async def auths(settings, count, deadline_s=DEADLINE_S):
    """Yield so many Auths, each with a dispatcher of its own."""
    async with AsyncExitStack() as stack:
        dispatchers = [await stack.enter_async_context(AsyncDispatcher(settings)) for _ in range(count)]
        yield [
            await stack.enter_async_context(guarded_auth(dispatcher, settings, deadline_s=deadline_s))
            for dispatcher in dispatchers
        ]


async def until(condition):
    await asyncio.to_thread(wait_until, condition)


def flights(redis):
    """Return per flight who leads it and how many follow."""
    found = [redis.hgetall(key) for key in redis.keys(keys.flight(b"") + "*")]
    return [(fields.get(b"leader", b"").decode().partition(":")[0], len(fields) - 1) for fields in found]


def verdicts(results):
    return {result.verdict for result in results}


@pytest.mark.parametrize("dispatchers", [1, 2, 5])
def test_storm_of_one_guess_runs_once(guarded, redis, gate, dispatchers):
    async def scenario():
        async with auths(guarded, dispatchers) as found:
            checks = [asyncio.create_task(auth.verify(gate.script, JOE, "guess")) for auth in found for _ in range(100)]
            await until(lambda: [dispatchers - 1] == [followers for _, followers in flights(redis)])
            gate.open()
            return await asyncio.gather(*checks)

    results = asyncio.run(scenario())
    assert (100 * dispatchers, {AuthVerdict.PASSWORD_MISMATCH}) == (len(results), verdicts(results))
    assert 1 == gate.runs
    wait_until(lambda: [] == flights(redis))


def test_checks_that_differ_run_each(guarded, gate):
    async def scenario():
        gate.open()
        async with auths(guarded, 2) as (one, other):
            return await asyncio.gather(
                one.verify(gate.script, JOE, "guess"),
                other.verify(gate.script, JOE, "right"),
                other.verify(gate.script, {"user": "ann"}, "guess"),
            )

    mismatch = AuthVerdict.PASSWORD_MISMATCH
    assert [mismatch, AuthVerdict.OK, mismatch] == [result.verdict for result in asyncio.run(scenario())]
    assert 3 == gate.runs


def test_check_after_the_outcome_runs_again(guarded, gate):
    async def scenario():
        gate.open()
        async with auths(guarded, 2) as found:
            return [await auth.verify(gate.script, JOE, "right") for auth in found]

    assert {AuthVerdict.OK} == verdicts(asyncio.run(scenario()))
    assert 2 == gate.runs


@contextmanager
def leading_process(settings, gate):
    """A dispatcher in a process of its own that leads the check."""
    process = subprocess.Popen([sys.executable, "-c", LEADER, gate.source], stdin=subprocess.PIPE)
    with process:
        write_settings(process.stdin, settings)
        process.stdin.close()
        wait_until(lambda: 1 == gate.runs)
        yield process
        process.kill()


def test_follower_of_a_killed_dispatcher_runs_the_check_itself(guarded, redis, gate):
    async def scenario():
        async with auths(guarded, 2) as found:
            checks = [asyncio.create_task(auth.verify(gate.script, JOE, "guess")) for auth in found]
            await until(lambda: [2] == [followers for _, followers in flights(redis)])
            leader.kill()
            leader.wait()
            # One of the two takes the lead; the other follows that one.
            await asyncio.to_thread(wait_until, lambda: 2 == gate.runs, TAKEN_OVER_S + 5)
            gate.open()
            return await asyncio.gather(*checks)

    with leading_process(guarded, gate) as leader:
        results = asyncio.run(scenario())
    assert {AuthVerdict.PASSWORD_MISMATCH} == verdicts(results)
    assert 2 == gate.runs


def test_follower_of_a_dispatcher_that_was_closed_runs_the_check_itself(guarded, redis, gate):
    async def scenario():
        async with auths(guarded, 1) as (staying,):
            async with auths(guarded, 1) as (leaving,):
                led = asyncio.create_task(leaving.verify(gate.script, JOE, "guess"))
                await until(lambda: 1 == gate.runs)
                followed = asyncio.create_task(staying.verify(gate.script, JOE, "guess"))
                await until(lambda: [1] == [followers for _, followers in flights(redis)])
            await until(lambda: 2 == gate.runs)
            gate.open()
            return await led, await followed

    led, followed = asyncio.run(scenario())
    assert AuthVerdict.INTERNAL_FAILURE is led.verdict
    assert AuthVerdict.PASSWORD_MISMATCH is followed.verdict


def test_follower_is_not_told_that_the_leaders_deadline_has_passed(guarded, redis, gate):
    async def scenario():
        async with auths(guarded, 1, deadline_s=1.0) as (hasty,), auths(guarded, 1) as (patient,):
            led = asyncio.create_task(hasty.verify(gate.script, JOE, "guess"))
            await until(lambda: 1 == gate.runs)
            followed = asyncio.create_task(patient.verify(gate.script, JOE, "guess"))
            await until(lambda: [1] == [followers for _, followers in flights(redis)])
            late = await led
            gate.open()
            return late, await followed

    late, followed = asyncio.run(scenario())
    assert (AuthVerdict.INTERNAL_FAILURE, "deadline_exceeded") == (late.verdict, late.reason.partition(":")[0])
    assert AuthVerdict.PASSWORD_MISMATCH is followed.verdict


def test_followers_own_deadline_holds(guarded, gate):
    async def scenario():
        async with auths(guarded, 1) as (patient,), auths(guarded, 1, deadline_s=0.3) as (hasty,):
            led = asyncio.create_task(patient.verify(gate.script, JOE, "guess"))
            await until(lambda: 1 == gate.runs)
            late = await hasty.verify(gate.script, JOE, "guess")
            gate.open()
            return late, await led

    late, led = asyncio.run(scenario())
    assert (AuthVerdict.INTERNAL_FAILURE, "deadline_exceeded") == (late.verdict, late.reason.partition(":")[0])
    assert AuthVerdict.PASSWORD_MISMATCH is led.verdict
    assert 1 == gate.runs


def test_script_error_is_shared_as_it_stands(guarded, redis, tmp_path):
    script = Gate(tmp_path)
    script.script = Script.from_stream("gate", script.source.replace("if password", "error('no') if password").encode())

    async def scenario():
        async with auths(guarded, 2) as found:
            checks = [asyncio.create_task(auth.verify(script.script, JOE, "guess")) for auth in found]
            await until(lambda: [1] == [followers for _, followers in flights(redis)])
            script.open()
            return await asyncio.gather(*checks)

    results = asyncio.run(scenario())
    assert {AuthVerdict.INTERNAL_FAILURE} == verdicts(results)
    assert 1 == script.runs


def forget_everything(redis, _key):
    redis.flushall()


def put_another_type(redis, key):
    redis.delete(key)
    redis.rpush(key, "x")


def put_another_leader_for_ever(redis, key):
    redis.delete(key)
    redis.hset(key, "leader", "nobody:1")


def put_another_leader_for_long(redis, key):
    put_another_leader_for_ever(redis, key)
    redis.expire(key, 1000)


def spoil_requests(redis, key):
    fields = redis.hgetall(key)
    redis.hset(key, mapping={name: bytes(reversed(value)) for name, value in fields.items() if name != b"leader"})


def add_rubbish(redis, key):
    redis.hset(key, mapping={f"x:{number}": b"\x01" * number for number in range(200)})


def add_more_followers_than_are_told(redis, key):
    redis.hset(key, mapping={f"x:{number}": b"x" for number in range(2000)})


@pytest.mark.parametrize(
    "harm",
    [
        forget_everything,
        put_another_type,
        put_another_leader_for_ever,
        put_another_leader_for_long,
        spoil_requests,
        add_rubbish,
        add_more_followers_than_are_told,
    ],
    ids=lambda harm: harm.__name__,
)
def test_followers_get_their_verdict_whatever_becomes_of_the_flight(own, tmp_path, harm):
    gate, guarded = Gate(tmp_path), replace(own, auth=AuthSettings(single_flight=True))

    async def scenario():
        async with auths(guarded, 3) as found:
            checks = [asyncio.create_task(auth.verify(gate.script, JOE, "right")) for auth in found]
            await until(lambda: [2] == [followers for _, followers in flights(redis)])
            # What still lies in the queue, emptying Redis would lose.
            await until(lambda: 1 == gate.runs)
            (key,) = redis.keys(keys.flight(b"") + "*")
            harm(redis, key)
            gate.open()
            return await asyncio.wait_for(asyncio.gather(*checks), 2 * TAKEN_OVER_S + 5)

    with LocalPool(guarded), connect_sync(own.redis) as redis:
        results = asyncio.run(scenario())
        wait_until(lambda: [] == redis.keys(keys.flight(b"") + "*"))
    assert {AuthVerdict.OK} == verdicts(results)


def requests_of(redis, key):
    return {name: value for name, value in redis.hgetall(key).items() if name != b"leader"}


def test_request_that_is_moved_to_another_check_is_told_no_outcome(guarded, redis, gate):
    """Whoever can write to Redis and has no key cannot have a right password's verdict told to a wrong one's call."""

    async def scenario():
        async with auths(guarded, 2) as found:
            guesses = [asyncio.create_task(auth.verify(gate.script, JOE, "guess")) for auth in found]
            await until(lambda: [1] == [followers for _, followers in flights(redis)])
            (guessed,) = redis.keys(keys.flight(b"") + "*")
            right = [asyncio.create_task(auth.verify(gate.script, JOE, "right")) for auth in found]
            await until(lambda: [1, 1] == [followers for _, followers in flights(redis)])
            (known,) = set(redis.keys(keys.flight(b"") + "*")) - {guessed}
            redis.hset(known, mapping=requests_of(redis, guessed))
            gate.open()
            return await asyncio.gather(*right, *guesses)

    results = [result.verdict for result in asyncio.run(scenario())]
    assert [AuthVerdict.OK] * 2 + [AuthVerdict.PASSWORD_MISMATCH] * 2 == results


def test_recorded_outcome_of_a_flight_is_told_to_no_other_call(guarded, redis, gate):
    async def scenario():
        async with AsyncDispatcher(guarded) as one, AsyncDispatcher(guarded) as other:
            stream = keys.reply_stream(other.dispatcher_id)
            async with guarded_auth(one, guarded) as leading, guarded_auth(other, guarded) as following:
                led = asyncio.create_task(leading.verify(gate.script, JOE, "right"))
                await until(lambda: 1 == gate.runs)
                followed = asyncio.create_task(following.verify(gate.script, JOE, "right"))
                await until(lambda: [1] == [followers for _, followers in flights(redis)])
                gate.open()
                verdicts = [(await led).verdict, (await followed).verdict]
                ((_, recorded),) = redis.xrevrange(stream, count=1)
                gate.close()
                guess = asyncio.create_task(following.verify(gate.script, JOE, "guess"))
                await until(lambda: 2 == gate.runs)
                redis.xadd(stream, recorded)
                gate.open()
                return [*verdicts, (await guess).verdict]

    assert [AuthVerdict.OK, AuthVerdict.OK, AuthVerdict.PASSWORD_MISMATCH] == asyncio.run(scenario())


def test_check_runs_while_flights_cannot_be_claimed(own, tmp_path):
    # A user that may do everything but what flights need.
    gate = Gate(tmp_path)
    gate.open()
    with LocalPool(own), connect_sync(own.redis) as redis:
        redis.execute_command(
            "ACL", "SETUSER", "narrow", "on", ">x", "+@all", "~rq:*", "~lualoft:reply:*", "~lualoft:script:*"
        )
        url = f"{own.redis.url.reveal()}?username=narrow&password=x"
        narrow = replace(
            own, redis=replace(own.redis, url=type(own.redis.url)(url)), auth=AuthSettings(single_flight=True)
        )

        async def scenario():
            async with auths(narrow, 2) as found:
                return await asyncio.gather(*(auth.verify(gate.script, JOE, "right") for auth in found))

        assert {AuthVerdict.OK} == verdicts(asyncio.run(scenario()))
    assert 2 == gate.runs
