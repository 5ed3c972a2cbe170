"""Many series in one table, from rows to windows and forecasts of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import nn

from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.series.splits import series_note
from engine.errors import DataError

Make = Callable[..., Any]
KIND = "forecasting"
CPU = torch.device("cpu")
SHORT = {"window": 4, "horizon": 2}
ASIDE = {"validation_fraction": 0.2, "test_fraction": 0.2}


def shop(name: Any, count: int, start: str, factor: float) -> pd.DataFrame:
    """Sales that climb and swing, of a size of their own."""
    steps = np.arange(count)
    return pd.DataFrame({
        "shop": name,
        "day": pd.date_range(start, periods=count, freq="D"),
        "sales": factor * (steps + 3.0 * (steps % 2)),
    })  # fmt: skip


A, B = shop("A", 40, "2024-01-01", 1.0), shop("B", 20, "2024-02-10", 1000.0)


def table(*frames: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(pd.concat(frames), preserve_index=False)


def batch_of(source: Any) -> Any:
    return next(source.read([torch.arange(len(source))]))


def values_of(rows: pa.Table, name: str) -> list[float]:
    return rows.filter(pa.compute.equal(rows["shop"].cast(pa.string()), name))["sales"].to_pylist()


def test_each_series_is_cut_in_its_own_time_with_a_window_of_what_came_before(
    pipeline: Make,
) -> None:
    raw = pipeline(KIND, table(A, B), data=ASIDE, **SHORT).load()
    a, b = A["sales"].tolist(), B["sales"].tolist()
    assert {n: values_of(rows, "A") for n, rows in raw.splits.items()} == {
        TRAIN: a[:24], VALIDATION: a[20:32], TEST: a[28:],
    }  # fmt: skip
    assert {n: values_of(rows, "B") for n, rows in raw.splits.items()} == {
        TRAIN: b[:12], VALIDATION: b[8:16], TEST: b[12:],
    }  # fmt: skip
    assert "shop tells several series apart: one network learns all of them" in [
        note.why for note in raw.notes
    ]


def test_rows_of_splits_count_from_the_start_of_each_series(pipeline: Make) -> None:
    raw = pipeline(KIND, table(A, B), split_rows=[10, 6, 3], **SHORT).load()
    for name, frame in (("A", A), ("B", B)):
        sales = frame["sales"].tolist()
        assert {n: values_of(rows, name) for n, rows in raw.splits.items()} == {
            TRAIN: sales[:10], VALIDATION: sales[6:16], TEST: sales[12:19],
        }  # fmt: skip
    left = next(note for note in raw.notes if "not used" in note.why)
    assert left.rows == 21 + 1


def test_splits_of_files_stay_and_a_series_of_one_alone_is_new(prepare: Make) -> None:
    later = shop("C", 12, "2024-03-01", 1.0)
    made = prepare(KIND, table(A[:30], B), test=table(A[30:], later), **SHORT)
    a = A["sales"].tolist()
    test = made.raw.splits[TEST]
    assert values_of(test, "A") == a[26:]
    batch = batch_of(made.task.encode(test, made.fitted, CPU, None))
    assert batch.inputs["series"].tolist() == [0] * 9 + [2] * 7
    # A new series is scaled by its first window.
    first = later["sales"].to_numpy()[:4]
    assert batch.inputs["shift"][-1, 0, 0].item() == pytest.approx(first.mean())
    assert batch.inputs["scale"][-1, 0, 0].item() == pytest.approx(first.std())


def test_no_test_rows_are_taken_from_before_a_validation_file(pipeline: Make) -> None:
    aside = {"test_fraction": 0.2}
    raw = pipeline(KIND, table(A[:30], B), validation=table(A[30:]), data=aside, **SHORT).load()
    assert list(raw.splits) == [TRAIN, VALIDATION]
    assert values_of(raw.train, "A") == A["sales"].tolist()[:30]
    assert any("no test rows are set aside" in note.why for note in raw.notes)


def test_each_series_has_the_scale_of_its_own_training_rows(prepare: Make) -> None:
    fitted = prepare(KIND, table(A, B), data=ASIDE, season=2, **SHORT).fitted
    a, b = A["sales"].to_numpy()[:24], B["sales"].to_numpy()[:12]
    assert fitted.series == ("shop",)
    assert fitted.own.keys == [["A", "B"]]
    assert fitted.own.mean[0] == pytest.approx([a.mean(), b.mean()])
    assert fitted.own.std[0] == pytest.approx([a.std(), b.std()])
    # After two days each has grown by two, and B a thousand times of that.
    assert fitted.own.naive_error == [[2, 2000]]
    assert fitted.own.naive_squared == [[4, 4_000_000]]
    assert fitted.mean == pytest.approx([np.concatenate([a, b]).mean()])


def test_no_window_has_rows_of_two_series(prepare: Make) -> None:
    made = prepare(KIND, table(A, B), data=ASIDE, **SHORT)
    batch = batch_of(made.task.encode(made.raw.splits[TRAIN], made.fitted, CPU, None))
    expected, series = [], []
    for number, values in enumerate((A["sales"].to_numpy()[:24], B["sales"].to_numpy()[:12])):
        scaled = (values - values.mean()) / values.std()
        expected += [scaled[i : i + 6] for i in range(len(values) - 5)]
        series += [number] * (len(values) - 5)
    whole = torch.cat([batch.inputs["past"], batch.targets], 1)[..., 0].numpy()
    assert whole == pytest.approx(np.array(expected), abs=1e-5)
    assert batch.inputs["series"].tolist() == series


def test_the_order_of_rows_in_the_table_means_nothing(prepare: Make) -> None:
    mixed = table(A, B).take(np.random.default_rng(0).permutation(60))
    sources = []
    for rows in (table(A, B), mixed):
        made = prepare(KIND, rows, data=ASIDE, series=["shop"], **SHORT)
        batch = batch_of(made.task.encode(made.raw.splits[TEST], made.fitted, CPU, None))
        keys = batch.rows["shop"].to_pylist()
        windows = torch.cat([batch.inputs["past"], batch.targets], 1)[..., 0].tolist()
        sources.append(sorted(zip(keys, windows, strict=True)))
    assert sources[0] == sources[1]
    assert len(sources[0]) == 7 + 3


def test_gaps_are_filled_within_a_series_and_never_from_another(pipeline: Make) -> None:
    holes = B.drop(index=[5, 6])
    holes.loc[8, "sales"] = np.nan
    raw = pipeline(KIND, table(A, holes), **SHORT).load()
    assert values_of(raw.train, "B") == pytest.approx(
        np.interp(range(20), [i for i in range(20) if i not in (5, 6, 8)],
                  B["sales"].drop([5, 6, 8])).tolist()
    )  # fmt: skip
    assert values_of(raw.train, "A") == A["sales"].tolist()
    assert any("1 gap in 1 series with 2 steps in all" in note.why for note in raw.notes)


def test_short_series_are_filled_up_or_left_without_a_window_and_named(prepare: Make) -> None:
    short, tiny = shop("C", 5, "2024-01-01", 1.0), shop("D", 2, "2024-01-01", 1.0)
    made = prepare(KIND, table(A, short, tiny), series=["shop"], **SHORT)
    source = made.task.encode(made.raw.splits[TRAIN], made.fitted, CPU, None)
    batch = batch_of(source)
    assert len(source) == 35 + 1
    c = short["sales"].to_numpy()
    window = (np.array([c[0], *c[:3]]) - c.mean()) / c.std()
    assert batch.inputs["past"][-1, :, 0].numpy() == pytest.approx(window, abs=1e-6)
    notes = [note.why for note in made.raw.notes]
    assert any(n.startswith("1 series, such as shop = D, shorter than a horizon") for n in notes)
    assert any(n.startswith("1 series, such as shop = C, with less than a window") for n in notes)


def test_several_columns_tell_series_apart_together(prepare: Make) -> None:
    frames = [
        shop(name, 20, "2024-01-01", factor).assign(item=item)
        for name, item, factor in (("A", 1, 1.0), ("A", 2, 5.0), ("B", 1, 9.0), ("B", 2, 7.0))
    ]
    made = prepare(KIND, table(*frames), **SHORT)
    assert made.fitted.own.keys == [["1", "2", "1", "2"], ["A", "A", "B", "B"]] or (
        made.fitted.own.keys == [["A", "A", "B", "B"], ["1", "2", "1", "2"]]
    )
    stds = [np.std(frame["sales"]) for frame in frames]
    assert made.fitted.own.std[0] == pytest.approx(stds)


def test_a_series_of_a_single_row_hides_no_others(pipeline: Make) -> None:
    # Few times repeat, and one block begins after the end of that before it.
    lengths = {"first": 6, "long": 400, "late": 6, "new": 1}
    begins = ("2021-01-01", "2020-01-01", "2021-03-01", "2021-01-02")
    each = zip(lengths.items(), begins, strict=True)
    rows = table(*(shop(name, count, begin, 1.0) for (name, count), begin in each))
    raw = pipeline(KIND, rows, **SHORT).load()
    assert series_note(raw.train).roles.series == ("shop",)
    assert {name: len(values_of(raw.train, name)) for name in lengths} == lengths


def test_a_series_of_another_step_is_left_out_and_named(pipeline: Make) -> None:
    weekly = shop("W", 20, "2024-01-01", 1.0)
    weekly["day"] = pd.date_range("2024-01-01", periods=20, freq="7D")
    raw = pipeline(KIND, table(A, B, weekly), **SHORT).load()
    assert values_of(raw.train, "W") == []
    assert any("1 series left out" in note.why and "shop = W" in note.why for note in raw.notes)


def test_a_time_that_comes_twice_in_one_series_is_counted_and_named(prepare: Make) -> None:
    again = B.iloc[[3, 5]].assign(sales=[1.0, 2.0])
    made = prepare(KIND, table(A, B, again), **SHORT)
    [note] = [n for n in made.raw.notes if "occurs before" in n.why]
    assert (note.column, note.rows) == ("day", 2)
    assert "in the same series (first in shop = B): the mean of each time is taken" in note.why
    expected = B["sales"].to_numpy().copy()
    expected[[3, 5]] = (expected[3] + 1) / 2, (expected[5] + 2) / 2
    assert values_of(made.raw.train, "B") == expected.tolist()
    assert values_of(made.raw.train, "A") == A["sales"].tolist()


def test_the_same_column_for_series_and_target_is_refused(pipeline: Make) -> None:
    with pytest.raises(DataError, match=r"'shop' is in task\.series and in task\.targets"):
        pipeline(KIND, table(A, B), series=["shop"], targets=["shop"], **SHORT).load()


class Last(nn.Module):
    """Repeats the last value."""

    def forward(self, past: torch.Tensor, future: torch.Tensor, *_: Any) -> torch.Tensor:
        return past[:, -1:, :1].expand(-1, future.shape[1], -1)


def test_errors_are_those_of_each_series_and_of_all_in_the_units_of_the_data(
    prepare: Make,
) -> None:
    made = prepare(KIND, table(A, B), data=ASIDE, season=2, **SHORT)
    evaluator = made.task.evaluator(made.fitted)
    source = made.task.encode(made.raw.splits[TEST], made.fitted, CPU, None)
    for batch in source.read(source.plan(4)):
        evaluator.update(Last(), batch)
    evaluation = evaluator.compute(views=True)
    maes, squares, scaled, relative = [], [], [], []
    for values, cut in ((A["sales"].to_numpy(), 24), (B["sales"].to_numpy(), 12)):
        starts = range(len(values) * 4 // 5, len(values) - 1)
        truth = np.array([values[i : i + 2] for i in starts])
        last = np.array([[values[i - 1]] for i in starts])
        maes.append(np.abs(truth - last))
        squares.append((truth - last) ** 2)
        scaled.append(squares[-1] / values[:cut].var())
        relative.append(200 * np.abs(truth - last) / (truth + last))
    metrics = evaluation.metrics
    assert metrics["mae"] == pytest.approx(np.concatenate(maes).mean(), rel=1e-5)
    assert metrics["rmse"] == pytest.approx(np.concatenate(squares).mean() ** 0.5, rel=1e-5)
    assert metrics["mse_scaled"] == pytest.approx(np.concatenate(scaled).mean(), rel=1e-5)
    assert metrics["smape"] == pytest.approx(np.concatenate(relative).mean(), rel=1e-4)
    mases = [maes[0].mean() / 2, maes[1].mean() / 2000]
    assert metrics["mase"] == pytest.approx(np.mean(mases), rel=1e-5)
    shown = next(view for view in evaluation.views if "by series" in view.title)
    worst = int(np.argmax(mases))
    assert shown.rows[0][0] == f"shop = {'AB'[worst]}"
    assert [row[3] for row in shown.rows] == pytest.approx(sorted(mases)[::-1], rel=1e-4)


def test_a_file_gets_a_forecast_of_each_series_behind_its_own_last_row(prepare: Make) -> None:
    made = prepare(KIND, table(A, B), **SHORT)
    new = shop("new", 3, "2025-01-01", 10.0)
    told: list[Any] = []
    source = made.task.encode_new(table(B[:9], A, new), made.fitted, CPU, told.append)
    records = [
        r
        for batch in source.read(source.plan(2))
        for r in made.task.predict(Last(), batch, made.fitted)
    ]
    expected = [
        ("B", "2024-02-19", 8000.0), ("B", "2024-02-20", 8000.0),
        ("A", "2024-02-10", 42.0), ("A", "2024-02-11", 42.0),
        ("new", "2025-01-04", 20.0), ("new", "2025-01-05", 20.0),
    ]  # fmt: skip
    found = [(r["shop"], str(r["day"])[:10], pytest.approx(r["sales"], rel=1e-5)) for r in records]
    assert found == expected
    messages = [event.message for event in told]
    assert any("shop = new, not in training" in text for text in messages)
    assert any("shop = new, with less than 4 rows" in text for text in messages)


def test_the_calendar_of_the_future_goes_on_from_the_last_day_of_each_series(prepare: Make) -> None:
    made = prepare(KIND, table(A, B), calendar=True, **SHORT)
    batch = batch_of(made.task.encode_new(table(A, B), made.fitted, CPU, lambda event: None))
    # A ends on Friday, 9 February 2024, and B on Thursday, 29 February.
    weekdays = np.array([[5, 6], [4, 5]])
    found = batch.inputs["future"][..., 0].numpy()
    assert found == pytest.approx(np.sin(2 * np.pi * weekdays / 7), abs=1e-6)
