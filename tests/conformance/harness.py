"""Runs one conformance case: a script in a state of its own, driven through load, init, call and deinit.

A case says what it expects; whatever it does not mention must not happen. docs/conformance.md explains the data files.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tests.conformance.http_answers import Http
from workers.api.record import LogContext, LogRecord, SentEvent, direct_record, event_record
from workers.http.natives import http_natives
from workers.http.operation import HTTP_SUBMIT
from workers.log_sink import json_line, text_lines
from workers.lua.runtime import LuaState, StepKind, text_from_lua
from workers.lua.script_life import ScriptError, ScriptLife, call_failure, no_function
from workers.lua.script_source import source_of

CASES_DIR = Path(__file__).parent / "cases"
#: Operation -> a function that runs it and returns its results; `natives` -> what Lua calls directly, by name.
Operations = Mapping[bytes, Any]
ALL_LUAS = ("5.1", "5.3", "5.4", "5.5", "luajit")
LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Case:
    """One record of a data file; `on` replaces fields for a Lua version."""

    id: str
    #: The script, or the body of its function `f`, which starts in line 1.
    script: str = ""
    body: str = ""
    origin: str = "file"
    name: str = "t1.lua"
    dialect: str = "2.4"
    luas: tuple[str, ...] = ("5.4",)
    profile: str = "trusted"
    settings: dict[str, str] = field(default_factory=dict)
    #: What the host's event above the script's gives, and whether debug lines are wanted.
    prefix: str = ""
    categories: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    wants_debug: bool = False
    call: str = "f"
    args: tuple[Any, ...] = ()
    #: Expected: the results, or the first line of one of these; then every log line in Dovecot's text form.
    values: tuple[Any, ...] = ()
    load_error: str = ""
    init_error: str = ""
    error: str = ""
    failure: str = ""
    logs: tuple[str, ...] = ()
    #: Expected parts of each record, as the JSON sink writes it.
    records: tuple[dict[str, Any], ...] = ()
    #: What servers answer, one for each submitted request; expected parts of these and of the clients' settings.
    answers: tuple[dict[str, Any], ...] = ()
    sent: tuple[dict[str, Any], ...] = ()
    opened: tuple[dict[str, Any], ...] = ()
    on: dict[str, dict[str, Any]] = field(default_factory=dict)

    def for_lua(self, version: str) -> Case:
        changes = {name: _frozen(value) for name, value in self.on.get(version, {}).items()}
        return replace(self, **changes)

    @property
    def source(self) -> bytes:
        text = self.script or f"function f(...) {self.body}\nend"
        return text.encode("utf-8", "surrogateescape")


@dataclass
class Seen:
    """What came of a case."""

    values: list[Any] = field(default_factory=list)
    load_error: str = ""
    init_error: str = ""
    error: str = ""
    failure: str = ""
    records: list[LogRecord] = field(default_factory=list)
    http: Http = field(default_factory=Http)

    @property
    def logs(self) -> list[str]:
        return [line for record in self.records for line in text_lines(record)]


def load_cases() -> list[tuple[str, Case]]:
    """All cases of all files as (file stem, case)."""
    found = []
    for path in sorted(CASES_DIR.glob("*.toml")):
        document = tomllib.loads(path.read_text())
        defaults = document.get("defaults", {})
        records = [record for table in document.get("table", ()) for record in _rows(table)]
        found += [(path.stem, _case(defaults | record)) for record in [*document.get("case", ()), *records]]
    return found


def run(case: Case, version: str, operations: Operations) -> Seen:
    """Run a case from load to deinit."""
    seen = Seen(http=Http(case.answers))
    source = source_of(case.name, case.origin, case.source)
    natives = _natives(case, source.name, seen) | operations.get(b"natives", {})
    state = LuaState(version, natives, dialect=case.dialect, host_files=(("tests.conformance", "host.lua"),))
    life = ScriptLife(state, source, dialect=case.dialect, settings=case.settings)
    try:
        life.load()
    except ScriptError as exc:
        seen.load_error = str(exc)
        return seen
    try:
        _drive(life.init(), seen)
    except ScriptError as exc:
        seen.init_error = _first_line(str(exc))
    else:
        _call(state, case, seen, operations)
    _drive(life.deinit(), seen)
    return seen


def shown_records(seen: Seen) -> list[dict[str, Any]]:
    return [json.loads(json_line(record)) for record in seen.records]


def _call(state: LuaState, case: Case, seen: Seen, operations: Operations) -> None:
    args = [_bytes(value) for value in case.args]
    step = _finish(state, state.start(case.call.encode(), args), {**operations, HTTP_SUBMIT: seen.http.answer})
    if step[0] == StepKind.NO_FUNCTION:
        seen.failure = no_function(case.call)
    elif step[0] == StepKind.FAILED:
        text = text_from_lua(step[1])
        seen.error = _first_line(text)
        seen.failure = _first_line(call_failure(case.call, len(args), text))
    else:
        seen.values = [_text(value) for value in state.values_of(step, LIMIT_BYTES)]


def _finish(state: LuaState, step: Any, operations: Operations) -> Any:
    """Run every operation; one that is not known answers with its own arguments."""
    while step[0] == StepKind.PARKED:
        operation = operations.get(step[2])
        args = state.arguments_of(step) if operation else step[3:]
        step = state.resume(step[1], tuple(operation(*args)) if operation else args)
    return step


def _drive(steps: Any, seen: Seen) -> None:
    """Answer HTTP requests with the case's answers, every other operation with its own arguments."""
    values = None
    try:
        while True:
            step = steps.send(values)
            values = seen.http.answer(*step[3:]) if step[2] == HTTP_SUBMIT else step[3:]
    except StopIteration:
        return


