"""The clients' side of Dovecot's auth sockets: AUTH PLAIN as login processes speak it, USER, PASS and LIST.

Text is str with surrogate escapes for bytes that are no UTF-8.
"""

import base64
import os
import re
import socket
from typing import NamedTuple

#: Of one answer, in seconds.
ANSWER_LIMIT_S = 20.0

ESCAPES = {"\x01": "1", "\t": "t", "\n": "n", "\r": "r", "\0": "0"}
MEANINGS = {escape: character for character, escape in ESCAPES.items()}


class Answer(NamedTuple):
    """What the client is told."""

    #: `OK`, `FAIL`, `USER`, `PASS`, `NOTFOUND`.
    verdict: str
    fields: dict[str, str]
    #: Of a USER answer, where it is a word of its own.
    user: str = ""


class _Connection:
    """Lines to and from one socket."""

    def __init__(self, path, greeting):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_LIMIT_S)
        self._socket.connect(str(path))
        self._received = self._socket.makefile("r", encoding="utf-8", errors="surrogateescape", newline="\n")
        self.send(greeting)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._received.close()
        self._socket.close()

    def send(self, *lines):
        text = "".join(f"{line}\n" for line in lines)
        self._socket.sendall(text.encode("utf-8", "surrogateescape"))

    def words(self):
        """The words of the next line."""
        line = self._received.readline()
        assert line, "Dovecot's auth process hung up"
        return [unescaped(word) for word in line.removesuffix("\n").split("\t")]


class LoginClient:
    """AUTH PLAIN, as imap-login asks."""

    def __init__(self, path):
        self._path = path

    def ask(self, requests):
        """Answer (parameters, response) pairs; what the client would have to say next counts as a failure."""
        answers = {}
        with _Connection(self._path, f"VERSION\t1\t2\nCPID\t{os.getpid()}") as connection:
            connection.send(*(_auth(number, *request) for number, request in enumerate(requests, 1)))
            while len(answers) < len(requests):
                verdict, *parts = connection.words()
                if verdict in {"OK", "FAIL"}:
                    answers[int(parts[0])] = Answer(verdict, pairs(parts[1:]))
        return [answers[number] for number in range(1, len(requests) + 1)]


class MasterClient:
    """USER, PASS and LIST, as doveadm, lmtp and others ask."""

    def __init__(self, path):
        self._path = path

    def ask(self, command, requests):
        """Answer (user, parameters) pairs."""
        answers = {}
        with _Connection(self._path, "VERSION\t1\t0") as connection:
            for number, (user, parameters) in enumerate(requests, 1):
                words = [command, str(number), escaped(user), *(f"{k}={escaped(v)}" for k, v in parameters.items())]
                connection.send("\t".join(words))
            while len(answers) < len(requests):
                verdict, *parts = connection.words()
                if verdict not in {"VERSION", "SPID"}:
                    answers[int(parts[0])] = _master_answer(verdict, parts[1:])
        return [answers[number] for number in range(1, len(requests) + 1)]

    def list_users(self):
        """All users, and whether the listing succeeded."""
        users = []
        with _Connection(self._path, "VERSION\t1\t0") as connection:
            connection.send("LIST\t1\tservice=doveadm")
            while True:
                verdict, *parts = connection.words()
                if verdict == "LIST":
                    users.append(parts[1])
                elif verdict == "DONE":
                    return users, parts[1:] != ["fail"]


def _auth(number, parameters, response):
    words = ["AUTH", str(number), "PLAIN", *(f"{key}={escaped(value)}" for key, value in parameters.items())]
    return "\t".join([*words, f"resp={base64.b64encode(response).decode()}"])


def _master_answer(verdict, parts):
    if verdict == "USER":
        return Answer(verdict, pairs(parts[1:]), parts[0])
    return Answer(verdict, pairs(parts))


def pairs(words):
    """Fields of `key=value` words; a bare word is an empty field."""
    return {key: value for key, _, value in (word.partition("=") for word in words if word)}


def escaped(text):
    return re.sub("[\x00\x01\t\n\r]", lambda found: "\x01" + ESCAPES[found[0]], text)


def unescaped(text):
    return re.sub("\x01(.)", lambda found: MEANINGS.get(found[1], found[1]), text, flags=re.DOTALL)
