import io
import os
import sys

import pytest

from dispatcher.protocol.password_input import (
    MAX_PASSWORD_BYTES,
    PasswordInputError,
    has_terminal,
    password_from_file,
    password_from_stdin,
)

CONTENTS = [
    pytest.param(b"secret", b"secret", id="no line end"),
    pytest.param(b"secret\n", b"secret", id="line end"),
    pytest.param(b"secret\r\nmore\n", b"secret", id="Windows line end and more"),
    pytest.param(b" se cret\t\n", b" se cret\t", id="white space"),
    pytest.param(b"secret\r\r\n", b"secret\r", id="only the line end goes"),
    pytest.param(b"\xff\x00\n", b"\xff\x00", id="any bytes"),
    pytest.param(b"\n", b"", id="empty line"),
    pytest.param(b"\nsecret\n", b"", id="empty first line"),
    pytest.param(b"x" * MAX_PASSWORD_BYTES + b"\r\n", b"x" * MAX_PASSWORD_BYTES, id="longest"),
]
NO_PASSWORDS = [
    pytest.param(b"", "has no line for the password", id="empty"),
    pytest.param(b"x" * (MAX_PASSWORD_BYTES + 1), "has more than 65536 bytes", id="one byte too long"),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "password"


@pytest.fixture
def stdin(monkeypatch):
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize(("content", "expected"), CONTENTS)
def test_password_is_the_first_line_of_a_file(file, content, expected):
    file.write_bytes(content)
    assert expected == password_from_file(str(file))


@pytest.mark.parametrize(("content", "expected"), CONTENTS)
def test_password_is_the_first_line_of_standard_input(stdin, content, expected):
    stdin(content)
    assert expected == password_from_stdin()


@pytest.mark.parametrize(("content", "told"), NO_PASSWORDS)
def test_file_without_a_password_is_told(file, content, told):
    file.write_bytes(content)
    with pytest.raises(PasswordInputError, match=told):
        password_from_file(str(file))


@pytest.mark.parametrize(("content", "told"), NO_PASSWORDS)
def test_standard_input_without_a_password_is_told(stdin, content, told):
    stdin(content)
    with pytest.raises(PasswordInputError, match=told):
        password_from_stdin()


def test_closed_standard_input_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(PasswordInputError, match="standard input is closed"):
        password_from_stdin()
    assert not has_terminal()


def test_file_that_is_too_large_is_told(file):
    file.write_bytes(b"secret\n" + b"x" * 2 * MAX_PASSWORD_BYTES)
    with pytest.raises(PasswordInputError, match="cannot be read: Is larger than 131072 bytes"):
        password_from_file(str(file))


def test_missing_file_and_directory_and_device_are_told(tmp_path):
    for path, told in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory"), ("/dev/zero", "regular")):
        with pytest.raises(PasswordInputError, match=told):
            password_from_file(str(path))


def test_password_may_come_through_a_pipe():
    read_end, write_end = os.pipe()
    os.write(write_end, b"secret\n")
    os.close(write_end)
    assert b"secret" == password_from_file(f"/proc/self/fd/{read_end}")
    os.close(read_end)
