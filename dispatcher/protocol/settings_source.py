"""Reads settings: defaults, under the TOML file, under the environment, under the flags of the command.

Called once by `main` of the command line; nothing else reads the environment. Each value is checked alone, then beside
others, and every complaint names the key, where it came from and what is allowed.
Must never put the value of a secret into a complaint.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgspec

from dispatcher.protocol.bounded_file import read_bounded
from dispatcher.protocol.dns_address import parse_dns_server
from dispatcher.protocol.egress_rule import parse_egress_rule
from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.key_text import decode_keys
from dispatcher.protocol.redis_address import parse_redis_url
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import MIN_MEMORY_CAP_BYTES, Settings, convert_value
from dispatcher.protocol.settings_fields import (
    CONFIG_VARIABLE,
    FIELDS,
    NAMED,
    describe_allowed,
    did_you_mean,
    field_type,
    is_list,
    split_list,
)
from dispatcher.protocol.settings_layer import Entry, from_environment, from_flags, from_toml

#: Where a setting came from that nobody gave.
DEFAULT_SOURCE: Final = "default"

#: (smaller, larger): pairs of settings that depend on each other.
_ORDERED: Final = (
    ("dispatch.max_invocation_bytes", "dispatch.max_chunk_bytes"),
    ("pool.respawn_min_s", "pool.respawn_max_s"),
    ("dns.cache_min_ttl_s", "dns.cache_max_ttl_s"),
)
#: The longest file of keys.
MAX_KEY_FILE_BYTES: Final = 64 * 1024
#: Longest piece of a bad value that is shown, in characters.
_MAX_SHOWN: Final = 60


@dataclass(frozen=True)
class LoadedSettings:
    """The settings, and for every one of them where it came from."""

    settings: Settings
    #: Dotted name -> "default", "file PATH", "environment NAME" or "command line".
    origins: dict[str, str]


def load_settings(*, toml_path: str | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> LoadedSettings:
    """Read all sources; the later one wins.

    Args:
        toml_path: the settings file; None: the one that LUALOFT_CONFIG names, if any.
        environ: the environment; an empty variable counts as not set.
        flags: dotted name -> value; None and () count as not given.

    Raises:
        SettingsError: a setting is unknown or bad, or a file cannot be read.
    """
    path = toml_path or environ.get(CONFIG_VARIABLE) or None
    entries: dict[str, Entry] = {}
    if path is not None:
        entries |= _layer(from_toml(Path(path)))
    entries |= _layer(from_environment(environ))
    entries |= _layer(from_flags(flags))
    values = {key: _checked(entry) for key, entry in entries.items()}
    if "key" in entries:
        values["key_file"] = entries["key"].file_path
    origins = dict.fromkeys(FIELDS, DEFAULT_SOURCE) | {key: entry.source for key, entry in entries.items()}
    settings = msgspec.convert(_tree(values), Settings)
    _check_pairs(settings, origins)
    _check_dicts(settings, origins)
    return LoadedSettings(settings, origins)


def _layer(entries: Iterator[Entry]) -> dict[str, Entry]:
    """Gather the entries of one source; a secret and its file may both be given, but not in the same source."""
    layer: dict[str, Entry] = {}
    for entry in entries:
        if entry.key in layer:
            raise SettingsError(
                entry.key, "is given both itself and as a file", source=entry.source, allowed="one of the two"
            )
        layer[entry.key] = entry
    return layer


def _checked(entry: Entry) -> object:
    """Return the value in the type of its field."""
    kind = field_type(entry.key)
    _check_text(entry, entry.file_path or entry.value)
    value = _read_secret(entry) if entry.file_path else entry.value
    if entry.is_text and isinstance(value, str) and is_list(kind):
        value = split_list(entry.key, value)
    try:
        converted = value if isinstance(value, Secret) else convert_value(value, kind, is_text=entry.is_text)
        if isinstance(converted, Secret) and converted:
            _check_secret(entry.key, converted)
        _check_memory_cap(entry.key, converted)
        _check_addresses(entry.key, converted)
    except msgspec.ValidationError:
        # `from None`: the library's words add nothing to ours.
        raise SettingsError(
            entry.key, _complaint(value, kind), source=entry.source, allowed=describe_allowed(kind)
        ) from None
    except SettingsError as exc:
        raise exc.located(entry.source) from None
    return converted


def _complaint(value: object, kind: object) -> str:
    # Settings of scripts often hold passwords, so a table is not shown either.
    if kind is Secret or isinstance(value, dict):
        return f"a value of type {type(value).__name__} does not fit"
    try:
        shown = repr(value)
    except ValueError:
        # Python refuses to write thousands of digits.
        shown = f"a number of type {type(value).__name__}"
    return (shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…") + " is not allowed"


def _check_text(entry: Entry, value: object) -> None:
    """Refuse text that cannot be sent to a worker, or that the system would take for a shorter path."""
    if isinstance(value, dict):
        # What a script is told may hold anything; whether it is text at all is checked with its type.
        return
    for item in value if isinstance(value, list) else [value]:
        text = item.reveal() if isinstance(item, Secret) else item
        if isinstance(text, str) and "\0" in text:
            raise SettingsError(entry.key, "holds a NUL", source=entry.source)
        # Bytes of the environment that are not UTF-8 arrive as lone surrogates.
        if isinstance(text, str) and any("\ud800" <= char <= "\udfff" for char in text):
            raise SettingsError(entry.key, "is not UTF-8 text", source=entry.source)


def _check_memory_cap(key: str, value: object) -> None:
    if key.startswith("scripts.") and key.endswith(".max_memory_bytes") and 0 < cast(int, value) < MIN_MEMORY_CAP_BYTES:
        raise SettingsError(key, f"{value} is not allowed", allowed=describe_allowed(field_type(key)))


def _check_addresses(key: str, value: object) -> None:
    if key == "dns.servers":
        for text in cast("list[str]", value):
            parse_dns_server(text)
    elif key.startswith("scripts.") and key.endswith(".egress"):
        for text in cast("list[str]", value):
            parse_egress_rule(text, key)


def _check_secret(key: str, secret: Secret) -> None:
    if key == "key":
        decode_keys(secret.reveal())
    elif key == "redis.url":
        parse_redis_url(secret)
    elif key.startswith("dicts."):
        try:
            parse_redis_url(secret)
        except SettingsError as exc:
            raise SettingsError(key, exc.problem, allowed=exc.allowed) from None


def _read_secret(entry: Entry) -> Secret:
    try:
        text = read_bounded(entry.file_path, MAX_KEY_FILE_BYTES).decode().strip()
    except OSError as exc:
        problem = f"the file cannot be read, {exc.strerror}"
        raise SettingsError(entry.key, problem, source=entry.source) from exc
    except UnicodeDecodeError:
        raise SettingsError(entry.key, "the file is not text", source=entry.source) from None
    if not text:
        raise SettingsError(entry.key, "the file is empty", source=entry.source)
    return Secret(text)


def _tree(values: Mapping[str, object]) -> dict[str, object]:
    """Turn dotted names into nested tables; the name of a script or a dict may itself hold dots."""
    top: dict[str, object] = {}
    sections: dict[str, dict[str, object]] = {}
    named: dict[str, dict[str, dict[str, object]]] = {section: {} for section in NAMED}
    for key, value in values.items():
        head, _, rest = key.partition(".")
        if not rest:
            top[key] = value
        elif head in named:
            name, _, field = rest.rpartition(".")
            named[head].setdefault(name, {})[field] = value
        else:
            sections.setdefault(head, {})[rest] = value
    return {**top, **sections, **named}


def _check_pairs(settings: Settings, origins: Mapping[str, str]) -> None:
    for smaller, larger in _ORDERED:
        low, high = _get(settings, smaller), _get(settings, larger)
        if low <= high:
            continue
        # Complain about the one that somebody wrote.
        if origins[smaller] != DEFAULT_SOURCE:
            key, value, allowed = smaller, low, f"at most {larger}, which is {high} ({origins[larger]})"
        else:
            key, value, allowed = larger, high, f"at least {smaller}, which is {low} ({origins[smaller]})"
        raise SettingsError(key, f"{value} is not allowed", source=origins[key], allowed=allowed)


def _check_dicts(settings: Settings, origins: Mapping[str, str]) -> None:
    """Refuse a dict without an address, and a script that may open one that is not there."""
    for name, options in settings.dicts.items():
        if options.driver == "redis" and not options.url:
            source = origins[f"dicts.{name}.prefix"]
            raise SettingsError(
                f"dicts.{name}.url", "the driver redis needs an address", source=source, allowed="url or url_file"
            )
    for script, script_options in settings.scripts.items():
        key = f"scripts.{script}.dicts"
        for name in script_options.dicts:
            if name not in settings.dicts:
                hint = did_you_mean(name, settings.dicts)
                known = ", ".join(settings.dicts) or "none"
                raise SettingsError(
                    key, f"there is no [dicts.{name}]{hint}", source=origins[key], allowed=f"names of dicts: {known}"
                )


def _get(settings: Settings, key: str) -> float:
    section, _, name = key.partition(".")
    value: float = getattr(getattr(settings, section), name)
    return value
