import pytest

from dispatcher.protocol.settings import PoolSettings
from workers.respawns import READY_BACKOFF_S, Respawns

SETTINGS = PoolSettings(respawn_min_s=0.2, respawn_max_s=1.0)


@pytest.fixture
def respawns():
    return Respawns(SETTINGS)


def test_pause_of_a_worker_that_cannot_start_doubles_up_to_its_maximum(respawns):
    assert [0.2, 0.4, 0.8, 1.0, 1.0] == [respawns.schedule(0, "exit code 1") for _ in range(5)]


def test_pause_of_a_worker_that_had_been_ready_stays_short(respawns):
    pauses = [respawns.schedule(0, "exit code 1", was_ready=True) for _ in range(5)]
    assert [0.2, 0.4, READY_BACKOFF_S] == pauses[:3]
    assert READY_BACKOFF_S == pauses[-1]


def test_worker_that_was_healthy_is_replaced_after_the_shortest_pause(respawns):
    for _ in range(4):
        respawns.schedule(0, "exit code 1")
    assert 0.2 == respawns.schedule(0, "exit code 1", is_healthy=True)


def test_slots_have_pauses_of_their_own(respawns):
    respawns.schedule(0, "exit code 1")
    assert [0.4, 0.2] == [respawns.schedule(slot, "exit code 1") for slot in (0, 1)]


def test_no_start_is_due_before_its_time(respawns):
    respawns.schedule(0, "exit code 1")
    assert [] == respawns.take_due()
    assert 0 < respawns.wait_s() <= 0.2


def test_start_that_is_due_is_given_once():
    respawns = Respawns(PoolSettings(respawn_min_s=1e-9))
    respawns.schedule(3, "exit code 1")
    assert ([3], []) == (respawns.take_due(), respawns.take_due())
    assert respawns.wait_s() is None


def test_ends_are_counted_and_the_last_one_is_known(respawns):
    assert (0, "") == (respawns.recent_count(), respawns.last_end)
    respawns.schedule(0, "exit code 1")
    respawns.schedule(1, "killed by SIGKILL")
    assert (2, "killed by SIGKILL") == (respawns.recent_count(), respawns.last_end)