def _natives(case: Case, script_name: str, seen: Seen) -> dict[str, Any]:
    context = LogContext(
        script_name=script_name.encode(),
        prefix=case.prefix.encode(),
        categories=tuple(category.encode() for category in case.categories),
        fields={key.encode(): value.encode() for key, value in case.fields.items()},
    )
    natives: dict[str, Any] = {
        "log": lambda level, text: seen.records.append(direct_record(level, text)),
        "log_event": lambda *sent: seen.records.append(event_record(context, SentEvent(*sent))),
        "c_modules": False,
        "profile": case.profile.encode(),
        **http_natives(seen.http.registry, case.dialect),
    }
    if case.wants_debug:
        natives["wants_debug"] = lambda *_sent: True
    return natives


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """A table's cases: one per row, and per word of `each` if it has that.

    A row is `[fragment, expectation]`: the fragment stands for the `@` of the body, the word for its `$`. An
    expectation is a value, `{nil = true}`, or `!` and the error's first line; a row may end with fields of its own.
    """
    cases = []
    for word in table.get("each", [""]):
        for fragment, expected, *extra in table["rows"]:
            record = _filled(table, word, fragment)
            if isinstance(expected, str) and expected.startswith("!"):
                record["error"] = expected[1:].replace("$", word)
            else:
                record["values"] = [expected]
            cases.append(record | (extra[0] if extra else {}))
    return cases


def _filled(table: dict[str, Any], word: str, fragment: str) -> dict[str, Any]:
    record = {key: value for key, value in table.items() if key not in ("rows", "each")}
    name = table["id"].replace("$", word) if "$" in table["id"] else f"{table['id']} {word}".strip()
    record["id"] = f"{name}: {fragment}"
    kind = "body" if "body" in table else "script"
    record[kind] = table[kind].replace("$", word).replace("@", fragment)
    return record


def _case(record: dict[str, Any]) -> Case:
    unknown = set(record) - {one.name for one in fields(Case)}
    assert not unknown, f"{record['id']}: unknown keys {unknown}"
    if record.get("luas") == "all":
        record = record | {"luas": ALL_LUAS}
    return Case(**{name: _frozen(value) for name, value in record.items()})


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(None if one == {"nil": True} else one for one in value)
    return value


def _bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return {_bytes(key): _bytes(one) for key, one in value.items()}
    return value


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [_text(one) for one in value]
    if isinstance(value, dict):
        return {_text(key): _text(one) for key, one in value.items()}
    return value


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
