"""Columns that a forecast knows ahead: numbers, categories, static columns, public holidays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from engine.errors import DataError
from engine.pipelines.series.fitted import SeriesFitted

Make = Callable[..., Any]
KIND = "forecasting"
SHORT = {"window": 4, "horizon": 2}
PRICES = [5.0, 7.0, 6.0, 8.0]
SKIES = ["sun", "rain", "snow"]


def sales(count: int = 20, start: str = "2024-01-01", shop: str = "") -> pd.DataFrame:
    """Days with a price, a flag and a sky, which are known ahead."""
    steps = np.arange(count)
    frame = pd.DataFrame({
        "day": pd.date_range(start, periods=count, freq="D"),
        "sales": steps + 3.0 * (steps % 2),
        "price": np.resize(PRICES, count),
        "promo": steps % 5 == 0,
        "sky": np.resize(SKIES, count),
        "rain": steps * 0.5,
    })  # fmt: skip
    return frame.assign(shop=shop) if shop else frame


KNOWN = {"known_future": ["price", "promo", "sky"]}
AHEAD = ["day", "price", "promo", "sky"]


def rows(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def test_known_columns_stand_beside_the_past_and_in_the_horizon(prepare: Make) -> None:
    frame = sales()
    made = prepare(KIND, rows(frame), **KNOWN, **SHORT)
    fitted: SeriesFitted = made.fitted
    assert (fitted.inputs, fitted.known) == (["rain"], ["price", "promo"])
    assert fitted.categories == {"sky": ("rain", "snow", "sun")}
    batch = made.encoded()
    prices = frame["price"].to_numpy()
    expected = np.stack(
        [
            (prices - prices.mean()) / prices.std(),
            frame["promo"] * 1.0,
            *(frame["sky"] == sky for sky in ("rain", "snow", "sun")),
        ],
        1,
    )
    windows = range(len(frame) - 5)
    past = np.stack([expected[i : i + 4] for i in windows])
    future = np.stack([expected[i + 4 : i + 6] for i in windows])
    assert batch.inputs["past"][..., 2:].numpy() == pytest.approx(past, abs=1e-6)
    assert batch.inputs["future"].numpy() == pytest.approx(future, abs=1e-6)


@pytest.mark.parametrize("model", ["lstm", "dlinear", "nhits", "tsmixer", "patchtst"])
def test_a_forecast_of_any_network_depends_on_what_is_known_ahead(
    prepare: Make, model: str
) -> None:
    own = {"kind": model} | ({"patch_size": 2, "patch_stride": 2} if model == "patchtst" else {})
    made = prepare(KIND, rows(sales()), model=own, **KNOWN, **SHORT)
    past, coming = sales(8), sales(10)[8:].assign(sales=np.nan)
    network = made.network()
    dearer = coming.assign(price=[20.0, 30.0])
    forecasts = [made.predictions(network, rows(pd.concat([past, c]))) for c in (coming, dearer)]
    values = np.array([[record["sales"] for record in records] for records in forecasts])
    assert (np.abs(values[0] - values[1]) > 1e-6).all()


def test_columns_known_ahead_are_combined_with_each_other_and_the_calendar_adds_up(
    prepare: Make,
) -> None:
    for known, combined in ((KNOWN, True), ({}, False)):
        made = prepare(KIND, rows(sales()), calendar=True, **known, **SHORT)
        features = made.encoded().inputs["future"][:1, :1]
        effect = made.network().calendar
        one, other = torch.rand_like(features), torch.rand_like(features)
        bias = effect(torch.zeros_like(one))
        together = effect(one + other) - bias
        apart = effect(one) + effect(other) - 2 * bias
        assert torch.allclose(together, apart, atol=1e-6) != combined


def test_rows_of_a_future_file_and_rows_at_the_end_are_the_same_future(prepare: Make) -> None:
    made = prepare(KIND, rows(sales()), **KNOWN, **SHORT)
    whole = sales(10)
    past, coming = rows(whole[:8]), rows(whole[8:][AHEAD])
    joined, notes = made.task.pipeline.with_future(past, coming, made.fitted)
    assert not notes
    at_end = rows(whole.assign(sales=whole["sales"].where(whole.index < 8)))
    one, other = made.encoded_new(joined), made.encoded_new(at_end)
    last = made.encoded(rows(sales()[4:10])).inputs["future"][-1:]
    for batch in (one, other):
        assert torch.equal(batch.inputs["future"], last)
        assert batch.inputs["time"].tolist() == [int(whole["day"][7].value // 1000)]


def test_a_category_that_training_had_missing_is_one_of_its_own(prepare: Make) -> None:
    frame = sales()
    frame["sky"] = frame["sky"].where(frame["sky"] != "sun")
    made = prepare(KIND, rows(frame), **KNOWN, **SHORT)
    assert made.fitted.categories == {"sky": ("", "rain", "snow")}
    assert made.encoded().inputs["future"][0, :, 2:].tolist() == [[0, 1, 0], [0, 0, 1]]


def test_numbers_that_are_set_as_categories_get_a_feature_each(prepare: Make) -> None:
    frame = sales().assign(code=np.resize([1, 2, 3], 20))
    data = {"columns": {"code": "categorical"}}
    made = prepare(KIND, rows(frame), data=data, known_future=["code"], **SHORT)
    assert made.fitted.categories == {"code": ("1", "2", "3")}
    assert made.encoded().inputs["future"][0].tolist() == [[0, 1, 0], [0, 0, 1]]


def test_a_known_column_that_is_missing_in_the_horizon_is_named_with_its_time(
    prepare: Make,
) -> None:
    made = prepare(KIND, rows(sales()), **KNOWN, **SHORT)
    whole = sales(10).assign(sales=sales(10)["sales"].where(np.arange(10) < 8))
    hole = whole.assign(price=whole["price"].where(whole.index != 9))
    with pytest.raises(DataError, match=r"'price', known.*no value for 2024-01-10, step 2 of a"):
        made.encoded_new(rows(hole))
    no_sky = whole.assign(sky=whole["sky"].where(whole.index != 8))
    with pytest.raises(DataError, match=r"'sky', known.*no value for 2024-01-09, step 1"):
        made.encoded_new(rows(no_sky))
    with pytest.raises(DataError, match=r"no row with price, promo, sky for 2024-01-10, step 2"):
        made.encoded_new(rows(whole[:9]))
    with pytest.raises(DataError, match=r"no row with price.*for 2024-01-09.*--future"):
        made.encoded_new(rows(whole[:8]))


def test_a_new_category_of_the_future_is_counted(prepare: Make) -> None:
    made = prepare(KIND, rows(sales()), **KNOWN, **SHORT)
    whole = sales(10).assign(sales=sales(10)["sales"].where(np.arange(10) < 8))
    whole.loc[9, "sky"] = "hail"
    [note] = made.task.pipeline.unfit(rows(whole), made.fitted)
    assert (note.column, note.rows) == ("sky", 1)
    assert "'hail'" in note.why
    assert made.encoded_new(rows(whole)).inputs["future"][0, 1, 2:].tolist() == [0, 0, 0]


def test_rows_of_a_future_file_before_the_end_of_the_past_are_counted(prepare: Make) -> None:
    made = prepare(KIND, rows(sales()), **KNOWN, **SHORT)
    whole, with_future = sales(10), made.task.pipeline.with_future
    joined, [note] = with_future(rows(whole[:8]), rows(whole[5:][AHEAD]), made.fitted)
    assert joined.num_rows == 10
    assert note.why == "3 rows of the future file before the end of the past: left out"
    with pytest.raises(DataError, match="All 3 rows of the future file lie before the end"):
        with_future(rows(whole[:8]), rows(whole[5:8][AHEAD]), made.fitted)


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (lambda days: days.strftime("%d/%m/%Y"), "written %d/%m/%Y"),
        (lambda days: days.strftime("%d.%m.%Y"), "written %d.%m.%Y"),
        (lambda days: days.strftime("%d %b %Y"), "written %d %b %Y"),
        (lambda days: days.strftime("%Y-%m-%d"), ""),
    ],
)
def test_dates_that_a_future_file_writes_otherwise_are_told(
    prepare: Make, times: Any, why: str
) -> None:
    """They were read without a word."""
    text = sales().assign(day=lambda frame: frame["day"].dt.strftime("%Y-%m-%d"))
    made = prepare(KIND, rows(text), **KNOWN, **SHORT)
    future = sales(2, "2024-01-21").assign(day=lambda frame: times(frame["day"].dt))
    _, notes = made.task.pipeline.with_future(rows(text), rows(future[AHEAD]), made.fitted)
    assert [why in note.why for note in notes] == [True] * bool(why)
    assert all(note.why.startswith("in the future file, ") for note in notes)


def test_what_is_wrong_in_a_future_file_is_said_of_it(prepare: Make) -> None:
    made = prepare(KIND, rows(sales()), **KNOWN, **SHORT)
    past, coming = sales(10)[:8], sales(10)[8:][AHEAD]
    with_future = made.task.pipeline.with_future
    for column, value in (("price", "cheap"), ("day", "soon")):
        wrong = rows(coming.assign(**{column: value}))
        with pytest.raises(DataError, match=f"^In the future file: The .*'{column}' holds"):
            with_future(rows(past), wrong, made.fitted)
    empty = coming.assign(price=None)
    joined, _ = with_future(rows(past), rows(empty), made.fitted)
    with pytest.raises(DataError, match="'price', known ahead in training, has no value for"):
        made.encoded_new(joined)


def test_rows_without_times_are_continued_by_those_of_the_future(prepare: Make) -> None:
    frame = sales().drop(columns="day")
    made = prepare(KIND, rows(frame), **KNOWN, **SHORT)
    past, coming = rows(frame[:8]), rows(frame[8:10][AHEAD[1:]])
    joined, _ = made.task.pipeline.with_future(past, coming, made.fitted)
    future = made.encoded_new(joined).inputs["future"]
    assert torch.equal(future, made.encoded(rows(frame[4:10])).inputs["future"])


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("other", ["texts", "numbers", "categories", "dates"])
def test_past_and_future_may_come_from_files_of_different_formats(
    prepare: Make, other: str, zone: str | None
) -> None:
    def hours(frame: pd.DataFrame) -> pd.DataFrame:
        times = pd.date_range("2024-01-01", periods=len(frame), freq="6h", tz=zone)
        return frame.assign(day=times, store=1)

    made = prepare(KIND, rows(hours(sales())), targets=["sales"], **KNOWN, **SHORT)
    whole = hours(sales(10))
    past, coming = whole[:8], whole[8:][AHEAD]
    changed = {
        "texts": {"day": coming["day"].map(lambda time: time.isoformat()), "price": ["5.0", "7.0"]},
        "numbers": {"promo": coming["promo"].astype(int), "price": coming["price"].astype(int)},
        "categories": {"sky": coming["sky"].astype("category")},
        "dates": {"day": coming["day"].dt.as_unit("s")},
    }[other]
    joined, _ = made.task.pipeline.with_future(
        rows(past), rows(coming.assign(**changed)), made.fitted
    )
    new = made.encoded_new(joined).inputs
    expected = made.encoded(rows(whole[4:])).inputs
    assert torch.equal(new["future"], expected["future"])
    assert torch.equal(new["past"], expected["past"])


def test_of_irregular_times_each_row_of_the_future_is_one_step(prepare: Make) -> None:
    seconds = np.random.default_rng(0).integers(10_000, 90_000, 20)
    gaps = pd.to_timedelta(np.cumsum(seconds), "s")
    frame = sales().assign(day=pd.Timestamp("2024-01-01") + gaps)
    made = prepare(KIND, rows(frame), **KNOWN, **SHORT)
    assert not made.fitted.regular
    whole = frame[:10].assign(sales=frame["sales"].where(frame.index < 8))
    future = made.encoded_new(rows(whole)).inputs["future"]
    assert torch.equal(future, made.encoded(rows(frame[4:10])).inputs["future"])


def test_a_column_of_two_roles_is_refused(pipeline: Make) -> None:
    frame = rows(sales())
    for role in ("targets", "inputs"):
        with pytest.raises(DataError, match=rf"'price' is in task.known_future and in task.{role}"):
            pipeline(KIND, frame, known_future=["price"], **{role: ["price"]}, **SHORT).load()
    with pytest.raises(DataError, match=r"no column 'prize' \(task.known_future\)"):
        pipeline(KIND, frame, known_future=["prize"], **SHORT).load()
    when = rows(sales().assign(when=sales()["day"]))
    with pytest.raises(DataError, match=r"'when' holds timestamp"):
        pipeline(KIND, when, time="day", known_future=["when"], **SHORT).load()


# Many series


def shops() -> pd.DataFrame:
    return pd.concat([sales(20, shop="A"), sales(16, "2024-02-01", "B"), sales(18, shop="C")])


def coming_of(frame: pd.DataFrame, steps: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of each shop but the last ``steps``, and what is known of these."""
    last = frame.groupby("shop").cumcount(ascending=False) < steps
    return frame[~last], frame[last][["shop", *AHEAD]]


