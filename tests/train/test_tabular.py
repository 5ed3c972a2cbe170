"""Training on tables from end to end, whatever is wrong with them."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn import metrics as sk

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.config.presets import find_preset, load_preset
from engine.data.raw import TEST, VALIDATION
from engine.errors import DataError
from engine.metrics.tables.importance import permutation_importance
from engine.models.tables.mlp import Mlp
from engine.models.tables.tabm import TabM
from engine.reports.views import Lines, Table
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated
from engine.runs.follower import read_history
from engine.service.fold_predictions import answer as out_of_fold
from engine.tasks.create import create_task
from engine.tasks.tabular_classification import TabularClassification
from engine.tasks.tabular_regression import TabularRegression

CPU = torch.device("cpu")
CLASSES = "tabular_classification"
NUMBERS = "tabular_regression"


def config(path: Path, task: str, *fields: str, **section: Any) -> RunConfig:
    values = {
        "task": {"kind": task} | section,
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "mlp", "hidden": [16]},
        "train": {"epochs": 2, "batch_size": 16},
        "compute": {"device": "cpu", "threads": 1},
    }
    return RunConfig.parse(values).override(fields)


def write(folder: Path, columns: dict[str, list[Any]], name: str = "rows.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(columns))
    return path


def rows(count: int = 60) -> dict[str, list[Any]]:
    """A table with every kind of column; ``y`` can be learned."""
    return {
        "id": list(range(count)),
        "size": [None if i % 11 == 0 else i * 37 % 100 / 10 for i in range(count)],
        "colour": [["red", "green", None][i % 3] for i in range(count)],
        "day": [f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(count)],
        "constant": [1] * count,
        "nothing": [None] * count,
        "note": [f"some words about the row {i} here" for i in range(count)],
        "y": ["high" if i * 37 % 100 > 50 else "low" for i in range(count)],
    }


def summary_of(run: RunConfig) -> dict[str, Any]:
    task = create_task(run)
    raw = task.pipeline.load()
    return task.pipeline.summarize(raw, task.pipeline.fit(raw)).record()


def report_of(run: RunDirectory) -> dict[str, Any]:
    report = run.report.read()
    assert report is not None
    return report


def refusal(run: RunConfig) -> str:
    with pytest.raises(DataError) as caught:
        summary_of(run)
    return str(caught.value)


def test_a_table_of_everything_is_trained_on_and_reported(tmp_path: Path) -> None:
    run = train(config(write(tmp_path, rows()), CLASSES))
    report = report_of(run)
    assert set(report["metrics"]) == {VALIDATION, TEST}
    assert set(report["metrics"][TEST]) == {
        "accuracy",
        "loss",
        "f1",
        "precision",
        "recall",
        "roc_auc",
    }
    assert report["baseline"]["name"] == "gradient boosting"
    assert report["verdict"] is None  # nine rows say nothing
    low, high = report["intervals"][TEST]["accuracy"]
    assert low < report["metrics"][TEST]["accuracy"] <= high
    titles = [view["title"].split(":")[0] for view in report["views"]]
    assert titles == [
        "Confusion matrix", "Classes", "Reliability", "Worst mistakes", "Importance of columns",
    ]  # fmt: skip


def test_the_summary_says_what_becomes_of_each_column(tmp_path: Path) -> None:
    summary = summary_of(config(write(tmp_path, rows()), CLASSES, ignore=["colour"]))
    roles = {column["name"]: (column["type"], column["role"]) for column in summary["columns"]}
    assert roles == {
        "id": ("ignored", "left out: counts the rows"),
        "size": ("numeric", "input"),
        "colour": ("ignored", "left out: by choice"),
        "day": ("date", "input"),
        "constant": ("ignored", "left out: always the same"),
        "nothing": ("ignored", "left out: empty"),
        "note": ("text", "input"),
        "y": ("categorical", "target"),
    }
    assert sum(summary["rows"].values()) == 60
    assert list(summary["classes"]) == sorted(
        summary["classes"], key=summary["classes"].get, reverse=True
    )


def test_rows_without_a_target_are_counted(tmp_path: Path) -> None:
    columns = rows()
    columns["y"][4] = columns["y"][9] = None
    columns["y"][20] = " "
    summary = summary_of(config(write(tmp_path, columns), CLASSES))
    assert sum(summary["rows"].values()) == 57
    assert list(summary["skips"]) == [
        {"reason": "no usable y", "count": 3, "example": "row 5 of train"}
    ]


def test_a_class_that_occurs_once_is_trained_on(tmp_path: Path) -> None:
    columns = rows()
    columns["y"][7] = "alone"
    run = train(config(write(tmp_path, columns), CLASSES))
    assert report_of(run)["baseline"] is not None
    assert summary_of(run.config.read())["classes"]["alone"] == 1


def test_classes_that_only_the_test_rows_have_are_counted(tmp_path: Path) -> None:
    write(tmp_path, rows(), "train.json")
    write(
        tmp_path,
        {name: values[:10] for name, values in rows().items()} | {"y": ["new"] * 2 + ["low"] * 8},
        "test.json",
    )
    summary = summary_of(config(tmp_path, CLASSES))
    assert summary["rows"]["test"] == 8
    assert summary["skips"][0]["count"] == 2


def test_a_test_split_without_target_is_left_out_and_another_cut(tmp_path: Path) -> None:
    columns = rows()
    write(tmp_path, columns, "train.json")
    del columns["y"]
    write(tmp_path, columns, "test.json")
    summary = summary_of(config(tmp_path, CLASSES, "task.target=y"))
    assert summary["rows"]["test"] == 9
    assert "test has no column y" in summary["notes"][0]["why"]


def test_empty_cells_and_unknown_categories_in_test_rows_are_no_obstacle(tmp_path: Path) -> None:
    write(tmp_path, rows(), "train.json")
    odd = {name: values[:10] for name, values in rows().items()}
    write(
        tmp_path,
        odd | {"size": [None] * 10, "colour": ["violet"] * 10, "day": ["never"] * 10},
        "test.json",
    )
    run = train(config(tmp_path, CLASSES))
    assert np.isfinite(report_of(run)["metrics"][TEST]["loss"])


@pytest.mark.parametrize(
    ("change", "fields", "expected"),
    [
        ({"y": ["same"] * 60}, [], "All training rows have the same y, 'same'"),
        ({"y": [None] * 60}, [], "The target 'y' has no value in any row"),
        ({"y": [i / 7 for i in range(60)]}, [], "60 different values"),
        ({"y": [[1]] * 60}, [], "lists instead of classes"),
        ({}, ["task.target=yy"], "task.target: the data has no column 'yy'; did you mean y?"),
        ({}, ["task.ignore=colours"], "task.ignore: the data has no column 'colours'"),
        ({}, ["task.ignore=size,day,colour,note"], "No column is left to learn 'y' from"),
    ],
)
def test_what_cannot_be_classified_is_refused_in_words(
    tmp_path: Path, change: dict[str, list[Any]], fields: list[str], expected: str
) -> None:
    assert expected in refusal(config(write(tmp_path, rows() | change), CLASSES, *fields))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (["low", "high"] * 30, "is not numeric: 'low' in row 1"),
        ([5] * 60, "is 5 in all training rows"),
        ([None] * 60, "no value in any row"),
    ],
)
def test_what_cannot_be_regressed_on_is_refused_in_words(
    tmp_path: Path, target: list[Any], expected: str
) -> None:
    assert expected in refusal(config(write(tmp_path, rows() | {"y": target}), NUMBERS))


def test_the_target_is_found_by_its_name_or_place(tmp_path: Path) -> None:
    columns = {"Class": ["a", "b"] * 30, "x": [i % 7 / 2 for i in range(60)]}
    run = config(write(tmp_path, columns), CLASSES)
    assert summary_of(run)["columns"][-1]["name"] == "Class"


def test_numbers_are_predicted_in_their_own_units(tmp_path: Path) -> None:
    x = [i * 37 % 101 / 10 for i in range(300)]
    path = write(tmp_path, {"x": x, "y": [1e6 + 1000 * v for v in x]})
    run = train(config(path, NUMBERS, "train.epochs=60", "train.learning_rate=0.01"))
    report = report_of(run)
    assert report["metrics"][TEST]["r2"] > 0.95
    assert report["metrics"][TEST]["rmse"] == pytest.approx(report["metrics"][TEST]["mse"] ** 0.5)
    assert report["metrics"][TEST]["rmse"] < 1000
    assert set(report["intervals"][TEST]) == {"r2", "rmse", "mae", "mse", "loss", "coverage"}
    theirs = report["baseline"]["metrics"]["rmse"]
    assert report["verdict"]["difference"] == pytest.approx(
        1 - report["metrics"][TEST]["rmse"] / theirs, abs=1e-4
    )
    [shown] = [view for view in report["views"] if view["form"] == "lines"]
    assert min(shown["series"]["true"]) >= 1e6


@pytest.mark.parametrize("task", [CLASSES, NUMBERS])
def test_samples_show_what_is_predicted_and_what_is_true(tmp_path: Path, task: str) -> None:
    x = [i * 37 % 101 / 10 for i in range(60)]
    y = [1000 + v for v in x] if task == NUMBERS else ["high" if v > 5 else "low" for v in x]
    run = train(config(write(tmp_path, {"x": x, "y": y}), task))
    items = [item for event in read_history(run).sampled for item in event.items]
    assert items
    for item in items:
        value = float(item["inputs"].removeprefix("x "))
        if task == NUMBERS:
            assert list(item)[:2] == ["inputs", "predicted"]
            assert float(item["true"]) == pytest.approx(1000 + value, abs=0.06)
        else:
            assert list(item) == ["inputs", "predicted", "label"]
            assert item["predicted"].split()[0] in ("high", "low")
            assert item["label"] == ("high" if value > 5 else "low")


@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_the_coverage_that_is_reported_is_that_of_the_predicted_bands(
    tmp_path: Path, loss: str
) -> None:
    random = np.random.default_rng(0)
    x = random.random(1500)
    columns = {"x": x.tolist(), "y": (x + random.normal(size=1500) * (0.1 + x)).tolist()}
    small = ("model.kind=tabm", "model.members=4", "train.epochs=8", "compute.precision=float32")
    run = train(config(write(tmp_path, columns), NUMBERS, *small, loss=loss))
    task, fitted, network = load_exported(run.model, CPU)
    assert isinstance(task, TabularRegression)
    rows = task.pipeline.load().splits[TEST]
    source = task.encode(rows, fitted, CPU, lambda event: None)
    with torch.inference_mode():
        [batch] = source.read(source.plan(rows.num_rows))
        said = task.predicted_columns(network(batch.inputs), fitted)
        assert task.predict(network, batch, fitted)[7] == {k: v[7].as_py() for k, v in said.items()}
    assert list(said) == ["value", "value 0.05", "value 0.95"]
    value, low, high = (np.asarray(part) for part in said.values())
    assert np.all((low <= value) & (value <= high))
    truth = rows["y"].to_numpy()
    metrics = report_of(run)["metrics"][TEST]
    assert metrics["coverage"] == pytest.approx(((truth >= low) & (truth <= high)).mean())
    assert 0.8 < metrics["coverage"] < 0.98
    assert metrics["mae"] == pytest.approx(np.abs(truth - value).mean(), rel=1e-4)
    far = rows["x"].to_numpy() > 0.5
    assert (high - low)[far].mean() > 1.2 * (high - low)[~far].mean()


def test_the_threshold_that_is_chosen_decides_in_metrics_and_predictions(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.random(600)
    y = np.where(random.random(600) < 0.2 + 0.4 * x, "bad", "good").tolist()
    path = write(tmp_path, {"x": x.tolist(), "y": y})
    run = train(config(path, CLASSES, "train.epochs=10", threshold="cost 1:4"))
    task, fitted, network = load_exported(run.model, CPU)
    assert isinstance(task, TabularClassification)
    rows = task.pipeline.load().splits[TEST]
    source = task.encode(rows, fitted, CPU, lambda event: None)
    with torch.inference_mode():
        [batch] = source.read(source.plan(rows.num_rows))
        said = task.predicted_columns(network(batch.inputs), fitted)
        labels = [record["label"] for record in task.predict(network, batch, fitted)]
    assert said["label"].to_pylist() == labels
    # The rarer class is the positive one; it is taken from 1 / (1 + 4) on, about.
    assert fitted.classes[fitted.positive] == "bad"
    assert fitted.threshold == pytest.approx(0.2, abs=0.15)
    assert (
        labels == np.where(said["score bad"].to_numpy() >= fitted.threshold, "bad", "good").tolist()
    )
    report = report_of(run)
    truth = rows["y"].to_pylist()
    assert report["metrics"][TEST]["accuracy"] == pytest.approx(sk.accuracy_score(truth, labels))
    assert "Decision for bad" in " ".join(view["title"] for view in report["views"])
    assert summary_of(run.config.read())["facts"]["positive class"] == "bad"


@pytest.mark.parametrize(
    ("target", "fields", "expected"),
    [
        (["a", "b", "c"] * 20, {"threshold": "f1"}, "between two classes, but there are 3"),
        (["a", "b"] * 30, {"threshold": "f1", "positive": "c"}, "They are 'a' and 'b'."),
    ],
)
def test_a_threshold_that_cannot_be_is_refused_in_words(
    tmp_path: Path, target: list[str], fields: dict[str, str], expected: str
) -> None:
    assert expected in refusal(config(write(tmp_path, rows() | {"y": target}), CLASSES, **fields))


def test_a_predicted_row_needs_no_target_and_may_be_odd(tmp_path: Path) -> None:
    run = train(config(write(tmp_path, rows()), CLASSES))
    task, fitted, network = load_exported(run.model, CPU)
    assert isinstance(task, TabularClassification)
    table = pa.table(
        {"size": ["?", "7.5"], "colour": ["violet", "red"], "day": [None, "2024-03-01"],
         "note": [None, "words that no row has"]}
    )  # fmt: skip
    source = task.encode(table, fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(10))
    records = task.predict(network, batch, fitted)
    assert [set(record) for record in records] == [{"label", "score", "scores"}] * 2
    assert sum(records[0]["scores"].values()) == pytest.approx(1)


def test_texts_ids_and_lists_are_learned_from_and_predict_the_same_after_export(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(0)
    who, tags = random.integers(0, 40, 600), ["red", "blue", "green", "grey", "pink", "gold"]
    pairs = random.integers(0, 6, (600, 2))
    y = np.sin(who * 7.0) + (pairs == 0).any(1) + random.normal(size=600) * 0.1
    mood = np.where(random.random(600) < 0.5, "a fine day it was", "it rained all day long")
    columns = {
        "who": [f"u{number}" for number in who],
        "tags": [f"{tags[a]}; {tags[b]}" for a, b in pairs],
        "note": [f"{text} said number {i}" for i, text in enumerate(mood)],
        "y": (y + (mood == "a fine day it was")).tolist(),
    }
    path = write(tmp_path, columns)
    fields = ("data.columns.who=id", "train.epochs=40", "train.learning_rate=0.01")
    run = train(config(path, NUMBERS, *fields))
    report = report_of(run)
    assert report["metrics"][TEST]["r2"] > 0.75
    [ranked] = [view for view in report["views"] if view["title"].startswith("Importance")]
    assert {row[0] for row in ranked["rows"]} == {"who", "tags", "note"}
    assert min(row[1] for row in ranked["rows"]) > 0.05
    task, fitted, network = load_exported(run.model, CPU)
    rows = task.pipeline.load().splits[TEST]
    source = task.encode(rows, fitted, CPU, lambda event: None)
    with torch.inference_mode():
        [batch] = source.read(source.plan(1000))
        said = [record["value"] for record in task.predict(network, batch, fitted)]
    assert sk.r2_score(rows["y"].to_numpy(), said) == pytest.approx(
        report["metrics"][TEST]["r2"], abs=1e-4
    )


@pytest.mark.parametrize("kind", [CLASSES, NUMBERS])
def test_the_rows_of_all_folds_are_predicted_once_each_and_measured_together(
    home: Path, tmp_path: Path, kind: str
) -> None:
    random = np.random.default_rng(0)
    x = random.random(240)
    y = np.where(x + random.random(240) > 1, "high", "low") if kind == CLASSES else 3 * x
    path = write(tmp_path, {"x": x.tolist(), "y": y.tolist()})
    folds = ("data.folds=3", "data.split_seed=5")
    runs = [train(config(path, kind, *folds, f"data.fold={i}")).id for i in (1, 2, 3)]
    answer = out_of_fold(runs, str(tmp_path / "out.parquet"))
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["x"].to_pylist() == x.tolist(), "rows stand in the order of the file"
    folds_of_rows = table["fold"].to_pylist()
    assert [folds_of_rows.count(fold) for fold in (1, 2, 3)] == [80] * 3
    truth = table["y"].to_pylist()
    if kind == CLASSES:
        accuracy = sk.accuracy_score(truth, table["label"].to_pylist())
        assert answer["metrics"]["accuracy"] == pytest.approx(accuracy)
        area = sk.roc_auc_score(np.array(truth) == "low", table["score low"].to_numpy())
        assert answer["metrics"]["roc_auc"] == pytest.approx(area)
    else:
        said = table["value"].to_numpy()
        assert answer["metrics"]["mae"] == pytest.approx(sk.mean_absolute_error(truth, said))
        inside = (table["value 0.05"].to_numpy() <= truth) & (
            truth <= table["value 0.95"].to_numpy()
        )
        assert answer["metrics"]["coverage"] == pytest.approx(inside.mean())
    low, high = next(iter(answer["intervals"].values()))
    assert low <= next(iter(answer["metrics"].values())) <= high


def test_a_prediction_names_the_column_that_it_lacks(tmp_path: Path) -> None:
    run = train(config(write(tmp_path, rows()), CLASSES))
    task, fitted, _ = load_exported(run.model, CPU)
    with pytest.raises(DataError, match="no column 'colour'"):
        task.encode(pa.table({"size": [1], "day": ["2024-03-01"]}), fitted, CPU, lambda event: None)


@pytest.mark.parametrize("task", [CLASSES, NUMBERS])
def test_an_ensemble_settles_its_sizes_and_predicts_the_same_after_export(
    tmp_path: Path, task: str
) -> None:
    columns = rows() | ({} if task == CLASSES else {"y": [i * 37 % 100 / 10 for i in range(60)]})
    fields = ["model.kind=tabm", "model.members=3", "compute.precision=float32"]
    asked = config(write(tmp_path, columns), task, *fields, "train.batch_size=none")
    run = train(asked)
    settled = run.config.read()
    assert (settled.train.epochs, settled.train.batch_size) == (2, 32)
    assert (settled.model.width, settled.model.layers, settled.model.dropout) == (128, 2, 0.3)
    assert run.config.asked().train.batch_size is None
    made, fitted, network = load_exported(run.model, CPU)
    assert len(fitted.edges) == len(fitted.features.numeric) > 0
    source = made.encode(made.pipeline.load().splits[TEST], fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(100))
    output = network(batch.inputs)
    assert len(output) == len(batch.targets)
    if task == CLASSES:
        loss = -output[torch.arange(len(output)), batch.targets].mean().item()
    else:
        loss = (output[:, 0] - batch.targets).square().mean().item()
    assert report_of(run)["metrics"][TEST]["loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("task", [CLASSES, NUMBERS])
def test_what_is_measured_and_exported_is_the_kept_members(tmp_path: Path, task: str) -> None:
    columns = rows() | ({} if task == CLASSES else {"y": [i * 37 % 100 / 10 for i in range(60)]})
    fields = ("model.kind=tabm", "model.members=5", "model.kept=2", "compute.precision=float32")
    run = train(config(write(tmp_path, columns), task, *fields))
    made, fitted, network = load_exported(run.model, CPU)
    assert isinstance(network, TabM)
    assert network.head.members == len(set(fitted.members)) == 2
    report = report_of(run)
    assert report["pruning"].startswith("2 of 5 members are kept: loss ")
    assert "An ensemble of 2 of the 5 members" in (run.model / "README.md").read_text()
    for split in (VALIDATION, TEST):
        source = made.encode(made.pipeline.load().splits[split], fitted, CPU, lambda event: None)
        [batch] = source.read(source.plan(100))
        with torch.inference_mode():
            evaluator = made.evaluator(fitted)
            evaluator.update(network, batch)
            metrics = evaluator.compute().metrics
        assert metrics["loss"] == pytest.approx(report["metrics"][split]["loss"], rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_every_loss_of_numbers_trains(tmp_path: Path, loss: str) -> None:
    columns = rows() | {"y": [i * 37 % 100 / 10 for i in range(60)]}
    run = train(config(write(tmp_path, columns), NUMBERS, f"task.loss={loss}"))
    assert report_of(run)["metrics"][TEST]["loss"] > 0
    task, fitted, network = load_exported(run.model, CPU)
    assert isinstance(task, TabularRegression)
    source = task.encode(pa.table(columns), fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(100))
    assert set(task.predict(network, batch, fitted)[0]) == {"value"}


def test_balanced_weights_raise_the_recall_of_a_rare_class(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rare = generator.random(600) < 0.08
    x = generator.normal(size=600) + rare
    path = write(tmp_path, {"x": x.tolist(), "y": rare.tolist()})
    recalls = []
    for weights in ("none", "balanced"):
        run = config(path, CLASSES, f"task.class_weights={weights}", "train.epochs=20",
                     "train.metric_for_best_model=recall")  # fmt: skip
        recalls.append(report_of(train(run))["metrics"][TEST]["recall"])
    assert recalls[1] > recalls[0] + 0.1


def test_shuffling_hurts_only_where_the_column_counts() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = {"numeric": torch.randn(500, 3, generator=generator)}
    targets = (inputs["numeric"][:, 1] > 0).long()

    class Second(torch.nn.Module):
        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return torch.stack([-inputs["numeric"][:, 1], inputs["numeric"][:, 1]], 1)

    places = {name: {"numeric": [i]} for i, name in enumerate("abc")}
    table = permutation_importance(
        Second(), inputs, targets, places,
        lambda output, truth: {"accuracy": (output.argmax(1) == truth).double().mean()},
    )  # fmt: skip
    changes = {row[0]: row[1] for row in table.rows}
    assert table.rows[0][0] == "b"
    assert changes["b"] == pytest.approx(-0.5, abs=0.1)
    assert changes["a"] == changes["c"] == 0


@pytest.mark.parametrize("value", [0.1, 1])
def test_test_rows_of_one_value_have_no_importance_by_r2(tmp_path: Path, value: float) -> None:
    columns = rows() | {"y": [i * 37 % 100 / 10 for i in range(60)]}
    write(tmp_path, columns, "train.json")
    write(tmp_path, columns | {"y": [value] * 60}, "test.json")
    report = report_of(train(config(tmp_path, NUMBERS)))
    guess, truth = report["metrics"][TEST]["mae"], report["metrics"][TEST]["rmse"]
    assert 0 < guess <= truth
    [table] = [view for view in report["views"] if view["title"].startswith("Importance")]
    assert table["columns"] == ["column", "rmse", "r2"]
    assert {row[2] for row in table["rows"]} == {None}
    assert all(isinstance(row[1], float) for row in table["rows"])


def test_a_view_has_no_number_that_json_lacks() -> None:
    nan, infinite = float("nan"), float("inf")
    table = Table("t", ["name", "value"], [("a", nan), ("b", 1.5), ("c", 2), ("d", None)])
    assert table.record()["rows"] == [["a", None], ["b", 1.5], ["c", 2], ["d", None]]
    lines = Lines("t", [0.0, 1.0], {"y": [infinite, 1.0]})
    assert lines.record()["series"] == {"y": [None, 1.0]}


def test_metrics_of_numbers_are_those_of_scikit_learn(tmp_path: Path) -> None:
    columns = rows() | {"y": [i * 37 % 100 / 10 for i in range(60)]}
    run = train(config(write(tmp_path, columns), NUMBERS))
    task, fitted, network = load_exported(run.model, CPU)
    table = task.pipeline.load().splits[TEST]
    source = task.encode(table, fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(100))
    guess = [record["value"] for record in task.predict(network, batch, fitted)]
    truth = table["y"].to_pylist()
    metrics = report_of(run)["metrics"][TEST]
    assert metrics["r2"] == pytest.approx(sk.r2_score(truth, guess), abs=1e-5)
    assert metrics["mae"] == pytest.approx(sk.mean_absolute_error(truth, guess), rel=1e-5)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    path = write(tmp_path, rows())
    first, second = (train(config(path, CLASSES)) for _ in range(2))
    weights = [(run.model / "network.safetensors").read_bytes() for run in (first, second)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "fields",
    [
        ["model.frequencies=8"],
        ["model.normalization=batch", "model.activation=gelu"],
        ["model.normalization=layer", "model.activation=tanh", "model.embedding_size=3"],
        ["model.hidden=[]", "task.label_smoothing=0.1"],
    ],
)
def test_every_choice_of_the_network_trains(tmp_path: Path, fields: list[str]) -> None:
    run = train(config(write(tmp_path, rows()), CLASSES, *fields))
    assert np.isfinite(report_of(run)["metrics"][TEST]["loss"])


def test_waves_learn_a_step_that_a_line_cannot() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2000, 1, generator=generator) * 4 - 2
    inputs = {"numeric": x, "categorical": torch.zeros(2000, 0, dtype=torch.long)}
    truth = ((x * 4).floor() % 2).squeeze(1)
    errors = []
    for frequencies in (0, 16):
        torch.manual_seed(0)
        network = Mlp(1, (), 1, (32,), frequencies=frequencies, frequency_scale=0.5)
        optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
        for _ in range(300):
            optimizer.zero_grad()
            loss = (network(inputs).squeeze(1) - truth).square().mean()
            loss.backward()
            optimizer.step()
        errors.append(float(loss.detach()))
    assert errors[1] < errors[0] / 2


def test_an_unknown_category_is_as_good_as_none_at_the_beginning() -> None:
    network = Mlp(0, (5,), 2, (4,))
    unknown = {"numeric": torch.zeros(1, 0), "categorical": torch.zeros(1, 1, dtype=torch.long)}
    assert network.embeddings[0](unknown["categorical"]).abs().sum() == 0


def median_on_test(preset: str, metric: str, *fields: str) -> float:
    values = []
    for seed in range(3):
        run = train(load_preset(find_preset(preset), [f"train.seed={seed}", *fields]))
        [test] = [
            e for e in run.events.newest(Evaluated) if isinstance(e, Evaluated) and e.split == TEST
        ]
        values.append(test.metrics[metric] or 0.0)
    return statistics.median(values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "metric", "floor"),
    [
        ("iris-mlp", "accuracy", 0.90),
        ("wine-mlp", "accuracy", 0.95),
        ("breast-cancer-mlp", "accuracy", 0.96),
        ("diabetes-mlp", "r2", 0.42),
    ],
)
def test_a_shipped_preset_reaches_its_figure(preset: str, metric: str, floor: float) -> None:
    assert median_on_test(preset, metric) >= floor


@pytest.mark.slow
@pytest.mark.data
def test_the_preset_for_adult_reaches_its_figure(real_data: Path) -> None:
    path = f"data.path={real_data / 'adult.csv'}"
    assert median_on_test("adult-mlp", "accuracy", path) >= 0.850


def test_a_table_too_large_for_memory_is_learned_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = rows(400)
    run = config(write(tmp_path, columns), CLASSES, "train.epochs=6", "train.learning_rate=0.01")
    usual = report_of(train(run))
    for module in ("engine.data.on_disk", "engine.data.readers.files"):
        monkeypatch.setattr(f"{module}.LARGE", 1 << 10)
    monkeypatch.setattr("engine.batches.memory_mapped.MANY_BYTES", 1 << 10)
    whole = train(run)
    assert report_of(whole)["metrics"].keys() == usual["metrics"].keys()
    assert report_of(whole)["metrics"][TEST]["accuracy"] > 0.7
    assert report_of(whole)["baseline"] == usual["baseline"]
    again = train(run)
    assert report_of(again)["metrics"] == report_of(whole)["metrics"]


def test_certainty_is_calibrated_on_validation_rows_in_report_and_predictions(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(0)
    columns = {f"x{i}": random.normal(size=700).round(3).tolist() for i in range(8)}
    odd = random.random(700) < 0.1
    right = np.where(np.array(columns["x0"]) > 0, "a", "b")
    columns["y"] = np.where(odd, "a", right).tolist()
    run = train(config(write(tmp_path, columns), CLASSES, "task.label_smoothing=0.5",
                       "train.epochs=12", "train.learning_rate=0.01"))  # fmt: skip
    task, fitted, network = load_exported(run.model, CPU)
    assert isinstance(task, TabularClassification)
    assert fitted.temperature < 0.8  # smoothed labels make it too uncertain
    table = task.pipeline.load().splits[TEST]
    source = task.encode(table, fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(1000))
    scores = [record["scores"] for record in task.predict(network, batch, fitted)]
    pairs = zip(scores, table["y"].to_pylist(), strict=True)
    loss = -np.mean([np.log(chances[true]) for chances, true in pairs])
    assert report_of(run)["metrics"][TEST]["loss"] == pytest.approx(loss, rel=1e-5)
    plain = sk.log_loss(batch.targets.numpy(), network(batch.inputs).detach().softmax(1).numpy())
    assert loss < plain
    titles = [view["title"] for view in report_of(run)["views"]]
    assert any(t.startswith("Reliability: ") and "temperature" in t for t in titles)
