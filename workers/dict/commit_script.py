"""A commit as a call of `commit.lua`, and the script's answer as a Result. Pure.

The redis driver sends what is built here. `commit.lua` says what the words mean; both change together.
"""

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

from workers.dict.change import Commit, IncrementChange, SetChange
from workers.dict.resp import packed
from workers.dict.result import DONE, Result, failed
from workers.dict.wording import CHANGED, NOT_INTEGER, name_text, not_found

#: How long a server remembers that a commit was carried out, in seconds; far longer than anybody repeats one.
TOKEN_EXPIRE_S: Final = 600

#: Words of the script that refuse -> sentence about the key; a missing one is a result of its own.
_REFUSED: Final = {b"MISSING": "", b"CHANGED": CHANGED, b"NOT_INTEGER": NOT_INTEGER}


@dataclass(frozen=True)
class ServerScript:
    """Lua that runs inside Redis."""

    source: bytes
    sha1_hex: bytes

    def call(self, keys: list[bytes], words: list[bytes], *, is_known: bool) -> bytes:
        """Return the command that runs it: by its digest, or with its source if the server may not know it."""
        head = (b"EVALSHA", self.sha1_hex) if is_known else (b"EVAL", self.source)
        return packed(*head, b"%d" % len(keys), *keys, *words)


def load_script(name: str) -> ServerScript:
    """Read a script of this folder."""
    source = resources.files("workers.dict").joinpath(name).read_bytes()
    return ServerScript(source, hashlib.sha1(source).hexdigest().encode())  # noqa: S324 - Redis names scripts so


@dataclass(frozen=True)
class Token:
    """Where the server notes that a commit was carried out: one bit of a bitmap."""

    name: bytes
    bit: int


class CommitCall:
    """The keys and words of one commit."""

    def __init__(self, commit: Commit, prefix: bytes, index: bytes | None, token: Token | None) -> None:
        self.token = token
        self._places: dict[bytes, int] = {}
        # Changes first: by the first key the server is chosen.
        for change in commit.changes:
            self._place(change.name)
        index_place = self._place(index) if index is not None else b"0"
        token_words = (self._place(token.name), b"%d" % token.bit) if token is not None else (b"0", b"0")
        self.words = [index_place, *token_words, b"%d" % TOKEN_EXPIRE_S, b"%d" % commit.expire_s, b"%d" % len(prefix)]
        self._add_conditions(commit)
        self._add_changes(commit)

    @property
    def keys(self) -> list[bytes]:
        """All names, each once."""
        return list(self._places)

    def result(self, reply: list[bytes]) -> Result | None:
        """Turn the script's answer into a result; None if it is none of the script's."""
        if reply == [b"OK"]:
            return DONE
        names = {b"%d" % place: name for place, name in enumerate(self.keys, 1)}
        if len(reply) != 2 or reply[0] not in _REFUSED or reply[1] not in names:  # noqa: PLR2004 - word and place
            return None
        name = names[reply[1]]
        if reply[0] == b"MISSING":
            return not_found(name)
        return failed(_REFUSED[reply[0]].format(name=name_text(name)))

    def _place(self, name: bytes) -> bytes:
        return b"%d" % self._places.setdefault(name, len(self._places) + 1)

    def _add_conditions(self, commit: Commit) -> None:
        self.words.append(b"%d" % len(commit.conditions))
        for condition in commit.conditions:
            self.words.append(self._place(condition.name))
            if condition.values is None:
                self.words.append(b"-1")
            else:
                self.words += [b"%d" % len(condition.values), *condition.values]

    def _add_changes(self, commit: Commit) -> None:
        for change in commit.changes:
            place = self._place(change.name)
            if isinstance(change, SetChange):
                self.words += [b"set", place, change.value]
            elif isinstance(change, IncrementChange):
                self.words += [b"create" if change.is_creating else b"inc", place, b"%d" % change.difference]
            else:
                self.words += [b"unset", place, b""]
