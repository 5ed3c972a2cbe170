"""Estimated memory of a run, from its configuration before training."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from engine.artifacts.build import build_network
from engine.batches.source import Source, first_batch, split_rows
from engine.config.run_config import RunConfig
from engine.config.train import TrainConfig
from engine.data.fitted import Fitted
from engine.data.on_disk import LARGE
from engine.data.raw import RawData
from engine.errors import DataError, TrainingError
from engine.hardware.device import Compute
from engine.hardware.memory import out_of_memory
from engine.hardware.resources import gpus
from engine.reports.estimate import TIGHT_SHARE, Memory
from engine.tasks.task import Task
from engine.text.tokens.source import TokenSource
from engine.torch_private import FakeTensorMode, tree_iter
from engine.training.distributed.shardable import obstacle_of
from engine.training.distributed.strategy import Held, Strategy, automatic, held, keep_part
from engine.training.distributed.sums import shared_bytes
from engine.training.memory.footprint import Footprint, Template, UnknownFootprint
from engine.training.memory.network_sizes import NetworkSizes, bytes_of, sizes_of

_SAMPLE_ROWS = 256
_TEMPLATE_SAMPLES = 4
_FEWEST_UPDATES = 10
_WORTH_TELLING = 1e8
"""Bytes; smaller differences are not mentioned."""
_ROUNDS = 4
_CPU_WORKSPACE = 32 << 20
"""Memory of threads, and of kernels that are compiled when first used."""
_CPU_SPARE = 0.2
"""Memory for freed tensors and copies by kernels, as a share of activations and gradients.

Measured, over the grid of tests/benchmarks/memory.py, between 0 and 0.3.
"""
_CUDA_WORKSPACE = 40 << 20
"""Workspaces of cuBLAS and cuDNN from the allocator."""


def batch_that_fits(task: Task[Any], raw: RawData, fitted: Fitted, compute: Compute) -> int:
    """Return the largest batch size that fits, for this process, which holds the data.

    0 where that cannot be estimated.
    """
    held = (
        torch.cuda.memory_reserved(compute.device)
        if compute.device.type == "cuda"
        else int(psutil.Process().memory_info().rss)
    )
    case = case_of(task, raw, fitted, compute)
    return case.comfortable(task.config.train, available_bytes(compute.device) + held)


def update_bytes(
    task: Task[Any], fitted: Fitted, source: Source, compute: Compute, samples: int
) -> int | None:
    """Return the peak bytes of an update of a few samples, beside weights and optimizer state.

    ``None`` where that cannot be estimated.
    """
    with torch.device("meta"):
        network = build_network(task, fitted, compute)
    try:
        return Footprint(network, task.loss, compute).peak(_template(source), samples, 1)
    except UnknownFootprint:
        return None
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return None  # not even for the samples themselves


@dataclass(frozen=True)
class Case:
    """The memory of a run as a function of its batches."""

    config: RunConfig
    compute: Compute
    footprint: Footprint
    sizes: NetworkSizes
    material: _Material
    part: Callable[[], Footprint]
    """The footprint of one process's part of the network, with tensor parallelism."""

    def memory(self, train: TrainConfig, available: int) -> tuple[Memory, int, tuple[str, ...]]:
        """Return memory by part, the largest batch size that fits, and notes on both.

        Of several processes, it is the memory of each; on CPUs they share what is ``available``.
        """
        part, notes = self._held(train, available)
        memory, largest, more = _memory(
            self._part if part.split else self.footprint,
            self.sizes,
            self.material,
            train,
            self.compute,
            self._room(train, available),
            part,
            self.packing == "on",
        )
        if self.packing == "auto" and (less := self._saved_by_packing(memory.activations)):
            more = (*more, f"Packing, tried when training begins, may need {less} less.")
        return memory, largest, (*notes, *more)

    @cached_property
    def _part(self) -> Footprint:
        return self.part()

    @property
    def packing(self) -> str:
        """Return whether batches are packed: on, off, or auto; off for data without rows."""
        wanted: str = getattr(self.config.task, "packing", "off")
        return wanted if self.material.filled < 1 else "off"

    def _saved_by_packing(self, activations: int) -> str:
        """Return the memory that packed batches need less of, empty where it is not worth it."""
        share = (1 - self.material.filled) * activations
        return f"{share / 1e9:.1f} GB" if share > _WORTH_TELLING else ""

    def strategy(self, train: TrainConfig, available: int) -> tuple[Strategy, str]:
        """Return the strategy that ``auto`` takes for ``train``, and the reason."""

        def total(strategy: Strategy) -> int:
            changed = train.model_copy(update={"strategy": strategy})
            return self.memory(changed, available)[0].total

        def refused(strategy: Strategy) -> str:
            wanted = train.model_copy(update={"strategy": strategy})
            return obstacle_of(self.config.model_copy(update={"train": wanted}), self.compute)

        room = int(TIGHT_SHARE * self._room(train, available))
        return automatic(train, self.sizes.split, refused, total, room)

    def _room(self, train: TrainConfig, available: int) -> int:
        shared = self.compute.device.type == "cpu" and train.processes > 1
        return available // train.devices if shared else available

    def _held(self, train: TrainConfig, available: int) -> tuple[Held, tuple[str, ...]]:
        if train.processes == 1:
            return Held(), ()
        strategy, notes = train.strategy, [f"memory of each of {train.processes} processes"]
        if strategy == "auto":
            strategy, reason = self.strategy(train, available)
            notes.append(f"train.strategy auto takes {strategy}: {reason}")
        if strategy == "tensor" and self.sizes.split.why_not_tensor:
            raise TrainingError(self.sizes.split.why_not_tensor)
        sizes = self.sizes
        offload = train.cpu_offload and self.compute.device.type != "cpu"
        part = held(strategy, train.processes, sizes.split, sizes.weights, offload)
        if strategy == "ddp" and self.compute.device.type == "cpu":
            part = replace(part, messages=shared_bytes(train, sizes.gradients))
        return part, tuple(notes)

    def comfortable(self, train: TrainConfig, available: int) -> int:
        """Return the largest batch size for which memory is not tight; 0 where it is unknown.

        The size leaves a minimum of updates an epoch, as with fewer a network learns nothing.
        """
        room = int(TIGHT_SHARE * available)
        most = self.material.samples // (_FEWEST_UPDATES * train.gradient_accumulation_steps)
        size = train.batch_rows
        for _ in range(_ROUNDS):  # memory is not quite linear in the batch size
            tried = train.model_copy(update={"batch_size": max(1, size)})
            memory, largest, _ = self.memory(tried, room)
            if memory.activations == 0 and not largest:
                return 0
            size = max(1, min(largest, most))
            if tried.batch_size == size:
                break
        return size - size % 8 if size > 8 else size


