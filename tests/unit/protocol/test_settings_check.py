import pytest

from dispatcher.protocol.settings import DispatchSettings, EngineSettings, ScriptSettings, Settings
from dispatcher.protocol.settings_check import key_file_doubts, limit_doubts


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666], ids=oct)
def test_key_file_that_every_user_can_reach_is_told(tmp_path, mode):
    path = tmp_path / "key"
    path.touch()
    path.chmod(mode)
    (doubt,) = key_file_doubts(Settings(key_file=str(path)))
    assert f"key_file {path} has mode {mode:o}" in doubt
    assert doubt.endswith(f"chmod 600 {path}")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o660], ids=oct)
def test_key_file_of_owner_and_group_is_told_nothing_of(tmp_path, mode):
    path = tmp_path / "key"
    path.touch()
    path.chmod(mode)
    assert [] == list(key_file_doubts(Settings(key_file=str(path))))


@pytest.mark.parametrize("name", ["", "/nothing/here"])
def test_key_file_that_is_not_there_is_told_nothing_of(name):
    assert [] == list(key_file_doubts(Settings(key_file=name)))


@pytest.mark.parametrize(
    ("engine_s", "script_s", "expected"),
    [
        pytest.param(9.9, 0.0, [], id="below"),
        pytest.param(10.0, 0.0, ["engine.max_cpu_s is 10 s"], id="as long"),
        pytest.param(1.0, 30.0, ["scripts.slow.max_cpu_s is 30 s"], id="of a script"),
        pytest.param(11.0, 12.0, ["engine.max_cpu_s is 11 s", "scripts.slow.max_cpu_s is 12 s"], id="both"),
    ],
)
def test_limit_that_comes_after_the_deadline_is_told(engine_s, script_s, expected):
    settings = Settings(
        dispatch=DispatchSettings(deadline_s=10.0),
        engine=EngineSettings(max_cpu_s=engine_s),
        scripts={"slow": ScriptSettings(file="slow.lua", max_cpu_s=script_s)},
    )
    assert expected == [doubt.partition(" and dispatch.deadline_s 10 s:")[0] for doubt in limit_doubts(settings)]
