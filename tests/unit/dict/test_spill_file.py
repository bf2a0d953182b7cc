import threading

import pytest

from workers.dict.error import DictIterationError
from workers.dict.spill_file import SpillFile

SCHEMA = "CREATE TABLE numbers (number INTEGER PRIMARY KEY)"
LIMIT_S = 10


@pytest.fixture
def file():
    file = SpillFile(SCHEMA)
    yield file
    file.close()


def test_work_comes_back_with_its_result(file):
    file.run(lambda database: database.execute("INSERT INTO numbers VALUES (5)"))
    assert [(5,)] == file.run(lambda database: database.execute("SELECT * FROM numbers").fetchall())


def test_trouble_with_the_file_is_a_failed_iteration(file):
    with pytest.raises(
        DictIterationError, match=r"temporary file of the iteration cannot be used \(no such table: x\)"
    ):
        file.run(lambda database: database.execute("SELECT * FROM x"))


def test_closed_file_cannot_be_used(file):
    file.close()
    file.close()
    with pytest.raises(DictIterationError, match="closed database"):
        file.run(lambda database: database.execute("SELECT 1"))


def test_closing_leaves_the_file_to_a_thread_that_works_with_it(file):
    entered, gate, rows = threading.Event(), threading.Event(), []

    def work(database):
        entered.set()
        gate.wait(LIMIT_S)
        rows.extend(database.execute("SELECT 1").fetchall())

    thread = threading.Thread(target=file.run, args=[work])
    thread.start()
    entered.wait(LIMIT_S)
    file.close()
    gate.set()
    thread.join(LIMIT_S)
    assert [(1,)] == rows
    with pytest.raises(DictIterationError, match="closed database"):
        file.run(lambda database: database.execute("SELECT 1"))
