"""What the dict store makes of a Redis that answers anything at all, and of names and rows that others wrote."""

import asyncio
import re

import hiredis
import redis

from dispatcher.protocol.raw_connection import _reply_error
from dispatcher.protocol.redis_reply import AsyncParser
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from tests.fuzz.decoder import Decoder
from workers.cli.dict.row_text import RowTextError, from_json, to_json
from workers.dict.change import Commit, IncrementChange, SetChange
from workers.dict.error import DictError, DictIterationError
from workers.dict.layout import DovecotLayout, TaggedLayout
from workers.dict.migration import DovecotNames, TaggedNames
from workers.dict.redis_driver import RedisDriver, RedisOptions
from workers.dict.redis_route import RedisRoute
from workers.dict.redis_wire import WireError
from workers.dict.result import ResultKind

#: Rows that one iteration gives at most, before somebody must have stopped it.
MAX_ROWS = 10_000

_SETTINGS = RedisSettings(url=Secret("unix:///nowhere"))
_LOOP = asyncio.new_event_loop()


#: Lists that hiredis would reserve gigabytes for before their elements come; who can say so is the server itself.
_HUGE = re.compile(rb"[*%~>|][0-9]{7,}")


class _Wire:
    """Answers with what the input holds, read as it is read from a socket; never ends well."""

    def __init__(self, data):
        self.epoch = 1
        data = data[: match.start()] if (match := _HUGE.search(data)) else data
        self._reader = hiredis.Reader(replyError=AsyncParser.parse_error, errors="strict")
        self._reader.feed(data)

    async def ask(self, _command):
        try:
            reply = self._reader.gets()
        except (hiredis.ProtocolError, ValueError, TypeError):
            reply = False
        if reply is False:
            # As if there was no time to ask again.
            raise WireError("no answer", was_sent=True, is_timeout=True)
        return _reply_error(reply) if isinstance(reply, redis.RedisError) else reply

    async def ask_many(self, commands):
        return [await self.ask(command) for command in commands]

    def renew(self):
        """Nothing to do."""


class _Route(RedisRoute):
    """All servers of the cluster are the one that answers."""

    def __init__(self, data):
        super().__init__(_SETTINGS, 1.0)
        self._first = _Wire(data)

    def _wire_to(self, _host, _port):
        return self._first


def _driver(data, *, has_index=False):
    driver = RedisDriver(_SETTINGS, RedisOptions(prefix=b"p/", has_index=has_index))
    driver._route = _Route(data)
    return driver


def _lookup(data):
    result = _LOOP.run_until_complete(_driver(data).lookup(b"p/a"))
    assert all(isinstance(value, bytes) for value in result.values)
    assert bool(result.values) == (result.kind is ResultKind.OK)


def _commit(data):
    for changes in (
        (SetChange(b"p/a", b"1"), SetChange(b"p/b", b"2")),
        (IncrementChange(b"p/a", 1, is_creating=False),),
    ):
        result = _LOOP.run_until_complete(_driver(data).commit(Commit(changes)))
        # Only the script's own word is a success.
        assert result.kind is not ResultKind.OK or b"OK" in data


def _iterate(data, *, has_index, wants_values):
    async def walk():
        rows = []
        driver = _driver(data, has_index=has_index)
        async for page in driver.scan(b"p/", is_recursive=True, wants_values=wants_values):
            rows += page
            assert len(rows) < MAX_ROWS
        return rows

    for row in _LOOP.run_until_complete(walk()):
        assert all(isinstance(word, bytes) for word in (row.key, *row.values))
        assert bool(row.values) == wants_values


def _remaining(data):
    remaining_s = _LOOP.run_until_complete(_driver(data).remaining_s([b"p/a", b"p/b"]))
    assert all(isinstance(seconds, int) and seconds >= 0 for seconds in remaining_s)


def _tagged_name(data):
    key, username = TaggedNames().key_of(data)
    # Not every name is one that the layout makes; those that are lead back to themselves.
    again = TaggedLayout(b"").name_of(key, username)
    assert (key, username) == TaggedNames().key_of(again)


def _dovecot_name(data):
    key, username = DovecotNames([b"joe", b"a/b"]).key_of(data)
    assert data == DovecotLayout(b"").name_of(key, username)


def _row(data):
    row = from_json(data, 1)
    assert row == from_json(to_json(row).encode(), 1)


_SCAN = b"*2\r\n$1\r\n0\r\n*2\r\n$3\r\np/a\r\n$3\r\np/b\r\n"
_WRONG_TYPE = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
_LIST = b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
_CLUSTER = b"-MOVED 3999 127.0.0.1:6381\r\n-ASK 3999 [::1]:6381\r\n+OK\r\n"
_SINGLE = b"-ERR This instance has cluster support disabled\r\n"
_SLOTS = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:7000\r\n"
_VALUES = b"$1\r\nv\r\n" + _WRONG_TYPE + _LIST
_MEMBERS = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
_WALKS = [_SINGLE + _SCAN + _VALUES, _SLOTS + _SCAN.replace(b"0", b"7", 1) + _VALUES + _SCAN + b"$-1\r\n$1\r\nw\r\n"]

DICTS = [
    Decoder("dict: lookup", _lookup, [b"$5\r\nhello\r\n", _WRONG_TYPE + _LIST, b"$-1\r\n", _CLUSTER + b"$1\r\nv\r\n"]),
    Decoder(
        "dict: commit",
        _commit,
        [
            b"*1\r\n$2\r\nOK\r\n",
            b"*2\r\n$7\r\nMISSING\r\n$1\r\n1\r\n",
            b"-NOSCRIPT No matching script\r\n*2\r\n$11\r\nNOT_INTEGER\r\n$1\r\n1\r\n",
            b"-CROSSSLOT Keys in request don't hash to the same slot\r\n" + _CLUSTER,
        ],
    ),
    Decoder(
        "dict: iteration",
        lambda data: _iterate(data, has_index=False, wants_values=True),
        _WALKS,
        (DictIterationError,),
    ),
    Decoder(
        "dict: iteration of names",
        lambda data: _iterate(data, has_index=False, wants_values=False),
        [_SINGLE + _SCAN + b":1\r\n:0\r\n"],
        (DictIterationError,),
    ),
    Decoder(
        "dict: iteration by index",
        lambda data: _iterate(data, has_index=True, wants_values=True),
        [_MEMBERS + b"$1\r\nv\r\n$-1\r\n:1\r\n*0\r\n", _MEMBERS + _VALUES + b"*0\r\n"],
        (DictIterationError,),
    ),
    Decoder("dict: expiry", _remaining, [b":7\r\n:-1\r\n"], (WireError,)),
    Decoder("dict: tagged names", _tagged_name, [b"s/a", rb"p/{u\-v\\w\)}/x/y"], (DictError,)),
    Decoder("dict: Dovecot's names", _dovecot_name, [b"joe/x", rb"a\-b/x", b"x"]),
    Decoder(
        "dict: row of an import",
        _row,
        [
            b'{"key": "shared/x", "values": ["a", {"base64": "/w=="}], "user": "joe"}',
            b'{"key": "\\u00e4", "values": []}',
        ],
        (RowTextError,),
    ),
]
