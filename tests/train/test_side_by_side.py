"""Comparison with the Trainer of transformers: the same losses to four places."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from engine import RunConfig
from engine.batches.source import Batch, Source, epoch_plan
from engine.data.raw import TRAIN
from engine.hardware.device import Compute
from engine.metrics.logits import logits_of
from engine.tasks.create import create_task
from engine.training import trainer
from engine.training.checkpoints.state import TrainingState
from engine.training.optimization.optimizer import build_optimizer, trainable_groups
from engine.training.trainer_setup import Outlets, Setup

CPU = torch.device("cpu")
EPOCHS, BATCH, RATE, DECAY = 2, 16, 2e-3, 0.1
TEXT = {
    "task": {"kind": "text_classification"},
    "data": {"kind": "builtin", "name": "docstrings", "max_samples": 160},
    "model": {"kind": "transformer", "hidden_size": 32, "vocab_size": 500, "dropout": 0},
}
DIGITS = {
    "task": {"kind": "image_classification"},
    "data": {"kind": "builtin", "name": "digits", "max_samples": 160},
}
VIT = DIGITS | {
    "model": {
        "kind": "image_transformer", "patch_size": 2, "hidden_size": 32, "num_hidden_layers": 2,
        "dropout": 0,
    }
}  # fmt: skip
RESNET = DIGITS | {"model": {"kind": "torchvision", "name": "resnet18"}}


class Rows(torch.utils.data.Dataset[int]):
    """Indices of rows, as many as there are samples."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row


class SameOrder(Trainer):
    """A Trainer that gets the batches of our epochs instead of sampling its own."""

    epochs: list[list[dict[str, torch.Tensor]]]

    def get_train_dataloader(self) -> Any:
        return Epochs(self.epochs)


class Epochs:
    """A loader that returns another list of batches each epoch."""

    def __init__(self, epochs: list[list[dict[str, torch.Tensor]]]) -> None:
        self._epochs = iter(epochs)
        self._length = len(epochs[0])
        self.dataset = Rows(self._length * BATCH)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        yield from next(self._epochs)


class WithLoss(nn.Module):
    """A network of torchvision with the interface that the Trainer of transformers expects."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        logits = self.network(pixel_values)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Ours:
    """Task, data, and network of a configuration, before training."""

    def __init__(self, values: dict[str, Any], decay: float = DECAY) -> None:
        train = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE,
                 "lr_scheduler_type": "linear", "weight_decay": decay}  # fmt: skip
        config = RunConfig.parse(values | {"train": train})
        self.decay = decay
        self.task: Any = create_task(config)
        raw = self.task.pipeline.load()
        self.fitted = self.task.pipeline.fit(raw)
        self.source: Source = self.task.encode(raw.splits[TRAIN], self.fitted, CPU, lambda _: None)
        torch.manual_seed(0)
        self.network: Any = self.task.build_network(self.fitted)

    def epochs(self, named: Callable[[Any], dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """The batches of all epochs, their inputs as ``named`` and their labels."""
        plans = [
            epoch_plan(self.source, BATCH, self.task.config.train.seed, epoch)
            for epoch in range(EPOCHS)
        ]
        return [
            [named(batch.inputs) | {"labels": batch.targets} for batch in self.source.read(plan)]
            for plan in plans
        ]

    def losses(self) -> list[float]:
        """The loss of every update of our trainer."""
        losses: list[float] = []

        def recorded(network: Any, batch: Batch) -> torch.Tensor:
            loss: torch.Tensor = type(self.task).loss(self.task, network, batch)
            losses.append(float(loss.detach()))
            return loss

        self.task.loss = recorded
        optimizer = build_optimizer(trainable_groups(self.network), self.task.config.train, CPU)
        outlets = Outlets(lambda event: None, lambda: iter(()), lambda reason: None, lambda: False)
        state = TrainingState(self.network, optimizer)
        compute = Compute(CPU, torch.float32, threads=1)
        setup = Setup(self.task, self.fitted, state, compute, outlets)
        trainer.Trainer(setup, self.source, None).run()
        return losses


def their_losses(network: Any, epochs: list[list[dict[str, Any]]], decay: float,
                 folder: Path) -> list[float]:  # fmt: skip
    """The loss of every update of the Trainer of transformers."""
    theirs = SameOrder(
        model=network,
        args=TrainingArguments(
            output_dir=str(folder), num_train_epochs=EPOCHS, learning_rate=RATE,
            per_device_train_batch_size=BATCH, lr_scheduler_type="linear", weight_decay=decay,
            max_grad_norm=1.0, logging_steps=1, logging_nan_inf_filter=False, save_strategy="no",
            report_to=[], disable_tqdm=True, use_cpu=True,
        ),
        train_dataset=Rows(len(epochs[0]) * BATCH),
    )  # fmt: skip
    theirs.epochs = epochs
    theirs.train()
    return [entry["loss"] for entry in theirs.state.log_history if "loss" in entry]


def check_alike(ours: list[float], theirs: list[float], epochs: list[Any]) -> None:
    assert len(theirs) == len(ours) == EPOCHS * len(epochs[0])
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert ours[-1] < ours[0]


def furthest(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max())


def test_losses_on_texts_are_those_of_the_trainer_of_transformers(tmp_path: Path) -> None:
    ours = Ours(TEXT)
    ours.network.save_pretrained(tmp_path / "start")
    other = AutoModelForSequenceClassification.from_pretrained(tmp_path / "start")
    epochs = ours.epochs(dict)
    losses = ours.losses()
    check_alike(losses, their_losses(other, epochs, ours.decay, tmp_path / "out"), epochs)
    inputs = {name: part for name, part in epochs[0][0].items() if name != "labels"}
    with torch.inference_mode():
        ours.network.eval()
        assert furthest(logits_of(ours.network, inputs), logits_of(other.eval(), inputs)) < 1e-3


def test_losses_on_images_are_those_of_the_trainer_of_transformers(tmp_path: Path) -> None:
    ours = Ours(VIT)
    ours.task.files(ours.fitted).save(ours.network, tmp_path)
    other = AutoModelForImageClassification.from_pretrained(tmp_path)
    epochs = ours.epochs(lambda images: {"pixel_values": images})
    losses = ours.losses()
    check_alike(losses, their_losses(other, epochs, ours.decay, tmp_path / "out"), epochs)
    images = epochs[0][0]["pixel_values"]
    with torch.inference_mode():
        expected = other.eval()(pixel_values=images).logits
        assert furthest(ours.network.eval()(images), expected) < 1e-3


@pytest.mark.slow
def test_losses_of_a_network_of_torchvision_are_the_same_too(tmp_path: Path) -> None:
    # That trainer applies weight decay to batch norms, ours does not.
    ours = Ours(RESNET, decay=0.0)
    other = WithLoss(copy.deepcopy(ours.network))
    epochs = ours.epochs(lambda images: {"pixel_values": images})
    losses = ours.losses()
    check_alike(losses, their_losses(other, epochs, ours.decay, tmp_path), epochs)
