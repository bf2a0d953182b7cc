"""Reads one source of settings after the other into entries: the TOML file, the environment, the flags.

Called by `settings_source`, which lets the later source win and checks the values. Here only names are checked, and
files of secrets are not opened yet. Must never put a value into a complaint: it may be a secret under a wrong name.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dispatcher.protocol.bounded_file import read_bounded
from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings_fields import (
    CONFIG_VARIABLE,
    ENVIRONMENT,
    ENVIRONMENT_PREFIX,
    FIELDS,
    FILE_SUFFIX,
    NAMED,
    SECRET_FILES,
    SECTIONS,
    did_you_mean,
)

#: Where a setting came from that stood on the command line.
FLAG_SOURCE: Final = "command line"

#: The longest settings file.
MAX_FILE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """One setting as a source gave it."""

    key: str
    value: object
    source: str
    #: The source knows only text.
    is_text: bool
    #: The file that holds the value, which is then read only if no later source wins.
    file_path: str = ""


def _entry(key: str, value: object, source: str, *, is_text: bool) -> Entry:
    """Build the entry of a known name; the file of a secret becomes an entry of the secret."""
    secret = SECRET_FILES.get(key)
    if secret is None:
        # Behind its mask at once, so that no `repr` of an entry shows it.
        masked = Secret(value) if FIELDS.get(key) is Secret and isinstance(value, str) else value
        return Entry(key, masked, source, is_text)
    return _file_entry(key, secret, value, source)


def _file_entry(key: str, secret: str, value: object, source: str) -> Entry:
    """Build the entry of a secret from the file that `key` names."""
    if not isinstance(value, str) or not value:
        raise SettingsError(key, "does not name a file", source=source, allowed="a path")
    return Entry(secret, "", f"file {value}, named by {source}", is_text=True, file_path=value)


def from_toml(path: Path) -> Iterator[Entry]:
    """Yield what the settings file says; paths in it start from its own folder."""
    source = _source(path)
    for name, value in _read_toml(path).items():
        if name in NAMED:
            for own_name, table in _table(name, value, source).items():
                yield from _named_entries(name, own_name, table, path)
        elif name in SECTIONS:
            for field, field_value in _table(name, value, source).items():
                yield _toml_entry(f"{name}.{field}", field_value, path)
        else:
            yield _toml_entry(name, value, path)


def _read_toml(path: Path) -> dict[str, object]:
    source = _source(path)
    try:
        return tomllib.loads(read_bounded(path, MAX_FILE_BYTES).decode())
    except OSError as exc:
        raise SettingsError("settings file", f"cannot be read, {exc.strerror}", source=source) from exc
    except UnicodeDecodeError:
        raise SettingsError("settings file", "is not UTF-8", source=source, allowed="TOML 1.0") from None
    except tomllib.TOMLDecodeError as exc:
        # `from None`: newer Pythons keep the whole text, with its secrets, in this error.
        raise SettingsError("settings file", str(exc), source=source, allowed="TOML 1.0") from None
    except RecursionError:
        raise SettingsError("settings file", "nests too deep", source=source) from None
    except ValueError:
        # Python refuses to convert thousands of digits; tomllib passes that on as it is.
        raise SettingsError("settings file", "holds a number with too many digits", source=source) from None


def _source(path: Path) -> str:
    # A path may hold bytes that are not UTF-8; `check-config` prints where settings came from.
    return f"file {os.fsencode(path).decode('utf-8', 'backslashreplace')}"


def _table(key: str, value: object, source: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SettingsError(key, "is not a table", source=source, allowed=f"a table, [{key}]")
    return value


def _toml_entry(key: str, value: object, path: Path) -> Entry:
    source = _source(path)
    if key not in FIELDS and key not in SECRET_FILES:
        section, _, _ = key.rpartition(".")
        raise _unknown(key, source, section)
    if key in SECRET_FILES or key == "lua.script_dirs":
        value = _beside(path, value)
    return _entry(key, value, source, is_text=False)


#: Section -> a field that is always an entry, so that a table with nothing in it exists.
_ALWAYS: Final[Mapping[str, Mapping[str, object]]] = {"scripts": {"file": ""}, "dicts": {"prefix": ""}}


def _named_entries(section: str, own_name: str, table: object, path: Path) -> Iterator[Entry]:
    """Yield what a table with a name of its own says: [scripts.NAME] or [dicts.NAME]."""
    source = _source(path)
    prefix = f"{section}.{own_name}"
    kinds = NAMED[section]
    for field, value in {**_ALWAYS[section], **_table(prefix, table, source)}.items():
        key = f"{prefix}.{field}"
        secret = field.removesuffix(FILE_SUFFIX)
        if field != secret and kinds.get(secret) is Secret:
            yield _file_entry(key, f"{prefix}.{secret}", _beside(path, value), source)
        elif field not in kinds:
            hint = did_you_mean(field, kinds)
            raise SettingsError(key, f"unknown setting{hint}", source=source, allowed=", ".join(kinds))
        elif kinds[field] is Secret and isinstance(value, str):
            yield Entry(key, Secret(value), source, is_text=False)
        else:
            yield Entry(key, _beside(path, value) if field == "file" else value, source, is_text=False)


def _beside(path: Path, value: object) -> object:
    """Return a path, or a list of them, taken from the folder of the settings file instead of the current one."""
    if isinstance(value, str) and value:
        return str(path.parent / value)
    return [_beside(path, item) for item in value] if isinstance(value, list) else value


def _unknown(key: str, source: str, section: str) -> SettingsError:
    siblings = [name for name in (*FIELDS, *SECRET_FILES) if name.rpartition(".")[0] == section]
    tables = [] if section else [f"[{name}]" for name in SECTIONS]
    hint = did_you_mean(key, (*siblings, *FIELDS, *SECTIONS))
    return SettingsError(key, f"unknown setting{hint}", source=source, allowed=", ".join((*siblings, *tables)))


def from_environment(environ: Mapping[str, str]) -> Iterator[Entry]:
    """Yield what the environment says; an empty variable counts as not set."""
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX) or name == CONFIG_VARIABLE:
            continue
        key = ENVIRONMENT.get(name)
        if key is None:
            raise SettingsError(
                name,
                f"unknown setting{did_you_mean(name, (*ENVIRONMENT, CONFIG_VARIABLE))}",
                source="environment",
                allowed=f"{ENVIRONMENT_PREFIX}SECTION_NAME of a setting that `lualoft check-config` lists",
            )
        if environ[name]:
            yield _entry(key, environ[name], f"environment {name}", is_text=True)


def from_flags(flags: Mapping[str, object]) -> Iterator[Entry]:
    """Yield what the command line says; None and () count as not given."""
    for key, value in flags.items():
        if key not in FIELDS and key not in SECRET_FILES:
            raise _unknown(key, FLAG_SOURCE, key.rpartition(".")[0])
        if value is not None and value != ():
            yield _entry(key, value, FLAG_SOURCE, is_text=True)
