"""What a run will cost, told from its configuration before anything is trained."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from engine.config import RunConfig
from engine.data.loaded import held_bytes, loaded
from engine.data.on_disk import LARGE
from engine.data.raw import RawData
from engine.errors import DataError
from engine.estimate import TIGHT_SHARE, Estimate, Memory
from engine.locations import runs_folder
from engine.tasks.task import Fitted, Task
from engine.training import device
from engine.training.batch import Source, split_rows
from engine.training.build import build_network
from engine.training.device import Compute
from engine.training.footprint import Footprint, Template, UnknownFootprint
from engine.training.memory import out_of_memory
from engine.training.optimizer import state_bytes
from engine.training.resources import gpus
from engine.training.state import parameter_count, trained_weights
from engine.training_config import TrainConfig

_SAMPLE_ROWS = 256
_TEMPLATE_SAMPLES = 4
_FEWEST_UPDATES = 10
_ROUNDS = 4
_CPU_WORKSPACE = 32 << 20
"""Threads, and kernels that are compiled when first used."""
_CPU_SPARE = 0.2
"""What the C library keeps of freed tensors and what kernels copy, as a share of the activations
and gradients: measured, over the grid of tests/benchmarks/memory.py, between 0 and 0.3."""
_CUDA_WORKSPACE = 40 << 20
"""What the kernels of cuBLAS and cuDNN take from the allocator."""


def answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``estimate``; raises ``ConfigError``, ``DataError`` and ``TrainingError``."""
    return estimate(RunConfig.parse(values)).record()


