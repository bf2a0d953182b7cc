"""`lualoft dict`: the group of its commands.

Named by a string in `dispatcher.cli.commands`, because that side must not import this one.
"""

import click

from workers.cli.dict.change import increment, set_value, unset
from workers.cli.dict.look import get, iterate
from workers.cli.dict.transfer import export, import_rows, migrate, reindex


@click.group("dict", short_help="Look at and change dicts, like doveadm dict.")
def command() -> None:
    r"""Look at and change the dicts of the settings file, [dicts.NAME].

    Keys begin with shared/ or, together with -u USER, with priv/.

    \b
      lualoft dict set counters shared/x 1
      lualoft dict get counters shared/x
      lualoft dict iter -R counters shared/
    """


for _command in (get, set_value, unset, increment, iterate, export, import_rows, migrate, reindex):
    command.add_command(_command)
