import re

import pytest

from dispatcher.cli import exit_codes
from dispatcher.cli.auth.report import failure_text, field_lines, login_lines, shown_fields, shown_password
from dispatcher.cli.auth.users import mask_pattern
from dispatcher.protocol.auth_result import AuthResult, AuthVerdict


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"{SHA256-CRYPT}$5$x$y", b"{SHA256-CRYPT}***"),
        (b"{PLAIN}a}b", b"{PLAIN}***"),
        (b"{PLAIN}", b"{PLAIN}***"),
        (b"secret", b"***"),
        (b"sec{re}t", b"***"),
        (b"", b""),
    ],
)
def test_stored_password_shows_its_scheme_only(stored, expected):
    assert expected == shown_password(stored, has_passwords=False)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (b"pass", b"x", b"***"),
        (b"userdb_Password", b"x", b"***"),
        (b"pass", b"", b""),
        (b"nopassword", b"yes", b"yes"),
        (b"quota", b"x", b"x"),
    ],
)
def test_field_that_holds_a_password_is_masked(name, value, expected):
    assert {name: expected} == shown_fields({name: value}, has_passwords=False)


def test_passwords_are_shown_when_they_are_wanted():
    assert {b"pass": b"x"} == shown_fields({b"pass": b"x"}, has_passwords=True)
    assert b"{PLAIN}x" == shown_password(b"{PLAIN}x", has_passwords=True)


@pytest.mark.parametrize(
    ("verdict", "login", "lookup"),
    [
        (AuthVerdict.OK, exit_codes.OK, exit_codes.OK),
        (AuthVerdict.PASSWORD_MISMATCH, exit_codes.FAILED, exit_codes.FAILED),
        (AuthVerdict.USER_UNKNOWN, exit_codes.FAILED, exit_codes.NO_USER),
        (AuthVerdict.USER_DISABLED, exit_codes.FAILED, exit_codes.FAILED),
        (AuthVerdict.PASS_EXPIRED, exit_codes.FAILED, exit_codes.FAILED),
        (AuthVerdict.NEXT, exit_codes.TEMPORARY, exit_codes.TEMPORARY),
        (AuthVerdict.INTERNAL_FAILURE, exit_codes.TEMPORARY, exit_codes.TEMPORARY),
    ],
)
def test_exit_code_of_each_verdict(verdict, login, lookup):
    assert (login, lookup) == (exit_codes.of_login(verdict), exit_codes.of_lookup(verdict))


def test_lines_of_a_login_without_any_answer_say_that_nobody_decided():
    lines = login_lines("joe", AuthResult(AuthVerdict.INTERNAL_FAILURE, reason="no worker"), [])
    assert ["passdb: joe auth not decided", "extra fields:", "  user=joe", "  code=temp_fail"] == lines


# The names and widths are those of doveadm 2.3.19.
def test_lines_of_a_lookup_are_doveadms():
    fields = {b"user": b"joe", b"flag": b"", b"quota_rule": b"*:storage=1G", b"longer_than_ten": b"a\tb"}
    assert [
        "userdb: joe",
        "  user      : joe",
        "  flag      ",
        "  quota_rule: *:storage=1G",
        "  longer_than_ten: a\\tb",
    ] == field_lines("userdb", "joe", fields)


def test_failure_without_a_reason_is_its_verdict():
    assert "internal_failure" == failure_text(AuthResult(AuthVerdict.INTERNAL_FAILURE), [])


@pytest.mark.parametrize(
    ("mask", "name", "is_match"),
    [
        ("joe", b"joe", True),
        ("joe", b"joey", False),
        ("joe", b"ajoe", False),
        ("j?e", b"joe", True),
        ("j?e", b"je", False),
        ("*@example.org", b"joe@example.org", True),
        ("*@example.org", b"joe@example.org.net", False),
        ("*.?oe@*", b"jane.doe@example.net", True),
        ("JOE", b"joe", True),
        ("joe", b"JOE", True),
        ("[j]oe", b"joe", False),
        ("[j]oe", b"[j]oe", True),
        ("a\\*", b"a\\b", True),
        ("*e", b"j\noe", True),
        ("joe", b"joe\n", False),
        ("caf?", b"caf\xe9", True),
        ("caf\udce9", b"caf\xe9", True),
        ("", b"", True),
        ("", b"joe", False),
    ],
)
def test_mask_matches_whole_names_as_in_dovecot(mask, name, is_match):
    pattern = mask_pattern(mask)
    assert pattern is not None
    assert is_match is bool(pattern.match(name))


@pytest.mark.parametrize("mask", ["*", "**"])
def test_mask_of_every_name_costs_nothing(mask):
    assert mask_pattern(mask) is None


def test_mask_of_many_stars_takes_linear_time():
    pattern = mask_pattern("*a" * 200 + "b")
    assert isinstance(pattern, re.Pattern)
    # With backtracking this would not end.
    assert pattern.match(b"a" * 2000) is None
