"""Runs of other programs in the history: what the files say, and what is damaged in them."""

from __future__ import annotations

import json
import math
import os
import pickle
import random
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.importers import foreign_run
from engine.importers.foreign_run import ForeignRun
from engine.importers.history import Outcome, import_runs
from engine.importers.metric_names import metric_of
from engine.importers.tf_records import masked_crc
from engine.runs.annotations import Annotations, read_annotations, write_annotations
from engine.runs.comparison import Comparison, compare
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Finished
from engine.runs.follower import read_history
from engine.runs.history import History
from engine.runs.listing import list_runs, summarize
from engine.runs.status import State
from tui.__main__ import main

MADE = Path(__file__).parent / "foreign_runs"
WANDB, TRAINER = MADE / "run-fixture.wandb", MADE / "trainer_state.json"


def only(path: Path) -> tuple[RunDirectory, History, Outcome]:
    """Import the only run of a path."""
    (outcome,) = import_runs(path, runs_folder())
    assert outcome.run is not None, outcome
    return outcome.run, read_history(outcome.run), outcome


def values(history: History, metric: str, split: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in history.curves[metric, split].points]


def tensorboard(folder: Path, scalars: Iterable[tuple[str, int, float]]) -> Path:
    """Write an event file by TensorBoard itself."""
    from tensorboard.summary import Writer

    writer = Writer(str(folder))
    for tag, step, value in scalars:
        writer.add_scalar(tag, value, step=step, wall_time=1000.0 + step)
    writer.close()
    return folder


def curves(count: int = 30) -> list[tuple[str, int, float]]:
    rows = [("train/loss", step, 1 / (step + 1)) for step in range(count)]
    return rows + [("val/accuracy", step, step / count) for step in range(0, count, 10)]


def test_the_curves_of_tensorboard_are_those_that_its_own_reader_finds(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tensorboard(tmp_path / "mine", curves())
    theirs = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    _, history, _ = only(folder)
    names = {"train/loss": ("loss", "train"), "val/accuracy": ("accuracy", "validation")}
    for tag, name in names.items():
        events = theirs.Tensors(tag)
        assert values(history, *name) == [(e.step, e.tensor_proto.float_val[0]) for e in events]
    assert [point.seconds for point in history.curves["loss", "train"].points][-1] == 29.0


def test_scalars_and_hyperparameters_of_torch_are_read(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path / "mine"))
    for step, loss in enumerate([0.5, math.nan, 0.25, math.inf, 0.125]):
        writer.add_scalar("Loss/train", loss, step)
    writer.add_text("note", "words")
    writer.add_hparams({"lr": 0.1, "batch_size": 8, "optimizer": "adam", "norm": True},
                       {"hparam/acc": 0.9}, run_name=".")  # fmt: skip
    writer.close()
    run, history, outcome = only(tmp_path)
    assert values(history, "loss", "train") == [(0, 0.5), (2, 0.25), (4, 0.125)]
    imported = run.config.imported()
    assert imported is not None
    settings = {"lr": 0.1, "batch_size": 8.0, "optimizer": "adam", "norm": True}
    assert imported.settings == settings
    assert "NaN or infinite values, left out: 2." in outcome.notes


def test_folders_called_train_and_validation_are_one_run(tmp_path: Path) -> None:
    for part in ("train", "validation"):
        tensorboard(tmp_path / "keras" / part, [("epoch_loss", 0, 1.0), ("epoch_loss", 1, 0.5)])
    run, history, _ = only(tmp_path)
    assert run.id.endswith("-keras")
    assert values(history, "loss", "train") == values(history, "loss", "validation")


def test_a_run_of_wandb_has_its_name_steps_times_and_settings() -> None:
    run, history, outcome = only(WANDB)
    losses = values(history, "loss", "train")
    assert len(losses) == 158
    assert losses[0] == (0, 1.0)
    assert losses[-1] == (159, 1 / 160)
    assert values(history, "accuracy", "validation")[3] == (60, 60 / 160)
    points = history.curves["loss", "train"].points
    assert points[-1].epoch == 159 / 40
    assert 0 < points[0].seconds < points[-1].seconds < 60
    imported = run.config.imported()
    assert imported is not None
    assert imported.settings == {"lr": 0.1, "batch_size": 16, "model.width": 3, "seed": 7}
    assert outcome.notes == (
        "Settings named like secrets, left out: 1.",
        "NaN or infinite values, left out: 2.",
        "Values that are not numbers (images, histograms, tables), left out: 3.",
    )
    assert "hidden" not in (run.path / "config.toml").read_text()
    assert "\x1b" not in imported.name


