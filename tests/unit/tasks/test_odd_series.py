"""Series with odd names, without spread, without any value, and static values that are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from engine.errors import DataError
from engine.pipelines.series.fitted import frequency_of

Make = Callable[..., Any]
KIND = "forecasting"
SHORT = {"window": 4, "horizon": 2, "series": ["shop"], "targets": ["sales"]}
DAYS = 20


def shop(name: Any, size: float, **columns: Any) -> pd.DataFrame:
    """Sales that climb and swing between one and two times of a size."""
    steps = np.arange(DAYS)
    days = pd.date_range("2024-01-01", periods=DAYS)
    sales = size * (1 + steps / DAYS + steps % 2 / DAYS)
    return pd.DataFrame({"shop": name, "day": days, "sales": sales} | columns)


def table(*frames: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(pd.concat(frames), preserve_index=False)


@pytest.mark.parametrize(("one", "other"), [(None, ""), ("a", " a"), ("", "  ")])
def test_names_that_are_written_alike_are_one_series(prepare: Make, one: Any, other: str) -> None:
    rows = table(shop(one, 1), shop("b", 9), shop(other, 3))
    made = prepare(KIND, rows, **SHORT)
    assert made.fitted.own.keys == [[(one or "").strip(), "b"]]
    [note] = [n for n in made.raw.notes if "occurs before" in n.why]
    assert note.rows == DAYS
    assert len(made.encoded_new(rows).rows) == 2


def test_a_name_that_reads_like_a_missing_value_is_a_name(prepare: Make) -> None:
    made = prepare(KIND, table(shop("NA", 1), shop("-", 3), shop("b", 9)), **SHORT)
    assert made.fitted.own.keys == [["NA", "-", "b"]]


def test_a_series_without_spread_gets_the_usual_one_for_its_size(prepare: Make) -> None:
    flat = shop("flat", 0).assign(sales=5.0)
    zero = shop("zero", 0)
    made = prepare(KIND, table(shop("s", 10), shop("l", 1e6), flat, zero), **SHORT)
    # Of the series that change, each is that share of its size as wide as its spread.
    sales = shop("s", 1)["sales"].to_numpy()
    share = sales.std() / np.sqrt((sales**2).mean())
    widths = [10 * sales.std(), 1e6 * sales.std()]
    assert made.fitted.own.std[0] == pytest.approx(
        [*widths, 5 * share, np.median(widths)], rel=1e-6
    )
    made = prepare(KIND, table(shop("s", 10), shop("l", 1e6), flat), **SHORT)
    new = made.encoded_new(table(shop("new", 0)[:1].assign(sales=7.0)))
    assert new.inputs["scale"].item() == pytest.approx(7 * share, rel=1e-5)


def test_a_series_without_any_value_of_a_target_is_told_apart_from_gaps(prepare: Make) -> None:
    frames = [shop(name, 10, second=shop(name, 3)["sales"]) for name in "ABC"]
    frames[1]["second"] = np.nan
    frames[2].loc[[4, 5], "second"] = np.nan
    targets = {"targets": ["sales", "second"]}
    made = prepare(KIND, table(*frames), **SHORT | targets)
    told = {note.why: note.rows for note in made.raw.notes if note.why.startswith("second")}
    assert told == {
        "second: 2 steps without a value (the first in shop = C), filled (linear)": 2,
        "second: no value at all in 1 series, such as shop = B: 0 is taken there; its forecasts "
        "of it mean nothing": DAYS,
    }
    with pytest.raises(DataError, match="without a value"):
        prepare(KIND, table(*frames[:2]), fill="refuse", **SHORT | targets)


def test_a_static_value_is_the_one_that_a_series_has_in_any_row(prepare: Make) -> None:
    frames = [shop(f"{i}", 10.0 * (i + 1), region="ns"[i % 2]) for i in range(4)]
    frames[0].loc[[0, 7], "region"] = ["", None]
    made = prepare(KIND, table(*frames), static=["region"], **SHORT)
    assert [column.categories for column in made.fitted.static] == [("n", "s")]
    frames[0].loc[3, "region"] = "s"
    with pytest.raises(DataError, match="'region' has several values in the series shop = 0: n"):
        prepare(KIND, table(*frames), static=["region"], **SHORT)


def test_series_of_a_file_without_a_static_value_are_counted(prepare: Make) -> None:
    frames = [shop(f"{i}", 10.0, region="ns"[i % 2], area=float(i)) for i in range(4)]
    made = prepare(KIND, table(*frames), static=["region", "area"], **SHORT)
    later = table(*frames[:2], frames[2].assign(region="", area=np.nan))
    batch = made.encoded_new(later)
    assert batch.inputs["past"][2, 0, -3:].tolist() == [0, 0, 0]
    told = [event.message for event in made.events if "features are 0" in event.message]
    assert told == [
        f"1 series, such as shop = 2, without {name}: its features are 0."
        for name in ("region", "area")
    ]


def test_the_numbers_of_rows_that_pandas_writes_are_no_input(prepare: Make) -> None:
    frame = pd.concat([shop("a", 1), shop("b", 2)]).iloc[3:]
    made = prepare(KIND, pa.Table.from_pandas(frame), **SHORT)
    assert made.fitted.inputs == []
    assert any("not used: __index_level_0__" in note.why for note in made.raw.notes)


def test_the_scale_of_a_short_new_series_is_that_of_its_past_alone(prepare: Make) -> None:
    made = prepare(KIND, table(shop("s", 10), shop("l", 1e6)), **SHORT)
    past = [700.0, 900.0, 1000.0]
    later = shop("new", 0)[:3].assign(sales=past)
    batch = made.encoded_new(table(later))
    assert batch.inputs["shift"].item() == pytest.approx(np.mean(past))
    assert batch.inputs["scale"].item() == pytest.approx(np.std(past))


def test_times_that_count_are_numbers_and_close_quantiles_keep_their_names(prepare: Make) -> None:
    frame = shop("a", 10).assign(day=np.arange(DAYS))
    levels = {"loss": "quantile", "quantiles": [0.5, 0.9991, 0.9994]}
    made = prepare(KIND, table(frame), time="day", **SHORT | levels)
    network = made.task.build_network(made.fitted)
    with torch.inference_mode():
        records = made.task.predict(network, made.encoded_new(table(frame)), made.fitted)
    assert [record["day"] for record in records] == [DAYS, DAYS + 1]
    assert list(records[0])[2:] == ["sales", "sales 0.9991", "sales 0.9994"]


def test_a_column_is_forecast_even_if_no_series_changes(prepare: Make) -> None:
    rows = table(*(shop(name, 0).assign(sales=size) for name, size in (("a", 7.0), ("b", 9.0))))
    made = prepare(KIND, rows, window=4, horizon=2)
    assert made.fitted.targets == ["sales"]
    assert not made.fitted.static
    mean, scale = np.array(made.fitted.own.mean), np.array(made.fitted.own.std)
    assert (mean == [[7.0, 9.0]]).all()
    assert (scale > 0).all()


@pytest.mark.parametrize("kind", ["timestamps", "texts", "whole numbers"])
@pytest.mark.parametrize("step", [250, 1_000])
def test_steps_finer_than_a_microsecond_are_refused_by_name(
    prepare: Make, kind: str, step: int
) -> None:
    times = pd.date_range("2024-01-01", periods=40, freq=f"{step}ns", unit="ns")
    values = {"timestamps": times, "texts": times.astype(str), "whole numbers": times.asi8}
    frame = pd.DataFrame({"measured": values[kind], "volts": np.sin(np.arange(40))})
    rows, task = table(frame), {"window": 4, "horizon": 2, "time": "measured"}
    if step < 1_000:
        with pytest.raises(DataError, match=r"'measured' are 250 nanoseconds apart.*task\.time"):
            prepare(KIND, rows, **task)
    else:
        assert frequency_of(prepare(KIND, rows, **task).fitted).name == "1 microsecond"
