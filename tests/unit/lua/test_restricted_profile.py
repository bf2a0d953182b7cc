"""The profile `restricted`: no way to files, processes or the debug library."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, call, make_state, results
from workers.lua.runtime import StepKind

pytestmark = pytest.mark.parametrize("version", ALL_LUAS)


@pytest.mark.parametrize(
    "expression",
    [
        b"io",
        b"debug",
        b"package.loadlib",
        b"package.searchpath",
        b"loadfile",
        b"dofile",
        b"os.getenv",
        b"os.setlocale",
        b"os.execute",
        b"os.remove",
        b"os.rename",
        b"os.tmpname",
        b"os.exit",
        b"package.loaded.io",
        b"package.loaded.debug",
        b"package.loaded.os.getenv",
        b"select(2, pcall(require, 'io')).open",
    ],
)
def test_it_has_no(version: str, expression: bytes):
    assert [None] == results(b"function f() return (%s) end" % expression, version, profile=b"restricted")


@pytest.mark.parametrize("function", [b"time", b"clock", b"date", b"difftime"])
def test_it_keeps_the_clock(version: str, function: bytes):
    script = b"function f() return type(os.%s) end" % function
    assert [b"function"] == results(script, version, profile=b"restricted")


def test_its_errors_have_a_traceback_all_the_same(version: str):
    state = make_state(b"function f() error('boom') end", version, profile=b"restricted")
    kind, text = call(state)
    assert kind == StepKind.FAILED
    assert text.startswith(b"t.lua:1: boom\nstack traceback:\n")


def test_a_fake_debug_library_is_not_asked_for_tracebacks(version: str):
    script = b"debug = { traceback = function() return 'fake' end } function f() error('boom') end"
    assert call(make_state(script, version, profile=b"restricted"))[1].startswith(b"t.lua:1: boom\n")


def test_restricted_globals_do_not_disturb_it(version: str):
    script = b"dovecot.restrict_global_variables(true) function f() error('boom', 0) end"
    assert call(make_state(script, version, profile=b"restricted"))[1].startswith(b"boom\n")


@pytest.mark.parametrize(
    "attempt",
    [b"package.path = '%s' return require('x')", b"return require('%s\\0')"],
    ids=["another path", "a name that ends early"],
)
def test_require_reads_no_file_but_modules(version: str, attempt: bytes, tmp_path):
    # Lua quotes in its message what it cannot parse.
    secret = tmp_path / "key"
    secret.write_text("9f3abcdeadbeef0123")
    script = b"function f() return select(2, pcall(function() %s end)) end" % (attempt % bytes(secret))
    [message] = results(script, version, profile=b"restricted", lua_path=b"/?.lua")
    assert b"9f3abcdeadbeef0123" not in message
    assert b"module '" in message


def test_require_finds_modules_of_the_configured_path(version: str, tmp_path):
    (tmp_path / "mine.lua").write_text("return 5")
    script = b"function f() return require('mine') end"
    assert [5] == results(script, version, profile=b"restricted", lua_path=b"%s/?.lua" % bytes(tmp_path))[:1]