def test_the_future_of_each_series_is_found_by_its_name_and_time(prepare: Make) -> None:
    made = prepare(KIND, rows(shops()), **KNOWN, **SHORT)
    past, coming = coming_of(shops())
    shuffled = rows(coming.sample(frac=1, random_state=0))
    joined, _ = made.task.pipeline.with_future(rows(past), shuffled, made.fitted)
    new, known = made.encoded_new(joined), made.encoded(rows(shops()))
    assert new.rows.to_pylist() == [{"shop": shop} for shop in "ABC"]
    names = [row["shop"] for row in known.rows.to_pylist()]
    lasts = [max(i for i, name in enumerate(names) if name == shop) for shop in "ABC"]
    assert torch.equal(new.inputs["future"], known.inputs["future"][lasts])


def test_series_of_the_future_alone_are_counted_and_refused_where_there_are_no_others(
    prepare: Make,
) -> None:
    made = prepare(KIND, rows(shops()), **KNOWN, **SHORT)
    past, coming = coming_of(shops())
    with_future = made.task.pipeline.with_future
    more = pd.concat([coming, coming.assign(shop="Z")[:2]])
    _, [note] = with_future(rows(past), rows(more), made.fitted)
    assert note.why == (
        "1 series of the future file, such as shop = Z, not in the past file: left out"
    )
    assert (note.rows, note.kind) == (2, "lost")
    with pytest.raises(DataError, match="shop = Z, not in the past file"):
        with_future(rows(past), rows(coming.assign(shop="Z")), made.fitted)


