"""Runs one auth case: a script in an instance of its own, called through the auth task, its password checks included.

A case says what it expects; whatever it does not mention must be absent. Data files: tests/conformance/cases_auth.
"""

from __future__ import annotations

import re
import time
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dispatcher.protocol.auth_result import AUTH_HOST, AuthResult
from dispatcher.protocol.invocation import SCHEMA_VERSION, Invocation, ScriptPackage, normalise_arguments
from dispatcher.protocol.settings import LuaSettings, Settings
from tests.conformance.harness import ALL_LUAS
from workers.api.record import LogRecord
from workers.auth.task import AuthTask
from workers.call_log import CallLog
from workers.instances import InstanceCache
from workers.log_sink import text_lines
from workers.lua.time_slice import TimeSlice
from workers.natives import natives_of
from workers.operations.catalog import standard_catalog
from workers.work import TakenChunk

CASES_DIR = Path(__file__).parent / "cases_auth"
OPERATIONS = standard_catalog(Settings()).operations
#: What stands before most log lines.
PREFIX = re.compile(r"lua\(jane@example\.org(,[0-9a-f.:]+)?\): ")


@dataclass(frozen=True)
class AuthCase:
    """One record of a data file."""

    id: str
    #: The script, or the body of the function that is called.
    script: str = ""
    body: str = ""
    function: str = "auth_passdb_lookup"
    dialects: tuple[str, ...] = ("2.3", "2.4")
    luas: tuple[str, ...] = ("5.4",)
    #: What stands beside the user in the request.
    request: dict[str, Any] = field(default_factory=dict)
    user: str | None = "jane@example.org"
    password: str | None = "secret"
    #: Expected.
    kind: str = "ok"
    error: str = ""
    verdict: str = "ok"
    reason: str = ""
    new_user: str = "jane@example.org"
    fields: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    userdb: dict[str, str] = field(default_factory=dict)
    stored: str = ""
    master_user: str = ""
    users: tuple[str, ...] = ()
    next_user: int = 0
    #: All log lines, without the prefix that each has.
    logs: tuple[str, ...] = ()

    @property
    def source(self) -> bytes:
        names = "request, password" if self.function == "auth_password_verify" else "request"
        names = "" if "iterate" in self.function or "cache_key" in self.function else names
        text = self.script or f"function {self.function}({names}) {self.body}\nend"
        return text.encode("utf-8", "surrogateescape")


@dataclass
class Seen:
    """What came of a case."""

    kind: str = ""
    error: str = ""
    result: AuthResult | None = None
    logs: list[str] = field(default_factory=list)


class InlineScheduler:
    """The engine's part, on one thread: operations run when they are asked for."""

    max_result_bytes = 1 << 20

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.outcomes: list[Any] = []
        self.call_log = CallLog(1000, 1 << 20, lambda record, _name: self.records.append(record))

    def park(self, task, step, state):
        results = OPERATIONS[step[2]].function(*state.values_of(step[1:], self.max_result_bytes))
        task.go_on(step[1], results)

    def run_operation(self, task, name, args):
        task.go_on(None, OPERATIONS[name].function(*args))

    def log(self, script_name, level, text):
        self.call_log.write(script_name, level, text)

    def answer(self, _chunk, outcome):
        self.outcomes.append(outcome)

    def left(self, _instance, _kind):
        pass


def run(case: AuthCase, dialect: str, version: str) -> Seen:
    """Run a case in a new instance."""
    scheduler = InlineScheduler()
    cache = InstanceCache(10, natives_of(LuaSettings(), scheduler.call_log), TimeSlice(), lambda _instance: None)
    package = ScriptPackage(SCHEMA_VERSION, "t1.lua", "file", case.source, dialect, version, {}, 0)
    instance = cache.add(b"p", package, AUTH_HOST)
    instance.life.load()
    for _step in instance.life.init():
        raise AssertionError("the main chunk waits")
    invocation = invocation_of(case)
    task = AuthTask(invocation, TakenChunk("replies", [invocation], {}, None), instance, scheduler)
    scheduler.call_log.enter(task)
    task.begin()
    (outcome,) = scheduler.outcomes
    lines = [line for record in scheduler.records for line in text_lines(record)]
    seen = Seen(outcome.kind.value, first_line(outcome.error), logs=[PREFIX.sub("", line, count=1) for line in lines])
    if outcome.values:
        seen.result = AuthResult.from_value(outcome.values[0])
    return seen


def invocation_of(case: AuthCase) -> Invocation:
    request: dict[str, Any] = dict(case.request)
    if case.user is not None:
        request["user"] = case.user
    args = [request] if case.password is None else [request, case.password]
    now_unix_s = time.time()
    return Invocation(
        1,
        b"p",
        case.function,
        normalise_arguments(args),
        now_unix_s + 60,
        now_unix_s,
        is_idempotent=True,
        host=AUTH_HOST,
    )


def load_cases() -> list[tuple[str, AuthCase]]:
    """All cases of all files as (file stem, case)."""
    found = []
    for path in sorted(CASES_DIR.glob("*.toml")):
        document = tomllib.loads(path.read_text())
        defaults = document.get("defaults", {})
        records = [*document.get("case", ()), *(row for table in document.get("table", ()) for row in _rows(table))]
        found += [(path.stem, _case(defaults | record)) for record in records]
    return found


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """A table's cases: a row is `[fragment, verdict, {fields of its own}]`, the fragment stands for the body's `@`."""
    rest = {key: value for key, value in table.items() if key != "rows"}
    kind = "body" if "body" in table else "script"
    return [
        rest
        | {"id": f"{table['id']}: {fragment}", kind: table[kind].replace("@", fragment), "verdict": verdict}
        | (extra[0] if extra else {})
        for fragment, verdict, *extra in table["rows"]
    ]


def _case(record: dict[str, Any]) -> AuthCase:
    unknown = set(record) - {one.name for one in fields(AuthCase)}
    assert not unknown, f"{record['id']}: unknown keys {unknown}"
    if record.get("luas") == "all":
        record = record | {"luas": ALL_LUAS}
    for name in ("user", "password"):
        if record.get(name) == {"nil": True}:
            record = record | {name: None}
    return AuthCase(**{name: tuple(value) if isinstance(value, list) else value for name, value in record.items()})
