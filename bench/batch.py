"""`lualoft batch` over 200,000 lines: rate and memory of the command; beside plain RQ fed with the same lines.

Run by `python -m bench batch`. The rate counts the whole command: reading, calling, writing, server and workers.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.check import FUNCTION, SOURCE, is_correct
from bench.measure import Meter
from bench.plain_rq import PlainRqPool, run_load
from bench.report import Report, Row
from dispatcher.embedded import EmbeddedServer
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings

#: Lines of the file.
LINES: Final = 200_000
#: Lines that plain RQ gets.
PEER_LINES: Final = 3_000
#: Workers of each system.
WORKERS: Final = 2

_KIBIBYTES_PER_MEBIBYTE: Final = 1024


def run() -> Report:
    """Run the command on a file in a temporary folder, then the peer."""
    with tempfile.TemporaryDirectory() as name:
        ours = _run_command(Path(name))
    with EmbeddedServer() as server, PlainRqPool(server.url, WORKERS):
        redis = connect_sync(RedisSettings(url=Secret(server.url)))
        meter = Meter(redis, "plain RQ", f"{PEER_LINES:,} lines")
        run_load(redis, 1024, PEER_LINES, meter)
        theirs = meter.row()
    return Report("batch", [ours, theirs], {"rate": ours.rate_per_s / theirs.rate_per_s})


def _run_command(folder: Path) -> Row:
    script, lines, output = folder / "check.lua", folder / "in.jsonl", folder / "out.jsonl"
    script.write_bytes(SOURCE)
    with lines.open("w", encoding="utf-8") as file:
        for number in range(LINES):
            request = {"user": "ada", "service": "imap", "remote_ip": "192.0.2.7"}
            file.write(json.dumps({"id": number, "args": [request, "secret" if number % 3 else "guess"]}) + "\n")
    command = [sys.executable, "-m", "dispatcher.cli.main", "batch", str(script), FUNCTION, str(lines)]
    start_s = time.perf_counter()
    child = os.posix_spawn(sys.executable, [*command, "-o", str(output), "--workers", str(WORKERS)], dict(os.environ))
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - start_s
    _check(status, output)
    return Row(
        load=f"{LINES:,} lines",
        who="lualoft",
        rate_per_s=LINES / wall_s,
        rss_mib=usage.ru_maxrss / _KIBIBYTES_PER_MEBIBYTE,
    )


def _check(status: int, output: Path) -> None:
    if status != 0:
        message = f"lualoft batch ended with status {status}"
        raise AssertionError(message)
    count = 0
    with output.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            values = json.loads(line)["values"]
            expected = [_as_bytes(value) for value in values]
            if not is_correct(number, expected):
                message = f"line {number + 1} was answered wrongly: {values}"
                raise AssertionError(message)
            count += 1
    if count != LINES:
        message = f"{count} lines were written, not {LINES}"
        raise AssertionError(message)


def _as_bytes(value: object) -> object:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return {_as_bytes(key): _as_bytes(item) for key, item in value.items()}
    return value