def test_series_whose_horizon_is_not_known_are_counted(prepare: Make) -> None:
    made = prepare(KIND, rows(shops()), **KNOWN, **SHORT)
    past, coming = coming_of(shops())
    partly = coming[~((coming["shop"] == "B") & (coming["day"] == coming["day"].max()))]
    joined, _ = made.task.pipeline.with_future(rows(past), rows(partly), made.fitted)
    assert [row["shop"] for row in made.encoded_new(joined).rows.to_pylist()] == ["A", "C"]
    texts = [event.message for event in made.events]
    assert any(
        "1 series left out: There is no row with price, promo, sky for 2024-02-16, step 2 of a "
        "horizon of 2 in shop = B" in text
        for text in texts
    )
    with pytest.raises(DataError, match="in shop = A, as in all 3 series"):
        made.encoded_new(rows(past))


def test_a_series_of_the_past_without_any_target_is_counted(prepare: Make) -> None:
    made = prepare(KIND, rows(shops()), **KNOWN, **SHORT)
    past, coming = coming_of(shops())
    past.loc[past["shop"] == "B", "sales"] = np.nan
    joined, _ = made.task.pipeline.with_future(rows(past), rows(coming), made.fitted)
    assert [row["shop"] for row in made.encoded_new(joined).rows.to_pylist()] == ["A", "C"]
    texts = [event.message for event in made.events]
    assert "1 series without any sales left out, such as shop = B" in texts


