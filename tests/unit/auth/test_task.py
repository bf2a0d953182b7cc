"""The auth task: waits, deadlines, caps, hostile input; whatever happens there is one outcome."""

from __future__ import annotations

import pytest

from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.outcome import OutcomeKind
from tests.unit.auth.harness import HoldingScheduler, instance_of, task_of
from workers.auth.password_check import Check

USER = {b"user": b"jane"}
EXPENSIVE = 'function auth_passdb_lookup() return 1, { password = "{SHA512-CRYPT}$6$a$x" } end'
WAITING = """
function auth_password_verify(request, password)
   local result, text = request:password_verify("{SHA512-CRYPT}$6$a$x", password)
   return 1, { result = tostring(result), text = tostring(text) }
end"""


@pytest.fixture
def scheduler():
    return HoldingScheduler()


def test_expensive_hash_is_left_to_a_thread(scheduler):
    task_of(instance_of(EXPENSIVE), scheduler, "auth_password_verify", USER, b"x")
    assert [b"returned_password"] == [name for name, _ in scheduler.operations]
    assert [] == scheduler.outcomes


def test_check_of_a_returned_password_ends_the_call(scheduler):
    task = task_of(instance_of(EXPENSIVE), scheduler, "auth_password_verify", USER, b"x")
    task.go_on(None, Check(is_match=True, is_temporary=False, text=b""))
    assert AuthVerdict.OK is scheduler.result.verdict


def test_check_that_failed_itself_is_no_verdict(scheduler):
    task = task_of(instance_of(EXPENSIVE), scheduler, "auth_password_verify", USER, b"x")
    task.go_on(None, (None, b"internal error: OSError"))
    assert AuthVerdict.INTERNAL_FAILURE is scheduler.result.verdict


def test_deadline_during_the_check_of_a_returned_password_is_an_outcome(scheduler):
    instance = instance_of(EXPENSIVE)
    task = task_of(instance, scheduler, "auth_password_verify", USER, b"x")
    task.expire(None)
    assert [OutcomeKind.DEADLINE_EXCEEDED] == [outcome.kind for outcome in scheduler.outcomes]
    assert 0 == instance.call_count


def test_deadline_inside_password_verify_is_an_outcome(scheduler):
    task = task_of(instance_of(WAITING), scheduler, "auth_password_verify", USER, b"x")
    task.expire(scheduler.parked[0][1])
    assert [OutcomeKind.DEADLINE_EXCEEDED] == [outcome.kind for outcome in scheduler.outcomes]


def test_password_verify_goes_on_with_what_the_thread_found(scheduler):
    task = task_of(instance_of(WAITING), scheduler, "auth_password_verify", USER, b"x")
    task.go_on(scheduler.parked[0][1], (1.0, None))
    assert {b"result": b"1.0", b"text": b"nil"} == scheduler.result.fields


def test_failed_operation_is_no_match_to_the_script(scheduler):
    task = task_of(instance_of(WAITING), scheduler, "auth_password_verify", USER, b"x")
    task.go_on(scheduler.parked[0][1], (None, b"broken"))
    assert {b"result": b"-1.0", b"text": b"broken"} == scheduler.result.fields


def test_two_waiting_calls_keep_their_requests(scheduler):
    source = """
    function auth_password_verify(request, password)
       request:password_verify("{SHA512-CRYPT}$6$a$x", password)
       return 1, { who = request.user }
    end"""
    instance = instance_of(source)
    tasks = [task_of(instance, scheduler, "auth_password_verify", {b"user": user}, b"x") for user in (b"a", b"b")]
    for task, step in reversed(list(zip(tasks, scheduler.parked, strict=True))):
        task.go_on(step[1], (1.0, None))
    assert [b"b", b"a"] == [outcome.values[0].fields[b"who"] for outcome in scheduler.outcomes]


def test_fields_over_the_cap_are_an_internal_failure():
    scheduler = HoldingScheduler(max_result_bytes=100)
    instance = instance_of('function auth_passdb_lookup() return 1, { a = ("x"):rep(101) } end')
    task_of(instance, scheduler, "auth_passdb_lookup", USER)
    assert AuthVerdict.INTERNAL_FAILURE is scheduler.result.verdict
    assert "results are larger than 100 bytes" in scheduler.result.reason


