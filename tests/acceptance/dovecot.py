"""A private Dovecot whose only task is auth: its own folder, unix sockets only, one Lua script as passdb and userdb."""

import os
import socket
import subprocess

import pytest

from tests.acceptance.dovecot_protocol import LoginClient, MasterClient
from tests.debian import require_file, require_program
from tests.waiting import wait_until

#: Of its start and of its end, in seconds.
LIMIT_S = 20.0

CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols =
# There is no inet listener; Dovecot only refuses an empty list.
listen = 127.0.0.1
ssl = no
auth_mechanisms = plain
disable_plaintext_auth = no
auth_failure_delay = 0
auth_verbose = yes
auth_username_format =
auth_username_chars =
# The test's folder is closed to every other user.
service auth {{
  user = root
}}
service auth-worker {{
  user = root
}}
"""

DATABASE = """\
{kind} {{
  driver = lua
  args = file={script} blocking={blocking}
{rules}}}
"""


class Dovecot:
    """One that runs until `close`."""

    def __init__(self, folder, script, *, blocking=False, passdbs=None):
        """Start it.

        Args:
            folder: empty, its own.
            script: path of the Lua file of passdb and userdb.
            blocking: run the script in auth-worker processes?
            passdbs: (path of a Lua file, {setting: value}) of each passdb, where there are several.
        """
        if os.geteuid() != 0:
            end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            end("a private Dovecot is started by root only")
        program = require_program("dovecot", package="dovecot-core")
        require_file("/usr/lib/dovecot/modules/auth/libauthdb_lua.so", package="dovecot-auth-lua")
        self._folder = folder
        (folder / "state").mkdir()
        configuration = folder / "dovecot.conf"
        databases = [("passdb", *passdb) for passdb in passdbs or [(script, {})]] + [("userdb", script, {})]
        text = CONFIGURATION.format(folder=folder)
        for kind, path, rules in databases:
            lines = "".join(f"  {name} = {value}\n" for name, value in rules.items())
            text += DATABASE.format(kind=kind, script=path, blocking="yes" if blocking else "no", rules=lines)
        configuration.write_text(text)
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [program, "-F", "-c", configuration],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")},
            )
        try:
            wait_until(lambda: self._ended() or self._listens(), LIMIT_S)
            assert not self._ended(), self.log
        except BaseException:
            self.close()
            raise

    @property
    def log(self):
        """What it printed and logged so far."""
        return "".join(
            path.read_text(encoding="utf-8", errors="surrogateescape")
            for path in (self._folder / "output", self._folder / "log")
            if path.exists()
        )

    def logins(self, requests):
        """Answers to (parameters, PLAIN response) pairs."""
        return LoginClient(self._folder / "run" / "auth-client").ask(requests)

    def master(self):
        """A connection for USER, PASS and LIST."""
        return MasterClient(self._folder / "run" / "auth-userdb")

    def close(self):
        """End it, with all of its processes."""
        self._process.terminate()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as connection:
            # The last one that it opens.
            return connection.connect_ex(str(self._folder / "run" / "auth-userdb")) == 0

    def _ended(self):
        return self._process.poll() is not None
