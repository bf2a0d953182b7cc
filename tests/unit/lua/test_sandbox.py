"""Loading inside scripts: what stays as Lua has it, and what is refused."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, results

every_lua = pytest.mark.parametrize("version", ALL_LUAS)

#: Lua 5.1's `load` takes neither a mode nor an environment.
every_lua_with_modes = pytest.mark.parametrize("version", [version for version in ALL_LUAS if version != "5.1"])


def _require(version: str, directory, **natives):
    script = b"""
    function f()
       local ok, module = pcall(require, "sub.mine")
       return ok, ok and module.value or module
    end"""
    return (
        results(script, version, **natives)
        if directory is None
        else results(b'package.path = "%s/?.lua"\n' % bytes(directory) + script, version, **natives)
    )


@every_lua
def test_a_module_of_the_lua_path_is_found(version: str, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.lua").write_bytes(b"#!lua\nown_global = 1 return { value = 5 }")
    assert [True, 5] == _require(version, None, lua_path=b"%s/?.lua" % bytes(tmp_path))
    assert [True, 5] == _require(version, tmp_path)


@every_lua
def test_a_module_that_does_not_compile_says_where(version: str, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.lua").write_bytes(b"\nx = = 1")
    is_loaded, message = _require(version, tmp_path)
    assert not is_loaded
    assert b"error loading module 'sub.mine' from file '%s/sub/mine.lua':" % bytes(tmp_path) in message
    assert b"mine.lua:2: unexpected symbol near '='" in message


@every_lua
def test_a_module_that_is_nowhere_lists_where_it_was_sought(version: str, tmp_path):
    is_loaded, message = _require(version, tmp_path)
    assert not is_loaded
    assert b"module 'sub.mine' not found:" in message
    assert b"\n\tno file '%s/sub/mine.lua'" % bytes(tmp_path) in message


@every_lua
def test_a_module_shares_the_globals_of_the_script(version: str, tmp_path):
    (tmp_path / "mine.lua").write_bytes(b"made_by_module = 5 return seen_by_module")
    script = b"""
    package.path = "%s/?.lua"
    seen_by_module = 7
    function f() return require("mine"), made_by_module end""" % bytes(tmp_path)
    assert [7, 5] == results(script, version)


@every_lua
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (b"(loadstring or load)('return 1 + 1')()", 2),
        (b"(loadstring or load)('own = 3')() or own", 3),
        (b"load(function() local part = rest rest = nil return part end)()", 7),
        (b"(loadstring or load)('x = = 1', '=name')", None),
        (b"select(2, (loadstring or load)('x = = 1', '=name'))", b"name:1: unexpected symbol near '='"),
        (b"select(2, (loadstring or load)('x = = 1', '@name'))", b"name:1: unexpected symbol near '='"),
        (b"package.loaded._G == _G", True),
    ],
)
def test_load_is_as_lua_has_it(version: str, expression: bytes, expected):
    assert [expected] == results(b"function f() rest = 'return 7' return (%s) end" % expression, version)


@every_lua_with_modes
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (b"load('return x', 'n', 't', { x = 5 })()", 5),
        (b"load('return x', 'n', nil, { x = 5 })()", 5),
        (b"load('return x', 'n', 'b')", None),
        (b"select(2, load('return x', 'n', 'b'))", b"attempt to load a text chunk (mode is 'b')"),
    ],
)
def test_load_takes_mode_and_environment(version: str, expression: bytes, expected):
    assert [expected] == results(b"function f() return (%s) end" % expression, version)


@every_lua
@pytest.mark.parametrize("call", [b"loadfile()", b"dofile()", b"debug.debug()"])
def test_standard_input_is_not_read(version: str, call: bytes):
    assert [None] == results(
        b"function f() local ok, r = pcall(function() return (%s) end) return ok and r or nil end" % call, version
    )


@every_lua
def test_files_load_with_shebang_and_environment(version: str, tmp_path):
    path = tmp_path / "mine.lua"
    path.write_bytes(b"#!lua\nreturn 5, debug.getinfo(1, 'l').currentline")
    assert [5, 2] == results(b'function f() return dofile("%s") end' % bytes(path), version)


@every_lua
def test_a_missing_file_is_named(version: str):
    message = results(b'function f() return (select(2, loadfile("/nosuch/x.lua"))) end', version)[0]
    assert b"cannot open /nosuch/x.lua: No such file or directory" == message


@every_lua
def test_the_locale_of_the_process_stays(version: str):
    script = b"""
    function f()
       local before = os.setlocale()
       local answer = os.setlocale(before == "C" and "C.UTF-8" or "C")
       return answer, os.setlocale() == before, os.setlocale(nil, "numeric") ~= nil
    end"""
    assert [None, True, True] == results(script, version)
