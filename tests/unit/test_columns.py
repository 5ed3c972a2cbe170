"""Columns are typed by their values, and encoded as numbers for a network."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.config.data.columns import ColumnSetting, parse_setting
from engine.data.dates.spellings import find_table_spelling
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import (
    Transform,
    decode_row,
    encode_category,
    encode_rows,
    fit_features,
)
from engine.data.tables.schema import CategoricalFeature, Column
from engine.data.tables.unfit import unfit_values
from engine.data.tables.values import dates, numbers, texts

ROWS = 40
DAY = date(2024, 2, 28)


def found(values: list[Any], name: str = "c", set_as: str = "") -> Column:
    """The column ``name`` of a table that has another, ordinary one."""
    other = [i % 7 + 0.5 for i in range(len(values))]
    table = pa.table({name: pa.array(values), "other": other})
    settings = {name: parse_setting(set_as)} if set_as else {}
    return detect_columns(table, settings)[0]


def test_row_numbers_of_pandas_are_no_input() -> None:
    assert found([i * 7 % 13 for i in range(ROWS)], "__index_level_0__").reason == "counts the rows"
    assert found(["a", "b"] * 20, "__index_level_0__").type == "categorical"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([i % 5 + 0.5 for i in range(ROWS)], "numeric"),
        ([i * 37 % 100 for i in range(ROWS)], "numeric"),
        ([float("nan"), 1.0, 2.0, float("inf")] * 10, "numeric"),
        ([Decimal(i % 9) for i in range(ROWS)], "numeric"),
        (["1.5", "2", "-3e4", "?"] * 10, "numeric"),
        (["$1,000", "25%", "€ 3.5", "1,234,567.5"] * 10, "numeric"),
        ([time(i % 24) for i in range(ROWS)], "numeric"),
        ([timedelta(hours=i % 24) for i in range(ROWS)], "numeric"),
        (["red", "green", None, "blue"] * 10, "categorical"),
        ([True, False, None, True] * 10, "categorical"),
        (["yes", None] * 20, "categorical"),
        (["01234", "04567", "00011", "02222"] * 10, "categorical"),
        (["007.0", "012.0", "345.0", "678.0"] * 10, "categorical"),
        (["05.5", "10.0", "12.0", "08.0"] * 10, "numeric"),
        ([f"{10000 + i % 30}" for i in range(62)] + ["00501", "00501"], "categorical"),
        ([f"{i % 30 + 5}" for i in range(62)] + ["05", "05"], "numeric"),  # a slip
        ([DAY + timedelta(days=i) for i in range(ROWS)], "date"),
        ([datetime(2024, 1, 1, i % 24) for i in range(ROWS)], "date"),
        ([(DAY + timedelta(days=i)).strftime("%d.%m.%Y") for i in range(ROWS)], "date"),
        ([f"the {i}th text of several words" for i in range(ROWS)], "text"),
        ([f"user-{i}" for i in range(ROWS)], "ignored"),
        ([None] * ROWS, "ignored"),
        ([float("nan")] * ROWS, "ignored"),
        (["", " ", "NA", "?"] * 10, "ignored"),
        ([7] * ROWS, "ignored"),
        (["same"] * ROWS, "ignored"),
        ([[1, 2]] * ROWS, "list"),
        ([{"bytes": b"", "path": "a"}] * ROWS, "image"),
        ([{"x": 1}] * ROWS, "ignored"),
        ([b"raw"] * ROWS, "ignored"),
    ],
)
def test_a_column_is_typed_by_its_values(values: list[Any], expected: str) -> None:
    column = found(values)
    assert column.type == expected
    assert column.usable != bool(column.reason)


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "customerId", "Unnamed: 0", "index"])
def test_different_numbers_of_an_id_are_left_out(name: str) -> None:
    assert found([i * 7919 % 100_003 for i in range(ROWS)], name).type == "ignored"


@pytest.mark.parametrize(
    ("name", "values", "doubted"),
    [
        ("zip", [10115, 20095, 80331] * 9, True),
        ("post_code", [1015, 2009, 8033] * 9, True),
        ("zip", [501, 20095, 80331] * 9, False),
        ("price", [10115, 20095, 80331] * 9, False),
    ],
)
def test_numbers_that_may_be_codes_are_a_doubt(name: str, values: list[int], doubted: bool) -> None:
    column = found(values, name)
    assert column.type == "numeric"
    assert ("codes" in column.doubt) == doubted


def test_a_counter_is_left_out_also_after_rows_were_taken_away() -> None:
    assert found([i for i in range(3 * ROWS) if i % 3]).type == "ignored"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("year", range(1900, 2020)),
        ("season", range(1950, 2010)),
        ("day", range(1, 100)),
        ("week_number", range(90)),
        ("depth", range(200, 320, 2)),
    ],
)
def test_numbers_that_grow_with_the_rows_are_inputs_unless_they_count_rows(
    name: str, values: range
) -> None:
    assert found(list(values), name).type == "numeric"


def test_a_counter_is_the_input_when_there_is_no_other() -> None:
    [column] = detect_columns(pa.table({"x": list(range(100))}))
    assert column.type == "numeric"


def test_a_person_may_overrule_the_type() -> None:
    codes = [i % 5 for i in range(ROWS)]
    assert found(codes, set_as="categorical").type == "categorical"
    assert found(list(range(ROWS)), set_as="numeric").type == "numeric"


def test_values_of_a_column_that_is_left_out_are_counted_too() -> None:
    column = found(["a", "b", None, " ", "?", "a"] * 5, set_as="ignored")
    assert (column.type, column.reason) == ("ignored", "by choice")
    assert (column.missing, column.distinct, column.example) == (15, 2, "a")
    nested = found([{"bytes": b"x", "path": "p"}], set_as="ignored")
    assert (nested.missing, nested.distinct, nested.example) == (0, 0, "")


def test_missing_and_different_values_are_counted() -> None:
    column = found(["a", "b", None, " ", "?", "a"] * 5)
    assert (column.missing, column.distinct, column.example) == (15, 2, "a")


def test_numbers_of_text_keep_their_place() -> None:
    values = numbers(pa.chunked_array([["1,250", "x", None, "-2.5", "7%"]]))
    np.testing.assert_array_equal(values, [1250, np.nan, np.nan, -2.5, 7])


def test_whole_floats_and_integers_are_the_same_category() -> None:
    assert texts(pa.chunked_array([[1.0, None, 2.0]])).to_pylist() == ["1", None, "2"]
    assert texts(pa.chunked_array([pa.array(["a", "b"]).dictionary_encode()])).to_pylist() == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-01-05", "2024-12-31"], "ISO8601"),
        (["2024-01-05 10:00:00", "2024-12-31T11:00"], "ISO8601"),
        (["31/01/2024", "01/02/2024"], "%d/%m/%Y"),
        (["01/31/2024", "01/02/2024"], "%m/%d/%Y"),
        (["05.01.2024 10:30", "06.01.2024 11:00"], "%d.%m.%Y %H:%M"),
        (["3 Jan 2024", "14 Feb 2024"], "%d %b %Y"),
        (["1-2", "3-4"], ""),
        (["1.2.3.4", "10.0.0.1"], ""),
        (["12", "13"], ""),
    ],
)
def test_the_format_of_dates_is_found(values: list[str], expected: str) -> None:
    assert find_table_spelling(values, 0.95) == expected


def test_dates_that_are_none_are_missing() -> None:
    values = dates(pa.chunked_array([["31/01/2024", "never", None]]), "%d/%m/%Y")
    assert values[0] == np.datetime64("2024-01-31", "s")
    assert np.isnat(values[1:]).all()


def test_a_date_with_a_zone_is_the_one_that_its_clocks_showed() -> None:
    # Midnight of 2 January in Berlin is 23:00 of 1 January in UTC.
    moment = datetime(2024, 1, 1, 23, tzinfo=UTC)
    zoned = pa.array([moment, None], pa.timestamp("us", tz="Europe/Berlin"))
    expected = np.array(["2024-01-02T00:00:00", "NaT"], "datetime64[s]")
    np.testing.assert_array_equal(dates(pa.chunked_array([zoned])), expected)
    written = pa.chunked_array([["2024-01-02T00:00:00+01:00", None]])
    np.testing.assert_array_equal(dates(written, "ISO8601"), expected)


def encoded(train: dict[str, list[Any]], rows: dict[str, list[Any]], **options: Any) -> Any:
    table = pa.table(train)
    features = fit_features(table, detect_columns(table), options.get("transform", "standard"))
    return features, *encode_rows(features, pa.table(rows))


def test_numbers_are_standardised_by_the_training_rows() -> None:
    train = {"a": [0.0, 2.0, 4.0, 6.0]}
    _, values, _ = encoded(train, {"a": [3.0, 6.0]})
    np.testing.assert_allclose(values[:, 0], [0, 3 / np.std(train["a"])], rtol=1e-6)


def test_a_missing_number_takes_the_mean_and_is_marked() -> None:
    features, values, _ = encoded({"a": [1.0, None, 3.0, 2.0]}, {"a": [None, 2.0]})
    assert [feature.part for feature in features.numeric] == ["value", "missing"]
    assert values[0, 0] == 0
    assert values[0, 1] > 0 > values[1, 1]


def test_a_value_far_beyond_the_training_rows_is_cut_off() -> None:
    _, values, _ = encoded({"a": [1.0, 2.0, 3.0]}, {"a": [1e30, float("inf"), -1e30]})
    assert np.abs(values).max() == 10


def test_huge_numbers_do_not_overflow() -> None:
    _, values, _ = encoded({"a": [1e300, -1e300, 0.0, 5e299]}, {"a": [1e300]})
    assert np.isfinite(values).all()


def test_ranks_make_a_heavy_tail_normal() -> None:
    generator = np.random.default_rng(0)
    train = np.exp(generator.normal(size=4000) * 3)
    features, values, _ = encoded({"a": list(train)}, {"a": list(train)}, transform="auto")
    assert features.numeric[0].knots
    assert abs(values.mean()) < 0.01
    assert abs((values**3).mean()) < 0.1
    order = np.argsort(train)
    assert (np.diff(values[order, 0]) >= 0).all()


def test_ranks_survive_a_column_that_is_mostly_one_value() -> None:
    train = [0.0] * 990 + [float(i) for i in range(1, 11)]
    _, values, _ = encoded({"a": train}, {"a": [0.0, 5.0, 99.0]}, transform="quantile")
    assert np.isfinite(values).all()
    assert values[0, 0] < values[1, 0] < values[2, 0]


def test_unknown_and_rare_categories_share_a_code_and_missing_has_its_own() -> None:
    train = {"c": ["a", "a", "b", "b", None, None, "once"] * 1, "n": [1.0, 2, 3, 4, 5, 6, 7]}
    features, _, codes = encoded(train, {"c": ["a", "b", None, "once", "new"], "n": [1.0] * 5})
    assert features.categorical[0].cardinality == 4
    assert codes[:, 0].tolist() == [1, 2, 3, 0, 0]


def test_dates_become_trend_and_cycles() -> None:
    days = [datetime(2024, 1, 1) + timedelta(hours=7 * i) for i in range(300)]
    features, values, _ = encoded({"d": days}, {"d": [*days[:2], None]})
    parts = {feature.part for feature in features.numeric}
    assert parts == {"day", "season sine", "season cosine", "weekday sine", "weekday cosine",
                     "clock sine", "clock cosine"}  # fmt: skip
    assert (values[2] == 0).all()


def test_a_row_can_be_read_back() -> None:
    train = {
        "n": [1.5, 2.5, None, 4.0], "c": ["x", "x", "y", "y"],
        "d": [date(2024, 1, 1), date(2024, 5, 1), date(2024, 9, 1), date(2024, 12, 1)],
    }  # fmt: skip
    features, values, codes = encoded(train, train)
    shown = [
        decode_row(features, v, c) for v, c in zip(values.tolist(), codes.tolist(), strict=True)
    ]
    assert shown[0] == {"n": "1.5", "c": "x", "d": "2024-01-01"}
    assert shown[2] == {"n": "missing", "c": "y", "d": "2024-09-01"}


@pytest.mark.parametrize("transform", ["standard", "quantile"])
def test_a_number_is_read_back_without_digits_that_it_never_had(transform: Transform) -> None:
    rng = np.random.default_rng(0)
    numbers = np.round(rng.lognormal(8, 2, 5000)) * rng.choice([-1, 0, 1], 5000)
    table = pa.table({"n": numbers, "small": np.round(rng.normal(size=5000), 2), "y": numbers % 3})
    features = fit_features(table, detect_columns(table), transform)
    values, codes = encode_rows(features, table)
    for row in range(200):
        shown = decode_row(features, values[row].tolist(), codes[row].tolist())
        expected = {name: f"{table[name][row].as_py() + 0.0:.6g}" for name in table.column_names}
        assert shown == expected


def test_other_types_of_the_same_values_encode_alike() -> None:
    train = {"n": [1, 2, 3, 4], "c": ["1", "2", "1", "2"]}
    table = pa.table(train)
    features = fit_features(
        table, detect_columns(table, {"c": ColumnSetting("categorical")}), "standard"
    )
    as_text = pa.table({"n": ["1", "2", "3", "4"], "c": [1, 2, 1, 2]})
    for one, other in zip(
        encode_rows(features, table), encode_rows(features, as_text), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.string()])
def test_times_of_day_are_the_same_number_of_their_type_and_as_text(kind: pa.DataType) -> None:
    clocks = [time(i % 24, i % 60, i % 7) for i in range(100)]
    texts = pa.array([clock.isoformat() for clock in clocks])
    table = pa.table({"t": texts if pa.types.is_string(kind) else pa.array(clocks, kind)})
    features = fit_features(table, detect_columns(table), "standard")
    seconds = np.array([c.hour * 3600 + c.minute * 60 + c.second for c in clocks], np.float64)
    standard = (seconds - seconds.mean()) / seconds.std()
    for later in (
        table,
        pa.table({"t": texts}),
        pa.table({"t": pa.array(clocks, pa.time64("ns"))}),
    ):
        np.testing.assert_allclose(encode_rows(features, later)[0][:, 0], standard, rtol=1e-5)
    odd = pa.table({"t": ["9:05", "-", "soon", "24 h"]})
    [note] = unfit_values(features, odd)
    assert note.why == "2 values are not a number such as 17:30, the first 'soon'"
    middle = encode_rows(features, odd)[0][:2, 0]
    expected = [(9 * 3600 + 300 - seconds.mean()) / seconds.std(), 0.0]
    np.testing.assert_allclose(middle, expected, rtol=1e-5)


def test_categories_of_a_later_file_that_are_written_otherwise_are_counted() -> None:
    train = pa.table({"c": ["345", "A1"] * 10, "b": ["yes", "no"] * 10, "n": [*range(20)]})
    features = fit_features(train, detect_columns(train), "standard")
    assert list(unfit_values(features, train, "test")) == []
    later = pa.table({"c": ["345.0", "A1", "345.0"], "b": [True, False, None], "n": [0, 1, 2]})
    notes = {note.column: note for note in unfit_values(features, later, "test")}
    assert {name: note.rows for name, note in notes.items()} == {"c": 2, "b": 2}
    assert notes["c"].why == (
        "2 values of test are written otherwise than in the training rows, such as "
        "'345.0' for '345'"
    )
    assert (encode_rows(features, later)[1] == encode_rows(features, train)[1][:3])[:2].all()


@pytest.mark.parametrize(
    ("categories", "written", "expected"),
    [
        (
            ["1", "2", "4", None],
            ["1.0", "2", "4.00", "+1", "3", "01", None],
            [0, 1, 2, 0, -1, -1, 3],
        ),
        (["0.5", "1"], ["0.50", "1.0", ".5", "1e0"], [0, 1, 0, 1]),
        (["false", "true"], ["True", "FALSE", "true", "yes", "0.0", "on"], [1, 0, 1, 1, 0, -1]),
        (["False", "True", "unknown"], ["true", "FALSE", "Unknown"], [1, 0, -1]),
        (["01", "02"], ["1", "01", "001"], [-1, 0, -1]),
        (["a", "1", "2.50"], ["1.0", "A", "2.5"], [1, -1, -1]),
        ([str(2**60), str(2**60 + 1)], [str(2**60 + 1), str(2**60 + 2)], [1, -1]),
        (["7", "x"], ["9" * 5000, "7.0"], [-1, 0]),  # int() refuses so many digits
        ([], ["1"], [-1]),
    ],
)
def test_a_category_is_known_in_other_spellings_of_the_same_value(
    categories: list[str | None], written: list[str | None], expected: list[int]
) -> None:
    feature = CategoricalFeature(column="c", categories=categories)
    codes = encode_category(feature, pa.chunked_array([pa.array(written, pa.string())]))
    assert (codes - 1).tolist() == expected
