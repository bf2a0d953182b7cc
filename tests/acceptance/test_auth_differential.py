"""The same script and the same logins through Debian's Dovecot 2.3.19 and through the pool in dialect 2.3."""

import asyncio
import os
import re
from typing import NamedTuple

import pytest

from dispatcher.auth import Auth, Link
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, ScriptSettings, Settings
from tests.acceptance.dovecot import Dovecot

# Not asked, because Dovecot 2.3.19's auth process dies of them: result codes it does not know (-7, 2, 99), fields whose
# name is empty (also after `userdb_`), tables with keys that are numbers.

PASSWORD = "secret"

#: Functions that a login may call.
LOGINS = ("auth_password_verify", "auth_passdb_lookup")

CODES = ("1", "0", "-1", "-2", "-3", "-4", "-5", "-6")
NO_CODES = ("1.0", "1.5", "'1'", "'x'", "nil", "true", "{}", "print")
SECONDS = (
    "''", "'why'", "'k=v k2=v2'", "'k=v nopassword'", "' k=v  k3= '", "{}", "{ k = 'v' }",
    "{ k = 'v', nopassword = '' }", "nil", "true", "5", "1.5", "2.0", "print",
)  # fmt: skip

VALUES = (
    "'v'", "''", "' a b '", "'a=b'", "'\\t\\n'", "'a\\0b'", "'\\195\\164'", "'1'", "2", "2.0", "1.5", "-0.0", "0",
    "1e15", "1e100", "1/0", "2^53", "math.maxinteger", "true", "false", "{}", "print",
)  # fmt: skip
KEYS = (
    "k", "1", "K", "a b", "k:default", "k:remove", "userdb_k", "userdb_uid", "reason", "nologin",
    "nodelay", "login_user", "fail", "noauthenticate", "nopassword", "allow_nets", "allow_real_nets", "check_client_fp",
    "delay_until", "passdb_import", "password_noscheme", "user", "username", "domain", "home", "uid", "gid", "tempfail",
    "userdb_tempfail", "system_user", "userdb_import", "uidgid_file", "original_user", "skip_password_check", "pass",
)  # fmt: skip
TEXTS = ("", "v", "1", "yes", "other@example.net")
#: String forms, where the order of fields is known.
STRINGS = (
    "user=a username=b", "user=a domain=b", "username=b user=a", "user=a@b username=c", "domain=x username=y",
    "k=1 k=2", "k=1 k:default=2", "k=1 k:remove", "k:default=2 k=1", "k=1 k:remove= k:default=3", "k==v",
    "nopassword password={PLAIN}secret", "password={PLAIN}secret nopassword", "password=secret nopassword=y",
    "password= nopassword", "nopassword password=", "noauthenticate k=v", "nopassword noauthenticate",
    "allow_nets=127.0.0.1 k=v", "allow_nets=local", "fail nopassword", "delay_until=1 nopassword",
    "delay_until=x nopassword", "userdb_user=z nopassword", "nopassword userdb_uid=nobody",
    "nopassword passdb_import=a=1\\tb=2", "nopassword:remove nopassword", "nopassword nopassword:remove",
)  # fmt: skip
PASSWORDS = (
    "", "secret", "wrong", "{PLAIN}secret", "{plain}secret", "{PLAIN}wrong", "{PLAIN}", "{", "{PLAIN", "{}", "{}secret",
    "{NOSUCH}secret", "{CLEARTEXT}secret", "{CLEAR}secret", "{PLAIN.b64}c2VjcmV0", "{PLAIN.HEX}736563726574",
    "{PLAIN.hex}zz", "{PLAIN.x}secret", "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "{PLAIN-MD5}zz",
    "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SHA256.hex}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "{SHA256}short", "{SHA256}!!",
    "{CRYPT}$1$abcdefgh$DsKJwC8Qw/TIwLKkgoIAJ0", "{CRYPT}zz", "{CRYPT}*", "{SHA512-CRYPT}x", "{SHA512-CRYPT}",
    "{BLF-CRYPT}x", "{ARGON2ID}x", "{SSHA}", "{SSHA256}AAAA", "{SMD5}AAAA", "{PBKDF2}x", "{PBKDF2}$1$a$1$b",
    "{CRAM-MD5}zz", "{DIGEST-MD5}zz", "{SCRAM-SHA-1}x", "{SCRAM-SHA-256}x", "{OTP}x", "{NTLM}x", "{LANMAN}x", "{RPA}x",
    "{SKEY}x", "{DES-CRYPT}x", "{MD5}x", "{MD5-CRYPT}x", "{SHA512}x",
)  # fmt: skip
BODIES = (
    "return", "return 1", "return 1, {}, 3", "return 1, nil, { k = 'v' }", "error('no luck')",
    "error({})", "error()",
    "return nope.nope", "coroutine.yield(1) return 1, 'k=v'", "return dovecot.auth.PASSDB_RESULT_OK, 'nopassword'",
    "return 1, 'nopassword u=' .. tostring(r.user)", "return 1, 'nopassword u=' .. r.username .. ' d=' .. r.domain",
    "return 1, 'nopassword s=' .. tostring(r.service) .. tostring(r.nope)", "return 1, 'nopassword p=' .. tostring(p)",
    "return 1, setmetatable({ nopassword = '' }, { __pairs = error })",
    "return 1, r:password_verify('{PLAIN}secret', 'secret') == 1 and 'nopassword a=1' or 'nopassword a=0'",
    "return r:password_verify('{PLAIN}secret', 'wrong'), 'nopassword'",
    "return r:password_verify('{NOSUCH}secret', 'wrong'), 'nopassword'",
    "return 1, 'nopassword x=' .. r:var_expand('%u-%n-%d-%s')",
    "return r:response_from_template('nopassword k=%u')",
)  # fmt: skip


