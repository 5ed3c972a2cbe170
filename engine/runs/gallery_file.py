"""The file with a run's gallery: its table in the first line, then a view a line.

A screen reads the table, and a view when it is to be shown; so thousands of cases cost little.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.errors import RunError, reason_of
from engine.files import atomic, safe_json
from engine.reports.gallery import Case, Explained, Gallery, GalleryList
from engine.reports.views import View, json_values, read_view

_EXPLAINED = "explained"
_LONGEST_VIEW = 1 << 24
"""Bytes of a line that are read at most."""


class GalleryFile:
    """One gallery of a run."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, gallery: Gallery) -> None:
        """Write the gallery; raises ``OSError``."""
        views = [
            _line(view.record() | ({_EXPLAINED: asdict(explained)} if explained else {}))
            for view, explained in itertools.zip_longest(gallery.views, gallery.explained)
        ]
        head = {
            "title": gallery.title,
            "columns": gallery.columns,
            "rows": json_values(gallery.rows),
            "lengths": list(map(len, views)),
            "total": gallery.total,
        }
        atomic.write_bytes(self.path, b"".join([_line(head), *views]))

    def read(self) -> GalleryList | None:
        """Return the table; ``None`` where there is none. Raises :class:`RunError`."""
        try:
            with self.path.open("rb") as file:
                line = file.readline()
            head = safe_json.loads(line)
            begins = itertools.accumulate(head["lengths"], initial=len(line))
            places = list(begins)[:-1]
            columns, rows = list(map(str, head["columns"])), list(head["rows"])
            return GalleryList(str(head["title"]), columns, rows, places, int(head["total"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"Cannot read {self.path}: {reason_of(error)}.") from error

    def case(self, place: int) -> Case | None:
        """Return the case whose line begins at a byte; ``None`` where none does."""
        try:
            with self.path.open("rb") as file:
                file.seek(place)
                record = dict(safe_json.loads(file.readline(_LONGEST_VIEW)))
            explained = record.pop(_EXPLAINED, None)
            view = read_view(record)
            if view is None:
                return None
            return Case(view, None if explained is None else Explained(**explained))
        except (OSError, ValueError, TypeError):
            return None

    def view(self, place: int) -> View | None:
        """Return only the view of the case that begins at a byte."""
        case = self.case(place)
        return None if case is None else case.view


def _line(record: Any) -> bytes:
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
