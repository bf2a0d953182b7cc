"""The group `lualoft auth`: what an operator asks an auth script by hand.

Named by a string in `dispatcher.cli.commands`. Its sub-commands load Redis's and RQ's libraries only when they ask.
"""

from __future__ import annotations

import click

from dispatcher.cli.auth import login, lookup, users

_EPILOG = """\
\b
Exit codes:
   0  yes: logged in, user found, users listed
   1  the script said no: wrong password, unknown user, disabled, expired
   2  wrong usage, or there is no such script
  67  lookup, user: the user does not exist
  75  nobody decided: the script failed, no answer in time, no Redis
  78  wrong settings
"""


@click.group("auth", short_help="Try an auth script: log in, look users up, list them.", epilog=_EPILOG)
def command() -> None:
    """Ask an auth script what Dovecot would ask it, through the queue and a worker.

    \b
      lualoft auth test auth.lua joe                  log in, as doveadm auth test
      lualoft auth lookup auth.lua joe                passdb, as doveadm auth lookup
      lualoft auth user auth.lua joe                  userdb, as doveadm user
      lualoft auth users auth.lua '*@example.org'     all users, as doveadm user '*'

    Without any settings a private Redis and a worker are started, and removed at the end.
    """  # noqa: D301 - click's mark for lines that are kept as they are


for _sub_command in (login.command, lookup.passdb_command, lookup.userdb_command, users.command):
    command.add_command(_sub_command)
