"""`lualoft dict export`, `import`, `migrate` and `reindex`: long work, streamed, its progress on standard error."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import click

from dispatcher.protocol.errors import EXIT_FAILURE, EXIT_TEMPORARY
from workers.cli.dict.progress import Progress
from workers.cli.dict.row_text import RowTextError, TextRow, from_json, to_json
from workers.cli.dict.session import LoadsSettings, raw, run_with_dicts, tell
from workers.dict.dictionary import Dictionary
from workers.dict.iterate_flags import IterateFlag
from workers.dict.migration import DovecotNames, Names, TaggedNames, copy
from workers.dict.redis_driver import RedisDriver
from workers.dict.result import Result, ResultKind

#: Rows of an import that are committed together: few enough that the server is not held up.
_BATCH_ROWS: Final = 500


@click.command("export", short_help="Write rows as JSON lines.")
@click.argument("name")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-u", "--user", default="", metavar="USER", help="Whose priv/ keys; with it they are exported too.")
@click.pass_obj
def export(options: LoadsSettings, *, name: str, paths: tuple[str, ...], user: str) -> int:
    """Write the rows below some paths to standard output, one JSON object per line, as `import` reads them.

    Without a path: everything shared, and with -u the private keys of that user. Only the data travels, not when it
    expires.
    """
    wanted = [raw(path) for path in paths] or [b"shared/", *([b"priv/"] if user else [])]
    username = raw(user)

    async def work(dictionary: Dictionary) -> int:
        progress = Progress("exported")
        async for page in dictionary.pages(wanted, IterateFlag.RECURSE, username):
            click.echo("\n".join(to_json(_owned(row.key, row.values, username)) for row in page))
            progress.reach(progress.count + len(page))
        progress.finish()
        return 0

    return run_with_dicts(options, [name], work)


@click.command("import", short_help="Read rows as JSON lines.")
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("-u", "--user", default="", metavar="USER", help="Whose the priv/ keys are if a line does not say so.")
@click.pass_obj
def import_rows(options: LoadsSettings, *, name: str, file: BinaryIO, user: str) -> int:
    """Set the rows of a file, or of standard input: JSON lines as `export` writes them.

    They are committed in groups, each atomic. If a line or a group fails, what was before it stays: the message says
    how many rows that were, and running it again does no harm.
    """

    async def work(dictionary: Dictionary) -> int:
        progress = Progress("imported")
        rows = _rows(file, raw(user))
        try:
            while batch := list(islice(rows, _BATCH_ROWS)):
                result = await _commit(dictionary, batch)
                if result.kind is not ResultKind.OK:
                    tell(f"{result.error}; {progress.count:,} rows were imported before")
                    return EXIT_TEMPORARY if result.is_temporary else EXIT_FAILURE
                progress.reach(progress.count + len(batch))
        except RowTextError as exc:
            raise RowTextError(f"{exc}; {progress.count:,} rows were imported before") from exc
        progress.finish()
        return 0

    return run_with_dicts(options, [name], work)


@click.command("migrate", short_help="Copy a dict into another one.")
@click.argument("source")
@click.argument("target")
@click.option(
    "--users",
    "users_path",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="User names, one per line, whose keys are private in a source of Dovecot's layout.",
)
@click.pass_obj
def migrate(options: LoadsSettings, *, source: str, target: str, users_path: str | None) -> int:
    """Copy all rows of one dict into another, from Dovecot's layout into the tagged one for example.

    Both are dicts of the settings, with prefixes or servers of their own. What expires goes on to expire. In Dovecot's
    layout nobody can tell shared/u/x from the priv/x of user u: name the users who have private keys, the rest is
    shared. The source is left as it is.
    """
    settings = options.load().settings.dicts

    async def work(source_dict: Dictionary, target_dict: Dictionary) -> int:
        come_from, go_to = settings[source], settings[target]
        prefix, target_prefix = come_from.prefix.encode(), go_to.prefix.encode()
        is_same_server = come_from.url == go_to.url
        if is_same_server and prefix == target_prefix:
            raise click.UsageError("source and target lie in the same place; give the target a prefix of its own")
        skipped = target_prefix if is_same_server and target_prefix.startswith(prefix) else None
        names: Names = TaggedNames() if come_from.layout == "tagged" else DovecotNames(_users(users_path))
        progress = Progress("copied")
        async for count in copy(source_dict, prefix, names, target_dict, skipped=skipped):
            progress.reach(count)
        progress.finish()
        return 0

    return run_with_dicts(options, [source, target], work)


@click.command("reindex", short_help="Put all existing keys into the index.")
@click.argument("name")
@click.pass_obj
def reindex(options: LoadsSettings, *, name: str) -> int:
    """Put all keys of a dict with `index = true` into its index.

    For a dict that had data before it had an index, or that somebody else wrote to. Commits may go on meanwhile.
    """

    async def work(dictionary: Dictionary) -> int:
        driver = dictionary.driver
        assert isinstance(driver, RedisDriver)  # noqa: S101 - `run_with_dicts` refuses the other one
        progress = Progress("in the index")
        async for count in driver.rebuild_index():
            progress.reach(count)
        progress.finish()
        return 0

    return run_with_dicts(options, [name], work)


def _owned(key: bytes, values: tuple[bytes, ...], username: bytes) -> TextRow:
    return TextRow(key, values, username if key.startswith(b"priv/") else b"")


def _rows(file: BinaryIO, username: bytes) -> Iterator[TextRow]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        row = from_json(line, number)
        if len(row.values) != 1:
            raise RowTextError(f"line {number} has {len(row.values)} values; a key is set to exactly one")
        yield row if row.username else TextRow(row.key, row.values, username)


async def _commit(dictionary: Dictionary, rows: list[TextRow]) -> Result:
    """Commit rows in their order, those of one user together."""
    result = Result(ResultKind.OK)
    while rows and result.kind is ResultKind.OK:
        username = rows[0].username
        transaction = dictionary.begin(username)
        count = 0
        for row in rows:
            if row.username != username:
                break
            transaction.set(row.key, row.values[0])
            count += 1
        result = await transaction.commit()
        rows = rows[count:]
    return result


def _users(path: str | None) -> list[bytes]:
    if path is None:
        return []
    try:
        return [line for line in Path(path).read_bytes().splitlines() if line]
    except OSError as exc:
        raise click.BadParameter(f"{path}: {exc.strerror}", param_hint="--users") from exc