class Case(NamedTuple):
    """One login."""

    user: str
    body: str


class Seen(NamedTuple):
    """What came of it."""

    verdict: str
    user: str
    fields: dict[str, str]


def bodies():
    yield from BODIES
    yield from (f"return {code}, {second}" for code in CODES for second in SECONDS)
    yield from (f"return {code}, {second}" for code in NO_CODES for second in ("{ nopassword = '' }", "'nopassword'"))
    yield from (f"return 1, {{ nopassword = '', k = {value} }}" for value in VALUES)
    yield from (f"return 1, {{ nopassword = {value} }}" for value in VALUES)
    yield from (f"return 1, {{ ['{key}'] = '{text}', password = 'secret' }}" for key in KEYS for text in TEXTS)
    yield from (f"return 1, 'nopassword {key}={text}'" for key in KEYS for text in TEXTS)
    yield from (f"return 1, '{text}'" for text in STRINGS)
    yield from (f"return 1, {{ password = '{text}' }}" for text in PASSWORDS)
    yield from (f"return 1, 'password={text}'" for text in PASSWORDS)


def cases():
    """Every body once, and what renames also for a user with a domain."""
    for number, body in enumerate(dict.fromkeys(bodies())):
        yield Case(f"c{number}", body)
        if "user" in body or "domain" in body or "username" in body:
            yield Case(f"c{number}@example.org", body)


CASES = tuple(cases())


def script(function):
    """All cases in one file: the user's name says which is meant."""
    lines = (f"cases.{case.user} = function(r, p) {case.body} end" for case in CASES if "@" not in case.user)
    return "\n".join(
        ["local cases = {}", *lines, f"function {function}(r, p) return cases[r.user:match('^c%d+')](r, p) end"],
    )


def of_dovecot(answer):
    fields = dict(answer.fields)
    user = fields.pop("user", "")
    if answer.verdict == "FAIL":
        is_temporary = "temp" in fields or fields.get("code") == "temp_fail"
        code = fields.get("code", "")
        for name in ("temp", "code", "user_disabled", "pass_expired", "authz"):
            if name in fields and (name != "code" or code in {"temp_fail", "user_disabled", "pass_expired"}):
                fields.pop(name)
        return Seen("TEMP" if is_temporary else f"FAIL {code}".strip(), user, fields)
    return Seen(answer.verdict, user, fields)


