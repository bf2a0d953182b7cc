"""config/lualoft.toml says of every setting what `settings` says."""

import tomllib
from pathlib import Path

import pytest

from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, ScriptSettings, Settings
from dispatcher.protocol.settings_fields import FIELDS, NAMED
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


@pytest.mark.parametrize(
    ("section", "own_name", "defaults", "examples"),
    [
        ("scripts", "auth", ScriptSettings(), {"file", "settings"}),
        ("dicts", "counters", DictSettings(), {"url"}),
    ],
)
def test_example_of_a_table_shows_every_setting_with_its_default(section, own_name, defaults, examples):
    text = PATH.read_text()
    # The table ends with its paragraph.
    example = text[text.index(f"# [{section}.{own_name}]") :].partition("\n\n")[0]
    plain = "\n".join(line.removeprefix("# ") for line in example.splitlines())
    table = tomllib.loads(plain)[section][own_name]
    assert set(NAMED[section]) == set(table)
    shown = {name: value for name, value in table.items() if name not in examples}
    assert {name: getattr(defaults, name) for name in shown} == shown
