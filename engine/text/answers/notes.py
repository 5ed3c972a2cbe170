"""Notes for the user on answers that were searched for, marked impossible, or left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.data.raw import RawData
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.answers.answers import placements_of


@dataclass
class _Tally:
    """The answers that are not where, or what, the data says."""

    moved: list[int] = field(default_factory=list)
    first: str = ""
    guessed: int = 0
    lost: int = 0

    def add(self, value: object, context: str, place: str) -> None:
        for one in placements_of(value, context):
            if one is None:
                self.lost += 1
            elif one.moved:
                self.first = self.first or place
                self.moved.append(one.moved)
            self.guessed += one is not None and one.guessed

    def notes(self) -> Iterable[Note]:
        if self.moved:
            yield Note(
                f"{counted(len(self.moved), 'answer')} not at the given position: the nearest "
                "place in the text is taken, at most "
                f"{counted(max(self.moved), 'character')} away (the first is {self.first})",
                rows=len(self.moved),
            )
        if self.guessed:
            yield Note(
                f"{counted(self.guessed, 'answer')} without a position, several times in the text: "
                "the first place is taken",
                rows=self.guessed,
                change="task.answer_start",
            )
        if self.lost:
            yield Note(
                f"{counted(self.lost, 'answer')} beside others not in the text: left out",
                rows=self.lost,
                kind="dropped",
            )


def placement_notes(raw: RawData, context: str, answers: str) -> list[Note]:
    """Return notes on the answers of all splits whose place in the context was searched for."""
    tally = _Tally()
    for split, table in raw.splits.items():
        if answers not in table.column_names:
            continue
        cells = zip(table[answers].to_pylist(), table[context].to_pylist(), strict=True)
        for row, (value, text) in enumerate(cells, 1):
            tally.add(value, text, f"{split} row {row}")
    return list(tally.notes())
