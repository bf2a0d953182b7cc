"""userdb_template.lua: user data made of templates, and no name that leads out of its folder."""

import pytest

from dispatcher.protocol.auth_result import AuthVerdict
from tests.integration.lua_scripts.asking import shipped

TEMPLATES = {
    "uid": "1000",
    "gid": "1001",
    "home": "/srv/mail/%{user|domain}/%{user|username}",
    "mail": "maildir:~/Mail",
}


@pytest.fixture
def script():
    return shipped("userdb_template", **TEMPLATES)


def test_templates_are_expanded(ask, script):
    fields = {b"uid": b"1000", b"gid": b"1001", b"home": b"/srv/mail/example.org/joe", b"mail": b"maildir:~/Mail"}
    result = ask.userdb(script, user="joe@example.org")
    assert (AuthVerdict.OK, fields) == (result.verdict, result.userdb_fields)


@pytest.mark.parametrize(
    "user", ["joe", "joe.average@example.org", "jo\xe4", "a@b@c", "%{password}", "j" * 1000, "a..b"]
)
def test_ordinary_name_is_expanded(ask, script, user):
    assert AuthVerdict.OK is ask.userdb(script, user=user).verdict


@pytest.mark.parametrize(
    "user",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "joe@..",
        "..@example.org",
        "joe@../x",
        "@example.org",
        "joe@",
        "a\nb",
        "a\tb",
        "a\r\nb",
        ".ssh",
        "a@b@..",
    ],
)
def test_name_that_would_lead_elsewhere_is_nobody(ask, script, user):
    assert AuthVerdict.USER_UNKNOWN is ask.userdb(script, user=user).verdict


def test_request_without_a_user_is_nobody(ask, script):
    assert AuthVerdict.USER_UNKNOWN is ask.userdb(script).verdict


def test_template_that_does_not_expand_is_an_internal_failure(ask):
    assert AuthVerdict.INTERNAL_FAILURE is ask.userdb(shipped("userdb_template", home="/%{nope}"), user="joe").verdict


def test_missing_home_is_said_at_the_start(ask):
    result = ask.userdb(shipped("userdb_template", uid="1000"), user="joe")
    assert (AuthVerdict.INTERNAL_FAILURE, True) == (result.verdict, "the setting `home` is missing" in result.reason)
