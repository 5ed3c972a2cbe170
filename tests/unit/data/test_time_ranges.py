"""Times that are written as ranges, against the beginnings that they were written from."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.series.time_ranges import file_with_beginnings, with_beginnings
from engine.pipelines.create import create_pipeline

HOURS = [datetime(2024, 1, 31, 20) + timedelta(hours=hour) for hour in range(60)]


def ranges(form: str, between: str = " - ", after: str = "") -> list[str]:
    ends = [hour + timedelta(hours=1) for hour in HOURS]
    return [
        f"{start.strftime(form)}{between}{end.strftime(form)}{after}"
        for start, end in zip(HOURS, ends, strict=True)
    ]


@pytest.mark.parametrize(("form", "between", "after"), [
    ("%d.%m.%Y %H:%M", " - ", ""),
    ("%d/%m/%Y %H:%M:%S", " - ", " (CET/CEST)"),
    ("%Y-%m-%dT%H:%M", " – ", ""),
    ("%Y-%m-%dT%H:%MZ", " / ", ""),
    ("%Y%m%d%H%M", " - ", ""),
])  # fmt: skip
def test_the_beginning_of_a_range_is_read(form: str, between: str, after: str) -> None:
    table = pa.table({"MTU": ranges(form, between, after)})
    raw = with_beginnings(RawData({"train": table}))
    assert raw.train["MTU"].to_pylist() == [hour.strftime(form) for hour in HOURS]
    [note] = raw.notes
    assert (note.column, note.rows) == ("MTU", len(HOURS))
    assert file_with_beginnings(table.slice(3, 2)).equals(raw.train.slice(3, 2))


@pytest.mark.parametrize("texts", [
    ["10000 - 20000", "20000 - 30000"], ["Mon - Tue", "Tue - Wed"], ["2024-01-01", "2024-01-02"],
    ["2024-01-01 - 2024-01-02", "closed"], ["2024-01-01 - shop 1", "2024-01-01 - shop 2"], [None],
])  # fmt: skip
def test_other_texts_stay(texts: list[str]) -> None:
    raw = RawData({"train": pa.table({"text": pa.array(texts, pa.string())})})
    assert with_beginnings(raw) is raw


def test_hours_of_an_energy_market_are_a_series(tmp_path: Path) -> None:
    load = [50_000 + 10 * hour for hour in range(len(HOURS))]
    lines = ['"MTU (CET/CEST)","Actual Total Load [MW] - BZN|DE-LU"']
    lines += [f'"{at}","{mw}"' for at, mw in zip(ranges("%d.%m.%Y %H:%M"), load, strict=True)]
    (tmp_path / "load.csv").write_text("\n".join(lines) + "\n")
    raw = create_pipeline(RunConfig.parse({
        "task": {"kind": "forecasting", "window": 4, "horizon": 2}, "model": {"kind": "dlinear"},
        "data": {"kind": "file", "path": str(tmp_path / "load.csv")},
    })).load()  # fmt: skip
    whole = pa.concat_tables(raw.splits.values())
    times, values = (whole.column(place).to_numpy() for place in (0, whole.num_columns - 1))
    found = dict(zip(times.astype("M8[s]").tolist(), values, strict=True))  # windows overlap
    assert found == dict(zip(HOURS, load, strict=True))
