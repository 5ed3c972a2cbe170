"""The cost of a run on the command line: size, memory, disk and time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from engine.config.run_config import RunConfig
from engine.launch.measure import measure_speed
from engine.reports.estimate import Estimate
from engine.service.client import Advisor
from tui.cli import console
from tui.format.numbers import amount, size
from tui.format.run_time import run_time

Cost = Literal["known", "measured"]
"""Whether the time is what the history knows of it, or measured."""


def estimate_of(advisor: Advisor, config: RunConfig, cost: Cost) -> Estimate:
    """Return the estimate of a run; raises :class:`~engine.errors.UserError`."""
    estimate = Estimate.from_record(advisor.ask("estimate", values=config.values()))
    if cost == "known":
        return estimate
    console.remark("Measuring the time: some updates and an evaluation, without keeping a run …")
    speed = measure_speed(config, lambda updates: None, threading.Event())
    return replace(estimate, speed=speed)


def cost_facts(estimate: Estimate) -> Mapping[str, str]:
    """Names and values; what does not apply is empty."""
    trained = f", {amount(estimate.trainable)} of them trained"
    adapter = trained if estimate.trainable != estimate.parameters else ""
    memory = f"{size(estimate.memory.total)} of {size(estimate.available)}: {estimate.verdict}"
    batch = f", largest batch {estimate.largest_batch:,}" if estimate.verdict != "fits" else ""
    return {
        "size": f"{amount(estimate.parameters)} parameters{adapter}",
        "updates": f"{estimate.steps:,}, {estimate.steps_per_epoch:,} an epoch",
        "device": f"{estimate.device}, {estimate.precision}",
        "memory": memory + batch,
        "disk": f"{size(estimate.disk)} of {size(estimate.disk_free)}",
        "download": size(estimate.download) if estimate.download else "",
        "time": run_time(estimate) or "unknown: no like run on this machine; --measure measures it",
        "by the data": ", ".join(estimate.settled),
        "notes": " ".join(estimate.notes),
    }
