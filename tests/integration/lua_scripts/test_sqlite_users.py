"""sqlite_users.lua with Debian's luasql.sqlite3, in a pool that may load C modules."""

import sqlite3

import pytest
from msgspec.structs import replace

from dispatcher.auth import IterationError
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.settings import DispatchSettings, LuaSettings, PoolSettings
from tests.debian import require_file
from tests.integration.lua_scripts.asking import asked, hostile_users, shipped

TABLE = "CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL, uid INTEGER, gid INTEGER, home TEXT)"
ROWS = [
    ("ada", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", 1000, 1001, "/home/ada"),
    ("o'brien", "{PLAIN}hunter2", None, None, None),
    ("bare", "secret", 1, 1, "/"),
    ("broken", "{SHA256}!!", 1, 1, "/"),
    ("root?", "{PLAIN}x", "wheel-of-fortune", 1, "/"),
]


@pytest.fixture(scope="module")
def ask(settings):
    """A pool of its own: C modules are for whole workers."""
    require_file("/usr/lib/*/lua/5.4/luasql/sqlite3.so", package="lua-sql-sqlite3")
    own = replace(
        settings,
        dispatch=DispatchSettings(queue="c-modules"),
        pool=PoolSettings(workers=1, grace_s=5.0),
        lua=LuaSettings(c_modules=True),
    )
    with LocalPool(own):
        yield asked(own)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "users.db"
    with sqlite3.connect(path) as database:
        database.execute(TABLE)
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?)", ROWS)
    database.close()
    return path


@pytest.fixture
def script(path):
    return shipped("sqlite_users", file=str(path))


def names_in(path):
    with sqlite3.connect(path) as database:
        names = [name for (name,) in database.execute("SELECT name FROM users ORDER BY name")]
    database.close()
    return names


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("ada", "secret", AuthVerdict.OK),
        ("ada", "guess", AuthVerdict.PASSWORD_MISMATCH),
        ("o'brien", "hunter2", AuthVerdict.OK),
        ("ada\0'", "secret", AuthVerdict.OK),
        ("nobody", "secret", AuthVerdict.USER_UNKNOWN),
        ("ADA", "secret", AuthVerdict.USER_UNKNOWN),
        ("bare", "secret", AuthVerdict.INTERNAL_FAILURE),
    ],
)
@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
def test_login_gets_its_verdict(ask, path, dialect, user, password, expected):
    script = shipped("sqlite_users", dialect=dialect, file=str(path))
    assert expected is ask.verify(script, password, user=user).verdict


def test_hash_that_cannot_be_decoded_is_an_internal_failure(ask, script):
    assert AuthVerdict.INTERNAL_FAILURE is ask.verify(script, "secret", user="broken").verdict


@hostile_users
def test_hostile_name_is_nobody_and_changes_nothing(ask, path, script, user):
    before = names_in(path)
    assert AuthVerdict.USER_UNKNOWN is ask.verify(script, "hunter2", user=user).verdict
    assert AuthVerdict.USER_UNKNOWN is ask.userdb(script, user=user).verdict
    assert before == names_in(path)


def test_hostile_name_is_found_if_it_is_in_the_table(ask, path, script):
    name = "'; DROP TABLE users; --\t\n\""
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO users VALUES (?, '{PLAIN}x', 1, 1, '/')", [name])
    database.close()
    assert AuthVerdict.OK is ask.verify(script, "x", user=name).verdict


@pytest.mark.parametrize(
    ("user", "expected"),
    [("ada", {b"uid": b"1000", b"gid": b"1001", b"home": b"/home/ada"}), ("o'brien", {})],
)
def test_user_data_comes_from_the_columns_that_are_not_null(ask, script, user, expected):
    result = ask.userdb(script, user=user)
    assert (AuthVerdict.OK, expected) == (result.verdict, result.userdb_fields)


def test_user_id_that_is_none_is_an_internal_failure(ask, script):
    assert AuthVerdict.INTERNAL_FAILURE is ask.userdb(script, user="root?").verdict


def test_users_are_listed_by_name(ask, script):
    assert [b"ada", b"bare", b"broken", b"o'brien", b"root?"] == ask.users(script)


def spoil(path, kind):
    if kind == "no file":
        path.unlink()
    elif kind == "no database":
        path.write_bytes(b"garbage " * 1000)
    elif kind == "empty file":
        path.write_bytes(b"")
    else:
        with sqlite3.connect(path) as database:
            database.execute("ALTER TABLE users RENAME COLUMN name TO login")
        database.close()


@pytest.mark.parametrize("kind", ["no file", "no database", "empty file", "another table"])
def test_unreadable_database_is_an_internal_failure(ask, path, script, kind):
    spoil(path, kind)
    assert AuthVerdict.INTERNAL_FAILURE is ask.verify(script, "secret", user="ada").verdict
    assert AuthVerdict.INTERNAL_FAILURE is ask.userdb(script, user="ada").verdict
    with pytest.raises(IterationError):
        ask.users(script)
    assert (kind == "no file") is not path.exists()


def test_it_goes_on_when_the_database_is_back(ask, path, script):
    content = path.read_bytes()
    path.unlink()
    assert AuthVerdict.INTERNAL_FAILURE is ask.verify(script, "secret", user="ada").verdict
    path.write_bytes(content)
    assert AuthVerdict.OK is ask.verify(script, "secret", user="ada").verdict


def test_locked_database_is_an_internal_failure(ask, path, script):
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    assert AuthVerdict.INTERNAL_FAILURE is ask.verify(script, "secret", user="ada").verdict
    writer.execute("COMMIT")
    writer.close()
    assert AuthVerdict.OK is ask.verify(script, "secret", user="ada").verdict


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "the setting `file` is missing: the path of the database"), ({"fiel": "y"}, "unknown setting `fiel`")],
    ids=["none", "misspelt"],
)
def test_bad_settings_are_said_at_the_start(ask, given, expected):
    result = ask.verify(shipped("sqlite_users", **given), "x", user="ada")
    assert (AuthVerdict.INTERNAL_FAILURE, True) == (result.verdict, expected in result.reason)
