"""Targets and inputs of tables as they are fitted on rows in memory, against numpy."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.data.file import FileConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.tabular import TabularConfig
from engine.data.raw import RawData
from engine.errors import DataError
from engine.pipelines.create import create_pipeline
from engine.pipelines.tables.inputs import check_settings, find_target, fit_inputs
from engine.pipelines.tables.labels import with_known_spelling

CLASSES, NUMBERS = "tabular_classification", "tabular_regression"


def pipeline(kind: str, data: dict[str, Any] | None = None, **task: Any) -> Any:
    return create_pipeline(RunConfig.parse({
        "task": {"kind": kind} | task,
        "data": {"kind": "file", "path": "rows.csv"} | (data or {}),
        "model": {"kind": "mlp"},
    }))  # fmt: skip


def raw(target: Any, **splits: Any) -> RawData:
    """Rows with a number to learn from."""
    tables = {
        split: pa.table({"x": [float(i % 7) for i in range(len(values))], "y": values})
        for split, values in ({"train": target} | splits).items()
    }
    return RawData(tables)


def fit(kind: str, target: Any, data: dict[str, Any] | None = None, **task: Any) -> Any:
    return pipeline(kind, data, **task).fit(raw(target, validation=target))


NAME = st.sampled_from(["cat", "dog", "10", "9", "2.5", "nan", "inf", "-1", "été", "a;b", "1e3"])


@given(st.lists(NAME, min_size=2, max_size=12).filter(lambda names: len({*names}) > 1))
@settings(max_examples=30, deadline=None)
def test_classes_and_their_counts_do_not_depend_on_the_order_of_rows(names: list[str]) -> None:
    fitted = fit(CLASSES, names)
    assert dict(zip(fitted.classes, fitted.counts, strict=True)) == Counter(names)
    other = fit(CLASSES, random.Random(1).sample(names, len(names)))
    assert (other.classes, other.counts) == (fitted.classes, fitted.counts)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["10", "9", "1"], ["1", "9", "10"]),
        (["-1", "2.5", "0"], ["-1", "0", "2.5"]),
        (["b", "2", "a", "10"], ["2", "10", "a", "b"]),
        (["nan", "1", "b", "0"], ["0", "1", "b", "nan"]),  # a word, not a number
    ],
)
def test_numbers_are_classes_by_their_value_and_names_follow(
    names: list[str], classes: list[str]
) -> None:
    assert fit(CLASSES, names).classes == classes


@pytest.mark.parametrize(
    ("threshold", "positive", "target", "found"),
    [
        ("", "", ["no", "no", "yes"], "yes"),  # the last one where no rule asks for one
        ("", "", ["no", "yes", "yes"], "yes"),
        ("f1", "", ["no", "no", "yes"], "yes"),  # the rarer one
        ("f1", "", ["no", "yes", "yes"], "no"),
        ("0.3", "", ["no", "yes", "yes", "no"], "yes"),  # the last one of two alike
        ("recall 0.9", "no", ["no", "no", "yes"], "no"),
    ],
)
def test_the_positive_class_is_named_or_the_rarer_one(
    threshold: str, positive: str, target: list[str], found: str
) -> None:
    fitted = fit(CLASSES, target, threshold=threshold, positive=positive)
    assert fitted.classes[fitted.positive] == found


@pytest.mark.parametrize(
    ("task", "target", "splits", "said"),
    [
        ({"threshold": "0.3"}, ["a", "b", "c"], {}, "between two classes, but there are 3"),
        ({"threshold": "f1"}, ["a", "b"], {}, "chosen on the validation rows, and there are none"),
        ({"threshold": "0.3", "positive": "c"}, ["a", "b"], {}, "'c' is not a class"),
        ({}, ["a", "a"], {}, "All training rows have the same y, 'a'"),
        ({}, [str(i) + "x" for i in range(40)], {}, "'y' has 40 different values"),
    ],
)
def test_a_decision_that_cannot_be_made_is_refused(
    task: dict[str, Any], target: list[str], splits: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        pipeline(CLASSES, **task).fit(raw(target, **splits))


@pytest.mark.parametrize(
    ("classes", "rows", "fits"), [(20, 20, True), (21, 41, False), (21, 42, True)]
)
def test_at_most_every_other_row_has_its_own_class(classes: int, rows: int, fits: bool) -> None:
    target = [f"c{i % classes}" for i in range(rows)]
    if fits:
        assert len(fit(CLASSES, target).classes) == classes
    else:
        with pytest.raises(DataError, match="21 different values"):
            fit(CLASSES, target)


def test_flags_of_classes_are_centred_and_of_two_one_is_enough() -> None:
    target = ["a", "b", "b", "c", "b", "a", "b", "b"]
    made = pipeline(CLASSES)
    data = raw(target)
    flags = made.centred_targets(data.train, made.fit(data))
    assert list(flags) == ["b", "a"]  # the most frequent ones, and the last says nothing new
    for name, values in flags.items():
        expected = np.array([float(label == name) for label in target])
        assert values == pytest.approx(expected - expected.mean())
    assert list(made.centred_targets(data.train, made.fit(raw(["a", "b", "b"])))) == ["b"]


VALUES = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))


@given(st.lists(VALUES, min_size=2, max_size=40).filter(lambda values: np.ptp(values) > 0.01),
       st.sampled_from([1.0, 1e-100, 1e130]))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_the_scale_of_a_target_is_that_of_numpy_at_any_size(
    values: list[float], unit: float
) -> None:
    fitted = fit(NUMBERS, [value * unit for value in values])
    assert fitted.mean / unit == pytest.approx(np.mean(values), rel=1e-9, abs=1e-4)
    assert fitted.std / unit == pytest.approx(np.std(values), rel=1e-6)
    assert (fitted.lowest, fitted.highest) == (min(values) * unit, max(values) * unit)


@pytest.mark.parametrize("values", [[0.1] * 7, [-1e9] * 3, [0.0, -0.0]])
def test_a_target_that_never_changes_is_refused(values: list[float]) -> None:
    with pytest.raises(DataError, match="in all training rows"):
        fit(NUMBERS, values)


@pytest.mark.parametrize("unit", [1e160, 1e-160])
def test_numbers_whose_squares_are_beyond_float64_are_refused(unit: float) -> None:
    with pytest.raises(DataError, match="squares of errors are beyond float64"):
        fit(NUMBERS, [1.0 * unit, 2.0 * unit, 4.0 * unit])


@pytest.mark.parametrize(
    ("cells", "setting", "values"),
    [
        (["1.5", "2", "3"], {}, [1.5, 2, 3]),
        (["1,5", "2,25", "3"], {}, [1.5, 2.25, 3]),
        (["1.234,5", "2,5", "x"], {}, [1234.5, 2.5, None]),
        (["1,234.5", "2,345.0", "?"], {}, [1234.5, 2345, None]),
        (["1.234", "2.345", "7"], {"y": "numeric 1.234,5"}, [1234, 2345, 7]),
        ([True, False, True], {}, [1, 0, 1]),
        ([1.0, float("inf"), float("nan")], {}, [1, None, None]),
        ([1, None, 3], {}, [1, None, 3]),
    ],
)
def test_targets_are_finite_numbers_or_missing(
    cells: list[Any], setting: dict[str, str], values: list[float | None]
) -> None:
    made = pipeline(NUMBERS, {"columns": setting})
    assert made.clean_target(pa.table({"y": cells}), "y").to_pylist() == values


def test_a_target_of_words_is_refused_with_the_first() -> None:
    with pytest.raises(DataError, match=r"'y' is not numeric: 'red' in row 2"):
        pipeline(NUMBERS).clean_target(pa.table({"y": ["1", "red", "blue", "green"]}), "y")


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        (["a", "b"], "", "b"),  # the last one
        (["a", "Target", "b"], "", "Target"),
        (["y", "label", "b"], "", "y"),
        (["b", "labels"], "b", "b"),
        (["only"], "", "only"),
    ],
)
def test_the_target_is_named_usual_or_the_last(names: list[str], wanted: str, found: str) -> None:
    assert find_target(pa.table({name: [1] for name in names}), wanted) == found


def test_settings_that_contradict_or_name_no_column_are_refused() -> None:
    table = pa.table({"zip": [1], "y": [2]})
    data = FileConfig(columns={"zip": "text"})
    with pytest.raises(DataError, match=r"sets 'zip' as text, but it is in task\.ignore too"):
        check_settings(table, TabularConfig(kind="x", ignore=("zip",)), data)
    with pytest.raises(DataError, match=r"task\.numeric: the data has no column 'zap'; did you"):
        check_settings(table, TabularConfig(kind="x", numeric=("zap",)), FileConfig())
    ignored = FileConfig(columns={"zip": "ignored"})
    check_settings(table, TabularConfig(kind="x", ignore=("zip",)), ignored)


@pytest.mark.parametrize(
    ("data", "task", "inputs"),
    [
        ({}, {}, ["x", "g"]),
        ({"group": "g"}, {}, ["x"]),  # test rows have other groups
        ({"group": "g", "columns": {"g": "categorical"}}, {}, ["x", "g"]),  # unless it is set
        ({}, {"ignore": ("g",)}, ["x"]),
        ({"columns": {"x": "ignored"}}, {}, ["g"]),
    ],
)
def test_groups_are_no_inputs_unless_they_are_set(
    data: dict[str, Any], task: dict[str, Any], inputs: list[str]
) -> None:
    table = pa.table({"x": [1.0, 2.5, 3.0, 4.5] * 3, "g": ["a", "b", "c"] * 4, "y": [1, 2] * 6})
    section = TabularConfig(kind="x", **task)
    target, _, features = fit_inputs(RawData({"train": table}), section, FileConfig(**data))
    assert (target, [column.name for column in features.columns]) == ("y", inputs)


def test_an_input_that_a_split_lacks_is_named_with_what_it_has() -> None:
    train = pa.table({"x": [1.0, 2, 3], "z": [3.0, 1, 2], "y": [0, 1, 0]})
    data = RawData({"train": train, "test": train.drop_columns(["z"])})
    with pytest.raises(DataError, match=r"test has no column z, .* It has x, y\. Add it there, or"):
        fit_inputs(data, TabularConfig(kind="x"), FileConfig())


def test_labels_of_other_splits_take_the_spelling_of_training() -> None:
    data = raw(["true", "false"], test=["1", "0", "1"], validation=["True", "false"])
    read = with_known_spelling(data, "y")
    assert read.splits["test"]["y"].to_pylist() == ["true", "false", "true"]
    assert read.splits["validation"]["y"].to_pylist() == ["true", "false"]
    notes = {note.why.split(" of ")[1].split(" in ")[0]: note for note in read.notes}
    assert {split: (note.rows, note.kind) for split, note in notes.items()} == {
        "test": (3, "doubt"), "validation": (1, "converted"),
    }  # fmt: skip
