"""A Markdown page whose examples are tested: its code blocks as steps, run as a reader would run them.

Only the kind of a block says what it is: `sh` and `python` are run, in the page's order, in one folder; `text` behind
one of them is what it prints; `lua` is a file whose name stands in the line before, in backticks. Anything else is
prose. A command that is to fail says so itself: `… || echo "exit code $?"`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

#: Where the command that is tested lies.
BIN = Path(sys.executable).parent

#: Far beyond what any example needs, in seconds.
LIMIT_S = 60.0

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

#: Times differ from run to run; how many digits they have does too.
_TIMES = (
    (re.compile(r"\b\d+\.\d+ ms\b"), "N ms"),
    (re.compile(r'(_ms":)\d+(\.\d+)?'), r"\1N"),
)


class Block(NamedTuple):
    """One code block."""

    language: str
    source: str
    #: The paragraph above it.
    lead: str

    @property
    def file_name(self):
        """The name in backticks that stands last above a file."""
        return re.findall(r"`([^`]+)`", self.lead)[-1]


class Page:
    """A page, by its path below the root of the project."""

    def __init__(self, path):
        text = (ROOT / path).read_text()
        ends = [0, *(found.end() for found in _BLOCK.finditer(text))]
        self.blocks = [
            Block(found[1], found[2], text[end : found.start()].strip().rpartition("\n\n")[2])
            for end, found in zip(ends, _BLOCK.finditer(text), strict=False)
        ]

    def sources(self, language):
        """Return the text of all blocks of a language."""
        return [block.source for block in self.blocks if block.language == language]

    def write_files(self, folder):
        """Write the files that the reader is told to save."""
        for block in self.blocks:
            if block.language == "lua":
                (folder / block.file_name).write_text(block.source)

    def steps(self):
        """Return (block to run, text that it is to print or None) in the page's order."""
        followers = [*self.blocks[1:], Block("", "", "")]
        return [
            (block, follower.source if follower.language == "text" and not follower.lead else None)
            for block, follower in zip(self.blocks, followers, strict=False)
            if block.language in {"sh", "python"}
        ]


def run_command(command, folder):
    """Run a program as its reader would: with the command on the path and without settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUALOFT_")}
    environment["PATH"] = f"{BIN}:{environment['PATH']}"
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def run_block(block, folder):
    """Run a block of commands or a program."""
    program = ["bash", "-euc"] if block.language == "sh" else [sys.executable, "-c"]
    return run_command([*program, block.source], folder)


def without_times(text):
    """Return what is printed with every time as N."""
    for pattern, replacement in _TIMES:
        text = pattern.sub(replacement, text)
    return text
