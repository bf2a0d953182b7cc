"""Where scripts come from, and what they are called then."""

from __future__ import annotations

import errno
import hashlib
import io
import os

import pytest

from workers.lua.script_source import ScriptReadError, from_file, from_file_text, from_stream, from_string, source_of


class _BrokenStream(io.BytesIO):
    def read(self, _size=-1):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_missing_file_cannot_be_accessed(tmp_path):
    path = str(tmp_path / "nosuch.lua")
    with pytest.raises(ScriptReadError) as caught:
        from_file(path)
    assert f"access({path}) failed: No such file or directory" == str(caught.value)


def test_a_directory_is_no_script(tmp_path):
    with pytest.raises(ScriptReadError) as caught:
        from_file(str(tmp_path))
    assert f"lua_load({tmp_path}) failed: cannot read {tmp_path}: Is a directory" == str(caught.value)


def test_a_file_is_named_as_given(tmp_path):
    path = tmp_path / "s.lua"
    path.write_bytes(b"x = 1")
    source = from_file(str(path))
    assert (str(path), b"@" + bytes(path), b"x = 1") == (source.name, source.chunk_name, source.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"#!lua\nx", b"\nx"),
        (b"#!lua", b""),
        (b"#\r\nx", b"\nx"),
        (b"\xef\xbb\xbf#!lua\nx", b"\nx"),
        (b"\xef\xbb\xbfx", b"x"),
        (b"x\n#y", b"x\n#y"),
        (b"", b""),
    ],
)
def test_a_first_line_with_a_hash_is_skipped_and_counted(text, expected):
    assert expected == from_file_text("s.lua", text).text


def test_a_string_is_named_by_its_sha_1_up_to_its_first_nul():
    source = from_string(b"x = 1\0y")
    assert hashlib.sha1(b"x = 1").hexdigest() == source.name
    assert ("<string>", b"x = 1") == (source.load_name, source.text)


def test_the_chunk_name_of_a_long_string_is_short():
    assert len(from_string(b"x = 1;" * 1_000_000).chunk_name) <= 200


def test_a_stream_is_named_as_it_is():
    source = from_stream("-", io.BytesIO(b"#x"))
    assert ("-", b"-", b"#x") == (source.name, source.chunk_name, source.text)


def test_a_stream_that_cannot_be_read_says_so_twice():
    with pytest.raises(ScriptReadError) as caught:
        from_stream("in", _BrokenStream())
    assert "lua_load(in) failed: read(in) failed: Input/output error" == str(caught.value)


def test_a_stream_needs_a_name():
    with pytest.raises(ScriptReadError):
        from_stream("", io.BytesIO())


@pytest.mark.parametrize(("origin", "chunk_name"), [("file", b"@n"), ("stream", b"n"), ("string", b"x")])
def test_a_shipped_script_is_made_by_its_origin(origin, chunk_name):
    assert chunk_name == source_of("n", origin, b"x").chunk_name


def test_the_repr_does_not_show_the_text():
    assert "secret" not in repr(from_file_text("n", b"secret"))