def test_flags_stay_and_other_known_columns_have_the_scale_of_each_series(prepare: Make) -> None:
    dear = sales(20, shop="B").assign(price=lambda f: 100 * f["price"])
    made = prepare(KIND, rows(pd.concat([sales(20, shop="A"), dear])), **KNOWN, **SHORT)
    future = made.encoded().inputs["future"].numpy()
    assert future[:15] == pytest.approx(future[15:], abs=1e-5)
    assert set(np.unique(future[..., 1:])) == {0.0, 1.0}


# Static columns


def regions() -> pd.DataFrame:
    size, region = {"A": 10.0, "B": 30.0, "C": 50.0}, {"A": "north", "B": "south", "C": "north"}
    frame = pd.concat([shops(), sales(20, shop="D")])
    size["D"], region["D"] = 30.0, "south"
    return frame.assign(size=frame["shop"].map(size), region=frame["shop"].map(region))


def test_columns_that_are_the_same_in_each_series_are_features_of_all_its_windows(
    prepare: Make,
) -> None:
    made = prepare(KIND, rows(regions()), targets=["sales"], **SHORT)
    assert [column.name for column in made.fitted.static] == ["size", "region"]
    assert "size" not in made.fitted.inputs
    batch = made.encoded()
    sizes = np.array([10.0, 30.0, 50.0, 30.0])
    scaled = (sizes - sizes.mean()) / sizes.std()
    north = np.array([1.0, 0.0, 1.0, 0.0])
    expected = np.stack([scaled, north, 1 - north], 1)[batch.inputs["series"].numpy()]
    for part in ("past", "future"):
        steps = batch.inputs[part].shape[1]
        static = batch.inputs[part][..., -3:].numpy()
        assert static == pytest.approx(np.repeat(expected[:, None], steps, 1), abs=1e-6)
    why = "size, region: the same in all rows of each series, so a static covariate"
    assert why in [note.why for note in made.raw.notes]


