"""Dates in tables are read in one spelling, whose open questions and exceptions are told."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.data.tables.columns import detect_columns
from engine.data.tables.schema import Column, Features
from engine.data.tables.unfit import unfit_values
from engine.data.tables.values import dates, texts

DAYS = [date(2019, 12, 20) + timedelta(days=37 * i) for i in range(40)]
MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
    "dicembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre "
    "octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro "
    "outubro novembro dezembro",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października "
    "listopada grudnia",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}


def found(values: list[Any]) -> Column:
    """The column of these values in a table that has another one."""
    other = [i % 7 + 0.5 for i in range(len(values))]
    return detect_columns(pa.table({"when": pa.array(values), "other": other}))[0]


def read(values: list[Any]) -> list[Any]:
    column = found(values)
    assert column.type == "date"
    return list(dates(pa.chunked_array([pa.array(values)]), column.date_format).astype(object))


def told(columns: list[Column]) -> list[str]:
    return [f"{column.name}: {column.doubt}" for column in columns if column.doubt]


@pytest.mark.parametrize(
    "spelling",
    [
        "%Y年%m月%d日", "%d. %B %Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y",
        "%A, %d %B %Y", "%d-%b-%y", "%Y/%m/%d", "%d %m %Y", "%B %d, %Y", "%Y-%m-%d %I:%M %p",
        "%d.%m.%Y, %H:%M:%S", "%d/%m/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M",
    ],
)  # fmt: skip
def test_usual_spellings_of_dates_are_read(spelling: str) -> None:
    expected = [datetime(day.year, day.month, day.day) for day in DAYS]
    assert read([day.strftime(spelling) for day in expected]) == expected


@pytest.mark.parametrize("language", MONTHS)
def test_months_are_known_by_their_names(language: str) -> None:
    names = MONTHS[language].split()
    joined = " de " if language in ("es", "pt") else " "
    texts_ = [joined.join((str(d.day), names[d.month - 1], str(d.year))) for d in DAYS]
    assert [moment.date() for moment in read(texts_)] == DAYS


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.float64()])
def test_whole_numbers_that_are_all_days_are_dates(kind: pa.DataType) -> None:
    numbers = [int(day.strftime("%Y%m%d")) for day in DAYS]
    column = found(numbers)
    assert (column.type, column.date_format) == ("date", "%Y%m%d")
    later = pa.chunked_array([pa.array(numbers).cast(kind)])
    assert [m.date() for m in dates(later, column.date_format).astype(object)] == DAYS


@pytest.mark.parametrize(
    "values",
    [
        ["2019-20", "2020-21", "2021-22"],
        ["10-12", "13-15", "01-05"],
        ["1/2", "3/4", "5/8"],
        ["T100", "T125", "S120"],
        ["10-Mar", "11-Mar", "2-Apr"],
        ["1234-05", "1234-11", "1235-02"],
        ["10.0.0.1", "10.0.0.2", "10.1.0.2"],
        ["ab 12 2020 x", "ab 13 2021 y", "cd"],
    ],
)
def test_ranges_and_codes_are_not_dates(values: list[str]) -> None:
    assert found(values * 10).type == "categorical"


def test_the_order_of_day_and_month_is_told_where_it_is_open() -> None:
    column = found([f"0{i % 9 + 1}/0{i % 7 + 1}/2020" for i in range(40)])
    assert column.date_format == "%m/%d/%Y"
    assert told([column]) == [
        "when: dates are read with the month before day; the other order fits as well "
        "(write 2024-01-31 to be sure)"
    ]
    decided = found([day.strftime("%m/%d/%Y") for day in DAYS])
    assert not told([decided])


def test_first_days_of_quarters_are_not_four_days_of_each_january() -> None:
    quarters = [date(year, month, 1) for year in range(2010, 2020) for month in (1, 4, 7, 10)]
    assert [m.date() for m in read([day.strftime("%d/%m/%Y") for day in quarters])] == quarters


def test_a_value_that_decides_the_order_may_stand_far_below() -> None:
    some = [date(1900 + i, 1 + i % 12, 1 + i % 11) for i in range(250)]
    days = [*some, date(2020, 5, 31)]
    assert [m.date() for m in read([day.strftime("%d/%m/%Y") for day in days])] == days


def test_values_that_are_not_dates_are_counted() -> None:
    values = [day.isoformat() for day in DAYS] + ["never", "never"]
    features = Features(columns=[found(values[::-1])], numeric=[], categorical=[])
    [note] = unfit_values(features, pa.table({"when": values}), "train")
    assert (note.column, note.rows) == ("when", 2)
    assert note.why == "2 values of train are not a date as in the training rows, the first 'never'"


def test_clocks_of_dates_with_an_offset_stay_as_they_are_though_one_value_is_wrong() -> None:
    moments = [datetime(2024, 1, 1, i % 24, 30) for i in range(40)]
    values = [f"{moment.isoformat()}+05:30" for moment in moments]
    column = found([*values, "unknown"])
    array = pa.chunked_array([pa.array([*values, "unknown"])])
    got = dates(array, column.date_format).astype(object)
    assert list(got[:-1]) == moments
    assert np.isnat(dates(array, column.date_format)[-1])


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_numbers_that_float64_makes_the_same_are_categories_with_all_digits(
    kind: pa.DataType,
) -> None:
    base = 2**60 if kind == pa.int64() else 2**63
    values = pa.array([base + i % 3 for i in range(40)], kind)
    [column, _] = detect_columns(pa.table({"c": values, "x": [i % 7 + 0.5 for i in range(40)]}))
    assert column.type == "categorical"
    assert texts(pa.chunked_array([values])).to_pylist()[:3] == [str(base + i) for i in range(3)]


def test_numbers_that_are_rounded_are_told() -> None:
    values = [2**53 + 1000 * i * (-1) ** i for i in range(40)]
    column = found(values)
    assert column.type == "numeric"
    assert told([column]) == ["when: whole numbers beyond 9,007,199,254,740,992 are rounded"]


def test_thousands_that_may_be_fractions_are_told() -> None:
    column = found([f"{i % 9 + 1},{100 + i}" for i in range(40)])
    assert column.number_format.grouping == ","
    assert told([column]) == ["when: 1,100 is read with thousands; it may be a fraction as well"]
    assert not told([found([f"{i % 9 + 1},{100 + i}.5" for i in range(40)])])
