"""app_passwords.lua: several passwords a user, each for some services and days; and no "wrong" that is not certain."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.protocol.auth_result import AuthVerdict
from tests.integration.lua_scripts.asking import hostile_users, shipped

OK, MISMATCH = AuthVerdict.OK, AuthVerdict.PASSWORD_MISMATCH
UNKNOWN, FAILURE = AuthVerdict.USER_UNKNOWN, AuthVerdict.INTERNAL_FAILURE

PASSWORDS = """\
# user:name:services:last day:hash
joe:phone:imap,submission:2999-12-31:{PLAIN}phone-secret
joe:tablet::1999-12-31:{PLAIN}old-secret
joe:script:::{PLAIN}with:colons
ann:laptop:pop3::{SHA256}!!
ann:phone:::{PLAIN}phone-secret
bob:laptop:::{NOSUCH}x
cleo:a b:::{PLAIN}x
cleo:ok:::{PLAIN}good
dan
eve:day::31.12.2999:{PLAIN}x
fay:bare:::secret
gus:empty:::{PLAIN}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "app-passwords"
    path.write_text(PASSWORDS)
    return path


@pytest.fixture
def script(path):
    return shipped("app_passwords", file=str(path), reload_s="0")


@pytest.fixture(params=["2.3", "2.4"])
def either_dialect(path, request):
    return shipped("app_passwords", dialect=request.param, file=str(path))


@pytest.mark.parametrize(
    ("user", "protocol", "password", "expected"),
    [
        pytest.param("joe", "imap", "phone-secret", OK, id="its service"),
        pytest.param("joe", "pop3", "phone-secret", MISMATCH, id="another service"),
        pytest.param("joe", "ima", "phone-secret", MISMATCH, id="part of a service's name"),
        pytest.param("joe", "imap,submission", "phone-secret", OK, id="only Dovecot names services"),
        pytest.param("joe", None, "phone-secret", MISMATCH, id="no service"),
        pytest.param("joe", "pop3", "with:colons", OK, id="every service"),
        pytest.param("joe", None, "with:colons", OK, id="every service, none given"),
        pytest.param("joe", "imap", "old-secret", MISMATCH, id="expired"),
        pytest.param("joe", "imap", "", MISMATCH, id="empty"),
        pytest.param("JOE", "imap", "phone-secret", UNKNOWN, id="another case"),
        pytest.param("ann", "imap", "guess", MISMATCH, id="the bad hash is for another service"),
        pytest.param("ann", "pop3", "guess", FAILURE, id="bad hash"),
        pytest.param("ann", "pop3", "phone-secret", OK, id="right password beside a bad hash"),
        pytest.param("bob", "imap", "guess", FAILURE, id="unknown scheme"),
        pytest.param("cleo", "imap", "good", OK, id="right password beside a malformed line"),
        pytest.param("cleo", "imap", "guess", FAILURE, id="malformed name"),
        pytest.param("dan", "imap", "", FAILURE, id="nothing but a user"),
        pytest.param("eve", "imap", "x", FAILURE, id="malformed day"),
        pytest.param("fay", "imap", "secret", FAILURE, id="hash without a scheme"),
        pytest.param("gus", "imap", "x", MISMATCH, id="stored password is empty"),
    ],
)
def test_login_gets_its_verdict(ask, either_dialect, user, protocol, password, expected):
    request = {"user": user} if protocol is None else {"user": user, "protocol": protocol}
    assert expected is ask.verify(either_dialect, password, **request).verdict


def test_name_of_the_password_is_a_field_and_not_for_the_client(ask, script):
    result = ask.verify(script, "phone-secret", user="joe", protocol="imap")
    assert ({}, {b"app": b"phone"}) == (result.fields, result.userdb_fields)


def test_log_says_which_password_matched(ask, script):
    (line,) = ask.log(script, "phone-secret", user="joe", protocol="imap")
    assert line.endswith("db-lua: app password phone matched")


