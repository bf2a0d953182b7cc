"""Logins through two scripts in a row: Dovecot 2.3.19 with two passdbs and their rules, and a chain over the pool."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from dispatcher.auth_chain import Link, Rule
from tests.acceptance.auth_dovecot import of_dovecot
from tests.acceptance.auth_pool import of_login, script_at, with_pool
from tests.acceptance.dovecot import Dovecot

USER, PASSWORD = "jane@example.org", "secret"

#: `login_user` is missing: Dovecot's auth process dies if it goes on after it.
FIRST = (
    "1, { a = '1', nologin = 'x' }", "1, 'user=joe@x b=2 userdb_home=/h'", "0, ''", "-1, 'down'", "-2, ''", "-3, ''",
    "-4, ''", "-5, ''", "-6, 'c=3 nopassword'", "1, 'noauthenticate d=4 userdb_home=/n'", "1, 'fail e=5 user=max'",
    "1, 'allow_nets=local nopassword nodelay f=6'",
)  # fmt: skip
#: What the second script finds.
SEEN = (
    "r.passdb.a r.passdb.c r.passdb.nopassword r.user r.original_user r.skip_password_check r.userdb.home r.passdb.user"
)
SECOND = (
    "1, { seen = table.concat({ " + ", ".join(f"tostring({name})" for name in SEEN.split()) + " }, '|') }",
    "1, 'user=jim a=2'", "0, ''", "-1, 'down'", "-3, ''", "-4, ''", "-5, ''", "-6, 'g=7'", "1, 'login_user=max'",
    "1, 'fail h=8'",
)  # fmt: skip
PAIRS = tuple(product(range(len(FIRST)), range(len(SECOND))))

RULES = ({}, *({name: rule} for name in ("result_success", "result_failure", "result_internalfail") for rule in Rule))


def source(bodies, place):
    """A script that does what its place in the session id says."""
    lines = (f"function() return {body} end," for body in bodies)
    return "\n".join(
        [
            "local r",
            "local bodies = {",
            *lines,
            "}",
            "function auth_password_verify(request)",
            "   r = request",
            f"   local place = {{ r.session:match('(%d+)x(%d+)') }} return bodies[place[{place}] + 1]()",
            "end",
        ],
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    first, second = folder / "first.lua", folder / "second.lua"
    first.write_text(source(FIRST, 1))
    second.write_text(source(SECOND, 2))
    return first, second


def sessions():
    return [f"{first}x{second}" for first, second in PAIRS]


def through_dovecot(paths, rules):
    # Short, as unix sockets stand in it.
    folder = paths[0].parent / str(RULES.index(rules))
    folder.mkdir()
    first, second = paths
    dovecot = Dovecot(folder, first, blocking=True, passdbs=[(first, rules), (second, {})])
    try:
        response = f"\0{USER}\0{PASSWORD}".encode()
        answers = dovecot.logins([({"service": "imap", "session": session}, response) for session in sessions()])
        return [of_dovecot(answer) for answer in answers]
    finally:
        dovecot.close()


def through_pool(paths):
    """Answers of each set of rules."""
    first, second = map(script_at, paths)

    async def scenario(auth):
        async def answers(rules):
            chain = [Link(first, **rules), Link(second)]
            requests = ({"user": USER, "protocol": "imap", "session": session} for session in sessions())
            return await asyncio.gather(*(auth.verify_chain(chain, request, PASSWORD) for request in requests))

        return [list(map(of_login, await answers(rules))) for rules in RULES]

    return with_pool(scenario, paths[0].parent / "pool.log")


def test_chains_end_as_in_dovecot(paths):
    # Dovecot answers failures late, so they all run at once.
    with ThreadPoolExecutor(10) as threads:
        expected = list(threads.map(lambda rules: through_dovecot(paths, rules), RULES))
    actual = through_pool(paths)
    differences = [
        f"{rules} {FIRST[pair[0]]} then {SECOND[pair[1]]}\n    Dovecot: {their}\n    lualoft: {our}"
        for rules, theirs, ours in zip(RULES, expected, actual, strict=True)
        for pair, their, our in zip(PAIRS, theirs, ours, strict=True)
        if their != our
    ]
    assert [] == differences
