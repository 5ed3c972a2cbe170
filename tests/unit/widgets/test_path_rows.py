"""The rows of the file picker: their order, what they name and what is underlined."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tui.widgets.form.path_list import Found, FoundPath
from tui.widgets.form.path_rows import PathRows, PickRow, notes

OPTIONS = {"digits": "1,797 images", "iris": "150 flowers"}


def rows(
    typed: str,
    *paths: FoundPath,
    exact: bool = False,
    count: int | None = None,
    options: Mapping[str, str] | None = None,
    room: int = 40,
    clears: bool = False,
    new: bool = False,
) -> list[PickRow]:
    found = Found(paths, exact)
    return list(PathRows(typed, found, count, options or {}, room, clears, new))


def values(found: list[PickRow]) -> list[str]:
    return [row.value for row in found]


def underlined(row: PickRow) -> str:
    """The letters of a row that are shown as those that were typed."""
    return "".join(
        row.name.plain[span.start : span.end]
        for span in sorted(row.name.spans)
        if "underline" in str(span.style)
    )


def vague(text: str) -> FoundPath:
    return FoundPath(text, close=False)


def test_without_anything_typed_there_are_only_offers() -> None:
    offered = rows("", FoundPath("a/"), options=OPTIONS)
    assert values(offered) == ["digits", "iris", "a/"]
    assert [row.about for row in offered] == ["1,797 images", "150 flowers", ""]


def test_a_value_that_can_be_emptied_is_offered_so_first() -> None:
    first, second = rows("", FoundPath("a.csv"), clears=True)
    assert (first.value, first.name.plain) == ("", "leave it empty")
    assert second.value == "a.csv"


def test_once_something_is_typed_it_cannot_be_left_empty() -> None:
    assert values(rows("a", FoundPath("a.csv"), clears=True)) == ["a.csv", "a"]


def test_what_is_typed_comes_last_if_it_is_no_name_of_a_file() -> None:
    found = rows("dat", FoundPath("data/"), vague("d_a_t.csv"))
    assert values(found) == ["data/", "d_a_t.csv", "dat"]
    assert found[-1].about == "as it is typed; no file here has this name"


def test_a_name_with_a_dot_comes_before_vague_matches() -> None:
    assert values(rows("d.csv", FoundPath("ad.csv"), vague("d_.csv"))) == [
        "ad.csv", "d.csv", "d_.csv",
    ]  # fmt: skip


def test_a_dot_in_a_folder_does_not_make_a_whole_name() -> None:
    assert values(rows("a.b/c", vague("a.b/xcx"))) == ["a.b/xcx", "a.b/c"]


def test_beside_names_of_data_sets_any_text_may_be_one() -> None:
    """The hub has more names than are offered; close matches still come first."""
    found = rows("is", FoundPath("iso/"), vague("i_s"), options=OPTIONS)
    assert values(found) == ["iris", "iso/", "is", "digits", "i_s"]


def test_an_offered_value_that_is_typed_is_not_repeated() -> None:
    assert values(rows("iris", options=OPTIONS)) == ["iris"]


def test_a_path_that_exists_is_first_and_not_repeated() -> None:
    found = rows("data", FoundPath("data"), FoundPath("data2/"), exact=True, options=OPTIONS)
    assert values(found) == ["data", "data2/"]


@pytest.mark.parametrize(
    ("count", "about"),
    [
        (0, "a pattern for 0 files"),
        (1, "a pattern for 1 file"),
        (12345, "a pattern for 12,345 files"),
    ],
)
def test_a_pattern_comes_first_with_the_number_of_its_files(count: int, about: str) -> None:
    found = rows("*.csv", FoundPath("a.csv"), count=count)
    assert values(found) == ["*.csv", "a.csv"]
    assert (found[0].name.plain, found[0].about) == ("use *.csv", about)


def test_the_name_of_a_new_file_comes_first() -> None:
    first, *_ = rows("out", FoundPath("out.csv"), new=True)
    assert (first.value, first.about) == ("out", "a new file or folder")


def test_a_new_file_that_exists_is_shown_as_it_is_on_disk() -> None:
    found = rows("out.csv", FoundPath("out.csv"), exact=True, new=True)
    assert values(found) == ["out.csv"]


def test_only_the_part_behind_the_typed_folder_is_shown() -> None:
    path = FoundPath("data/big/iris.csv", places=(9, 10))
    [row, _] = rows("data/big/ir", path)
    assert row.name.plain == "iris.csv"
    assert row.value == "data/big/iris.csv"
    assert underlined(row) == "ir"


def test_the_typed_folder_itself_is_named_so() -> None:
    [row] = rows("data/", FoundPath("data/"), exact=True)
    assert (row.value, row.name.plain, row.folder) == ("data/", "this folder", True)


@pytest.mark.parametrize(
    ("room", "shown", "marked"),
    [
        (8, "iris.csv", "iv"),
        (7, "…is.csv", "iv"),
        (5, "….csv", "v"),
        (2, "…v", "v"),
        (1, "…", ""),
    ],
)
def test_a_long_name_is_cut_at_its_beginning(room: int, shown: str, marked: str) -> None:
    """The letters that were typed stay marked where they are still shown."""
    path = FoundPath("iris.csv", places=(2, 7))
    [row, _] = rows("iv", path, room=room)
    assert row.name.plain == shown
    assert len(row.name.plain) == room
    assert underlined(row) == marked


def test_markup_and_escape_sequences_in_names_are_shown() -> None:
    row = rows("", FoundPath("[red]\x1b[31m"))[0]
    assert row.name.plain == "[red]␛[31m"
    assert rows("[b]x")[0].name.plain == "use [b]x"


@pytest.mark.parametrize(("text", "folder"), [("a/", True), ("a", False)])
def test_a_folder_ends_with_a_slash(text: str, folder: bool) -> None:
    assert rows("", FoundPath(text))[0].folder is folder


def test_what_is_not_on_the_disk_is_no_folder() -> None:
    assert not any(row.folder for row in rows("x/", options={"x/y": ""}))


def test_letters_of_an_offered_value_are_marked() -> None:
    row = rows("iri", options=OPTIONS)[0]
    assert (row.name.plain, underlined(row)) == ("iris", "iri")


def test_an_empty_option_is_not_offered() -> None:
    assert values(rows("", options={"": "nothing", **OPTIONS})) == ["digits", "iris"]


def test_notes_say_what_was_not_searched() -> None:
    left_out = ["3 names have control characters"]
    assert list(notes("a/", Found((), left_out=left_out))) == [
        "this folder is missing or cannot be read", *left_out,
    ]  # fmt: skip
    assert list(notes("a", Found((), left_out=left_out))) == left_out
    assert list(notes("a/", Found((FoundPath("a/"),), exact=True))) == []
