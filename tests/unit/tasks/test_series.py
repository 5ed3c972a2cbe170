"""Series, from files to windows, and from a network's outputs to forecasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from engine.data.dates.written_moment import as_timestamps
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.series.splits import series_note
from engine.errors import DataError

Make = Callable[..., Any]
KIND = "forecasting"
HOUR = 3_600_000_000
"""Microseconds."""
CPU = torch.device("cpu")
SHORT = {"window": 4, "horizon": 2}


def hours(count: int) -> list[str]:
    """Hours from Monday, 1 January 2024 on."""
    return [f"2024-01-{1 + i // 24:02} {i % 24:02}:00" for i in range(count)]


def climbing(count: int) -> dict[str, list[Any]]:
    """A load that climbs and swings by turns, and the wind beside it."""
    return {
        "time": hours(count),
        "wind": [float(i % 5) for i in range(count)],
        "load": [float(i + 3 * (i % 2)) for i in range(count)],
    }


def test_mean_deviation_and_naive_error_are_those_of_the_training_rows(prepare: Make) -> None:
    rows = climbing(20)
    fitted = prepare(KIND, rows, data={"test_fraction": 0.2}, season=4, **SHORT).fitted
    load, wind = np.array(rows["load"][:16]), np.array(rows["wind"][:16])
    assert (fitted.time, fitted.targets, fitted.inputs) == ("time", ["load"], ["wind"])
    assert fitted.mean == pytest.approx([load.mean(), wind.mean()])
    assert fitted.std == pytest.approx([load.std(), wind.std()])
    # Mean |y(t) − y(t − season)|: after four rows the load is 4 higher.
    assert fitted.naive_error == [4]
    assert (fitted.unit, fitted.step, fitted.regular, fitted.season) == ("time", HOUR, True, 4)


def test_a_season_that_is_not_given_is_found(prepare: Make) -> None:
    days = np.arange(24 * 8)
    rows = {"time": hours(len(days)), "load": np.sin(2 * np.pi * days / 24).tolist()}
    fitted = prepare(KIND, rows, **SHORT).fitted
    assert fitted.season == 24
    assert fitted.naive_error == pytest.approx([0], abs=1e-12)


@pytest.mark.parametrize(("season", "noted"), [(4, False), (5, True)])
def test_a_season_that_the_window_does_not_hold_is_told(
    prepare: Make, season: int, noted: bool
) -> None:
    prepared = prepare(KIND, climbing(20), data={"test_fraction": 0.2}, season=season, **SHORT)
    notes = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).notes
    texts = [note.why for note in notes if "the baseline repeats the last value" in note.why]
    assert bool(texts) is noted


def test_an_input_that_never_changes_is_not_scaled(prepare: Make) -> None:
    fitted = prepare(KIND, climbing(12) | {"wind": [3.0] * 12}, **SHORT).fitted
    assert (fitted.mean[1], fitted.std[1]) == (3, 1)


def test_splits_follow_in_time_each_with_a_window_of_what_came_before(pipeline: Make) -> None:
    aside = {"validation_fraction": 0.2, "test_fraction": 0.2}
    raw = pipeline(KIND, climbing(40), data=aside, **SHORT).load()
    load = climbing(40)["load"]
    assert {name: table["load"].to_pylist() for name, table in raw.splits.items()} == {
        TRAIN: load[:24], VALIDATION: load[20:32], TEST: load[28:],
    }  # fmt: skip
    contexts = {name: series_note(table).context for name, table in raw.splits.items()}
    assert contexts == {TRAIN: 0, VALIDATION: 4, TEST: 4}
    assert tuple(note.why for note in raw.notes) == (
        "load is forecast, as no target is named",
        "the last 8 rows (20%) were set aside for test",
        "the last 8 rows (20%) were set aside for validation",
    )


def test_gaps_and_columns_that_are_not_used_are_noted(pipeline: Make) -> None:
    rows = climbing(14) | {"station": ["north"] * 14}
    rows = {name: values[:5] + values[7:] for name, values in rows.items()}
    raw = pipeline(KIND, rows, **SHORT).load()
    # A straight line between the loads of the rows on both sides of the gap, 4 and 10.
    assert raw.train["load"].to_pylist()[4:8] == pytest.approx([4, 6, 8, 10])
    assert raw.train.num_rows == 14
    assert "1 gap in time with 2 steps of 1 hour in all, filled (linear)" in raw.notes[0].why
    assert raw.notes[1].why == "not used: station (string)"


@pytest.mark.parametrize(
    ("change", "task", "message"),
    [
        ({}, {"window": 20}, "The train rows are too few: 12, where a window of 20 and a horizon "
         "of 2 need 22."),
        ({"load": [5.0] * 12}, {"targets": ["load"]},
         "The target 'load' is the same in all training rows."),
        ({}, {"targets": ["loads"]}, "The data has no column 'loads' (task.targets)."),
        ({}, {"split_rows": [10, 5, 5]}, "task.split_rows asks for 20 rows; the data has 12."),
        ({"load": ["1"] * 11 + ["high"]}, {"targets": ["load"]},
         "The column 'load' holds 'high' in row 12, which is not a number."),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_forecast_are_refused(
    pipeline: Make, change: dict[str, Any], task: dict[str, Any], message: str
) -> None:
    own = pipeline(KIND, climbing(12) | change, **SHORT | task)
    with pytest.raises(DataError) as refused:
        own.fit(own.load())
    assert refused.value.message == message


def test_windows_are_standardised_and_followed_by_what_is_to_be_forecast(prepare: Make) -> None:
    prepared = prepare(KIND, climbing(12), stride=3, **SHORT)
    batch = prepared.encoded()
    columns = [np.array(climbing(12)[name]) for name in ("load", "wind")]
    load, wind = ((values - values.mean()) / values.std() for values in columns)
    # Every third of the 12 − (4 + 2) + 1 windows.
    assert batch.weight == 3
    assert batch.inputs["time"].tolist() == [
        np.datetime64(f"2024-01-01T{hour:02}", "us").astype(int) for hour in (3, 6, 9)
    ]
    for window, begin in enumerate((0, 3, 6)):
        past = np.stack([load[begin : begin + 4], wind[begin : begin + 4]], 1)
        np.testing.assert_allclose(batch.inputs["past"][window], past, rtol=1e-5, atol=1e-6)
        coming = load[begin + 4 : begin + 6, None]
        np.testing.assert_allclose(batch.targets[window], coming, rtol=1e-5, atol=1e-6)
    assert batch.inputs["future"].shape == (3, 2, 0)


def test_calendar_features_stand_beside_the_past_and_are_known_of_the_future(prepare: Make) -> None:
    batch = prepare(KIND, climbing(30), calendar=True, **SHORT).encoded()
    # The window that begins in hour 20 ends in hour 23; the next day, a Tuesday, is to come.
    hour = np.arange(20, 26)
    angles = [2 * np.pi * hour / length for length in (24, 7 * 24, 365.25 * 24)]
    expected = np.stack([wave(angle) for angle in angles for wave in (np.sin, np.cos)], 1)
    np.testing.assert_allclose(batch.inputs["past"][20, :, 2:], expected[:4], atol=1e-6)
    np.testing.assert_allclose(batch.inputs["future"][20], expected[4:], atol=1e-6)


def test_a_forecast_looks_back_at_the_last_window_alone(prepare: Make) -> None:
    prepared = prepare(KIND, climbing(12), calendar=True, **SHORT)
    new = climbing(10) | {"load": [0.0] * 6 + [1.0, 2.0, 3.0, 4.0]}
    batch = prepared.encoded_new(new)
    fitted = prepared.fitted
    scaled = (np.array([1, 2, 3, 4]) - fitted.mean[0]) / fitted.std[0]
    np.testing.assert_allclose(batch.inputs["past"][0, :, 0], scaled, rtol=1e-5)
    clock = np.sin(2 * np.pi * np.array([10, 11]) / 24)
    np.testing.assert_allclose(batch.inputs["future"][0, :, 0], clock, atol=1e-6)
    with pytest.raises(DataError, match=r"A forecast looks back at 4 rows; there are 3\."):
        prepared.encoded_new({name: values[:3] for name, values in new.items()})


def test_the_network_takes_in_channels_calendar_and_horizon(prepare: Make) -> None:
    prepared = prepare(KIND, climbing(12), calendar=True, model={"kind": "lstm", "hidden_size": 3},
                       **SHORT)  # fmt: skip
    batch = prepared.encoded()
    assert batch.inputs["past"].shape == (7, 4, 2 + 6)
    forecast = prepared.network()(batch.inputs["past"], batch.inputs["future"])
    assert forecast.shape == batch.targets.shape == (7, 2, 1)


def forecasting_in_deviations(prepared: Any, *deviations: float) -> Any:
    """Return a network that always forecasts the same, in deviations from the mean."""
    network = prepared.zeroed()
    network.trend[0].bias.data = torch.tensor(deviations)
    return network


def test_forecasts_have_the_units_of_the_data_and_the_hours_that_follow(prepare: Make) -> None:
    prepared = prepare(KIND, climbing(12), targets=["load", "wind"], **SHORT)
    mean, std = prepared.fitted.mean, prepared.fitted.std
    network = forecasting_in_deviations(prepared, 0.0, 2.0)
    assert prepared.predictions(network, climbing(9)) == [
        {"time": "2024-01-01 09:00", "load": pytest.approx(mean[0]),
         "wind": pytest.approx(mean[1])},
        {"time": "2024-01-01 10:00", "load": pytest.approx(mean[0] + 2 * std[0]),
         "wind": pytest.approx(mean[1] + 2 * std[1])},
    ]  # fmt: skip


def test_without_times_rows_are_counted_along(prepare: Make) -> None:
    rows = {"y": [float(i % 3) for i in range(12)]}
    prepared = prepare(KIND, rows, **SHORT)
    assert prepared.task.pipeline.inputs(prepared.fitted) == ("y",)
    records = prepared.predictions(forecasting_in_deviations(prepared, 0.0, 0.0), rows)
    assert records == [{"row": 13, "y": pytest.approx(1)}, {"row": 14, "y": pytest.approx(1)}]


def test_months_follow_by_the_calendar(prepare: Make) -> None:
    ends = ["2023-08-31", "2023-09-30", "2023-10-31", "2023-11-30", "2023-12-31", "2024-01-31"]
    prepared = prepare(KIND, {"date": ends, "y": [1.0, 2.0, 1.0, 2.0, 3.0, 3.0]}, **SHORT)
    assert (prepared.fitted.unit, prepared.fitted.step) == ("month", 1)
    records = prepared.predictions(
        forecasting_in_deviations(prepared, 0.0, 0.0), prepared.raw.train
    )
    assert [record["date"] for record in records] == ["2024-02-29", "2024-03-31"]


def test_rows_without_a_target_at_the_end_are_the_future(prepare: Make) -> None:
    known = prepare(KIND, climbing(12), **SHORT)
    rows = climbing(15) | {"load": [*climbing(12)["load"], None, None, None]}
    with_future = prepare(KIND, rows, **SHORT)
    assert with_future.raw.train.equals(known.raw.train)
    assert with_future.fitted == known.fitted
    *told, target = (note.why for note in with_future.raw.notes)
    assert target == "load is forecast, as no target is named"
    assert told == [
        "3 rows at the end without load: left out, as the future to forecast; a forecast does not "
        "use their wind",
    ]
    records = with_future.predictions(forecasting_in_deviations(with_future, 0.0, 0.0), rows)
    assert [record["time"] for record in records] == ["2024-01-01 12:00", "2024-01-01 13:00"]
    assert [event.message for event in with_future.events] == told


def test_a_split_without_any_target_is_not_used(pipeline: Make) -> None:
    later = {name: values[12:] for name, values in climbing(20).items()} | {"load": [None] * 8}
    raw = pipeline(KIND, climbing(12), test=later, **SHORT).load()
    assert TEST not in raw.splits
    assert "test: no row has a target, so it is not used" in [note.why for note in raw.notes]


def with_a_gap(count: int) -> dict[str, list[Any]]:
    """Return rows in which the loads of hours 6 and 7 are missing."""
    rows = climbing(count)
    return rows | {"load": [None if i in (6, 7) else v for i, v in enumerate(rows["load"])]}


def test_the_loss_is_that_of_the_values_that_are_known(prepare: Make) -> None:
    prepared = prepare(KIND, with_a_gap(12), **SHORT)
    batch = prepared.encoded()
    # Windows of 4 rows, the first ending in hour 3: the truths are of hours 4 and 5, 5 and 6 …
    known = [[True, True], [True, False], [False, False], [False, True], [True, True]]
    assert batch.inputs["known"][:5, :, 0].tolist() == known
    assert batch.weight == pytest.approx(1 + 0.5 + 0 + 0.5 + 1 + 1 + 1)
    mean, std = prepared.fitted.mean[0], prepared.fitted.std[0]
    load = climbing(12)["load"]
    truth = [load[begin + step] for begin in range(7) for step in (4, 5)
             if begin + step not in (6, 7)]  # fmt: skip
    assert len(truth) == 10
    expected = np.mean(((np.array(truth) - mean) / std) ** 2)
    network = forecasting_in_deviations(prepared, 0.0, 0.0)
    assert prepared.loss(network, batch) == pytest.approx(expected, rel=1e-5)
    evaluator = prepared.task.evaluator(prepared.fitted)
    with torch.no_grad():
        evaluator.update(network, batch)
    assert evaluator.compute().metrics["mse_scaled"] == pytest.approx(expected, rel=1e-5)


def test_the_naive_error_is_that_of_known_values(prepare: Make) -> None:
    rows = with_a_gap(16)
    load = rows["load"]
    expected = np.mean([abs(b - a) for a, b in zip(load, load[3:], strict=False)
                        if a is not None and b is not None])  # fmt: skip
    assert prepare(KIND, rows, season=3, **SHORT).fitted.naive_error == pytest.approx([expected])


def test_a_later_file_is_read_with_the_order_of_day_and_month_of_training(prepare: Make) -> None:
    days = [f"01/{month:02}/{year}" for year in (2020, 2021) for month in range(1, 13)]
    rows = {"date": days, "y": [float(i % 5) for i in range(24)]}
    prepared = prepare(KIND, rows, **SHORT)
    assert (prepared.fitted.unit, prepared.fitted.spelling) == ("month", "%d/%m/%Y")
    later = {"date": [f"01/{month:02}/2022" for month in range(1, 5)], "y": [1.0, 2.0, 3.0, 4.0]}
    records = prepared.predictions(forecasting_in_deviations(prepared, 0.0, 0.0), later)
    assert [record["date"] for record in records] == ["01/05/2022", "01/06/2022"]


def test_a_year_and_a_month_are_asked_for_again(prepare: Make) -> None:
    rows = {"year": [2020 + i // 12 for i in range(24)], "month": [1 + i % 12 for i in range(24)],
            "y": [float(i % 5) for i in range(24)]}  # fmt: skip
    prepared = prepare(KIND, rows, **SHORT)
    assert prepared.task.pipeline.inputs(prepared.fitted) == ("year", "month", "y")
    records = prepared.predictions(forecasting_in_deviations(prepared, 0.0, 0.0), rows)
    assert [record["year month"] for record in records] == ["2022-01-01", "2022-02-01"]


def test_a_state_that_was_fitted_before_dates_were_kept_still_serves(prepare: Make) -> None:
    prepared = prepare(KIND, climbing(12), **SHORT)
    old = prepared.fitted.model_dump(exclude={"time_parts", "spelling", "anchor", "zone"})
    restored = type(prepared.fitted).model_validate(old)
    batch = prepared.task.encode_new(pa.table(climbing(9)), restored, CPU, lambda event: None)
    assert len(batch) == 1


def test_times_that_cannot_be_read_are_reported(pipeline: Make) -> None:
    rows = climbing(12) | {"time": [f"shift {i}" for i in range(12)]}
    raw = pipeline(KIND, rows, **SHORT).load()
    told = "time holds no dates that can be read, such as 'shift 0'; rows are taken in their order"
    assert told in [note.why for note in raw.notes]


def test_a_later_file_is_read_in_the_format_of_numbers_of_training(prepare: Make) -> None:
    rows = climbing(12) | {"load": [f"{1000 * i + 234.5:,.1f}" for i in range(12)]}
    prepared = prepare(KIND, rows, targets=["load"], **SHORT)
    assert prepared.fitted.number_formats["load"].example == "1,234.5"
    later = climbing(4) | {"load": ["1,234", "2,345", "3,456", "4,567"]}
    series = prepared.task.pipeline.series(pa.table(later), prepared.fitted)
    assert series.values[:, 0].tolist() == [1234.0, 2345.0, 3456.0, 4567.0]


def test_the_format_of_numbers_of_training_decides_what_later_files_mean(prepare: Make) -> None:
    rows = climbing(12) | {"load": [f"{i},25" for i in range(12)]}
    prepared = prepare(KIND, rows, targets=["load"], **SHORT)
    later = climbing(4) | {"load": ["1,234", "2,345", "3,456", "4,567"]}
    series = prepared.task.pipeline.series(pa.table(later), prepared.fitted)
    assert series.values[:, 0].tolist() == [1.234, 2.345, 3.456, 4.567]
    wrong = climbing(4) | {"load": ["1,5", "2,5", "3,5", "1.234,5"]}
    with pytest.raises(DataError, match=r"'load' holds '1.234,5' in row 4.* such as 1234,5"):
        prepared.task.pipeline.series(pa.table(wrong), prepared.fitted)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([201501 + i for i in range(12)], [201601, 201602]),
        ([f"2015M{i:02}" for i in range(1, 13)], ["2016M01", "2016M02"]),
        ([f"{i}/1/2015" for i in range(1, 13)], ["1/1/2016", "2/1/2016"]),
        ([f"Q{i % 4 + 1} {2012 + i // 4}" for i in range(12)], ["Q1 2015", "Q2 2015"]),
        ([f"2015-W{i:02}" for i in range(42, 54)], ["2016-W01", "2016-W02"]),
        ([f"2015-{i:02}" for i in range(1, 13)], ["2016-01", "2016-02"]),
        ([20150120 + i for i in range(12)], [20150201, 20150202]),
        ([1_700_000_000 + 3600 * i for i in range(12)], [1_700_043_200, 1_700_046_800]),
    ],
)
def test_forecasts_write_times_like_the_training_rows(
    prepare: Make, written: list[Any], expected: list[Any]
) -> None:
    rows = {"date": written, "y": [float(i % 5) for i in range(12)]}
    prepared = prepare(KIND, rows, **SHORT)
    records = prepared.predictions(forecasting_in_deviations(prepared, 0.0, 0.0), rows)
    assert [record["date"] for record in records] == expected


def test_a_column_that_never_changes_is_not_forecast_unless_it_is_named(prepare: Make) -> None:
    rows = {"time": hours(12), "wind": climbing(12)["wind"], "change": [0.5] * 12}
    prepared = prepare(KIND, rows, **SHORT)
    assert prepared.fitted.targets == ["wind"]
    assert "wind is forecast, as no target is named" in [note.why for note in prepared.raw.notes]


def test_formats_that_are_set_for_columns_of_a_series_are_used(prepare: Make) -> None:
    days = [f"0{i % 9 + 1}/0{i // 9 + 1}/2020" for i in range(18)]
    swinging = [float(i % 5) for i in range(18)]
    rows = {"when": days, "x": ["1.234"] * 9 + ["2.345"] * 9, "y": swinging,
            "z": [1.0] * 18}  # fmt: skip
    columns = {"when": "date %d/%m/%Y", "x": "numeric 1.234,5", "z": "ignored"}
    prepared = prepare(KIND, rows, targets=["x"], data={"columns": columns}, **SHORT)
    assert prepared.fitted.spelling == "%d/%m/%Y"
    assert prepared.fitted.inputs == ["y"]
    assert prepared.raw.train["x"].to_pylist()[0] == 1234


def test_a_column_that_is_usually_forecast_is_taken_before_those_beside_it(prepare: Make) -> None:
    rows = {"date": hours(12), "Close": [float(i % 5) for i in range(12)],
            "Volume": [float(i % 7) for i in range(12)]}  # fmt: skip
    assert prepare(KIND, rows, **SHORT).fitted.targets == ["Close"]


@pytest.mark.parametrize(
    ("written", "why", "kind", "change"),
    [
        (
            [f"{i + 1},{100 + i}" for i in range(12)],
            "1,100 is read with thousands; it may be a fraction as well",
            "doubt",
            'data.columns.load="numeric 1.234,5"',
        ),
        (
            [f"{i + 1}.{100 + i} €" for i in range(12)],
            "1.100 € is read as a fraction; it may have thousands as well",
            "doubt",
            'data.columns.load="numeric 1.234,5"',
        ),
        (
            [f"{i + 1},{100 + i}.5" for i in range(12)],
            "numbers are written like 1,234.5",
            "converted",
            "",
        ),
    ],
)
def test_numbers_of_a_series_that_are_written_otherwise_or_in_doubt_are_noted(
    pipeline: Make, written: list[str], why: str, kind: str, change: str
) -> None:
    notes = pipeline(KIND, climbing(12) | {"load": written}, targets=["load"], **SHORT).load().notes
    found = [note for note in notes if note.column == "load"]
    assert [(n.why, n.kind, n.change, n.rows) for n in found] == [(why, kind, change, 12)]


@pytest.mark.parametrize("zone", ["", "Europe/Berlin"])
def test_times_of_a_forecast_know_their_moment_and_zone(prepare: Make, zone: str) -> None:
    starts = pd.date_range("2024-03-30", periods=24, freq="h", tz=zone or None)
    rows = pa.table({"time": pa.array(starts), "load": [float(i % 4) for i in range(24)]})
    prepared = prepare(KIND, rows, **SHORT)
    records = prepared.predictions(prepared.network(), rows)
    found = as_timestamps([record["time"] for record in records])
    assert found is not None
    expected = pd.date_range(starts[-1], periods=3, freq="h")[1:]  # the clocks change that night
    assert found.to_pylist() == expected.to_pydatetime().tolist()
    assert found.type.tz == (zone or None)
    assert all(isinstance(record["time"], str) for record in records)


def test_rows_by_number_have_no_moment() -> None:
    assert as_timestamps([1, 2]) is None
    assert as_timestamps([]) is None


@pytest.mark.parametrize(("loss", "said"), [("mse", "no bands"), ("quantile", "of the network")])
def test_a_run_without_validation_rows_says_what_its_bands_are(
    prepare: Make, loss: str, said: str
) -> None:
    for share, count in ((0.0, 1), (0.3, 0)):
        data = {"validation_fraction": share}
        prepared = prepare(KIND, climbing(30), data=data, loss=loss, **SHORT)
        notes = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).notes
        found = [note for note in notes if note.change == "data.validation_fraction"]
        assert len([note for note in found if said in note.why]) == count


def test_a_later_file_may_begin_with_its_newest_row(prepare: Make) -> None:
    made = prepare(KIND, climbing(40), **SHORT)
    rows = pa.table(climbing(60))
    network = made.network()
    newest_first = rows.take(list(range(60))[::-1])
    expected = made.predictions(network, rows)
    assert made.predictions(network, newest_first) == expected
    fitted = made.fitted.model_copy(update={"bands": [[[-1.0, 0.0, 1.0]]] * 2})
    recent = made.task.calibration(fitted).recent
    for table in (rows, newest_first):
        assert recent(network, table, lambda event: None).own_bands == {}
