"""A proxy before the test's Redis that loses the connection at a chosen moment of a commit."""

import asyncio
import tempfile
from enum import Enum
from pathlib import Path
from typing import Self


class Fault(Enum):
    """What happens to a commit."""

    NONE = "none"
    #: The server never sees it.
    BEFORE = "before"
    #: The server sees one half of it.
    DURING = "during"
    #: The server carries it out; its answer is lost.
    AFTER = "after"
    #: The server carries it out; its answer never comes, and the connection stays.
    SILENT = "silent"
    #: It is held back, the connection is cut, and it reaches the server only after the next one.
    LATE = "late"


class FaultyProxy:
    """Listens on a unix socket; `fault` strikes the next `count` commits."""

    def __init__(self, redis_url: str) -> None:
        self._redis_path = redis_url.removeprefix("unix://")
        self._folder = tempfile.TemporaryDirectory(prefix="lualoft-")
        self._path = Path(self._folder.name) / "proxy.sock"
        self._server: asyncio.Server | None = None
        self._held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]] = []
        self._serving: set[asyncio.Task[None]] = set()
        self.url = f"unix://{self._path}"
        self.fault = Fault.NONE
        self.count = 0
        #: Commits that went by.
        self.commit_count = 0
        self.connection_count = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_listening()
        # Every connection ends when the clients have gone.
        await asyncio.gather(*self._serving)
        self._folder.cleanup()

    async def listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def stop_listening(self) -> None:
        """Refuse connections from now on; the open ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._path.unlink(missing_ok=True)

    def strike(self, fault: Fault, count: int = 1) -> None:
        self.fault, self.count = fault, count

    async def release(self) -> None:
        """Let what was held back reach the server, and wait until it was carried out."""
        held, self._held = self._held, []
        for reader, writer, data in held:
            writer.write(data)
            await reader.read(1)
            writer.close()
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection_count += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        server_reader, server_writer = await asyncio.open_unix_connection(self._redis_path)
        swallowing = asyncio.Event()
        back = asyncio.create_task(self._pass_back(server_reader, writer, swallowing))
        kept = False
        try:
            while data := await reader.read(1 << 20):
                kept = await self._pass_on(data, server_reader, server_writer, swallowing, back)
                if kept is not None:
                    break
        except OSError:
            pass
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            if not kept:
                server_writer.close()
                await asyncio.gather(server_writer.wait_closed(), return_exceptions=True)

    async def _pass_on(self, data, server_reader, server_writer, swallowing, back) -> bool | None:
        """Return None to go on; else the connection is cut, and True keeps the one to the server."""
        is_commit = b"EVAL" in data
        self.commit_count += is_commit
        fault = Fault.NONE
        if is_commit and self.count:
            self.count -= 1
            fault = self.fault
        if fault is Fault.BEFORE:
            return False
        if fault is Fault.LATE:
            self._held.append((server_reader, server_writer, data))
            return True
        if fault is Fault.SILENT:
            swallowing.set()
        if fault is Fault.AFTER:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
        server_writer.write(data[: len(data) // 2] if fault is Fault.DURING else data)
        await server_writer.drain()
        if fault is Fault.AFTER:
            await server_reader.read(1)
        return None if fault in {Fault.NONE, Fault.SILENT} else False

    async def _pass_back(self, server_reader, writer, swallowing) -> None:
        while data := await server_reader.read(1 << 20):
            if not swallowing.is_set():
                writer.write(data)
                await writer.drain()
