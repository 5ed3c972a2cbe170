"""CSV logs of Lightning, Ultralytics and Keras, as these write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.importers.csv_logs import read_csv_log
from engine.importers.foreign_run import ForeignRun
from engine.importers.sources import find_sources

KERAS = """\
epoch,accuracy,loss,val_accuracy,val_loss
0,0.52,0.65,0.625,0.66
1,0.53,0.64,0.625,0.65
2,0.54,0.63,NA,NA
1,0.55,0.62,0.75,0.64
"""
LIGHTNING = """\
epoch,step,train_loss_epoch,train_loss_step,val_acc
0,1,,0.07,
0,7,,,0.5
0,7,0.09,,
1,15,,,0.6
"""
ULTRALYTICS = """\
                  epoch,      time,    train/box_loss,    metrics/mAP50-95(B),   val/box_loss
                      1,      10.0,               1.5,                    0.2,            nan
                      2,      20.5,               1.2,                   0.35,            1.1
"""


def points(run: ForeignRun, metric: str, split: str) -> list[tuple[int, float]]:
    return [(step, value) for step, _, value in run.series[metric, split].points(run.tally)]


def only(path: Path) -> ForeignRun:
    (source,) = find_sources(path)
    return source.read()


def written(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    return folder / name


def test_epochs_of_keras_are_steps_and_a_restart_replaces_them(tmp_path: Path) -> None:
    written(tmp_path / "mine", "training.log", KERAS)
    run = only(tmp_path)
    assert (run.program, run.name) == ("Keras", "mine")
    assert points(run, "loss", "train") == [(0, 0.65), (1, 0.62), (2, 0.63)]
    assert points(run, "accuracy", "validation") == [(0, 0.625), (1, 0.75)]
    assert [value for _, _, value in run.epochs.points(run.tally)] == [0.0, 1.0, 2.0]
    assert not any("not numbers" in told for told in run.tally.sentences())


def test_steps_of_lightning_are_updates_with_the_settings_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "lightning_logs" / "version_0"
    written(folder, "metrics.csv", LIGHTNING)
    written(folder, "hparams.yaml", "lr: 0.1\nmodel:\n  width: 8\napi_key: hidden\n")
    run = only(tmp_path / "lightning_logs")
    assert (run.program, run.name) == ("Lightning", "version_0")
    assert run.settings == {"lr": 0.1, "model.width": 8}
    assert points(run, "loss_step", "train") == [(1, 0.07)]
    assert points(run, "loss_epoch", "train") == [(7, 0.09)]
    assert points(run, "accuracy", "validation") == [(7, 0.5), (15, 0.6)]
    assert list(run.tally.sentences()) == ["Settings named like secrets, left out: 1."]


def test_metrics_of_ultralytics_are_those_of_the_validation_split(tmp_path: Path) -> None:
    path = written(tmp_path / "train3", "results.csv", ULTRALYTICS)
    written(tmp_path / "train3", "args.yaml", "model: yolov8n.pt\nlr0: 0.01\nsource: null\n")
    os.utime(path, (1000.0, 1000.0))
    run = only(tmp_path)
    assert (run.program, run.model, run.decides) == ("Ultralytics", "yolov8n.pt", "map50-95(b)")
    assert points(run, "map50-95(b)", "validation") == [(1, 0.2), (2, 0.35)]
    assert points(run, "box_loss", "validation") == [(2, 1.1)]
    assert points(run, "box_loss", "train") == [(1, 1.5), (2, 1.2)]
    assert list(run.series["box_loss", "train"].times) == [989.5, 1000.0]
    assert run.settings == {"model": "yolov8n.pt", "lr0": 0.01}
    assert list(run.tally.sentences()) == ["NaN or infinite values, left out: 1."]


def test_a_file_that_is_named_may_be_called_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, "mnist.csv", KERAS.replace(",", ";"))
    run = only(path)
    assert run.name == "mnist"
    assert points(run, "loss", "validation") == [(0, 0.66), (1, 0.64)]
    with pytest.raises(RunError, match="no run of another program"):
        find_sources(tmp_path)


def test_tables_without_a_step_are_left_alone_and_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "results.csv", "team,points\nA,3\n")
    with pytest.raises(RunError, match="no run of another program"):
        find_sources(tmp_path)
    with pytest.raises(ValueError, match="neither a step nor an epoch"):
        read_csv_log(path, "x")


def test_of_a_damaged_log_each_value_is_read_or_counted(tmp_path: Path) -> None:
    text = "step,loss,note\n1,0.5,begun\n2,0.4\n1.5,0.3,\n,0.2,\n3,inf,\n4,0.1,"
    run = read_csv_log(written(tmp_path, "log.csv", text), "x")
    assert points(run, "loss", "train") == [(1, 0.5), (4, 0.1)]
    assert sorted(run.tally.sentences()) == [
        "NaN or infinite values, left out: 1.",
        "Rows with another number of columns than the first, left out: 1.",
        "Values that are not numbers, left out: 1.",
        "Values without a usable step, left out: 2.",
    ]


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.getcwd []\n", "a: &x [1]\nb: *x\n", "a: [", "\0"],
)
def test_settings_that_are_no_plain_yaml_stay_unread(tmp_path: Path, text: str) -> None:
    written(tmp_path, "hparams.yaml", text)
    run = read_csv_log(written(tmp_path, "metrics.csv", LIGHTNING), "x")
    assert run.settings == {}
    assert "Files of settings in another form than plain YAML, not read: 1." in list(
        run.tally.sentences()
    )
