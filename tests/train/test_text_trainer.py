"""Side by side with the Trainer of transformers: the same losses to four places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

import engine.training.trainer
from engine import RunConfig
from engine.data.raw import TRAIN
from engine.tasks.text import logits_of
from engine.training.batch import Batch, Source, epoch_plan
from engine.training.device import Compute
from engine.training.optimizer import build_optimizer, trainable_groups
from engine.training.state import TrainingState
from engine.training.trainer import Outlets

CPU = torch.device("cpu")
EPOCHS, BATCH, RATE = 2, 16, 2e-3


class Rows(torch.utils.data.Dataset[int]):
    """Numbers of rows, as many as there are samples."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row


class SameOrder(Trainer):
    """Gets the batches of our epochs instead of drawing its own."""

    batches: list[list[Batch]]

    def get_train_dataloader(self) -> Any:
        return Epochs(self.batches)


class Epochs:
    """A loader that gives another list of batches each time."""

    def __init__(self, epochs: list[list[Batch]]) -> None:
        self._epochs = iter(epochs)
        self._length = len(epochs[0])
        self.dataset = Rows(self._length * BATCH)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for batch in next(self._epochs):
            yield batch.inputs | {"labels": batch.targets}


def test_losses_are_those_of_the_trainer_of_transformers(tmp_path: Path) -> None:
    config = RunConfig.parse({
        "task": {"kind": "text_classification"},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 160},
        "model": {"kind": "transformer", "hidden_size": 32, "vocab_size": 500, "dropout": 0},
        "train": {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE,
                  "lr_scheduler_type": "linear", "weight_decay": 0.1},
    })  # fmt: skip
    task: Any = config.task.create(config)
    raw = task.load()
    fitted = task.fit(raw)
    source = task.encode(raw.splits[TRAIN], fitted, CPU, lambda event: None)
    torch.manual_seed(0)
    network: Any = task.build_network(fitted)
    network.save_pretrained(tmp_path / "start")
    epochs = [
        list(source.read(epoch_plan(source, BATCH, config.train.seed, epoch)))
        for epoch in range(EPOCHS)
    ]

    ours = our_losses(task, fitted, network, source)

    theirs = SameOrder(
        model=AutoModelForSequenceClassification.from_pretrained(tmp_path / "start"),
        args=TrainingArguments(
            output_dir=str(tmp_path / "out"), num_train_epochs=EPOCHS, learning_rate=RATE,
            per_device_train_batch_size=BATCH, lr_scheduler_type="linear", weight_decay=0.1,
            max_grad_norm=1.0, logging_steps=1, logging_nan_inf_filter=False, save_strategy="no",
            report_to=[], disable_tqdm=True, use_cpu=True,
        ),
        train_dataset=Rows(len(source)),
    )  # fmt: skip
    theirs.batches = epochs
    theirs.train()
    expected = [entry["loss"] for entry in theirs.state.log_history if "loss" in entry]
    assert len(expected) == len(ours) == EPOCHS * len(epochs[0])
    assert ours == pytest.approx(expected, abs=1e-4)
    assert ours[-1] < ours[0]
    network.eval()
    theirs.model.eval()
    with torch.inference_mode():
        inputs = epochs[0][0].inputs
        difference = logits_of(network, inputs) - logits_of(theirs.model, inputs)
    assert difference.abs().max() < 1e-3


def our_losses(task: Any, fitted: Any, network: Any, source: Source) -> list[float]:
    """The loss of every update that our trainer makes."""
    losses: list[float] = []

    def recorded(network: Any, batch: Batch) -> torch.Tensor:
        loss: torch.Tensor = type(task).loss(task, network, batch)
        losses.append(float(loss.detach()))
        return loss

    task.loss = recorded
    optimizer = build_optimizer(trainable_groups(network), task.config.train, CPU)
    outlets = Outlets(lambda event: None, lambda: iter(()), lambda reason: None, lambda: False)
    state = TrainingState(network, optimizer)
    compute = Compute(CPU, torch.float32, threads=1)
    engine.training.trainer.Trainer(task, fitted, state, source, None, compute, outlets).run()
    return losses
