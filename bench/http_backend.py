"""The web service of `bench http`: answers each POST after a while. `python -m bench.http_backend` prints its port.

`/` answers after 200 ms, `/hang` after ten seconds. One process over asyncio, so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Final

import uvloop

#: Path -> seconds until it answers.
DELAYS_S: Final = {b"/": 0.2, b"/hang": 10.0}

ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            length = _LENGTH.search(head)
            if b"\r\nexpect:" in head.lower():
                # Dovecot 2.3 asks before each payload.
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if length:
                await reader.readexactly(int(length[1]))
            await asyncio.sleep(DELAYS_S[path])
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
