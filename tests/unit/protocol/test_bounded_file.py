import errno
import os
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from dispatcher.protocol.bounded_file import read_bounded


@pytest.mark.parametrize("size_bytes", [0, 1, 4, 5])
def test_file_up_to_the_limit_is_read_whole(tmp_path, size_bytes):
    (tmp_path / "file").write_bytes(b"x" * size_bytes)
    assert b"x" * size_bytes == read_bounded(tmp_path / "file", 5)


def test_file_beyond_the_limit_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 6)
    with pytest.raises(OSError, match="Is larger than 5 bytes"):
        read_bounded(tmp_path / "file", 5)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/", "Is a directory"), ("/dev/zero", "Is not a regular file"), ("a\0b", "the path holds a NUL")],
    ids=["directory", "device", "NUL"],
)
def test_what_is_no_file_is_refused(path, reason):
    with pytest.raises(OSError, match=reason):
        read_bounded(path, 5, may_be_pipe=True)


def test_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "file", 5)


@pytest.fixture
def pipe():
    """A pipe; yields (path to read from, descriptor to write to)."""
    read_end, write_end = os.pipe()
    yield f"/proc/self/fd/{read_end}", write_end
    os.close(read_end)


@pytest.mark.parametrize("data", [b"x", b"x" * 5])
def test_pipe_up_to_the_limit_is_read_whole(pipe, data):
    path, write_end = pipe
    os.write(write_end, data)
    os.close(write_end)
    assert data == read_bounded(path, 5, may_be_pipe=True)


def test_pipe_beyond_the_limit_is_refused(pipe):
    path, write_end = pipe
    os.write(write_end, b"x" * 6)
    os.close(write_end)
    with pytest.raises(OSError, match="Is larger than 5 bytes"):
        read_bounded(path, 5, may_be_pipe=True)


def test_pipe_is_refused_unless_allowed(pipe):
    path, write_end = pipe
    os.close(write_end)
    with pytest.raises(OSError, match="Is not a regular file"):
        read_bounded(path, 5)


def test_writer_that_is_still_thinking_is_waited_for(pipe):
    path, write_end = pipe
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_bounded, path, 5, may_be_pipe=True)
        assert not wait([reading], 0.05).done
        os.write(write_end, b"x")
        os.close(write_end)
        assert b"x" == reading.result(10)


def test_pipe_into_which_nobody_writes_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="into which nobody writes") as caught:
        read_bounded(tmp_path / "pipe", 5, may_be_pipe=True)
    assert errno.EPIPE == caught.value.errno
