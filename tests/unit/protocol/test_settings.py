import msgspec
import pytest

from dispatcher.protocol.errors import CodecError
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import (
    DispatchSettings,
    RedisSettings,
    ScriptSettings,
    Settings,
    settings_from_bytes,
    settings_to_bytes,
)

SETTINGS = Settings(
    key=Secret("lk1_swordfish"),
    redis=RedisSettings(url=Secret("redis://me:swordfish@h")),
    scripts={"auth": ScriptSettings(file="auth.lua", settings={"backend_password": "swordfish"})},
)


def test_settings_travel_to_a_child_unchanged():
    assert SETTINGS == settings_from_bytes(settings_to_bytes(SETTINGS))


def test_repr_shows_no_secret():
    assert "swordfish" not in repr(SETTINGS)
    assert "url=***" in repr(SETTINGS)
    assert "{'backend_password': '***'}" in repr(SETTINGS)


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        SETTINGS.redis.socket_timeout_s = 1.0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="garbage"),
        pytest.param(msgspec.msgpack.encode({"kye": "x"}), id="unknown field"),
        pytest.param(msgspec.msgpack.encode({"key": 5}), id="secret of another type"),
        pytest.param(msgspec.msgpack.encode({"pool": {"workers": -1}}), id="value out of range"),
    ],
)
def test_other_bytes_are_no_settings(data):
    with pytest.raises(CodecError):
        settings_from_bytes(data)


def test_field_of_a_foreign_type_is_not_written():
    with pytest.raises(NotImplementedError, match="object"):
        settings_to_bytes(Settings(key=object()))


def test_caps_are_as_promised():
    assert (4 * 1024**2, 1024**2) == (DispatchSettings().max_chunk_bytes, DispatchSettings().max_invocation_bytes)
