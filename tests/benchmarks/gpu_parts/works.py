"""A tiny run of each task on this device, from training to predictions.

Each run is interrupted as by a signal, resumed from its checkpoint, evaluated, exported, loaded
again, and used for predictions; everything in bfloat16. In addition: LoRA, QLoRA, running out of
memory for real, and the load of the card as reported by the runs.
"""

from __future__ import annotations

import dataclasses
import math
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from experiments import TASKS, experiment
from part import Part, Skipped, main

from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.hardware import resources
from engine.launch.attempt import attempt
from engine.pipelines.create import create_pipeline
from engine.processes.signals import Termination
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Finished, Interrupted, Log, Resources, Started
from engine.runs.session import RunSession
from engine.service import predict
from engine.training.run import train_in

UPDATES = 12
CAP_BYTES = 1 << 30
"""Device memory within which a batch of 2 GiB must be trained."""
CPU_ROOM = 350 << 20
"""Bytes above the current use of the process; a batch takes twice that."""
WATCHED = ("name", "memory", "memory_total", "load_percent", "temperature", "power_watts")


class AfterUpdates(Termination):
    """Requests an interruption on the ``updates``-th check, like a signal."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._left = updates

    def asked(self) -> bool:
        self._left -= 1
        return self._left < 0


def interrupted(run: RunDirectory, updates: int) -> int:
    """Train until an interruption after about ``updates`` updates; return the last step."""

    def work(session: RunSession) -> Any:
        return train_in(dataclasses.replace(session, termination=AfterUpdates(updates)))

    ending = attempt(run, work)
    if not isinstance(ending, Interrupted):
        raise AssertionError(f"the run ended as {ending}, not as interrupted")
    return ending.step


def whole_run(values: dict[str, Any], row: dict[str, Any], device: str) -> RunDirectory:
    """Train, interrupt, resume, export, load and predict; fill in the row."""
    run = RunDirectory.create(runs_folder(), RunConfig.parse(values))
    stopped = interrupted(run, updates=UPDATES // 2)
    train(run.config.read(), run)
    started, finished = run.events.last(Started), run.events.last(Finished)
    if not isinstance(started, Started) or not isinstance(finished, Finished):
        raise AssertionError(f"the run ended as {run.status.state()}")
    row |= {"device": started.device, "precision": started.precision, "updates": finished.step}
    row["resumed_at"] = started.resumed_step
    # Some metrics are undefined on a few rows; the loss and the main metric never are.
    config = run.config.read()
    metric = config.task.metric(config.train.metric_for_best_model).name
    row |= {"metric": metric, "value": finished.metrics.get(metric)}
    row["metrics_finite"] = row["value"] is not None and math.isfinite(row["value"])
    if started.precision != "bfloat16":
        raise AssertionError(f"computed in {started.precision}")
    if started.resumed_step != stopped or finished.step != UPDATES or not row["metrics_finite"]:
        raise AssertionError(f"stopped at {stopped}, ended at {finished.step}")
    row["predictions"] = len(predicted(run, device))
    return run


def predicted(run: RunDirectory, device: str) -> list[dict[str, Any]]:
    """Predictions of the exported model for some test rows; the model is loaded anew."""
    inputs = predict.answer(run.id, device=device)["inputs"]
    config = run.config.read()
    table = create_pipeline(config).load().splits["test"].select(inputs)
    few = table if config.task.kind == "forecasting" else table.slice(0, 3)
    records: list[dict[str, Any]] = predict.answer(run.id, few.to_pylist(), device=device)[
        "records"
    ]
    if not records:
        raise AssertionError("no predictions")
    return records


def home() -> Path:
    """The folder of all runs and their data."""
    return Path(os.environ["DLTUI_HOME"])


def tasks(part: Part) -> None:
    """Measure a row for each task."""
    for task in TASKS:
        with part.measured(task) as row:
            whole_run(experiment(task, home(), part.device, UPDATES), row, part.device)
            row["ok"] = True


def adapters(part: Part) -> None:
    """Measure LoRA, and QLoRA with a 4-bit base and a paged 8-bit optimizer."""
    with part.measured("LoRA") as row:
        values = experiment("causal_lm", home(), part.device, UPDATES, method="lora")
        whole_run(values, row, part.device)
        row["ok"] = True
    with part.measured("QLoRA") as row:
        if find_spec("bitsandbytes") is None:
            raise Skipped("bitsandbytes is missing: make gpu-wheels-bitsandbytes")
        values = experiment(
            "causal_lm", home(), part.device, UPDATES, method="lora", quantization="nf4"
        )
        values["train"]["optimizer"] = "paged_adamw_8bit" if part.cuda else "adamw_8bit"
        whole_run(values, row, part.device)
        row["ok"] = True


def large_batches(part: Part) -> dict[str, Any]:
    """A run whose batches are too large for the available memory."""
    if part.cuda:
        values = experiment("image_classification", home(), part.device, updates=2)
        values["task"] = {"kind": "image_classification", "image_size": 64}
        values["data"].pop("max_samples")
        values["model"] = {"kind": "cnn", "channels": [64, 32]}
        values["train"]["batch_size"] = 1024
    else:
        # oneDNN, which computes convolutions and bfloat16 on a CPU, may not report that memory
        # ran out.
        values = experiment("tabular_regression", home(), part.device, updates=2)
        values["data"].pop("max_samples")
        values["model"] = {"kind": "mlp", "hidden": [1 << 17]}
        values["train"]["batch_size"] = 512
        values["compute"]["precision"] = "float32"
    return values | {"name": "out-of-memory"}


@contextmanager
def little_memory(part: Part) -> Iterator[None]:
    """Limit the memory of this process to less than a batch needs."""
    if part.cuda:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(CAP_BYTES / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_private_bytes() + CPU_ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _private_bytes() -> int:
    """The bytes of this process that ``RLIMIT_DATA`` counts."""
    status = Path("/proc/self/status")
    if not status.exists():
        raise Skipped("this system cannot cap the memory of a process")
    return int(status.read_text().partition("VmData:")[2].split()[0]) * 1024


def memory(part: Part) -> None:
    """Run out of memory for real: the batch is split and the run finishes."""
    with part.measured("out of memory") as row:
        run = RunDirectory.create(runs_folder(), RunConfig.parse(large_batches(part)))
        with little_memory(part):
            train(run.config.read(), run)
        said = [log.message for log in run.events.newest(Log) if isinstance(log, Log)]
        split = [message for message in said if message.startswith("Out of memory")]
        if not split:
            raise AssertionError("memory did not run out")
        row |= {"splits": len(split), "last": split[0], "ok": True}


def card(part: Part) -> None:
    """The NVML figures in the events of all runs so far."""
    with part.measured("NVML") as row:
        if not part.cuda:
            raise Skipped("no CUDA device")
        events = chain.from_iterable(
            run.events.newest(Resources) for run in all_runs(runs_folder())
        )
        seen = [gpu for event in events if isinstance(event, Resources) for gpu in event.gpus]
        for name in WATCHED:
            values = [gpu[name] for gpu in seen if name in gpu]
            row[name] = max(values, default=None)
        row["events"] = len(seen)
        if row["load_percent"] is None or not row["memory"]:
            raise AssertionError("NVML reported neither load nor memory")
        row["ok"] = True


def rows(part: Part) -> None:
    """Measure everything in a home folder of its own."""
    with tempfile.TemporaryDirectory(prefix="dltui-works-") as folder:
        os.environ["DLTUI_HOME"] = folder
        resources.INTERVAL_SECONDS = 0.5  # runs of a few seconds should have such events too
        tasks(part)
        adapters(part)
        memory(part)
        card(part)


if __name__ == "__main__":
    main(rows)
