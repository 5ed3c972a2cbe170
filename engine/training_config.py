"""The sections that are the same for every task: how to train, and on what."""

from __future__ import annotations

from typing import Literal

from engine.fields import Section, option

Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]
Kernel = Literal["auto", "fused", "foreach", "forloop"]


class TrainConfig(Section):
    """How the weights are updated, and when the run evaluates, saves and ends."""

    epochs: int = option(10, "Passes over the training data", ge=1, le=100_000)
    max_steps: int | None = option(
        None, "End after this many updates, whatever the epochs", ge=1, advanced=True
    )
    batch_size: int = option(64, "Samples that go through the network at once", ge=1, le=1_000_000)
    auto_batch_size: bool = option(
        False,
        "Take as many as the memory holds in place of batch_size; the run keeps to what it began "
        "with",
        advanced=True,
    )
    gradient_accumulation_steps: int = option(
        1, "Batches whose gradients make one update", ge=1, le=100_000, advanced=True
    )
    learning_rate: float = option(1e-3, "Step size at its highest", gt=0, le=100)
    optimizer: Literal["adamw", "sgd", "adamw_8bit", "paged_adamw_8bit"] = option(
        "adamw",
        "How gradients become updates; 8bit keeps a quarter of AdamW's state, needs dltui[quant]",
    )
    weight_decay: float = option(0.01, "Pull of weights to zero, but for norms and biases", ge=0)
    momentum: float = option(0.9, "Momentum of SGD", ge=0, lt=1, advanced=True)
    adam_beta1: float = option(0.9, "AdamW's decay of the mean", ge=0, lt=1, advanced=True)
    adam_beta2: float = option(0.999, "AdamW's decay of the variance", ge=0, lt=1, advanced=True)
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = option(
        "cosine", "How the learning rate falls after the warm-up"
    )
    warmup_ratio: float = option(0.0, "Share of the updates in which the rate rises", ge=0, lt=1)
    max_grad_norm: float = option(
        1.0, "Longest gradient; longer ones are shortened, 0 switches it off", ge=0, advanced=True
    )
    strategy: Literal["auto", "single", "ddp", "fsdp"] = option(
        "auto",
        "ddp trains in several processes, each with its share of every batch; fsdp shares out the "
        "weights too, for models that do not fit one GPU; auto is ddp where train.devices is "
        "above 1",
        advanced=True,
    )
    devices: int = option(
        1,
        "Processes that train together, each on a GPU of its own; batch norms see the rows of "
        "their process",
        ge=1,
        le=64,
        advanced=True,
    )
    nodes: int = option(
        1,
        "Machines that train together, each with so many devices; the run is started on each",
        ge=1,
        le=256,
        advanced=True,
    )
    rendezvous: str = option(
        "",
        "host:port of the first machine, in a network that strangers do not reach; empty takes "
        "MASTER_ADDR and MASTER_PORT",
        advanced=True,
    )
    max_restarts: int = option(
        3,
        "Times that they go on from the last checkpoint after one of them died",
        ge=0,
        le=1000,
        advanced=True,
    )
    seed: int = option(0, "Number that fixes everything random", ge=0, le=2**31 - 1)
    metric_for_best_model: str = option(
        "", "Metric of the validation data that decides; empty takes the task's own", advanced=True
    )
    early_stopping_patience: int = option(
        0, "Evaluations without improvement before the run ends; 0 never", ge=0
    )
    eval_steps: int = option(
        0, "Updates between evaluations; 0 evaluates after each epoch", ge=0, advanced=True
    )
    save_steps: int = option(
        0, "Updates between checkpoints; 0 goes by the time alone", ge=0, advanced=True
    )
    save_minutes: float = option(5.0, "Time between checkpoints", gt=0, unit="min", advanced=True)
    save_total_limit: int = option(2, "Newest checkpoints that are kept", ge=1, advanced=True)
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = option(
        (),
        "Where else the run reports to while it trains; needs dltui[tensorboard] or dltui[wandb]",
        advanced=True,
    )
    max_bad_steps: int = option(
        10,
        "Updates in a row that are left out because their loss or gradient is not finite, before "
        "the run gives up or goes back",
        ge=0,
        le=100_000,
        advanced=True,
    )
    max_rollbacks: int = option(
        0,
        "Times that the run then goes back to its last checkpoint, with a lower learning rate",
        ge=0,
        le=100,
        advanced=True,
    )
    rollback_lr_factor: float = option(
        0.5, "What the learning rate is multiplied with then", gt=0, lt=1, advanced=True
    )

    @property
    def processes(self) -> int:
        """Processes that train together, on all machines."""
        return 1 if self.strategy == "single" else self.devices * self.nodes

    @property
    def machines(self) -> int:
        """Machines that train together."""
        return 1 if self.strategy == "single" else self.nodes


class ComputeConfig(Section):
    """Where and in which number format the run computes.

    ``tf32`` is on by default. It matters for ``precision=float32`` only, for ``auto`` is bfloat16
    on the GPUs that have TF32. It keeps the range of float32 and more mantissa than bfloat16 (10
    bits against 7), and torch uses it for convolutions anyway; off means float32 for these as well.

    ``cudnn_benchmark`` is off by default, as in torch: the algorithm that is the fastest now need
    not be the fastest after a resume, so the bits may differ, and its trials take memory that the
    estimate does not count.

    ``deterministic`` takes precedence over ``cudnn_benchmark``, and leaves ``tf32`` alone, which
    rounds the same way every time.
    """

    device: Literal["auto", "cuda", "mps", "cpu"] = option(
        "auto", "auto takes CUDA, then MPS, then the CPU"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", "auto takes bfloat16 where the device computes in it"
    )
    threads: int = option(
        0, "CPU threads; 0 takes as many as there are cores", ge=0, le=1024, advanced=True
    )
    tf32: bool = option(
        True,
        "Compute float32 matrix products and convolutions in TF32 on NVIDIA GPUs since Ampere: "
        "faster, with a mantissa of 10 bits",
        advanced=True,
    )
    cudnn_benchmark: bool = option(
        False,
        "Let cuDNN try its algorithms for each input shape and take the fastest; for images of one "
        "size, slow where shapes vary",
        advanced=True,
    )
    deterministic: bool = option(
        False,
        "Use deterministic algorithms only, so that the same run gives the same bits: slower, and "
        "operations without one are an error",
        advanced=True,
    )
    compile: bool = option(False, "Compile the network before training", advanced=True)
    attention: Attention = option(
        "auto",
        "How transformers compute attention; auto takes sdpa where the network has it, "
        "flash_attention_2 needs CUDA, half precision and the package flash-attn",
        advanced=True,
    )
    optimizer_kernel: Kernel = option(
        "auto",
        "How AdamW and SGD pass over the weights; auto takes fused on CPUs and CUDA, the fastest",
        advanced=True,
    )
    loader_threads: int | None = option(
        None,
        "Threads that read batches ahead of the network; 0 reads each when it is needed, empty "
        "decides by data and device",
        ge=0,
        le=256,
        advanced=True,
    )
    pinned_memory: bool = option(
        True,
        "Hand batches to a GPU in memory that cannot be paged out, so that it fetches them by "
        "itself",
        advanced=True,
    )
