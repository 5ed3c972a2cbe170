"""Rows of tables, from files to tensors, and from a network's outputs to records."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from engine.data.builtin.toy import with_class_names
from engine.data.raw import TEST, TRAIN, VALIDATION, Skip
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

Make = Callable[..., Any]
CLASSES, NUMBERS = "tabular_classification", "tabular_regression"
ROWS: dict[str, list[Any]] = {
    "size": [1.0, 2.0, None, 5.0, 4.0, 3.0, None],
    "colour": ["red", "blue", "red", None, "blue", None, "green"],
    "same": [7] * 7,
    "bought": ["no", "yes", "no", "no", "yes", "no", "no"],
}
PRICES = ROWS | {"bought": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 0.0]}


def test_classes_are_sorted_and_counted(prepare: Make) -> None:
    fitted = prepare(CLASSES, ROWS).fitted
    assert (fitted.target, fitted.classes, fitted.counts) == ("bought", ["no", "yes"], [5, 2])


def test_classes_with_names_in_the_file_keep_their_order(prepare: Make) -> None:
    table = with_class_names(
        pa.table(ROWS | {"bought": [0, 2, 0, -1, 2, 0, 0]}), "bought", ["yes", "maybe", "no"]
    )
    prepared = prepare(CLASSES, table)
    assert (prepared.fitted.classes, prepared.fitted.counts) == (["yes", "maybe", "no"], [4, 0, 2])
    assert prepared.raw.skips == (Skip("no usable bought", 1, "row 4 of train"),)


def test_numbers_are_fitted_by_mean_and_deviation_of_those_present(prepare: Make) -> None:
    fitted = prepare(CLASSES, ROWS).fitted
    size, missing = fitted.features.numeric
    present = [value for value in ROWS["size"] if value is not None]
    assert (size.column, size.part, missing.part) == ("size", "value", "missing")
    assert size.mean == pytest.approx(statistics.fmean(present))
    assert size.std == pytest.approx(statistics.pstdev(present))
    # 2 of 7 are missing: mean p, deviation √(p(1−p)).
    assert missing.mean == pytest.approx(2 / 7)
    assert missing.std == pytest.approx(math.sqrt(2 / 7 * 5 / 7))


def test_only_columns_that_change_are_inputs(prepare: Make) -> None:
    prepared = prepare(CLASSES, ROWS)
    assert prepared.task.pipeline.inputs(prepared.fitted) == ("size", "colour")
    reasons = {column.name: column.reason for column in prepared.fitted.columns}
    assert reasons["same"] == "always the same"


def test_the_target_of_regression_is_fitted_by_its_scale_and_range(prepare: Make) -> None:
    fitted = prepare(NUMBERS, PRICES).fitted
    assert fitted.mean == pytest.approx(statistics.fmean(PRICES["bought"]))
    assert fitted.std == pytest.approx(statistics.pstdev(PRICES["bought"]))
    assert (fitted.lowest, fitted.highest) == (0, 60)


def test_classes_keep_their_shares_in_every_split(pipeline: Make) -> None:
    sizes = [i * 37 % 100 / 10 for i in range(40)]
    rows = {"x": sizes, "y": ["a"] * 24 + ["b"] * 16}
    raw = pipeline(CLASSES, rows, data={"validation_fraction": 0.25, "test_fraction": 0.25}).load()
    counts = {name: table["y"].to_pylist() for name, table in raw.splits.items()}
    assert {name: (y.count("a"), y.count("b")) for name, y in counts.items()} == {
        TRAIN: (12, 8), VALIDATION: (6, 4), TEST: (6, 4),
    }  # fmt: skip
    found = [size for table in raw.splits.values() for size in table["x"].to_pylist()]
    assert sorted(found) == sorted(sizes)


def test_rows_of_a_class_that_training_lacks_are_left_out_and_counted(pipeline: Make) -> None:
    test = {name: values[:3] for name, values in ROWS.items()} | {"bought": ["no", "often", "soon"]}
    raw = pipeline(CLASSES, ROWS, test=test).load()
    assert raw.splits[TEST]["bought"].to_pylist() == ["no"]
    assert raw.skips == (Skip("bought that no training row has", 2, "'often' in test"),)


def test_rows_whose_target_is_not_a_number_are_left_out_and_counted(pipeline: Make) -> None:
    rows = PRICES | {"bought": ["10", "$20", "", "1,500", "?", "unknown", "7"]}
    raw = pipeline(NUMBERS, rows).load()
    assert raw.train["bought"].to_pylist() == [10, 20, 1500, 7]
    assert raw.skips == (Skip("no usable bought", 3, "row 3 of train"),)


def test_a_split_without_a_target_is_left_out_with_a_note(pipeline: Make) -> None:
    raw = pipeline(NUMBERS, PRICES, test=PRICES | {"bought": [None] * 7}).load()
    assert set(raw.splits) == {TRAIN}
    assert "test has no value of bought and is left out" in [note.why for note in raw.notes]


@pytest.mark.parametrize(
    ("kind", "change", "task", "message"),
    [
        (CLASSES, {"bought": ["no"] * 7}, {}, "All training rows have the same bought, 'no'."),
        (CLASSES, {"bought": [[1]] * 7}, {}, "The target 'bought' has lists instead of classes."),
        (NUMBERS, {"bought": [4.5] * 7}, {}, "The target 'bought' is 4.5 in all training rows."),
        (NUMBERS, {"bought": [i * 1e300 for i in range(7)]}, {},
         "The target 'bought' has values up to 6e+300 and a deviation of 2e+300: the squares of "
         "errors are beyond float64."),
        (NUMBERS, {"bought": [i * 1e-200 for i in range(7)]}, {},
         "The target 'bought' has values up to 6e-200 and a deviation of 2e-200: the squares of "
         "errors are beyond float64."),
        (NUMBERS, {}, {}, "The target 'bought' is not numeric: 'no' in row 1."),
        (CLASSES, {}, {"categorical": ["color"]},
         "task.categorical: the data has no column 'color'; did you mean colour?"),
        (CLASSES, {}, {"ignore": ["size", "colour"]},
         "No column is left to learn 'bought' from: size (by choice), colour (by choice), "
         "same (always the same)."),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_learned_from_is_refused(
    pipeline: Make, kind: str, change: dict[str, Any], task: dict[str, Any], message: str
) -> None:
    own = pipeline(kind, ROWS | change, **task)
    with pytest.raises(DataError) as refused:
        own.fit(own.load())
    assert refused.value.message == message


def test_rows_become_standardised_numbers_and_codes_of_categories(prepare: Make) -> None:
    prepared = prepare(CLASSES, ROWS)
    batch = prepared.encoded({
        "size": ["5", None, "n/a"], "colour": ["red", None, "violet"],
        "bought": ["yes", "never", "no"],
    })  # fmt: skip
    # (5 − 3) / √2; a missing number is the mean, which is 0, and is marked by (1 − p)/√(p(1−p)).
    there, lacking = -math.sqrt(2 / 5), math.sqrt(5 / 2)
    expected = [[math.sqrt(2), there], [0, lacking], [0, lacking]]
    np.testing.assert_allclose(batch.inputs["numeric"], expected, rtol=1e-6)
    # 1 blue, 2 red, 3 missing; 0 is for rare and unseen ones.
    assert batch.inputs["categorical"].tolist() == [[2], [3], [0]]
    assert batch.targets.tolist() == [1, -1, 0]
    assert batch.weight == 3


def test_dates_become_a_trend_and_points_on_circles(prepare: Make) -> None:
    days = [date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 4), date(2024, 1, 6)]
    table = pa.table({"day": days, "y": ["a", "b", "a", "b"]})
    prepared = prepare(CLASSES, table)
    parts = [feature.part for feature in prepared.fitted.features.numeric]
    batch = prepared.encoded(table)
    # 1 January 2024 was a Monday, with which a week begins; each part is standardised.
    offsets = np.array([0, 2, 3, 5])
    for part, values in (
        ("day", offsets),
        ("weekday sine", np.sin(2 * np.pi * offsets / 7)),
        ("weekday cosine", np.cos(2 * np.pi * offsets / 7)),
        ("season sine", np.sin(2 * np.pi * offsets / 365.25)),
    ):
        expected = (values - values.mean()) / values.std()
        np.testing.assert_allclose(
            batch.inputs["numeric"][:, parts.index(part)], expected, atol=1e-5
        )
    assert "clock sine" not in parts  # all days begin at midnight


def test_targets_of_regression_are_standardised(prepare: Make) -> None:
    batch = prepare(NUMBERS, PRICES).encoded()
    # 0, 10 … 60: mean 30, deviation 20.
    np.testing.assert_allclose(batch.targets, [-1, -0.5, 0, 0.5, 1, 1.5, -1.5], rtol=1e-6)


@pytest.mark.parametrize("kind", [CLASSES, NUMBERS])
def test_rows_without_a_target_serve_predictions(prepare: Make, kind: str) -> None:
    prepared = prepare(kind, PRICES if kind == NUMBERS else ROWS)
    batch = prepared.encoded_new({"size": [1.0, 2.0], "colour": ["red", "blue"]})
    assert batch.targets is None
    assert batch.inputs["categorical"].tolist() == [[2], [1]]
    with pytest.raises(DataError, match=r"The data has no column 'colour'\."):
        prepared.encoded_new({"size": [1.0, 2.0]})


def test_the_network_takes_in_what_was_fitted(prepare: Make) -> None:
    prepared = prepare(CLASSES, ROWS)
    network = prepared.network()
    # Codes 0 to 3, embedded by fastai's rule 1.6 n^0.56 = 3.5; beside them value and missing.
    assert network.embeddings[0].weight.shape == (4, 3)
    assert network.layers[0].weight.shape == (4, 2 + 3)
    assert network(prepared.encoded().inputs).shape == (7, 2)


def test_classes_are_predicted_with_their_probabilities(prepare: Make) -> None:
    prepared = prepare(CLASSES, ROWS)
    network = prepared.zeroed()
    network.head.bias.data = torch.tensor([0.0, math.log(3)])
    [record, _] = prepared.predictions(network, {"size": [1, 2], "colour": ["red", "blue"]})
    # e^0 : e^(ln 3) = 1 : 3
    assert record["label"] == "yes"
    assert record["score"] == pytest.approx(0.75)
    assert record["scores"] == pytest.approx({"yes": 0.75, "no": 0.25})
    assert list(record["scores"]) == ["yes", "no"]


def test_at_most_five_classes_are_shown(prepare: Make) -> None:
    prepared = prepare(CLASSES, ROWS | {"bought": list("abcdefg")})
    network = prepared.zeroed()
    network.head.bias.data = torch.arange(7.0)
    [record] = prepared.predictions(network, {"size": [1], "colour": ["red"]})
    assert list(record["scores"]) == ["g", "f", "e", "d", "c"]


def test_numbers_are_predicted_in_the_units_of_the_target(prepare: Make) -> None:
    prepared = prepare(NUMBERS, PRICES)
    network = prepared.zeroed()
    network.head.bias.data = torch.tensor([1.5])
    records = prepared.predictions(network, {"size": [1, 2], "colour": ["red", "blue"]})
    assert records == [{"value": pytest.approx(30 + 1.5 * 20)}] * 2


def test_the_baseline_of_large_numbers_of_little_deviation_is_not_rounded(prepare: Make) -> None:
    prices = [1e12 + price for price in PRICES["bought"]]
    prepared = prepare(NUMBERS, ROWS | {"bought": prices})
    truth = prepared.task.encode_target(pa.chunked_array([prices]), prepared.fitted)
    boosting = prepared.task.boosting(prepared.fitted)
    for said in (np.zeros(len(truth)), np.zeros(len(truth), np.float32)):
        found = boosting.evaluate(said, truth).metrics
        assert found["mae"] == pytest.approx(np.abs(np.array(prices) - np.mean(prices)).mean())
        assert found["r2"] == pytest.approx(0, abs=1e-4)


def test_a_target_of_regression_is_read_in_later_files_as_in_training(prepare: Make) -> None:
    written = [f"{i},25" for i in range(7)]
    prepared = prepare(NUMBERS, ROWS | {"bought": written})
    later = pa.table({"bought": ["1,234", "2,345", "1.234,5"]})
    pipeline = create_pipeline(prepared.task.config)  # as in another process
    values = pipeline.known_target(later, prepared.fitted)
    assert values.to_pylist() == [1.234, 2.345, None]


def test_a_target_of_durations_is_in_seconds_whatever_their_unit_is(pipeline: Make) -> None:
    lasts = pa.array([60, 120, None, 180], pa.duration("s"))
    train = pa.table({"size": [1.0, 2.0, 3.0, 5.0], "bought": lasts.cast(pa.duration("ns"))})
    later = pa.table({"size": [1.0] * 4, "bought": lasts.cast(pa.duration("ms"))})
    raw = pipeline(NUMBERS, train, test=later).load()
    assert [table["bought"].to_pylist() for table in raw.splits.values()] == [[60, 120, 180]] * 2
    assert "durations are read as seconds" in [note.why for note in raw.notes]


def test_a_target_in_another_unit_than_in_training_is_told(pipeline: Make) -> None:
    train = ROWS | {"bought": [f"{i}.5 kg" for i in range(7)]}
    raw = pipeline(NUMBERS, train, test=ROWS | {"bought": ["1500 g"] * 7}).load()
    assert any("7 numbers of test have another unit (g)" in note.why for note in raw.notes)


def test_labels_of_training_that_differ_in_capitals_alone_stay_in_other_splits(
    prepare: Make,
) -> None:
    rows = {"size": list(range(60)), "won": ["True", "true", "no"] * 20}
    raw = prepare("tabular_classification", rows, data={"test_fraction": 0.5}).raw
    for split in ("train", "test"):
        sizes, labels = (raw.splits[split][name].to_pylist() for name in ("size", "won"))
        assert labels == [rows["won"][size] for size in sizes]


def test_thousands_of_a_target_that_may_be_fractions_are_told(prepare: Make) -> None:
    prepared = prepare(NUMBERS, ROWS | {"bought": [f"{i + 1},23{i}" for i in range(7)]})
    assert prepared.fitted.lowest == 1230
    [note] = [note for note in prepared.raw.notes if "thousands" in note.why]
    assert note.why == "1,230 is read with thousands; it may be a fraction as well"
    assert note.change == 'data.columns.bought="numeric 1.234,5"'
