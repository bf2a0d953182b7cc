import threading

from workers.lua.time_slice import TimeSlice
from workers.watch import Watch


def test_watch_has_ended_before_the_thread_that_it_watches():
    # Its clock is gone then: a look at it would be an error, which pytest reports.
    still_watched = []

    def watched():
        before = set(threading.enumerate())
        watch = Watch(TimeSlice(), 0.01, lambda _: False)
        watch.start()
        watch.stop()
        still_watched.extend(set(threading.enumerate()) - before)

    for _ in range(20):
        thread = threading.Thread(target=watched)
        thread.start()
        thread.join()
    assert [] == still_watched
