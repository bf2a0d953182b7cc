"""Dicts in scripts, through server, queue and workers."""

import socket
from dataclasses import replace as replace_fields

import pytest
from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, PoolSettings

SOURCE = b"""
function put(d, key, value, user, expire)
   local t = d:transaction_begin(user or "", expire or 0)
   t:set(key, value)
   t:commit()
end
function get(d, key, user) return d:lookup(key, user or "") end
function keys(d, path, flags)
   local seen = {}
   for key in d:iterate(path, flags) do seen[#seen + 1] = key end
   table.sort(seen)
   return seen
end
function count(d, path)
   local n, total = 0, 0
   for _, values in d:iterate(path, 1) do n, total = n + 1, total + #values[1] end
   return n, total
end
function fill(d, first, last)
   local t = d:transaction_begin()
   for n = first, last do t:set(("shared/many/%07d"):format(n), "value") end
   t:commit()
end
function bump(d)
   local t = d:transaction_begin()
   t:atomic_inc("shared/bumped", 1)
   t:commit()
end
function leave_open(d)
   left = d:transaction_begin()
   left:set("shared/left", "1")
end
function use_left() left:commit() end
function opened(name) return dovecot.dict.open(name).__name end
function large(d, size)
   put(d, "shared/large", ("v"):rep(size))
   return #d:lookup("shared/large")[1]
end
function ping() return "pong" end
"""

SCRIPT = replace_fields(Script.from_stream("dicts", SOURCE), dicts=("data", "indexed", "silent"))
DATA, INDEXED, SILENT = ({"$dict": name} for name in ("data", "indexed", "silent"))


@pytest.fixture(scope="module")
def silent_socket(tmp_path_factory):
    """A server that takes connections and never says a word."""
    path = tmp_path_factory.mktemp("silent") / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield f"unix://{path}"


@pytest.fixture(scope="module")
def calls(settings, redis_url, silent_socket):
    """A dispatcher whose two workers have dicts."""
    url = Secret(redis_url)
    own = replace(
        settings,
        dispatch=replace(settings.dispatch, queue="dicts"),
        pool=PoolSettings(workers=2, grace_s=5.0),
        dicts={
            "data": DictSettings(url=url, prefix="calls:"),
            "indexed": DictSettings(url=url, prefix="calls-indexed:", layout="tagged", index=True),
            "silent": DictSettings(url=Secret(silent_socket)),
            "secret": DictSettings(url=url),
        },
    )
    with LocalPool(own), Dispatcher(own) as dispatcher:
        yield dispatcher


def values(outcome):
    assert (OutcomeKind.OK, "") == (outcome.kind, outcome.error)
    return outcome.values


@pytest.mark.parametrize("target", [DATA, INDEXED], ids=["plain", "indexed"])
def test_what_one_call_writes_others_read(calls, target):
    values(calls.call(SCRIPT, "put", target, "shared/x", "v"))
    assert [[b"v"]] == values(calls.call(SCRIPT, "get", target, "shared/x"))
    assert [[b"shared/x"]] == values(calls.call(SCRIPT, "keys", target, "shared/x", 0))


def test_missing_key_is_nil(calls):
    assert [None] == values(calls.call(SCRIPT, "get", DATA, "shared/missing"))


@pytest.mark.parametrize("user", ["u", "a/b", "a\\b", "a/b\\c"])
def test_private_keys_are_those_of_their_user(calls, user):
    values(calls.call(SCRIPT, "put", INDEXED, "priv/x", user, user))
    assert [[user.encode()]] == values(calls.call(SCRIPT, "get", INDEXED, "priv/x", user))


def test_many_lookups_at_once(calls):
    values(calls.call(SCRIPT, "put", DATA, "shared/x", "v"))
    pending = [calls.submit(SCRIPT, "get", [DATA, "shared/x"]) for _ in range(500)]
    assert {b"v"} == {values(one.result(30))[0][0] for one in pending}


@pytest.mark.parametrize("target", [DATA, INDEXED], ids=["plain", "indexed"])
def test_iteration_over_many_pages(calls, target):
    values(calls.call(SCRIPT, "fill", target, 1, 3000))
    assert [3000, 15000] == values(calls.call(SCRIPT, "count", target, "shared/many/"))


def test_transaction_that_a_call_leaves_open_is_rolled_back(calls):
    values(calls.call(SCRIPT, "leave_open", DATA))
    assert [None] == values(calls.call(SCRIPT, "get", DATA, "shared/left"))


def test_transaction_of_another_call_cannot_be_used(settings, redis_url):
    one = replace(
        settings,
        dispatch=replace(settings.dispatch, queue="one"),
        pool=PoolSettings(workers=1, grace_s=5.0),
        dicts={"data": DictSettings(url=Secret(redis_url), prefix="one:")},
    )
    script = replace_fields(SCRIPT, dicts=("data",))
    with LocalPool(one), Dispatcher(one) as dispatcher:
        values(dispatcher.call(script, "leave_open", DATA))
        outcome = dispatcher.call(script, "use_left")
    assert OutcomeKind.SCRIPT_ERROR == outcome.kind
    assert "dict transaction belongs to another call, which rolled it back when it ended" in outcome.error


def test_dict_may_be_opened_by_its_name(calls):
    assert [b"struct dict"] == values(calls.call(SCRIPT, "opened", "data"))


@pytest.mark.parametrize("name", ["secret", "nowhere"])
def test_script_opens_only_its_own_dicts(calls, name):
    text = f"dict '{name}' is not among the dicts of this script's settings"
    assert text in calls.call(SCRIPT, "opened", name).error
    assert f"argument #1: {text}" in calls.call(SCRIPT, "get", {"$dict": name}, "shared/x").error


def test_value_of_a_megabyte(calls):
    assert [1_000_000] == values(calls.call(SCRIPT, "large", DATA, 1_000_000))


def test_silent_server_holds_no_call_past_its_deadline_and_nobody_else(calls):
    slow = [calls.submit(SCRIPT, "get", [SILENT, "shared/x"], deadline_s=0.5) for _ in range(20)]
    slow += [calls.submit(SCRIPT, "count", [SILENT, "shared/"], deadline_s=0.5) for _ in range(20)]
    assert [b"pong"] == values(calls.call(SCRIPT, "ping", deadline_s=10))
    assert {OutcomeKind.DEADLINE_EXCEEDED} == {one.result(30).kind for one in slow}


def test_increments_of_many_calls_at_once_all_count(calls):
    bumps = [calls.submit(SCRIPT, "bump", [DATA], deadline_s=30) for _ in range(200)]
    assert {""} == {bump.result(timeout=60).error for bump in bumps}
    assert [[b"200"]] == values(calls.call(SCRIPT, "get", DATA, "shared/bumped"))