def test_wandb_itself_is_read_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(project="p", name="now", config={"lr": 0.5}, dir=str(tmp_path)) as theirs:
        for step in range(5):
            theirs.log({"loss": 1 / (step + 1), "big": "x" * 20_000})
    wandb.teardown()  # the file is complete only then
    run, history, _ = only(tmp_path)
    assert [step for step, _ in values(history, "loss", "train")] == [0, 1, 2, 3, 4]
    imported = run.config.imported()
    assert imported is not None
    assert (imported.name, imported.settings) == ("now", {"lr": 0.5})


def test_a_run_of_transformers_has_its_metrics_and_the_one_that_decides(tmp_path: Path) -> None:
    for file in (TRAINER, MADE / "config.json"):
        shutil.copy(file, tmp_path)
    (tmp_path / "training_args.bin").write_bytes(pickle.dumps(Explosive()))
    run, history, outcome = only(tmp_path)
    log = json.loads(TRAINER.read_text())["log_history"]
    assert values(history, "loss", "train") == [
        (row["step"], row["loss"]) for row in log if "loss" in row
    ]
    assert values(history, "accuracy", "validation") == [
        (row["step"], row["eval_accuracy"]) for row in log if "eval_accuracy" in row
    ]
    newest = {8: 0.6661, 16: 0.3503, 24: 0.1045, 32: 0.0445}
    assert {row.step: round(row.train_loss or 0, 4) for row in history.evaluations} == newest
    summary = summarize(run)
    assert (summary.metric, summary.value) == ("accuracy", 1.0)
    assert (summary.model, summary.data) == ("bert", "transformers")
    assert summary.seconds == pytest.approx(log[-1]["train_runtime"])
    assert history.best is not None
    assert history.best.step == json.loads(TRAINER.read_text())["best_global_step"]
    assert history.best.epoch == history.best.step / 8
    assert any("pickle" in note for note in outcome.notes)
    assert any("eval_runtime" in note for note in outcome.notes)


class Explosive:
    """An object that makes a file where its pickle is opened."""

    def __reduce__(self) -> Any:
        return (exit, (1,))


