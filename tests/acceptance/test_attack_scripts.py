"""Scripts that attack the worker they run in: their callers are answered in time, and nobody else notices.

attacks.toml holds the scripts. They share one pool; while each runs, calls of another script and, where it is promised,
of the same one go on, and every one of them succeeds. Then the pool is back to full strength.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from dispatcher.auth import result_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.auth_result import AUTH_HOST
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import EngineSettings, LuaSettings, PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from dispatcher.protocol.outcome import Outcome

#: Callers and bystanders are to be answered in time.
pytestmark = pytest.mark.alone

Attack = dict[str, Any]

#: Processor time of a call, in seconds: little, so that the file takes two minutes and not ten.
MAX_CPU_S: Final = 0.1

#: A caller has its outcome so many seconds after its deadline at the latest. 0.1 are promised; the rest is for a
#: machine whose cores are busy with the attack, the worker that starts in its place and whatever else runs there.
ANSWER_MARGIN_S: Final = 0.1 + 0.4

#: The pool is back to full strength within this. 2 s are promised to a machine that has a core for it; one with several
#: times as much to do as it has cores is given as many times more.
FULL_STRENGTH_S: Final = 2.0

#: Bystanders: seconds between their calls, and what each may take; one whose worker is replaced waits for that.
TRICKLE_EVERY_S: Final = 0.03
BYSTANDER_DEADLINE_S: Final = 10.0

BYSTANDER: Final = Script.from_stream(
    "bystander",
    b"""
    function ping() return "pong" end
    function nap() require("socket").sleep(0.1) return "pong" end
    """,
)

#: What stands in the error of a call for which its worker ended.
REPLACED: Final = "its worker was replaced"


def _cases() -> list[Any]:
    attacks = tomllib.loads(Path(__file__).with_name("attacks.toml").read_text())["attack"]
    cases = []
    for attack in attacks:
        luas, each = attack.get("luas", ["5.4"]), attack.get("each", [None])
        for lua, argument in itertools.product(luas, each):
            words = [attack["id"], *([lua] if len(luas) > 1 else []), *([str(argument)] if argument else [])]
            case = {**attack, "lua": lua, "argument": argument}
            cases.append(pytest.param(attack.get("profile", "trusted"), case, id=", ".join(words)))
    return cases


def _load_factor() -> float:
    """How many times as much the machine has to do as it has cores; 1 where it has less."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _script(attack: Attack) -> Script:
    function = "auth_password_verify" if "auth" in attack else "f"
    before = attack.get("before", "function ping() return 'pong' end")
    return Script(
        # Each case a script of its own: one that hits its limits again and again is parked.
        name=f"{attack['id']} {attack['argument']}",
        origin="stream",
        source=attack.get("script", f"{before} function {function}(...) {attack.get('body')}\nend").encode(),
        lua=attack["lua"],
        max_memory_bytes=attack.get("memory", 0) * 1024 * 1024,
        max_cpu_s=attack.get("max_cpu_s", MAX_CPU_S),
    )


def _expected_values(attack: Attack) -> list[Any]:
    return [None if v == {"nil": True} else v.encode() if isinstance(v, str) else v for v in attack["values"]]


def _user(attack: Attack) -> str:
    if "user" not in attack:
        return "ada"
    head, repeated, times, tail = attack["user"]
    return str(head + repeated * times + tail)


