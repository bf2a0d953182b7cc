import hashlib

import pytest

from dispatcher.catalog import Catalog, Script
from dispatcher.protocol.errors import ArgumentError, ScriptNotFoundError, ScriptUnreadableError
from dispatcher.protocol.settings import LuaSettings, ScriptSettings, Settings


def catalog_of(folder, **scripts):
    return Catalog(Settings(lua=LuaSettings(script_dirs=[str(folder)], version="5.3"), scripts=scripts))


def test_script_of_a_directory_is_found_by_its_stem(tmp_path):
    (tmp_path / "auth.lua").write_text("return 1")
    script = catalog_of(tmp_path).find("auth")
    assert (str(tmp_path / "auth.lua"), "file", b"return 1", "5.3") == (
        script.name,
        script.origin,
        script.source,
        script.lua,
    )


def test_settings_of_a_script_hold_for_its_file(tmp_path):
    path = tmp_path / "x.lua"
    path.write_text("")
    options = ScriptSettings(file=str(path), dialect="2.3", lua="luajit", settings={"a": "b"}, max_memory_bytes=2**21)
    script = catalog_of(tmp_path, auth=options).find("auth")
    assert ("2.3", "luajit", {"a": "b"}, 2**21) == (
        script.dialect,
        script.lua,
        script.settings,
        script.max_memory_bytes,
    )


def test_unknown_name_lists_the_known_ones(tmp_path):
    (tmp_path / "b.lua").write_text("")
    with pytest.raises(ScriptNotFoundError, match=r"'c'; known scripts: a, b"):
        catalog_of(tmp_path, a=ScriptSettings(file="a.lua")).find("c")


@pytest.mark.parametrize("name", ["../secret", "sub/secret", "/etc/secret"])
def test_name_is_no_path(tmp_path, name):
    (tmp_path / "sub").mkdir()
    (tmp_path / "secret.lua").write_text("")
    (tmp_path / "sub" / "secret.lua").write_text("")
    with pytest.raises(ScriptNotFoundError):
        catalog_of(tmp_path / "sub" if name.startswith("..") else tmp_path).find(name)


def test_missing_file_of_a_known_script_is_named(tmp_path):
    with pytest.raises(ScriptUnreadableError, match=r"access\(/nothing/here.lua\) failed: No such file or directory"):
        catalog_of(tmp_path, a=ScriptSettings(file="/nothing/here.lua")).find("a")


def test_directory_as_a_file_is_named(tmp_path):
    with pytest.raises(ScriptUnreadableError, match="Is a directory"):
        Script.from_file(tmp_path)


def test_string_is_named_by_its_sha1_and_known_by_its_sha256():
    script = Script.from_string("return 1")
    assert hashlib.sha1(b"return 1").hexdigest() == script.name
    assert hashlib.sha256(b"return 1").hexdigest() == script.digest


def test_same_source_with_other_settings_is_another_package():
    one = Script.from_string("x", ScriptSettings(settings={"a": "1"}))
    other = Script.from_string("x", ScriptSettings(settings={"a": "2"}))
    assert one.digest == other.digest
    assert one.packed[0] != other.packed[0]


def test_repr_shows_no_source_and_no_setting():
    script = Script.from_string("local k = 's3cret'", ScriptSettings(settings={"token": "t0ken"}))
    assert "s3cret" not in repr(script)
    assert "t0ken" not in repr(script)


def test_bad_egress_entry_of_a_script_is_named():
    with pytest.raises(ArgumentError, match="script egress: 'http://x' is not allowed"):
        Script.from_string("return 1", ScriptSettings(egress=["example.org", "http://x"]))
