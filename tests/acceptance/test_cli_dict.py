"""`lualoft dict` as people run it."""

import json
import socket

import pytest

from dispatcher.embedded import EmbeddedServer
from tests.waiting import wait_until

ALL_BYTES = bytes(range(1, 256))


@pytest.fixture
def server():
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def config(server, write):
    """Settings file with dicts of several kinds on a server of the test's own."""
    return write(
        "lualoft.toml",
        f"""
        [dicts.plain]
        url = "{server.url}"
        prefix = "plain:"
        [dicts.tagged]
        url = "{server.url}"
        prefix = "tagged:"
        layout = "tagged"
        index = true
        [dicts.everything]
        url = "{server.url}"
        [dicts.down]
        url = "unix:///nowhere/redis.sock"
        [dicts.memory]
        driver = "memory"
        """,
    )


@pytest.fixture
def run(lualoft, config):
    """Run `lualoft dict` with the test's dicts."""

    def run(*arguments, **options):
        return lualoft("--config", config, "dict", *arguments, **options)

    return run


def command(server, *words):
    """Ask the server something over its socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server.url.removeprefix("unix://"))
        packed = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        connection.sendall(b"*%d\r\n" % len(words) + packed)
        return connection.recv(65536)


@pytest.mark.parametrize("name", ["plain", "tagged"])
def test_value_that_was_set_is_got(run, name):
    assert (0, "", "") == run("set", name, "shared/x", "v")
    assert (0, "v\n", "") == run("get", name, "shared/x")


def test_missing_key_is_an_answer_of_its_own(run):
    assert (1, "", "lualoft: shared/x doesn't exist\n") == run("get", "plain", "shared/x")
    assert (1, {"found": False, "values": []}) == (
        (done := run("get", "--json", "plain", "shared/x")).code,
        json.loads(done.out),
    )


def test_private_key_belongs_to_its_user(run):
    run("set", "-u", "a/b", "tagged", "priv/x", "v")
    assert "v\n" == run("get", "-u", "a/b", "tagged", "priv/x").out
    assert 1 == run("get", "-u", "other", "tagged", "priv/x").code


def test_unset_removes_and_does_not_mind_a_missing_key(run):
    run("set", "plain", "shared/x", "v")
    assert (0, "", "") == run("unset", "plain", "shared/x")
    assert (0, "", "") == run("unset", "plain", "shared/x")
    assert 1 == run("get", "plain", "shared/x").code


def test_value_may_come_from_standard_input(run, server):
    assert (0, "", "") == run("set", "plain", "shared/x", "--stdin", stdin=ALL_BYTES)
    assert b"$255\r\n" + ALL_BYTES + b"\r\n" == command(server, b"GET", b"plain:x")


def test_value_of_several_is_several_lines(run, server):
    command(server, b"RPUSH", b"plain:l", b"a", b"b")
    assert "a\nb\n" == run("get", "plain", "shared/l").out
    assert {"found": True, "values": ["a", "b"]} == json.loads(run("get", "--json", "plain", "shared/l").out)


def test_increment_adds_and_leaves_missing_keys_alone(run):
    assert (1, "", "lualoft: shared/n doesn't exist\n") == run("inc", "plain", "shared/n", "5")
    assert (0, "", "") == run("inc", "plain", "shared/n", "5", "--create")
    assert (0, "", "") == run("inc", "plain", "shared/n", "-7")
    assert "-2\n" == run("get", "plain", "shared/n").out


def test_increment_of_a_text_is_refused_for_good(run):
    run("set", "plain", "shared/n", "x")
    done = run("inc", "plain", "shared/n", "1")
    assert 1 == done.code
    text = "Value of key plain:n is not an integer or would be out of range"
    assert f"lualoft: shared/n: {text}\n" == done.err
    assert {"result": "failed", "error": text} == json.loads(run("inc", "--json", "plain", "shared/n", "1").out)


def test_expiry_is_the_servers(run, server):
    run("set", "plain", "shared/x", "v", "--expire", "100")
    assert 95 <= int(command(server, b"TTL", b"plain:x")[1:]) <= 100


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["shared/"], {"shared/a\t1", "shared/b\t2"}),
        (["-R", "shared/"], {"shared/a\t1", "shared/b\t2", "shared/b/c\t3"}),
        (["-1", "shared/b"], {"shared/b\t2"}),
        (["-V", "-R", "shared/b"], {"shared/b", "shared/b/c"}),
        (["shared/nothing"], set()),
    ],
    ids=["one level", "recursive", "exact", "keys only", "nothing"],
)
@pytest.mark.parametrize("name", ["plain", "tagged"])
def test_iteration_prints_rows(run, name, options, expected):
    for key, value in (("a", "1"), ("b", "2"), ("b/c", "3")):
        run("set", name, f"shared/{key}", value)
    done = run("iter", name, *options)
    assert (0, expected, "") == (done.code, set(done.out.splitlines()), done.err)


def test_iteration_has_an_order_and_an_end_on_request(run):
    for key, value in (("a", "2"), ("b", "3"), ("c", "1")):
        run("set", "plain", f"shared/{key}", value)
    assert "shared/c\t1\nshared/a\t2\n" == run("iter", "plain", "shared/", "--sort", "value", "--max", "2").out
    assert "shared/a\t2\n" == run("iter", "plain", "shared/", "--sort", "key", "--max", "1").out


def test_iteration_escapes_what_would_break_its_lines(run):
    run("set", "plain", "shared/a\tb\n", "x\\y\x1b[31m")
    assert "shared/a\\tb\\n\tx\\\\y\\x1b[31m\n" == run("iter", "plain", "shared/").out
    assert [{"key": "shared/a\tb\n", "values": ["x\\y\x1b[31m"]}] == run("iter", "--json", "plain", "shared/").objects()


def test_export_and_import_bring_everything_over(run, server):
    command(server, b"SET", b"plain:bytes\xff", ALL_BYTES)
    run("set", "plain", "shared/a/b", "1")
    run("set", "-u", "joe", "plain", "priv/p", "2")
    exported = run("export", "plain", "shared/a", "shared/bytes", "priv/", "-u", "joe")
    assert 0 == exported.code
    assert exported.err.startswith("lualoft: 3 rows exported in ")
    imported = run("import", "tagged", stdin=exported.out)
    assert 0 == imported.code
    assert imported.err.startswith("lualoft: 3 rows imported in ")
    assert "2\n" == run("get", "-u", "joe", "tagged", "priv/p").out
    assert b"$255\r\n" + ALL_BYTES + b"\r\n" == command(server, b"GET", b"tagged:s/bytes\xff")


def test_export_without_paths_is_everything_of_the_user(run):
    run("set", "tagged", "shared/a", "1")
    run("set", "-u", "joe", "tagged", "priv/b", "2")
    run("set", "-u", "ann", "tagged", "priv/c", "3")
    rows = run("export", "tagged", "-u", "joe").objects()
    expected = [{"key": "shared/a", "values": ["1"]}, {"key": "priv/b", "user": "joe", "values": ["2"]}]
    assert expected == rows
    assert expected[:1] == run("export", "tagged").objects()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", 'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}'),
        ("[]", 'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}'),
        ('{"key": "shared/x"}', 'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}'),
        ('{"key": 5, "values": ["v"]}', 'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}'),
        ('{"key": "shared/x", "values": "v"}', 'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}'),
        (
            '{"key": "shared/x", "values": [{"base64": "?"}]}',
            'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}',
        ),
        (
            '{"key": "shared/x", "values": ["1"], "s": 1}',
            'line 501 is no row; a row is {"key": "shared/x", "values": ["v"]}',
        ),
        ('{"key": "shared/x", "values": []}', "line 501 has 0 values; a key is set to exactly one"),
        ('{"key": "shared/x", "values": ["1", "2"]}', "line 501 has 2 values; a key is set to exactly one"),
    ],
)
def test_import_says_which_line_is_wrong_and_how_far_it_came(run, line, problem):
    good = "".join(f'{{"key": "shared/{number}", "values": ["v"]}}\n' for number in range(500))
    done = run("import", "plain", stdin=good + line)
    assert (1, "", f"lualoft: {problem}; 500 rows were imported before\n") == done
    assert 500 == len(run("iter", "plain", "shared/").out.splitlines())


def test_import_reads_a_file_and_skips_empty_lines(run, write):
    path = write("rows", '{"key": "shared/a", "values": ["1"]}\n\n{"key": "priv/b", "values": ["2"]}\n')
    assert 0 == run("import", "-u", "joe", "tagged", path).code
    assert "2\n" == run("get", "-u", "joe", "tagged", "priv/b").out


def test_migration_takes_a_dict_out_of_dovecots_layout(run, write, server):
    for key, value in ((b"plain:a", b"1"), (b"plain:joe/x", b"2"), (b"plain:dir/y", b"3"), (b"plain:a\\-b/z", b"4")):
        command(server, b"SET", key, value)
    command(server, b"EXPIRE", b"plain:a", b"1000")
    done = run("migrate", "plain", "tagged", "--users", write("users", "joe\na/b\n"))
    assert 0 == done.code
    assert done.err.startswith("lualoft: 4 rows copied in ")
    assert ["shared/a\t1", "shared/dir/y\t3"] == run("iter", "-R", "tagged", "shared/").out.splitlines()
    assert "2\n" == run("get", "-u", "joe", "tagged", "priv/x").out
    assert "4\n" == run("get", "-u", "a/b", "tagged", "priv/z").out
    assert 990 <= int(command(server, b"TTL", b"tagged:s/a")[1:]) <= 1000


def test_migration_does_not_copy_what_it_has_written(run):
    run("set", "everything", "shared/a", "1")
    assert 0 == run("migrate", "everything", "tagged").code
    assert "shared/a\t1\n" == run("iter", "-R", "tagged", "shared/").out


def test_migration_back_finds_keys_and_users_again(run):
    run("set", "tagged", "shared/a", "1")
    run("set", "-u", "x}/\\y", "tagged", "priv/b", "2")
    assert 0 == run("migrate", "tagged", "plain").code
    assert "2\n" == run("get", "-u", "x}/\\y", "plain", "priv/b").out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["migrate", "plain", "plain"], 2, "source and target lie in the same place"),
        (["reindex", "plain"], 1, "this dict has no index: set index = true in its settings"),
        (
            ["get", "nowhere", "shared/x"],
            2,
            "there is no dict 'nowhere' in the settings; known dicts: down, everything",
        ),
        (["get", "memory", "shared/x"], 2, "dict 'memory' is in the memory of each worker"),
        (["get", "plain", "x"], 2, "Invalid dict key prefix"),
        (["get", "plain", "priv/x"], 2, "priv/ dict key prefix requires username"),
        (["iter", "plain", "shared"], 2, "Invalid dict key prefix"),
        (["set", "plain", "shared/x"], 2, "give the value either as an argument or with --stdin"),
        (["set", "plain", "shared/x", "v", "--expire", "-1"], 2, "--expire"),
        (["inc", "plain", "shared/x", "9223372036854775808"], 2, "is not in the range"),
        (["get", "down", "shared/x"], 75, "connect() failed: Redis at unix:///nowhere/redis.sock is not available"),
        (["set", "down", "shared/x", "v"], 75, "connect() failed: Redis at unix:///nowhere/redis.sock"),
        (["iter", "down", "shared/"], 75, "connect() failed: Redis at unix:///nowhere/redis.sock"),
        (["export", "down"], 75, "connect() failed: Redis at unix:///nowhere/redis.sock"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistake_is_told_in_a_sentence(run, arguments, code, text):
    done = run(*arguments)
    assert (code, "") == (done.code, done.out)
    assert text in done.err


def test_two_users_of_one_name_cannot_be_migrated(run, write):
    done = run("migrate", "plain", "tagged", "--users", write("users", "a/b\na\\-b\n"))
    assert 1 == done.code
    assert "share their keys in Dovecot's layout" in done.err


def test_reindex_finds_what_others_wrote(run, server):
    for number in range(1500):
        command(server, b"SET", b"tagged:s/%d" % number, b"v")
    assert "" == run("iter", "tagged", "shared/").out
    done = run("reindex", "tagged")
    assert 0 == done.code
    assert done.err.startswith("lualoft: 1,500 rows in the index in ")
    assert 1500 == len(run("iter", "tagged", "shared/").out.splitlines())


def test_reindex_on_a_full_server_says_so(run, server):
    command(server, b"SET", b"tagged:s/a", b"v")
    command(server, b"CONFIG", b"SET", b"maxmemory", b"1")
    done = run("reindex", "tagged")
    assert (75, "") == (done.code, done.out)
    assert "OOM command not allowed" in done.err


def test_value_is_never_shown_in_a_complaint(run):
    done = run("import", "plain", stdin='{"key": "shared/x", "values": "hunter2"}')
    assert "hunter2" not in done.err


def test_output_that_nobody_reads_ends_the_export(start, config, server):
    command(server, b"CONFIG", b"SET", b"maxmemory", b"0")
    for number in range(3000):
        command(server, b"SET", b"plain:%d" % number, b"v" * 200)
    export = start("--config", config, "dict", "export", "plain", redirection="| head -1")
    wait_until(lambda: export.process.poll() is not None, 30)
    assert 1 == len(export.out.splitlines())
    assert "Traceback" not in export.err
