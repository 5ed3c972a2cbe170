"""The training loops that are compared, all over the same network and tensors.

Each takes an :class:`Exercise` and a number of updates, and returns updates a second, without the
first few. All do the same mathematics: AdamW, gradient clipping at a norm of 1, a linear schedule.
The bare loop, the engine and the Trainer exclude biases and norms from weight decay. The bare loop
has the engine's memory layout of weights, the others that of torch. The bare loop, the engine and
the Trainer run on the configuration's device; the others on a CPU. All compile the network if the
configuration says so.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine import train
from engine.artifacts.build import build_network
from engine.batches.source import Batch
from engine.config.run_config import RunConfig
from engine.hardware.device import choose
from engine.runs.directory import RunDirectory
from engine.runs.events import Progress, decode
from engine.tasks.create import create_task
from engine.training.material import prepare

WARM = 10
"""Warm-up updates, which are not timed."""


class Exercise:
    """A configuration's network, loss, and training data as tensors in memory."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.config = RunConfig.parse(values)
        self.compute = choose(self.config.compute)
        self.task = create_task(self.config)
        material = prepare(self.task, self.compute, lambda event: None)
        self.fitted = material.fitted
        self.sources = material.sources
        source = material.sources["train"]
        [batch] = source.read([torch.arange(len(source))])
        self._shapes = batch.inputs, batch.targets
        leaves = _leaves([batch.inputs, batch.targets])
        self.tensors = {f"{i}": tensor.cpu() for i, tensor in enumerate(leaves)}
        self._ragged = _ragged(batch.inputs)
        self.samples = len(source)
        self.batch_size = self.config.train.batch_rows
        self.rate = self.config.train.learning_rate

    def network(self) -> nn.Module:
        """The network with its initial weights."""
        torch.manual_seed(self.config.train.seed)
        with self.compute.device:
            network = build_network(self.task, self.fitted, self.compute).train()
        return self.compiled(network)

    def compiled(self, network: nn.Module) -> nn.Module:
        """The network, compiled on its first call if the configuration says so."""
        if self.config.compute.compile:
            network.compile()
        return network

    def synchronize(self) -> None:
        """Wait for the GPU before a clock is read."""
        if self.compute.device.type == "cuda":
            torch.cuda.synchronize(self.compute.device)

    def loss(self, network: nn.Module, tensors: dict[str, Tensor]) -> Tensor:
        """The task's loss over some rows of :attr:`tensors`, truncated to the longest of them."""
        leaves = iter(tensors.values())
        inputs, targets = _filled(list(self._shapes), leaves)
        if self._ragged:
            longest = int(inputs["attention_mask"].sum(1).max())
            inputs = {name: tensor[:, :longest] for name, tensor in inputs.items()}
            if isinstance(targets, dict):
                targets = targets | {"labels": targets["labels"][:, :longest]}
        with self.compute.autocast():
            return self.task.loss(network, Batch(inputs, targets, self.weight(tensors)))

    def weight(self, tensors: dict[str, Tensor]) -> float:
        """The number of terms in the loss of some rows."""
        return len(tensors["0"])


def _ragged(inputs: Any) -> bool:
    """Whether texts differ in length, so that batches are truncated."""
    if not isinstance(inputs, dict) or "attention_mask" not in inputs:
        return False
    return not bool(inputs["attention_mask"].all())


def _leaves(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)


def _filled(value: Any, leaves: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(leaves)
    if isinstance(value, dict):
        return {name: _filled(part, leaves) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(part, leaves) for part in value]
    return value


class Learner(nn.Module):
    """A network whose output is its loss, as the other libraries expect."""

    def __init__(self, exercise: Exercise) -> None:
        super().__init__()
        # The memory layout of torch: channels last is set by the engine only.
        self.network = exercise.network().to(memory_format=torch.contiguous_format)
        self._exercise = [exercise]  # in a list, so that its parameters are not registered

    def forward(self, **tensors: Tensor) -> Tensor:
        """The loss, with the tensors named by ``t0``, ``t1`` …"""
        named = {name.removeprefix("t"): value for name, value in tensors.items()}
        return self._exercise[0].loss(self.network, named)


def bare(exercise: Exercise, steps: int) -> float:
    """Train on tensors in memory, shuffled once an epoch, with a fused optimizer; nothing else."""
    network = exercise.network()
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=exercise.rate, fused=True)
    device = exercise.compute.device
    tensors = {name: tensor.to(device) for name, tensor in exercise.tensors.items()}
    step, begin = 0, 0.0
    while True:
        order = torch.randperm(exercise.samples).to(device)
        ordered = {name: tensor[order] for name, tensor in tensors.items()}
        for first in range(0, exercise.samples, exercise.batch_size):
            last = first + exercise.batch_size
            part = {name: tensor[first:last] for name, tensor in ordered.items()}
            exercise.loss(network, part).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            for group in optimizer.param_groups:
                group["lr"] = exercise.rate * (1 - step / steps)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if step in (WARM, steps):
                exercise.synchronize()
            if step == WARM:
                begin = time.perf_counter()
            if step == steps:
                return (steps - WARM) / (time.perf_counter() - begin)


def ours(exercise: Exercise, steps: int) -> float:
    """Train with the whole engine: a run with its directory, events, metrics, checkpoints."""
    return trained_by_engine(exercise, steps)[0]


def trained_by_engine(exercise: Exercise, steps: int) -> tuple[float, RunDirectory]:
    """Updates a second, and the run."""
    run = train(RunConfig.parse(exercise.values).override([f"train.max_steps={steps}"]))
    events = [decode(line) for line in run.events.path.read_text().splitlines()]
    told = [e for e in events if isinstance(e, Progress) and e.phase == "train" and e.step >= WARM]
    last = next(event for event in told if event.step == steps)
    return (last.step - told[0].step) / (last.time - told[0].time), run


