"""Runs that other programs spread over folders, restarted, or counted in two ways."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.importers.foreign_run import ForeignRun
from engine.importers.metric_names import direction_of
from engine.importers.sources import Source, find_sources
from engine.importers.transformers import read_transformers
from engine.importers.wandb import read_wandb
from tests.unit.test_foreign_files import field, wandb_file


def points(run: ForeignRun, metric: str, split: str) -> list[tuple[int, float]]:
    return [(step, value) for step, _, value in run.series[metric, split].points(run.tally)]


def only(path: Path) -> ForeignRun:
    (source,) = find_sources(path)
    return source.read()


def writer(folder: Path, **options: Any) -> Any:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), **options)


def test_curves_of_add_scalars_are_those_of_the_run_and_their_splits(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as theirs:
        for step in range(3):
            theirs.add_scalars("Loss", {"train": 1.0 + step, "val": 2.0 + step}, step)
            theirs.add_scalars("size/of", {"layer_1": 3.0, "layer_2": 4.0}, step)
        theirs.add_scalar("acc/val", 0.5, 2)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 5
    run = only(tmp_path)
    assert points(run, "loss", "train") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert points(run, "loss", "validation") == [(0, 2.0), (1, 3.0), (2, 4.0)]
    assert points(run, "size/of/layer_2", "train") == [(0, 4.0), (1, 4.0), (2, 4.0)]
    assert points(run, "accuracy", "validation") == [(2, 0.5)]


def test_hyperparameters_in_a_folder_of_their_own_are_those_of_the_run(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as theirs:
        theirs.add_scalar("val/acc", 0.5, 1)
        theirs.add_hparams({"lr": 0.1}, {"hparam/best": 0.5})
    run = only(tmp_path)
    assert run.settings == {"lr": 0.1}
    assert points(run, "accuracy", "validation") == [(1, 0.5)]


def test_hyperparameters_of_several_sessions_stay_runs_of_their_own(tmp_path: Path) -> None:
    with writer(tmp_path / "all") as theirs:
        theirs.add_scalar("val/acc", 0.5, 1)
        for name, rate in (("1700000000.125", 0.1), ("1700000001.5", 0.2)):
            theirs.add_hparams({"lr": rate}, {"acc": rate}, run_name=name)
    read = [source.read() for source in find_sources(tmp_path)]
    assert [run.settings for run in read] == [{"lr": 0.1}, {"lr": 0.2}, {}]


def test_folders_with_files_of_their_own_stay_runs_of_their_own(tmp_path: Path) -> None:
    for name in ("all", "all/loss_of_mine"):
        with writer(tmp_path / name) as theirs:
            theirs.add_scalar("acc", 0.5, 1)
    assert [source.path.name for source in find_sources(tmp_path)] == ["all", "loss_of_mine"]


def test_a_restart_discards_what_was_written_from_its_step_on(tmp_path: Path) -> None:
    """As TensorBoard shows such a run: steps 56 to 98 belong to the training that was given up."""
    with writer(tmp_path / "run") as theirs:
        for step in range(0, 100, 7):
            theirs.add_scalar("loss", float(step), step)
            theirs.add_scalar("epoch", step / 7, step)
    (first,) = (tmp_path / "run").iterdir()
    first.rename(first.with_name("events.out.tfevents.1000000000.before"))
    with writer(tmp_path / "run", purge_step=50) as theirs:
        for step in (50, 60, 70):
            theirs.add_scalar("loss", 1000.0, step)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(tmp_path / "run")).Reload().Scalars("loss")
    run = only(tmp_path)
    assert points(run, "loss", "train") == [(event.step, event.value) for event in shown]
    assert max(run.epochs.steps) == 49
    assert "Values from the step on at which a restart continued, left out: 14." in list(
        run.tally.sentences()
    )


def test_a_file_that_goes_back_to_an_earlier_step_replaces_what_follows_it(tmp_path: Path) -> None:
    for number, (begin, end, value) in enumerate([(0, 100, 1.0), (45, 75, 2.0)]):
        with writer(tmp_path / "run") as theirs:
            for step in range(begin, end, 10):
                theirs.add_scalar("loss", value, step)
            theirs.add_scalar(f"only/{number}", value, 90)
        (newest,) = (path for path in (tmp_path / "run").iterdir() if path.suffix != ".kept")
        newest.rename(newest.with_name(f"events.out.tfevents.{number}.kept"))
    run = only(tmp_path)
    before = [(step, 1.0) for step in range(0, 41, 10)]
    assert points(run, "loss", "train") == [*before, (45, 2.0), (55, 2.0), (65, 2.0)]
    assert points(run, "only/0", "train") == [(90, 1.0)], "no curve of the second file"
    assert "Values from the step on at which a restart continued, left out: 5." in list(
        run.tally.sentences()
    )


def row(values: dict[str, float], step: int) -> bytes:
    """A row of W&B's history, as it writes one."""
    items = values | {"_step": step}
    return field(2, b"".join(
        field(1, field(2, name.encode()) + field(16, json.dumps(value).encode()))
        for name, value in items.items()
    ))  # fmt: skip


