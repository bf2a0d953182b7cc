import asyncio
import os
import signal

import pytest

from dispatcher.cli.event_loop import run_on_loop


def test_result_comes_back():
    async def body():
        return 5

    assert 5 == run_on_loop(body())


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_cancels_the_work_which_may_clean_up(number, raised):
    cleaned = []

    async def body():
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cleaned.append(True)

    with pytest.raises(raised):
        run_on_loop(body())
    assert [True] == cleaned
