"""The real command at a terminal of its own, where it asks for a password."""

import os
import pty
import select
import subprocess
import termios

from tests.acceptance.conftest import COMMAND, LIMIT_S, environment
from tests.waiting import wait_until

#: Index of the local flags in what tcgetattr returns.
LOCAL_FLAGS = 3


class Terminal:
    """`lualoft` with standard input and standard error at a terminal."""

    def __init__(self, arguments, folder):
        self._controller, self._terminal = pty.openpty()
        #: All that it has shown.
        self.shown = b""
        self._waited_for = 0
        self.process = subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            stdin=self._terminal,
            stdout=subprocess.PIPE,
            stderr=self._terminal,
            env=environment(folder),
            # Away from the terminal of whoever runs the tests: getpass would ask there.
            start_new_session=True,
        )

    @property
    def has_echo(self):
        """Does it show what is typed?"""
        return bool(termios.tcgetattr(self._terminal)[LOCAL_FLAGS] & termios.ECHO)

    def wait_for(self, question):
        """Wait until a question is shown, behind what was waited for before."""
        wait_until(lambda: self._read() or question in self.shown[self._waited_for :], LIMIT_S)
        self._waited_for = self.shown.index(question, self._waited_for) + len(question)

    def answer(self, question, text):
        """Wait for a question, then type."""
        self.wait_for(question)
        os.write(self._controller, text)

    def end(self):
        """Wait for the end; returns the exit code and standard output."""
        out = self.process.communicate(timeout=LIMIT_S)[0].decode()
        self._read()
        os.close(self._terminal)
        os.close(self._controller)
        return self.process.returncode, out

    def _read(self):
        # Our own end of the terminal stays open, so there is no error at the end of its output.
        while select.select([self._controller], [], [], 0)[0]:
            self.shown += os.read(self._controller, 4096)
