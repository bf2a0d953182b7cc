"""The JSON form of calls and outcomes: what `batch` reads and writes, and what `run` takes and prints.

Lua strings are bytes. Those that are UTF-8 are JSON strings; any other is `{"base64": "..."}`, in both directions.
NaN and the infinities have no JSON form and become null. Nothing here quotes a value in an error: it may be a password.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.outcome import Outcome

#: The only key of an object that stands for bytes.
BASE64_KEY: Final = "base64"

#: What names a call in the input; it comes back with the outcome.
CallId = str | int | float | dict[str, str] | None


class JsonError(LualoftError):
    """A JSON text that is not what was asked for; the message never holds the text."""


class CallLine(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a batch input in JSON."""

    args: list[Any]
    id: str | int | float | None = None


class OutcomeLine(msgspec.Struct):
    """One line of a batch output; what does not apply is left out."""

    #: Line of the input, from 1.
    line: int
    id: CallId
    outcome: str
    values: list[Any] | msgspec.UnsetType = msgspec.UNSET
    error: str | msgspec.UnsetType = msgspec.UNSET
    logs: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    queue_ms: float | msgspec.UnsetType = msgspec.UNSET
    run_ms: float | msgspec.UnsetType = msgspec.UNSET


_encode: Final = msgspec.json.Encoder().encode
_decode_call: Final = msgspec.json.Decoder(CallLine).decode
_decode_value: Final = msgspec.json.Decoder().decode


def encode_json(value: object) -> bytes:
    """Return a JSON text on one line."""
    return _encode(value)


def decode_call(data: bytes) -> CallLine:
    """Read one line of a batch input.

    Raises:
        JsonError: it is not an object with `args` (a list) and perhaps `id` (a string, a number or null).
    """
    call: CallLine = _decoded(_decode_call, data)
    # Most lines hold no bytes, and a search is cheaper than a walk.
    if b'"base64"' in data:
        call.args = _with_bytes(call.args, "args")
    return call


def decode_value(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read one argument.

    Raises:
        JsonError: it is not JSON.
    """
    return _with_bytes(_decoded(_decode_value, data), "value")


def _with_bytes(value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return from_json(value, place)
    except RecursionError:
        raise JsonError("nests too deep") from None


def _decoded(decode: Any, data: bytes) -> Any:  # noqa: ANN401 - a decoder and what it makes
    try:
        return decode(data)
    except UnicodeDecodeError:
        raise JsonError("is not UTF-8") from None
    except RecursionError:
        raise JsonError("nests too deep") from None
    except msgspec.DecodeError as exc:
        # `from None`: the library keeps the text in no error, and its message names places and types only.
        raise JsonError(str(exc)) from None


def from_json(value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value with each `{"base64": "..."}` turned into bytes.

    Raises:
        JsonError: one of them is not base64.
    """
    if isinstance(value, list):
        return [from_json(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    text = value.get(BASE64_KEY)
    if len(value) != 1 or not isinstance(text, str):
        return {key: from_json(item, f"{place}[{key!r}]") for key, item in value.items()}
    try:
        return binascii.a2b_base64(text.encode(), strict_mode=True)
    except binascii.Error:
        raise JsonError(f"{place} is not base64") from None


def to_json(value: Any) -> Any:  # noqa: ANN401 - any value of an outcome
    """Return the JSON form of a value that a script returned."""
    kind = value.__class__
    if kind is bytes:
        return text_or_base64(value)
    if kind is list:
        return [to_json(item) for item in value]
    if kind is dict:
        return {_key(key): to_json(item) for key, item in value.items()}
    return value


def text_or_base64(data: bytes) -> str | dict[str, str]:
    """Return bytes as text when they are UTF-8, else as `{"base64": "..."}`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {BASE64_KEY: base64.b64encode(data).decode("ascii")}


def _key(key: bytes | float) -> str:
    if isinstance(key, bytes):
        return key.decode("utf-8", "backslashreplace")
    # As Lua writes them: true, 1, 1.5
    return str(key).lower()


def log_lines(outcome: Outcome) -> list[dict[str, str]]:
    """Return what the script logged, each line with its level."""
    return [{"level": line.level, "text": line.text} for line in outcome.logs]


def outcome_line(line: int, call_id: CallId, outcome: Outcome) -> bytes:
    """Return the line of a batch output for a call that was made."""
    return _encode(
        OutcomeLine(
            line,
            call_id,
            outcome.kind.value,
            [to_json(value) for value in outcome.values],
            outcome.error or msgspec.UNSET,
            log_lines(outcome) if outcome.logs else msgspec.UNSET,
            round(outcome.queue_ms, 3),
            round(outcome.run_ms, 3),
        )
    )


def rejected_line(line: int, call_id: CallId, error: str) -> bytes:
    """Return the line of a batch output for an input line that is no call."""
    return _encode(OutcomeLine(line, call_id, "rejected", error=error))
