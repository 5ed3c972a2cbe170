"""The structure of the code: no circular imports, and every module named in a string exists.

Import-linter checks the direction of imports between rooms (``make lint``). These tests check for
circles between single files, and names in strings, which no linter follows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.service.server import IN_PIECES, QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("engine", "tui")
    for path in sorted((ROOT / package).rglob("*.py"))
}
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_NAME = re.compile(r"(?:engine|tui)(?:\.\w+)+(?::\w+)?")
_REFERENCE = re.compile(r":(?:mod|class|func|data|meth|attr):`~?((?:engine|tui)\.[\w.]+)`")


@pytest.fixture(scope="module", autouse=True)
def trees_are_freed() -> Iterator[None]:
    yield
    tree_of.cache_clear()
    nodes_of.cache_clear()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree_of(path)))


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports anywhere: also in functions, and for type checkers only."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)


def loaded(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Modules that are loaded with a module: not by its functions, nor for type checkers only."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from loaded([*node.body, *node.orelse])
        elif isinstance(node, ast.Try | ast.With | ast.ClassDef):
            yield from loaded(node.body)


@cache
def reached(module: str) -> set[str]:
    """The modules of this program, and those of others, that are loaded with a module."""
    found: set[str] = set()
    left = {module}
    while left:
        name = left.pop()
        found.add(name)
        if name in MODULES:
            left |= set(loaded(tree_of(MODULES[name]).body)) - found
    return found


def strings(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def exists(dotted: str) -> bool:
    """Whether a dotted name exists, as ``package.module.Class.method``."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        if (name := ".".join(parts[:count])) in MODULES:
            found: object = import_module(name)
            for part in parts[count:]:
                fields = getattr(found, "__annotations__", {})
                if not hasattr(found, part) and part not in fields:
                    return False
                found = getattr(found, part, None)
            return True
    return False


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {name: {n for n in imported(path) if n in MODULES} for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 1000
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_module_that_a_string_names_exists() -> None:
    old = ROOT / "engine/config/moved.py"  # old names
    named = {
        text
        for path in MODULES.values()
        if path != old
        for text in strings(path)
        if _NAME.fullmatch(text)
    }
    assert len(named) > 40
    assert not [name for name in sorted(named) if not exists(name.replace(":", "."))]


def test_every_reference_in_a_docstring_leads_somewhere() -> None:
    named = {
        (name, found)
        for name, path in MODULES.items()
        for text in strings(path)
        for found in _REFERENCE.findall(text)
    }
    assert len(named) > 30
    assert not [(name, found) for name, found in sorted(named) if not exists(found)]


@pytest.mark.parametrize(
    ("package", "waiting"),
    [
        ("peft", {"targets", "check", "combine"}),
        ("transformers.generation", {"targets", "check", "combine", "chat"}),
        ("transformers", {"targets", "check", "combine", "chat", "export"}),
        ("torch.distributed.tensor", set()),
    ],
)
def test_only_what_needs_a_large_package_waits_for_it(package: str, waiting: set[str]) -> None:
    """Each of them takes seconds to import, on top of torch."""
    programs = {name: place.partition(":")[0] for name, place in (QUESTIONS | IN_PIECES).items()}
    programs |= {"train": "engine.training.run", "train beside": "engine.launch.rank_worker"}
    found = {
        name
        for name, module in programs.items()
        if any(f"{other}.".startswith(f"{package}.") for other in reached(module))
    }
    assert found == waiting


def test_imports_stand_at_the_top_of_files_with_few_exceptions() -> None:
    """An import inside a function is for an extra, or for what is large and seldom needed."""
    inside, for_types = [], []
    for name, path in MODULES.items():
        tree = tree_of(path)
        top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                for_types += [(name, child.lineno) for child in node.body]
                top |= {id(child) for child in node.body}
        inside += [
            (name, node.lineno)
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in top
        ]
    assert 20 < len(inside) <= 60, inside
    assert 5 < len(for_types) <= 25, for_types


def test_every_package_that_is_imported_later_exists() -> None:
    named = {
        node.args[0].value
        for path in MODULES.values()
        for node in nodes_of(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Later"
        and isinstance(node.args[0], ast.Constant)
    }
    assert "sklearn.linear_model" in named
    found = {name for name in named if find_spec(str(name).partition(".")[0])}
    assert {"sklearn.linear_model", "sklearn.ensemble"} <= found
    for name in found:
        import_module(str(name))


def test_rooms_hold_the_modules() -> None:
    loose = {
        package: [n for n in MODULES if n.startswith(f"{package}.") and n.count(".") == 1
                  and MODULES[n].name != "__init__.py"]
        for package in ("engine", "tui")
    }  # fmt: skip
    assert len(loose["engine"]) <= 3, loose
    assert len(loose["tui"]) <= 4, loose


def test_classes_have_few_methods() -> None:
    large = {
        f"{name}:{node.name}": len(methods)
        for name, path in MODULES.items()
        for node in nodes_of(path)
        if isinstance(node, ast.ClassDef)
        for methods in [{f.name for f in node.body if isinstance(f, _FUNCTION)}]
        if len(methods) > 15
    }
    assert not large
