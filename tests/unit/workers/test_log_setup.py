import json
import logging

import pytest

from dispatcher.protocol.settings import LogSettings
from workers.log_setup import set_up_logging


@pytest.fixture(autouse=True)
def logging_as_before():
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before


def fail_with(password):
    raise ValueError(len(password))


@pytest.mark.parametrize("form", ["text", "json"])
def test_traceback_is_logged_without_local_variables(capsys, form):
    set_up_logging(LogSettings(format=form))
    try:
        fail_with("tops" + "3cret")
    except ValueError:
        logging.getLogger("lualoft.x").exception("it failed")
    logged = capsys.readouterr().err
    assert "it failed" in logged
    assert "in fail_with" in logged
    assert "tops3cret" not in logged


def test_json_line_names_level_logger_and_time(capsys):
    set_up_logging(LogSettings(format="json"))
    logging.getLogger("lualoft.pool").warning("worker %s ended", "w1")
    line = json.loads(capsys.readouterr().err)
    assert ("worker w1 ended", "warning", "lualoft.pool") == (line["event"], line["level"], line["logger"])
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(("level", "shown"), [("debug", 2), ("info", 2), ("warning", 1), ("error", 0)])
def test_lines_below_the_level_are_dropped(capsys, level, shown):
    set_up_logging(LogSettings(level=level))
    logging.getLogger("lualoft.x").info("one")
    logging.getLogger("lualoft.x").warning("two")
    assert shown == len(capsys.readouterr().err.splitlines())