VERDICTS = {
    AuthVerdict.OK: "OK",
    AuthVerdict.PASSWORD_MISMATCH: "FAIL",
    AuthVerdict.USER_UNKNOWN: "FAIL",
    AuthVerdict.USER_DISABLED: "FAIL user_disabled",
    AuthVerdict.PASS_EXPIRED: "FAIL pass_expired",
    AuthVerdict.INTERNAL_FAILURE: "TEMP",
}


def text(data):
    return data.decode("utf-8", "surrogateescape")


def of_pool(result):
    return Seen(
        VERDICTS[result.verdict],
        text(result.user),
        {text(key): text(value) for key, value in result.fields.items()},
    )


def through_dovecot(folder, function, *, blocking):
    if os.geteuid() != 0:
        end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        end("a private Dovecot is started by root only")
    dovecot = Dovecot(folder, script(function), blocking=blocking)
    try:
        return [of_dovecot(answer) for answer in dovecot.logins([case.user for case in CASES], PASSWORD)]
    finally:
        dovecot.close()


@pytest.fixture(scope="module")
def through_pool():
    """Answer the cases of a function."""
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=2, grace_s=5.0),
        )

        async def scenario(function):
            package = Script.from_stream(function, script(function).encode(), ScriptSettings(dialect="2.3", lua="5.4"))
            async with AsyncDispatcher(settings) as dispatcher:
                auth = Auth(dispatcher, deadline_s=60)
                logins = (
                    auth.verify_chain([Link(package)], {"user": case.user, "protocol": "imap"}, PASSWORD)
                    for case in CASES
                )
                return [of_pool(result) for result in await asyncio.gather(*logins)]

        with LocalPool(settings):
            yield lambda function: asyncio.run(scenario(function))


#: Pattern of a script's body -> what Dovecot does and the pool does not.
KNOWN_DIFFERENCES = {
    r"k:default": "Dovecot 2.3 returns `k:default` under that name if there is no `k`",
    r"nologin": "Dovecot returns `nologin` without its value",
    r"nodelay": "Dovecot returns `nodelay` to the client, the pool hides it",
    r"login_user": "Dovecot logs in as `login_user`, the pool leaves that to its caller",
    r"check_client_fp": "Dovecot 2.3 does not know the field, the pool refuses the login in both dialects",
    r"\b(username|domain)('\] = ''|=')": "Dovecot 2.3 accepts a rename to an empty part",
    r"nopassword": "Dovecot does not return `nopassword` to the client",
}


def comparable(seen):
    """Leave out what only one side speaks of: Dovecot's notes on renames, and fields of a login that failed."""
    kept = {key: value for key, value in seen.fields.items() if key not in {"", "original_user", "auth_user"}}
    return seen._replace(fields=kept if seen.verdict == "OK" else {})


def without_nopassword(seen):
    return seen._replace(fields={key: value for key, value in seen.fields.items() if key != "nopassword"})


@pytest.mark.parametrize("blocking", [False, True], ids=["in auth", "in auth-worker"])
@pytest.mark.parametrize("function", LOGINS)
def test_logins_end_as_in_dovecot(tmp_path, through_pool, function, blocking):
    expected = map(comparable, through_dovecot(tmp_path, function, blocking=blocking))
    actual = map(comparable, through_pool(function))
    known, unknown = set(), []
    for case, theirs, ours in zip(CASES, expected, actual, strict=True):
        if theirs == ours:
            continue
        if theirs == without_nopassword(ours):
            known.add("nopassword")
            continue
        patterns = [name for name in KNOWN_DIFFERENCES if name != "nopassword" and re.search(name, case.body)]
        known.update(patterns)
        if not patterns:
            unknown.append((case, theirs, ours))
    assert [] == unknown
    assert set(KNOWN_DIFFERENCES) == known
