"""Scripts' results and requests that hypothesis makes up, through Debian's Dovecot 2.3.19 and through the pool."""

from functools import cache

import pytest

from tests.acceptance.auth_case import Question, differences
from tests.acceptance.auth_dovecot import through_dovecot
from tests.acceptance.auth_pool import through_pool
from tests.acceptance.auth_strategies import PASSDB_CASES, USERDB_CASES, examples

#: Of each kind.
EXAMPLE_COUNT = 800


@cache
def questions():
    """Name -> question; made by the first test that asks, as whoever only imports this would wait for seconds."""
    passdb, userdb = examples(PASSDB_CASES, EXAMPLE_COUNT), examples(USERDB_CASES, EXAMPLE_COUNT)
    made = [
        Question("verify", "AUTH", "auth_password_verify", passdb),
        Question("lookup", "AUTH", "auth_passdb_lookup", passdb),
        Question("credentials", "PASS", "auth_passdb_lookup", passdb),
        Question("userdb", "USER", "auth_userdb_lookup", userdb),
    ]
    return {question.name: question for question in made}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("auth")


@pytest.fixture(scope="module")
def of_pool(folder):
    return through_pool(folder, questions().values())


@pytest.mark.parametrize(
    ("name", "blocking"),
    [
        pytest.param("verify", True, id="auth_password_verify"),
        pytest.param("lookup", False, id="auth_passdb_lookup"),
        pytest.param("credentials", True, id="credentials"),
        pytest.param("userdb", False, id="auth_userdb_lookup"),
    ],
)
def test_generated_cases_end_as_in_dovecot(folder, of_pool, name, blocking):
    question = questions()[name]
    of_dovecot = through_dovecot(folder, question, blocking=blocking)
    # Or the logs were not read.
    assert any(seen.log for seen in of_dovecot)
    assert [] == differences(question, of_dovecot, of_pool[name])