def test_full_memory_is_an_outcome_of_its_own(scheduler):
    source = "function auth_passdb_lookup() local t = {} for i = 1, 1e9 do t[i] = i end end"
    task_of(instance_of(source, max_memory_bytes=8 << 20), scheduler, "auth_passdb_lookup", USER)
    assert [OutcomeKind.MEMORY_LIMIT] == [outcome.kind for outcome in scheduler.outcomes]


@pytest.mark.parametrize(
    "args",
    [
        pytest.param([[b"user"]], id="a list"),
        pytest.param([b"user"], id="a string"),
        pytest.param([USER, 5], id="a number for a password"),
        pytest.param([USER, {}], id="a table for a password"),
    ],
)
def test_order_of_a_wrong_shape_is_rejected(scheduler, args):
    task_of(instance_of("x = 1"), scheduler, "auth_password_verify", *args)
    assert [OutcomeKind.REJECTED] == [outcome.kind for outcome in scheduler.outcomes]


def test_request_without_anything_is_one(scheduler):
    instance = instance_of("function auth_passdb_lookup(r) return 1, { nopassword = tostring(r.user) } end")
    task_of(instance, scheduler, "auth_passdb_lookup")
    assert {b"nopassword": b"nil"} == scheduler.result.hidden_fields


HOSTILE = [
    pytest.param(b"a\tb", id="tab"),
    pytest.param(b"a\nb", id="newline"),
    pytest.param(b"a'\"b", id="quotes"),
    pytest.param(b"\xff\xfe", id="no UTF-8"),
    pytest.param(b"%u%{user}", id="template"),
    pytest.param(b"x" * 65536, id="64 kB"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_user_and_password_of_any_bytes_arrive_unchanged(scheduler, text):
    source = """
    function auth_password_verify(request, password)
       return 1, { user = request.user, same = request.user == password and password == request.password }
    end"""
    task_of(instance_of(source), scheduler, "auth_password_verify", {b"user": text}, text)
    assert text == scheduler.result.user
    assert {b"same": b"yes"} == scheduler.result.fields


@pytest.mark.parametrize("text", HOSTILE)
def test_password_of_any_bytes_is_checked(scheduler, text):
    source = "function auth_passdb_lookup(request) return 1, { password = '{PLAIN}' .. request.password } end"
    task = task_of(instance_of(source), scheduler, "auth_password_verify", {b"user": text}, text)
    if scheduler.operations:
        task.go_on(None, Check(is_match=True, is_temporary=False, text=b""))
    assert AuthVerdict.OK is scheduler.result.verdict


def test_log_line_shows_no_password(scheduler):
    task_of(
        instance_of("function auth_password_verify() return 0 end"),
        scheduler,
        "auth_password_verify",
        USER,
        b"tops3cret",
    )
    assert [b"lua(jane): Password mismatch"] == scheduler.lines


def test_iteration_comes_in_pages():
    scheduler = HoldingScheduler(max_result_bytes=100)
    source = """
    function auth_userdb_iterate()
       local names = {}
       for number = 1, 1000 do names[number] = ("user%04d"):format(number) end
       return names
    end"""
    instance, names, first = instance_of(source), [], 1
    while first:
        task_of(instance, scheduler, "auth_userdb_iterate", {b"options": {b"first_user": first}})
        names += scheduler.result.users
        first = scheduler.result.next_user
    assert [b"user%04d" % number for number in range(1, 1001)] == names
    assert len(scheduler.outcomes) > 100


def test_iteration_answers_with_one_name_however_long():
    scheduler = HoldingScheduler(max_result_bytes=100)
    instance = instance_of('function auth_userdb_iterate() return { "a", ("x"):rep(50), "b" } end')
    task_of(instance, scheduler, "auth_userdb_iterate", {b"options": {b"first_user": 2}})
    assert (b"x" * 50, b"b") == scheduler.result.users
