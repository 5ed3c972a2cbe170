"""Tables in twelve locales and spellings come back exactly as they were written."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config.data.file import FileConfig
from engine.data.load import load_data
from engine.data.tables.columns import detect_columns
from engine.data.tables.values import dates, numbers, texts

ROWS = 40


def western(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


def indian(number: int, mark: str) -> str:
    text = str(number)
    head, tail = text[:-3], text[-3:]
    groups = []
    while len(head) > 2:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return mark.join([*([head] if head else []), *groups, tail])


@dataclass(frozen=True)
class Locale:
    """The way in which a locale writes values."""

    decimal: str
    grouping: str
    money: str
    """With {} for the number."""
    days: tuple[str, ...]
    """Formats of strftime; ``%-d`` has no zero, and ``%N`` is the name of the month."""
    months: str
    truth: tuple[str, str]
    minus: str = "-"
    group: Callable[[int, str], str] = western

    def number(self, cents: int, grouped: bool) -> str:
        whole, part = divmod(abs(cents), 100)
        text = self.group(whole, self.grouping) if grouped else str(whole)
        return f"{self.minus if cents < 0 else ''}{text}{self.decimal}{part:02}"

    def day(self, day: date, form: str) -> str:
        name = self.months.split()[day.month - 1]
        form = form.replace("%N", name).replace("%-d", str(day.day)).replace("%-m", str(day.month))
        return day.strftime(form)


ENGLISH = "January February March April May June July August September October November December"
GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
LOCALES = {
    "en-US": Locale(".", ",", "${}", ("%m/%d/%Y", "%-m/%-d/%Y", "%N %-d, %Y"), ENGLISH,
                    ("yes", "no")),
    "en-GB": Locale(".", ",", "£{}", ("%d/%m/%Y", "%-d %N %Y"), ENGLISH, ("yes", "no")),
    "en-IN": Locale(".", ",", "₹ {}", ("%d-%m-%Y", "%d/%m/%Y"), ENGLISH, ("yes", "no"),
                    group=indian),
    "de-DE": Locale(",", ".", "{} €", ("%d.%m.%Y", "%-d.%-m.%Y", "%-d. %N %Y"), GERMAN,
                    ("ja", "nein")),
    "de-CH": Locale(".", "’", "CHF {}", ("%d.%m.%Y", "%d.%m.%y"), GERMAN, ("ja", "nein")),
    "fr-FR": Locale(",", "\u202f", "{}\u00a0€", ("%d/%m/%Y", "%-d %N %Y"),
                    "janvier février mars avril mai juin juillet août septembre octobre novembre "
                    "décembre", ("oui", "non")),
    "sv-SE": Locale(",", "\u00a0", "{} kr", ("%Y-%m-%d", "%-d %N %Y"),
                    "januari februari mars april maj juni juli augusti september oktober november "
                    "december", ("ja", "nej"), minus="\u2212"),
    "pt-BR": Locale(",", ".", "R$ {}", ("%d/%m/%Y", "%-d de %N de %Y"),
                    "janeiro fevereiro março abril maio junho julho agosto setembro outubro "
                    "novembro dezembro", ("sim", "não")),
    "it-IT": Locale(",", ".", "€ {}", ("%d/%m/%Y", "%-d %N %Y"),
                    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
                    "novembre dicembre", ("sì", "no")),
    "pl-PL": Locale(",", "\u00a0", "{} zł", ("%d.%m.%Y", "%-d %N %Y"),
                    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września "
                    "października listopada grudnia", ("tak", "nie")),
    "ru-RU": Locale(",", "\u00a0", "{} ₽", ("%d.%m.%Y", "%-d %N %Y г."),
                    "января февраля марта апреля мая июня июля августа сентября октября ноября "
                    "декабря", ("да", "нет")),
    "ja-JP": Locale(".", ",", "¥{}", ("%Y年%-m月%-d日", "%Y/%m/%d"), ENGLISH, ("はい", "いいえ")),
}  # fmt: skip
MISSING = ("", "NA", "n/a", "-", "–", "k.A.", "null")


@dataclass(frozen=True)
class Written:
    """A table as it is written, and what is meant."""

    columns: dict[str, list[str]]
    meant: dict[str, list[Any]]


def made(locale: Locale, random_: random.Random) -> Written:
    """A table with a column of each kind; computed before it is written."""
    cents = [random_.randrange(-(10**8), 10**8) for _ in range(ROWS)]
    days = [date.fromordinal(random_.randrange(700_000, 738_000)) for _ in range(ROWS)]
    days[0] = date(2011, 12, 25)  # which decides the order
    form = random_.choice(locale.days)
    if "%y" in form:
        days = [date(1970 + day.year % 60, day.month, min(day.day, 28)) for day in days]
    grouped = random_.random() < 0.7
    kind = random_.choice(["{}", locale.money, "{} %", "({})"])
    shares = [abs(cent) if kind == "({})" else cent for cent in cents]
    missing = random_.choice(MISSING)
    gone = set(random_.sample(range(1, ROWS), random_.choice([0, 3])))
    columns = {
        "Größe": [locale.number(cent, grouped) for cent in cents],
        "amount": [kind.format(locale.number(cent, grouped)) for cent in shares],
        "when": [locale.day(day, form) for day in days],
        "sure": [random_.choice(locale.truth) for _ in range(ROWS)],
        "note": [random_.choice(['a "b" c', "x; y", "1, 2", "p|q", "two\nlines", "ß"])
                 for _ in range(ROWS)],
    }  # fmt: skip
    sign = -1 if kind == "({})" else 1
    meant: dict[str, list[Any]] = {
        "Größe": [cent / 100 for cent in cents],
        "amount": [sign * cent / 100 for cent in shares],
        "when": list(days),
        "sure": list(columns["sure"]),
        "note": list(columns["note"]),
    }
    for name in columns:
        for row in gone:
            columns[name][row], meant[name][row] = missing, None
    return Written(columns, meant)


def file_of(written: Written, delimiter: str, header: bool, all_quoted: bool) -> str:
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting)
    if header:
        writer.writerow(written.columns)
    writer.writerows(zip(*written.columns.values(), strict=True))
    return out.getvalue()


def read_back(path: Path) -> list[list[Any]]:
    """The values of each column, as its detected type has them."""
    table = load_data(FileConfig(path=str(path))).train
    result: list[list[Any]] = []
    for column in detect_columns(table):
        values = table[column.name]
        if column.type == "numeric":
            given = numbers(values, column.number_format)
            result.append([None if np.isnan(value) else float(value) for value in given])
        elif column.type == "date":
            moments = dates(values, column.date_format).astype("M8[D]").astype(object)
            result.append(list(moments))
        else:
            result.append(texts(values).to_pylist())
    return result


def same(read: Sequence[Any], meant: Sequence[Any]) -> bool:
    return all(
        a == b or (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 1e-9 * abs(b))
        for a, b in zip(read, meant, strict=True)
    )


@pytest.mark.parametrize("name", LOCALES)
@settings(max_examples=10, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    seed=st.integers(0, 2**32),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    header=st.booleans(),
    all_quoted=st.booleans(),
)
def test_what_was_written_comes_back(
    tmp_path: Path, name: str, seed: int, delimiter: str, header: bool, all_quoted: bool
) -> None:
    written = made(LOCALES[name], random.Random(seed))
    path = tmp_path / "table.csv"
    path.write_text(file_of(written, delimiter, header, all_quoted), encoding="utf-8", newline="")
    columns = read_back(path)
    assert len(columns) == len(written.columns)
    for read, (column, meant) in zip(columns, written.meant.items(), strict=True):
        assert same(read, meant), (column, written.columns[column][:5], read[:5])


def test_numbers_that_leave_the_mark_open_are_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f"{1 + i % 9},{100 + i};{i % 5}\n" for i in range(40)))
    table = load_data(FileConfig(path=str(path))).train
    x = detect_columns(table)[0]
    assert numbers(table["x"], x.number_format)[0] == 1100
    assert x.doubt == "1,100 is read with thousands; it may be a fraction as well"


@pytest.mark.parametrize(
    ("written", "doubt"),
    [
        (["1.100 €", "740 €"], "1.100 € is read as a fraction; it may have thousands as well"),
        (["1.100 €", "2.25 €"], ""),
        (["0.100 €", "2.250 €"], ""),
        (["740 €", "3 €"], ""),
    ],
)
def test_a_point_before_three_digits_in_all_numbers_is_told(written: list[str], doubt: str) -> None:
    [column] = detect_columns(pa.table({"x": written * 20}))
    assert (column.type, column.doubt) == ("numeric", doubt)


def test_units_that_differ_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f"{'$€'[i % 2]}{i}.5;{i % 5}\n" for i in range(40)))
    x = detect_columns(load_data(FileConfig(path=str(path))).train)[0]
    assert x.doubt == "the numbers have different units ($, €), which are not converted"
