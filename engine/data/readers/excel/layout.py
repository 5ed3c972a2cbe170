"""The table of a sheet: where its header is, and what stands above and below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.data.readers.excel.sheet import Cell, Merged, Sheet

Row = Mapping[int, Cell]

_MOSTLY = 0.6
"""Share of the columns that have a name."""
_FEW = 0.5
"""Share of the columns that lines above a header have at most."""
_MOST_ABOVE = 50
_MOST_BELOW = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows of a sheet by their use; numbers of rows and columns are those of the sheet."""

    columns: Sequence[int]
    above: Sequence[Row]
    header: Sequence[Row]
    """The rows of names; empty where there may be none."""
    body: Mapping[int, Row]
    below: Sequence[Row]
    filled: int
    """Cells of the body that have their value from a merged cell."""

    @property
    def names(self) -> list[str]:
        """Names of the columns, of several rows joined."""
        return [self._name(column) for column in self.columns]

    def _name(self, column: int) -> str:
        parts = [" ".join(row[column].text.split()) for row in self.header if column in row]
        return " ".join(part for part in dict.fromkeys(parts) if part)

    def with_header(self) -> Layout:
        """Return the same with the first row of the body as the header."""
        first, *others = self.body
        body = {number: self.body[number] for number in others}
        return replace(self, header=[self.body[first]], body=body)

    @property
    def empty(self) -> int:
        """Rows without a value within the body."""
        numbers = list(self.body)
        return numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0


def lay_out(sheet: Sheet, header: str) -> Layout:
    """Return the rows of a sheet by their use; ``header`` is ``auto``, ``yes`` or ``no``."""
    within = [merged for merged in sheet.merged if not _alone(sheet, merged)]
    rows = {number: dict(sheet.rows[number]) for number in sorted(sheet.rows)}
    copies = _expand(rows, within)
    columns = sorted({column for row in rows.values() for column in row})
    numbers = list(rows)
    begin = 0 if header == "no" else _begin(rows, columns)
    merged_top = [merged for merged in within if merged.top == numbers[begin]]
    depth = 0 if header == "no" else _depth(rows, numbers[begin], merged_top)
    if depth == 1 and not begin and header == "auto":
        depth = 0  # the first row may be one of values
    end = _end(rows, numbers, columns)
    body = {number: rows[number] for number in numbers[begin + depth : end]}
    return Layout(
        columns,
        [rows[number] for number in numbers[:begin]],
        [rows[number] for number in numbers[begin : begin + depth]],
        body,
        [rows[number] for number in numbers[end:]],
        sum(row in body for row, _ in copies),
    )


def _alone(sheet: Sheet, merged: Merged) -> bool:
    """Return whether a merged cell has its rows for itself, as a title has."""
    columns = range(merged.left, merged.right + 1)
    own = (sheet.rows.get(number, {}) for number in range(merged.top, merged.bottom + 1))
    return all(column in columns for row in own for column in row)


def _expand(rows: dict[int, dict[int, Cell]], within: Sequence[Merged]) -> list[tuple[int, int]]:
    """Give each cell of merged ones their value; returns the rows and columns of these cells."""
    copies = []
    for merged in within:
        cell = rows.get(merged.top, {}).get(merged.left)
        if cell is None:
            continue
        for number in range(merged.top, merged.bottom + 1):
            for column in range(merged.left, merged.right + 1):
                if number in rows and column not in rows[number]:
                    rows[number][column] = cell
                    copies.append((number, column))
    return copies


def _begin(rows: Mapping[int, Row], columns: Sequence[int]) -> int:
    """Return the place of the header among the rows: below lines of few cells, if at all."""
    numbers = list(rows)
    for place, number in enumerate(numbers[: _MOST_ABOVE + 1]):
        given = len(rows[number])
        if given >= max(2, _MOSTLY * len(columns)):
            above = [rows[above] for above in numbers[:place]]
            apart = place and number - numbers[place - 1] > 1
            first = all(columns[0] in row for row in above)
            return place if apart or first else 0
        if given > _FEW * len(columns):
            return 0
    return 0


def _depth(rows: Mapping[int, Row], top: int, merged: Sequence[Merged]) -> int:
    """Return the number of header rows, which merged names show."""
    depth = max((one.bottom - top + 1 for one in merged), default=1)
    wide = [one for one in merged if one.right > one.left and one.bottom < top + depth]
    if not wide or depth > 1:
        return depth
    below = rows.get(top + 1, {})
    cells = [below.get(column) for one in wide for column in range(one.left, one.right + 1)]
    named = all(cell is not None and cell.kind == "text" for cell in cells)
    return depth + named


def _end(rows: Mapping[int, Row], numbers: Sequence[int], columns: Sequence[int]) -> int:
    """Return the place behind the body: before single texts below an empty row."""
    if len(columns) < 2:
        return len(numbers)
    for place in range(len(numbers) - 1, max(0, len(numbers) - 1 - _MOST_BELOW), -1):
        row = rows[numbers[place]]
        if len(row) > 1 or next(iter(row.values())).kind != "text":
            break
        if numbers[place] - numbers[place - 1] > 1:
            return place
    return len(numbers)
