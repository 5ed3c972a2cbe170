"""The findings of a check of data in words, for screens and for the command line."""

from __future__ import annotations

from collections.abc import Iterator

from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.findings import DataCheck, Finding, Mend

_FEW = 6
"""Names of rows that are written out in a command."""


def headline(check: DataCheck) -> str:
    """Return the data, its rows, and the number of findings."""
    rows = ", ".join(f"{split} {count:,}" for split, count in check.rows.items())
    return f"{check.source}: {rows}; {counted(len(check.findings), 'finding')}"


def subject(finding: Finding) -> str:
    """Return the kind of a finding with its column and the number of its rows."""
    column = f" in {finding.column}" if finding.column else ""
    rows = f" ({counted(finding.count, 'row')})" if finding.count is not None else ""
    return f"{finding.kind}{column}{rows}"


def row_lines(finding: Finding, most: int = 100) -> Iterator[str]:
    """Yield the first rows, each with its name, and the number of those that are not shown."""
    shown = finding.rows[:most]
    for row in shown:
        origin = row.name.rpartition(":")[0] or row.split
        now = f" (now {row.split})" if not origin.startswith(row.split) else ""
        yield f"{origin}{now}  {row.text}"
        if row.remark:
            yield f"  {row.remark}"
    rest = (finding.count or 0) - len(shown)
    if rest > 0:
        yield f"and {counted(rest, 'more row', 'more rows')}"


def assignments(mend: Mend, known: tuple[str, ...] = (), marked: tuple[str, ...] = ()) -> list[str]:
    """Return a change as ``field=value`` texts.

    ``known`` rows are left out already, and others are ``marked``.
    """
    columns = [f"data.columns.{plain(name, 100)}=ignored" for name in mend.columns]
    rows = list(dict.fromkeys([*known, *mend.rows])) if mend.rows else []
    named = [f"data.drop_rows={','.join(rows)}"] if rows else []
    if mend.marked:
        named.append(f"data.mark_rows={','.join(dict.fromkeys([*marked, *mend.marked]))}")
    duplicates = [f"data.duplicates={mend.duplicates}"] if mend.duplicates else []
    return [*columns, *duplicates, *named]


def shortened(assignment: str) -> str:
    """Return an assignment with few of its rows."""
    parts = assignment.split(",")
    if len(parts) <= _FEW:
        return assignment
    return f"{','.join(parts[:_FEW])},… ({len(parts):,} in all; --json has them)"
