"""The driver `redis`: lookups and commits over one pipelined connection.

Lookups that are asked for in the same turn of the loop travel together; a commit is one call of `commit.lua`. It words
every trouble as Dovecot's redis driver does, where that has words for it. Iteration is in `redis_scan`.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.protocol.raw_connection import ReplyError
from dispatcher.protocol.settings import RedisSettings
from workers.dict.change import Commit
from workers.dict.commit_script import CommitCall, Token, load_script
from workers.dict.error import DictError, DictIterationError
from workers.dict.redis_route import RedisRoute
from workers.dict.redis_scan import IndexScan, KeyspaceScan
from workers.dict.redis_wire import WireError
from workers.dict.reply_shape import UNEXPECTED, is_words
from workers.dict.resp import get, packed
from workers.dict.result import MISSING, Result, ResultKind, Row, failed, uncertain
from workers.dict.slot import hash_tag
from workers.dict.wording import name_text

#: Behind the prefix, in front of names that are lualoft's own.
RESERVED: Final = b"lualoft:dict-"
#: Behind the prefix: sorted set of the names of a dict with an index, without the prefix.
INDEX: Final = RESERVED + b"index"
#: Behind the prefix, in front of the bitmaps of commits that were carried out.
_TOKENS: Final = RESERVED + b"commits:"
#: Commits that share one bitmap: 8 KiB.
_TOKENS_PER_NAME: Final = 65_536

#: Pause before a commit is sent once more.
_REPEAT_AFTER_S: Final = 0.02

#: Replies of a server that is not, or not any more, the one to write to.
_WRONG_SERVER: Final = frozenset({"READONLY", "MASTERDOWN", "LOADING"})
#: Replies that will be the same next time.
_LASTING: Final = frozenset({"WRONGTYPE", "NOPERM", "CROSSSLOT", "MOVED"})
#: Words for what needs more than the server's own.
_ADVICE: Final = {
    "CROSSSLOT": "on a cluster all keys of one transaction must share a hash tag, "
    "for example by {braces} in the dict's prefix",
    "MOVED": "the key lies on another server of the cluster",
}


@dataclass(frozen=True, kw_only=True)
class RedisOptions:
    """How a dict lies in its database."""

    prefix: bytes = b""
    has_index: bool = False
    #: Longest wait for an answer.
    timeout_s: float = 30.0


class RedisDriver:
    """One dict on one Redis; belongs to one event loop."""

    def __init__(self, settings: RedisSettings, options: RedisOptions) -> None:
        """Set up without connecting."""
        self._options = options
        self._route = RedisRoute(settings, options.timeout_s)
        self._index = options.prefix + INDEX if options.has_index else None
        self._reserved = options.prefix + RESERVED
        self._commit_script = load_script("commit.lua")
        self._token_id = secrets.token_hex(8).encode()
        self._token_count = 0
        self._is_closed = False

    @property
    def is_ordered(self) -> bool:
        """Whether scans give names in the order of their bytes."""
        return self._index is not None

    async def lookup(self, name: bytes) -> Result:
        """Return the value under a name, or the several values of a list.

        **Redis**: GET, then LRANGE if it is no string; sent again once if the connection breaks.
        """
        try:
            reply = await self._ask_again(name, get(name))
            if isinstance(reply, ReplyError) and reply.code == "WRONGTYPE":
                values = await self._ask_again(name, packed(b"LRANGE", name, b"0", b"-1"))
                reply = reply if isinstance(values, ReplyError) else values
        except WireError as exc:
            return failed(_lookup_text(exc), is_temporary=True)
        if isinstance(reply, bytes):
            return Result(ResultKind.OK, (reply,))
        if isinstance(reply, ReplyError):
            self._note(name, reply)
            text = f"redis: Communication failure (last reply: -{reply.line})"
            return failed(text, is_temporary=reply.code not in _LASTING)
        if reply is None or reply == []:
            return MISSING
        return Result(ResultKind.OK, tuple(reply)) if is_words(reply) else failed(UNEXPECTED, is_temporary=True)

    async def commit(self, commit: Commit) -> Result:
        """Carry out all changes in one atomic step, or none.

        **Redis**: EVALSHA, and EVAL if the server does not know the script. A commit that only sets and unsets carries
        a token and is sent again if its answer is lost, until `timeout_s` is over; others are UNCERTAIN then.
        """
        for change in commit.changes:
            if change.name.startswith(self._reserved):
                return failed(f"Key {name_text(change.name)} is reserved for lualoft")
        was_cluster = self._route.is_cluster
        try:
            call = self._call_of(commit)
            reply = await self._run_commit(call, is_repeatable=call.token is not None)
            if isinstance(reply, ReplyError) and reply.code == "CROSSSLOT" and not was_cluster:
                # The first sign of a cluster, and nothing was written: now the token goes to the slot of the keys.
                self._route.is_cluster = True
                call = self._call_of(commit)
                reply = await self._run_commit(call, is_repeatable=call.token is not None)
        except WireError as exc:
            return _unanswered(exc)
        if isinstance(reply, ReplyError):
            self._note(call.keys[0], reply)
            text = f"redis: Unexpected input: -{reply.line}{_advice(reply)}"
            return failed(text, is_temporary=reply.code not in _LASTING)
        result = call.result(reply) if is_words(reply) else None
        # Not from our script, so nobody knows what was done.
        return uncertain(UNEXPECTED) if result is None else result

    def scan(self, beginning: bytes, *, is_recursive: bool, wants_values: bool) -> AsyncGenerator[list[Row], None]:
        """Yield pages of the rows whose names have this beginning; see `redis_scan` for what each kind promises."""
        if self._index is not None:
            scan = IndexScan(self._route, self._index, len(self._options.prefix))
            return scan.pages(beginning, is_recursive=is_recursive, wants_values=wants_values)
        keyspace = KeyspaceScan(self._route, self._reserved)
        return keyspace.pages(beginning, is_recursive=is_recursive, wants_values=wants_values)

    async def remaining_s(self, names: list[bytes]) -> list[int]:
        """Return the seconds until each name disappears; 0: never, or it is not there.

        **Redis**: one TTL each, in one round trip.

        Raises:
            WireError: there is no answer.
        """
        replies = [await self._route.ask(name, packed(b"TTL", name)) for name in names]
        return [reply if isinstance(reply, int) and reply > 0 else 0 for reply in replies]

    async def rebuild_index(self) -> AsyncGenerator[int, None]:
        """Put every name with the prefix into the index; yields how many so far.

        **Redis**: SCAN through the database, a ZADD for each page.

        Raises:
            DictIterationError: it cannot go on.
        """
        if self._index is None:
            raise DictError("this dict has no index: set index = true in its settings")
        count, prefix = 0, self._options.prefix
        keyspace = KeyspaceScan(self._route, self._reserved)
        async for rows in keyspace.pages(prefix, is_recursive=True, wants_values=False):
            members = [word for row in rows for word in (b"0", row.key[len(prefix) :])]
            if members:
                reply = await self._route.ask(self._index, packed(b"ZADD", self._index, *members))
                if isinstance(reply, ReplyError):
                    raise DictIterationError(f"redis: Unexpected input: -{reply.line}")
            count += len(rows)
            yield count

    async def remove_expired(self) -> None:
        """Take expired names out of the index; all else the server does."""
        if self._index is not None:
            scan = IndexScan(self._route, self._index, len(self._options.prefix))
            async for _ in scan.pages(self._options.prefix, is_recursive=True, wants_values=False):
                pass

    async def close(self) -> None:
        """Close the connections."""
        self._is_closed = True
        await self._route.close()

    async def _ask_again(self, name: bytes, command: bytes) -> Any:  # noqa: ANN401 - a reply of Redis
        """Ask something that may be asked twice."""
        try:
            return await self._route.ask(name, command)
        except WireError as exc:
            if exc.is_timeout or not exc.was_sent:
                raise
            return await self._route.ask(name, command)

    async def _run_commit(self, call: CommitCall, *, is_repeatable: bool) -> Any:  # noqa: ANN401 - a reply of Redis
        """Return the reply.

        Raises:
            WireError: there is none; `was_sent` tells whether any attempt may have arrived.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            return await self._call_script(call)
        except WireError as exc:
            if exc.is_timeout or not exc.was_sent or not is_repeatable:
                raise
            lost = exc
        # The token makes this safe even if the lost command is still on its way to a server that slept: whichever of
        # the two comes second finds the bit set.
        try:
            async with asyncio.timeout_at(began_s + self._options.timeout_s):
                while not self._is_closed:
                    try:
                        return await self._call_script(call)
                    except WireError as exc:
                        if exc.is_timeout:
                            raise lost from exc
                    await asyncio.sleep(_REPEAT_AFTER_S)
                raise lost
        except TimeoutError:
            raise lost from None

    async def _call_script(self, call: CommitCall) -> Any:  # noqa: ANN401 - a reply of Redis
        reply = await self._route.ask(call.keys[0], self._commit_script.call(call.keys, call.words, is_known=True))
        if isinstance(reply, ReplyError) and reply.code == "NOSCRIPT":
            reply = await self._route.ask(call.keys[0], self._commit_script.call(call.keys, call.words, is_known=False))
        return reply

    def _call_of(self, commit: Commit) -> CommitCall:
        token = self._next_token(commit.changes[0].name) if commit.is_repeatable else None
        return CommitCall(commit, self._options.prefix, self._index, token)

    def _next_token(self, name: bytes) -> Token | None:
        """Return a token in the slot of a name; None if it cannot be put there."""
        block, bit = divmod(self._token_count, _TOKENS_PER_NAME)
        self._token_count += 1
        tag = b""
        if self._route.is_cluster:
            if b"}" in hash_tag(name):
                return None
            tag = b"{" + hash_tag(name) + b"}"
        return Token(self._options.prefix + _TOKENS + tag + self._token_id + b":%d" % block, bit)

    def _note(self, name: bytes, reply: ReplyError) -> None:
        if reply.code in _WRONG_SERVER:
            self._route.wire_of(name).renew()


def _advice(reply: ReplyError) -> str:
    return f" ({_ADVICE[reply.code]})" if reply.code in _ADVICE else ""


def _lookup_text(exc: WireError) -> str:
    if exc.is_timeout:
        return f"redis: Lookup timed out in {exc.waited_s:.3f} secs"
    return "redis: Communication failure (last reply: )" if exc.was_sent else str(exc)


def _unanswered(exc: WireError) -> Result:
    if exc.is_timeout:
        text = f"redis: Commit timed out in {exc.waited_s:.3f} secs"
    else:
        text = "Disconnected during transaction" if exc.was_sent else str(exc)
    return uncertain(text) if exc.was_sent else failed(text, is_temporary=True)
