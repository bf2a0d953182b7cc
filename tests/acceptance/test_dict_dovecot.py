"""A real Dovecot 2.3 and lualoft on one Redis: each sees what the other writes, under the same names.

Debian's `doveadm dict` of 2.3.19 crashes at its end after every write to Redis. What it wrote is there all the same, so
these tests look at the data and not at its exit code.
"""

import re
import socket
import subprocess

import pytest

from dispatcher.embedded import EmbeddedServer
from tests.acceptance.conftest import LIMIT_S
from tests.debian import require_program

#: User, key, and the name under which both must keep it; the prefix is `pre/`.
PLACES = [
    ("", "shared/x", b"pre/x"),
    ("", "shared/a/b", b"pre/a/b"),
    ("", "shared/", b"pre/"),
    ("", "shared/with space*?[", b"pre/with space*?["),
    ("", "shared/gr\u00fc\u00dfe", b"pre/gr\xc3\xbc\xc3\x9fe"),
    ("joe", "priv/x", b"pre/joe/x"),
    ("joe@example.org", "priv/a/b", b"pre/joe@example.org/a/b"),
    ("a/b", "priv/x", b"pre/a\\-b/x"),
    ("a\\b", "priv/x", b"pre/a\\b/x"),
    ("a/b\\c", "priv/x", b"pre/a\\-b\\\\c/x"),
]
KEYS = [(user, key) for user, key, _ in PLACES]
IDS = [f"{user} {key}" for user, key, _ in PLACES]

WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')


@pytest.fixture
def server():
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def doveadm(server, tmp_path):
    """Run `doveadm dict` of a private configuration; returns exit code, output and errors."""
    program = require_program("doveadm", package="dovecot-core")
    configuration = tmp_path / "dovecot.conf"
    configuration.write_text(f"base_dir = {tmp_path}/run\nlog_path = /dev/stderr\nssl = no\nlisten = 127.0.0.1\n")
    uri = f"redis:path={server.url.removeprefix('unix://')}:prefix=pre/"

    def run(action, user, *words):
        owner = ["-u", user] if user else []
        command = [program, "-c", configuration, "dict", action, *owner, uri, *words]
        done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
        # Its columns are filled up with spaces.
        return done.returncode, done.stdout.decode().rstrip(), done.stderr.decode()

    return run


@pytest.fixture
def ours(server, lualoft, write):
    """Run `lualoft dict` on the same data."""
    config = write("lualoft.toml", f'[dicts.d]\nurl = "{server.url}"\nprefix = "pre/"\n')

    def run(action, user, *words):
        owner = ["-u", user] if user else []
        return lualoft("--config", config, "dict", action, *owner, "d", *words)

    return run


class Monitor:
    """What the server carries out, as words of bytes."""

    def __init__(self, url):
        self._url = url

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._url.removeprefix("unix://"))
        self._socket.settimeout(LIMIT_S)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"MONITOR\r\n")
        assert b"+OK\r\n" == self._file.readline()
        return self

    def __exit__(self, *_):
        self._file.close()
        self._socket.close()

    def commands(self, names):
        """Return all commands of these names so far."""
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(self._url.removeprefix("unix://"))
            other.sendall(b"*2\r\n$4\r\nECHO\r\n$8\r\nthis-far\r\n")
            found = []
            while True:
                words = [unquoted(word) for word in WORD.findall(self._file.readline().decode())]
                if words[:2] == [b"ECHO", b"this-far"]:
                    return found
                if words[0].upper() in names:
                    found.append(words)


def unquoted(text):
    plain = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b"}
    return re.sub(
        r"\\(x[0-9a-f]{2}|.)",
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) > 1 else plain.get(found[1], found[1]),
        text,
    ).encode("latin-1")


@pytest.mark.parametrize(("user", "key"), KEYS, ids=IDS)
def test_lualoft_reads_what_dovecot_writes(doveadm, ours, user, key):
    doveadm("set", user, key, "theirs")
    assert (0, "theirs\n", "") == ours("get", user, key)


@pytest.mark.parametrize(("user", "key"), KEYS, ids=IDS)
def test_dovecot_reads_what_lualoft_writes(doveadm, ours, user, key):
    assert 0 == ours("set", user, key, "ours").code
    assert (0, "ours", "") == doveadm("get", user, key)


@pytest.mark.parametrize(("user", "key", "name"), PLACES, ids=IDS)
def test_both_use_the_same_name_byte_by_byte(server, doveadm, ours, user, key, name):
    with Monitor(server.url) as monitor:
        doveadm("set", user, key, "v")
        theirs = monitor.commands({b"SET"})
        ours("set", user, key, "v")
        mine = monitor.commands({b"SET"})
        doveadm("get", user, key)
        ours("get", user, key)
        gets = monitor.commands({b"GET"})
    assert [[b"SET", name, b"v"]] == theirs
    assert theirs == mine
    assert [[b"GET", name]] * 2 == gets


@pytest.mark.parametrize(("user", "key"), KEYS, ids=IDS)
def test_each_removes_what_the_other_wrote(doveadm, ours, user, key):
    doveadm("set", user, key, "theirs")
    assert 0 == ours("unset", user, key).code
    assert 68 == doveadm("get", user, key)[0]
    ours("set", user, key, "ours")
    doveadm("unset", user, key)
    assert 1 == ours("get", user, key).code


def test_numbers_go_back_and_forth(doveadm, ours):
    doveadm("set", "", "shared/n", "5")
    assert 0 == ours("inc", "", "shared/n", "3").code
    doveadm("inc", "", "shared/n", "2")
    assert "10\n" == ours("get", "", "shared/n").out


def test_lualoft_iterates_what_dovecot_wrote_and_cannot_iterate(doveadm, ours):
    for key in ("a", "b", "d/c"):
        doveadm("set", "", f"shared/{key}", key)
    doveadm("set", "joe", "priv/p", "private")
    code, _, text = doveadm("iter", "", "shared/")
    assert 75 == code
    assert "Unsupported operation (dict does not support this feature)" in text
    assert "shared/a\ta\nshared/b\tb\n" == ours("iter", "", "shared/", "--sort", "key").out
    assert "priv/p\tprivate\n" == ours("iter", "joe", "priv/").out


def test_expiry_of_dovecot_is_respected(server, tmp_path, ours):
    program = require_program("doveadm", package="dovecot-core")
    configuration = tmp_path / "dovecot.conf"
    configuration.write_text(f"base_dir = {tmp_path}/run\nlog_path = /dev/stderr\nssl = no\nlisten = 127.0.0.1\n")
    uri = f"redis:path={server.url.removeprefix('unix://')}:prefix=pre/:expire_secs=1000"
    command = [program, "-c", configuration, "dict", "set", uri, "shared/e", "5"]
    subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    # An increment leaves the time alone.
    assert 0 == ours("inc", "", "shared/e", "1").code
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server.url.removeprefix("unix://"))
        connection.sendall(b"TTL pre/e\r\n")
        assert 950 <= int(connection.recv(100)[1:]) <= 1000


def test_wrong_type_is_worded_alike_as_far_as_this_dovecot_says_it(server, doveadm, ours):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server.url.removeprefix("unix://"))
        connection.sendall(b"HSET pre/h f v\r\n")
        assert b":1\r\n" == connection.recv(100)
    assert "redis: Communication failure (last reply: " in doveadm("get", "", "shared/h")[2]
    assert "redis: Communication failure (last reply: -WRONGTYPE" in ours("get", "", "shared/h").err
