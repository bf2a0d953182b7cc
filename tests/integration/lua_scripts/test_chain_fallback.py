"""chain_fallback.lua as a gate, and the whole chain that its header describes."""

import pytest

from dispatcher.auth_chain import Link, Rule
from dispatcher.catalog import Script
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.settings import ScriptSettings
from tests.integration.lua_scripts.asking import shipped

OK, MISMATCH = AuthVerdict.OK, AuthVerdict.PASSWORD_MISMATCH
UNKNOWN, FAILURE, DISABLED = AuthVerdict.USER_UNKNOWN, AuthVerdict.INTERNAL_FAILURE, AuthVerdict.USER_DISABLED

#: A directory that says what its user's name stands for.
DIRECTORY = b"""
function auth_password_verify(request, password)
   local code = dovecot.auth["PASSDB_RESULT_" .. request.user:match("^[^@]*")]
   return code, code == 1 and { from = "directory" } or "as asked"
end
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "emergency"
    names = ("OK", "PASSWORD_MISMATCH", "USER_UNKNOWN", "INTERNAL_FAILURE", "USER_DISABLED", "PASS_EXPIRED")
    path.write_text("".join(f"{name}:{{PLAIN}}old\n" for name in names))
    return path


@pytest.fixture(params=["2.3", "2.4"])
def chain(path, request):
    dialect = request.param
    return [
        Link(shipped("ip_policy", dialect=dialect, deny="198.51.100.0/24")),
        Link(Script.from_stream("directory", DIRECTORY, ScriptSettings(dialect=dialect))),
        Link(shipped("chain_fallback", dialect=dialect), result_failure=Rule.RETURN_FAIL),
        Link(shipped("passwd_file", dialect=dialect, file=str(path))),
    ]


@pytest.mark.parametrize(
    ("user", "password", "remote_ip", "expected"),
    [
        pytest.param("OK", "guess", "192.0.2.7", OK, id="the directory says yes"),
        # The copy would say yes to all of these.
        pytest.param("OK", "old", "198.51.100.7", DISABLED, id="denied network"),
        pytest.param("PASSWORD_MISMATCH", "old", "192.0.2.7", MISMATCH, id="the directory says wrong"),
        pytest.param("USER_UNKNOWN", "old", "192.0.2.7", UNKNOWN, id="the directory says unknown"),
        pytest.param("USER_DISABLED", "old", "192.0.2.7", DISABLED, id="the directory says disabled"),
        pytest.param("PASS_EXPIRED", "old", "192.0.2.7", AuthVerdict.PASS_EXPIRED, id="the directory says expired"),
        pytest.param("INTERNAL_FAILURE", "old", "192.0.2.7", OK, id="the directory is down, the copy says yes"),
        pytest.param("INTERNAL_FAILURE", "guess", "192.0.2.7", FAILURE, id="the directory is down, the copy says no"),
        pytest.param("INTERNAL_FAILURE@other", "old", "192.0.2.7", FAILURE, id="the copy does not know the user"),
        pytest.param("raises", "old", "192.0.2.7", FAILURE, id="the directory's script fails"),
    ],
)
def test_chain_of_the_header_ends_as_it_says(ask, chain, user, password, remote_ip, expected):
    assert expected is ask.chain(chain, password, user=user, remote_ip=remote_ip).verdict


def test_chain_is_no_back_door_while_the_copy_cannot_be_read(ask, chain, path):
    path.unlink()
    assert FAILURE is ask.chain(chain, "old", user="INTERNAL_FAILURE", remote_ip="192.0.2.7").verdict


@pytest.mark.parametrize(
    ("request_flags", "expected"),
    [
        ({}, MISMATCH),
        ({"passdbs_seen_user_unknown": True}, UNKNOWN),
        ({"passdbs_seen_internal_failure": True}, AuthVerdict.NEXT),
        ({"passdbs_seen_user_unknown": True, "passdbs_seen_internal_failure": True}, AuthVerdict.NEXT),
    ],
    ids=["nothing", "unknown", "failure", "both"],
)
@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
def test_gate_opens_after_an_internal_failure_only(ask, dialect, request_flags, expected):
    script = shipped("chain_fallback", dialect=dialect)
    assert expected is ask.verify(script, "x", user="joe", **request_flags).verdict
