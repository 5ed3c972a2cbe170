"""The settings that the results show: changed ones, and what automatic ones came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.runs.control import LEARNING_RATE
from engine.runs.directory import RunDirectory
from engine.runs.events import Controlled, Data, Progress, Started
from engine.runs.history import History
from tui.format.settings_used import read_settings_used, settings_lines


def started() -> History:
    history = History()
    columns = [{"name": "age", "role": "input"}, {"name": "churned", "role": "target"}]
    history.apply(Data(summary={"columns": columns}))
    history.apply(Started(device="cpu", precision="float32", threads=2, versions={}))
    return history


def created(tmp_path: Path, config: RunConfig, *settled: str) -> RunDirectory:
    run = RunDirectory.create(tmp_path, config)
    if settled:
        run.config.settle(config.override(list(settled)), config)
    return run


def table(**train: Any) -> RunConfig:
    return RunConfig.parse({
        "name": "mine", "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"}, "model": {"kind": "tabm"}, "train": train,
    })  # fmt: skip


def test_automatic_fields_are_shown_with_what_they_came_to(tmp_path: Path) -> None:
    run = created(tmp_path, table(), "train.learning_rate=0.004", "model.width=64")
    used = read_settings_used(run, started())
    assert dict(used.automatic) == {
        "model.width": "64", "train.learning_rate": "0.004", "task.target": "churned",
        "compute.device": "cpu", "compute.precision": "float32",
    }  # fmt: skip
    assert "train.learning_rate" not in used.changed


def test_fields_that_were_set_stand_beside_their_defaults(tmp_path: Path) -> None:
    run = created(tmp_path, table(epochs=3, weight_decay=0.5))
    used = read_settings_used(run, started())
    default = RunConfig.model_fields["train"].annotation.model_fields["weight_decay"].default
    assert used.changed["train.weight_decay"] == ("0.5", f"{default:.6g}")
    assert used.changed["train.epochs"] == ("3", "–")
    assert not [name for name in used.changed if name.endswith((".kind", "title"))]
    lines = [line.plain for line in settings_lines(used)]
    assert "differs from the defaults" in lines
    assert "  task.target                  → churned" in lines


def test_changes_while_a_run_trained_are_shown(tmp_path: Path) -> None:
    history = started()
    history.apply(
        Progress(step=5, steps=10, epoch=2.5, epochs=5, loss=1.0, learning_rate=0.1, seconds=1.0)
    )
    history.apply(Controlled(request=LEARNING_RATE, message="Peak learning rate 0.1 from now on."))
    lines = settings_lines(read_settings_used(created(tmp_path, table()), history))
    texts = [line.plain for line in lines]
    place = texts.index("changed while it trained")
    assert texts[place + 1] == "  epoch 2.5: Peak learning rate 0.1 from now on."


def test_a_run_that_is_named_after_a_preset_is_compared_with_it(tmp_path: Path) -> None:
    preset = load_preset(find_preset("digits-cnn"))
    run = created(tmp_path, preset.override(["train.epochs=3"]))
    used = read_settings_used(run, started())
    assert used.preset == "digits-cnn"
    assert list(used.changed) == ["train.epochs"]
    untouched = read_settings_used(created(tmp_path, preset), started())
    lines = [line.plain for line in settings_lines(untouched)]
    assert "no field differs from preset digits-cnn" in lines


def test_settings_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    run = created(tmp_path, table())
    (run.path / "config.toml").write_text("[")
    assert list(settings_lines(read_settings_used(run, started()))) == []


def test_the_size_of_a_batch_is_shown_where_it_was_left_open(tmp_path: Path) -> None:
    config = RunConfig.parse({
        "task": {"kind": "text_classification"}, "data": {"kind": "builtin", "name": "docstrings"},
        "model": {"kind": "transformer"},
    })  # fmt: skip
    used = read_settings_used(created(tmp_path, config), History())
    assert used.important["batch size"] == used.automatic["train.batch_size"] == "64"


def test_a_batch_of_tokens_leaves_no_size_open(tmp_path: Path) -> None:
    config = RunConfig.parse({
        "task": {"kind": "causal_lm"}, "data": {"kind": "builtin", "name": "docstrings"},
        "model": {"kind": "transformer"}, "train": {"batch_tokens": 4096},
    })  # fmt: skip
    used = read_settings_used(created(tmp_path, config), History())
    assert used.important["batch size"] == "4,096 tokens"
    assert "train.batch_size" not in used.automatic


def test_a_size_of_a_batch_that_waits_for_the_data_is_not_guessed(tmp_path: Path) -> None:
    used = read_settings_used(created(tmp_path, table()), History())
    assert "batch size" not in used.important
    assert "train.batch_size" not in used.automatic
