"""auth_userdb_iterate of the same script through Debian's Dovecot 2.3.19 and through the pool in dialect 2.3."""

from functools import cache

from hypothesis import strategies as st

from dispatcher.auth import IterationError
from tests.acceptance.auth_pool import script_at, text, with_pool
from tests.acceptance.auth_strategies import PIECES, examples, lua_string, texts
from tests.acceptance.dovecot import Dovecot

#: The number of the case stands in a file: nothing else reaches the function.
SCRIPT = """\
local cases = {{
{cases}
}}
function auth_userdb_iterate()
   local file = assert(io.open("{path}"))
   local number = file:read("n")
   file:close()
   return cases[number]()
end
"""

WRITTEN = (
    "{ 'b', 'a' }", "{}", "{ 'a', 'a' }", "{ 5, 1.5, -0.0, 2^53, math.mininteger, 1e100 }", "{ '' }",
    "{ 'cut\\0here' }",
    "{ x = 'b', y = 'a', [10] = 'c' }", "{ 'a', [3] = 'b' }", "{ [true] = 'a', [print] = 'b', [1.5] = 'c' }",
    "{ 'a' }, 'second'", "{ 'a', true }", "{ {} }", "{ 'a', print }", "nil", "", "'a'", "5", "true", "print",
    "setmetatable({ 'a' }, { __pairs = error, __index = { 'x', 'y' } })", "error('no luck')", "error()", "nope.nope",
    "coroutine.yield()", "{ ('x'):rep(4000), 'y' }", "{ 'a\\tb', '\\255', \"'\", '\"', '%u', 'a b', '@' }",
)  # fmt: skip

#: No line ends and no byte 1: Dovecot's worker protocol passes names on unescaped.
NAME = texts(tuple(piece for piece in PIECES if piece not in "\n\x01")).map(lua_string)
VALUE = st.one_of(NAME, NAME, NAME, NAME, st.sampled_from(["5", "1.5", "-1", "1e15"]))
ITEM = st.one_of(
    VALUE, st.builds("[{}] = {}".format, st.one_of(NAME, st.sampled_from(["1", "7", "true", "1.5"])), VALUE)
)
WRONG = st.sampled_from(["true", "{}", "print", "io.stdout"])
TABLE = st.builds("{{ {} }}".format, st.lists(st.one_of(*[ITEM] * 9, WRONG), max_size=6).map(", ".join))


@cache
def cases():
    """Those written and those made up; made by the test, as whoever only imports this would wait for them."""
    return tuple(dict.fromkeys((*WRITTEN, *examples(TABLE, 150))))


def through_dovecot(folder, script, number):
    home = folder / "dovecot"
    home.mkdir()
    dovecot = Dovecot(home, script)
    try:
        for case in range(1, len(cases()) + 1):
            number.write_text(str(case))
            users, is_ok = dovecot.master().list_users()
            # Where the keys are not 1 to n, the order is Lua's secret.
            yield is_ok, sorted(users)
    finally:
        dovecot.close()


async def listing(auth, package):
    try:
        return True, sorted([text(user) async for user in auth.iterate(package)])
    except IterationError:
        return False, []


def through_pool(folder, script, number):
    async def scenario(auth):
        package, seen = script_at(script), []
        for case in range(1, len(cases()) + 1):
            number.write_text(str(case))
            seen.append(await listing(auth, package))
        return seen

    return with_pool(scenario, folder / "pool.log")


def test_users_are_listed_as_in_dovecot(tmp_path):
    number, script = tmp_path / "number", tmp_path / "iterate.lua"
    lines = "\n".join(f"function() return {case} end," for case in cases())
    script.write_text(SCRIPT.format(cases=lines, path=number))
    expected = list(through_dovecot(tmp_path, script, number))
    actual = through_pool(tmp_path, script, number)
    assert [] == [
        f"{case}\n    Dovecot: {their}\n    lualoft: {our}"
        for case, their, our in zip(cases(), expected, actual, strict=True)
        if their != our
    ]
