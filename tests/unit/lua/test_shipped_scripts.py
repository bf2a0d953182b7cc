"""Every script of lua_scripts compiles on every Lua version, and its header names what it defines."""

import re
from pathlib import Path

import pytest

from tests.unit.lua.states import ALL_LUAS, make_state

SCRIPTS = sorted((Path(__file__).parents[3] / "lua_scripts").glob("*.lua"))

every_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


@every_script
@pytest.mark.parametrize("lua", ALL_LUAS)
def test_script_compiles(path, lua):
    assert "" == make_state(version=lua).compile(path.read_bytes(), b"@script.lua")


@every_script
def test_header_says_the_purpose_and_lists_every_function(path):
    source = path.read_text()
    header = source[: source.index("\n\n")]
    defined = re.findall(r"^function (\w+)", source, re.MULTILINE)
    listed = re.findall(r"^--   (\w+)\(", header, re.MULTILINE)
    assert header.startswith("-- Purpose: ")
    assert sorted(defined) == sorted(listed)


@every_script
def test_script_init_returns_what_dovecot_23_wants(path):
    source = path.read_text()
    # A chunk without script_init has nothing to return.
    body = re.search(r"^function script_init\(.*?^end$", source, re.MULTILINE | re.DOTALL)
    assert body is None or body.group().endswith("   return 0\nend")