def test_a_static_column_that_changes_within_a_series_is_refused(pipeline: Make) -> None:
    frame = regions().reset_index(drop=True)
    frame.loc[3, "size"] = 99.0
    with pytest.raises(DataError, match=r"'size' has several values in.*shop = A: 10.0, and 99.0"):
        pipeline(KIND, rows(frame), static=["size"], **SHORT).load()
    with pytest.raises(DataError, match=r"static needs columns that tell series apart"):
        pipeline(KIND, rows(sales()), static=["price"], **SHORT).load()


def test_a_series_of_a_file_brings_its_static_values(prepare: Make) -> None:
    made = prepare(KIND, rows(regions()), targets=["sales"], **SHORT)
    new = sales(8, shop="new").assign(size=50.0, region="south")
    batch = made.encoded_new(rows(new))
    like_c = made.encoded().inputs["future"][made.encoded().inputs["series"] == 2][0, 0, 0]
    assert batch.inputs["future"][0, 0].tolist() == [like_c.item(), 0.0, 1.0]
    assert batch.rows.to_pylist() == [{"shop": "new"}]


def test_many_categories_are_embedded_before_the_network(prepare: Make) -> None:
    frames = [
        sales(12, shop=f"{number:02}").assign(region=f"region {number // 2}")
        for number in range(20)
    ]
    made = prepare(KIND, rows(pd.concat(frames)), model={"kind": "lstm", "hidden_size": 4}, **SHORT)
    network = made.network()
    assert network.embedding.weight.shape == (8, 10)
    inputs = made.encoded().inputs
    seen: list[torch.Tensor] = []
    network.network.register_forward_pre_hook(lambda _, arguments: seen.extend(arguments[:2]))
    network(inputs["past"], inputs["future"])
    regions = inputs["series"] // 2
    for part in seen:
        for step in range(part.shape[1]):
            assert torch.allclose(part[:, step, -8:], network.embedding.weight.T[regions])
    assert torch.equal(seen[0][..., :-8], inputs["past"][..., :-10])


# Public holidays

GERMANY_2024 = (
    (1, 1), (3, 29), (4, 1), (5, 1), (5, 9), (5, 20), (10, 3), (12, 25), (12, 26),
)  # fmt: skip
"""Those of the whole country, by its calendar of 2024."""


def holiday_steps(prepare: Make, times: pd.DatetimeIndex, place: str = "DE") -> np.ndarray:
    """The feature of each row from the second on."""
    frame = pd.DataFrame({"time": times, "y": np.arange(len(times)) ** 2.0})
    made = prepare(KIND, rows(frame), holidays=place, window=1, horizon=1)
    return made.encoded().inputs["future"][:, 0, 0].numpy()


def test_days_of_holidays_are_those_of_the_country(prepare: Make) -> None:
    days = pd.date_range("2023-12-31", "2024-12-31", freq="D")
    marked = days[1:][holiday_steps(prepare, days) == 1]
    assert [day.date() for day in marked] == [date(2024, *day) for day in GERMANY_2024]


def test_hours_of_a_holiday_are_those_of_the_clocks(prepare: Make) -> None:
    hours = pd.date_range("2024-09-30", periods=24 * 6, freq="h", tz="Europe/Berlin")
    marked = hours[1:][holiday_steps(prepare, hours) == 1]
    assert (
        marked.tolist() == pd.date_range("2024-10-03", periods=24, freq="h", tz=hours.tz).tolist()
    )


@pytest.mark.parametrize(
    ("freq", "expected"),
    [("MS", [0, 0, 1, 1, 3, 0, 0, 0, 0, 1, 0, 2]), ("W-MON", None), ("B", None)],
)
def test_longer_steps_count_the_holidays_in_them(
    prepare: Make, freq: str, expected: list[int] | None
) -> None:
    times = pd.date_range("2024-01-01", "2024-12-29", freq=freq)
    if expected is None:
        days = pd.to_datetime([f"2024-{month}-{day}" for month, day in GERMANY_2024])
        if freq == "B":
            expected = [int(time in days) for time in times]
        else:
            ends = times + pd.Timedelta(days=7)
            expected = [
                int(((days >= a) & (days < b)).sum()) for a, b in zip(times, ends, strict=True)
            ]
    assert holiday_steps(prepare, times).tolist() == expected[1:]


def test_holidays_of_no_country_and_of_counts_are_refused(pipeline: Make) -> None:
    with pytest.raises(DataError, match="'XX' is not a country"):
        pipeline(KIND, rows(sales()), holidays="XX", **SHORT).load()
    counted = rows(sales().drop(columns="day"))
    with pytest.raises(DataError, match="needs dates"):
        pipeline(KIND, counted, holidays="DE", **SHORT).load()
