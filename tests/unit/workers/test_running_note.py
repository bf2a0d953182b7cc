import os
from contextlib import closing

import pytest

from workers.running_note import NOBODY, RunningNote, Suspect, call_note, create_fd, script_note


@pytest.fixture
def fd():
    fd = create_fd()
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("expected", "note"),
    [
        pytest.param(None, NOBODY, id="nobody"),
        pytest.param(Suspect(reply_key="lualoft:reply:d", invocation_id=7), call_note("lualoft:reply:d", 7), id="call"),
        pytest.param(Suspect(package_id=b"\0\1" * 16), script_note(b"\0\1" * 16), id="script"),
    ],
)
def test_what_was_noted_is_read_on_the_other_side(fd, expected, note):
    with closing(RunningNote(fd)) as child, closing(RunningNote(fd)) as parent:
        child.write(call_note("x" * 100, 1))
        child.write(note)
        assert expected == parent.read()


def test_new_memory_names_nobody(fd):
    with closing(RunningNote(fd)) as note:
        assert note.read() is None


def test_descriptor_is_not_inherited_unless_it_is_passed(fd):
    assert not os.get_inheritable(fd)
