"""A chain of auth scripts: what each result makes of a login, by Dovecot's rules."""

import pytest

from dispatcher.auth_chain import Chain, Link, Rule
from dispatcher.protocol.auth_result import AuthResult, AuthVerdict

OK, MISMATCH, UNKNOWN = AuthVerdict.OK, AuthVerdict.PASSWORD_MISMATCH, AuthVerdict.USER_UNKNOWN
FAILURE, NEXT = AuthVerdict.INTERNAL_FAILURE, AuthVerdict.NEXT
DISABLED, EXPIRED = AuthVerdict.USER_DISABLED, AuthVerdict.PASS_EXPIRED


def chain_of(*steps, request=None):
    """Take (rules, result) pairs until the chain ends; returns it and how many it took."""
    chain = Chain({"user": "jane@x"} if request is None else request)
    ends = (chain.take(Link("script", **rules), step) for rules, step in steps)
    return chain, next((count for count, is_end in enumerate(ends, 1) if is_end), len(steps))


def result(verdict, user=b"jane@x", **members):
    return AuthResult(verdict, user, **members)


@pytest.mark.parametrize(
    ("name", "verdict", "rule", "is_end", "expected"),
    [
        ("result_success", OK, Rule.RETURN, True, MISMATCH),
        ("result_success", OK, Rule.RETURN_OK, True, OK),
        ("result_success", OK, Rule.RETURN_FAIL, True, MISMATCH),
        ("result_success", OK, Rule.CONTINUE, False, MISMATCH),
        ("result_success", OK, Rule.CONTINUE_OK, False, OK),
        ("result_success", OK, Rule.CONTINUE_FAIL, False, MISMATCH),
        ("result_failure", UNKNOWN, Rule.RETURN, True, UNKNOWN),
        ("result_failure", UNKNOWN, Rule.RETURN_OK, True, OK),
        ("result_failure", UNKNOWN, Rule.CONTINUE, False, UNKNOWN),
        ("result_failure", MISMATCH, Rule.CONTINUE_OK, False, OK),
        ("result_internalfail", FAILURE, Rule.RETURN, True, FAILURE),
        ("result_internalfail", FAILURE, Rule.RETURN_OK, True, OK),
        ("result_internalfail", FAILURE, Rule.RETURN_FAIL, True, FAILURE),
        ("result_internalfail", FAILURE, Rule.CONTINUE_OK, False, OK),
    ],
)
def test_rule_decides(name, verdict, rule, is_end, expected):
    chain, _ = chain_of(({name: rule}, result(verdict)))
    assert is_end is chain.take(Link("script", **{name: rule}), result(verdict))
    assert expected is chain.result().verdict


@pytest.mark.parametrize("verdict", [DISABLED, EXPIRED])
def test_users_who_may_not_log_in_end_a_chain_that_had_let_them_in(verdict):
    let_in = ({"result_success": Rule.CONTINUE_OK}, result(OK))
    chain, count = chain_of(let_in, ({}, result(verdict)), ({}, result(OK)))
    assert (2, verdict) == (count, chain.result().verdict)


def test_next_at_the_end_is_a_failure_even_of_users_who_were_let_in():
    chain, _ = chain_of(({"result_success": Rule.CONTINUE_OK}, result(OK)), ({}, result(NEXT)))
    assert FAILURE is chain.result().verdict
    assert "Last passdb had noauthenticate field, cannot authenticate user" == chain.result().reason


def test_success_that_continues_spares_the_next_script_the_password():
    chain, _ = chain_of(({"result_success": Rule.CONTINUE}, result(OK)))
    assert chain.request["skip_password_check"]


def test_failure_that_continues_does_not():
    chain, _ = chain_of(({}, result(MISMATCH)))
    assert "skip_password_check" not in chain.request


@pytest.mark.parametrize(
    ("verdict", "name"), [(UNKNOWN, "passdbs_seen_user_unknown"), (FAILURE, "passdbs_seen_internal_failure")]
)
def test_next_script_learns_what_happened(verdict, name):
    chain, _ = chain_of(({}, result(verdict)))
    assert chain.request[name]


def test_next_script_is_given_the_fields_but_those_of_one_script():
    hidden = {b"allow_nets": b"local", b"nopassword": b"", b"noauthenticate": b""}
    chain, _ = chain_of(({}, result(NEXT, fields={b"a": b"1"}, hidden_fields=hidden, userdb_fields={b"uid": b"5"})))
    assert {b"a": b"1", b"allow_nets": b"local"} == chain.request["passdb"]
    assert {b"uid": b"5"} == chain.request["userdb"]


def test_failed_script_hands_on_its_new_user_name_only():
    chain, _ = chain_of(({}, result(MISMATCH, b"joe", fields={b"a": b"1"})))
    assert (b"joe", "jane@x") == (chain.request["user"], chain.request["original_user"])
    assert "passdb" not in chain.request


def test_failure_of_ours_changes_nobodys_name_and_loses_no_field():
    let_in = ({"result_success": Rule.CONTINUE_OK}, result(OK, b"joe", fields={b"a": b"1"}))
    chain, _ = chain_of(let_in, ({}, AuthResult(FAILURE, reason="worker_lost")))
    done = chain.result()
    assert (OK, b"joe", {b"a": b"1", b"original_user": b"jane@x"}) == (done.verdict, done.user, done.fields)


def test_client_is_told_the_master_user_and_the_original_user():
    chain, _ = chain_of(({}, result(OK, b"joe", master_user=b"jane@x")))
    assert {b"original_user": b"jane@x", b"auth_user": b"jane@x"} == chain.result().fields
    assert (b"joe", b"jane@x") == (chain.result().user, chain.result().master_user)


def test_script_may_set_those_itself():
    fields = {b"original_user": b"a", b"auth_user": b"b"}
    chain, _ = chain_of(({}, result(OK, b"joe", master_user=b"jane@x", fields=fields)))
    assert fields == chain.result().fields


def test_client_gets_nologin_and_proxy_bare():
    chain, _ = chain_of(({}, result(OK, fields={b"nologin": b"y", b"proxy": b"maybe", b"host": b"h"})))
    assert {b"nologin": b"", b"proxy": b"", b"host": b"h"} == chain.result().fields


def test_client_of_a_failed_login_is_not_told_where_to_go():
    fields = {b"nologin": b"y", b"proxy": b"y", b"host": b"h", b"port": b"1", b"a": b"1"}
    chain, _ = chain_of(({"result_success": Rule.RETURN_FAIL}, result(OK, fields=fields)))
    assert {b"a": b"1"} == chain.result().fields


def test_expired_password_says_so():
    chain, _ = chain_of(({}, result(EXPIRED, fields={b"reason": b"Password expired"})))
    assert {b"reason": b"Password expired"} == chain.result().fields


def test_stored_password_does_not_leave_a_chain():
    chain, _ = chain_of(({}, result(OK, password=b"{PLAIN}x")))
    assert b"" == chain.result().password


@pytest.mark.parametrize("request_", [{}, {"user": None}, {"user": 5}], ids=["none", "nil", "a number"])
def test_chain_without_a_link_or_a_user_knows_nobody(request_):
    assert (UNKNOWN, b"") == (Chain(request_).result().verdict, Chain(request_).result().user)


@pytest.mark.parametrize(
    "user", ["j\u00e4ne", "j\u00e4ne".encode(), "j\u00e4ne\0x"], ids=["text", "bytes", "behind a NUL"]
)
def test_user_who_keeps_the_name_has_no_original_one(user):
    chain, _ = chain_of(({}, result(OK, "j\u00e4ne".encode())), request={"user": user})
    assert {} == chain.result().fields
