"""Annotations of brat: ``a.ann`` with the entities of ``a.txt``, a document a pair.

Format: https://brat.nlplab.org/standoff.html.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.data.readers.reading import Reading, ReadOptions, read_text
from engine.data.readers.spans import SPANS
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

_ENTITY = re.compile(r"T\S*\t(\S+) (\d+) (\d+)\t(.*)")
_PIECES = "an entity in several pieces is left out"
_ELSEWHERE = "an entity whose text is not at its place is left out"
_OTHERS = "relations, events, attributes and remarks are not read"


def read_brat(path: Path, options: ReadOptions) -> Reading:
    """Return one row: the text of the document and its entities. Raises :class:`DataError`."""
    document = path.with_suffix(".txt")
    if not document.is_file():
        raise DataError(
            f"There is no {plain(document.name)} beside {plain(path.name)}.",
            "brat keeps the text of a document beside its annotations.",
        )
    text = read_text(document, options.encoding)
    counts: Counter[str] = Counter()
    spans = []
    for line in read_text(path, options.encoding).splitlines():
        span = _span(line, text, counts)
        if span is not None:
            spans.append(span)
    table = pa.table({"text": pa.array([text]), "entities": pa.array([spans], SPANS)})
    notes = [
        Note(why, "entities", "tags", number, kind="dropped") for why, number in counts.items()
    ]
    return Reading(table, tuple(notes))


def without_documents(files: Iterable[Path]) -> list[Path]:
    """Return files without the texts that are read with their annotations."""
    files = list(files)
    texts = {file.with_suffix(".txt") for file in files if file.suffix.lower() == ".ann"}
    return [file for file in files if file not in texts]


def _span(line: str, text: str, counts: Counter[str]) -> dict[str, Any] | None:
    match = _ENTITY.fullmatch(line)
    if match is None:
        if line.strip():
            counts[_PIECES if line.startswith("T") else _OTHERS] += 1
        return None
    label, start, end, words = match[1], int(match[2]), int(match[3]), match[4]
    if text[start:end].split() != words.split():
        counts[_ELSEWHERE] += 1
        return None
    return {"start": start, "end": end, "label": label}
