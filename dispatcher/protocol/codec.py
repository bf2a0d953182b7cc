"""Messages to bytes and back: msgpack, strict about types, versions and sizes.

Both sides call it, just inside the seal. It is the only place that knows the wire format.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dispatcher.protocol.errors import ArgumentError, CodecError, OversizeError
from dispatcher.protocol.flight import Follower
from dispatcher.protocol.invocation import SCHEMA_VERSION, Chunk, Invocation, ScriptPackage, normalise_arguments
from dispatcher.protocol.outcome import Outcome, OutcomeBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes that a chunk takes beside its invocations, the seal included; generous.
CHUNK_ENVELOPE_BYTES: Final = 1024

#: What msgspec raises for bytes that are no message: beside its own error, text that is no UTF-8 and endless nesting.
_UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_encode: Final = msgspec.msgpack.Encoder().encode
_version_decoder: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])
_chunk_decoder: Final = msgspec.msgpack.Decoder(Chunk)
_batch_decoder: Final = msgspec.msgpack.Decoder(OutcomeBatch)
_follower_decoder: Final = msgspec.msgpack.Decoder(Follower)
_package_decoder: Final = msgspec.msgpack.Decoder(ScriptPackage)


def encode_invocation(invocation: Invocation, limit_bytes: int) -> bytes:
    """Encode one invocation.

    Raises:
        OversizeError: the encoded form is larger than `limit_bytes`.
        ArgumentError: the function's name is not text that has a UTF-8 form.
    """
    try:
        data = _encode(invocation)
    except UnicodeEncodeError as exc:
        message = "the name of the function is not UTF-8"
        raise ArgumentError(message) from exc
    if len(data) > limit_bytes:
        raise OversizeError("invocation", len(data), limit_bytes)
    return data


def encode_arguments(args: Sequence[Any]) -> bytes:
    """Encode arguments alone, to compare them. Raises ArgumentError when one cannot travel."""
    return _encode(normalise_arguments(list(args)))


def encode_chunk(reply_key: str, encoded_invocations: Sequence[bytes], attempt: int = 1) -> bytes:
    """Put encoded invocations into one chunk without decoding them again."""
    return _encode([SCHEMA_VERSION, reply_key, attempt, [msgspec.Raw(item) for item in encoded_invocations]])


def decode_chunk(data: bytes) -> Chunk:
    """Decode a chunk. Raises CodecError when it is not one of this version."""
    chunk: Chunk = _decode(_chunk_decoder, data, "chunk")
    return chunk


def encode_outcomes(outcomes: list[Outcome]) -> bytes:
    """Encode the outcomes of one reply-stream entry."""
    return _encode(OutcomeBatch(SCHEMA_VERSION, outcomes))


def decode_outcomes(data: bytes) -> list[Outcome]:
    """Decode a reply-stream entry. Raises CodecError when it is not one of this version."""
    batch: OutcomeBatch = _decode(_batch_decoder, data, "outcome batch")
    return batch.outcomes


def encode_follower(dispatcher_id: str, invocation_id: int) -> bytes:
    """Encode a request for the outcome of a check that another dispatcher runs."""
    return _encode(Follower(SCHEMA_VERSION, dispatcher_id, invocation_id))


def decode_follower(data: bytes) -> Follower:
    """Decode such a request. Raises CodecError when it is not one of this version."""
    follower: Follower = _decode(_follower_decoder, data, "request for an outcome")
    return follower


def encode_package(package: ScriptPackage) -> tuple[bytes, bytes]:
    """Encode a script package; returns (package id, data), the id being the SHA-256 of the data."""
    data = _encode(package)
    return hashlib.sha256(data).digest(), data


def decode_package(data: bytes, package_id: bytes) -> ScriptPackage:
    """Decode a script package and check that it is the one that was asked for.

    Raises:
        CodecError: the data is not a package of this version, or is not what `package_id` names.
    """
    if hashlib.sha256(data).digest() != package_id:
        message = "script package does not match its id"
        raise CodecError(message)
    package: ScriptPackage = _decode(_package_decoder, data, "script package")
    return package


def _decode(decoder: msgspec.msgpack.Decoder[Any], data: bytes, what: str) -> Any:  # noqa: ANN401 - one body for all decoders
    try:
        decoded = decoder.decode(data)
    except _UNDECODABLE as exc:
        raise CodecError(_refusal(data, what)) from exc
    if decoded.schema_version != SCHEMA_VERSION:
        raise CodecError(_refusal(data, what))
    return decoded


def _refusal(data: bytes, what: str) -> str:
    """Say whether it is another version's message or no message at all; never quote the data."""
    try:
        version = msgspec.msgpack.decode(_version_decoder.decode(data)[0])
    except (*_UNDECODABLE, IndexError):
        return f"{what} is not a message of this protocol"
    if isinstance(version, int) and version != SCHEMA_VERSION:
        return f"{what} has schema version {version}, this side speaks {SCHEMA_VERSION}: upgrade both sides"
    return f"{what} does not have the shape of schema version {SCHEMA_VERSION}"