def case_of(task: Task[Any], raw: RawData, fitted: Fitted, compute: Compute, held: int = 0) -> Case:
    """Return the case of a run; ``held`` bytes of data are in this process only."""
    compiler = _compiler_bytes()  # measured before the first footprint, which imports it
    only_here = 0 if task.config.compute.compile else compiler
    material = replace(_material(task, raw, fitted), held=held + only_here)

    def built() -> nn.Module:
        with torch.device("meta"):
            return build_network(task, fitted, compute)

    def part() -> Footprint:
        network = built()
        keep_part(network, task.config.train.processes)
        return Footprint(network, task.loss, compute)

    network = built()
    sizes = sizes_of(network, task.config)
    footprint = Footprint(network, task.loss, compute)
    return Case(task.config, compute, footprint, sizes, material, part)


@dataclass(frozen=True)
class _Material:
    """Properties that follow from the data alone."""

    samples: int
    template: Template
    resident: int
    """Bytes of all splits on the device."""
    tables: int
    """Bytes of the tables in main memory; large tables are memory-mapped."""
    source: Source
    held: int = 0
    """Bytes that this process holds and a worker would not."""
    filled: float = 1.0
    """Share of the tokens in padded batches of the longest samples that packed ones would have."""

    def batches(self, train: TrainConfig) -> int:
        """Return the number of batches in an epoch."""
        if len(self.source) == self.samples:
            return len(self.source.plan(train.batch_rows, torch.Generator()))
        if train.batch_tokens is not None:
            return math.ceil(self.samples / self.source.batch_rows(train.batch_rows))
        return len(split_rows(torch.arange(self.samples), train.batch_rows))


def _material(task: Task[Any], raw: RawData, fitted: Fitted) -> _Material:
    """Encode a part of the training rows; all rows where a sample is not just a row."""
    rows = raw.train.num_rows
    part = min(rows, _SAMPLE_ROWS)
    source = _encoded(task, raw, fitted, part)
    samples = rows
    if source is None or len(source) != part:
        source = _encoded(task, raw, fitted, rows)
        if source is None:
            raise DataError("No training rows are left.")
        samples = len(source)
    everything = samples * sum(table.num_rows for table in raw.splits.values()) // rows
    return _Material(
        samples=samples,
        template=_template(source),
        resident=source.resident_bytes(everything),
        tables=sum(min(table.nbytes, LARGE) for table in raw.splits.values()),
        source=source,
        filled=_filled(source),
    )


