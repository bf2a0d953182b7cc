"""`lualoft dict set`, `unset` and `inc`: one change each, in a transaction of its own."""

import json
import sys
from collections.abc import Callable

import click

from workers.cli.dict.session import LoadsSettings, raw, report, run_with_dicts
from workers.dict.dictionary import Dictionary
from workers.dict.result import Result, ResultKind
from workers.dict.transaction import MAX_EXPIRE_S, Transaction

#: What the three share.
_USER = click.option("-u", "--user", default="", metavar="USER", help="Whose priv/ keys.")
_JSON = click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
_EXPIRE = click.option(
    "--expire",
    "expire_s",
    type=click.IntRange(0, MAX_EXPIRE_S),
    default=0,
    metavar="SECONDS",
    help="Let the key disappear after this; 0: as the settings say.",
)


@click.command("set", short_help="Set a key to a value.")
@click.argument("name")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--stdin", "is_stdin", is_flag=True, help="Take all of standard input as the value; ps shows arguments.")
@_USER
@_EXPIRE
@_JSON
@click.pass_obj
def set_value(  # noqa: PLR0913 - one for each option
    options: LoadsSettings,
    *,
    name: str,
    key: str,
    value: str | None,
    is_stdin: bool,
    user: str,
    expire_s: int,
    is_json: bool,
) -> int:
    """Set a key to a value, whatever it was before.

    Exit codes: 0 written, 1 refused, 2 wrong usage, 75 the server does not answer; the message says if it may have
    been written.
    """
    if is_stdin == (value is not None):
        raise click.UsageError("give the value either as an argument or with --stdin")
    data = sys.stdin.buffer.read() if value is None else raw(value)
    change = _Change(key, user, expire_s, is_json=is_json)
    return change.run(options, name, lambda transaction: transaction.set(raw(key), data))


@click.command("unset", short_help="Remove a key.")
@click.argument("name")
@click.argument("key")
@_USER
@_JSON
@click.pass_obj
def unset(options: LoadsSettings, *, name: str, key: str, user: str, is_json: bool) -> int:
    """Remove a key; one that does not exist is no error."""
    change = _Change(key, user, 0, is_json=is_json)
    return change.run(options, name, lambda transaction: transaction.unset(raw(key)))


@click.command("inc", short_help="Add to the number of a key.", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("key")
@click.argument("difference", type=click.IntRange(-(2**63), 2**63 - 1))
@click.option("--create", "is_creating", is_flag=True, help="Take a missing key for 0, as Dovecot's redis driver does.")
@_USER
@_EXPIRE
@_JSON
@click.pass_obj
def increment(  # noqa: PLR0913 - one for each option
    options: LoadsSettings,
    *,
    name: str,
    key: str,
    difference: int,
    is_creating: bool,
    user: str,
    expire_s: int,
    is_json: bool,
) -> int:
    """Add a number, which may be negative, to the number of a key, in one atomic step.

    A key that does not exist is left so: exit code 1.
    """
    change = _Change(key, user, expire_s, is_json=is_json)
    return change.run(
        options, name, lambda transaction: transaction.atomic_inc(raw(key), difference, is_creating=is_creating)
    )


class _Change:
    """One change of one key."""

    def __init__(self, key: str, user: str, expire_s: int, *, is_json: bool) -> None:
        self._key = key
        self._user = user
        self._expire_s = expire_s
        self._is_json = is_json

    def run(self, options: LoadsSettings, name: str, change: Callable[[Transaction], None]) -> int:
        """Make it and say what came of it; returns the exit code."""

        async def work(dictionary: Dictionary) -> int:
            transaction = dictionary.begin(raw(self._user), self._expire_s)
            change(transaction)
            result = await transaction.commit()
            if self._is_json:
                _print_json(result)
            return report(result, self._key)

        return run_with_dicts(options, [name], work)


def _print_json(result: Result) -> None:
    shown = {"result": result.kind.value} | ({} if result.kind is ResultKind.OK else {"error": result.error})
    click.echo(json.dumps(shown, ensure_ascii=False))
