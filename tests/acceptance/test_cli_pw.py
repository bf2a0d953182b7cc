import json
import signal
import subprocess

import pytest

from tests.acceptance.conftest import LIMIT_S
from tests.acceptance.terminal import Terminal
from tests.debian import require_program
from workers.passwords.policy import Dialect
from workers.passwords.schemes import list_schemes

OF_2_3 = [scheme.name.decode() for scheme in list_schemes(Dialect.V2_3)]
SHA_UNDECODABLE = "Password data is not valid for scheme SHA: Input isn't valid base64 encoded data"
BCRYPT_REFUSED = "Password hash refused: the cost of bcrypt is over the limit of 16"
SHA_OF_SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


@pytest.fixture(scope="session")
def doveadm():
    """Run the real `doveadm pw`; it needs neither a running Dovecot nor a configuration."""
    program = require_program("doveadm", package="dovecot-core")

    def run(*arguments):
        process = subprocess.run([program, "pw", *arguments], capture_output=True, timeout=LIMIT_S, check=False)
        return process.returncode, process.stdout.decode().strip(), process.stderr.decode().strip()

    return run


def test_hash_is_made_of_the_first_line_of_standard_input(lualoft):
    result = lualoft("pw", "-s", "sha", stdin="secret\r\nmore\n")
    assert (0, f"{SHA_OF_SECRET}\n", "") == result


def test_hash_is_made_of_the_first_line_of_a_file(lualoft, write):
    result = lualoft("pw", "-s", "SHA", "--password-file", write("password", "secret\n"))
    assert (0, f"{SHA_OF_SECRET}\n", "") == result


def test_default_scheme_is_doveadms(lualoft):
    assert lualoft("pw", stdin="secret\n").out.startswith("{CRYPT}$2y$05$")


def test_rounds_are_taken(lualoft):
    assert lualoft("pw", "-s", "BLF-CRYPT", "-r", "6", stdin="secret\n").out.startswith("{BLF-CRYPT}$2y$06$")


def test_password_of_any_bytes_is_taken(lualoft):
    made = lualoft("pw", "-s", "PLAIN.hex", stdin=b"caf\xe9\n")
    assert "{PLAIN.HEX}636166e9\n" == made.out


@pytest.mark.parametrize(
    ("stored", "password", "code", "out", "err"),
    [
        (SHA_OF_SECRET, "secret", 0, f"{SHA_OF_SECRET} (verified)\n", ""),
        (SHA_OF_SECRET, "wrong", 1, "", "lualoft: reverse password verification check failed: Password mismatch\n"),
        ("{NOPE}x", "x", 1, "", "lualoft: reverse decode check failed: Unknown scheme NOPE\n"),
        (
            "{SHA}x",
            "x",
            1,
            "",
            f"lualoft: reverse decode check failed: {SHA_UNDECODABLE}\n",
        ),
        (
            "{BLF-CRYPT}$2y$31$abcdefghijklmnopqrstuuP0OnjZCFduGCxjP1QtZiJcwmesyncYa",
            "x",
            1,
            "",
            f"lualoft: reverse password verification check failed: {BCRYPT_REFUSED}\n",
        ),
        ("x", "x", 2, "", "lualoft: Missing {scheme} prefix from hash\n"),
    ],
    ids=["match", "mismatch", "unknown scheme", "undecodable", "absurd cost", "no prefix"],
)
def test_hash_is_tested(lualoft, stored, password, code, out, err):
    assert (code, out, err) == lualoft("pw", "-t", stored, stdin=f"{password}\n")


def test_hash_and_password_may_both_come_from_standard_input(lualoft):
    assert (0, f"{SHA_OF_SECRET} (verified)\n", "") == lualoft("pw", "-t", "-", stdin=f"{SHA_OF_SECRET}\nsecret\n")


def test_json_of_a_new_hash(lualoft):
    assert [{"hash": SHA_OF_SECRET}] == lualoft("pw", "-s", "SHA", "--json", stdin="secret\n").objects()


def test_json_of_a_test(lualoft):
    result = lualoft("pw", "-t", SHA_OF_SECRET, "--json", stdin="wrong\n")
    expected = {"hash": SHA_OF_SECRET, "verdict": "mismatch", "result": 0, "error": "Password mismatch"}
    assert (1, [expected]) == (result.code, result.objects())


def test_new_hash_is_checked_on_request(lualoft):
    assert (0, f"{SHA_OF_SECRET} (verified)\n", "") == lualoft("pw", "-V", "-s", "SHA", stdin="secret\n")


