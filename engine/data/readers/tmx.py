"""Translation memories (TMX): segments of text in two or more languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa

from engine.data.readers.reading import INCOMPLETE
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_CODES = frozenset(("bpt", "ept", "it", "ph", "ut"))
"""Elements within a segment that hold codes of another program, such as ``<b>`` of a web page."""
_PIECE = 1 << 20
"""Characters that are parsed at a time."""


@dataclass
class _Units:
    """Texts by their languages, one mapping a unit."""

    source: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)
    repeated: int = 0
    """Texts beside another one of the same unit and language."""


def read_tmx(path: Path, text: str) -> tuple[pa.Table, tuple[Note, ...]]:
    """Return a row a unit with a column a language, named by it: the source's first; and notes.

    Codes of other programs within a text are left out. Raises :class:`DataError`.
    """
    if "<!ENTITY" in text:
        raise DataError(
            f"{plain(path.name)} declares entities, which translation memories have not.",
            "Export it anew from the program that wrote it.",
        )
    units = _Units()
    try:
        for element in _elements(text):
            _add(units, element)
    except ElementTree.ParseError as error:
        problem = f"{plain(path.name)} is not a readable TMX file: {plain(error)}."
        raise DataError(problem, INCOMPLETE) from error
    counts = Counter(language for row in units.rows for language in row)
    if len(counts) < 2:
        raise DataError(
            f"{plain(path.name)} has texts in {len(counts)} languages.",
            "A translation memory has at least two in its <tuv> elements.",
        )
    languages = sorted(counts, key=lambda one: (one != units.source, -counts[one], one))
    table = pa.table({
        one: pa.array([row.get(one) for row in units.rows], pa.string()) for one in languages
    })  # fmt: skip
    why = "a second text of a language in one unit is not read: the first is"
    repeated = Note(why, rows=units.repeated, kind="dropped")
    return table, (repeated,) if units.repeated else ()


def _elements(text: str) -> Iterator[ElementTree.Element]:
    """Yield the header and the units, which are freed one by one."""
    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    outer: list[ElementTree.Element] = []
    for begin in range(0, len(text), _PIECE):
        parser.feed(text[begin : begin + _PIECE])
        for event, element in parser.read_events():
            if event == "start":
                outer.append(element)
                continue
            outer.pop()
            if element.tag in ("header", "tu"):
                yield element
                outer[-1].clear()
    parser.close()


def _add(units: _Units, element: ElementTree.Element) -> None:
    if element.tag == "header":
        units.source = element.get("srclang", "")
        return
    row: dict[str, str] = {}
    for variant in element.iter("tuv"):
        language = variant.get(_LANGUAGE) or variant.get("lang") or ""
        segment = variant.find("seg")
        text = "" if segment is None else "".join(_texts(segment)).strip()
        if not language or not text:
            continue
        units.repeated += language in row
        row.setdefault(language, text)
    if row:
        units.rows.append(row)


def _texts(element: ElementTree.Element) -> Iterator[str]:
    yield element.text or ""
    for inner in element:
        if inner.tag not in _CODES:
            yield from _texts(inner)
        yield inner.tail or ""
