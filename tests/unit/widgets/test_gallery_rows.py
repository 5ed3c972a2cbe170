"""The list of a gallery's cases: columns, sort order and filter."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.reports.gallery import GalleryList
from engine.reports.views import Cell
from tui.widgets.columns import Column
from tui.widgets.gallery_rows import GalleryRows, case_cells

SERIES: Sequence[Sequence[Cell]] = [
    ["Zürich", "temperature", 2.5, 0.25],
    ["bern", "Rain", 1.5, None],
    ["Basel", "temperature", None, 0.5],
    ["Aarau", "wind", 1.5, 100000],
]
"""Two names and two errors of four cases, as a file has them: the worst first."""


def gallery(
    rows: Sequence[Sequence[Cell]] = SERIES,
    columns: Sequence[str] = ("city", "target", "mase", "rmse"),
    total: int | None = None,
) -> GalleryRows:
    places = [100 * number for number in range(len(rows))]
    total = len(rows) if total is None else total
    return GalleryRows(GalleryList("Forecasts", columns, rows, places, total))


def cities(rows: GalleryRows, filter_text: str = "") -> list[Cell]:
    return [row.cells[0] for row in rows.matching(filter_text)]


def test_cases_are_in_the_order_of_the_file_at_first() -> None:
    assert cities(gallery()) == ["Zürich", "bern", "Basel", "Aarau"]
    assert [row.place for row in gallery().matching("")] == [0, 100, 200, 300]


def test_a_row_keeps_its_place_in_the_file_however_it_is_sorted() -> None:
    rows = gallery()
    rows.sort_by(0)
    places = {row.cells[0]: row.place for row in rows.matching("")}
    assert places == {"Zürich": 0, "bern": 100, "Basel": 200, "Aarau": 300}


@pytest.mark.parametrize(
    ("column", "once", "twice"),
    [
        (0, ["Aarau", "Basel", "Zürich", "bern"], ["bern", "Zürich", "Basel", "Aarau"]),
        (1, ["bern", "Zürich", "Basel", "Aarau"], ["Aarau", "Zürich", "Basel", "bern"]),
        (2, ["Zürich", "bern", "Aarau", "Basel"], ["bern", "Aarau", "Zürich", "Basel"]),
        (3, ["Aarau", "Basel", "Zürich", "bern"], ["Zürich", "Basel", "Aarau", "bern"]),
    ],
    ids=["names", "names with ties", "errors with ties", "errors"],
)
def test_names_rise_and_errors_fall_until_reversed(
    column: int, once: list[str], twice: list[str]
) -> None:
    """Ties stay in the order of the file; what has no value is last either way."""
    rows = gallery()
    rows.sort_by(column)
    assert (cities(rows), rows.order) == (once, (column, column > 1))
    rows.sort_by(column)
    assert (cities(rows), rows.order) == (twice, (column, column < 2))


def test_the_first_error_is_marked_until_cases_are_sorted() -> None:
    assert gallery().order == (2, True)


def test_to_reverse_the_order_of_the_file_is_to_show_the_smallest_error_first() -> None:
    rows = gallery()
    rows.reverse()
    assert rows.order == (2, False)
    assert cities(rows) == ["bern", "Aarau", "Zürich", "Basel"]


def test_the_columns_are_gone_through_in_turn() -> None:
    rows, orders = gallery(), []
    for _ in range(5):
        rows.sort_by_next()
        orders.append(rows.order)
    assert orders == [(3, True), (0, False), (1, False), (2, True), (3, True)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["Zürich", "bern", "Basel", "Aarau"]),
        ("   ", ["Zürich", "bern", "Basel", "Aarau"]),
        ("TEMP", ["Zürich", "Basel"]),
        ("temp BASEL", ["Basel"]),
        ("zür", ["Zürich"]),
        ("wind basel", []),
        ("2.5", []),
        (".*", []),
    ],
)
def test_all_words_of_a_filter_are_in_the_names(text: str, found: list[str]) -> None:
    assert cities(gallery(), text) == found


def test_what_is_filtered_is_sorted() -> None:
    rows = gallery()
    rows.sort_by(3)
    assert cities(rows, "temp") == ["Basel", "Zürich"]


@pytest.mark.parametrize(
    ("shown", "filtered", "total", "heading"),
    [
        (4, False, 4, "4 forecasts, worst first"),
        (2, True, 4, "2 of 4 forecasts, worst first"),
        (0, True, 4, "0 of 4 forecasts, worst first"),
        (4, False, 12345, "4 forecasts, the worst of 12,345"),
        (1, True, 12345, "1 of 4 forecasts, the worst of 12,345"),
    ],
)
def test_the_heading_counts_cases(shown: int, filtered: bool, total: int, heading: str) -> None:
    assert gallery(total=total).heading(shown, filtered).plain == heading


def test_a_heading_of_sorted_cases_does_not_say_that_the_worst_are_first() -> None:
    rows = gallery()
    rows.sort_by(0)
    assert rows.heading(4, False).plain == "4 forecasts"
    assert gallery(total=9).heading(4, False).plain == "4 forecasts, the worst of 9"


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    """A column has one cell more: that of a name may shrink to 10, one of errors has 7 to 12."""
    assert gallery().columns == [
        Column("city", 7, 7),
        Column("target", 10, 12),
        Column("mase", 7, 7, right=True),
        Column("rmse", 7, 7, right=True),
    ]


def test_a_small_error_is_shown_whole() -> None:
    rows = gallery([["2024-05-14 10:00", -1.2345e-5]], ["after", "bias"])
    assert rows.columns == [Column("after", 10, 17), Column("bias", 10, 10, right=True)]
    assert rows.width == 31


def test_a_long_name_has_a_hundred_cells_at_most() -> None:
    [first, _] = gallery([["x" * 100, 1.0]], ["series", "mae"]).columns
    assert first == Column("series", 10, 100)


def test_a_title_from_the_data_is_sanitized() -> None:
    [first, _] = gallery([["a", 1.0]], ["\x1b[2Jid\n", "mae"]).columns
    assert first.title == "␛[2Jid "


def test_cells_show_names_as_they_are_and_four_digits_of_numbers() -> None:
    [row] = gallery([["[bold]x[/]", "\x07", 0.123456, None]]).matching("")
    assert [cell.plain for cell in case_cells(row)] == ["[bold]x[/]", "␇", "0.1235", "–"]


def test_whole_numbers_are_errors_too() -> None:
    rows = gallery([["a", 3], ["b", 12], ["c", None]], ["text", "tokens"])
    rows.sort_by(1)
    assert cities(rows) == ["b", "a", "c"]
    assert [cell.plain for cell in case_cells(rows.matching("")[0])] == ["b", "12"]


def test_a_gallery_without_cases_has_its_columns() -> None:
    rows = gallery([])
    assert [column.title for column in rows.columns] == ["city", "target", "mase", "rmse"]
    rows.sort_by_next()
    rows.reverse()
    assert rows.matching("x") == []
    assert rows.heading(0, False).plain == "0 forecasts"


values = st.none() | st.floats(-1e6, 1e6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=3), values), min_size=1, max_size=8))
def test_sorting_moves_cases_without_losing_any(cells: list[tuple[str, float | None]]) -> None:
    rows = gallery([list(pair) for pair in cells], ["name", "error"])
    rows.sort_by(1)
    found = rows.matching("")
    assert sorted(row.place for row in found) == [100 * i for i in range(len(cells))]
    errors = [row.cells[1] for row in found]
    known = [error for error in errors if isinstance(error, float)]
    assert known == sorted((e for _, e in cells if e is not None), reverse=True)
    assert errors[len(known) :] == [None] * (len(cells) - len(known))


def test_the_worst_first_by_their_size_are_in_the_order_of_no_column() -> None:
    rows: Sequence[Sequence[Cell]] = [
        ["c.jpg", 8.1, 2.8, -5.3],
        ["a.jpg", 11.1, 5.7, -5.2],
        ["b.jpg", 2.0, 4.0, 2.0],
    ]
    errors = gallery(rows, ("image", "true", "predicted", "difference"))
    orders = [errors.order[0], gallery().order[0]]
    errors.sort_by_next()
    assert [*orders, errors.order[0]] == [None, 2, 1]
