"""Reads a small file whole: never more than a limit, never from a device, never waiting for a pipe that nobody feeds.

The settings and the script catalogue read with it what somebody names: a settings file, a key file, a script. Why a
file cannot be read is an OSError in every case, so that each caller translates one kind of error.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 1024 * 1024


def read_bounded(path: str | Path, limit_bytes: int, *, may_be_pipe: bool = False) -> bytes:
    """Return the content of a file.

    Args:
        path: the file.
        limit_bytes: a longer one is refused.
        may_be_pipe: take a pipe too, as a shell makes one for `<(...)`; it can be read only once.

    Raises:
        OSError: it cannot be read, is too long, or is neither a regular file nor an allowed pipe; `strerror` says why.
    """
    try:
        # Not blocking: opening a named pipe would wait for somebody who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "the path holds a NUL") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISFIFO(mode) and may_be_pipe:
            return _read_pipe(descriptor, limit_bytes)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "Is not a regular file")
        return _read(descriptor, b"", limit_bytes)
    finally:
        os.close(descriptor)


def _read_pipe(descriptor: int, limit_bytes: int) -> bytes:
    try:
        # A pipe into which nobody writes is at its end already; one whose writer is still thinking would block.
        begin = os.read(descriptor, limit_bytes + 1)
        if not begin:
            raise OSError(errno.EPIPE, "Is a pipe into which nobody writes")
    except BlockingIOError:
        begin = b""
    os.set_blocking(descriptor, True)
    return _read(descriptor, begin, limit_bytes)


def _read(descriptor: int, begin: bytes, limit_bytes: int) -> bytes:
    blocks, left_bytes = [begin], limit_bytes + 1 - len(begin)
    while left_bytes > 0 and (block := os.read(descriptor, min(left_bytes, _BLOCK_BYTES))):
        blocks.append(block)
        left_bytes -= len(block)
    if left_bytes <= 0:
        raise OSError(errno.EFBIG, f"Is larger than {limit_bytes} bytes")
    return b"".join(blocks)
