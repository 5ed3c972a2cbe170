"""Bitwise equality of a resumed run and an uninterrupted one, for each task.

Two uninterrupted runs are compared as well: if they differ, the device itself is not deterministic.
``compute.deterministic`` is off in one process and on in another, since cuBLAS allocates its
workspace only once; both run at the same time. The runs have no directory: only trainer, state and
checkpoint of the engine are used.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from experiments import TASKS, experiment
from part import Part, describe, main

from engine import RunConfig
from engine.artifacts.build import build_network
from engine.hardware.determinism import determinism_errors
from engine.hardware.device import Compute, choose
from engine.runs.events import Evaluated, Event
from engine.tasks.create import create_task
from engine.tasks.task import Task
from engine.training.checkpoints.state import TrainingState, seed_everything
from engine.training.material import Material, prepare
from engine.training.optimization.optimizer import build_optimizer, trainable_groups
from engine.training.trainer import Trainer
from engine.training.trainer_setup import Outlets, Setup

UPDATES = {"cuda": 16, "cpu": 8}
"""More than one epoch."""
INTERRUPTED_AT = 3
SETTING = "DLTUI_BITS_DETERMINISTIC"
"""``false`` or ``true`` in the measuring processes."""
LORA = "LoRA"
State = dict[str, Any]


@dataclass
class Bench:
    """Everything that the runs of one task share."""

    task: Task[Any]
    compute: Compute
    material: Material
    evaluations: list[dict[str, Any]] = field(default_factory=list)

    def trained(self, saved: State | None = None, until: int | None = None) -> State:
        """The state after a run, fresh or resumed from ``saved``, and perhaps interrupted."""
        config = self.task.config
        seed_everything(config.train.seed)
        with self.compute.device:
            network = build_network(self.task, self.material.fitted, self.compute)
        groups = trainable_groups(network)
        optimizer = build_optimizer(groups, config.train, self.compute.device)
        state = TrainingState(network, optimizer, self.compute.scaler())
        if saved is not None:
            state.load_state_dict(saved)
        outlets = Outlets(
            report=self._note,
            requests=lambda: iter(()),
            save=lambda reason: None,
            interrupted=lambda: state.position.step == until,
        )
        sources = self.material.sources
        setup = Setup(self.task, self.material.fitted, state, self.compute, outlets)
        Trainer(setup, sources["train"], sources.get("validation")).run()
        return written_and_read(state.state_dict())

    def _note(self, event: Event) -> None:
        if isinstance(event, Evaluated):
            self.evaluations.append(event.metrics)


def written_and_read(state: State) -> State:
    """The state as a checkpoint stores it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    read: State = torch.load(file, weights_only=True, map_location="cpu")
    return read


def tensors(part: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of a state with their paths."""
    if isinstance(part, torch.Tensor):
        yield name, part
    items = part.items() if isinstance(part, dict) else ()
    items = enumerate(part) if isinstance(part, list | tuple) else items
    for key, value in items:
        yield from tensors(value, f"{name}.{key}")


def trained_parts(state: State) -> dict[str, torch.Tensor]:
    """Weights and the optimizer's state."""
    return dict(tensors({name: state[name] for name in ("network", "optimizer")}))


def difference(one: State, other: State) -> float:
    """The largest difference of a weight or of the optimizer state; 0 if the bits are equal."""
    ours, theirs = trained_parts(one), trained_parts(other)
    if ours.keys() != theirs.keys():
        raise AssertionError("the states have different parts")
    unequal = [name for name, value in ours.items() if not torch.equal(value, theirs[name])]
    return max((float((ours[n].double() - theirs[n].double()).abs().max()) for n in unequal),
               default=0.0)  # fmt: skip


def compared(values: dict[str, Any], row: dict[str, Any]) -> None:
    """Fill the row of one experiment."""
    config = RunConfig.parse(values)
    task, compute = create_task(config), choose(config.compute)
    bench = Bench(task, compute, prepare(task, compute, lambda event: None))
    whole = bench.trained()
    told, bench.evaluations = bench.evaluations, []
    again = bench.trained()
    bench.evaluations = []
    half = bench.trained(until=INTERRUPTED_AT)
    if half["position"]["step"] != INTERRUPTED_AT or difference(whole, half) == 0:
        raise AssertionError("the run was not interrupted, so there is nothing to compare")
    resumed = bench.trained(saved=half)
    row["repeated_difference"] = difference(whole, again)
    row["resumed_difference"] = difference(whole, resumed)
    row["repeated_same"] = row["repeated_difference"] == 0
    row["resumed_same"] = row["resumed_difference"] == 0
    row["same_metrics"] = bench.evaluations == told
    row["updates"] = whole["position"]["step"]


def measure(part: Part, deterministic: bool) -> None:
    """Measure each task, and one with an adapter, in this process."""
    with tempfile.TemporaryDirectory(prefix="dltui-bits-") as folder:
        os.environ["DLTUI_HOME"] = folder
        for name in (*TASKS, LORA):
            task, adapter = ("causal_lm", {"method": "lora"}) if name == LORA else (name, {})
            with part.measured(f"{name}, deterministic {'on' if deterministic else 'off'}") as row:
                values = experiment(
                    task, Path(folder), part.device, UPDATES[part.device], **adapter
                )
                values["compute"]["deterministic"] = deterministic
                with determinism_errors():
                    compared(values, row)


def rows(part: Part) -> None:
    """Measure in two processes, one for each setting."""
    if SETTING in os.environ:
        measure(part, os.environ[SETTING] == "true")
        return
    command = [sys.executable, __file__, "--rows", str(part.rows)]
    command += ["--seconds", str(part.seconds_left()), *["--smoke"] * part.smoke]
    processes = {
        setting: subprocess.Popen(command, env=os.environ | {SETTING: setting})
        for setting in ("false", "true")
    }
    for setting, process in processes.items():
        if process.wait():
            error = describe(RuntimeError(f"exit status {process.returncode}"))
            part.row(f"deterministic {setting}", error=error)


if __name__ == "__main__":
    main(rows)
