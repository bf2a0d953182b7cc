import pytest

from dispatcher.protocol.errors import (
    ArgumentError,
    CodecError,
    KeyMissingError,
    LualoftError,
    OversizeError,
    ScriptNotFoundError,
    SealError,
    SettingsError,
    UnavailableError,
)


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        pytest.param(1, LualoftError("x"), id="root"),
        pytest.param(78, SettingsError("redis.url", "is bad"), id="settings"),
        pytest.param(78, KeyMissingError("redis://h:6379/0"), id="key missing"),
        pytest.param(1, SealError("x"), id="seal"),
        pytest.param(1, CodecError("x"), id="codec"),
        pytest.param(1, ArgumentError("x"), id="argument"),
        pytest.param(1, OversizeError("chunk", 2, 1), id="oversize"),
        pytest.param(2, ScriptNotFoundError("x"), id="script not found"),
        pytest.param(75, UnavailableError("x"), id="unavailable"),
    ],
)
def test_every_error_has_its_exit_code(expected, error):
    assert isinstance(error, LualoftError)
    assert expected == error.exit_code


def test_settings_error_is_one_sentence_of_its_parts():
    error = SettingsError("pool.workers", "'x' is not allowed", source="file a.toml", allowed="a number")
    assert "pool.workers (file a.toml): 'x' is not allowed; allowed: a number" == str(error)


def test_located_settings_error_keeps_its_parts():
    error = SettingsError("key", "is no key", allowed="a key").located("environment LUALOFT_KEY")
    assert ("key", "environment LUALOFT_KEY", "a key") == (error.key, error.source, error.allowed)


def test_oversize_error_tells_size_and_limit():
    error = OversizeError("invocation", 2_000_000, 1_048_576)
    assert "invocation has 2000000 bytes, the limit is 1048576 bytes" == str(error)
    assert (2_000_000, 1_048_576) == (error.size_bytes, error.limit_bytes)


def test_script_not_found_error_lists_the_known_names():
    error = ScriptNotFoundError("auht", ("auth", "quota"))
    assert "there is no script 'auht'; known scripts: auth, quota" == str(error)
    assert ("auth", "quota") == error.known_names
