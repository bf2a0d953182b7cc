"""What the profiles `trusted` and `restricted` give, name by name; profile_names.toml lists it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.unit.lua.states import ALL_LUAS, results
from workers.lua.runtime import bare_function

NAMES = tomllib.loads(Path(__file__).with_name("profile_names.toml").read_text())

#: Lists `library.name` of everything in a table of globals; `dovecot` has tests of its own.
LIST = b"""function(globals)
   local names = {}
   for name, value in next, globals do
      if type(value) == "table" and name ~= "_G" and name ~= "dovecot" then
         for member in next, value do names[#names + 1] = name .. "." .. member end
      else
         names[#names + 1] = "_G." .. name
      end
   end
   return names
end"""

#: What stands in `package.loaded`.
LIBRARIES = (
    b"function() local names = {} for name in next, package.loaded do names[#names + 1] = name end return names end"
)

every_profile = pytest.mark.parametrize("profile", ["trusted", "restricted"])
every_lua = pytest.mark.parametrize("version", ALL_LUAS)


def _listed(section: dict[str, str]) -> set[str]:
    return {f"{library}.{name}" for library, words in section.items() for name in words.split()}


def _found(version: str, profile: str) -> set[str]:
    script = b"function f() f = nil return (%s)(_G) end" % LIST
    [names] = results(script, version, profile=profile.encode())
    return {name.decode() for name in names}


def _plain(version: str) -> set[str]:
    """Names of a Lua state that nobody has touched, without the table of lupa's own."""
    # Global functions of that state find _G as their environment; the list is copied out name by name.
    text = bare_function(version, b"function() return table.concat((%s)(_G), ' ') end" % LIST)()
    return {name for name in text.decode().split() if not name.startswith("python.")}


def _given(version: str, profile: str) -> set[str]:
    missing = NAMES["missing"][profile]
    closed = tuple(f"{library}." for library, words in missing.items() if words == "*")
    names = _listed(NAMES["all"]) | _listed(NAMES[version])
    return {name for name in names if not name.startswith(closed or ("\0",))} - _listed(missing)


@every_profile
@every_lua
def test_profile_gives_what_is_listed_and_nothing_else(version: str, profile: str):
    assert _given(version, profile) == _found(version, profile)


@every_profile
@every_lua
def test_profile_adds_dovecot_to_plain_lua_and_nothing_else(version: str, profile: str):
    assert {"_G.dovecot"} == _found(version, profile) - _plain(version)


@every_lua
def test_trusted_lacks_of_plain_lua_what_is_listed(version: str):
    plain = _plain(version)
    assert _listed(NAMES["missing"]["trusted"]) & plain == plain - _found(version, "trusted")


@every_profile
@every_lua
def test_loaded_libraries_are_the_global_ones(version: str, profile: str):
    [names] = results(b"function f() return (%s)() end" % LIBRARIES, version, profile=profile.encode())
    libraries = {name.partition(".")[0] for name in _given(version, profile)}
    assert libraries == {name.decode().partition(".")[0] for name in names}
