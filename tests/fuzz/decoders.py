"""Every decoder of what comes from Redis, the network, databases or files, with valid inputs and what it may raise.

A new decoder gets its line here, or in `network`, `dicts` or `passwords`.
"""

import contextlib
import hashlib
import io
import os
import re

import hiredis
import msgspec
import redis

from dispatcher.batch_input import InputError, csv_records, json_records, lines_of
from dispatcher.batch_json import JsonError, decode_call, decode_value, encode_json, from_json
from dispatcher.cli.status_data import _number, _texts, _worker
from dispatcher.protocol import codec
from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.errors import ArgumentError, CodecError, SealError, SettingsError
from dispatcher.protocol.handoff import HandoffError, read_settings
from dispatcher.protocol.invocation import SCHEMA_VERSION, Invocation, ScriptPackage
from dispatcher.protocol.key_text import decode_keys
from dispatcher.protocol.outcome import LogLine, Outcome, OutcomeKind
from dispatcher.protocol.parked import Parked, decode_parked, encode_parked
from dispatcher.protocol.pool_note import PoolNote, decode_pool_note, encode_pool_note
from dispatcher.protocol.redis_address import parse_redis_url
from dispatcher.protocol.redis_reply import Parser, without_arguments
from dispatcher.protocol.redis_sentinel import AskedSentinel, NoPrimaryError
from dispatcher.protocol.rejection import Rejection, decode_rejection, encode_rejection, shown_id
from dispatcher.protocol.reply import OUTCOMES_FIELD, REFUSAL_FIELD
from dispatcher.protocol.rq_job import ChunkJob, parse_job_id
from dispatcher.protocol.sealing import Seal, generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings, Settings, settings_from_bytes, settings_to_bytes
from dispatcher.replies import ReplyReader
from tests.fuzz.decoder import Decoder
from tests.fuzz.dicts import DICTS
from tests.fuzz.network import NETWORK
from tests.fuzz.passwords import PASSWORDS
from workers.rq_books import parse_execution
from workers.running_note import NOTE_BYTES, RunningNote, call_note, create_fd, script_note


def _outcome(number, **fields):
    return Outcome(number, OutcomeKind.OK, [1, None, b"x", {b"a": [1.5]}], **fields)


INVOCATION = Invocation(7, b"p" * 32, "verify", [b"joe", {b"user": b"joe"}, 1.5], 1e9, 1e9, is_idempotent=True)
CHUNK = codec.encode_chunk("lualoft:reply:abc", [codec.encode_invocation(INVOCATION, 10**6)] * 3, 2)
OUTCOMES = codec.encode_outcomes([_outcome(1), _outcome(2, logs=[LogLine("info", "text")], queue_ms=1.0)])
_PACKAGE_FIELDS = {"settings": {"a": "b"}, "max_memory_bytes": 2**20}
PACKAGE_ID, PACKAGE = codec.encode_package(
    ScriptPackage(SCHEMA_VERSION, "auth", "string", b"return 1", "2.4", "5.4", **_PACKAGE_FIELDS)
)
AUTH_RESULT = msgspec.msgpack.encode(
    AuthResult(AuthVerdict.OK, b"joe", {b"a": b"b"}, {b"uid": b"1"}, "why", b"{PLAIN}x", users=(b"a",)).to_value()
)
POOL_NOTE = PoolNote(
    host="h",
    pid=7,
    queue="q",
    wanted_workers=2,
    ready_workers=1,
    deaths=3,
    last_end="exit code 1",
    next_start_unix_s=1e9,
)
SETTINGS = settings_to_bytes(Settings(key=Secret(generate_key())))

#: RQ wants to hold a client; nothing is sent over it.
_NO_REDIS = connect_sync(RedisSettings(url=Secret("unix:///nowhere")))

_FIELDS = {"name": "main", "ip": "127.0.0.1", "port": "6379", "flags": "master", "num-other-sentinels": "2"}
_SENTINEL = b"*1\r\n%%%d\r\n" % len(_FIELDS) + b"".join(
    b"$%d\r\n%b\r\n" % (len(word), word.encode()) for pair in _FIELDS.items() for word in pair
)