class Bystanders:
    """Calls that go on beside an attack."""

    def __init__(self, dispatcher: Dispatcher, attack: Attack) -> None:
        self._dispatcher = dispatcher
        # A script that costs its worker is parked for a moment: its other calls end as `unavailable`.
        is_shared = not attack.get("alone") and "costs" not in attack and "auth" not in attack
        self._same_script = _script(attack) if is_shared else None
        self._is_killed = attack.get("costs") == "killed"
        self._calls: list[tuple[str, Future[Outcome]]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()

    def failures(self) -> list[tuple[str, Outcome]]:
        """Calls that came to anything but their result."""
        outcomes = [(name, call.result(timeout=2 * BYSTANDER_DEADLINE_S)) for name, call in self._calls]
        return [(name, outcome) for name, outcome in outcomes if outcome.values != [b"pong"]]

    def _run(self) -> None:
        while True:
            # One that waits has begun: it outlives its worker as an idempotent call only. The others never have,
            # unless their worker is killed in the very middle.
            self._ask(BYSTANDER, "nap", is_idempotent=True)
            self._ask(BYSTANDER, "ping", is_idempotent=self._is_killed)
            if self._same_script:
                self._ask(self._same_script, "ping", is_idempotent=False)
            if self._end.wait(TRICKLE_EVERY_S):
                return

    def _ask(self, script: Script, function: str, *, is_idempotent: bool) -> None:
        call = self._dispatcher.submit(script, function, [], deadline_s=BYSTANDER_DEADLINE_S, idempotent=is_idempotent)
        self._calls.append((f"{function} of {script.name}", call))


@pytest.fixture(scope="module")
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    with EmbeddedServer() as server:
        yield Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            # Attack follows attack here, as nowhere else: the pauses before killed workers are replaced would add up.
            pool=PoolSettings(workers=2, grace_s=2.0, respawn_max_s=0.4),
            engine=EngineSettings(max_cpu_s=MAX_CPU_S),
            lua=LuaSettings(profile=request.param),
        )


@pytest.fixture(scope="module")
def dispatcher(settings: Settings) -> Iterator[Dispatcher]:
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        yield dispatcher


@pytest.fixture
def workers(settings: Settings) -> Iterator[Callable[[], set[bytes]]]:
    """Names of the workers at a moment."""
    with connect_sync(settings.redis) as redis:
        yield lambda: redis.smembers(keys.RQ_WORKERS)


@pytest.mark.parametrize(("settings", "attack"), _cases(), indirect=["settings"], scope="module")
def test_attack_ends_as_expected_and_nobody_else_notices(dispatcher, workers, attack):
    workers_before = workers()
    with Bystanders(dispatcher, attack) as bystanders:
        outcome = _run_attack(dispatcher, attack)
        if attack.get("costs") in ("worker", "killed") or REPLACED in outcome.error:
            began_s = time.monotonic()
            # The other way round a worker that has not even ended yet would count.
            wait_until(lambda: workers() - workers_before, 10)
            wait_until(lambda: len(workers()) == len(workers_before), 10)
            assert FULL_STRENGTH_S * _load_factor() > time.monotonic() - began_s
    assert [] == bystanders.failures()
    assert ("costs" in attack) or workers_before == workers()


def _run_attack(dispatcher: Dispatcher, attack: Attack) -> Outcome:
    """Run it and judge its outcome."""
    is_auth, deadline_s = "auth" in attack, attack.get("deadline", 5.0)
    args = (
        [{"user": _user(attack)}, "secret"] if is_auth else [] if attack["argument"] is None else [attack["argument"]]
    )
    function, host = ("auth_password_verify", AUTH_HOST) if is_auth else ("f", "")
    began_s = time.monotonic()
    is_idempotent = attack.get("idempotent", False)
    call = dispatcher.submit(
        _script(attack), function, args, deadline_s=deadline_s, host=host, idempotent=is_idempotent
    )
    outcome = call.result(timeout=60)
    took_s = time.monotonic() - began_s
    # Where a script runs into two limits at once, either may be the first.
    allowed = [attack["outcome"]] if isinstance(attack["outcome"], str) else attack["outcome"]
    assert outcome.kind in {OutcomeKind(kind) for kind in allowed}, outcome.error
    assert not (outcome.is_ok and outcome.error)
    assert deadline_s + ANSWER_MARGIN_S > took_s
    assert attack.get("error", "") in outcome.error
    if "values" in attack:
        assert _expected_values(attack) == outcome.values
    if "logs" in attack:
        assert attack["logs"] == len(outcome.logs)
    if is_auth:
        assert attack["auth"] == result_of(outcome).verdict.value
    return outcome
