"""The shipped scripts in Debian's Dovecot 2.3.19 and in the pool in dialect 2.3: the same files, the same logins."""

import sqlite3

import pytest

from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import LuaSettings, PoolSettings, RedisSettings, Settings
from tests.acceptance.dovecot import Dovecot
from tests.debian import require_file
from tests.integration.lua_scripts.asking import asked, shipped

PASSWD_FILE = """\
# comment
ada:{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=:1000:1001::/home/%u::userdb_mail=maildir:~/Mail quota=5G
bob:{PLAIN}secret
bob:{PLAIN}other
carl:$5$rounds=1000$5XlFSxEbMCVjFhK0$KWOsxf3rGV3juYzZo00fYW2BZjmw27oRzYrU6A0Zfn8:::::
dora::1002:1002::/home/dora::nopassword
ed::1002:1002::/home/ed::nopassword allow_nets=192.0.2.0/24
fay:secret
gus:{PLAIN}secret::::::user=bob greeting=a=b
hal:{NOSUCH}x
ian:
nemo
"""

APP_PASSWORDS = """\
joe:phone:imap,submission:2999-12-31:{PLAIN}secret
joe:tablet::1999-12-31:{PLAIN}old-secret
kay:laptop:pop3::{PLAIN}secret
lou:laptop:::{SHA256}!!
lou:phone:::{PLAIN}secret
max:laptop:::{SHA256}!!
ned:laptop:::{NOSUCH}x
oda:a b:::{PLAIN}x
pat
""" + "".join(f"quinn:p{number}:::{{PLAIN}}x{number}\n" for number in range(11))

TABLE = "CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL, uid INTEGER, gid INTEGER, home TEXT)"
ROWS = {"ada": "{PLAIN}secret", "o'brien": "{PLAIN}secret", "bare": "secret", "broken": "{NOSUCH}x"}

PASSWORDS = ("secret", "guess", "", "old-secret", "x10", "k" * 65)
#: Names that nobody has, beside those of the file.
STRANGERS = ("nobody", "SECRET", "a'b\"c", "a\tb", "a\nb", "j" * 1000, "../x", "# comment", "%u", "jo\xe4")

#: What a client is told; it is told of a wrong password and of an unknown user in the same way.
TOLD = {
    AuthVerdict.OK: "OK",
    AuthVerdict.PASSWORD_MISMATCH: "FAIL",
    AuthVerdict.USER_UNKNOWN: "FAIL",
    AuthVerdict.INTERNAL_FAILURE: "TEMP",
}


@pytest.fixture(scope="module")
def ask():
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1, grace_s=5.0),
            lua=LuaSettings(c_modules=True),
        )
        with LocalPool(settings):
            yield asked(settings)


def told_by(answer):
    """What the client is told, and the user after a success."""
    is_temporary = "temp" in answer.fields or answer.fields.get("code") == "temp_fail"
    user = answer.fields.get("user", "") if answer.verdict == "OK" else ""
    return "TEMP" if is_temporary else answer.verdict, user


def through_dovecot(folder, script, logins):
    path = folder / "script.lua"
    path.write_bytes(script.source)
    dovecot = Dovecot(folder, path, blocking=True)
    try:
        answers = dovecot.logins([({"service": "imap"}, f"\0{user}\0{password}".encode()) for user, password in logins])
        return [told_by(answer) for answer in answers]
    finally:
        dovecot.close()


def through_pool(ask, script, logins):
    for user, password in logins:
        result = ask.verify(script, password, user=user, protocol="imap")
        yield TOLD[result.verdict], result.user.decode() if result.is_ok else ""


def compare(ask, folder, script, names):
    logins = [(user, password) for user in (*names, *STRANGERS) for password in PASSWORDS]
    expected = through_dovecot(folder, script, logins)
    assert {"OK", "FAIL", "TEMP"} == {told for told, _ in expected}
    actual = through_pool(ask, script, logins)
    assert [] == [seen for seen in zip(logins, expected, actual, strict=True) if seen[1] != seen[2]]


@pytest.mark.parametrize(
    ("name", "content"), [("passwd_file", PASSWD_FILE), ("app_passwords", APP_PASSWORDS)], ids=lambda value: value[:13]
)
def test_script_with_a_file_answers_as_in_dovecot(ask, tmp_path, name, content):
    path = tmp_path / "file"
    path.write_text(content)
    names = sorted({line.partition(":")[0] for line in content.splitlines()})
    compare(ask, tmp_path, shipped(name, dialect="2.3", file=str(path)), names)


def test_script_with_a_database_answers_as_in_dovecot(ask, tmp_path):
    require_file("/usr/lib/*/lua/5.4/luasql/sqlite3.so", package="lua-sql-sqlite3")
    path = tmp_path / "users.db"
    with sqlite3.connect(path) as database:
        database.execute(TABLE)
        database.executemany("INSERT INTO users (name, password) VALUES (?, ?)", ROWS.items())
    database.close()
    compare(ask, tmp_path, shipped("sqlite_users", dialect="2.3", file=str(path)), sorted(ROWS))
