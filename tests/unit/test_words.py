"""Texts for users use the terms of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.run_config import REGISTRIES, fields_of

ROOT = Path(__file__).resolve().parents[2]
NOT_SAID = re.compile(
    r"""\b(?:
    go(?:es|ing)?\ on | gone\ on\ from | begin(?:s|ning)?\ from\ scratch
    | nobody | somebody | whoever
    | (?<!there\ )(?:is|are)\ no\ (?!longer|more|lower|higher)
    | kept\ back | held\ against | trained\ before | cannot\ be\ had
    | bends\ the\ lines | makes\ small | pull\ of\ weights | step\ size\ at\ its | out\ of\ patience
    | longest\ gradient | share\ of\ certainty | how\ freely | fixes\ everything
    | made\ a\ mistake | without\ a\ (?:last\ )?word | last\ word
    | worked?\ off | works\ (?:them|it)\ off | waits?\ for\ (?:its|their)\ turn
    | says\ no\ form | so\ (?:many|long|large)\ (?!as\b|that\b)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""The phrases in the right-hand column of the glossary in CONTRIBUTING.md that are never right."""
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def messages(tree: ast.Module) -> Iterator[ast.Constant]:
    """Strings in the code with a space in them, except docstrings."""
    documents = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and " " in node.value and id(node) not in documents:
            yield node


def test_the_help_of_every_field_uses_the_terms_of_the_field() -> None:
    helps = {}
    for section, registry in REGISTRIES.items():
        for kind in registry:
            helps |= {
                name: spec.help for name, spec in fields_of({section: {"kind": kind}}).items()
            }
    assert len(helps) > 100
    assert not {name: text for name, text in helps.items() if NOT_SAID.search(text)}


def test_messages_use_the_terms_of_the_field() -> None:
    found = []
    samples = ROOT / "engine/data/builtin"  # data, not messages
    for path in [*(ROOT / "engine").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]:
        if samples in path.parents:
            continue
        for node in messages(ast.parse(path.read_text())):
            if match := NOT_SAID.search(node.value):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {match[0]}")
    assert not found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_use_the_terms_of_the_field(path: Path) -> None:
    assert not [match[0] for match in NOT_SAID.finditer(path.read_text())]


def test_docstrings_begin_with_what_they_describe() -> None:
    """Not with a question word: "The places of …" rather than "Where …"."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("engine", "tui")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in enumerate(path.read_text().splitlines(), 1)
        if re.match(r'\s*r?"""(?:What|How|Which|Where)\b', text)
    ]
    assert not wrong
