"""Runs in MLflow's folder ``mlruns``, as its store of files writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.importers.foreign_run import ForeignRun
from engine.importers.sources import find_sources

META = """\
artifact_uri: file:///mlruns/1/abc/artifacts
end_time: 1796090830330
lifecycle_stage: active
run_id: abc
run_name: bright-owl-7
start_time: 1796090830279
"""


def made(root: Path, meta: str = META, **files: str) -> Path:
    """A folder of one run; files by their names below it, ``__`` for a slash."""
    (root / "1").mkdir(parents=True, exist_ok=True)
    (root / "1" / "meta.yaml").write_text("experiment_id: '1'\nname: e\n")
    folder = root / "1" / "abc"
    for name, content in ({"metrics__loss": "1796090830300 1.0 0\n"} | files).items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "meta.yaml").write_text(meta)
    return root


def only(path: Path) -> ForeignRun:
    (source,) = find_sources(path)
    return source.read()


def points(run: ForeignRun, metric: str, split: str) -> list[tuple[int, float, float]]:
    return run.series[metric, split].points(run.tally)


def test_metrics_have_their_steps_and_times_and_parameters_their_types(tmp_path: Path) -> None:
    run = only(made(
        tmp_path,
        metrics__train__loss="1796090830300 0.5 0\n1796090830400 0.25 10\n",
        metrics__val_acc="1796090830300 0.5 0\n1796090830400 nan 5 data digest\n"
                         "1796090830500 0.75 0 data digest\n",
        params__lr="0.1", params__epochs="3", params__opt="adam", params__nesterov="True",
        params__model__width="8", params__api_key="hidden",
    ))  # fmt: skip
    assert (run.program, run.name) == ("MLflow", "bright-owl-7")
    assert (run.started, run.ended) == (1796090830.279, 1796090830.33)
    assert points(run, "train/loss", "train") == [
        (0, 1796090830.3, 0.5), (10, 1796090830.4, 0.25),
    ]  # fmt: skip
    assert points(run, "accuracy", "validation") == [(0, 1796090830.5, 0.75)]
    assert run.settings == {
        "lr": 0.1, "epochs": 3, "opt": "adam", "nesterov": True, "model/width": 8,
    }  # fmt: skip
    assert sorted(run.tally.sentences()) == [
        "NaN or infinite values, left out: 1.",
        "Settings named like secrets, left out: 1.",
        "Values written again for the same step, of which the later ones are kept: 1.",
    ]


def test_damaged_lines_and_measures_of_the_machine_are_not_metrics(tmp_path: Path) -> None:
    run = only(made(
        tmp_path, metrics__loss="1796090830300 0.5 0\n179609\nx y z\n1796090830300 0.25\n",
        metrics__system__cpu="1796090830300 0.5 0\n",
    ))  # fmt: skip
    assert [(step, value) for step, _, value in points(run, "loss", "train")] == [(0, 0.25)]
    assert run.left_out == {"system/cpu"}
    assert "Damaged lines of metrics, left out: 2." in list(run.tally.sentences())


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (META.replace("active", "deleted"), "deleted in MLflow"),
        ("run_id: !!python/object:a.b {}\n", "plain YAML"),
        ("model_id: m-1\n", "not of a run"),
    ],
)
def test_what_is_no_run_is_said(tmp_path: Path, meta: str, message: str) -> None:
    (source,) = find_sources(made(tmp_path, meta))
    with pytest.raises(ValueError, match=message):
        source.read()


def test_a_metric_that_grew_is_noticed(tmp_path: Path) -> None:
    (source,) = find_sources(made(tmp_path))
    before = source.fingerprint()
    with (tmp_path / "1/abc/metrics/loss").open("a") as file:
        file.write("1796090830400 0.5 1\n")
    (source,) = find_sources(tmp_path)
    assert source.fingerprint() != before