_ASKED = AskedSentinel([], sentinel_kwargs={})

_SEAL = Seal.from_keys([generate_key()])
_SEALED = _SEAL.seal(CHUNK, b"context")


def _decode_package(data):
    # With its own digest, or nothing would come past the first line.
    return codec.decode_package(data, hashlib.sha256(data).digest())


def _unseal_chunk(data):
    return codec.decode_chunk(_SEAL.unseal(_SEAL.seal(data, b"c"), b"c"))


def _auth_result(data):
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return AuthResult.from_value(msgspec.msgpack.decode(data))


def _job_id(data):
    found = parse_job_id(data.decode("utf-8", "replace"))
    return found, shown_id(data)


def _job_name(data):
    # What the worker makes of an entry of the queue.
    return ChunkJob(data.decode(), connection=_NO_REDIS)


def _job_hash(data):
    fields = dict(zip(data.split(b"\n")[::2], data.split(b"\n")[1::2], strict=False))
    job = ChunkJob("abc-1", connection=_NO_REDIS)
    job.restore({b"data": data, **fields})
    return job.sealed


def _execution(data):
    return parse_execution(data.decode("utf-8", "replace"), _NO_REDIS)


class _Replies:
    """A reply reader without a connection; it must take whatever lies in its stream."""

    def __init__(self):
        self._seal = _SEAL
        self.reader = ReplyReader(None, "abc", self._seal, list, lambda number, reason: (number, reason))

    def take(self, data):
        sealed = self._seal.seal(data, b"lualoft:reply:abc")
        self.reader._take({OUTCOMES_FIELD: sealed})
        self.reader._take({OUTCOMES_FIELD: data})
        self.reader._take({REFUSAL_FIELD: data})
        self.reader._take({data: data})


def _status(data):
    fields = data.split(b"\n")
    hashes = _texts(dict(zip(fields[::2], fields[1::2], strict=False)))
    return _worker("lualoft-name", hashes, hashes, data), _number(data.decode("utf-8", "replace"))


def _parked(data):
    field, _, value = data.partition(b"\n")
    return decode_parked({field: value, b"ab12": data}, _SEAL), decode_parked({field: value, b"ab12": data}, None)


def _settings_pipe(data):
    return read_settings(io.BytesIO(data))


def _running_note(data):
    fd = create_fd()
    try:
        note = RunningNote(fd)
    finally:
        os.close(fd)
    note.write(data[:NOTE_BYTES])
    note.read()
    note.close()


def _redis_error(data):
    left = without_arguments(data.decode("utf-8", "replace"))
    assert "with args beginning with:" not in left.lower()


class _SentinelClient:
    """Answers as redis-py's client of a Sentinel does, from the input."""

    def __init__(self, data):
        self._reader = hiredis.Reader(replyError=Parser.parse_error)
        # Not for lists that hiredis would reserve gigabytes for.
        self._reader.feed(re.sub(rb"([*%~>|])[0-9]{7,}", rb"\1", data))

    def sentinel_masters(self):
        try:
            reply = self._reader.gets()
        except (hiredis.ProtocolError, ValueError, TypeError) as exc:
            raise redis.ConnectionError from exc
        if reply is False or isinstance(reply, redis.RedisError):
            raise redis.ConnectionError
        return _NO_REDIS.response_callbacks["SENTINEL MASTERS"](reply)


def _sentinel(data):
    _ASKED.sentinels = [_SentinelClient(data)]
    host, port = _ASKED.discover_master("main")
    assert isinstance(host, str)
    assert isinstance(port, int)


def _url(data):
    return parse_redis_url(Secret(data.decode("utf-8", "replace"))).describe()


def _batch_lines(data):
    return list(json_records(lines_of([data[:40], data[40:]], 200), 200))


def _batch_csv(data):
    return list(csv_records(lines_of([data[:40], data[40:]], 200), 200))


def _json_value(data):
    return from_json(decode_value(data), "value")


