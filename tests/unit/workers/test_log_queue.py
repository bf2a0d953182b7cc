"""The queue in front of the log: in order and whole while somebody reads, and never in anybody's way."""

import os
import select
import subprocess
import sys
import threading
import time

import pytest

from tests.waiting import wait_until
from workers.log_queue import LogQueue

#: Far more than any of this takes, and far less than waiting for each line would.
PROMPT_S = 5.0


class Log:
    """A pipe that is read only when a test says so, and what a queue in front of it tells."""

    def __init__(self):
        self.read_end, self.write_end = os.pipe()
        self.told = []

    def queue(self, max_bytes=8 * 2**20, patience_s=0.05):
        queue = LogQueue(self.write_end, lambda count: self._tell(queue, count), max_bytes, patience_s)
        return queue

    def _tell(self, queue, count):
        self.told.append(count)
        queue.write(f"{count} are missing\n")

    def fill(self):
        """Leave no room for a byte."""
        os.set_blocking(self.write_end, False)
        for size in (4096, 1):
            try:
                while os.write(self.write_end, b"-" * size):
                    pass
            except BlockingIOError:
                pass
        os.set_blocking(self.write_end, True)

    def read_while(self, condition):
        """Read until there is nothing to read any more and the condition does not hold."""
        data = b""
        while condition() or select.select([self.read_end], [], [], 0)[0]:
            if select.select([self.read_end], [], [], 0.05)[0]:
                data += os.read(self.read_end, 65536)
        return data.lstrip(b"-").decode().splitlines()

    def close(self):
        for descriptor in (self.read_end, self.write_end):
            os.close(descriptor)


@pytest.fixture
def log():
    log = Log()
    yield log
    # The writer may be inside a write of its own: it goes on.
    log.read_while(lambda: False)
    log.close()


def lines(count, name="line"):
    return [f"{name} {number} {'x' * 60}" for number in range(count)]


def test_lines_are_written_in_order(log):
    queue = log.queue()
    for line in lines(200):
        queue.write(f"{line}\n")
    assert queue.drain(PROMPT_S)
    assert lines(200) == log.read_while(lambda: False)


@pytest.mark.parametrize("write", ["write", "write_patiently"])
def test_log_that_nobody_reads_holds_nobody_up(log, write):
    log.fill()
    queue = log.queue(max_bytes=10_000)
    began_s = time.monotonic()
    for line in lines(1000):
        getattr(queue, write)(f"{line}\n")
    assert PROMPT_S > time.monotonic() - began_s


@pytest.mark.parametrize("write", ["write", "write_patiently"])
def test_lines_that_were_dropped_are_counted_once_somebody_reads(log, write):
    log.fill()
    queue = log.queue(max_bytes=10_000)
    for line in lines(1000):
        getattr(queue, write)(f"{line}\n")
    *found, last = log.read_while(lambda: not log.told or not queue.drain(0))
    assert lines(1000)[: len(found)] == found
    assert 0 < len(found) < 1000
    assert f"{1000 - len(found)} are missing" == last


def test_logging_goes_on_after_lines_were_dropped(log):
    log.fill()
    queue = log.queue(max_bytes=10_000)
    for line in lines(1000):
        queue.write_patiently(f"{line}\n")
    log.read_while(lambda: not log.told)
    queue.write_patiently("as before\n")
    assert "as before" == log.read_while(lambda: not queue.drain(0))[-1]


def test_flood_of_a_script_loses_nothing_while_somebody_reads(log):
    queue, found = log.queue(max_bytes=10_000, patience_s=60), []
    reader = threading.Thread(target=lambda: found.extend(log.read_while(lambda: not is_done.is_set())))
    is_done = threading.Event()
    reader.start()
    for line in lines(5000):
        queue.write_patiently(f"{line}\n")
    queue.drain(PROMPT_S)
    is_done.set()
    reader.join()
    assert lines(5000) == found


def test_flood_of_a_script_leaves_room_for_lines_of_our_own(log):
    log.fill()
    queue = log.queue(max_bytes=10_000)
    for line in lines(1000):
        queue.write_patiently(f"{line}\n")
    queue.write("our own\n")
    assert "our own" in log.read_while(lambda: not log.told)


def test_lines_of_two_processes_are_not_mixed(log):
    found, is_done = [], threading.Event()
    reader = threading.Thread(target=lambda: found.extend(log.read_while(lambda: not is_done.is_set())))
    queues = {name: log.queue() for name in ("one", "two")}
    log.fill()
    for name, queue in queues.items():
        for line in lines(2000, name):
            queue.write(f"{line}\n")
    reader.start()
    assert all(queue.drain(PROMPT_S) for queue in queues.values())
    is_done.set()
    reader.join()
    for name in queues:
        assert lines(2000, name) == [line for line in found if line.startswith(name)]


def test_text_larger_than_the_queue_is_written_while_nothing_else_waits(log):
    queue = log.queue(max_bytes=100)
    queue.write("x" * 1000 + "\n")
    assert ["x" * 1000] == log.read_while(lambda: not queue.drain(0))


def test_drain_gives_up_at_its_limit(log):
    log.fill()
    queue = log.queue()
    queue.write("line\n")
    assert not queue.drain(0.05)


def test_reader_that_has_gone_is_no_error():
    read_end, write_end = os.pipe()
    queue = LogQueue(write_end, lambda _count: None)
    os.close(read_end)
    queue.write("line\n")
    assert queue.drain(PROMPT_S)
    os.close(write_end)


def test_descriptor_that_somebody_made_non_blocking_loses_nothing(log):
    log.fill()
    os.set_blocking(log.write_end, False)
    queue = log.queue()
    for line in lines(2000):
        queue.write(f"{line}\n")
    assert lines(2000) == log.read_while(lambda: not queue.drain(0))


def test_text_that_is_no_utf_8_is_escaped(log):
    queue = log.queue()
    queue.write("\udcff\n")
    assert ["\\udcff"] == log.read_while(lambda: not queue.drain(0))


PROGRAM = """
import sys
from workers.log_queue import queue_stderr
queue_stderr()
for number in range(1000):
    print("line", number, file=sys.stderr, flush=True)
raise SystemError("the last word")
"""


def test_all_is_written_when_the_process_ends_even_its_traceback():
    done = subprocess.run([sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    found = done.stderr.splitlines()
    assert [f"line {number}" for number in range(1000)] == found[:1000]
    assert "SystemError: the last word" == found[-1]


def test_process_ends_although_nobody_reads_its_log(log):
    log.fill()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=log.write_end)
    wait_until(lambda: process.poll() is not None, limit_s=30)