def test_only_the_newest_state_of_a_run_with_checkpoints_is_imported(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoint-8").mkdir(parents=True)
    state = json.loads(TRAINER.read_text())
    (tmp_path / "run" / "trainer_state.json").write_text(json.dumps(state))
    early = state | {"log_history": state["log_history"][:2]}
    old = tmp_path / "run" / "checkpoint-8" / "trainer_state.json"
    old.write_text(json.dumps(early))

    os.utime(old, (1.0, 1.0))
    run, history, _ = only(tmp_path)
    assert run.id.endswith("-run")
    assert len(history.evaluations) == 4


def test_of_a_file_that_was_cut_off_what_is_whole_is_kept(tmp_path: Path) -> None:
    (events,) = tensorboard(tmp_path / "mine", curves()).iterdir()
    events.write_bytes(events.read_bytes()[:-5])
    _, history, outcome = only(tmp_path)
    assert len(values(history, "accuracy", "validation")) == 2
    assert any(note.startswith("Files that end in the middle") for note in outcome.notes)


def test_a_damaged_record_is_left_out_and_counted(tmp_path: Path) -> None:
    (events,) = tensorboard(tmp_path / "mine", curves()).iterdir()
    data = bytearray(events.read_bytes())
    data[-30] ^= 1
    events.write_bytes(data)
    _, history, outcome = only(tmp_path)
    assert len(values(history, "accuracy", "validation")) == 2
    assert outcome.notes == ("Damaged records (wrong checksum), left out: 1.",)


def test_of_wandb_a_damaged_block_is_left_out_and_counted(tmp_path: Path) -> None:
    data = bytearray(WANDB.read_bytes())
    data[20_000] ^= 1
    (tmp_path / "run-x.wandb").write_bytes(data)
    _, history, outcome = only(tmp_path)
    assert 0 < len(values(history, "loss", "train")) < 158
    assert values(history, "loss", "train")[-1] == (159, 1 / 160)
    assert "Damaged blocks of 32 KB, of which the rest was left out: 1." in outcome.notes


@pytest.mark.parametrize("kind", ["tensorboard", "wandb", "transformers"])
def test_no_damage_is_more_than_a_sentence(tmp_path: Path, kind: str) -> None:
    if kind == "tensorboard":
        (path,) = tensorboard(tmp_path / "mine", curves(8)).iterdir()
    else:
        path = Path(shutil.copy({"wandb": WANDB, "transformers": TRAINER}[kind], tmp_path))
    whole, dice = path.read_bytes(), random.Random(0)
    if kind == "wandb":
        whole = whole[:6000]
    for _ in range(60):
        data = bytearray(whole[: dice.randrange(len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.choice([1, 1, 3, 30])):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(_sealed(data) if kind == "tensorboard" else data)
        for outcome in import_runs(path, runs_folder()):
            assert outcome.run is None or read_history(outcome.run).ended


def _sealed(data: bytearray) -> bytes:
    """Put right checksums to wrong records, so that the damage is inside."""
    made, at = b"", 0
    while at + 12 <= len(data):
        (length,) = struct.unpack("<Q", data[at : at + 8])
        record = bytes(data[at + 12 : at + 12 + min(length, 300)])
        head = struct.pack("<Q", len(record))
        made += head + struct.pack("<I", masked_crc(head)) + record
        made += struct.pack("<I", masked_crc(record))
        at += 16 + len(record)
    return made


def test_wandb_records_of_several_blocks_are_put_together(tmp_path: Path) -> None:
    import zlib

    value = json.dumps(0.5).encode()
    row = b"".join(_field(1, _field(1, name) + _field(16, text)) for name, text in (
        (b"loss", value), (b"_step", b"3"), (b"text", b'"%s"' % (b"x" * 70_000)),
    ))  # fmt: skip
    record, data = _field(2, row), b":W&B\xe1\xbe\x00"
    first = True
    while record:
        room = 32768 - len(data) % 32768 - 7
        part, record = record[:room], record[room:]
        kind = (2 if record else 1) if first else (3 if record else 4)
        data += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
        first = False
    (tmp_path / "run-long.wandb").write_bytes(data)
    _, history, _ = only(tmp_path)
    assert values(history, "loss", "train") == [(3, 0.5)]


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def test_an_imported_run_is_marked_in_lists(capsys: pytest.CaptureFixture[str]) -> None:
    only(WANDB)
    (row,) = list_runs(runs_folder())
    assert row.state is State.IMPORTED
    assert (row.data, row.model, row.problem) == ("W&B", "(W&B)", "")
    assert main(["runs", "--filter", "state:imported"]) == 0
    assert main(["show", row.id]) == 0
    shown = capsys.readouterr().out
    assert "cannot be resumed" not in shown
    assert "It can be compared, but not resumed" in shown
    assert str(WANDB) in shown


@pytest.mark.parametrize("command", [["run", "--resume"], ["export"]])
def test_what_an_imported_run_cannot_do_is_said(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, _, _ = only(TRAINER)
    assert main([*command, run.id]) != 0
    assert "was imported from transformers" in capsys.readouterr().err


def test_an_imported_run_has_no_model_to_predict_with() -> None:
    from engine.service.model_source import exported_model

    run, _, _ = only(TRAINER)
    with pytest.raises(RunError, match="was imported from transformers"):
        exported_model(run.id)


def test_a_run_that_grew_is_brought_up_to_date_where_it_is(tmp_path: Path) -> None:
    folder = tensorboard(tmp_path / "mine", curves(10))
    run, history, _ = only(folder)
    write_annotations(run, Annotations(("mine",)))
    _, _, unchanged = only(folder)
    assert "unchanged" in unchanged.text
    tensorboard(folder, [("train/loss", step, 0.01) for step in range(10, 15)])
    again, history, outcome = only(folder)
    assert again.id == run.id
    assert "up to date" in outcome.text
    assert values(history, "loss", "train")[-1][0] == 14
    assert read_annotations(again).tags == ("mine",)
    assert len(list_runs(runs_folder())) == 1


def rows(comparison: Comparison) -> dict[str, Any]:
    return {row.name: row for row in comparison.rows()}


def own(accuracy: float) -> RunDirectory:
    config = RunConfig.parse(
        {"name": "own", "task": {"kind": "image_classification"}, "data": {"kind": "builtin"},
         "model": {"kind": "cnn"}, "train": {"learning_rate": 0.1}}
    )  # fmt: skip
    run = RunDirectory.create(runs_folder(), config)
    log = EventLog(run.events.path)
    log.write(Finished(step=1, seconds=1.0, metrics={"accuracy": accuracy, "loss": 0.1}))
    log.close()
    return run


def test_imported_runs_are_compared_with_own_ones() -> None:
    theirs, _, _ = only(WANDB)
    comparison = compare([own(0.5), theirs])
    found = rows(comparison)
    assert found["accuracy"].values == (0.5, 140 / 160)
    assert found["accuracy"].best == {1}
    assert "train.learning_rate" not in found  # it is the same
    assert found["train.batch_size"].values == (None, 16)
    assert found["task.kind"].values == ("image_classification", None)
    assert "1 of the runs (W&B)" in comparison.note


def test_a_metric_of_unknown_direction_has_no_best_value(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        scalars = [("val/loss", 0, 1.0), ("val/glow", 0, float(len(runs)))]
        runs.append(only(tensorboard(tmp_path / name, scalars))[0])
    found = rows(compare(runs))
    assert found["glow"].values == (0.0, 1.0)
    assert found["glow"].best == frozenset()


def test_a_long_curve_keeps_its_ends_and_says_what_it_left_out(tmp_path: Path) -> None:
    run = ForeignRun("TensorBoard", tmp_path, "long")
    for step in range(10_001):
        run.add("loss", step, 0.0, float(step))
    points = run.series["loss", "train"].points(run.tally)
    assert (points[0][0], points[-1][0]) == (0, 10_000)
    assert len(points) <= foreign_run.POINTS
    (said,) = run.tally.sentences()
    assert said.endswith(f"{10_001 - len(points):,}.")


def test_too_many_values_and_curves_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_run, "MOST_CURVES", 2)
    monkeypatch.setattr(foreign_run, "MOST_VALUES", 3)
    run = ForeignRun("TensorBoard", tmp_path, "wide")
    for tag in ("a", "b", "c"):
        run.add(tag, 0, 0.0, 1.0)
    for step in (1, 2, -1):
        run.add("a", step, 0.0, 1.0)
    assert [text.rpartition(" ")[2] for text in run.tally.sentences()] == ["1.", "1.", "1."]


@pytest.mark.parametrize(
    ("tag", "metric"),
    [
        ("loss", ("loss", "train")),
        ("train/loss", ("loss", "train")),
        ("Loss/train", ("loss", "train")),
        ("val_loss", ("loss", "validation")),
        ("eval/acc", ("accuracy", "validation")),
        ("test_f1", ("f1", "test")),
        ("lr", ("learning_rate", "train")),
        ("rollout/reward", ("rollout/reward", "train")),
        ("value_loss", ("value_loss", "train")),
        ("\x1b[2Jloss", ("␛[2jloss", "train")),
    ],
)
def test_the_split_is_found_in_the_name(tag: str, metric: tuple[str, str]) -> None:
    assert metric_of(tag) == metric


def test_two_names_of_one_metric_are_two_curves(tmp_path: Path) -> None:
    _, history, _ = only(tensorboard(tmp_path / "x", [("loss", 0, 1.0), ("train/loss", 0, 2.0)]))
    assert values(history, "loss", "train") == [(0, 1.0)]
    assert values(history, "train/loss", "train") == [(0, 2.0)]


def test_a_folder_without_runs_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run of another program.*trainer_state\.json"):
        list(import_runs(tmp_path, runs_folder()))


@pytest.mark.parametrize(
    ("name", "content"),
    [("run-x.wandb", b"no"), ("trainer_state.json", b"[]"), ("trainer_state.json", b"[" * 100_000),
     ("events.out.tfevents.1", b"x" * 100)],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(
    tmp_path: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert main(["import", str(tmp_path)]) != 0
    shown = capsys.readouterr()
    assert str(tmp_path) in shown.out
    assert "Nothing was imported" in shown.err