def estimate(config: RunConfig) -> Estimate:
    """Sizes, steps and memory of a run; reads its data, builds its network without weights."""
    # Nothing is trained, and other questions to this process must not inherit it.
    compute = device.choose(config.compute.model_copy(update={"deterministic": False}))
    task, raw, fitted = loaded(config)
    case = _case(task, raw, fitted, compute)
    material, sizes, train = case.material, case.sizes, config.train
    available = available_bytes(compute.device)
    memory, largest, notes = case.memory(train, available)
    if train.auto_batch_size and largest:
        size = case.comfortable(train, available)
        train = train.model_copy(update={"batch_size": size})
        memory, largest, notes = case.memory(train, available)
        notes = (f"batches of {size:,}", *notes)
    folder = _existing(runs_folder())
    per_epoch = -(-material.batches(train) // train.gradient_accumulation_steps)
    steps = per_epoch * train.epochs
    disk, free = sizes.disk(train), shutil.disk_usage(folder).free
    if disk > free:
        notes = (*notes, f"Checkpoints may fill the disk with {folder}.")
    return Estimate(
        parameters=sizes.parameters,
        trainable=sizes.trainable,
        steps=min(steps, train.max_steps or steps),
        steps_per_epoch=per_epoch,
        samples=material.samples,
        device=str(compute.device),
        precision=compute.precision,
        memory=memory,
        available=available,
        largest_batch=largest,
        adapter=sizes.adapter,
        disk=disk,
        disk_free=free,
        notes=notes,
    )


def batch_that_fits(task: Task[Any], raw: RawData, fitted: Fitted, compute: Compute) -> int:
    """Samples of the largest batch that this process, which holds the data, has room for.

    0 where that cannot be told beforehand.
    """
    held = (
        torch.cuda.memory_reserved(compute.device)
        if compute.device.type == "cuda"
        else int(psutil.Process().memory_info().rss)
    )
    case = _case(task, raw, fitted, compute)
    return case.comfortable(task.config.train, available_bytes(compute.device) + held)


def update_bytes(
    task: Task[Any], fitted: Fitted, source: Source, compute: Compute, samples: int
) -> int | None:
    """What an update of a few samples holds at most beside the weights and the optimizer's state.

    ``None`` where that cannot be told.
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
class _Case:
    """What the memory of a run depends on, whatever its batches."""

    compute: Compute
    footprint: Footprint
    sizes: _Sizes
    material: _Material

    def memory(self, train: TrainConfig, available: int) -> tuple[Memory, int, tuple[str, ...]]:
        """By part, the largest batch that fits, and what should be known about both."""
        return _memory(self.footprint, self.sizes, self.material, train, self.compute, available)

    def comfortable(self, train: TrainConfig, available: int) -> int:
        """The largest batch with which a run is not called tight; 0 where it cannot be told.

        An epoch is left some updates, for with fewer a network learns nothing, however fast.
        """
        room = int(TIGHT_SHARE * available)
        most = self.material.samples // (_FEWEST_UPDATES * train.gradient_accumulation_steps)
        size = train.batch_size
        for _ in range(_ROUNDS):  # memory is not quite a straight line over the batch
            tried = train.model_copy(update={"batch_size": max(1, size)})
            memory, largest, _ = self.memory(tried, room)
            if memory.activations == 0 and not largest:
                return 0
            size = max(1, min(largest, most))
            if tried.batch_size == size:
                break
        return size - size % 8 if size > 8 else size


def _case(task: Task[Any], raw: RawData, fitted: Fitted, compute: Compute) -> _Case:
    material = _material(task, raw, fitted)
    with torch.device("meta"):
        network = build_network(task, fitted, compute)
    sizes = _sizes(network, task.config)
    return _Case(compute, Footprint(network, task.loss, compute), sizes, material)


@dataclass(frozen=True)
class _Sizes:
    """What follows from the network alone; bytes unless the name says otherwise."""

    parameters: int
    """A number."""
    trainable: int
    """A number."""
    weights: int
    """As they are kept: frozen ones may be packed."""
    gradients: int
    optimizer: int
    saved: int
    """Trainable weights and buffers, as checkpoints hold them."""
    loading: int
    """What the network takes for a moment before its frozen weights are packed."""
    adapter: int
    """The adapter as a file; 0 where the whole network is saved."""

    def disk(self, train: TrainConfig) -> int:
        """All checkpoints, one more while it is written, and the export."""
        checkpoint = 2 * self.saved + self.optimizer  # its weights, and the best ones
        export = self.adapter or self.parameters * 4
        return (train.save_total_limit + 1) * checkpoint + export


def _sizes(network: nn.Module, config: RunConfig) -> _Sizes:
    parameters = list(network.parameters())
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    count = parameter_count(network)
    return _Sizes(
        parameters=count,
        trainable=sum(p.numel() for p in trainable),
        weights=_bytes(parameters) + _bytes(network.buffers()),
        gradients=_bytes(trainable),
        optimizer=sum(state_bytes(parameter, config.train) for parameter in trainable),
        saved=_bytes(trained_weights(network).values()),
        loading=count * 2 if config.adapter.quantized else 0,
        adapter=_adapter_bytes(network, config),
    )


def _adapter_bytes(network: nn.Module, config: RunConfig) -> int:
    if not config.adapter.active or not config.model.base:
        return 0
    twice = (".lora_A.", ".lora_B.") if config.adapter.init_lora_weights == "pissa" else ()
    return sum(
        parameter.nbytes * (2 if any(part in name for part in twice) else 1)
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    )


@dataclass(frozen=True)
class _Material:
    """What follows from the data alone."""

    samples: int
    template: Template
    resident: int
    """Bytes of all splits on the device."""
    tables: int
    """Bytes of what was read, in the memory of the machine; large tables lie on the disk."""
    source: Source

    def batches(self, train: TrainConfig) -> int:
        """Batches of an epoch."""
        if len(self.source) == self.samples:
            return len(self.source.plan(train.batch_size, torch.Generator()))
        return len(split_rows(torch.arange(self.samples), train.batch_size))


def _material(task: Task[Any], raw: RawData, fitted: Fitted) -> _Material:
    """Look at a part of the training rows; at all where a sample is not just a row."""
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
    )


def _encoded(task: Task[Any], raw: RawData, fitted: Fitted, rows: int) -> Source | None:
    cpu = torch.device("cpu")
    try:
        return task.encode(raw.train.slice(0, rows), fitted, cpu, lambda event: None)
    except DataError:
        if rows == raw.train.num_rows:
            raise
        return None  # too few rows for even one sample


def _template(source: Source) -> Template:
    """The largest of a few batches: texts differ in length."""
    count = min(_TEMPLATE_SAMPLES, len(source))
    plan = [rows for rows in source.evaluation_plan(count) if len(rows) == count]
    batches = list(source.read([plan[0], plan[-1]]))
    largest = max(batches, key=lambda batch: _bytes(tree_iter((batch.inputs, batch.targets))))
    return Template(largest, count)


def _memory(
    footprint: Footprint,
    sizes: _Sizes,
    material: _Material,
    train: TrainConfig,
    compute: Compute,
    available: int,
) -> tuple[Memory, int, tuple[str, ...]]:
    """Memory by part, the largest batch that fits, and what should be known about both."""
    spare = _CPU_SPARE if compute.device.type == "cpu" else 0.0
    rounds = min(2, train.gradient_accumulation_steps)
    count = min(train.batch_size, material.samples)
    notes: tuple[str, ...] = ()
    try:
        peak = footprint.peak(material.template, count, rounds)
        double = footprint.peak(material.template, 2 * count, rounds)
    except UnknownFootprint:
        peak = double = 0
        notes = ("The memory of activations cannot be told beforehand for this network.",)
    memory = Memory(
        weights=sizes.weights,
        gradients=sizes.gradients,
        optimizer=sizes.optimizer,
        activations=max(0, peak - sizes.gradients),
        overhead=_overhead(sizes, material, compute)
        + int(spare * peak)
        + _beyond(sizes, peak, compute),
    )
    if double <= peak:
        return memory, 0, notes
    each = (1 + spare) * (double - peak) / count
    room = available - memory.total
    return memory, min(material.samples, max(0, int(count + room / each))), notes


def _overhead(sizes: _Sizes, material: _Material, compute: Compute) -> int:
    if compute.device.type == "cuda":
        return material.resident + _CUDA_WORKSPACE
    # The best weights so far lie there too.
    data = material.resident + material.tables
    return _libraries() + _CPU_WORKSPACE + data + sizes.saved


def _beyond(sizes: _Sizes, peak: int, compute: Compute) -> int:
    """What the network takes while it is read, where that is more than training it takes.

    Weights are packed in the memory of the machine, whatever the device.
    """
    if compute.device.type != "cpu":
        return 0
    return max(0, sizes.loading - sizes.weights - sizes.optimizer - peak)


def _libraries() -> int:
    """What Python and the libraries take: what this process has, which loaded the same ones."""
    torch.optim.SGD([torch.zeros(1)])  # the first optimizer loads what a run loads, too
    return int(psutil.Process().memory_info().rss) - held_bytes()


def available_bytes(place: torch.device) -> int:
    """Memory of a device that a run could take now."""
    if place.type == "cuda":
        cards = [card for card in gpus() if {"memory", "memory_total"} <= card.keys()]
        if (place.index or 0) < len(cards):
            card = cards[place.index or 0]
            return int(card["memory_total"] - card["memory"])
        return int(torch.cuda.mem_get_info(place)[0])
    free = psutil.virtual_memory().available
    return min(free, _allowed_bytes(free))


def _allowed_bytes(otherwise: int) -> int:
    """What a control group still allows, where the process is in one with a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # none, or "max"
        return otherwise


def _existing(folder: Path) -> Path:
    return next(path for path in [folder, *folder.parents] if path.exists())


def _bytes(tensors: Any) -> int:
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))
