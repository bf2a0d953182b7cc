"""`lualoft dict get` and `iter`."""

import json
import sys
from typing import Final

import click

from workers.cli.dict.row_text import TextRow, plain, shown, to_json, to_line
from workers.cli.dict.session import LoadsSettings, raw, report, run_with_dicts
from workers.dict.dictionary import Dictionary
from workers.dict.iterate_flags import IterateFlag
from workers.dict.result import ResultKind

_ORDERS: Final = {"key": IterateFlag.SORT_BY_KEY, "value": IterateFlag.SORT_BY_VALUE}


@click.command("get", short_help="Print the value of a key.")
@click.argument("name")
@click.argument("key")
@click.option("-u", "--user", default="", metavar="USER", help="Whose priv/ keys.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def get(options: LoadsSettings, *, name: str, key: str, user: str, is_json: bool) -> int:
    """Print the value of a key, one line for each if there are several.

    Into a pipe or a file the bytes go as they are, to a terminal escaped.

    Exit codes: 0 found, 1 it does not exist, 2 wrong usage, 75 the server does not answer.
    """

    async def work(dictionary: Dictionary) -> int:
        result = await dictionary.lookup(raw(key), raw(user))
        if is_json and result.kind in {ResultKind.OK, ResultKind.NOT_FOUND}:
            values = [shown(value) for value in result.values]
            click.echo(_json({"found": result.kind is ResultKind.OK, "values": values}))
            return 0 if result.kind is ResultKind.OK else 1
        for value in result.values:
            click.echo(plain(value) if sys.stdout is not None and sys.stdout.isatty() else value)
        return report(result, key)

    return run_with_dicts(options, [name], work)


@click.command("iter", short_help="Print the rows below a path.")
@click.argument("name")
@click.argument("path")
@click.option("-u", "--user", default="", metavar="USER", help="Whose priv/ keys.")
@click.option("-1", "is_exact", is_flag=True, help="Only the row of exactly this key.")
@click.option("-R", "is_recursive", is_flag=True, help="Rows below further slashes too.")
@click.option("-V", "is_bare", is_flag=True, help="Keys without their values.")
@click.option("--sort", "order", type=click.Choice(list(_ORDERS)), help="Order of the rows.")
@click.option("--max", "max_rows", type=click.IntRange(min=0), default=0, metavar="N", help="End after N rows.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object per line.")
@click.pass_obj
def iterate(options: LoadsSettings, /, *, name: str, path: str, user: str, is_json: bool, **flags: object) -> int:
    """Print the rows below a path: key, tab, value. What would break a line is escaped with backslashes.

    The path is a beginning of keys: shared/m gives shared/mm too, and without -R nothing that has a slash behind it.
    """
    wanted = _flags(flags)
    write = to_json if is_json else to_line

    async def work(dictionary: Dictionary) -> int:
        async for page in dictionary.pages([raw(path)], wanted, raw(user), max_rows=int(str(flags["max_rows"]))):
            click.echo("\n".join(write(TextRow(row.key, row.values)) for row in page))
        return 0

    return run_with_dicts(options, [name], work)


def _flags(chosen: dict[str, object]) -> int:
    wanted = _ORDERS.get(str(chosen["order"]), IterateFlag(0))
    for option, flag in (
        ("is_exact", IterateFlag.EXACT_KEY),
        ("is_recursive", IterateFlag.RECURSE),
        ("is_bare", IterateFlag.NO_VALUE),
    ):
        if chosen[option]:
            wanted |= flag
    return wanted


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
