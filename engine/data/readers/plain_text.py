"""Text files: a row a line, with the classes that fastText writes into the lines."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from engine.data.readers.reading import Reading
from engine.files.sanitize import plain
from engine.reports.note import Note

_LABEL = re.compile(r"(?<!\S)__label__(\S+)")


def read_plain_text(path: Path, text: str) -> Reading:
    """Read a row a line, empty lines included; files of fastText have text and classes."""
    text = text.replace("\r\n", "\n").removesuffix("\n")
    lines = text.split("\n")
    return _labelled(path, lines) if text.lstrip().startswith("__label__") else _plain(lines)


def _plain(lines: list[str]) -> Reading:
    return Reading(pa.table({"text": lines}))


def _labelled(path: Path, lines: list[str]) -> Reading:
    """Read lines such as ``__label__good it works``; one with several classes makes all lists."""
    lines = [line for line in lines if line.strip()]
    found = [_LABEL.findall(line) for line in lines]
    several = any(len(labels) > 1 for labels in found)
    labels = [labels if several else labels[0] if labels else None for labels in found]
    texts = [_LABEL.sub("", line).strip() for line in lines]
    note = Note(
        f"{plain(path.name, 60)} is a file of fastText: __label__ marks the classes",
        "label", "lists of classes" if several else "classes", len(lines), kind="converted",
    )  # fmt: skip
    return Reading(pa.table({"text": texts, "label": labels}), (note,))
