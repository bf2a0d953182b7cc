"""Scripts' results and requests that hypothesis makes up, through Debian's Dovecot 2.3.19 and through the pool."""

import pytest

from tests.acceptance.auth_case import Question, differences
from tests.acceptance.auth_dovecot import through_dovecot
from tests.acceptance.auth_pool import through_pool
from tests.acceptance.auth_strategies import PASSDB_CASES, USERDB_CASES, examples

#: Of each kind.
EXAMPLE_COUNT = 800

PASSDB_EXAMPLES = examples(PASSDB_CASES, EXAMPLE_COUNT)
USERDB_EXAMPLES = examples(USERDB_CASES, EXAMPLE_COUNT)

VERIFY = Question("verify", "AUTH", "auth_password_verify", PASSDB_EXAMPLES)
LOOKUP = Question("lookup", "AUTH", "auth_passdb_lookup", PASSDB_EXAMPLES)
CREDENTIALS = Question("credentials", "PASS", "auth_passdb_lookup", PASSDB_EXAMPLES)
USERDB = Question("userdb", "USER", "auth_userdb_lookup", USERDB_EXAMPLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("auth")


@pytest.fixture(scope="module")
def of_pool(folder):
    return through_pool(folder, [VERIFY, LOOKUP, CREDENTIALS, USERDB])


@pytest.mark.parametrize(
    ("question", "blocking"),
    [
        pytest.param(VERIFY, True, id="auth_password_verify"),
        pytest.param(LOOKUP, False, id="auth_passdb_lookup"),
        pytest.param(CREDENTIALS, True, id="credentials"),
        pytest.param(USERDB, False, id="auth_userdb_lookup"),
    ],
)
def test_generated_cases_end_as_in_dovecot(folder, of_pool, question, blocking):
    of_dovecot = through_dovecot(folder, question, blocking=blocking)
    # Or the logs were not read.
    assert any(seen.log for seen in of_dovecot)
    assert [] == differences(question, of_dovecot, of_pool[question.name])
