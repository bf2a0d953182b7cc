"""Code that computes for long gives way in the middle: what it is inside of, and what others see of it."""

import threading

import pytest

from workers.lua.runtime import LuaState, StepKind
from workers.lua.time_slice import SLICED_VERSIONS, TimeSlice

SCRIPT = b"""
local function count(n) local sum = 0 for i = 1, n do sum = sum + 1 end return sum end

function plain(n) return count(n) end
function in_pcall(n) return select(2, pcall(count, n)) end
function in_endless_pcall() while true do pcall(function() while true do end end) end end
function in_coroutine(n) return select(2, coroutine.resume(coroutine.create(count), n)) end
function in_nested_coroutine(n) return coroutine.wrap(function() return coroutine.wrap(count)(n) end)() end
function in_metamethod(n) return setmetatable({}, { __index = function() return count(n) end }).x end
local function once(n, last) if not last then return 1, count(n) end end
function in_iterator(n) for _, sum in once, n do return sum end end
function in_close(n)
   local sum
   do
      local _ <close> = setmetatable({}, { __close = function() sum = count(n) end })
   end
   return sum
end
function in_own_hook(n)
   local seen = 0
   debug.sethook(function() seen = seen + 1 end, "", 100)
   local sum = count(n)
   debug.sethook()
   return seen * 100 >= sum and sum
end
function without_hook(n) debug.sethook() return count(n) end
function in_sort()
   local calls = 0
   table.sort({ 3, 1, 2 }, function(a, b) calls = calls + count(1000) return a < b end)
   return calls >= 2000
end

function yields_nothing(n)
   local generate = coroutine.wrap(function() for _ = 1, n do coroutine.yield() end return "end" end)
   local last, rounds = generate(), 0
   while last == nil do last, rounds = generate(), rounds + 1 end
   return rounds
end

function quick() return "quick" end
function passthrough(n)
   local event = dovecot.event():passthrough_event()
   count(n)
   event:log_info("late")
end
function passthrough_in_coroutine(n) return coroutine.wrap(passthrough)(n) end
function depth_left() local co = coroutine.wrap(function() return count(10) end) return co() end
"""
# `<close>` is new in 5.4.
SCRIPT_53 = SCRIPT.replace(b"local _ <close> =", b"sum = count(n) local _ =")

COUNT = 3_000_000

#: So many that a busy machine, too, comes to ask before they are counted.
LONG = 10 * COUNT

SHAPES = (
    "plain", "in_pcall", "in_coroutine", "in_nested_coroutine", "in_metamethod", "in_iterator", "in_close",
    "in_own_hook", "without_hook",
)  # fmt: skip


class Asking:
    """A state whose every step is asked to give way over and over, from another thread."""

    def __init__(self, version, **natives):
        self.slice = TimeSlice()
        script = SCRIPT_53 if version == "5.3" else SCRIPT
        natives = {"log": lambda _level, _text: None, "c_modules": False, **natives}
        self.state = LuaState(version, natives, time_slice=self.slice)
        assert "" == self.state.compile(script, b"@t.lua")
        assert StepKind.DONE == self.state.start_main()[0]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc_info):
        self._end.set()
        self._thread.join()

    def _ask(self):
        while not self._end.wait(0.002):
            self.slice.ask(self.slice.number)

    def start(self, function, *args):
        self.slice.enter(function)
        return self.state.start(function.encode(), list(args))

    def resume(self, step):
        self.slice.enter(step)
        return self.state.resume(step[1], ())

    def to_end(self, function, *args):
        """The last step, and how often it gave way before."""
        step, slices = self.start(function, *args), 0
        while step[0] == StepKind.PARKED:
            assert b"slice" == step[2]
            step, slices = self.resume(step), slices + 1
        return step, slices


@pytest.fixture(params=sorted(SLICED_VERSIONS))
def asking(request):
    with Asking(request.param) as asking:
        yield asking


@pytest.mark.parametrize("shape", SHAPES)
def test_code_gives_way_and_goes_on_where_it_was(asking, shape):
    step, slices = asking.to_end(shape, LONG)
    assert (StepKind.DONE, 1, LONG) == step
    assert 0 < slices


def test_endless_loop_behind_pcall_gives_way_again_and_again(asking):
    step = asking.start("in_endless_pcall")
    for _ in range(5):
        assert (StepKind.PARKED, b"slice") == (step[0], step[2])
        step = asking.resume(step)


def test_comparator_of_sort_runs_on_because_lua_cannot_yield_there(asking):
    assert (StepKind.DONE, 1, True) == asking.to_end("in_sort")[0]


def test_empty_yields_of_a_script_are_not_taken_for_the_end_of_a_slice(asking):
    assert (StepKind.DONE, 1, 200_000) == asking.to_end("yields_nothing", 200_000)[0]


def test_another_call_runs_while_one_is_interrupted(asking):
    step = asking.start("plain", LONG)
    assert StepKind.PARKED == step[0]
    assert (StepKind.DONE, 1, b"quick") == asking.to_end("quick")[0]
    while step[0] == StepKind.PARKED:
        step = asking.resume(step)
    assert (StepKind.DONE, 1, LONG) == step


@pytest.mark.parametrize("function", ["passthrough", "passthrough_in_coroutine"])
def test_passthrough_event_of_an_interrupted_call_is_not_taken_for_a_leak(function):
    logged = []
    with Asking("5.4", log=lambda _level, text: logged.append(text)) as asking:
        step = asking.start(function, LONG)
        assert StepKind.PARKED == step[0]
        asking.to_end("quick")
        while step[0] == StepKind.PARKED:
            step = asking.resume(step)
    assert [b"late"] == logged


def test_interrupted_coroutines_that_are_never_resumed_leave_no_depth_behind(asking):
    for _ in range(200):
        step = asking.start("in_nested_coroutine", LONG)
        assert StepKind.PARKED == step[0]
        asking.state.cancel(step[1])
    assert (StepKind.DONE, 1, 10) == asking.to_end("depth_left")[0]


@pytest.mark.parametrize("version", ["5.1", "5.2", "luajit"])
def test_other_versions_run_to_their_end(version):
    script = b"function f(n) local sum = 0 for i = 1, n do sum = sum + 1 end return sum end"
    time_slice = TimeSlice()
    state = LuaState(version, {"log": lambda *_: None, "c_modules": False}, time_slice=time_slice)
    state.compile(script, b"@t.lua")
    state.start_main()
    time_slice.enter("f")
    time_slice.ask(time_slice.number)
    assert (StepKind.DONE, 1, COUNT) == state.start(b"f", [COUNT])


def test_asking_a_step_that_is_over_does_nothing(asking):
    asking.to_end("quick")
    over = asking.slice.number
    asking.slice.ask(over)
    asking.slice.enter("next")
    asking.slice.ask(over)
    assert (StepKind.DONE, 1, b"quick") == asking.state.start(b"quick", [])


def test_step_that_is_over_is_not_abandoned(asking):
    asking.to_end("quick")
    assert not asking.slice.abandon(asking.slice.number)
    assert (StepKind.DONE, 1, b"quick") == asking.to_end("quick")[0]


def test_address_of_a_coroutine_cannot_be_forged_on_lua_53():
    script = (
        b"function f() debug.setmetatable(coroutine.create(print), { __tostring = function() return '0x1' end }) end"
    )
    state = LuaState("5.3", {"log": lambda *_: None, "c_modules": False}, time_slice=TimeSlice())
    state.compile(script, b"@t.lua")
    state.start_main()
    step = state.start(b"f", [])
    assert StepKind.FAILED == step[0]
    assert b"protected metatable" in step[1]
