"""Where a secret could turn up: what Redis was sent and keeps, its files, and what processes show to others."""

import socket
import threading
from pathlib import Path

from dispatcher.protocol.connection import connect_sync


class Monitor:
    """Everything that the server is asked, as MONITOR tells it; a context manager."""

    def __init__(self, path):
        self._path = str(path)
        self._parts = []

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._path)
        self._socket.sendall(b"MONITOR\r\n")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    @property
    def transcript(self):
        return b"".join(self._parts)

    def _read(self):
        while data := self._socket.recv(65536):
            self._parts.append(data)


#: Type of a key -> the command that gives all of it.
_READERS = {
    b"string": lambda redis, key: redis.get(key),
    b"hash": lambda redis, key: redis.hgetall(key),
    b"list": lambda redis, key: redis.lrange(key, 0, -1),
    b"set": lambda redis, key: redis.smembers(key),
    b"zset": lambda redis, key: redis.zrange(key, 0, -1, withscores=True),
    b"stream": lambda redis, key: redis.xrange(key),
}


def keys_and_values(redis_settings):
    """All keys with all that is under them: key -> bytes."""
    with connect_sync(redis_settings) as redis:
        found = {}
        for key in redis.keys("*"):
            kind = redis.type(key)
            # Gone meanwhile: none.
            value = _READERS[kind](redis, key) if kind in _READERS else None
            found[key] = b"\n".join(_bytes_of(value))
        return found


def _bytes_of(value):
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _bytes_of(list(pair))
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _bytes_of(item)


def files_in(folder):
    """The content of all files, by name."""
    return {f"file {path.name}": path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def processes_below(pid):
    """What anybody of this machine may read about the process and its descendants, and root about their environment."""
    family = [pid]
    for parent in family:
        family += [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    names = ("cmdline", "environ", "comm", "status")
    return {f"process {pid} {name}": Path(f"/proc/{pid}/{name}").read_bytes() for pid in family for name in names}
