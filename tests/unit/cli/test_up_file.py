import os
import stat

import pytest

from dispatcher.cli.up_file import UpFileError, is_trusted, up_file_path, written_up_file
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DispatchSettings, RedisSettings, Settings
from dispatcher.protocol.settings_source import load_settings

SETTINGS = Settings(
    key=Secret(generate_key()),
    redis=RedisSettings(url=Secret("unix:///tmp/x/redis.sock")),
    dispatch=DispatchSettings(queue="mine"),
)


@pytest.fixture
def environ(tmp_path):
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


def test_file_leads_another_process_to_the_server(environ):
    with written_up_file(SETTINGS, environ) as path:
        assert SETTINGS == load_settings(toml_path=str(path), environ={}, flags={}).settings
        assert is_trusted(path)
    assert not path.exists()


def test_file_is_only_for_this_user_whatever_was_there_before(environ):
    path = up_file_path(environ)
    path.parent.mkdir(mode=0o700)
    path.write_text("left by a killed `up`" * 100)
    path.chmod(0o644)
    with written_up_file(SETTINGS, environ) as written:
        assert path == written
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert "left" not in path.read_text()


def test_file_in_use_is_left_alone(environ):
    with written_up_file(SETTINGS, environ) as first:
        with written_up_file(SETTINGS, environ) as second:
            assert f"up-{os.getpid()}.toml" == second.name
        assert first.exists()


def test_link_in_its_place_is_not_followed(environ, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("x")
    path = up_file_path(environ)
    path.parent.mkdir(mode=0o700)
    path.symlink_to(precious)
    with pytest.raises(UpFileError), written_up_file(SETTINGS, environ):
        pass
    assert "x" == precious.read_text()
    assert not is_trusted(path)


def test_folder_that_is_no_folder_is_refused(environ, tmp_path):
    (tmp_path / "lualoft").symlink_to(tmp_path)
    with pytest.raises(UpFileError, match="is not a folder that only this user"), written_up_file(SETTINGS, environ):
        pass


@pytest.mark.parametrize("environ", [{}, {"XDG_RUNTIME_DIR": "/missing"}], ids=["not set", "not there"])
def test_without_a_runtime_folder_the_temporary_one_is_used(environ):
    assert ("up.toml", f"lualoft-{os.getuid()}") == (up_file_path(environ).name, up_file_path(environ).parent.name)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_file_that_others_may_read_or_write_is_not_trusted(tmp_path, mode):
    path = tmp_path / "up.toml"
    path.touch()
    path.chmod(mode)
    assert not is_trusted(path)


def test_missing_file_is_not_trusted(tmp_path):
    assert not is_trusted(tmp_path / "up.toml")
