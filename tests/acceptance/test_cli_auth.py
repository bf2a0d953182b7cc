"""`lualoft auth` as an operator uses it, beside what the real doveadm prints about the same script."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from dispatcher.protocol.sealing import generate_key
from tests.acceptance.conftest import LIMIT_S
from tests.acceptance.dovecot import Dovecot
from tests.acceptance.terminal import Terminal
from tests.debian import require_program

USERS = Path(__file__).with_name("auth_users.lua")
NOWHERE = "redis://127.0.0.1:1/0"
NOT_UTF8 = os.fsdecode(b"caf\xe9")

#: Lets everybody in who types `p`, and tells what the script was given.
ECHO = """\
local names = {
   "user", "remote_ip", "local_port", "protocol", "mechanism", "session", "rip", "lport", "service", "mech",
}
function auth_password_verify(request, password)
   local seen = { size_bytes = #password, is_p = password == "p" }
   for _, name in ipairs(names) do seen["seen_" .. name] = request[name] end
   return dovecot.auth.PASSDB_RESULT_OK, seen
end
"""


@pytest.fixture
def auth(lualoft, up_config):
    """Ask on the pool that is up."""
    return lambda *arguments, **options: lualoft("--config", up_config, "auth", *arguments, **options)


@pytest.fixture
def login(auth):
    """Try a login with a password."""

    def attempt(user, password, *arguments, script=USERS):
        stdin = password if isinstance(password, bytes) else password.encode()
        return auth("test", script, user, "--password-stdin", *arguments, stdin=stdin + b"\n")

    return attempt


# test


LOGINS = [
    pytest.param("joe", "hunter2", (0, "succeeded", "ok", ""), id="right password"),
    pytest.param("joe", "wrong", (1, "failed", "password_mismatch", "Password mismatch"), id="wrong password"),
    pytest.param("joe", "", (1, "failed", "password_mismatch", "Password mismatch"), id="empty password"),
    pytest.param("eve", "hunter2", (1, "failed", "user_unknown", "no such user"), id="unknown user"),
    pytest.param("off", "hunter2", (1, "failed", "user_disabled", "left the company"), id="disabled"),
    pytest.param("old", "hunter2", (1, "failed", "pass_expired", "since May"), id="expired"),
    pytest.param("later", "x", (75, "not decided", "internal_failure", "Last passdb had noauthenticate"), id="next"),
    pytest.param("broken", "x", (75, "not decided", "internal_failure", "no backend"), id="internal failure"),
    pytest.param("boom", "x", (75, "not decided", "internal_failure", "it went wrong"), id="script error"),
]


@pytest.mark.parametrize(("user", "password", "ends"), LOGINS)
def test_login_gives_headline_verdict_and_exit_code(login, user, password, ends):
    code, headline, verdict, reason = ends
    result = login(user, password)
    (found,) = login(user, password, "--json").objects()
    assert (code, f"passdb: {user} auth {headline}") == (result.code, result.out.splitlines()[0])
    assert (verdict, user) == (found["verdict"], found["user"])
    assert reason in found["reason"]
    assert "hunter2" not in result.out + result.err + str(found)


def test_login_prints_fields_then_each_script_with_its_times(login):
    result = login("joe", "hunter2", "-x", "rip=192.0.2.1")
    *lines, scripts, answer = result.out.splitlines()
    assert [
        "passdb: joe auth succeeded",
        "extra fields:",
        "  user=joe",
        "  flag",
        "  pass=***",
        "  quota=5G",
        "userdb fields:",
        "  uid=1000",
    ] == lines
    assert "scripts:" == scripts
    assert answer.startswith(f"  {USERS}: ok (queue ")
    assert answer.endswith(" ms)")
    assert "info: lua(joe,192.0.2.1): db-lua: from 192.0.2.1\n" == result.err


def test_json_of_a_login_has_logs_and_times_of_each_script(login):
    (found,) = login("joe", "hunter2", "--json").objects()
    assert ["user", "verdict", "reason", "fields", "userdb_fields", "scripts"] == list(found)
    assert ({"flag": "", "pass": "***", "quota": "5G"}, {"uid": "1000"}) == (found["fields"], found["userdb_fields"])
    (script,) = found["scripts"]
    assert (str(USERS), "ok", "") == (script["name"], script["verdict"], script["reason"])
    assert [{"level": "info", "text": "lua(joe): db-lua: from nil"}] == script["logs"]
    assert script["run_ms"] >= 0
    assert script["queue_ms"] >= 0


@pytest.mark.parametrize(("user", "code"), [("off", "user_disabled"), ("old", "pass_expired"), ("boom", "temp_fail")])
def test_refusal_has_the_code_that_dovecot_gives_its_client(login, user, code):
    assert f"  user={user}\n  code={code}\n" in login(user, "x").out


def test_reason_that_is_not_utf_8_is_escaped(login, write):
    script = write("reason.lua", 'function auth_password_verify() return -3, "caf\\233" end')
    (found,) = login("joe", "x", "--json", script=script).objects()
    assert ("caf\\xe9", "caf\\xe9") == (found["reason"], found["scripts"][0]["reason"])
    assert "user_unknown, caf\\xe9 (queue" in login("joe", "x", script=script).out


def test_script_is_told_what_doveadm_tells_it(login, write):
    (found,) = login("joe", "p", "--json", script=write("echo.lua", ECHO)).objects()
    assert ("joe", "doveadm", "PLAIN", "yes") == tuple(
        found["fields"][name] for name in ("seen_user", "seen_protocol", "seen_mechanism", "is_p")
    )


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("2.3", {"seen_rip": "192.0.2.7", "seen_lport": "143", "seen_service": "imap", "seen_remote_ip": "192.0.2.7"}),
        ("2.4", {"seen_remote_ip": "192.0.2.7", "seen_local_port": "143", "seen_protocol": "imap"}),
    ],
)
@pytest.mark.parametrize(
    "info",
    [["rip=192.0.2.7", "lport=143", "service=imap"], ["remote_ip=192.0.2.7", "local_port=143", "protocol=imap"]],
    ids=["short names", "long names"],
)
def test_auth_info_reaches_the_script_under_the_names_of_its_dialect(login, write, dialect, expected, info):
    pairs = [argument for pair in info for argument in ("-x", pair)]
    script = write("echo.lua", ECHO)
    (found,) = login("joe", "p", *pairs, "--dialect", dialect, "--json", script=script).objects()
    assert expected == {name: found["fields"][name] for name in expected}


LINE_BREAKING = [
    pytest.param("a\tb", "a\\tb", id="tab"),
    pytest.param("a\nb", "a\\nb", id="newline"),
]
ODD_BYTES = [
    pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="escape sequence"),
    pytest.param("'a\"b'", "'a\"b'", id="quotes"),
    pytest.param(NOT_UTF8, "caf\\xe9", id="8 bit"),
    pytest.param("x" * 65536, "x" * 65536, id="64 kB"),
]


@pytest.mark.parametrize(("user", "shown"), LINE_BREAKING + ODD_BYTES)
def test_odd_user_name_reaches_the_script_and_is_shown_on_one_line(login, write, user, shown):
    result = login(user, "p", script=write("echo.lua", ECHO))
    assert 0 == result.code
    assert f"  user={shown}\n" in result.out
    assert f"  seen_user={shown}\n" in result.out


@pytest.mark.parametrize(("password", "shown"), ODD_BYTES)
def test_odd_password_reaches_the_script_whole_and_is_shown_nowhere(auth, write, password, shown):
    data = os.fsencode(password)
    path = write("password", data + b"\n")
    result = auth("test", write("echo.lua", ECHO), "joe", "--password-file", path)
    assert f"  size_bytes={len(data)}\n" in result.out
    assert shown not in result.out + result.err


@pytest.mark.parametrize("password", ["a\tb", "a\rb", "a\x01b"], ids=["tab", "carriage return", "the byte 1"])
def test_password_that_dovecot_refuses_unseen_reaches_no_script(auth, write, password):
    path = write("password", password + "\n")
    result = auth("test", write("echo.lua", ECHO), "joe", "--password-file", path)
    assert (1, "passdb: joe auth failed\nextra fields:\n  user=joe\n") == (result.code, result.out)
    assert "lualoft: user_unknown: Attempted login with password having illegal chars\n" == result.err


@pytest.mark.parametrize("options", [[], ["--password-stdin"]], ids=["by default", "standard input is a terminal"])
def test_password_is_asked_for_at_a_terminal_without_echo(tmp_path, up_config, options):
    terminal = Terminal(["--config", up_config, "auth", "test", USERS, "joe", *options], tmp_path)
    terminal.wait_for(b"Password: ")
    assert not terminal.has_echo
    terminal.answer(b"", b"hunter2\n")
    code, out = terminal.end()
    assert (0, "passdb: joe auth succeeded") == (code, out.splitlines()[0])
    assert b"hunter2" not in terminal.shown


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        pytest.param([USERS, "joe"], "", "there is no terminal to ask for the password at", id="no terminal"),
        pytest.param([USERS, "joe", "hunter2"], "", "a password is not taken from the command line", id="positional"),
        pytest.param([USERS, "joe", "--password=hunter2"], "", "No such option", id="as an option"),
        pytest.param(
            [USERS, "joe", "--password-stdin"], "", "standard input has no line for the password", id="empty input"
        ),
        pytest.param([USERS, "joe", "--password-stdin"], "hunter2\0x\n", "the password holds a NUL", id="NUL"),
        pytest.param([USERS, "joe", "--password-stdin"], "hunter2" * 10_000, "more than 65536 bytes", id="too long"),
        pytest.param(
            [USERS, "joe", "--password-stdin", "--password-file", "x"], "hunter2\n", "exclude each other", id="both"
        ),
        pytest.param(["-", "joe", "--password-file", "-"], "hunter2\n", "cannot both be", id="both as a dash"),
        pytest.param([USERS, "joe", "--password-file", "none"], "", "none cannot be read: No such file", id="no file"),
        pytest.param([USERS, "joe", "--password-file", "/"], "", "/ cannot be read: Is a directory", id="directory"),
        pytest.param([USERS, "joe", "--password-file", "/dev/null"], "", "Is not a regular file", id="device"),
        pytest.param(["-", "joe", "--password-stdin"], "hunter2\n", "cannot both be standard input", id="both stdin"),
        pytest.param(
            ["-", "joe", "--password-file", "x", "--then", "-"], "", "only one script can be", id="two scripts on stdin"
        ),
        pytest.param([USERS, "", "--password-stdin"], "hunter2\n", "USER is empty", id="empty user"),
        pytest.param(["", "joe", "--password-stdin"], "hunter2\n", "SCRIPT is empty", id="empty script"),
        pytest.param(["none.lua", "joe", "--password-stdin"], "hunter2\n", "none.lua) failed: No such", id="no script"),
        pytest.param(["none", "joe", "--password-stdin"], "hunter2\n", "there is no script 'none'", id="no name"),
        pytest.param([USERS, "joe", "-x", "hunter2"], "", "auth info is written KEY=VALUE", id="-x without ="),
        pytest.param([USERS, "joe", "-x", "remot_ip=1"], "", "did you mean remote_ip", id="-x unknown"),
        pytest.param([USERS, "joe", "-x", "rip=hunter2"], "", "the value of rip is no IP address", id="-x address"),
        pytest.param([USERS], "", "Missing argument 'USER'", id="no user"),
        pytest.param([], "", "Missing argument 'SCRIPT'", id="nothing"),
    ],
)
def test_wrong_use_is_told_without_the_password(lualoft, arguments, stdin, told):
    result = lualoft("auth", "test", *arguments, stdin=stdin)
    assert (2, "") == (result.code, result.out)
    assert told in result.err
    assert "hunter2" not in result.err


FAILURES = [
    pytest.param("local a =\n= 1", [], "load_error", id="script that does not load"),
    pytest.param("x = 1", [], "'auth_passdb_lookup' is not a function", id="script without the function"),
    pytest.param("function script_init() error('no backend') end", [], "load_error", id="script_init that fails"),
    pytest.param("return 1", ["--queue", "nobody", "--deadline-s", "0.3"], "no worker listens", id="no worker"),
    pytest.param(
        "function auth_passdb_lookup() for _ = 1, 1e8 do end return 0 end",
        ["--deadline-s", "0.1"],
        "deadline_exceeded",
        id="deadline",
    ),
]


@pytest.mark.parametrize(("source", "arguments", "reason"), FAILURES)
def test_failure_of_ours_is_75_and_never_looks_like_a_verdict(login, write, source, arguments, reason):
    path = write("script.lua", source)
    result = login("joe", "hunter2", *arguments, script=path)
    (found,) = login("joe", "hunter2", *arguments, "--json", script=path).objects()
    assert (75, "passdb: joe auth not decided") == (result.code, result.out.splitlines()[0])
    assert "internal_failure" == found["verdict"]
    assert reason in result.err
    assert reason in found["reason"]


def test_without_a_redis_that_answers_nobody_decides(lualoft):
    arguments = ("--redis-url", NOWHERE, "auth", "test", USERS, "joe", "--password-stdin")
    for extra in ([], ["--json"]):
        result = lualoft(*arguments, *extra, stdin="hunter2\n", LUALOFT_KEY=generate_key())
        assert 75 == result.code
        assert "not decided" in result.out or "internal_failure" == result.objects()[0]["verdict"]


def test_several_scripts_are_asked_as_dovecot_asks_its_passdbs(login, write):
    result = login("zoe", "p", "--then", write("echo.lua", ECHO))
    assert (0, "passdb: zoe auth succeeded") == (result.code, result.out.splitlines()[0])
    first, second = result.out.partition("scripts:\n")[2].splitlines()
    assert first.startswith(f"  {USERS}: user_unknown, no such user (queue ")
    assert "echo.lua: ok (queue " in second


def test_wrong_password_behind_a_script_that_failed_is_not_decided(login, write):
    no = write("no.lua", "function auth_password_verify() return 0 end")
    assert (75, 1) == (login("boom", "x", "--then", no).code, login("eve", "x", "--then", no).code)


def test_password_file_may_be_standard_input_or_a_pipe(auth):
    assert 0 == auth("test", USERS, "joe", "--password-file", "-", stdin="hunter2\n").code
    read_end, write_end = os.pipe()
    os.write(write_end, b"hunter2\n")
    os.close(write_end)
    assert 0 == auth("test", USERS, "joe", "--password-file", f"/proc/{os.getpid()}/fd/{read_end}").code
    os.close(read_end)


def test_login_works_without_any_settings(lualoft):
    result = lualoft("auth", "test", USERS, "ann", "--password-stdin", stdin="hunter2\n")
    assert (1, "passdb: ann auth failed") == (result.code, result.out.splitlines()[0])


# lookup and user


def test_lookup_shows_fields_and_of_the_password_its_scheme(auth):
    result = auth("lookup", USERS, "ann")
    assert (
        0,
        "passdb: ann\n  user      : ann\n  password  : {SHA}***\n  flag      \n  pass      : ***\n  quota     : 5G\n",
    ) == (result.code, result.out)


def test_lookup_shows_passwords_on_request_only(auth):
    assert "{PLAIN}hunter2" == auth("lookup", USERS, "joe", "--show-passwords", "-f", "password").out.strip()
    for arguments in ([], ["--json"], ["-f", "password"], ["-f", "pass"]):
        result = auth("lookup", USERS, "joe", *arguments)
        assert "hunter2" not in result.out + result.err
        assert "proxysecret" not in result.out + result.err


def test_user_shows_the_fields_of_the_userdb(auth):
    result = auth("user", USERS, "joe", "-x", "service=lmtp")
    assert (0, "") == (result.code, result.err)
    assert [
        "userdb: joe",
        "  user      : joe",
        "  flag      ",
        "  gid       : 1000",
        "  home      : /home/joe",
        "  seen      : lmtp",
        "  uid       : 1000",
    ] == result.out.splitlines()


@pytest.mark.parametrize("name", ["lookup", "user"])
@pytest.mark.parametrize(
    ("user", "code", "told"),
    [
        ("eve", 67, "lookup: user eve doesn't exist"),
        ("boom", 75, "lookup: user boom: internal_failure: lua_pcall("),
        ("ev\ne", 67, "lookup: user ev\\ne doesn't exist"),
        (NOT_UTF8, 67, "lookup: user caf\\xe9 doesn't exist"),
    ],
)
def test_user_who_is_not_found_has_an_exit_code(auth, name, user, code, told):
    result = auth(name, USERS, user)
    (found,) = auth(name, USERS, user, "--json").objects()
    assert (code, "") == (result.code, result.out)
    assert told in result.err
    assert {} == found["fields"]
    assert {67: "user_unknown", 75: "internal_failure"}[code] == found["verdict"]


@pytest.mark.parametrize(("user", "verdict"), [("off", "user_disabled"), ("old", "pass_expired")])
def test_lookup_of_a_user_who_may_not_log_in_is_a_refusal(auth, user, verdict):
    result = auth("lookup", USERS, user)
    assert 1 == result.code
    assert f"lualoft: passdb lookup: user {user}: {verdict}: " in result.err


def test_several_users_are_looked_up_and_the_worst_code_counts(auth):
    result = auth("user", USERS, "joe", "eve", "ann")
    assert 67 == result.code
    assert ["userdb: joe", "userdb: ann"] == [line for line in result.out.splitlines() if line.startswith("userdb")]
    assert [75, 67, 0] == [auth("user", USERS, *users).code for users in (["eve", "boom"], ["joe", "eve"], ["joe"])]


def test_json_has_a_line_for_each_user(auth):
    found = auth("user", USERS, "joe", "eve", "--json").objects()
    assert [("joe", "ok"), ("eve", "user_unknown")] == [(line["user"], line["verdict"]) for line in found]
    assert "/home/joe" == found[0]["fields"]["home"]


def test_single_field_is_printed_alone(auth):
    assert (0, "/home/joe\n", "") == auth("user", USERS, "joe", "-f", "home")


# As doveadm: it ends with 0 as well.
def test_field_that_a_user_does_not_have_is_no_failure(auth):
    assert (0, "", "lualoft: user joe has no field nope\n") == auth("user", USERS, "joe", "-f", "nope")


def test_lookup_answers_for_every_user_without_a_redis(lualoft):
    arguments = ("--redis-url", NOWHERE, "auth", "user", USERS, "joe", "ann", "--json")
    result = lualoft(*arguments, LUALOFT_KEY=generate_key())
    assert 75 == result.code
    assert [("joe", "internal_failure"), ("ann", "internal_failure")] == [
        (line["user"], line["verdict"]) for line in result.objects()
    ]


@pytest.mark.parametrize("name", ["lookup", "user"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Missing argument 'SCRIPT'"),
        ([USERS], "Missing argument 'USER...'"),
        ([USERS, "joe", ""], "USER is empty"),
        ([USERS, "joe", "--json", "-f", "home"], "exclude each other"),
    ],
    ids=["nothing", "no user", "empty user", "field and JSON"],
)
def test_wrong_use_of_a_lookup_is_told(lualoft, name, arguments, told):
    result = lualoft("auth", name, *arguments)
    assert (2, "") == (result.code, result.out)
    assert told in result.err


# users


def test_users_are_listed_one_on_a_line(auth):
    assert (0, "joe\nann\nBob@example.org\nbad\\nname\\x1b\ncaf\\xe9\n", "") == auth("users", USERS)


def test_users_as_json_lines(auth):
    found = [line["user"] for line in auth("users", USERS, "--json").objects()]
    assert ["joe", "ann", "Bob@example.org", "bad\nname\x1b", {"base64": "Y2Fm6Q=="}] == found


@pytest.mark.parametrize(("mask", "expected"), [("b*@*", "Bob@example.org\n"), ("?o?", "joe\n"), ("zzz*", "")])
def test_mask_picks_users(auth, mask, expected):
    assert (0, expected) == auth("users", USERS, mask)[:2]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("function auth_userdb_iterate() error('it went wrong') end", "it went wrong"),
        ("function auth_userdb_iterate() return 5 end", "Cannot iterate, return value is not table"),
        ("x = 1", "'auth_userdb_iterate' is not a function"),
        ("local a =\n= 1", "load_error"),
    ],
    ids=["error", "no table", "no function", "does not load"],
)
def test_list_that_is_not_complete_is_75(auth, write, source, reason):
    result = auth("users", write("script.lua", source))
    assert (75, "") == (result.code, result.out)
    assert reason in result.err


def test_names_before_a_failure_are_listed(auth, write, tmp_path):
    # A page is about a megabyte; the second one is asked of a script that fails from its second call on.
    source = f"""
    function auth_userdb_iterate()
        if io.open("{tmp_path}/called") then error("it went wrong") end
        io.open("{tmp_path}/called", "w"):close()
        local names = {{}}
        for i = 1, 20000 do names[i] = ("%099d"):format(i) end
        return names
    end
    """
    result = auth("users", write("script.lua", source))
    names = result.out.splitlines()
    assert 75 == result.code
    assert "it went wrong" in result.err
    assert 1 < len(names) < 20000
    assert [f"{number:099d}" for number in range(1, len(names) + 1)] == names


def test_users_without_a_redis_that_answers_are_75(lualoft):
    result = lualoft("--redis-url", NOWHERE, "auth", "users", USERS, LUALOFT_KEY=generate_key())
    assert (75, "") == (result.code, result.out)
    assert "is not available" in result.err


def listing(write, count, size_bytes):
    source = f"""
    local names = {{}}
    for i = 1, {count} do names[i] = ("%0{size_bytes}d"):format(i) end
    function auth_userdb_iterate() return names end
    """
    return write(f"names{count}.lua", source)


def test_large_list_is_streamed_in_bounded_memory(up_config, write, start):
    peaks_kib = []
    for count in (1, 500_000):
        command = start("--config", up_config, "auth", "users", listing(write, count, 99))
        # The peak of exactly this process.
        _, status, used = os.wait4(command.process.pid, 0)
        assert 0 == status
        peaks_kib.append(used.ru_maxrss)
    assert [f"{number:099d}" for number in range(1, 500_001)] == command.out.splitlines()
    # All names together take over 50 MB.
    assert peaks_kib[1] - peaks_kib[0] < 24 * 1024


def test_reader_that_goes_away_ends_the_list_quietly(start, up_config, write):
    read_end, write_end = os.pipe()
    command = start("--config", up_config, "auth", "users", listing(write, 100_000, 99), stdout=write_end)
    os.close(write_end)
    os.read(read_end, 1)
    os.close(read_end)
    assert (141, "") == (command.end().code, command.err)


def test_reader_that_has_stopped_reading_does_not_keep_the_list_alive(start, up_config, write):
    read_end, write_end = os.pipe()
    command = start("--config", up_config, "auth", "users", listing(write, 100_000, 99), stdout=write_end)
    os.close(write_end)
    os.read(read_end, 1)
    assert 130 == command.end(signal.SIGINT).code
    os.close(read_end)


# The help, and the real doveadm


@pytest.mark.parametrize("name", ["test", "lookup", "user", "users"])
def test_help_names_the_exit_codes(lualoft, name):
    result = lualoft("auth", name, "--help")
    assert (0, "") == (result.code, result.err)
    assert "Exit codes: 0" in result.out


def test_help_of_the_group_has_a_table_of_exit_codes(lualoft):
    result = lualoft("auth", "--help")
    assert all(f"  {code}  " in result.out for code in (0, 1, 2, 67, 75, 78))


@pytest.fixture(scope="module")
def doveadm(tmp_path_factory):
    """Run the real doveadm on a private Dovecot that has the script of this file."""
    program = require_program("doveadm", package="dovecot-core")
    folder = tmp_path_factory.mktemp("dovecot")
    dovecot = Dovecot(folder, USERS, blocking=True)

    def run(*arguments):
        command = [program, "-c", folder / "dovecot.conf", "auth", *arguments]
        process = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return process.returncode, process.stdout.splitlines()

    yield run
    dovecot.close()


def without(lines, *beginnings):
    return sorted(line for line in lines if not line.startswith(beginnings))


@pytest.mark.parametrize(
    ("user", "password"), [("joe", "hunter2"), ("joe", "wrong"), ("eve", "x"), ("off", "x"), ("old", "x")]
)
def test_login_looks_as_the_real_doveadm_shows_it(login, doveadm, user, password):
    # The delay of failed logins is not what is looked at.
    theirs = doveadm("test", "-x", "no-penalty", user, password)[1]
    ours = login(user, password, "--dialect", "2.3").out.partition("userdb fields:")[0].partition("scripts:")[0]
    assert without(theirs, "  pass=") == without(ours.splitlines(), "  pass=")


def test_lookup_looks_as_the_real_doveadm_shows_it(auth, doveadm):
    theirs, ours = doveadm("lookup", "joe")[1], auth("lookup", USERS, "joe", "--dialect", "2.3").out.splitlines()
    # Ours shows the scheme of the stored password besides.
    assert without(theirs, "  pass ") == without(ours, "  pass ", "  password ")


def test_user_who_does_not_exist_has_the_exit_code_of_the_real_doveadm(auth, doveadm):
    assert doveadm("lookup", "eve")[0] == auth("lookup", USERS, "eve", "--dialect", "2.3").code
