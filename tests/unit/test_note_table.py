"""Conversions, omissions and doubts of the data in one table, for new and old runs."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from engine.reports.counted import counted
from engine.reports.note import Note
from engine.reports.note_table import FEW, cells, left_over, notes_in, sentence, tally
from engine.runs.events import Data
from engine.runs.history import History
from tui.cli.reporters import MovingLine, PlainLines
from tui.format.note_lines import note_lines

CONVERTED = Note(
    "numbers are written like 1,234.5", "price", "numbers", 1340, "data.header=yes", "converted"
)
DOUBT = Note("the other order fits as well", "day", "dates", 7)
COLUMN = Note("always the same", "same", rows=7, kind="dropped")
LOST = Note("no row of test can be used", "test", rows=3, kind="lost")


def summary(*notes: Note) -> dict[str, object]:
    skip = {"reason": "label is empty", "count": 1, "example": "train row 2"}
    return {"source": "a", "rows": {"train": 9}, "notes": list(map(asdict, notes)), "skips": [skip]}


def test_lost_splits_come_first_and_conversions_last() -> None:
    found = notes_in(summary(CONVERTED, COLUMN, DOUBT, LOST))
    assert [note.why for note in found] == [
        LOST.why, "label is empty (the first: train row 2)", DOUBT.why, COLUMN.why, CONVERTED.why,
    ]  # fmt: skip
    assert tally(found) == "3 omissions, 1 doubt, 1 conversion"


def test_the_cells_of_a_note_say_what_was_made_of_how_many_rows() -> None:
    assert cells(CONVERTED) == (
        "price", "numbers", "numbers are written like 1,234.5", "1,340", "data.header=yes",
    )  # fmt: skip
    assert cells(COLUMN)[1] == "left out"
    assert sentence(DOUBT) == "day: the other order fits as well"


def test_sentences_of_an_old_run_are_doubts_beside_its_rows_left_out() -> None:
    old = summary() | {"notes": ["a.csv has no header; columns are numbered"]}
    assert [(note.kind, note.rows) for note in notes_in(old)] == [("dropped", 1), ("doubt", None)]
    assert notes_in(None) == []


@pytest.mark.parametrize("damaged", [None, 3, {"why": ["x"], "rows": "many", "kind": "x"}, ["a"]])
def test_a_damaged_note_is_shown_and_raises_nothing(damaged: object) -> None:
    [note] = notes_in({"notes": [damaged]})
    assert list(note_lines([note], 80))


def test_control_characters_of_a_note_are_made_visible() -> None:
    [note] = notes_in({"notes": [asdict(Note("x\x1b[2J", "\x07"))]})
    assert (note.why, note.column) == ("x␛[2J", "␇")


def test_sentences_alone_have_no_heading() -> None:
    assert [line.text for line in note_lines([Note("a sentence")], 80)] == ["a sentence"]
    assert len(list(note_lines([Note("a sentence", "day")], 80))) == 2


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_keeps_to_its_width_and_drops_no_word(width: int) -> None:
    long = Note(
        " ".join(f"word{i}" for i in range(30)), "a column of a long name", "dates", 12, "task.tags"
    )
    lines = [line.text for line in note_lines([long, CONVERTED], width)]
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert all(f"word{i}" in words for i in range(30))
    assert "1,340" in words
    assert "task.tags" in " ".join(words)


def test_a_column_without_content_takes_no_room() -> None:
    assert "rows" not in next(note_lines([Note("x", "y")], 80)).text


def test_of_many_notes_the_command_line_shows_the_most_serious(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = [Note(f"doubt {i}") for i in range(FEW + 3)]
    event = Data(summary={"source": "a", "rows": {"train": 9}, "notes": [*map(asdict, many)]})
    for reporter in (PlainLines("loss", "my-run"), MovingLine("a", "loss", "my-run")):
        reporter.event(event, History())
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "data: a, rows: 9 train"
        assert [line.strip() for line in lines[1:]] == [
            *(f"doubt {i}" for i in range(FEW)), "and 3 more: dltui show my-run",
        ]  # fmt: skip
    assert list(left_over(many[:FEW], "x")) == []


def test_numbers_stand_with_the_right_form_of_their_noun() -> None:
    told = [counted(0, "row"), counted(1, "row"), counted(1234, "row"), counted(2, "x", "y")]
    assert told == ["0 rows", "1 row", "1,234 rows", "2 y"]


def test_a_setting_that_is_longer_than_its_column_is_cut_before_its_value() -> None:
    change = "data.columns.discount=categorical"
    note = Note("the unit % is left out", "discount", "numbers", 630, change)
    lines = [line.text.split() for line in note_lines([note], 60)]
    assert ["[data.columns.discount="] in lines
    assert ["categorical]"] in lines
