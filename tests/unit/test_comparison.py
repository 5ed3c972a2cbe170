"""Comparison of runs: differences, best values, and the exported files."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.runs.comparison import Comparison, compare, write_comparison
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Finished
from tui.__main__ import main

IMAGES = {"task": {"kind": "image_classification"}, "data": {"kind": "builtin"},
          "model": {"kind": "cnn"}}  # fmt: skip
TABLE = {"task": {"kind": "tabular_regression"}, "model": {"kind": "mlp"},
         "data": {"kind": "builtin", "name": "diabetes"}}  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def run(name: str, values: Any = IMAGES, train: Any = None, **metrics: float) -> RunDirectory:
        config = RunConfig.parse({"name": name, **values, "train": train or {}})
        made = RunDirectory.create(tmp_path, config)
        log = EventLog(made.events.path)
        log.write(Finished(step=1, seconds=1.0, metrics=dict(metrics)))
        log.close()
        return made

    return run


def rows(comparison: Comparison) -> dict[str, tuple[Any, ...]]:
    return {row.name: row.values for row in comparison.rows()}


def test_only_what_differs_is_reported(make: Any) -> None:
    made = compare([make("a", train={"learning_rate": 0.1}), make("b", train={"seed": 7})])
    assert {row.name for row in made.differences} == {"train.learning_rate", "train.seed"}
    assert rows(made)["train.learning_rate"][0] == 0.1
    assert made.note == ""


def test_the_best_is_the_lowest_loss_and_the_highest_accuracy(make: Any) -> None:
    made = compare([make("a", loss=0.1, accuracy=0.5), make("b", loss=0.3, accuracy=0.9)])
    best = {row.name: set(row.best) for row in made.metrics}
    assert best == {"accuracy": {1}, "loss": {0}}


def test_where_all_are_the_same_or_alone_none_is_best(make: Any) -> None:
    made = compare([make("a", loss=0.1, accuracy=0.5), make("b", loss=0.1)])
    assert [row.best for row in made.metrics] == [frozenset(), frozenset()]
    assert rows(made)["accuracy"] == (0.5, None)


def test_of_different_tasks_only_common_metrics_are_compared_and_it_is_reported(make: Any) -> None:
    made = compare([make("a", loss=0.1, accuracy=0.5), make("b", TABLE, loss=0.3, rmse=5.0)])
    assert [row.name for row in made.metrics] == ["loss"]
    assert "image_classification, tabular_regression" in made.note
    assert "accuracy" not in made.common


def test_a_run_that_cannot_be_read_is_named(make: Any) -> None:
    bad = make("b")
    (bad.path / "config.toml").write_text("")
    with pytest.raises(RunError, match=r"b/config\.toml"):
        compare([make("a"), bad])


def test_a_csv_file_has_a_row_a_run_with_numbers_in_full(make: Any, tmp_path: Path) -> None:
    runs = [make("a", accuracy=1 / 3), make("b", TABLE)]
    path = tmp_path / "out.csv"
    write_comparison(compare(runs), path)
    first, second = csv.DictReader(io.StringIO(path.read_text()))
    assert (first["run"], second["task.kind"]) == (runs[0].id, "tabular_regression")
    same = compare([runs[0], make("c", accuracy=0.5)])
    assert str(1 / 3) in same.as_csv()


def test_what_names_hold_is_neither_a_formula_nor_markup(make: Any) -> None:
    hostile = {**IMAGES, "title": "x", "data": {"kind": "image_folder", "path": "/=1|*[a](b)<c>"}}
    other = {**hostile, "data": {"kind": "image_folder", "path": "=cmd()"}}
    text = compare([make("a", hostile), make("b", other)])
    line = next(line for line in text.as_markdown().splitlines() if line.startswith("| data.path"))
    assert r"/=1\|\*\[a\](b)\<c\>" in line
    assert '"=cmd' not in text.as_csv()
    assert ",=cmd" not in text.as_csv()


def test_markdown_sets_the_best_in_bold(make: Any) -> None:
    text = compare([make("a", accuracy=0.5), make("b", accuracy=0.75)]).as_markdown()
    assert "| accuracy | 0.5 | **0.75** |" in text


@pytest.mark.parametrize("name", ["out.txt", "out", "missing/out.csv"])
def test_a_file_that_cannot_be_written_is_a_sentence(make: Any, tmp_path: Path, name: str) -> None:
    made = compare([make("a"), make("b")])
    with pytest.raises(RunError):
        write_comparison(made, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_the_command_shows_writes_and_prints(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tui.cli.commands.compare.runs_folder", lambda: tmp_path)
    runs = [make("a", accuracy=0.5).id, make("b", accuracy=0.75).id]
    assert main(["compare", *runs]) == 0
    shown = capsys.readouterr().out
    assert "0.75*" in shown
    assert all(run in shown for run in runs)
    assert main(["compare", *runs, "--csv"]) == 0
    assert capsys.readouterr().out == compare_all(tmp_path, runs).as_csv()
    assert main(["compare", *runs, "--markdown"]) == 0
    assert "**0.75**" in capsys.readouterr().out
    assert main(["compare", *runs, "--output", str(tmp_path / "out.md")]) == 0
    assert (tmp_path / "out.md").is_file()
    assert main(["compare", runs[0], runs[0]]) != 0


def compare_all(folder: Path, runs: list[str]) -> Comparison:
    return compare([RunDirectory.open(folder, run) for run in runs])


def test_runs_that_differ_by_seed_alone_are_a_group_with_mean_and_deviation(make: Any) -> None:
    made = compare([
        make("a", train={"seed": 1}, loss=1.0, accuracy=0.90),
        make("other", train={"seed": 1, "learning_rate": 0.5}, loss=9.0, accuracy=0.1),
        make("b", train={"seed": 2}, loss=2.0, accuracy=0.94),
        make("c", train={"seed": 3}, loss=6.0, accuracy=0.92),
    ])  # fmt: skip
    [group] = made.alike
    assert group.places == (0, 2, 3)
    assert group.differ_by == ("train.seed",)
    loss, accuracy = group.metrics["loss"], group.metrics["accuracy"]
    assert (loss.mean, loss.deviation) == (3.0, pytest.approx(7**0.5))  # by hand: (4 + 1 + 9) / 2
    assert (accuracy.mean, accuracy.deviation) == (pytest.approx(0.92), pytest.approx(0.02))
    assert "0.92 ± 0.02" in made.as_markdown()


def test_runs_that_differ_by_more_than_chance_are_no_group(make: Any) -> None:
    runs = [make("a", train={"seed": 1}), make("b", train={"seed": 2, "epochs": 3}), make("c")]
    assert compare(runs[:2]).alike == ()
    assert compare([runs[2], make("d")]).alike == ()  # the same run twice has no spread


def test_folds_that_are_done_are_taken_as_they_are(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tui.cli.commands.folds.runs_folder", lambda: tmp_path)
    preset = load_preset(find_preset("diabetes-mlp"), ["train.epochs=1"])
    for fold, error in enumerate((50.0, 56.0), 1):
        own = preset.override(["data.folds=2", f"data.fold={fold}"])
        values = {key: value for key, value in own.values().items() if key != "name"}
        make(f"diabetes-mlp-fold-{fold}", values, values["train"], rmse=error)
    assert main(["folds", "diabetes-mlp", "train.epochs=1", "--folds", "2"]) == 0
    printed = capsys.readouterr().out
    assert "2 runs that differ by data.fold" in printed
    assert "53 ± 4.2" in printed  # (56 − 50) / √2
