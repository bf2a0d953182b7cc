"""What the differential tests of auth ask, and the one form into which the answers of both sides are brought.

A case is one body of a Lua function; all cases of a question stand in one script file, which both sides load, and the
session id of a request says which case is meant. So log lines find their case, too.
"""

import re
from typing import NamedTuple

#: A log line about a request; its session stands last before the text.
LOG_LINE = re.compile(r"(?:Error|Warning|Info): .*?lua\(.*<(\w+)>\): (.*)")

#: Upstream overwrites errno before it prints it.
STAT_ERROR = re.compile(r"(stat\(.*\) failed: ).*")

#: Lines that are not compared.
NOT_COMPARED = re.compile(
    # Of Dovecot's main process; here it is the dispatcher that knows, and it has no log.
    "Last passdb had noauthenticate field"
    # Once in the life of a Dovecot process.
    "|Replace system_user"
    # Names no session in Dovecot.
    "|Master user logging in"
    # Once more by the main process, when it reads what auth-worker found out in another order.
    "|nopassword set but password is non-empty",
)


class Case(NamedTuple):
    """One request, and what the script does with it."""

    #: Of a function of `r`, the request, and `p`, the password.
    body: str
    user: str = "jane"
    password: str = "secret"
    #: As in Dovecot's protocol.
    parameters: tuple[tuple[str, str], ...] = ()


class Seen(NamedTuple):
    """What came of it."""

    verdict: str
    user: str
    fields: dict[str, str]
    log: tuple[str, ...] = ()


class Question(NamedTuple):
    """Cases of one function, asked in one way."""

    #: Of session ids and of the file.
    name: str
    #: `AUTH`, `USER` or `PASS`.
    command: str
    function: str
    cases: tuple[Case, ...]

    def source(self):
        """The script of all cases."""
        lines = (f"cases.{self.session(number)} = function(r, p) {case.body}\nend" for number, case in self.numbered())
        return "\n".join(
            ["local cases = {}", *lines, f"function {self.function}(r, p) return cases[r.session](r, p) end"],
        )

    def path(self, folder):
        return folder / f"{self.name}.lua"

    def numbered(self):
        return enumerate(self.cases)

    def session(self, number):
        return f"{self.name}{number}"

    def parameters(self, number):
        """What is said about the client."""
        given = dict(self.cases[number].parameters)
        return {"service": "imap", **given, "session": self.session(number)}


def differences(question, theirs, ours):
    """The cases in which the two differ, readable."""
    return [
        f"{case}\n    Dovecot: {their}\n    lualoft: {our}"
        for case, their, our in zip(question.cases, theirs, ours, strict=True)
        if their != our
    ]


def logs_of(log):
    """Session -> the texts of its lines; sorted, as a table's keys come in no order, and each once."""
    texts = {}
    for line in log.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").split("\n"):
        found = LOG_LINE.search(line)
        if found and not NOT_COMPARED.match(found[2]):
            texts.setdefault(found[1], []).append(STAT_ERROR.sub(r"\1", found[2]))
    return {session: tuple(sorted(set(lines))) for session, lines in texts.items()}
