"""Tables with a year a row and a column for each part of it, against a row for each part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.series.series_rows import file_with_a_row_a_step, with_a_row_a_step
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

YEARS = [*range(2010, 2022)]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
GERMAN = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
          "Oktober", "November", "Dezember"]  # fmt: skip


def value(year: int, at: int) -> float:
    return year + (at * 7 % 12) / 10


def wide(names: list[str], year: str = "Year", **more: list[Any]) -> pa.Table:
    cells = {name: [value(y, at) for y in YEARS] for at, name in enumerate(names)}
    return pa.table({year: YEARS} | cells | more)


def arranged(table: pa.Table, **settings: Any) -> tuple[pa.Table, list[str]]:
    raw = with_a_row_a_step(RawData({"train": table}), **settings)
    return raw.train, [note.why for note in raw.notes]


@pytest.mark.parametrize(("names", "part"), [
    (MONTHS, "month"), (GERMAN, "month"), ([f"M{n:02}" for n in range(1, 13)], "month"),
    (["Q1", "Q2", "Q3", "Q4"], "quarter"), ([f"Week {n}" for n in range(1, 53)], "week"),
])  # fmt: skip
def test_parts_of_a_year_are_rows(names: list[str], part: str) -> None:
    found, notes = arranged(wide(names))
    assert found[part].to_pylist() == [*range(1, len(names) + 1)] * len(YEARS)
    assert found["value"].to_pylist() == [
        value(year, at) for year in YEARS for at in range(len(names))
    ]
    assert f"are the {part}s of a year: 12 rows of a year are {found.num_rows:,} rows" in notes[0]
    past = file_with_a_row_a_step(wide(names), ["Year", part, "value"])
    assert past.equals(found)


def test_an_empty_53rd_week_has_no_row_and_a_wrong_one_is_refused() -> None:
    names = [f"W{n}" for n in range(1, 53)]
    long = [5.0 if year in (2015, 2020) else None for year in YEARS]
    found, _ = arranged(wide(names, W53=long))
    assert found.num_rows == 12 * 52 + 2
    long[0] = 5.0
    with pytest.raises(DataError, match=r"'W53' has a value in row 1, of a year with 52 weeks"):
        arranged(wide(names, W53=long))


def test_the_mean_of_a_year_is_not_shown_to_its_first_months() -> None:
    rows = [[row[name] for name in MONTHS] for row in wide(MONTHS).to_pylist()]
    annual: list[float | None] = [round(sum(row) / 12, 1) for row in rows]
    annual[-2:] = [None, None]  # of years that have not ended
    found, notes = arranged(wide(MONTHS, Annual=annual))
    assert found.column_names == ["Year", "month", "value"]
    assert "Annual is the mean of the columns of the year: not used" in notes
    kept, _ = arranged(wide(MONTHS, Annual=annual), named=["Annual"])
    assert "Annual" in kept.column_names


@pytest.mark.parametrize("table", [
    wide(MONTHS[:11]), wide(MONTHS, year="id"), wide(MONTHS, date=["2024-01-01"] * 12),
    wide(MONTHS, month=[1] * 12), wide([*MONTHS, "January"]),
    wide([str(n) for n in range(1, 13)]),
])  # fmt: skip
def test_other_tables_stay_as_they_are(table: pa.Table) -> None:
    assert arranged(table) == (table, [])


def test_years_of_several_regions_are_monthly_series(tmp_path: Path) -> None:
    lines = [",".join(["Region", "Jahr", *GERMAN])]
    for row in wide(GERMAN, year="Jahr").to_pylist():
        lines += [f"{region}," + ",".join(map(str, row.values())) for region in ("N", "S")]
    (tmp_path / "years.csv").write_text("\n".join(lines) + "\n")
    pipeline: Any = create_pipeline(RunConfig.parse({
        "task": {"kind": "forecasting", "window": 12, "horizon": 2}, "model": {"kind": "dlinear"},
        "data": {"kind": "file", "path": str(tmp_path / "years.csv")},
    }))  # fmt: skip
    raw = pipeline.load()
    facts = pipeline.summarize(raw, pipeline.fit(raw)).facts
    assert (facts["frequency"], facts["from"], facts["to"]) == (
        "1 month", "2010-01-01", "2021-12-01",
    )  # fmt: skip