def test_digest_md5_hashes_the_user_name(lualoft):
    made = lualoft("pw", "-s", "DIGEST-MD5", "-u", "joe@example.org", stdin="secret\n").out.strip()
    assert 0 == lualoft("pw", "-t", made, "-u", "joe@example.org", stdin="secret\n").code
    assert 1 == lualoft("pw", "-t", made, "-u", "jim@example.org", stdin="secret\n").code


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["-s", "NOPE"], "x\n", "lualoft: Unknown scheme: NOPE"),
        (["-s", "DIGEST-MD5"], "x\n", "the user name too"),
        (["-s", "BLF-CRYPT", "-r", "31"], "x\n", "the cost of bcrypt is over the limit of 16"),
        ([], "", "standard input has no line for the password"),
        ([], "\n", "the password is empty"),
        ([], "x" * 70_000, "more than 65536 bytes"),
        (["-r", "-1"], "x\n", "-r"),
        (["-p", "x", "--password-file", "f"], "", "exclude each other"),
        (
            ["--password-file", "no-such-file"],
            "",
            "the password file no-such-file cannot be read: No such file or directory",
        ),
        (["extra"], "", "unexpected extra argument"),
    ],
    ids=["scheme", "user", "cost", "end of file", "empty line", "long line", "rounds", "two", "no file", "extra"],
)
def test_wrong_usage_is_explained(lualoft, arguments, stdin, message):
    result = lualoft("pw", *arguments, stdin=stdin)
    assert (2, "") == (result.code, result.out)
    assert message in result.err


@pytest.mark.parametrize("arguments", [["-s", "NOPE"], ["-t", SHA_OF_SECRET], ["-s", "ARGON2ID", "-r", "99"]])
def test_no_error_shows_the_password(lualoft, arguments):
    result = lualoft("pw", *arguments, stdin="hunter2\n")
    assert 0 != result.code
    assert "hunter2" not in result.out + result.err


def test_terminal_is_asked_twice_and_shows_nothing(tmp_path):
    terminal = Terminal(["pw", "-s", "SHA"], tmp_path)
    terminal.answer(b"Enter new password: ", b"secret\n")
    terminal.answer(b"Retype new password: ", b"secret\n")
    assert (0, f"{SHA_OF_SECRET}\n") == terminal.end()
    assert b"secret" not in terminal.shown


def test_terminal_is_asked_once_for_a_test(tmp_path):
    terminal = Terminal(["pw", "-t", SHA_OF_SECRET], tmp_path)
    terminal.answer(b"Enter password to verify: ", b"secret\n")
    assert (0, f"{SHA_OF_SECRET} (verified)\n") == terminal.end()
    assert b"Retype" not in terminal.shown


def test_passwords_that_differ_are_asked_for_again(tmp_path):
    terminal = Terminal(["pw", "-s", "SHA"], tmp_path)
    for first, second in ((b"secret\n", b"sceret\n"), (b"secret\n", b"secret\n")):
        terminal.answer(b"Enter new password: ", first)
        terminal.answer(b"Retype new password: ", second)
    assert (0, f"{SHA_OF_SECRET}\n") == terminal.end()
    assert b"The two passwords differ" in terminal.shown


def test_ctrl_c_at_the_question_gives_the_terminal_its_echo_back(tmp_path):
    terminal = Terminal(["pw"], tmp_path)
    terminal.wait_for(b"Enter new password: ")
    assert not terminal.has_echo
    terminal.process.send_signal(signal.SIGINT)
    terminal.process.wait(LIMIT_S)
    assert terminal.has_echo
    assert (130, "") == terminal.end()


def test_end_of_file_at_the_question_is_wrong_usage(tmp_path):
    terminal = Terminal(["pw"], tmp_path)
    terminal.answer(b"Enter new password: ", b"\x04")
    assert (2, "") == terminal.end()
    assert b"no password was typed" in terminal.shown


def test_list_is_that_of_the_real_doveadm(lualoft, doveadm):
    ours, theirs = lualoft("pw", "-l").out.split(), doveadm("-l")[1].split()
    # ARGON2 is a name of 2.4 only, and 2.4 has no OTP.
    assert set(theirs) | {"ARGON2", "OTP"} == set(ours)


def test_list_as_json_tells_dialects_and_weakness(lualoft):
    (shown,) = lualoft("pw", "-l", "--json").objects()
    found = {entry.pop("name"): entry for entry in shown}
    assert {"is_weak": True, "dialects": ["2.3", "2.4"]} == found["PLAIN-MD5"]
    assert {"is_weak": False, "dialects": ["2.3"]} == found["OTP"]


@pytest.mark.parametrize("name", OF_2_3)
def test_real_doveadm_takes_our_hash(lualoft, doveadm, name):
    if name not in doveadm("-l")[1].split():
        pytest.skip(f"this doveadm has no {name}")
    made = lualoft("pw", "-s", name, "-u", "joe@example.org", stdin="secret\n").out.strip()
    assert (0, f"{made} (verified)", "") == doveadm("-t", made, "-p", "secret", "-u", "joe@example.org")


@pytest.mark.parametrize("name", [name for name in OF_2_3 if name != "PLAIN-TRUNC"])
def test_hash_of_the_real_doveadm_matches_here(lualoft, doveadm, name):
    if name not in doveadm("-l")[1].split():
        pytest.skip(f"this doveadm has no {name}")
    _, made, _ = doveadm("-s", name, "-p", "secret", "-u", "joe@example.org")
    result = lualoft("pw", "-t", "-", "-u", "joe@example.org", "--json", stdin=f"{made}\nsecret\n")
    assert (0, "match") == (result.code, json.loads(result.out)["verdict"])
