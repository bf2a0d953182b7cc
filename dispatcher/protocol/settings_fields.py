"""Which settings exist: their dotted names, their environment names, and in words what each may be.

Read by `settings_source`, and by the command line to list settings. Derived from the types in `settings`, so that a
new field needs no second entry; knows no values.
"""

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import inspect

from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, ScriptSettings, Section, Settings

#: In front of every environment name.
ENVIRONMENT_PREFIX: Final = "LUALOFT_"
#: The environment name of the settings file itself.
CONFIG_VARIABLE: Final = "LUALOFT_CONFIG"
#: After the name of a secret: the file that holds it.
FILE_SUFFIX: Final = "_file"
#: Separates the entries of a list of folders in the environment, as in PATH.
PATH_SEPARATOR: Final = ":"
#: Separates those of other lists, whose entries may hold a colon.
LIST_SEPARATOR: Final = ","
#: Lists of folders.
FOLDER_LISTS: Final = frozenset({"lua.script_dirs"})

_WORDS: Final = MappingProxyType(
    {
        inspect.BoolType: "true or false",
        inspect.StrType: "text",
        inspect.CustomType: "text",
        inspect.ListType: "a list of texts",
        inspect.DictType: 'a table of name = "text"',
    }
)


def _section_fields(section: type[Section], prefix: str = "") -> dict[str, object]:
    fields: dict[str, object] = {}
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, Section):
            fields |= _section_fields(field.type, f"{prefix}{field.name}.")
        else:
            fields[prefix + field.name] = field.type
    return fields


#: Section whose tables have names of their own, as [scripts.NAME] -> name -> type of the fields in each table.
NAMED: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "scripts": MappingProxyType(_section_fields(ScriptSettings)),
        "dicts": MappingProxyType(_section_fields(DictSettings)),
    }
)
#: Dotted name -> type, for everything outside the named tables.
FIELDS: Final[Mapping[str, object]] = MappingProxyType(
    {name: kind for name, kind in _section_fields(Settings).items() if name not in {"key_file", *NAMED}}
)
#: Name of the file of a secret -> dotted name of the secret: key_file -> key.
SECRET_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {name + FILE_SUFFIX: name for name, kind in FIELDS.items() if kind is Secret}
)
#: Names of the tables of the settings file.
SECTIONS: Final = tuple(sorted({name.partition(".")[0] for name in FIELDS if "." in name} | NAMED.keys()))


def environment_name(key: str) -> str:
    """Return the environment name of a dotted name: redis.url -> LUALOFT_REDIS_URL."""
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


#: Environment name -> dotted name, of every setting and every file of a secret.
ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType({environment_name(k): k for k in (*FIELDS, *SECRET_FILES)})


def field_type(key: str) -> object:
    """Return the type of a setting, `scripts.NAME.FIELD` included; None: there is no such setting."""
    section, _, rest = key.partition(".")
    if section in NAMED:
        return NAMED[section].get(rest.rpartition(".")[2])
    return FIELDS.get(key)


def is_list(kind: object) -> bool:
    """Tell whether a field's type is a list."""
    return isinstance(inspect.type_info(kind), inspect.ListType)


def split_list(key: str, text: str) -> list[str]:
    """Return the entries of a list that a source gives as one text."""
    if key in FOLDER_LISTS:
        return text.split(PATH_SEPARATOR)
    return [entry.strip() for entry in text.split(LIST_SEPARATOR)]


def describe_allowed(kind: object) -> str:
    """Say in words what a field of this type may be."""
    info = inspect.type_info(kind)
    if isinstance(info, inspect.Metadata):
        described = (info.extra_json_schema or {}).get("description")
        if described:
            return str(described)
        info = info.type
    if isinstance(info, inspect.LiteralType):
        return "one of " + ", ".join(f'"{value}"' for value in info.values)
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return _describe_number(info)
    return _WORDS[type(info)]


def _describe_number(info: inspect.IntType | inspect.FloatType) -> str:
    kind = "a whole number" if isinstance(info, inspect.IntType) else "a number"
    lower = f"above {info.gt}" if info.gt is not None else f"from {info.ge}"
    return f"{kind} {lower} to {info.le}"


def did_you_mean(name: str, known_names: Iterable[str]) -> str:
    """Return "; did you mean X?" for the known name that looks most like this one, or nothing."""
    names = list(known_names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    # `workers` at the top of the file is `pool.workers` in the wrong place.
    close += [known for known in names if known.rpartition(".")[2] == name.rpartition(".")[2]]
    return f"; did you mean {close[0]}?" if close else ""
