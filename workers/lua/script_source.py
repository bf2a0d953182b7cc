"""Where a script comes from: a file, a string or a stream; what that does to its name, chunk name and text.

Made by instances.py from what the dispatcher shipped, or by a tool from a file. It never runs anything.

**Mirrors** dlua_script_create_file, dlua_script_create_string and dlua_script_create_stream of 2.4.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from dispatcher.protocol.errors import LualoftError

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

#: Lua shows at most 60 characters of a text chunk's first line; a longer chunk name is memory and nothing else.
_SHOWN_BYTES: Final = 100


class ScriptReadError(LualoftError):
    """A script that cannot be read; the text is Dovecot's."""


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """A script's text and the names that Dovecot's messages give it."""

    #: Path, stream name, or SHA-1 hex of the text.
    name: str
    #: Lua's chunk name: decides how messages begin.
    chunk_name: bytes
    #: What stands in `lua_load(…) failed`.
    load_name: str
    text: bytes = field(repr=False)


def source_of(name: str, origin: str, text: bytes) -> ScriptSource:
    """Make the source of a shipped script.

    Args:
        name: path or stream name; not used for a string.
        origin: `file`, `string` or `stream`.
        text: the bytes of the file or stream, or the string.
    """
    if origin == "file":
        return from_file_text(name, text)
    return from_string(text) if origin == "string" else from_stream_text(name, text)


def from_string(text: bytes) -> ScriptSource:
    """Make a script of a C string: it ends at its first NUL, and its name is its SHA-1."""
    text = text.partition(b"\0")[0]
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return ScriptSource(name=digest, chunk_name=_shortened(text), load_name="<string>", text=text)


def from_file_text(path: str, text: bytes) -> ScriptSource:
    """Make a script of a file's content: a first line that starts with `#` is skipped, its line end stays."""
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if text.startswith(b"#"):
        line_end = text.find(b"\n")
        text = text[line_end:] if line_end >= 0 else b""
    return ScriptSource(name=path, chunk_name=b"@" + os.fsencode(path), load_name=path, text=text)


def from_stream_text(name: str, text: bytes) -> ScriptSource:
    """Make a script of what a stream held. Its name is the chunk name as it stands, so messages quote it."""
    if not name:
        raise ScriptReadError("a script from a stream needs a name")
    return ScriptSource(name=name, chunk_name=os.fsencode(name), load_name=name, text=text)


def from_file(path: str) -> ScriptSource:
    """Read a script from a file.

    Raises:
        ScriptReadError: `access(PATH) failed: …` if it cannot be reached, else `lua_load(PATH) failed: …`.
    """
    try:
        Path(path).stat()
    except OSError as exc:
        raise ScriptReadError(f"access({path}) failed: {os.strerror(exc.errno or 0)}") from exc
    try:
        text = Path(path).read_bytes()
    except IsADirectoryError as exc:
        raise ScriptReadError(f"lua_load({path}) failed: cannot read {path}: {os.strerror(exc.errno or 0)}") from exc
    except OSError as exc:
        raise ScriptReadError(f"lua_load({path}) failed: cannot open {path}: {os.strerror(exc.errno or 0)}") from exc
    return from_file_text(path, text)


def from_stream(name: str, stream: BinaryIO) -> ScriptSource:
    """Read a script from a stream.

    Raises:
        ScriptReadError: `lua_load(NAME) failed: read(NAME) failed: …`.
    """
    try:
        text = stream.read()
    except OSError as exc:
        raise ScriptReadError(f"lua_load({name}) failed: read({name}) failed: {os.strerror(exc.errno or 0)}") from exc
    return from_stream_text(name, text)


def _shortened(text: bytes) -> bytes:
    first_line, line_end, rest = text.partition(b"\n")
    if len(first_line) > _SHOWN_BYTES:
        return first_line[:_SHOWN_BYTES]
    # One character behind the line end keeps it a name of several lines, which Lua shows as `first line...`.
    return first_line + line_end + rest[:1]
