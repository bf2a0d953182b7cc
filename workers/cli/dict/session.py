"""What every `lualoft dict` command begins with: the dict that was named, on an event loop, closed at the end."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import click

from dispatcher.protocol.errors import EXIT_FAILURE, EXIT_TEMPORARY
from dispatcher.protocol.settings import DictSettings
from dispatcher.protocol.settings_source import LoadedSettings
from workers.dict.dictionary import Dictionary
from workers.dict.factory import DictFactory
from workers.dict.result import Result, ResultKind


class LoadsSettings(Protocol):
    """What the command line hands to its sub-commands."""

    def load(self, flags: Mapping[str, object] | None = None) -> LoadedSettings:
        """Read the settings; `flags` are those of the sub-command's own options."""


def run_with_dicts(options: LoadsSettings, names: list[str], work: Callable[..., Awaitable[int]]) -> int:
    """Run a coroutine function of the named dicts; returns the exit code.

    Raises:
        DictError: there is no such dict, or what the work raises.
    """
    settings = options.load().settings.dicts

    async def whole() -> int:
        factory = DictFactory(settings)
        try:
            return await work(*[_reachable(factory, settings, name) for name in names])
        finally:
            await factory.close()

    return asyncio.run(whole())


def _reachable(factory: DictFactory, settings: Mapping[str, DictSettings], name: str) -> Dictionary:
    dictionary = factory.get(name)
    if settings[name].driver == "memory":
        raise click.UsageError(f"dict {name!r} is in the memory of each worker; there is nothing to see from here")
    return dictionary


def raw(text: str) -> bytes:
    """Return an argument of the command line as the bytes that were typed."""
    return os.fsencode(text)


def report(result: Result, key: str) -> int:
    """Say why a lookup or a commit did not succeed, if so; returns the exit code."""
    if result.kind is ResultKind.OK:
        return 0
    if result.kind is ResultKind.NOT_FOUND:
        tell(f"{key} doesn't exist")
        return EXIT_FAILURE
    word = "may or may not have been written: " if result.kind is ResultKind.UNCERTAIN else ""
    tell(f"{key}: {word}{result.error}")
    return EXIT_TEMPORARY if result.is_temporary else EXIT_FAILURE


def tell(text: str) -> None:
    """Write a sentence to standard error, fit for a terminal."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    click.echo(f"lualoft: {shown}", err=True)
