"""Columns beside the answers: their position, and whether a question has one at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.readers.squad import ANSWERS, truth_of
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.answers.answers import Answer, given_answers
from engine.text.columns import by_name
from engine.text.rows import without_faults

_STARTS = (
    "answer_start", "answer_starts", "answer_start_char", "start_char", "char_start", "start_index",
    "start",
)  # fmt: skip
_IMPOSSIBLE = ("is_impossible", "impossible", "is_unanswerable", "unanswerable")


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """The columns that together say what a question's answers are."""

    answers: str
    start: str | None
    impossible: str | None

    @property
    def roles(self) -> dict[str, str]:
        """The columns beside the answers, and what each is used for."""
        roles = {self.start: "position", self.impossible: "impossible"}
        return {name: role for name, role in roles.items() if name is not None}

    def faults(self, table: pa.Table) -> list[str | None]:
        """Return for each row what is wrong with its mark of an impossible question."""
        if self.impossible not in table.column_names:
            return [None] * table.num_rows
        reason = f"{plain(self.impossible, 40)} is neither true nor false"
        marks = table[self.impossible].to_pylist()
        return [reason if truth_of(mark) is None else None for mark in marks]

    def joined(self, table: pa.Table) -> pa.Table:
        """Return the table with one column of answers and their positions."""
        rows = [[] if impossible else found for found, impossible in self._rows(table)]
        cells = [
            {"text": [text for text, _ in row], "answer_start": [start for _, start in row]}
            for row in rows
        ]
        place = table.column_names.index(self.answers)
        return table.set_column(place, self.answers, pa.array(cells, ANSWERS))

    def contradictions(self, table: pa.Table) -> tuple[int, int]:
        """Return how many questions are impossible with answers, and possible without one."""
        rows = self._rows(table) if self.impossible in table.column_names else []
        return (
            sum(bool(found) and impossible for found, impossible in rows),
            sum(not found and not impossible for found, impossible in rows),
        )

    def _rows(self, table: pa.Table) -> list[tuple[list[Answer], bool]]:
        """Return the answers of each row as they are given, and whether it is impossible."""
        values = table[self.answers].to_pylist()
        if self.start in table.column_names:
            starts = table[self.start].to_pylist()
            values = [
                {"text": value, "answer_start": start}
                for value, start in zip(values, starts, strict=True)
            ]
        marks = [False] * len(values)
        if self.impossible in table.column_names:
            marks = [truth_of(mark) is True for mark in table[self.impossible].to_pylist()]
        return [(given_answers(value), mark) for value, mark in zip(values, marks, strict=True)]


def answer_columns(table: pa.Table, answers: str, start: str) -> AnswerColumns:
    """Return the columns beside ``answers``: that with positions as chosen, else by their names."""
    return AnswerColumns(answers, start or by_name(table, _STARTS), by_name(table, _IMPOSSIBLE))


def joined_answers(raw: RawData, answers: str, start: str) -> RawData:
    """Return the data with positions and marks of impossible questions in the column ``answers``.

    ``start`` is the column with positions that the user chose, or empty.
    """
    columns = answer_columns(raw.train, answers, start)
    if not start and _has_positions(raw.train.schema.field(answers).type):
        columns = replace(columns, start=None)
    if columns.start is None and columns.impossible is None:
        return raw
    raw = without_faults(raw, columns.faults)
    splits = {
        split: columns.joined(table) if answers in table.column_names else table
        for split, table in raw.splits.items()
    }
    return raw.with_splits(splits, *_notes(raw, columns))


def _notes(raw: RawData, columns: AnswerColumns) -> list[Note]:
    tables = [table for table in raw.splits.values() if columns.answers in table.column_names]
    counts = [columns.contradictions(table) for table in tables]
    with_answers, without = (sum(count[side] for count in counts) for side in (0, 1))
    start, mark = plain(columns.start, 40), plain(columns.impossible, 40)
    notes: list[Note] = []
    if columns.start is not None:
        notes.append(
            Note(
                f"the positions of the answers are taken from the column {start}",
                column=start,
                read_as="positions",
                change="task.answer_start",
                kind="converted",
            )
        )
    if with_answers:
        notes.append(
            Note(
                f"{counted(with_answers, 'question')} with answers that are not used, as {mark} is "
                "true",
                column=mark,
                read_as="no answer",
                rows=with_answers,
            )
        )
    if without:
        notes.append(
            Note(
                f"{counted(without, 'question')} without an answer, though {mark} is false",
                column=mark,
                rows=without,
            )
        )
    return notes


def _has_positions(kind: pa.DataType) -> bool:
    """Return whether answers of this type can hold their positions themselves."""
    item = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    return bool(pa.types.is_struct(item))
