"""The commands of docs/dict.md, run as somebody who reads it would run them, on a server of the test's own."""

import re
import tomllib

import pytest

from dispatcher.embedded import EmbeddedServer
from dispatcher.protocol.settings import DictSettings
from dispatcher.protocol.settings_fields import NAMED
from tests.acceptance.page import ROOT, Page, run_command

PAGE = Page("docs/dict.md")
ADDRESS = "redis://127.0.0.1:6379/1"


def steps():
    followers = [*PAGE.blocks[1:], None]
    return [
        (block.source, follower.source if follower and follower.language == "text" and not follower.lead else "")
        for block, follower in zip(PAGE.blocks, followers, strict=True)
        if block.language == "bash"
    ]


def test_commands_of_the_page_print_what_it_says(tmp_path):
    PAGE.write_files(tmp_path)
    (settings,) = PAGE.sources("toml")
    with EmbeddedServer() as server:
        (tmp_path / "lualoft.toml").write_text(settings.replace(ADDRESS, server.url))
        for source, expected in steps():
            done = run_command(["bash", "-euc", source], tmp_path)
            assert (0, expected) == (done.returncode, done.stdout), done.stderr


def test_there_are_commands():
    assert len(steps()) == 4


def test_settings_of_the_page_are_settings():
    (text,) = PAGE.sources("toml")
    assert {"counters", "fresh"} == set(tomllib.loads(text)["dicts"])
    assert ADDRESS in text


def test_table_names_every_setting_with_its_default():
    text = (ROOT / "docs/dict.md").read_text()
    table = re.search(r"\| `\[dicts\.NAME\]`.*?\n\n", text, re.DOTALL)[0]
    for name in NAMED["dicts"]:
        assert f"`{name}`" in table
    for name in ("driver", "layout", "expire_s", "timeout_s", "max_value_bytes"):
        row = next(line for line in table.splitlines() if line.startswith(f"| `{name}`"))
        assert f"`{getattr(DictSettings(), name)}`" in row


@pytest.fixture
def acl_user(tmp_path):
    """A server whose user has exactly the permissions that the page lists."""
    text = (ROOT / "docs/dict.md").read_text()
    permissions = re.findall(r"\+[a-z|]+", text[text.index("An ACL user needs") :])
    with EmbeddedServer() as server:
        rules = [
            "ACL",
            "SETUSER",
            "few",
            "on",
            ">secret",
            "~few:*",
            "-@all",
            "+hello",
            "+auth",
            "+select",
            *permissions,
        ]
        run_command(["python3", "-c", ACL, server.url.removeprefix("unix://"), *rules], tmp_path)
        yield f"{server.url}?username=few&password=secret"


ACL = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
words = [word.encode() for word in sys.argv[2:]]
connection.sendall(b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%b\\r\\n" % (len(word), word) for word in words))
assert connection.recv(100) == b"+OK\\r\\n"
"""


@pytest.mark.parametrize("index", ["false", "true"])
def test_permissions_of_the_page_are_enough(tmp_path, acl_user, lualoft, index):
    config = tmp_path / "few.toml"
    config.write_text(f'[dicts.few]\nurl = "{acl_user}"\nprefix = "few:"\nindex = {index}\n')
    for arguments in (
        ["set", "few", "shared/a", "1"],
        ["inc", "few", "shared/a", "1", "--expire", "100"],
        ["get", "few", "shared/a"],
        ["iter", "few", "shared/"],
        ["iter", "-V", "few", "shared/"],
        ["unset", "few", "shared/a"],
    ):
        done = lualoft("--config", config, "dict", *arguments)
        assert (0, "") == (done.code, done.err), arguments
