"""The sections that are the same for every task: how to train, and on what."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import Section, option

FROM_SCRATCH = 1e-3
"""The learning rate of a new network, and of SGD."""
USUAL_EPOCHS, USUAL_BATCH = 10, 64


class TrainConfig(Section):
    """Optimization of the weights, and when the run evaluates, saves and ends."""

    epochs: int | None = option(
        None,
        "Epochs: passes over the training data; empty is automatic",
        ge=1,
        le=100_000,
    )
    max_steps: int | None = option(
        None,
        "Maximum number of updates, whatever the epochs; 0 evaluates and exports a pre-trained "
        "network as it is",
        ge=0,
        advanced=True,
    )
    max_minutes: float | None = option(
        None,
        "Time limit of the whole run: updates and the learning-rate schedule are planned to fit, "
        "with evaluations and export; the same seed gives other weights on another machine",
        gt=0,
        unit="min",
        advanced=True,
    )
    batch_size: int | None = option(
        None,
        "Batch size of a forward pass, over all processes; empty is automatic",
        ge=1,
        le=1_000_000,
    )
    batch_tokens: int | None = option(
        None,
        "Learned tokens of a batch, about, over all processes, in place of batch_size; for "
        "language models, translation and tagging",
        ge=1,
        le=1_000_000_000,
        unit="tokens",
        advanced=True,
    )
    auto_batch_size: bool = option(
        False,
        "Use the largest batch size that fits the memory, instead of batch_size; the run keeps it",
        advanced=True,
    )
    gradient_accumulation_steps: int = option(
        1, "Gradient accumulation: batches per update", ge=1, le=100_000, advanced=True
    )
    learning_rate: float | None = option(
        None,
        "Peak learning rate; empty goes by the method: 1e-3 from scratch, less for a pre-trained "
        "network as a whole, ten times that for its adapter",
        gt=0,
        le=100,
    )
    optimizer: Literal["adamw", "sgd", "adamw_8bit", "paged_adamw_8bit"] = option(
        "adamw",
        "Optimizer; the 8-bit variants keep a quarter of the state of AdamW and need dltui[quant]",
    )
    weight_decay: float = option(0.01, "Weight decay, except for norms and biases", ge=0)
    momentum: float = option(0.9, "Momentum of SGD", ge=0, lt=1, advanced=True)
    adam_beta1: float = option(
        0.9, "Beta 1 of AdamW: decay of the mean of the gradients", ge=0, lt=1, advanced=True
    )
    adam_beta2: float = option(
        0.999, "Beta 2 of AdamW: decay of the variance of the gradients", ge=0, lt=1, advanced=True
    )
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = option(
        "cosine", "Learning rate schedule after the warm-up"
    )
    warmup_ratio: float = option(
        0.0, "Warm-up: fraction of the updates in which the learning rate rises", ge=0, lt=1
    )
    max_grad_norm: float = option(
        1.0, "Gradient clipping: maximum norm; 0 disables it", ge=0, advanced=True
    )
    ema_decay: float = option(
        0.0,
        "Exponential moving average of the weights (EMA): decay per update, lower at the start; "
        "the average is evaluated and exported; 0 disables it",
        ge=0,
        lt=1,
        advanced=True,
    )
    strategy: Literal["auto", "single", "ddp", "fsdp", "tensor"] = option(
        "auto",
        "Distributed strategy: ddp trains in several processes with a share of each "
        "batch; fsdp also shards the weights, for models that do not fit one GPU; tensor splits "
        "the layers of transformers, each process computing its part for the whole batch; auto "
        "estimates the memory and takes ddp where it is enough, and says why",
        advanced=True,
    )
    cpu_offload: bool = option(
        False,
        "Keep the shards of weights and gradients and the optimizer's state in main memory "
        "(train.strategy=fsdp): slower, for models that do not fit the GPUs otherwise",
        advanced=True,
    )
    devices: int = option(
        1,
        "Processes on each node, each on its own GPU; batch norms see the rows of their process",
        ge=1,
        le=64,
        advanced=True,
    )
    nodes: int = option(
        1,
        "Nodes (machines) that train together, each with train.devices processes; start "
        "the run on each; 1..4 sets train.min_nodes, too",
        ge=1,
        le=256,
        advanced=True,
    )
    min_nodes: int = option(
        0,
        "Minimum number of nodes: a node that leaves is done without, from the last checkpoint, "
        "and one that joins is taken in; 0 waits for all",
        ge=0,
        le=256,
        advanced=True,
    )
    rendezvous: str = option(
        "",
        "Rendezvous: host:port of the main node, in a network that strangers cannot "
        "reach; empty takes MASTER_ADDR and MASTER_PORT",
        advanced=True,
    )
    max_restarts: int = option(
        3,
        "Maximum number of restarts from the last checkpoint after a process failed",
        ge=0,
        le=1000,
        advanced=True,
    )
    stall_minutes: float = option(
        5.0,
        "Minutes without an update, or at least 20 times the usual duration of one, after which an "
        "attempt ends and several processes restart; 0 waits without limit",
        ge=0,
        unit="min",
        advanced=True,
    )
    seed: int = option(0, "Random seed", ge=0, le=2**31 - 1)
    metric_for_best_model: str = option(
        "",
        "Metric on the validation split that selects the best model; empty takes the "
        "default of the task",
        advanced=True,
    )
    early_stopping_patience: int = option(
        0,
        "Early stopping: evaluations without improvement before the run ends; 0 disables it",
        ge=0,
    )
    eval_steps: int = option(
        0, "Updates between evaluations; 0 evaluates after each epoch", ge=0, advanced=True
    )
    evaluate_base: Literal["auto", "on", "off"] = option(
        "auto",
        "Evaluate the network before the first update, to compare the trained one with it; auto "
        "does so for pre-trained language models, where no part of the network is new",
        advanced=True,
    )
    save_steps: int = option(
        0, "Updates between checkpoints; 0 goes by the time alone", ge=0, advanced=True
    )
    save_minutes: float = option(
        5.0, "Minutes between checkpoints", gt=0, unit="min", advanced=True
    )
    save_total_limit: int = option(2, "Number of checkpoints to keep", ge=1, advanced=True)
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = option(
        (),
        "Loggers to report to; needs dltui[tensorboard] or dltui[wandb]",
        advanced=True,
    )
    max_bad_steps: int = option(
        10,
        "Updates in a row that are skipped for a loss or gradient that is not finite, "
        "before the run fails or rolls back",
        ge=0,
        le=100_000,
        advanced=True,
    )
    max_rollbacks: int = option(
        0,
        "Maximum number of rollbacks to the last checkpoint, with a lower learning rate",
        ge=0,
        le=100,
        advanced=True,
    )
    rollback_lr_factor: float = option(
        0.5, "Factor of the learning rate after a rollback", gt=0, lt=1, advanced=True
    )

    @model_validator(mode="before")
    @classmethod
    def _range_of_nodes(cls, values: Any) -> Any:
        """Read ``nodes = "1..4"``."""
        nodes = values.get("nodes") if isinstance(values, dict) else None
        match = re.fullmatch(r"(\d{1,3})\.\.(\d{1,3})", nodes) if isinstance(nodes, str) else None
        return values if match is None else values | {"min_nodes": match[1], "nodes": match[2]}

    @field_validator("min_nodes")
    @classmethod
    def _fewest_of_all(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("nodes", value):
            raise PydanticCustomError("nodes", "it is larger than train.nodes")
        return value

    @model_validator(mode="after")
    def _average_is_whole(self) -> Self:
        if self.ema_decay and self.strategy in ("fsdp", "tensor"):
            raise PydanticCustomError(
                "mismatch",
                "sharded weights are not averaged; use train.strategy=ddp, or 0",
                {"field": "ema_decay"},
            )
        return self

    @model_validator(mode="after")
    def _offload_is_of_shards(self) -> Self:
        if self.cpu_offload and self.strategy != "fsdp":
            raise PydanticCustomError(
                "mismatch", "it needs train.strategy=fsdp", {"field": "cpu_offload"}
            )
        return self

    @property
    def peak_rate(self) -> float:
        """The learning rate as a number; a run settles it when it starts."""
        return FROM_SCRATCH if self.learning_rate is None else self.learning_rate

    @property
    def epoch_count(self) -> int:
        """The epochs as a number; a run settles it where it goes by the data."""
        return USUAL_EPOCHS if self.epochs is None else self.epochs

    @property
    def batch_rows(self) -> int:
        """The batch size as a number; a run settles it where it goes by the data."""
        return USUAL_BATCH if self.batch_size is None else self.batch_size

    @property
    def processes(self) -> int:
        """Processes that train together, on all machines."""
        return 1 if self.strategy == "single" else self.devices * self.nodes

    @property
    def machines(self) -> int:
        """Machines that train together."""
        return 1 if self.strategy == "single" else self.nodes

    @property
    def fewest_machines(self) -> int:
        """Machines without which no training begins."""
        return self.min_nodes or self.machines
