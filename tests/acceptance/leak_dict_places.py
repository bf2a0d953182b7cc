"""Takes out of what was found in Redis the places where values of dicts belong: what is left must not hold any.

Commands of dicts name a key of theirs; a value that anything else carries stays, and is found.
"""

import re
import struct

#: In front of all names of the dicts.
PREFIX = b"dicts/"
#: In those that are no data of anybody: the index, marks of commits.
DICT_OWN = b"lualoft:dict-"

#: A line of MONITOR about a command of the store: the name stands first, or behind a script and the number of its keys.
_MONITORED = re.compile(
    rb'\S+ \[\d+ [^\]]*\] "(?:(?:SET|SADD|RPUSH)|EVAL(?:SHA)?" "(?:[^"\\]|\\.)*" "\d+)" "%b' % PREFIX, re.IGNORECASE
)


def keys_beside(keys):
    """Leave out what is under the dicts' own keys; the names stay."""
    return {key: b"" if key.startswith(PREFIX) and DICT_OWN not in key else data for key, data in keys.items()}


def monitored_beside(transcript):
    """Leave out the lines of commands about keys of dicts."""
    lines = transcript.split(b"\n")
    return b"\n".join(line for line in lines if not _MONITORED.match(line))


def logged_beside(data):
    """Leave the commands about keys of dicts out of an append-only file."""
    left, start = [], 0
    while start < len(data):
        words, start = _command(data, start)
        if len(words) < 2 or not words[1].startswith(PREFIX):
            left += words
    return b"\n".join(left)


def _command(data, start):
    line, _, _ = data[start:].partition(b"\r\n")
    start += len(line) + 2
    if not line.startswith(b"*"):
        # A note about the time.
        return [line], start
    words = []
    for _ in range(int(line[1:])):
        size, _, _ = data[start:].partition(b"\r\n")
        start += len(size) + 2
        words.append(data[start : start + int(size[1:])])
        start += int(size[1:]) + 2
    return words, start


def dumped_beside(data, keys):
    """Leave the values of dicts, each behind its key, out of a dump of these keys."""
    for key, value in keys.items():
        if key.startswith(PREFIX):
            data = data.replace(_dumped(key) + _dumped(value), b"")
    return data


def _dumped(text):
    # Up to 63 bytes one byte of length, up to 16,383 two.
    size = bytes([len(text)]) if len(text) < 64 else struct.pack(">H", 0x4000 | len(text))
    return size + text
