"""Makes running Lua code give way: whose coroutine runs now, and the hook that lets it yield in the middle.

The engine says which task runs, the Lua side which coroutine, and the watch (workers/watch.py) asks for the end of a
slice from its own thread. The hook is set only then, so code that gives way by itself pays nothing for it. It yields,
which no `pcall` of the script can catch; the engine resumes the coroutine later or never.

Facts: `lua_sethook` may be called while the state runs (lua.c does it in a signal handler). In Lua 5.3 and later
`lua_yieldk` without values in a count hook returns to Lua, which then suspends the coroutine (ldebug.c,
luaG_traceexec); in 5.1 and LuaJIT it may jump out of the hook, through frames of Python, so those run to their end.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

#: Lua versions that can give way in the middle of computing.
SLICED_VERSIONS: Final = frozenset({"5.3", "5.4", "5.5"})

#: Instructions between two looks of the hook in coroutines that scripts made: about 0.2 ms.
ARMED_EVERY: Final = 20_000

#: Instructions until the next try where Lua could not yield: inside a comparator of table.sort and the like.
RETRY_EVERY: Final = 1_000

#: The same within our own files, which a loop around a native leaves for a few instructions only: a prime, so that the
#: tries meet all of them.
RETRY_IN_OURS_EVERY: Final = 61

_MASK_COUNT: Final = 1 << 3

#: Offset of `source` in lua_Debug, the same in 5.3 to 5.5 on 64-bit machines: behind an int and three pointers.
_SOURCE_OFFSET: Final = 32

#: `source` of our own files (bytecode.lua). Their tables must not be left half-changed for other calls to see.
_OUR_SOURCE: Final = b"=?"

_HOOK: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class TimeSlice:
    """The step that runs in an engine, and the way to interrupt it.

    `enter` and `leave` are called on the engine's thread around Lua, `ask` and `abandon` on others. The lock makes sure
    that a coroutine's address is used only while the step that published it is inside Lua.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: What runs; None between two calls.
        self.task: Any = None
        #: Number of the step: one start or resumption of a task.
        self.number = 0
        #: Is the engine's thread inside Lua? Set by LuaState.
        self.is_inside = False
        self._running: tuple[_Library, bytes] | None = None
        self._is_over = False
        self._has_yielded = False
        self._libraries: dict[str, _Library] = {}
        self._is_abandoned = False

    def enter(self, task: object) -> None:
        """Note whose step begins. After `abandon` none does."""
        self.task = task
        self.number += 1
        if self._is_abandoned:
            _never_return()

    def rest(self) -> None:
        """Note that nothing runs."""
        self.task = None

    def leave(self) -> None:
        """Note that Lua has returned. After `abandon` the thread ends here: what it would do next is done by others."""
        with self._lock:
            self.is_inside = False
            if self._is_over:
                self._take_back()
            self._running = None
            if not self._is_abandoned:
                return
        _never_return()

    def ask(self, number: int) -> None:
        """Have step `number` give way as soon as Lua can, if it still runs."""
        with self._lock:
            if number != self.number or self._running is None:
                return
            library, address = self._running
            self._is_over = True
            library.interrupt(int(address.rpartition(b"0x")[2], 16))

    def abandon(self, number: int | None = None) -> bool:
        """Give up the engine's thread: it never leaves Lua, or never begins another step.

        Args:
            number: only if it is inside Lua in this step; None: wherever it is.

        Returns:
            False: it is not there any more, and goes on.
        """
        with self._lock:
            if number is not None and not (self.is_inside and number == self.number):
                return False
            self._is_abandoned = True
            return True

    def natives(self, module: object, version: str) -> dict[str, Callable[..., object]]:
        """Return what the Lua side tells and asks: `running(address)`, `ended()`, `was_preempted()`, `arm(address)`.

        A coroutine that `running` names must stay until `ended` has returned or the step has left Lua: until then it
        is written to.

        Args:
            module: lupa's of that version.
            version: empty dict for one that cannot give way.
        """
        if version not in SLICED_VERSIONS:
            return {}
        # One for all states of a version: no more than one step runs, and what it was asked to do ends with it.
        library = self._libraries.get(version)
        if library is None:
            library = self._libraries[version] = _Library(_functions(str(getattr(module, "__file__", ""))), self)

        def running(address: bytes) -> None:
            self._running = (library, address)

        def arm(address: bytes) -> None:
            library.arm(int(address.rpartition(b"0x")[2], 16))

        return {"running": running, "ended": self._ended, "was_preempted": self._was_preempted, "arm": arm}

    # For the hook, on the engine's thread inside Lua.

    @property
    def is_over(self) -> bool:
        """Has the running step been asked to give way?"""
        return self._is_over

    def note_yield(self) -> None:
        """Note that the hook makes the running coroutine yield."""
        self._has_yielded = True

    def _ended(self) -> None:
        with self._lock:
            self._take_back()
            self._running = None

    def _take_back(self) -> None:
        """Undo what `ask` did to the coroutine, which is still there; the caller holds the lock."""
        if self._running:
            library, _ = self._running
            library.take_back()
        self._is_over = self._has_yielded = False

    def _was_preempted(self) -> bool:
        has_yielded, self._has_yielded = self._has_yielded, False
        return has_yielded


