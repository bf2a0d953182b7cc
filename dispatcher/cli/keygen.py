"""`lualoft keygen`: prints a new key. Loads neither Redis nor RQ."""

from __future__ import annotations

import click

from dispatcher.protocol.sealing import generate_key


@click.command("keygen", short_help="Print a new key to seal messages with.")
def command() -> None:
    """Print a new key to seal messages with, and nothing else.

    Every machine that works on the same Redis needs the same key. A file keeps it out of process listings:

    \b
      (umask 077; lualoft keygen > /etc/lualoft/lualoft.key)
      export LUALOFT_KEY_FILE=/etc/lualoft/lualoft.key

    To change it, put the new key in front of the old one, on all machines, and take the old one out later.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    click.echo(generate_key())
