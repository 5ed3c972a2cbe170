"""Cells of a line of an ARFF file: quoted or not, dense or sparse, maybe with a weight."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Cells = Sequence[str | None]

QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
"""A name or a value in quotes."""
WORD = re.compile(rf"\s*(?:({QUOTED})|([^\s,{{}}'\"][^\s,{{}}]*))")
"""A name or a value up to a blank, a comma or a brace."""
_CELL = re.compile(rf"[^\S,\t]*(?:({QUOTED})|([^,\t'\"][^,\t]*?|))[^\S,\t]*(?:[,\t]|$)")
_SPARSE = re.compile(rf"\s*(\d+)\s+(?:({QUOTED})|([^,{{}}'\"]+?))\s*(?:,|$)")
_WEIGHT = re.compile(r"[,\t]\s*\{\s*[-+.\deE]+\s*\}\s*$")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


class MalformedCellsError(ValueError):
    """A line that cannot be read; its text says why and follows the line's number."""


@dataclass(frozen=True, slots=True)
class ReadLine:
    """The cells of a line, ``None`` where a value is missing."""

    cells: Cells
    weighted: bool


def unquoted(text: str) -> str:
    """Return a name or value without its quotes and with the characters that it escapes."""
    if text[:1] not in ("'", '"') or text[-1:] != text[0]:
        return text
    return _ESCAPE.sub(lambda found: _character(found[1]), text[1:-1])


def _character(escaped: str) -> str:
    if len(escaped) > 1:
        return chr(int(escaped[1:], 16))
    return _ESCAPED.get(escaped, escaped)


def dense_cells(line: str) -> ReadLine:
    """Return the cells of a line with all of them. Raises :class:`MalformedCellsError`."""
    weighted = False
    if line[-1] == "}" and (weight := _WEIGHT.search(line)):
        line, weighted = line[: weight.start()], True
    if "'" in line or '"' in line:
        return ReadLine(_quoted_cells(line), weighted)
    cells = [cell.strip() for cell in line.replace("\t", ",").split(",")]
    return ReadLine([None if cell in ("?", "") else cell for cell in cells], weighted)


def _quoted_cells(line: str) -> Cells:
    cells: list[str | None] = []
    place = 0
    while place <= len(line):
        found = _CELL.match(line, place)
        if found is None:
            raise MalformedCellsError(f"has a quote in cell {len(cells) + 1} that does not fit")
        cells.append(_value(found[1], found[2]))
        if found.end() == len(line) and line[found.end() - 1] not in ",\t":
            break
        place = found.end()
    return cells


def _value(quoted: str | None, bare: str) -> str | None:
    if quoted is not None:
        return unquoted(quoted)
    return None if bare in ("?", "") else bare


def sparse_cells(line: str, absent: Cells) -> ReadLine:
    """Return the cells of a line such as ``{1 X, 3 Y}``, with ``absent`` where it has none.

    Raises :class:`MalformedCellsError`.
    """
    inner, brace, behind = line[1:].rpartition("}")
    weighted = False
    if brace and behind == "" and (apart := re.search(r"\}\s*,\s*\{[^{}]*$", inner)):
        inner, weighted = inner[: apart.start()], True
    if not brace or behind:
        raise MalformedCellsError("begins like a sparse row but has no } at its end")
    cells, place = list(absent), 0
    inner = inner.strip()
    while place < len(inner):
        found = _SPARSE.match(inner, place)
        if found is None:
            raise MalformedCellsError("is not a sparse row such as {1 X, 3 Y}")
        if int(found[1]) >= len(cells):
            raise MalformedCellsError(
                f"has a cell {found[1]}, where the last one is {len(cells) - 1}"
            )
        cells[int(found[1])] = _value(found[2], found[3])
        place = found.end()
    return ReadLine(cells, weighted)