class _Library:
    """The hook of one Lua library. Its callback runs inside Lua and must not raise a Lua error: it only yields."""

    def __init__(self, lua: ctypes.PyDLL, time_slice: TimeSlice) -> None:
        self._lua = lua
        self._slice = time_slice
        self._callback = _HOOK(self._hooked)
        self._pointer = ctypes.cast(self._callback, ctypes.c_void_p).value
        #: The coroutine that was interrupted, and the script's own hook there: (function, mask, count).
        self._interrupted = 0
        self._script_hook: tuple[int | None, int, int] = (None, 0, 0)

    def interrupt(self, state: int) -> None:
        """Have the hook called at the next instruction."""
        hook = self._lua.lua_gethook(state)
        if hook != self._pointer:
            self._script_hook = (hook, self._lua.lua_gethookmask(state), self._lua.lua_gethookcount(state))
        self._interrupted = state
        self._lua.lua_sethook(state, self._pointer, _MASK_COUNT, 1)

    def take_back(self) -> None:
        """Take the hook out of the interrupted coroutine, if it has not been called there yet."""
        if self._interrupted:
            self._restore(self._interrupted)

    def arm(self, state: int) -> None:
        """Have the hook called now and then, in this coroutine and in all that are made in it."""
        self._lua.lua_sethook(state, self._pointer, _MASK_COUNT, ARMED_EVERY)

    def _hooked(self, state: int, debug: int) -> None:
        if not self._slice.is_over:
            # Asked for in a step that ended first: at leisure from here on.
            self.arm(state)
        elif not self._lua.lua_isyieldable(state):
            self._lua.lua_sethook(state, self._pointer, _MASK_COUNT, RETRY_EVERY)
        elif self._is_in_our_code(state, debug):
            self._lua.lua_sethook(state, self._pointer, _MASK_COUNT, RETRY_IN_OURS_EVERY)
        else:
            if state == self._interrupted:
                self._restore(state)
            else:
                self.arm(state)
            self._slice.note_yield()
            self._lua.lua_yieldk(state, 0, None, None)

    def _restore(self, state: int) -> None:
        self._interrupted = 0
        self._lua.lua_sethook(state, *self._script_hook)
        self._script_hook = (None, 0, 0)

    def _is_in_our_code(self, state: int, debug: int) -> bool:
        self._lua.lua_getinfo(state, b"S", debug)
        return ctypes.c_char_p.from_address(debug + _SOURCE_OFFSET).value == _OUR_SOURCE


def _never_return() -> NoReturn:
    while True:
        threading.Event().wait()


@cache
def _functions(path: str) -> ctypes.PyDLL:
    """Open a Lua library that lupa has loaded. PyDLL: the calls keep the interpreter's lock, so no thread cuts in."""
    lua = ctypes.PyDLL(path)
    state, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("lua_sethook", None, [state, ctypes.c_void_p, number, number]),
        ("lua_gethook", ctypes.c_void_p, [state]),
        ("lua_gethookmask", number, [state]),
        ("lua_gethookcount", number, [state]),
        ("lua_getinfo", number, [state, ctypes.c_char_p, ctypes.c_void_p]),
        ("lua_isyieldable", number, [state]),
        ("lua_yieldk", number, [state, number, ctypes.c_void_p, ctypes.c_void_p]),
    ):
        function = getattr(lua, name)
        function.restype, function.argtypes = result, arguments
    return lua
