"""The Python API with marked secrets: auth, limits, errors, deaths."""

import asyncio
import os
import signal
from pathlib import Path

from msgspec.structs import replace

from dispatcher.auth import Auth
from dispatcher.auth_chain import Link
from dispatcher.auth_guard import guarded_auth
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import ScriptSettings
from tests.acceptance.leak_site import LIMIT_S, SCRIPT, SHORT_S

#: Of stored passwords that are none of them; "none": without a scheme.
SCHEMES = (
    "none", "NOSUCH", "MD5-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "ARGON2ID", "PBKDF2", "SCRAM-SHA-256", "SHA.hex",
    "SSHA", "CRAM-MD5", "OTP", "DIGEST-MD5", "PLAIN-TRUNC", "CRYPT",
)  # fmt: skip


def use_python(site):
    """The Python API: auth, chains, errors, limits, deaths."""
    settings = site.note("settings", site.settings())
    asyncio.run(_use_auth(site, settings))
    asyncio.run(_use_guarded_auth(site, settings))
    asyncio.run(_use_errors(site, settings))
    asyncio.run(_use_hard_ends(site, settings))
    asyncio.run(_use_deaths(site, settings))


async def _use_auth(site, settings):
    markers = site.markers
    request = {"user": site.names["user"], "protocol": "imap", "remote_ip": "192.0.2.1"}
    async with AsyncDispatcher(settings) as dispatcher:
        auth = Auth(dispatcher, deadline_s=LIMIT_S, on_answer=lambda answer: site.note("answer", answer))
        assert site.note("result", await auth.verify("app", request, markers["right password"])).is_ok
        assert not site.note("result", await auth.verify("app", request, "x" + markers["wrong password"])).is_ok
        illegal = markers["password with a tab"] + "\t"
        site.note("result", await auth.verify("app", request, illegal))
        links = [Link("app"), Link("app")]
        site.note("result", await auth.verify_chain(links, request, "x" + markers["password of a chain"]))
        site.note("result", await auth.lookup("app", request))
        site.note("script", dispatcher.catalog.find("app"))
        await _use_stored_passwords(site, auth)


async def _use_stored_passwords(site, auth):
    """Passwords that cannot be expanded, hashes that cannot be used, fields that hold passwords, and names."""
    expanding = {"user": "expand", "protocol": "imap"}
    site.note("result", await auth.verify("app", expanding, site.markers["password that is expanded"]))
    for scheme in SCHEMES:
        request = {"user": f"bad-{scheme}", "protocol": "imap"}
        site.note("result", await auth.verify("users", request, site.markers["password against a bad hash"]))
    request = {"user": site.names["user of a lookup"], "passdb": {"pass": site.markers["field of a request"]}}
    site.note("result", await auth.lookup("users", request))
    site.note("result", await auth.userdb("users", request))
    assert 2 == len([site.note("name", name) async for name in auth.iterate("users")])


async def _use_guarded_auth(site, settings):
    """Limits and single flight: users, addresses and passwords are counted and compared."""
    limited = replace(settings, auth=replace(settings.auth, single_flight=True, max_user_logins=3, max_ip_logins=9))
    request = {"user": site.names["user that is counted"], "protocol": "imap", "remote_ip": "192.0.2.1"}
    password = site.markers["password of limited logins"]
    async with AsyncDispatcher(limited) as dispatcher, guarded_auth(dispatcher, limited, deadline_s=LIMIT_S) as auth:
        for result in await asyncio.gather(*(auth.verify("app", request, password) for _ in range(5))):
            site.note("result", result)


async def _use_hard_ends(site, settings):
    """What ends before any script runs, and what ends by a limit."""
    markers = site.markers
    locked = replace(settings, key=Secret(generate_key()))
    broken = Script.from_stream("broken", b"function f(")
    greedy = Script.from_file(SCRIPT, ScriptSettings(max_memory_bytes=8 * 1024 * 1024))
    async with AsyncDispatcher(settings) as dispatcher, AsyncDispatcher(locked) as stranger:
        site.note("outcome", await stranger.call("app", "size", markers["argument under another key"]))
        site.note("outcome", await dispatcher.call(broken, "f", markers["argument of a broken script"]))
        given = markers["argument of a greedy call"]
        site.note("outcome", await dispatcher.call(greedy, "grow", given, deadline_s=LIMIT_S))


async def _use_errors(site, settings):
    markers = site.markers
    small = replace(settings, dispatch=replace(settings.dispatch, max_invocation_bytes=1000))
    async with AsyncDispatcher(settings) as dispatcher, AsyncDispatcher(small) as narrow:
        for function in ("add", "index", "format", "level_2", "no such function"):
            outcome = await dispatcher.call("app", function, markers["argument of an error"], deadline_s=LIMIT_S)
            assert not site.note(f"outcome of {function}", outcome).is_ok
        await _fail(site, dispatcher.call, "app", "size", [markers["argument that cannot travel"], object()])
        await _fail(site, narrow.call, "app", "size", markers["argument that is too large"] * 100)
        await _fail(site, dispatcher.call, "no such script", "size", markers["argument of an unknown script"])
        late = await dispatcher.call("app", "nap", markers["argument of a late call"], deadline_s=SHORT_S)
        site.note("outcome", late)


async def _fail(site, call, *arguments):
    try:
        outcome = await call(*arguments)
    except LualoftError as exc:
        site.note("error", exc)
    else:
        assert not outcome.is_ok


async def _use_deaths(site, settings):
    markers = site.markers
    async with AsyncDispatcher(settings) as dispatcher:
        for is_idempotent in (True, False):
            naps = [
                dispatcher.submit(
                    "app", "nap", [markers["argument of a killed call"]], deadline_s=LIMIT_S, idempotent=is_idempotent
                )
                for _ in range(4)
            ]
            await asyncio.sleep(0.5)
            site.look(f"while calls run {is_idempotent}")
            await asyncio.to_thread(_kill_a_worker, site)
            for outcome in await asyncio.gather(*naps):
                site.note("outcome", outcome)
        for function in ("spin", "stick"):
            site.note("outcome", await dispatcher.call("app", function, markers["argument of a stuck call"]))
        # Until it is parked, which `status` shows.
        source = b"function spin(text) while #text > 0 do end end"
        greedy = Script.from_stream("greedy", source, ScriptSettings(max_cpu_s=0.1))
        for _ in range(8):
            site.note("outcome", await dispatcher.call(greedy, "spin", markers["argument of a parked script"]))


def _kill_a_worker(site):
    pid = site.workers.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