@pytest.mark.parametrize("sanity", [0, 2])
def test_rows_of_wandb_without_a_count_of_updates_follow_the_last_count(
    tmp_path: Path, sanity: int
) -> None:
    rows: list[dict[str, float]] = [{"val/acc": 0.1}] * sanity
    rows += [{"loss": 1.0, "global_step": 100}, {"val/acc": 0.5},
             {"loss": 0.5, "global_step": 200}, {"val/acc": 0.7}]  # fmt: skip
    path = tmp_path / "run-a.wandb"
    path.write_bytes(wandb_file([row(values, step) for step, values in enumerate(rows)]))
    run = read_wandb(path)
    assert points(run, "loss", "train") == [(100, 1.0), (200, 0.5)]
    before = [(step, 0.1) for step in range(sanity)]
    assert points(run, "accuracy", "validation") == [*before, (100, 0.5), (200, 0.7)]
    assert list(run.tally.sentences()) == [
        "Rows without a count of updates, at the count of the row before them: 2."
    ]


def test_rows_of_wandb_before_the_first_count_are_not_beyond_it(tmp_path: Path) -> None:
    rows = [*({"val/acc": 0.1} for _ in range(5)), {"loss": 1.0, "global_step": 3}]
    path = tmp_path / "run-a.wandb"
    path.write_bytes(wandb_file([row(values, step) for step, values in enumerate(rows)]))
    assert [step for step, _ in points(read_wandb(path), "accuracy", "validation")] == [0, 1, 2, 3]


def test_an_evaluation_of_the_best_model_does_not_replace_that_of_the_last(tmp_path: Path) -> None:
    rows = [
        {"step": 8, "loss": 1.0}, {"step": 8, "eval_loss": 0.4},
        {"step": 16, "loss": 0.5}, {"step": 16, "eval_loss": 0.9},
        {"step": 16, "train_runtime": 3.0, "train_loss": 0.75},
        {"step": 16, "eval_loss": 0.4, "eval_model_preparation_time": 0.1},
        {"step": 16, "test_loss": 0.6},
    ]  # fmt: skip
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": rows, "best_metric": 0.4}))
    run = read_transformers(path)
    assert points(run, "loss", "validation") == [(8, 0.4), (16, 0.9)]
    assert points(run, "loss", "test") == [(16, 0.6)]
    assert "eval_model_preparation_time" in run.left_out
    (told,) = run.tally.sentences()
    assert told.endswith("left out: 1.")


def test_a_change_in_any_of_many_files_is_noticed(tmp_path: Path) -> None:
    files = tuple(tmp_path / f"events.out.tfevents.{number}" for number in range(100))
    for file in files:
        file.write_bytes(b"")
    source = Source(tmp_path, files, lambda: ForeignRun("x", tmp_path, "y"))
    before = source.fingerprint()
    assert len(before) <= 2000
    os.utime(files[-1], (5.0, 5.0))
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("dice_cancer", "higher"), ("auc_cancer", "higher"), ("answer_length", "unknown"),
        ("gpu_power", "unknown"), ("layer2", "unknown"), ("heatmap", "unknown"),
        ("neg_mean_squared_error", "higher"), ("neg_log_loss", "higher"),
        ("negative_log_likelihood", "lower"), ("rewards/rejected", "unknown"),
        ("rewards/chosen", "higher"), ("entropy", "unknown"), ("cross_entropy", "lower"),
        ("top1acc", "higher"), ("map@100", "higher"), ("cosine_ndcg@10", "higher"),
        ("mean_token_accuracy", "higher"), ("r2", "higher"), ("cer", "lower"), ("wape", "lower"),
    ],
)  # fmt: skip
def test_short_names_count_only_as_words_and_a_negated_error_rises(
    name: str, direction: str
) -> None:
    assert direction_of(name) == direction


def states(folder: Path, *logs: tuple[str, list[dict[str, float]], float]) -> Path:
    """A folder of checkpoints: names, logs and times of their files."""
    for name, rows, time in logs:
        path = folder / name / "trainer_state.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"log_history": rows}))
        os.utime(path, (time, time))
    return folder


def test_of_downloaded_checkpoints_the_one_that_continues_the_others_is_read(
    tmp_path: Path,
) -> None:
    rows = [{"step": step, "loss": 1.0 / step} for step in (500, 1000, 1500)]
    folder = states(
        tmp_path / "run",
        ("checkpoint-500", rows[:1], 30.0), ("checkpoint-1000", rows[:2], 10.0),
        ("checkpoint-1500", rows, 20.0),
    )  # fmt: skip
    assert [step for step, _ in points(only(folder), "loss", "train")] == [500, 1000, 1500]


def test_checkpoints_of_an_earlier_run_in_the_same_folder_do_not_count(tmp_path: Path) -> None:
    old = [{"step": step, "loss": 9.0} for step in (500, 1000, 1500)]
    new = [{"step": step, "loss": 1.0} for step in (500, 1000)]
    folder = states(
        tmp_path / "run", ("checkpoint-1500", old, 10.0), ("checkpoint-1000", new, 20.0)
    )
    assert points(only(folder), "loss", "train") == [(500, 1.0), (1000, 1.0)]