DECODERS = [
    Decoder("chunk", codec.decode_chunk, [CHUNK], (CodecError,)),
    Decoder("chunk in its seal", _unseal_chunk, [CHUNK], (CodecError,)),
    Decoder("outcomes", codec.decode_outcomes, [OUTCOMES], (CodecError,)),
    Decoder("request for an outcome", codec.decode_follower, [codec.encode_follower("ab12", 7)], (CodecError,)),
    Decoder("script package", _decode_package, [PACKAGE], (CodecError,)),
    Decoder("script package of an id", lambda data: codec.decode_package(data, PACKAGE_ID), [PACKAGE], (CodecError,)),
    Decoder("seal", lambda data: _SEAL.unseal(data, b"context"), [_SEALED], (SealError,)),
    Decoder("reply stream", _Replies().take, [OUTCOMES, _SEALED, b"12 reason"]),
    Decoder("auth result", _auth_result, [AUTH_RESULT], (CodecError,)),
    Decoder("job id", _job_id, [b"0123456789abcdef01-12", b"x"]),
    Decoder("job of a queue's entry", _job_name, [b"0123456789abcdef01-12"], (ValueError,)),
    Decoder("job's hash", _job_hash, [b"data\n" + _SEALED + b"\ntimeout\n12\nstatus\nqueued\nmeta\n\x80\x04."]),
    Decoder("worker's executions", _execution, [b"0123456789abcdef01-12:8d3e"], (ValueError,)),
    Decoder("rejected list", decode_rejection, [encode_rejection(Rejection("a-1", "why", "w", 1.0, 5))]),
    Decoder("pool's note", decode_pool_note, [encode_pool_note(POOL_NOTE)]),
    Decoder(
        "worker's numbers",
        _status,
        [b"last_heartbeat\n2026-01-01T00:00:00.000001Z\npid\n12\nrate_per_s\n1.5\noutcome_ok\n12"],
    ),
    Decoder("settings", settings_from_bytes, [SETTINGS], (CodecError,)),
    Decoder(
        "settings in the pipe",
        _settings_pipe,
        [len(SETTINGS).to_bytes(4, "big") + SETTINGS],
        (CodecError, HandoffError),
    ),
    Decoder(
        "keys", lambda data: decode_keys(data.decode("utf-8", "replace")), [generate_key().encode()], (SettingsError,)
    ),
    Decoder(
        "Redis address",
        _url,
        [
            b"redis://me:pw@h:1/2",
            b"rediss://[::1]:6379/0?ssl_ca_certs=/ca.pem",
            b"unix:///r.sock?db=1&username=u&password=p",
            b"sentinel://a:1,b/service?db=3&sentinel_password=x&sentinel_tls=yes",
            b"rediss+sentinel://u:p@a,b:2/s?ssl_ca_certs=/a&ssl_keyfile=/b&sentinel_username=v&sentinel_tls=no",
        ],
        (SettingsError,),
    ),
    Decoder("batch call", decode_call, [encode_json({"args": ["x", 1, {"base64": "/w=="}], "id": 5})], (JsonError,)),
    Decoder("JSON value", _json_value, [encode_json({"a": [1, None, 1.5, {"base64": "/w=="}]})], (JsonError,)),
    Decoder("batch lines", _batch_lines, [b'{"args": ["x"], "id": 5}\n\n{"args": []}\r\n'], (InputError,)),
    Decoder("batch CSV", _batch_csv, [b'id,a,b\n1,"x ""y""",\n2,\xc3\xa4,"z\nz"\n'], (InputError,)),
    Decoder("parked scripts", _parked, [b"ab12\n" + encode_parked(b"\xab\x12", Parked(2e9, 5.0, "auth"), _SEAL)]),
    Decoder("arguments", lambda data: codec.encode_arguments([data, {data: data}]), [b"x"], (ArgumentError,)),
    Decoder("running note", _running_note, [call_note("lualoft:reply:abc", 7), script_note(b"p" * 32)]),
    Decoder("error of Redis", _redis_error, [b"ERR unknown command 'X', with args beginning with: 'a' 'b' "]),
    Decoder("Sentinels' answer", _sentinel, [_SENTINEL], (NoPrimaryError,)),
    *NETWORK,
    *DICTS,
    *PASSWORDS,
]
