"""A private Dovecot whose only task is auth: its own folder, unix sockets only, one Lua script."""

import base64
import os
import socket
import subprocess
from typing import NamedTuple

from tests.debian import require_file, require_program
from tests.waiting import wait_until

#: Of one answer, in seconds.
ANSWER_LIMIT_S = 20.0

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
auth_username_format =
auth_username_chars =
passdb {{
  driver = lua
  args = file={script} blocking={blocking}
}}
# The test's folder is closed to every other user.
service auth {{
  user = root
}}
service auth-worker {{
  user = root
}}
"""


class Answer(NamedTuple):
    """What the client is told."""

    #: `OK` or `FAIL`.
    verdict: str
    fields: dict[str, str]


class Dovecot:
    """One that runs until `close`."""

    def __init__(self, folder, script, *, blocking):
        program = require_program("dovecot", package="dovecot-core")
        require_file("/usr/lib/dovecot/modules/auth/libauthdb_lua.so", package="dovecot-auth-lua")
        self._folder = folder
        (folder / "state").mkdir()
        path, configuration = folder / "script.lua", folder / "dovecot.conf"
        path.write_text(script)
        configuration.write_text(
            CONFIGURATION.format(folder=folder, script=path, blocking="yes" if blocking else "no"),
        )
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [program, "-F", "-c", configuration],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")},
            )
        try:
            wait_until(lambda: self._ended() or self._listens(), ANSWER_LIMIT_S)
            assert not self._ended(), self.log
        except BaseException:
            self.close()
            raise

    @property
    def log(self):
        """What it printed and logged so far."""
        return "".join(
            path.read_text(errors="replace")
            for path in (self._folder / "output", self._folder / "log")
            if path.exists()
        )

    def logins(self, users, password):
        """Ask for AUTH PLAIN, as imap-login does; all at once, as temporary failures are answered late."""
        responses = (base64.b64encode(f"\0{user}\0{password}".encode()).decode() for user in users)
        lines = [f"AUTH\t{number}\tPLAIN\tservice=imap\tresp={text}\n" for number, text in enumerate(responses, 1)]
        answers = {}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_LIMIT_S)
            connection.connect(str(self._folder / "run" / "auth-client"))
            connection.sendall(f"VERSION\t1\t2\nCPID\t{os.getpid()}\n{''.join(lines)}".encode())
            with connection.makefile("r", encoding="utf-8", errors="surrogateescape", newline="\n") as received:
                while len(answers) < len(lines):
                    line = received.readline()
                    assert line, f"auth hung up\n{self.log}"
                    verdict, *parts = line.rstrip("\n").split("\t")
                    if verdict in {"OK", "FAIL"}:
                        pairs = (_unescaped(part).partition("=") for part in parts[1:])
                        answers[int(parts[0])] = Answer(verdict, {key: value for key, _, value in pairs})
        return [answers[number] for number in range(1, len(lines) + 1)]

    def close(self):
        """End it, with all of its processes."""
        self._process.terminate()
        try:
            self._process.wait(ANSWER_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self._folder / "run" / "auth-client")) == 0

    def _ended(self):
        return self._process.poll() is not None


def _unescaped(text):
    for escape, meaning in (("\x01t", "\t"), ("\x01n", "\n"), ("\x01r", "\r"), ("\x010", "\0"), ("\x011", "\x01")):
        text = text.replace(escape, meaning)
    return text
