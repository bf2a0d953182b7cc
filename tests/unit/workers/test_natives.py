"""What scripts of a profile find in their worker's environment."""

import pytest

from dispatcher.protocol.invocation import SCHEMA_VERSION, ScriptPackage
from dispatcher.protocol.settings import LuaSettings
from workers.call_log import CallLog
from workers.natives import natives_of


@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
@pytest.mark.parametrize(
    ("profile", "name", "expected"),
    [
        ("trusted", "LUALOFT_TEST_VARIABLE", b"here"),
        ("restricted", "LUALOFT_TEST_VARIABLE", b""),
        ("restricted", "DOVECOT_HOSTNAME", b"here"),
    ],
)
def test_environment_is_seen_by_trusted_scripts_only(monkeypatch, dialect, profile, name, expected):
    monkeypatch.setenv(name, "here")
    package = ScriptPackage(SCHEMA_VERSION, "one", "stream", b"", dialect, "5.4", {}, 0)
    natives = natives_of(LuaSettings(profile=profile), CallLog(1, 1, print))(package)
    template = b"%{env:" + name.encode() + b"}"
    keeps_unknown = True
    assert (True, expected) == natives["auth_var_expand"](template, b"", b"", b"", keeps_unknown)
    if dialect == "2.4":
        assert (True, expected) == natives["var_expand"](template)
