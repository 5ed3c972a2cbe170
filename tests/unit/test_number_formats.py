"""Numbers as people write them are read as they are meant, or left as texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.data.columns import ColumnSetting
from engine.config.data.file import FileConfig
from engine.config.run_config import RunConfig
from engine.data.load import load_data
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import fit_features
from engine.data.tables.number_format import (
    doubt_of_numbers,
    find_number_format,
    parsed_numbers,
    units_of,
)
from engine.data.tables.schema import NumberFormat
from engine.data.tables.unfit import unfit_values
from engine.data.tables.values import numbers
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

MARKS = [(".", ""), (".", ","), (",", "."), (",", ""), (".", "'"), (",", " "), (".", "\u202f")]
"""Decimal and thousands marks, of the locales en, de, fr, de_CH and others."""


def read(values: list[str], decimal: str = "") -> list[float] | None:
    written = find_number_format(values, 0.95, decimal)
    return None if written is None else parsed_numbers(values, written).tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["5,495", "9,424", "995"], [5495, 9424, 995]),
        (["5,495.37", "995.1", "1,234,567.5"], [5495.37, 995.1, 1234567.5]),
        (["5,495", "1500", "0,25"], [5.495, 1500, 0.25]),
        (["0,495", "0,250"], [0.495, 0.25]),
        (["4,84", "7,7", "12"], [4.84, 7.7, 12]),
        (["2.922,89", "12,5", "1.234.567,0"], [2922.89, 12.5, 1234567]),
        (["1.234.567", "1.000"], [1234567, 1000]),
        (["22.605,34 €", "1.000,00 €", "9,99 €"], [22605.34, 1000, 9.99]),
        (["34,2 %", "-0,5 %"], [34.2, -0.5]),
        (["5'495.37", "12.5"], [5495.37, 12.5]),
        (["5\u202f495,37", "1\u00a0000,5", "2,5"], [5495.37, 1000.5, 2.5]),
        (["(1,234.00)", "1,234.00", "-5.5"], [-1234, 1234, -5.5]),
        (["CHF 1'200.50", "CHF 99.00"], [1200.5, 99]),
        (["12.5-", "\u22123.5", "+4"], [-12.5, -3.5, 4]),
        (["82.23K", "1.5M", "750.00"], [82230, 1500000, 750]),
        (["1e3", "2.5E-2"], [1000, 0.025]),
        (["3B", "4A", "2B"], None),
        (["012", "0012", "12"], None),
        (["1,2,3", "4,5"], None),
        (["2020-01-01", "2020-01-02"], None),
        (["10.0.0.1", "10.0.0.2"], None),
    ],
)
def test_the_format_of_a_column_is_the_one_that_all_its_values_have(
    values: list[str], expected: list[float] | None
) -> None:
    read_ = read(values)
    assert read_ == (expected if expected is None else pytest.approx(expected, rel=1e-12))


def test_the_marks_of_other_columns_decide_where_one_column_cannot() -> None:
    assert read(["7.700", "999"]) == [7.7, 999]
    assert read(["7.700", "999"], decimal=",") == [7700, 999]
    assert read(["5,495", "995"], decimal=",") == [5.495, 995]


def spelled(number: float, decimal: str, grouping: str) -> str:
    """The number with two digits after the decimal mark."""
    text = f"{number:,.2f}" if grouping else f"{number:.2f}"
    return text.translate(str.maketrans({",": grouping, ".": decimal}))


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30),
    st.sampled_from(MARKS),
    st.sampled_from(["{}", "{} €", "${}", "{} %", "EUR {}"]),
)
def test_numbers_come_back_from_any_spelling(
    cents: list[int], marks: tuple[str, str], unit: str
) -> None:
    wanted = [cent / 100 for cent in cents]
    values = [unit.format(spelled(number, *marks)) for number in wanted]
    assert read(values) == pytest.approx(wanted, rel=1e-12)


@given(st.lists(st.integers(0, 10**7), min_size=3, max_size=30), st.sampled_from(MARKS))
def test_whole_numbers_come_back_where_some_value_has_a_fraction(
    whole: list[int], marks: tuple[str, str]
) -> None:
    values = [spelled(number, *marks)[:-3] for number in whole] + [spelled(12.25, *marks)]
    assert read(values) == pytest.approx([*whole, 12.25])


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_file_of_european_numbers_is_cut_at_its_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = [("4,84", "0", "7.700"), ("12,5", "3", "999"), ("0,25", "1", "1.250")]
    path = tmp_path / "a.csv"
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))
    table = load_data(FileConfig(path=str(path))).train
    columns = detect_columns(table, dict.fromkeys(table.column_names, ColumnSetting("numeric")))
    made = [numbers(table[c.name], c.number_format).tolist() for c in columns]
    assert made == [[4.84, 12.5, 0.25], [0, 3, 1], [7700, 999, 1250]]


def test_a_later_file_is_read_in_the_format_of_the_training_rows() -> None:
    column = pa.chunked_array([pa.array(["5,495", "1,200", "88"] * 10)])
    [found] = detect_columns(pa.table({"price": column}))
    assert found.number_format == NumberFormat(grouping=",")
    later = pa.chunked_array([pa.array(["7,000", "0,5", "12"])])
    values = numbers(later, found.number_format)
    assert values.tolist()[::2] == [7000, 12]
    assert np.isnan(values[1])


def test_values_of_a_later_file_that_do_not_fit_are_counted_and_named() -> None:
    rows = {
        "price": ["5,495", "1,200", "88", "2,000"] * 10,
        "zone": ["01", "02", "02", "01"] * 10,
        "day": ["03.01.2024", "28.02.2024", "14.03.2024", "01.04.2024"] * 10,
    }
    table = pa.table(rows)
    features = fit_features(table, detect_columns(table), "standard")
    assert list(unfit_values(features, table)) == []
    later = pa.table({
        "price": ["7,000", "0,5", "", None],
        "zone": ["1", "02", "?", "3"],
        "day": ["2024-01-03", "01.05.2024", None, "soon"],
    })  # fmt: skip
    notes = sorted(unfit_values(features, later), key=lambda note: note.column)
    assert [(note.column, note.why, note.read_as, note.rows) for note in notes] == [
        ("day", "1 value is not a date as in the training rows, the first 'soon'", "missing", 1),
        ("price", "1 value is not a number such as 1,234.5, the first '0,5'", "missing", 1),
        ("price", "1 number is read as in training, such as 1,234.5; this file may mean numbers "
         "such as 1234,5, the first '7,000'", "numbers", 1),
        ("zone", "2 values are not among the categories of the training rows, the first '1'",
         "unknown category", 2),
    ]  # fmt: skip


def unit_prices(folder: Path, training: str, later: str, **options: str) -> list[tuple[float, str]]:
    """Numbers of a later file as those of training are read, with the note on each column."""
    (folder / "train.csv").write_text(training)
    (folder / "test.csv").write_text(later)
    raw = load_data(FileConfig(path=str(folder), **options))  # type: ignore[arg-type]
    columns = detect_columns(raw.train, {"price": ColumnSetting("numeric")})
    features = fit_features(raw.train, columns, "standard")
    [price] = [column for column in columns if column.name == "price"]
    table = raw.splits["test"]
    told = [note.why for note in unfit_values(features, table, "test") if note.column == "price"]
    values = numbers(table["price"], price.number_format).tolist()
    return [(value, " ".join(told)) for value in values]


EUROPEAN = "price;n\n" + "".join(f"{i}.{100 + i},{i % 90 + 10};{i}\n" for i in range(1, 30))


def test_thousands_alone_are_read_with_the_marks_of_the_training_file(tmp_path: Path) -> None:
    found = unit_prices(tmp_path, EUROPEAN, "price;n\n5.495;1\n7.700;2\n")
    assert found == [(5495, ""), (7700, "")]


def test_decimal_points_of_a_later_file_are_their_own(tmp_path: Path) -> None:
    plain = "price;n\n" + "".join(f"{i},25;{i}\n" for i in range(1, 30))
    found = unit_prices(tmp_path, plain, "price;n\n4.84;1\n7.7;2\n")
    assert found == [(4.84, ""), (7.7, "")]


@pytest.mark.parametrize(
    ("later", "values", "meant"),
    [
        ("price,n\n5.495,1\n-,2\n", [5495, np.nan], "1234.5, the first '5.495'"),
        ("price,n\n5495.5,1\n5.495,2\nx,3\n", [np.nan, 5495, np.nan], "1234.5, the first '5.495'"),
        ("price\tn\n5,495\t1\nx\t2\n", [5.495, np.nan], "1,234.5, the first '5,495'"),
    ],
)  # fmt: skip
def test_marks_of_a_later_file_that_may_be_others_are_a_doubt(
    tmp_path: Path, later: str, values: list[float], meant: str
) -> None:
    found = unit_prices(tmp_path, EUROPEAN, later)
    assert [value for value, _ in found] == pytest.approx(values, nan_ok=True)
    whole = f"1 number of test is read as in training, such as 1.234,5; this file may mean {meant}"
    assert whole.replace("mean ", "mean numbers such as ") in found[0][1]


def test_a_target_with_other_marks_than_in_training_is_a_doubt(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(EUROPEAN)
    (tmp_path / "test.csv").write_text("price,n\n" + "5495.5,1\n5.495,2\n7495.5,2\nx,3\n" * 5)
    pipeline = create_pipeline(RunConfig.parse({
        "task": {"kind": "tabular_regression", "target": "price"},
        "data": {"kind": "file", "path": str(tmp_path)},
        "model": {"kind": "mlp"},
    }))  # fmt: skip
    with pytest.raises(DataError, match=r"not numeric: '5495\.5' in row 1"):
        pipeline.load()
    (tmp_path / "test.csv").write_text("price,n\n" + "5.495,1\n1.495,2\n-,2\n" * 5)
    [note] = [note for note in pipeline.load().notes if note.column == "price" and note.rows == 10]
    assert "10 numbers of test are read as in training" in note.why


@pytest.mark.parametrize(
    ("values", "expected", "units"),
    [
        (["12 kg", "3.5 kg", "7kg"], [12, 3.5, 7], ["kg"]),
        (["19.67 kmpl", "20 kmpl"], [19.67, 20], ["kmpl"]),
        (["-5 °C", "+3.5 °C"], [-5, 3.5], ["°C"]),
        (["5 g", "1,200 g"], [5, 1200], ["g"]),
        (["5.5 m", "6 M"], [5.5e6, 6e6], [""]),  # millions, as before
        (["2 km", "300 cm"], [2, 300], ["km", "cm"]),
    ],
)
def test_units_of_measure_are_left_out_of_numbers(
    values: list[str], expected: list[float], units: list[str]
) -> None:
    written = find_number_format(values, 1.0)
    assert written is not None
    assert parsed_numbers(values, written).tolist() == expected
    assert units_of(values) == units
    assert ("different units (km, cm)" in doubt_of_numbers(values, written)) == (len(units) > 1)


@pytest.mark.parametrize("values", [["3B", "12A"], ["4 apples", "5 pears"], ["5g", "7g"]])
def test_codes_and_words_behind_numbers_are_no_units(values: list[str]) -> None:
    assert find_number_format(values, 1.0) is None
