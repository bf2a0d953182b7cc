"""Dicts with marked values, from scripts, from the command line and from Python, and everything that goes wrong."""

import asyncio

from dispatcher.client import AsyncDispatcher
from tests.acceptance.leak_dict_places import PREFIX
from tests.acceptance.leak_site import LIMIT_S
from workers.dict.change import Commit, Condition, SetChange
from workers.dict.factory import DictFactory

#: Values of these are in the files at the end.
KEPT = ("plain", "tagged")


def use_dicts(site):
    """Use them, rightly and wrongly."""
    asyncio.run(_use_from_scripts(site))
    _use_commands(site)
    asyncio.run(_use_store(site))


async def _use_from_scripts(site):
    value = site.values["value of a script"]
    async with AsyncDispatcher(site.settings()) as dispatcher:

        async def call(function, *arguments):
            return site.note(
                f"outcome of {function}", await dispatcher.call("app", function, *arguments, deadline_s=LIMIT_S)
            )

        for name in KEPT:
            for user, key in (("", "shared/x"), ("joe", "priv/x")):
                assert (await call("dict_set", name, user, key, value)).is_ok
                assert [len(value)] == (await call("dict_get", name, user, key)).values
            assert (await call("dict_walk", name)).is_ok
            # Not a number.
            assert not (await call("dict_count", name, "shared/x")).is_ok
        site.look("with values of dicts")
        for key in ("set", "list"):
            site.ask(
                "SADD" if key == "set" else "RPUSH", PREFIX + b"plain/" + key.encode(), site.values[f"value in a {key}"]
            )
            site.note("outcome", await call("dict_get", "plain", "", f"shared/{key}"))
            assert not (await call("dict_count", "plain", f"shared/{key}")).is_ok
        # Among its rows is one of a wrong type.
        assert not (await call("dict_walk", "plain")).is_ok
        for key in ("set", "list"):
            site.ask("DEL", PREFIX + b"plain/" + key.encode())
        for name in ("small", "cut", "away", "refused"):
            lost = await call("dict_set", name, "", "shared/x", site.values[f"value that {name} did not take"])
            assert "dict transaction commit failed" in lost.error, lost.error
        assert not (await call("dict_count", "cut", "shared/n")).is_ok
        for name in ("away", "refused"):
            assert not (await call("dict_get", name, "", "shared/x")).is_ok


def _use_commands(site):
    value = site.values["value of a command"]
    assert 0 == site.command("dict", "set", "plain", "shared/y", "--stdin", stdin=value).code
    for arguments in (
        ("get", "--json", "plain", "shared/y"),
        ("iter", "-R", "--sort", "value", "plain", "shared/"),
        ("export", "plain"),
    ):
        shown = site.command("dict", *arguments, is_shown=True)
        assert 0 == shown.code
        assert value in shown.out
    assert 0 == site.command("dict", "migrate", "plain", "tagged").code
    assert 0 == site.command("dict", "reindex", "tagged").code
    assert 1 == site.command("dict", "inc", "plain", "shared/y", "1").code
    rows = site.folder / "rows.jsonl"
    imported = site.values["value of an import"]
    row = f'{{"key": "shared/z", "values": ["{imported}"]}}'
    rows.write_text(f"{row}\n")
    assert 0 == site.command("dict", "import", "plain", rows).code
    for bad in (
        row[:-1],
        row.replace("shared", "none"),
        row.replace("values", "value"),
        row.replace("]", f', "{imported}"]'),
    ):
        rows.write_text(f"{bad}\n")
        assert site.command("dict", "import", "plain", rows).code in {1, 2}, bad
    rows.write_text(f"{row}\n")
    for name in ("small", "cut", "away", "refused"):
        lost = site.values[f"value that a command could not set in {name}"]
        code = 1 if name == "small" else 75
        for end in (
            site.command("-v", "dict", "set", name, "shared/y", "--stdin", stdin=lost),
            site.command("-v", "dict", "import", name, rows),
        ):
            assert (name, code) == (name, end.code), end.err
    for arguments in (("get", "away", "shared/y"), ("iter", "refused", "shared/"), ("reindex", "tagged")):
        site.command("-v", "dict", *arguments)
    assert 0 == site.command("dict", "unset", "plain", "shared/z").code


async def _use_store(site):
    """How what holds values shows itself."""
    value = site.values["value of a script"].encode()
    factory = DictFactory(site.settings().dicts)
    try:
        dictionary = factory.get("plain")
        transaction = dictionary.begin()
        transaction.set(b"shared/w", value)
        site.note("transaction", transaction)
        site.note("result", await transaction.commit())
        site.note("result", await dictionary.lookup(b"shared/w"))
        async for row in dictionary.iterate([b"shared/"], 1):
            site.note("row", row)
        change = SetChange(b"w", value)
        site.note("commit", Commit((change,), conditions=(Condition(b"w", (value,)),)))
    finally:
        await factory.close()