class Rows(torch.utils.data.Dataset[dict[str, Tensor]]):
    """One sample at a time, like most data sets."""

    def __init__(self, exercise: Exercise) -> None:
        self._tensors = {f"t{name}": tensor for name, tensor in exercise.tensors.items()}
        self._samples = exercise.samples

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {name: tensor[row] for name, tensor in self._tensors.items()}


def dataloader(exercise: Exercise, steps: int) -> float:
    """Train with the loop that most people write."""
    learner = Learner(exercise)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=exercise.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    loader = torch.utils.data.DataLoader(
        Rows(exercise), batch_size=exercise.batch_size, shuffle=True
    )
    step, begin, total = 0, 0.0, 0.0
    while True:
        for batch in loader:
            optimizer.zero_grad()
            loss = learner(**batch)
            loss.backward()
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
            step += 1
            if step == WARM:
                begin = time.perf_counter()
            if step == steps:
                return (steps - WARM) / (time.perf_counter() - begin)


@dataclass
class Watch:
    """A timer from the end of the warm-up to the last update."""

    steps: int
    synchronize: Callable[[], None]
    begin: float = 0.0
    end: float = 0.0

    def at(self, step: int) -> None:
        """Record that update ``step`` was made."""
        if step in (WARM, self.steps):
            self.synchronize()
        if step == WARM:
            self.begin = time.perf_counter()
        if step == self.steps:
            self.end = time.perf_counter()

    def rate(self) -> float:
        """Updates a second."""
        return (self.steps - WARM) / (self.end - self.begin)


def trainer(exercise: Exercise, steps: int) -> float:
    """Train with ``transformers.Trainer`` and its defaults."""
    return trained_by_trainer(exercise, steps)[0]


def trained_by_trainer(exercise: Exercise, steps: int) -> tuple[float, nn.Module]:
    """Updates a second, and the network."""
    import tempfile

    import transformers

    transformers.utils.logging.set_verbosity_error()
    watch = Watch(steps, exercise.synchronize)

    class Watching(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            del args, control, rest
            watch.at(state.global_step)

    class Answering(Learner):
        def forward(self, **tensors: Tensor) -> Any:
            return {"loss": super().forward(**tensors)}

    learner = Answering(exercise)
    with tempfile.TemporaryDirectory() as folder:
        transformers.Trainer(
            model=learner,
            args=transformers.TrainingArguments(
                output_dir=folder, max_steps=steps, report_to="none", save_strategy="no",
                per_device_train_batch_size=exercise.batch_size, learning_rate=exercise.rate,
                remove_unused_columns=False, disable_tqdm=True, logging_steps=10**6,
                use_cpu=exercise.compute.device.type == "cpu", seed=exercise.config.train.seed,
            ),
            train_dataset=Rows(exercise),
            callbacks=[Watching()],
        ).train()  # fmt: skip
    return watch.rate(), learner.network


def lightning(exercise: Exercise, steps: int) -> float:
    """Train with ``lightning.Trainer`` without logger and progress bars."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    watch = Watch(steps, exercise.synchronize)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.learner = Learner(exercise)
            self.done = 0

        def training_step(self, batch: dict[str, Tensor]) -> Tensor:
            return self.learner(**batch)

        def on_train_batch_end(self, *_: Any) -> None:
            self.done += 1
            watch.at(self.done)

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), lr=exercise.rate)
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: 1 - s / steps)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"},
            }

    loader = torch.utils.data.DataLoader(
        Rows(exercise), batch_size=exercise.batch_size, shuffle=True
    )
    lightning.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
    ).fit(Module(), loader)  # fmt: skip
    return watch.rate()


def skorch(exercise: Exercise, steps: int) -> float:
    """Train with ``skorch.NeuralNet`` with clipping and a schedule."""
    from skorch import NeuralNet, callbacks

    watch = Watch(steps, exercise.synchronize)

    class Enough(callbacks.Callback):  # type: ignore[misc]
        done = 0

        def on_batch_end(self, net: Any, **rest: Any) -> None:
            del net, rest
            self.done += 1
            watch.at(self.done)
            if self.done == steps:
                raise KeyboardInterrupt  # which skorch treats as the end of its training

    class Net(NeuralNet):  # type: ignore[misc]
        def get_loss(self, y_pred: Tensor, y_true: Any, *_: Any, **__: Any) -> Tensor:
            del y_true
            return y_pred

    rate = callbacks.LRScheduler(
        policy=torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda step: 1 - step / steps,
        step_every="batch",
    )  # fmt: skip
    net = Net(
        module=lambda: Learner(exercise), criterion=nn.Identity, optimizer=torch.optim.AdamW,
        lr=exercise.rate, max_epochs=10**6, batch_size=exercise.batch_size, train_split=None,
        iterator_train__shuffle=True, verbose=0,
        callbacks=[callbacks.GradientNormClipping(1.0), rate, Enough()],
    )  # fmt: skip
    tensors = {f"t{name}": tensor for name, tensor in exercise.tensors.items()}
    net.fit(tensors, torch.zeros(exercise.samples))
    return watch.rate()


LOOPS: dict[str, Callable[[Exercise, int], float]] = {
    "bare": bare,
    "dltui": ours,
    "DataLoader": dataloader,
    "Trainer": trainer,
    "Lightning": lightning,
    "skorch": skorch,
}

warnings.filterwarnings("ignore", module="lightning|skorch")
