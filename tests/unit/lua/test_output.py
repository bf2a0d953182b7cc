"""print and warn write through the host, in Lua's words."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, make_state
from workers.lua.runtime import StepKind

every_lua = pytest.mark.parametrize("version", ALL_LUAS)


def _printed(code: bytes, version: str) -> list[bytes]:
    lines: list[bytes] = []
    step = make_state(b"function f() %s end" % code, version, print=lines.append).start(b"f", [])
    assert step[0] == StepKind.DONE, step
    return lines


@every_lua
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"print()", b""),
        (b"print('a', nil, 1, true)", b"a\tnil\t1\ttrue"),
        (b"print('a\\0b')", b"a\0b"),
        (b"print(setmetatable({}, { __tostring = function() return 'shown' end }))", b"shown"),
    ],
)
def test_print_writes(version: str, code: bytes, expected: bytes):
    assert [expected] == _printed(code, version)


@pytest.mark.parametrize("version", ["5.4", "5.5"])
def test_warnings_are_written_once_they_are_on(version: str):
    code = b"warn('off') warn('@on') warn('a', 'b') warn('@nosuch') warn('@off') warn('off') print(pcall(warn))"
    expected = [b"Lua warning: ab", b"false\tbad argument #1 to 'warn' (string expected, got no value)"]
    assert expected[0] == _printed(code, version)[0]
    assert 2 == len(_printed(code, version))
