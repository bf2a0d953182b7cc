import pytest

from dispatcher.cli.check_config import shown_value
from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, settings_from_bytes, settings_to_bytes
from dispatcher.protocol.settings_source import load_settings

URL = "redis://me:swordfish@h/1"


@pytest.fixture
def load(tmp_path):
    """Load a settings file with this text."""

    def load(text):
        path = tmp_path / "lualoft.toml"
        path.write_text(text)
        return load_settings(toml_path=str(path), environ={}, flags={})

    return load


def test_dict_is_read_whole(load):
    loaded = load(
        f'[dicts."a.b"]\ndriver = "redis"\nurl = "{URL}"\nprefix = "p:"\nlayout = "tagged"\nindex = true\n'
        "expire_s = 60\ntimeout_s = 2\nmax_value_bytes = 10"
    )
    expected = DictSettings(
        url=Secret(URL), prefix="p:", layout="tagged", index=True, expire_s=60, timeout_s=2.0, max_value_bytes=10
    )
    assert {"a.b": expected} == loaded.settings.dicts


def test_memory_dict_needs_nothing(load):
    assert {"m": DictSettings(driver="memory")} == load('[dicts.m]\ndriver = "memory"').settings.dicts


def test_address_may_stand_in_a_file_beside_the_settings(load, tmp_path):
    (tmp_path / "url").write_text(f"{URL}\n")
    loaded = load('[dicts.d]\nurl_file = "url"')
    assert Secret(URL) == loaded.settings.dicts["d"].url
    assert f"file {tmp_path}/url, named by file {tmp_path}/lualoft.toml" == loaded.origins["dicts.d.url"]


def test_password_is_nowhere_to_be_seen(load):
    loaded = load(f'[dicts.d]\nurl = "{URL}"')
    assert "swordfish" not in repr(loaded.settings)
    assert "redis://h:6379/1" == shown_value(loaded.settings, "dicts.d.url")


def test_dicts_travel_to_a_child_unchanged(load):
    settings = load(f'[dicts.d]\nurl = "{URL}"').settings
    assert settings == settings_from_bytes(settings_to_bytes(settings))


def test_script_may_name_its_dicts(load):
    loaded = load('[dicts.m]\ndriver = "memory"\n[scripts.s]\nfile = "s.lua"\ndicts = ["m"]')
    assert ["m"] == loaded.settings.scripts["s"].dicts


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("[dicts.d]", "dicts.d.url", "the driver redis needs an address"),
        ("dicts = 1", "dicts", "is not a table"),
        ("[dicts]\nd = 1", "dicts.d", "is not a table"),
        ('[dicts.d]\nprefiks = "x"', "dicts.d.prefiks", "unknown setting; did you mean prefix?"),
        (
            '[dicts.d]\nurl = "http://h"',
            "dicts.d.url",
            "its scheme is none of redis, rediss, unix, sentinel, rediss+sentinel",
        ),
        ('[dicts.d]\nurl_file = ""', "dicts.d.url_file", "does not name a file"),
        ('[dicts.d]\nurl_file = "nowhere"', "dicts.d.url", "the file cannot be read, No such file or directory"),
        ('[dicts.d]\nurl = "redis://h"\nurl_file = "f"', "dicts.d.url", "is given both itself and as a file"),
        ('[dicts.d]\nprefix_file = "f"', "dicts.d.prefix_file", "unknown setting; did you mean prefix?"),
        ("[dicts.d]\nurl = 5", "dicts.d.url", "a value of type int does not fit"),
        ('[dicts.d]\ndriver = "file"', "dicts.d.driver", "'file' is not allowed"),
        ('[dicts.d]\nlayout = "flat"', "dicts.d.layout", "'flat' is not allowed"),
        ('[dicts.d]\ndriver = "memory"\nexpire_s = -1', "dicts.d.expire_s", "-1 is not allowed"),
        ('[dicts.d]\ndriver = "memory"\nexpire_s = 4294967296', "dicts.d.expire_s", "4294967296 is not allowed"),
        ('[dicts.d]\ndriver = "memory"\ntimeout_s = 0', "dicts.d.timeout_s", "0 is not allowed"),
        ('[dicts.d]\nprefix = "a\\u0000b"', "dicts.d.prefix", "holds a NUL"),
        ('[scripts.s]\ndicts = ["d"]', "scripts.s.dicts", "there is no [dicts.d]"),
        (
            '[dicts.counters]\ndriver = "memory"\n[scripts.s]\ndicts = ["counter"]',
            "scripts.s.dicts",
            "there is no [dicts.counter]; did you mean counters?",
        ),
    ],
)
def test_mistake_is_named(load, tmp_path, text, key, problem):
    with pytest.raises(SettingsError) as caught:
        load(text)
    assert (key, problem) == (caught.value.key, caught.value.problem)
    assert str(tmp_path) in caught.value.source
