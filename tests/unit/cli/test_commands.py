import subprocess
import sys

import click
import pytest

from dispatcher.cli.commands import COMMANDS, LazyGroup, load_command

ENTRIES = [entry for entries in COMMANDS.values() for entry in entries]


def with_sub_commands(command):
    """A command and, if it is a group, what is below it."""
    return [command, *(getattr(command, "commands", {}).values())]


#: Loads a command's module and prints which heavy libraries came along.
HEAVY = """
import sys
from dispatcher.cli.app import run
code = run(sys.argv[1:])
print(sorted({"redis", "rq", "rich", "uvloop"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_string_of_the_table_leads_to_the_command_of_that_name(entry):
    command = load_command(entry)
    assert isinstance(command, click.Command)
    assert (entry.name, entry.summary) == (command.name, command.get_short_help_str(200))


def test_table_names_exactly_these_targets():
    assert {
        "demo": "dispatcher.cli.demo.command:command",
        "run": "dispatcher.cli.run:command",
        "batch": "dispatcher.cli.batch:command",
        "auth": "dispatcher.cli.auth.command:command",
        "up": "dispatcher.cli.up:command",
        "worker": "workers.cli.worker:command",
        "status": "dispatcher.cli.status:command",
        "dict": "workers.cli.dict.command:command",
        "keygen": "dispatcher.cli.keygen:command",
        "pw": "workers.cli.pw:command",
        "check-config": "dispatcher.cli.check_config:command",
    } == {entry.name: entry.target for entry in ENTRIES}


def test_unknown_name_is_no_command():
    group = LazyGroup("lualoft")
    assert group.get_command(click.Context(group), "nothing") is None


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_option_and_argument_is_explained(entry):
    for command in with_sub_commands(load_command(entry)):
        assert command.help
        assert [] == [param.name for param in command.params if isinstance(param, click.Option) and not param.help]


@pytest.mark.parametrize(
    "arguments",
    [
        ["keygen"],
        ["--help"],
        ["run", "--help"],
        ["run", "missing.lua", "f"],
        ["batch", "missing.lua", "f", "-", "-o", "-"],
        ["auth", "--help"],
        ["auth", "users", "missing.lua"],
    ],
    ids=[
        "keygen",
        "overview",
        "help of run",
        "missing script",
        "batch with missing script",
        "help of auth",
        "auth with missing script",
    ],
)
def test_heavy_libraries_are_not_loaded_for(arguments):
    process = subprocess.run([sys.executable, "-c", HEAVY, *arguments], capture_output=True, text=True, check=True)
    assert process.stderr.endswith("[]\n")
