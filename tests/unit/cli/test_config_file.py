"""config/lualoft.toml says of every setting what `settings` says."""

import tomllib
from pathlib import Path

import pytest

from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import ScriptSettings, Settings
from dispatcher.protocol.settings_fields import FIELDS, SCRIPT_FIELDS
from dispatcher.protocol.settings_source import load_settings

PATH = Path(__file__).parents[3] / "config" / "lualoft.toml"


def test_file_holds_the_defaults():
    assert Settings() == load_settings(toml_path=str(PATH), environ={}, flags={}).settings


@pytest.mark.parametrize("name", [name for name, kind in FIELDS.items() if kind is not Secret])
def test_setting_stands_in_the_file(name):
    origins = load_settings(toml_path=str(PATH), environ={}, flags={}).origins
    assert f"file {PATH}" == origins[name]


@pytest.mark.parametrize("name", [name for name, kind in FIELDS.items() if kind is Secret])
def test_secret_stands_in_the_file_as_a_comment(name):
    assert f"\n# {name.rpartition('.')[2]} = " in PATH.read_text()


def test_example_of_a_script_shows_every_setting_with_its_default():
    text = PATH.read_text()
    example = text[text.index("# [scripts.auth]") :]
    plain = "\n".join(line.removeprefix("# ") for line in example.splitlines())
    script = tomllib.loads(plain)["scripts"]["auth"]
    assert set(SCRIPT_FIELDS) == set(script)
    shown = {name: value for name, value in script.items() if name not in {"file", "settings"}}
    assert {name: getattr(ScriptSettings(), name) for name in shown} == shown