@pytest.mark.parametrize("user", ["joe", "ann", "bob", "cleo", "dan", "eve", "fay"])
@pytest.mark.parametrize("password", ["phone-secret", "guess-secret"])
def test_log_shows_no_password(ask, script, user, password):
    assert "secret" not in "".join(ask.log(script, password, user=user, protocol="pop3"))


@pytest.mark.parametrize(("count", "expected"), [(1, MISMATCH), (10, MISMATCH), (11, FAILURE), (5000, FAILURE)])
def test_number_of_hashes_that_are_tried_has_a_limit(ask, path, script, count, expected):
    path.write_text("".join(f"joe:p{number}:::{{PLAIN}}x{number}\n" for number in range(count)))
    assert expected is ask.verify(script, "guess", user="joe").verdict
    assert OK is ask.verify(script, f"x{min(count, 10) - 1}", user="joe").verdict


def test_passwords_for_other_services_do_not_count_to_the_limit(ask, path, script):
    path.write_text("joe:p:pop3::{PLAIN}x\n" * 20 + "joe:last:imap::{PLAIN}right\n")
    assert OK is ask.verify(script, "right", user="joe", protocol="imap").verdict


@pytest.mark.parametrize(("shift_days", "expected"), [(-1, MISMATCH), (0, OK), (1, OK)])
def test_password_holds_to_the_end_of_its_last_day(ask, path, script, shift_days, expected):
    day = datetime.now(UTC).date() + timedelta(days=shift_days)
    path.write_text(f"joe:phone::{day.isoformat()}:{{PLAIN}}secret\n")
    assert expected is ask.verify(script, "secret", user="joe").verdict


@hostile_users
def test_hostile_name_is_nobody(ask, script, user):
    assert UNKNOWN is ask.verify(script, "phone-secret", user=user, protocol="imap").verdict


@pytest.mark.parametrize("password", [b"\xff", "x" * 65536, "{PLAIN}phone-secret"], ids=["byte", "long", "scheme"])
def test_hostile_password_is_wrong(ask, script, password):
    assert MISMATCH is ask.verify(script, password, user="joe", protocol="imap").verdict


@pytest.mark.parametrize("password", ["\t", "\n", "\r", "\1"])
def test_password_that_dovecot_refuses_is_refused_before_the_script_sees_it(ask, script, password):
    assert UNKNOWN is ask.verify(script, password, user="joe", protocol="imap").verdict


def test_file_that_cannot_be_read_is_an_internal_failure(ask, path, script):
    path.unlink()
    assert FAILURE is ask.verify(script, "phone-secret", user="joe", protocol="imap").verdict
    path.write_text(PASSWORDS)
    assert OK is ask.verify(script, "phone-secret", user="joe", protocol="imap").verdict


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff\xfe", b":::::", b"x" * 1_000_000])
def test_file_without_users_knows_nobody(ask, path, script, content):
    path.write_bytes(content)
    assert UNKNOWN is ask.verify(script, "x", user="joe").verdict


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "the setting `file` is missing: the path of the app passwords"),
        ({"file": "x", "reload_s": "soon"}, "the setting `reload_s` is not a number of seconds"),
        ({"file": "x", "fiel": "y"}, "unknown setting `fiel`"),
    ],
    ids=["none", "no number", "misspelt"],
)
def test_bad_settings_are_said_at_the_start(ask, given, expected):
    result = ask.verify(shipped("app_passwords", **given), "x", user="joe")
    assert (FAILURE, True) == (result.verdict, expected in result.reason)


@pytest.mark.parametrize("lua", ["5.1", "5.3", "5.4", "5.5", "luajit"])
def test_it_runs_on_every_lua(ask, path, lua):
    script = shipped("app_passwords", lua=lua, file=str(path))
    assert OK is ask.verify(script, "with:colons", user="joe").verdict
