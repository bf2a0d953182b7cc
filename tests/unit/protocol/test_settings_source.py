import traceback

import pytest

from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import ScriptSettings, Settings
from dispatcher.protocol.settings_source import load_settings

KEY = generate_key()
OTHER_KEY = generate_key()


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write(text, name="lualoft.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def load(toml_path=None, environ=None, **flags):
    flags = {name.replace("__", "."): value for name, value in flags.items()}
    return load_settings(toml_path=toml_path, environ=environ or {}, flags=flags)


def refusal(toml_path=None, environ=None, **flags):
    with pytest.raises(SettingsError) as caught:
        load(toml_path, environ, **flags)
    return caught.value


def test_without_any_source_everything_is_default():
    loaded = load()
    assert Settings() == loaded.settings
    assert {"default"} == set(loaded.origins.values())
    assert {"key", "redis.url", "pool.workers"} <= set(loaded.origins)


def test_later_source_wins(write):
    path = write("[pool]\nworkers = 1\ngrace_s = 1\nrespawn_min_s = 1")
    environ = {"LUALOFT_POOL_WORKERS": "2", "LUALOFT_POOL_GRACE_S": "2.5"}
    loaded = load(path, environ, pool__workers=3)
    pool = loaded.settings.pool
    assert (3, 2.5, 1.0) == (pool.workers, pool.grace_s, pool.respawn_min_s)
    assert "command line" == loaded.origins["pool.workers"]
    assert "environment LUALOFT_POOL_GRACE_S" == loaded.origins["pool.grace_s"]
    assert f"file {path}" == loaded.origins["pool.respawn_min_s"]


@pytest.mark.parametrize("nothing", [None, ()], ids=["none", "empty tuple"])
def test_flag_that_was_not_given_changes_nothing(nothing):
    loaded = load(None, {"LUALOFT_LUA_SCRIPT_DIRS": "a"}, lua__script_dirs=nothing)
    assert ["a"] == loaded.settings.lua.script_dirs


def test_empty_variable_counts_as_not_set(write):
    path = write("[pool]\nworkers = 1")
    environ = {"LUALOFT_POOL_WORKERS": "", "LUALOFT_KEY": "", "LUALOFT_CONFIG": ""}
    assert 1 == load(path, environ).settings.pool.workers
    assert Settings() == load(None, environ).settings


def test_config_variable_names_the_file(write):
    path = write("[pool]\nworkers = 7")
    assert 7 == load(None, {"LUALOFT_CONFIG": path}).settings.pool.workers


def test_given_file_wins_over_the_config_variable(write):
    path = write("[pool]\nworkers = 7")
    assert 7 == load(path, {"LUALOFT_CONFIG": "/nowhere/lualoft.toml"}).settings.pool.workers


def test_variables_of_others_are_left_alone():
    assert Settings() == load(None, {"PATH": "/bin", "LUALOF_KEY": "x", "lualoft_key": "x"}).settings


@pytest.mark.parametrize(
    ("name", "text", "section", "field", "expected"),
    [
        pytest.param("LUALOFT_POOL_WORKERS", "0", "pool", "workers", 0, id="int"),
        pytest.param("LUALOFT_DISPATCH_DEADLINE_S", "2", "dispatch", "deadline_s", 2.0, id="float"),
        pytest.param("LUALOFT_LUA_C_MODULES", "true", "lua", "c_modules", True, id="bool"),
        pytest.param("LUALOFT_LUA_VERSION", "5.1", "lua", "version", "5.1", id="choice"),
        pytest.param("LUALOFT_LUA_SCRIPT_DIRS", "/a:b", "lua", "script_dirs", ["/a", "b"], id="list"),
        pytest.param("LUALOFT_REDIS_URL", "redis://h", "redis", "url", Secret("redis://h"), id="secret"),
        pytest.param("LUALOFT_DISPATCH_QUEUE", "q-1", "dispatch", "queue", "q-1", id="text"),
    ],
)
def test_environment_text_becomes_the_type_of_its_field(name, text, section, field, expected):
    settings = load(None, {name: text}).settings
    assert expected == getattr(getattr(settings, section), field)


def test_scripts_come_from_the_file_and_start_at_its_folder(write, tmp_path):
    path = write(
        '[lua]\nscript_dirs = ["scripts", "/srv/lua"]\n'
        '[scripts."a.b"]\nfile = "x/auth.lua"\ndialect = "2.3"\n[scripts."a.b".settings]\nurl = "u"\n[scripts.empty]'
    )
    settings = load(path).settings
    expected = ScriptSettings(file=str(tmp_path / "x/auth.lua"), dialect="2.3", settings={"url": "u"})
    assert {"a.b": expected, "empty": ScriptSettings()} == settings.scripts
    assert [str(tmp_path / "scripts"), "/srv/lua"] == settings.lua.script_dirs


def test_key_file_in_the_settings_file_starts_at_its_folder(write, tmp_path):
    write(f"{KEY}\n", "secret.key")
    loaded = load(write('key_file = "secret.key"'))
    assert Secret(KEY) == loaded.settings.key
    assert str(tmp_path / "secret.key") == loaded.settings.key_file
    assert f"file {tmp_path}/secret.key, named by file {tmp_path}/lualoft.toml" == loaded.origins["key"]


@pytest.mark.parametrize(
    ("environ_name", "content", "section", "field"),
    [
        pytest.param("LUALOFT_KEY_FILE", f"{KEY}\n{OTHER_KEY}\n", "", "key", id="key"),
        pytest.param("LUALOFT_REDIS_URL_FILE", "redis://:pw@h/1\n", "redis", "url", id="redis url"),
    ],
)
def test_every_secret_may_lie_in_a_file(write, environ_name, content, section, field):
    settings = load(None, {environ_name: write(content, "secret")}).settings
    assert Secret(content.strip()) == getattr(getattr(settings, section) if section else settings, field)


def test_later_key_replaces_an_earlier_key_file_which_is_not_even_opened(write):
    path = write('key_file = "missing.key"')
    settings = load(path, {"LUALOFT_KEY": KEY}).settings
    assert (Secret(KEY), "") == (settings.key, settings.key_file)


def test_later_key_file_replaces_an_earlier_key(write):
    path = write(f'key = "{KEY}"')
    settings = load(path, {"LUALOFT_KEY_FILE": write(OTHER_KEY, "secret.key")}).settings
    assert Secret(OTHER_KEY) == settings.key


@pytest.mark.parametrize(
    ("toml", "key", "words"),
    [
        pytest.param("workers = 1", "workers", "did you mean pool.workers?", id="known elsewhere"),
        pytest.param('key_fil = "x"', "key_fil", "did you mean key_file?", id="misspelt at the top"),
        pytest.param("[pol]\nworkers = 1", "pol", "did you mean pool?", id="misspelt section"),
        pytest.param("[pool]\nworker = 1", "pool.worker", "did you mean pool.workers?", id="misspelt field"),
        pytest.param("[redis]\nport = 1", "redis.port", "redis.socket_timeout_s", id="nothing like it"),
        pytest.param("pool = 1", "pool", "a table, [pool]", id="section that is no table"),
        pytest.param("scripts = 1", "scripts", "a table, [scripts]", id="scripts that are no table"),
        pytest.param("[scripts]\na = 1", "scripts.a", "a table, [scripts.a]", id="script that is no table"),
        pytest.param('[scripts.a]\nfiel = "x"', "scripts.a.fiel", "did you mean file?", id="misspelt in a script"),
        pytest.param("[scripts.a]\nfile = 1", "scripts.a.file", "allowed: text", id="script file that is no text"),
        pytest.param("[scripts.a.settings]\nport = 1", "scripts.a.settings", 'name = "text"', id="script setting"),
        pytest.param("[pool]\nworkers = -1", "pool.workers", "a whole number from 0 to 1024", id="below"),
        pytest.param("[pool]\nworkers = 1025", "pool.workers", "1025 is not allowed", id="above"),
        pytest.param("[pool]\nworkers = true", "pool.workers", "a whole number", id="bool for a number"),
        pytest.param('[pool]\nworkers = "2"', "pool.workers", "a whole number", id="text for a number"),
        pytest.param("[pool]\ngrace_s = 0", "pool.grace_s", "a number above 0 to 86400", id="no time at all"),
        pytest.param("[pool]\ngrace_s = inf", "pool.grace_s", "a number above 0", id="infinite"),
        pytest.param("[pool]\ngrace_s = nan", "pool.grace_s", "a number above 0", id="not a number"),
        pytest.param("[lua]\nversion = 5.4", "lua.version", '"5.4"', id="number for a choice"),
        pytest.param('[log]\nlevel = "loud"', "log.level", '"debug", "error", "info", "warning"', id="no choice"),
        pytest.param("[lua]\nc_modules = 1", "lua.c_modules", "true or false", id="number for a bool"),
        pytest.param('[lua]\nscript_dirs = "a"', "lua.script_dirs", "a list of texts", id="text for a list"),
        pytest.param('[dispatch]\nqueue = "a b"', "dispatch.queue", "letters, digits", id="queue name"),
        pytest.param("[redis]\nurl = 1", "redis.url", "a value of type int does not fit", id="number for a secret"),
        pytest.param('[redis]\nurl = "http://h"', "redis.url", "redis://[user", id="foreign scheme"),
        pytest.param('key = "x"', "key", "lualoft keygen", id="no key"),
        pytest.param("key_file = 1", "key_file", "allowed: a path", id="key file that is no path"),
        pytest.param("x =", "settings file", "allowed: TOML 1.0", id="no TOML"),
        pytest.param(b"\xff", "settings file", "is not UTF-8", id="no UTF-8"),
        pytest.param('key = "a"\nkey_file = "b"', "key", "one of the two", id="key twice"),
    ],
)
def test_bad_settings_file_is_refused(write, toml, key, words):
    path = write(toml)
    error = refusal(path)
    assert key == error.key
    assert path in error.source
    assert words in str(error)


@pytest.mark.parametrize(
    ("environ", "key", "words"),
    [
        pytest.param({"LUALOFT_KYE": KEY}, "LUALOFT_KYE", "did you mean LUALOFT_KEY?", id="misspelt"),
        pytest.param({"LUALOFT_CONFG": "x"}, "LUALOFT_CONFG", "did you mean LUALOFT_CONFIG?", id="misspelt config"),
        pytest.param({"LUALOFT_NOTHING_LIKE_IT": "x"}, "LUALOFT_NOTHING_LIKE_IT", "check-config", id="nothing like it"),
        pytest.param({"LUALOFT_SCRIPTS_A_FILE": "x"}, "LUALOFT_SCRIPTS_A_FILE", "unknown setting", id="a script"),
        pytest.param({"LUALOFT_POOL_WORKERS": "two"}, "pool.workers", "'two' is not allowed", id="no number"),
        pytest.param({"LUALOFT_LUA_C_MODULES": "maybe"}, "lua.c_modules", "true or false", id="no bool"),
        pytest.param({"LUALOFT_KEY": "x"}, "key", "environment LUALOFT_KEY", id="no key"),
        pytest.param({"LUALOFT_KEY_FILE": "/nowhere/k"}, "key", "No such file", id="missing file"),
        pytest.param({"LUALOFT_KEY_FILE": "/"}, "key", "Is a directory", id="folder for a file"),
        pytest.param({"LUALOFT_CONFIG": "/nowhere/c"}, "settings file", "No such file", id="missing settings file"),
        pytest.param({"LUALOFT_KEY": KEY, "LUALOFT_KEY_FILE": "/k"}, "key", "one of the two", id="key twice"),
        pytest.param({"LUALOFT_REDIS_URL": "h:1"}, "redis.url", "environment LUALOFT_REDIS_URL", id="bad address"),
    ],
)
def test_bad_environment_is_refused(environ, key, words):
    error = refusal(None, environ)
    assert key == error.key
    assert words in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"], ids=["empty", "blank", "binary"])
def test_file_without_a_secret_is_refused(write, content):
    error = refusal(None, {"LUALOFT_KEY_FILE": write(content, "secret.key")})
    assert "key" == error.key
    assert "LUALOFT_KEY_FILE" in error.source


def test_unknown_flag_is_refused():
    error = refusal(pool__wokers=1)
    assert ("pool.wokers", "command line") == (error.key, error.source)
    assert "did you mean pool.workers?" in str(error)


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        pytest.param("max_chunk_bytes = 100", "dispatch.max_chunk_bytes", id="larger one written"),
        pytest.param("max_invocation_bytes = 8_000_000", "dispatch.max_invocation_bytes", id="smaller one written"),
    ],
)
def test_settings_that_do_not_go_together_blame_the_written_one(write, toml, expected):
    error = refusal(write(f"[dispatch]\n{toml}"))
    assert expected == error.key
    assert "(default)" in error.allowed


