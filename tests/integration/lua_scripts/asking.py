"""Asks the shipped scripts through a pool, each with settings of the test's own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dispatcher.auth import Auth
from dispatcher.auth_chain import Link
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.auth_result import AUTH_HOST, AuthResult
from dispatcher.protocol.settings import ScriptSettings

FOLDER = Path(__file__).parents[3] / "lua_scripts"

#: Name of a test case -> a user name that no back-end knows and that must not do any harm there.
HOSTILE_USERS = {
    "quotes": "jo'e\" OR '1'='1",
    "statement": "'; DROP TABLE users; --",
    "tab": "joe\tuserdb_uid=0",
    "newline": "joe\nroot:{PLAIN}x",
    "CRLF": "joe\r\nX-Header: 1",
    "colon": "joe:{PLAIN}x",
    "8-bit": b"jo\xff\xe4",
    "64 kB": "j" * 65536,
    "path": "../../etc/passwd",
    "percent": "%{password}%u",
    "pattern": "j.*",
    "empty": "",
}

hostile_users = pytest.mark.parametrize("user", HOSTILE_USERS.values(), ids=HOSTILE_USERS)


def shipped(name: str, *, dialect: str = "2.4", lua: str = "5.4", **settings: str) -> Script:
    """Return a script of lua_scripts; in dialect 2.3 its settings are written into its text, as an operator does."""
    source = (FOLDER / f"{name}.lua").read_text()
    if dialect == "2.3":
        for key, value in settings.items():
            before = f'{key} = ""'
            assert before in source
            source = source.replace(before, f'{key} = "{value}"', 1)
        settings = {}
    script_settings = ScriptSettings(dialect=dialect, lua=lua, settings=settings)
    return Script.from_stream(name, source.encode(), script_settings)


class Asked(NamedTuple):
    """The two forms of a question: one script, or a chain of links."""

    verify: Callable[..., AuthResult]
    lookup: Callable[..., AuthResult]
    userdb: Callable[..., AuthResult]
    chain: Callable[..., AuthResult]
    users: Callable[..., list[bytes]]
    #: The log lines of a login.
    log: Callable[..., list[str]]


def asked(settings) -> Asked:
    def run(work):
        async def scenario():
            async with AsyncDispatcher(settings) as dispatcher:
                return await work(Auth(dispatcher, deadline_s=20))

        return asyncio.run(scenario())

    def log(script, password, **request):
        async def scenario():
            async with AsyncDispatcher(settings) as dispatcher:
                args = [request, password]
                outcome = await dispatcher.submit(script, "auth_password_verify", args, deadline_s=20, host=AUTH_HOST)
                return [line.text for line in outcome.logs]

        return asyncio.run(scenario())

    async def listed(auth, script):
        return [user async for user in auth.iterate(script)]

    def chain(links: list[Link], password, **request):
        return run(lambda auth: auth.verify_chain(links, request, password))

    return Asked(
        lambda script, password, **request: run(lambda auth: auth.verify(script, request, password)),
        lambda script, **request: run(lambda auth: auth.lookup(script, request)),
        lambda script, **request: run(lambda auth: auth.userdb(script, request)),
        chain,
        lambda script: run(lambda auth: listed(auth, script)),
        log,
    )
