"""Files and folders as they are found by a part of their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.widgets.form import path_list
from tui.widgets.form.path_list import FoundPath, PathFinder, count_of, facts_of

OFFICE = "Office document"
OPEN_DOCUMENT = Path(__file__).with_name("data") / "shops.ods"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a few files."""
    for name in ("data/2024/sales.csv", "data/photos/cat.png", "notes.txt", ".hidden/sales.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(typed: str) -> list[str]:
    return [path.text for path in PathFinder().find(typed).paths]


def test_without_letters_the_entries_of_the_folder_are_listed_folders_first(folder) -> None:
    assert texts("") == ["data/", "notes.txt"]
    assert texts("data/") == ["data/", "data/2024/", "data/photos/"]


def test_letters_are_searched_in_folders_of_folders_but_not_in_hidden_ones(folder) -> None:
    assert texts("sal") == ["data/2024/sales.csv"]
    assert texts("dsal") == ["data/2024/sales.csv"]
    assert ".hidden/sales.csv" in texts(".hid")


@pytest.mark.parametrize("typed", ["data", "data/2024/sales.csv", "./notes.txt"])
def test_a_path_that_exists_is_the_first(typed, folder) -> None:
    found = PathFinder().find(typed)
    assert found.exact
    assert found.paths[0].text.rstrip("/") == typed
    assert [path.text for path in found.paths].count(found.paths[0].text) == 1


@pytest.mark.parametrize("typed", ["nowhere/", "a\0b", "~nobody-of-this-name/", "notes.txt/"])
def test_what_does_not_exist_has_nothing(typed, folder) -> None:
    assert not texts(typed)


def test_names_with_control_characters_are_left_out_and_counted(folder) -> None:
    (folder / "a\x1b]2;x").touch()
    found = PathFinder().find("")
    assert [path.text for path in found.paths] == ["data/", "notes.txt"]
    assert found.left_out == ["1 with control characters in their names are left out"]


def test_what_was_not_searched_is_said(folder, monkeypatch) -> None:
    monkeypatch.setattr(path_list, "_LOOKED_AT", 3)
    assert PathFinder().find("sal").left_out == ["only the first 3 files were searched"]
    monkeypatch.setattr(path_list, "_MOST", 1)
    assert "1 more match; type more" in PathFinder().find("data/").left_out


def test_folders_that_link_to_themselves_are_searched_once(folder) -> None:
    (folder / "data" / "loop").symlink_to(folder)
    assert texts("sales") == ["data/2024/sales.csv"]


def test_facts_are_size_and_first_line(folder) -> None:
    facts = facts_of(FoundPath("data/2024/sales.csv"))
    assert (facts.size, facts.line) == ("8 B", "a,b")
    (folder / "rows.parquet").write_bytes(b"PAR1\0\0")
    assert facts_of(FoundPath("rows.parquet")).line == "Parquet"
    for name, head, line in (
        ("rows.db", b"SQLite format 3\0", "SQLite database"),
        ("rows.xlsx", b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", OFFICE),
        ("rows.ods", OPEN_DOCUMENT.read_bytes(), OFFICE),
        ("rows.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OFFICE),
        ("rows.zip", b"PK\x03\x04" + bytes(26) + b"rows.csv", "ZIP archive"),
    ):
        Path(name).write_bytes(head + bytes(100))
        assert facts_of(FoundPath(name)).line == line
    (folder / "weights").write_bytes(b"\0\1")
    assert facts_of(FoundPath("weights")).line == "binary"
    assert facts_of(FoundPath("data/")).line == "2 folders"


def test_the_first_line_of_a_file_in_latin_1_is_shown_in_its_letters(folder) -> None:
    (folder / "old.csv").write_bytes("Straße;Größe\n1;2\n".encode("latin-1"))
    assert facts_of(FoundPath("old.csv")).line == "Straße;Größe"
    (folder / "new.csv").write_bytes("Straße;Größe\n1;2\n".encode())
    assert facts_of(FoundPath("new.csv")).line == "Straße;Größe"


def test_facts_of_what_cannot_be_read_say_so_and_wait_for_nothing(folder) -> None:
    os.mkfifo(folder / "pipe")
    assert facts_of(FoundPath("pipe")).line == "not a regular file"
    assert "No such file" in facts_of(FoundPath("gone.csv")).line


def test_files_of_a_pattern_are_counted(folder) -> None:
    assert count_of("data/*/*.csv") == 1
    assert count_of("*.parquet") == 0
