"""passwd_file.lua: Dovecot's passwd-file format, read anew when it changes, and never guessed at."""

import pytest

from dispatcher.auth import IterationError
from dispatcher.protocol.auth_result import AuthVerdict
from tests.integration.lua_scripts.asking import hostile_users, shipped

#: carl's hash comes from tests/data/password-vectors.jsonl, made by Dovecot; nemo's line is broken off.
USERS = """\
# staff
ada:{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=:1000:1001::/home/%{user}::userdb_mail=maildir:~/Mail quota=5G
bob:{PLAIN}hunter2
bob:{PLAIN}other

carl:$5$rounds=1000$5XlFSxEbMCVjFhK0$KWOsxf3rGV3juYzZo00fYW2BZjmw27oRzYrU6A0Zfn8:::::
dora::1002:1002::/home/dora::nopassword allow_nets=192.0.2.0/24
eve:
nemo
:nobody
frank:{SHA256}!!:x:y::/home/frank
gina:{NOSUCH}x
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "users"
    path.write_text(USERS)
    return path


@pytest.fixture
def script(path):
    return shipped("passwd_file", file=str(path), reload_s="0")


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("ada", "secret", AuthVerdict.OK),
        ("ada", "Secret", AuthVerdict.PASSWORD_MISMATCH),
        ("ada", "", AuthVerdict.PASSWORD_MISMATCH),
        ("bob", "hunter2", AuthVerdict.OK),
        # The first line of a user counts.
        ("bob", "other", AuthVerdict.PASSWORD_MISMATCH),
        ("bob\0ada", "hunter2", AuthVerdict.OK),
        ("Bob", "hunter2", AuthVerdict.USER_UNKNOWN),
        ("eve", "", AuthVerdict.PASSWORD_MISMATCH),
        ("nemo", "", AuthVerdict.INTERNAL_FAILURE),
        ("# staff", "", AuthVerdict.USER_UNKNOWN),
        ("frank", "x", AuthVerdict.INTERNAL_FAILURE),
    ],
)
def test_login_gets_its_verdict(ask, script, user, password, expected):
    assert expected is ask.verify(script, password, user=user).verdict


@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
def test_hash_without_a_scheme_is_a_crypt_one(ask, path, dialect):
    script = shipped("passwd_file", dialect=dialect, file=str(path))
    assert AuthVerdict.OK is ask.verify(script, "k" * 65, user="carl").verdict
    assert AuthVerdict.PASSWORD_MISMATCH is ask.verify(script, "guess", user="carl").verdict


def test_extra_fields_belong_to_the_login(ask, script):
    result = ask.verify(script, "secret", user="ada")
    assert ({b"quota": b"5G"}, {b"mail": b"maildir:~/Mail"}) == (result.fields, result.userdb_fields)


@pytest.mark.parametrize(
    ("remote_ip", "expected"),
    [("192.0.2.9", AuthVerdict.OK), ("198.51.100.9", AuthVerdict.PASSWORD_MISMATCH)],
)
def test_user_without_a_password_needs_nopassword_and_may_be_tied_to_a_network(ask, script, remote_ip, expected):
    assert expected is ask.verify(script, "anything", user="dora", remote_ip=remote_ip).verdict


def test_user_data_is_expanded(ask, script):
    fields = {b"uid": b"1000", b"gid": b"1001", b"home": b"/home/ada", b"mail": b"maildir:~/Mail"}
    assert fields == ask.userdb(script, user="ada").userdb_fields


@pytest.mark.parametrize(
    ("user", "expected"),
    [("nobody-here", AuthVerdict.USER_UNKNOWN), ("nemo", AuthVerdict.INTERNAL_FAILURE), ("bob", AuthVerdict.OK)],
)
def test_user_is_looked_up(ask, script, user, expected):
    assert expected is ask.userdb(script, user=user).verdict


def test_user_id_that_is_none_is_a_temporary_failure(ask, script):
    assert AuthVerdict.INTERNAL_FAILURE is ask.userdb(script, user="frank").verdict


def test_users_are_listed_in_the_order_of_the_file(ask, script):
    assert b"ada bob carl dora eve nemo frank gina".split() == ask.users(script)


@hostile_users
def test_hostile_name_is_nobody(ask, script, user):
    assert AuthVerdict.USER_UNKNOWN is ask.verify(script, "hunter2", user=user).verdict
    assert AuthVerdict.USER_UNKNOWN is ask.userdb(script, user=user).verdict


def test_changed_file_is_read_again(ask, path, script):
    assert AuthVerdict.USER_UNKNOWN is ask.verify(script, "new", user="zoe").verdict
    path.write_text("zoe:{PLAIN}new\n")
    assert AuthVerdict.OK is ask.verify(script, "new", user="zoe").verdict
    # The same length, the same second.
    path.write_text("zoe:{PLAIN}old\n")
    assert AuthVerdict.PASSWORD_MISMATCH is ask.verify(script, "new", user="zoe").verdict


def test_file_is_not_looked_at_for_every_call(ask, path):
    script = shipped("passwd_file", file=str(path), reload_s="3600")
    # Both workers have read it then.
    verdicts = {ask.verify(script, "hunter2", user="bob").verdict for _ in range(50)}
    path.unlink()
    verdicts |= {ask.verify(script, "hunter2", user="bob").verdict for _ in range(5)}
    assert AuthVerdict.OK in verdicts
    assert verdicts <= {AuthVerdict.OK, AuthVerdict.INTERNAL_FAILURE}


def test_file_that_cannot_be_read_is_an_internal_failure_until_it_can(ask, path, script):
    content = path.read_text()
    path.unlink()
    result = ask.verify(script, "hunter2", user="bob")
    assert AuthVerdict.INTERNAL_FAILURE is result.verdict
    assert "No such file or directory" in result.reason
    assert AuthVerdict.INTERNAL_FAILURE is ask.userdb(script, user="bob").verdict
    with pytest.raises(IterationError, match="No such file"):
        ask.users(script)
    path.write_text(content)
    assert AuthVerdict.OK is ask.verify(script, "hunter2", user="bob").verdict


def test_folder_is_an_internal_failure(ask, tmp_path):
    result = ask.verify(shipped("passwd_file", file=str(tmp_path)), "x", user="bob")
    assert (AuthVerdict.INTERNAL_FAILURE, True) == (result.verdict, "Is a directory" in result.reason)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\0\0\0", b"\xff\xfe:\xff", b"x" * 1_000_000],
    ids=["empty", "lines", "NUL", "8-bit", "long"],
)
def test_file_without_users_knows_nobody(ask, path, script, content):
    path.write_bytes(content)
    assert AuthVerdict.USER_UNKNOWN is ask.verify(script, "x", user="bob").verdict


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "the setting `file` is missing: the path of the passwd-file"),
        ({"file": "x", "reload_s": "soon"}, "the setting `reload_s` is not a number of seconds"),
        ({"file": "x", "fiel": "y"}, "unknown setting `fiel`"),
    ],
    ids=["none", "no number", "misspelt"],
)
def test_bad_settings_are_said_at_the_start(ask, given, expected):
    result = ask.verify(shipped("passwd_file", **given), "x", user="bob")
    assert AuthVerdict.INTERNAL_FAILURE is result.verdict
    assert expected in result.reason


@pytest.mark.parametrize("lua", ["5.1", "5.3", "5.4", "5.5", "luajit"])
def test_it_runs_on_every_lua(ask, path, lua):
    script = shipped("passwd_file", lua=lua, file=str(path))
    assert AuthVerdict.OK is ask.verify(script, "secret", user="ada").verdict
