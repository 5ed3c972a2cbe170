"""Text that every Python carries: the docstrings of its own standard library."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa

from engine.data.raw import TRAIN, RawData

_LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3"}
_SHORTEST = 30
"""Shorter docstrings have too little content to identify their package."""
_ENOUGH = 90
"""Packages with fewer docstrings are no class of their own."""
_DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings() -> RawData:
    """Docstrings of the larger packages with the name of the package, each text once."""
    return RawData({TRAIN: _table()})


@cache
def _table() -> pa.Table:
    """Read them; kept, since parsing the library takes seconds."""
    library = Path(sysconfig.get_paths()["stdlib"])
    packages = [path for path in library.iterdir() if path.is_dir()]
    found = {
        text: package.name
        for package in sorted(packages)
        if package.name not in _LEFT_OUT
        for text in _docstrings_in(package)
    }
    counts = Counter(found.values())
    rows = [(text, name) for text, name in found.items() if counts[name] >= _ENOUGH]
    texts, names = zip(*rows, strict=True)
    return pa.table({"text": texts, "package": names})


def _docstrings_in(package: Path) -> Iterator[str]:
    for path in sorted(package.rglob("*.py")):
        if _LEFT_OUT.isdisjoint(path.relative_to(package).parts):
            yield from _docstrings_of(path)


def _docstrings_of(path: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        # Old code has escapes that newer versions warn about.
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # samples of broken code belong to the library too
            return
    for node in ast.walk(tree):
        if isinstance(node, _DEFINITIONS):
            text = ast.get_docstring(node)
            if text and len(text) >= _SHORTEST:
                yield text
