"""The same scripts and the same requests through Debian's Dovecot 2.3.19 and through the pool in dialect 2.3."""

import pytest

from tests.acceptance.auth_case import Question, differences
from tests.acceptance.auth_cases import passdb_cases, userdb_cases
from tests.acceptance.auth_dovecot import through_dovecot
from tests.acceptance.auth_pool import through_pool

PASSDB_CASES = tuple(passdb_cases())

#: Of a line to Dovecot's master socket, with room for the rest.
MASTER_USER_BYTES = 500

VERIFY = Question("verify", "AUTH", "auth_password_verify", PASSDB_CASES)
LOOKUP = Question("lookup", "AUTH", "auth_passdb_lookup", PASSDB_CASES)
CREDENTIALS = Question(
    "credentials",
    "PASS",
    "auth_passdb_lookup",
    tuple(case for case in PASSDB_CASES if len(case.user) < MASTER_USER_BYTES),
)
USERDB = Question("userdb", "USER", "auth_userdb_lookup", tuple(userdb_cases()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("auth")


@pytest.fixture(scope="module")
def of_pool(folder):
    return through_pool(folder, [VERIFY, LOOKUP, CREDENTIALS, USERDB])


@pytest.mark.parametrize(
    ("question", "blocking"),
    [
        pytest.param(VERIFY, False, id="auth_password_verify in auth"),
        pytest.param(VERIFY, True, id="auth_password_verify in auth-worker"),
        pytest.param(LOOKUP, False, id="auth_passdb_lookup in auth"),
        pytest.param(LOOKUP, True, id="auth_passdb_lookup in auth-worker"),
        # In auth, a refusal is USER_UNKNOWN to those who ask for credentials; here it is what auth-worker makes of it.
        pytest.param(CREDENTIALS, True, id="credentials in auth-worker"),
        # In auth-worker, a temporary failure without a field kills auth.
        pytest.param(USERDB, False, id="auth_userdb_lookup in auth"),
    ],
)
def test_cases_end_as_in_dovecot(folder, of_pool, question, blocking):
    of_dovecot = through_dovecot(folder, question, blocking=blocking)
    # Or the logs were not read.
    assert any(seen.log for seen in of_dovecot)
    assert [] == differences(question, of_dovecot, of_pool[question.name])
