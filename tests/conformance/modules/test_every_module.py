"""What holds for each built-in module: it loads on every Lua version, says what it is, and is loaded once."""

from __future__ import annotations

from importlib import resources

import pytest

from tests.conformance.modules.harness import ALL_LUAS, make_state, run

FILES = sorted(
    (file for file in resources.files("workers.lua.modules").iterdir() if file.name.endswith(".lua")),
    key=lambda file: file.name,
)
NAMES = [file.name.removesuffix(".lua").replace("_", ".") for file in FILES]

#: What scripts in the wild require most (issue 3, item 4), and lua-redis' and LuaSec's neighbours.
WANTED = {
    "base64",
    "bit32",
    "cjson",
    "cjson.safe",
    "dkjson",
    "json",
    "ltn12",
    "mime",
    "rapidjson",
    "socket",
    "socket.http",
    "socket.url",
    "ssl.https",
}

SCRIPT = b"function f(name) return type(require(name)), require(name) == require(name), name end"


def test_the_modules_that_scripts_require_are_there():
    assert set() == WANTED - set(NAMES)


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize("name", NAMES)
def test_module_loads(name, version):
    kind, is_same, _ = run(make_state(SCRIPT, version), b"f", [name.encode()], {})
    assert kind in (b"table", b"function")
    assert is_same


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_module_starts_with_its_name_and_mirrors_something(file):
    name = file.name.removesuffix(".lua").replace("_", ".")
    text = file.read_text()
    assert text.startswith(f"-- {name}: ")
    assert "Mirrors: " in text or name.startswith("lualoft.")