def test_equal_pair_is_allowed(write):
    path = write("[dispatch]\nmax_chunk_bytes = 100\nmax_invocation_bytes = 100")
    assert 100 == load(path).settings.dispatch.max_chunk_bytes


def test_long_bad_value_is_cut(write):
    assert len(refusal(write(f'[log]\nlevel = "{"x" * 10_000}"')).problem) < 100


@pytest.mark.parametrize(
    "toml",
    [
        pytest.param('key = "swordfish"', id="key"),
        pytest.param('key = ["swordfish"]', id="key in a list"),
        pytest.param('[redis]\nurl = "redis://me:swordfish@h:x"', id="port of an address"),
        pytest.param('[redis]\nurl = "redis://me:swordfish@h/x"', id="database of an address"),
        pytest.param('[redis]\nurl = "redis://[swordfish"', id="unreadable address"),
        pytest.param('[redis]\nurl = "redis://h?pasword=swordfish"', id="option of an address"),
        pytest.param('[redis]\npasword = "swordfish"', id="unknown name"),
        pytest.param('[scripts.a.settings]\npassword = "swordfish"\nport = 1', id="settings of a script"),
        pytest.param('key = "swordfish', id="broken TOML"),
    ],
)
def test_secret_shows_in_no_error_and_no_traceback(write, toml):
    error = refusal(write(toml))
    assert "swordfish" not in "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("cap_bytes", [0, 1_048_576, 2**40])
def test_memory_cap_that_a_script_can_load_under_is_taken(write, cap_bytes):
    loaded = load(write(f"[scripts.x]\nmax_memory_bytes = {cap_bytes}"))
    assert cap_bytes == loaded.settings.scripts["x"].max_memory_bytes


@pytest.mark.parametrize("cap_bytes", [-1, 1, 1_048_575, 2**40 + 1])
def test_memory_cap_under_which_no_script_loads_is_refused(write, cap_bytes):
    error = refusal(write(f"[scripts.x]\nmax_memory_bytes = {cap_bytes}"))
    assert "scripts.x.max_memory_bytes" == error.key
    assert "0 for no cap, or a whole number from 1048576 to 1099511627776" == error.allowed
