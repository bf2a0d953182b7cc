"""The command and the settings of docs/http.md, as somebody who reads it would try them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from dispatcher.protocol.settings import LogSettings
from tests.integration.http.fault_server import FaultServer, answer, lines
from workers.script_log import ScriptLog

DOCUMENT = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
#: The service of the example.
ORIGIN = "http://127.0.0.1:8000"


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    return found


def run(folder, server):
    (folder / "ask.lua").write_text(block("lua"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUALOFT_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = block("sh").replace(ORIGIN, server.origin)
    return subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_script_asks_its_service(tmp_path):
    with FaultServer() as server:
        server.on("/check", answer("200 OK", "Content-Type: text/x-verdict", payload=b"welcome"))
        done = run(tmp_path, server)
        assert (0, ["welcome", "text/x-verdict"]) == (done.returncode, done.stdout.split()), done.stderr
        assert b"POST /check HTTP/1.1" == lines(server.asked[0])[0]
        assert server.asked[0].endswith(b"\r\nContent-Type: text/plain\r\n\r\njoe")


def test_service_that_fails_is_no_error_of_the_script(tmp_path):
    with FaultServer() as server:
        server.on("/check", answer("503 Busy"))
        done = run(tmp_path, server)
        assert 0 == done.returncode, done.stderr
        assert "Busy" in done.stdout


def test_filter_of_the_settings_is_one():
    (text,) = re.findall(r'debug_filter = "(.*)"', block("toml"))
    assert ScriptLog(LogSettings(debug_filter=text)).debug_filter is not None