def _filled(source: Source) -> float:
    """Return the mean length of samples as a share of the longest; 1 for others than texts."""
    if not isinstance(source, TokenSource) or not int(source.lengths.max()):
        return 1.0
    return float(source.lengths.double().mean() / source.lengths.max())


def _encoded(task: Task[Any], raw: RawData, fitted: Fitted, rows: int) -> Source | None:
    cpu = torch.device("cpu")
    try:
        source = task.encode(raw.train.slice(0, rows), fitted, cpu, lambda event: None)
        source.batch_tokens = task.config.train.batch_tokens
        return source
    except DataError:
        if rows == raw.train.num_rows:
            raise
        return None  # too few rows for even one sample


def _template(source: Source) -> Template:
    """Return the largest of a few batches: texts differ in length."""
    count = min(_TEMPLATE_SAMPLES, len(source))
    plan = [rows for rows in source.evaluation_plan(count) if len(rows) == count]
    batches = list(source.read([plan[0], plan[-1]])) or [first_batch(source, count)]
    largest = max(batches, key=lambda batch: bytes_of(tree_iter((batch.inputs, batch.targets))))
    return Template(largest, count)


def _memory(
    footprint: Footprint,
    sizes: NetworkSizes,
    material: _Material,
    train: TrainConfig,
    compute: Compute,
    available: int,
    part: Held,
    packed: bool,
) -> tuple[Memory, int, tuple[str, ...]]:
    """Return memory by part, the largest batch size that fits, and notes on both."""
    spare = _CPU_SPARE if compute.device.type == "cpu" else 0.0
    rounds = min(2, train.gradient_accumulation_steps)
    rows = math.ceil(material.source.batch_rows(train.batch_rows) * part.rows)
    count = min(rows, material.samples)
    notes: tuple[str, ...] = ()
    try:
        peak = footprint.peak(material.template, count, rounds)
        double = footprint.peak(material.template, 2 * count, rounds)
        if packed:  # activations are linear in the tokens; evaluations are padded
            saved = int((1 - material.filled) * (double - peak))
            padded = footprint.forward_peak(material.template, count)
            peak, double = max(peak - saved, padded), max(double - 2 * saved, 2 * padded)
    except UnknownFootprint:
        peak = double = 0
        notes = ("The memory of this network's activations cannot be estimated.",)
    memory = Memory(
        weights=int(part.weights * sizes.weights) + part.gathered,
        gradients=int(part.gradients * sizes.gradients),
        optimizer=int(part.optimizer * sizes.optimizer),
        activations=max(0, peak - footprint.gradients),
        overhead=_overhead(sizes, material, compute)
        + part.messages
        + int(spare * peak)
        + _beyond(sizes, peak, compute),
    )
    if double <= peak:
        return memory, 0, notes
    each = (1 + spare) * (double - peak) / count
    room = available - memory.total
    most = int((count + room / each) / part.rows)
    return memory, min(material.samples, max(0, most)), notes


def _overhead(sizes: NetworkSizes, material: _Material, compute: Compute) -> int:
    if compute.device.type == "cuda":
        return material.resident + _CUDA_WORKSPACE
    # The best weights so far are held there too.
    data = material.resident + material.tables
    return _libraries() - material.held + _CPU_WORKSPACE + data + sizes.saved


def _beyond(sizes: NetworkSizes, peak: int, compute: Compute) -> int:
    """Return the bytes by which loading the network exceeds training it.

    Weights are quantised in main memory, whatever the device.
    """
    if compute.device.type != "cpu":
        return 0
    return max(0, sizes.loading - sizes.weights - sizes.optimizer - peak)


def _libraries() -> int:
    """Return the bytes of Python and the libraries, as measured in this process."""
    return int(psutil.Process().memory_info().rss)


@cache
def _compiler_bytes() -> int:
    """Return the bytes of torch's compiler, if it is imported for fake tensors alone."""
    if "torch._dynamo" in sys.modules:
        return 0
    before = _libraries()
    FakeTensorMode()
    return _libraries() - before


def available_bytes(place: torch.device) -> int:
    """Return the memory of a device that is available to a run now."""
    if place.type == "cuda":
        cards = [card for card in gpus() if {"memory", "memory_total"} <= card.keys()]
        if (place.index or 0) < len(cards):
            card = cards[place.index or 0]
            return int(card["memory_total"] - card["memory"])
        return int(torch.cuda.mem_get_info(place)[0])
    free = psutil.virtual_memory().available
    return min(free, _allowed_bytes(free))


def _allowed_bytes(otherwise: int) -> int:
    """Return the bytes left in the control group's limit; ``otherwise`` if there is none."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # none, or "max"
        return otherwise
