"""Findings of the check of a data set: doubts about its rows and columns, and what mends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.reports.picture import Picture, read_pictures


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that a finding is about."""

    name: str
    """Its name for ``data.drop_rows``; empty where its number is unknown."""
    split: str
    """The split that it is in."""
    text: str
    """The beginning of its values."""
    remark: str = ""
    """The expected value, or the row that it resembles."""
    pictures: tuple[Picture, ...] = ()
    """The row's image, and that of the row that it resembles; empty for data of another kind."""


@dataclass(frozen=True, slots=True)
class Mend:
    """A change of the configuration that removes what was found."""

    key: str
    """The key that applies it: ``d`` drops, ``I`` moves, ``Y`` marks as right."""
    label: str
    columns: tuple[str, ...] = ()
    """Columns to be ignored."""
    rows: tuple[str, ...] = ()
    """Names of rows to be left out."""
    marked: tuple[str, ...] = ()
    """Names of rows to be kept, and not to be doubted again."""
    duplicates: str = ""
    """New value of ``data.duplicates``."""

    def contradicts(self, other: Mend) -> bool:
        """Return whether not both can be made: one field has one value, and a row stays or not."""
        two = bool(self.duplicates and other.duplicates and self.duplicates != other.duplicates)
        return two or bool({*self.rows} & {*other.marked} or {*self.marked} & {*other.rows})

    def fields(
        self, columns: Mapping[str, str], rows: Sequence[str], marked: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the new values of fields.

        Given are those of ``data.columns``, ``data.drop_rows`` and ``data.mark_rows``.
        """
        values: dict[str, Any] = {}
        if self.columns:
            values["data.columns"] = {**columns, **dict.fromkeys(self.columns, "ignored")}
        if self.rows:
            values["data.drop_rows"] = list(dict.fromkeys([*rows, *self.rows]))
        if self.marked:
            values["data.mark_rows"] = list(dict.fromkeys([*marked, *self.marked]))
        if self.duplicates:
            values["data.duplicates"] = self.duplicates
        return values


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt about a data set."""

    kind: str
    """Name of what was found, such as ``duplicates``."""
    why: str
    """A sentence on what was found, and what follows from it."""
    column: str = ""
    count: int | None = None
    """Number of rows concerned."""
    rows: tuple[FoundRow, ...] = ()
    """The first of these rows."""
    mends: tuple[Mend, ...] = ()


@dataclass(frozen=True, slots=True)
class DataCheck:
    """All findings on a data set."""

    source: str
    rows: Mapping[str, int]
    """Rows of each split."""
    findings: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = ()
    """Notes on checks made in a part of the rows only, or not at all, and why."""

    def record(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> DataCheck:
        """Return the check that :meth:`record` wrote."""
        findings = tuple(map(_finding, record["findings"]))
        return cls(record["source"], record["rows"], findings, tuple(record["limits"]))


def _finding(record: Mapping[str, Any]) -> Finding:
    rows = tuple(
        FoundRow(**{**row, "pictures": tuple(read_pictures(row.get("pictures")))})
        for row in record["rows"]
    )
    mends = tuple(
        Mend(**{**mend, **{name: tuple(mend[name]) for name in ("columns", "rows", "marked")}})
        for mend in record["mends"]
    )
    return Finding(**{**record, "rows": rows, "mends": mends})
