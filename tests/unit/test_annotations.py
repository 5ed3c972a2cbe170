"""Tags, notes and pins: stored beside the run, sanitized, never a reason to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RunError
from engine.runs.annotations import (
    LONGEST_NOTE,
    LONGEST_TAG,
    MOST_TAGS,
    NOTHING_NOTED,
    Annotations,
    read_annotations,
    retagged,
    to_tags,
    write_annotations,
)
from engine.runs.directory import RunDirectory


def test_what_was_noted_is_read_back(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    notes = Annotations(("good", "[red]"), "a note", pinned=True)
    write_annotations(run, notes)
    assert read_annotations(run) == notes
    write_annotations(run, NOTHING_NOTED)
    assert not run.annotations.exists()
    assert read_annotations(run) == NOTHING_NOTED


@pytest.mark.parametrize("content", ["", "[]", "{", '{"tags": 5}', '{"note": null}', "\x00\xff"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    run = RunDirectory(tmp_path)
    run.annotations.write_text(content)
    assert read_annotations(run) == NOTHING_NOTED


def test_what_somebody_wrote_into_the_file_is_made_harmless(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.annotations.write_text('{"tags": ["a\\u001b[2Jb", "c d"], "note": "x\\u001b]0;y"}')
    notes = read_annotations(run)
    assert "\x1b" not in "".join(notes.tags) + notes.note
    assert notes.tags[1:] == ("c", "d")


def test_tags_are_words_and_not_too_many() -> None:
    assert to_tags(["a, b a", "c"]) == ("a", "b", "c")
    assert len(to_tags(map(str, range(100)))) == MOST_TAGS
    assert len(to_tags(["x" * 100])[0]) == LONGEST_TAG
    assert LONGEST_NOTE > LONGEST_TAG


def test_tags_are_added_and_taken_away() -> None:
    assert retagged(("a", "b"), "c -a") == ("b", "c")


def test_a_run_that_is_gone_cannot_be_noted(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        write_annotations(RunDirectory(tmp_path / "gone"), Annotations(("a",)))
