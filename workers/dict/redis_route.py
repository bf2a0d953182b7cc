"""Which server of a Redis cluster a command goes to; with a single server, always the same one.

The redis driver asks through it. Where a slot lies is learnt from the servers' own words (MOVED, ASK): a command that
got such an answer was not carried out, so it is sent on. Every server has a connection of its own.
"""

import re
from typing import Any, Final

from dispatcher.protocol.raw_connection import ReplyError
from dispatcher.protocol.redis_address import at_other_host
from dispatcher.protocol.settings import RedisSettings
from workers.dict.error import DictIterationError
from workers.dict.redis_wire import RedisWire, WireError
from workers.dict.resp import packed
from workers.dict.slot import slot_of

#: Times that one command is sent on.
_MAX_HOPS: Final = 5
_ASKING: Final = packed(b"ASKING")


#: "MOVED 3999 127.0.0.1:6381"
_DIRECTION: Final = re.compile(r"[A-Z]+ ([0-9]{1,5}) (\S*):([0-9]{1,5})(?: .*)?", re.ASCII)


class RedisRoute:
    """The servers of one dict; belongs to one event loop."""

    def __init__(self, settings: RedisSettings, timeout_s: float) -> None:
        """Set up without connecting."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._first = RedisWire(settings, timeout_s)
        #: (host, port) -> connection.
        self._others: dict[tuple[str, int], RedisWire] = {}
        #: Slot -> connection; a slot that is not here is asked for at the first server.
        self._by_slot: dict[int, RedisWire] = {}
        #: Whether the server has shown itself as one of a cluster.
        self.is_cluster = False

    def wire_of(self, name: bytes) -> RedisWire:
        """Return the connection to the server that has a name, as far as is known."""
        return self._by_slot.get(slot_of(name), self._first) if self._by_slot else self._first

    async def ask(self, name: bytes, command: bytes) -> Any:  # noqa: ANN401 - a reply of Redis
        """Send a command about a name and return its reply; errors as `RedisWire.ask`."""
        wire = self.wire_of(name)
        try:
            return await self.follow(await wire.ask(command), command)
        except WireError:
            # It may be gone for good; the first server knows who has taken its slots over.
            self._by_slot = {slot: other for slot, other in self._by_slot.items() if other is not wire}
            raise

    async def ask_here(self, wire: RedisWire, commands: list[bytes]) -> list[Any]:
        """Send several commands to one server; what it does not have goes on to the one that does."""
        replies = await wire.ask_many(commands)
        return [
            await self.follow(reply, command) if isinstance(reply, ReplyError) else reply
            for reply, command in zip(replies, commands, strict=True)
        ]

    async def follow(self, reply: Any, command: bytes) -> Any:  # noqa: ANN401 - a reply of Redis
        """Send a command on as long as its reply says that another server has the name."""
        for _ in range(_MAX_HOPS):
            if not isinstance(reply, ReplyError) or reply.code not in {"MOVED", "ASK"}:
                break
            direction = _direction(reply.line)
            if direction is None:
                break
            self.is_cluster = True
            slot, host, port = direction
            wire = self._wire_to(host, port)
            if reply.code == "ASK":
                # The slot is on its way: this command only.
                _, reply = await wire.ask_many([_ASKING, command])
            else:
                self._by_slot[slot] = wire
                reply = await wire.ask(command)
        return reply

    async def primaries(self) -> list[RedisWire]:
        """Return connections to all servers that hold names.

        **Redis**: CLUSTER SLOTS, which a single server refuses.

        Raises:
            WireError: there is no answer.
            DictIterationError: the answer makes no sense.
        """
        command = packed(b"CLUSTER", b"SLOTS")
        try:
            reply = await self._first.ask(command)
        except WireError as exc:
            if exc.is_timeout or not exc.was_sent:
                raise
            reply = await self._first.ask(command)
        if isinstance(reply, ReplyError):
            return [self._first]
        try:
            places = {(primary[0].decode(), int(primary[1])) for _, _, primary, *_ in reply}
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as exc:
            raise DictIterationError("redis: CLUSTER SLOTS does not answer as expected") from exc
        self.is_cluster = True
        return [self._wire_to(*place) for place in sorted(places)]

    async def close(self) -> None:
        """Close all connections."""
        for wire in (self._first, *self._others.values()):
            await wire.close()

    def _wire_to(self, host: str, port: int) -> RedisWire:
        if not host:
            # A server that does not know its own address means itself.
            return self._first
        if (host, port) not in self._others:
            settings = RedisSettings(
                url=at_other_host(self._settings.url, host, port),
                socket_timeout_s=self._settings.socket_timeout_s,
                connect_timeout_s=self._settings.connect_timeout_s,
                max_backoff_s=self._settings.max_backoff_s,
            )
            self._others[host, port] = RedisWire(settings, self._timeout_s)
        return self._others[host, port]


def _direction(line: str) -> tuple[int, str, int] | None:
    """Return slot, host and port that an error reply sends us to; None if it does not say so rightly."""
    found = _DIRECTION.fullmatch(line)
    return (int(found[1]), found[2], int(found[3])) if found else None
