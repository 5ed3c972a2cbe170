"""Losses, time of an update and its share of communication, for each way of sharing a training.

    python tests/benchmarks/sharing.py

A small Llama on CPUs, one thread each: ``ddp`` sums through shared memory, the others by gloo.
Communication is what torch's profiler records of both in the main process: with waiting for slower
processes, which on few cores is most of it. Processor time is that of all processes, without the
profiler, against one process that trains alone.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import transformers
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from engine.config.train import TrainConfig
from engine.hardware.device import Compute
from engine.training.distributed.process_group import SingleProcess, join
from engine.training.distributed.sums import SharedSums
from engine.training.optimization.optimizer import build_optimizer
from engine.training.sharing import sharing

CPU = Compute(torch.device("cpu"), torch.float32, threads=1)
WAYS = [("single", 1), *((s, n) for n in (2, 4) for s in ("ddp", "fsdp", "tensor"))]
UPDATES, ROWS, LENGTH = 16, 8, 64
WARM = 4
"""Updates that are not timed."""
SHARED = "shared:"


def llama() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=2048, hidden_size=128, intermediate_size=512, num_hidden_layers=4,
        num_attention_heads=4, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def train(rank: int, strategy: str, size: int, port: int, result: str) -> None:
    """Train as process ``rank`` of ``size``; the main process writes what it measured."""
    torch.set_num_threads(1)
    os.environ["LOCAL_WORLD_SIZE"] = str(size)
    config = TrainConfig(strategy=strategy, devices=size)  # type: ignore[arg-type]
    record_shared_sums()
    group = SingleProcess()
    if size > 1:
        store = dist.TCPStore("127.0.0.1", port, size, rank == 0)
        join(rank, size, store, CPU.device)
        group = sharing(config, rank, size)
    network = group.shard(llama(), CPU.device)
    optimizer = build_optimizer([{"params": list(network.parameters())}], config, CPU.device)
    group.state(network, optimizer, CPU)
    batches = torch.randint(2048, (UPDATES, ROWS, LENGTH), generator=torch.manual_seed(1))
    losses, seconds, shares, processor = [], [], [], []
    for number, batch in enumerate(batches):
        group.wait()
        profiled = profile(activities=[ProfilerActivity.CPU]) if number % 2 else nullcontext()
        begun, used = time.perf_counter(), time.process_time()
        with profiled as profiler:
            losses.append(update(group, network, optimizer, batch))
        took, used = time.perf_counter() - begun, time.process_time() - used
        if number < WARM:
            continue
        if profiler is None:
            seconds.append(took)  # the profiler takes time itself
            processor.append(summed(used))
            continue
        spans = [(e.time_range.start, e.time_range.end) for e in profiler.events()
                 if e.name.startswith(("gloo:", SHARED))]  # fmt: skip
        shares.append(covered(spans) / 1e6 / took)
    if rank == 0:
        found = {"losses": losses, "seconds": statistics.median(seconds),
                 "communication": statistics.median(shares),
                 "processor": statistics.median(processor)}  # fmt: skip
        Path(result).write_text(json.dumps(found))
    group.wait()
    os._exit(0)


def record_shared_sums() -> None:
    """Let the profiler record sums through shared memory."""
    for owner, name in ((SharedSums, "start"), (SharedSums, "release"), (SharedSums, "wait_for")):
        setattr(owner, name, record_function(SHARED)(getattr(owner, name)))


def summed(value: float) -> float:
    """Return the sum over all processes."""
    whole = torch.tensor(value)
    if dist.is_initialized():
        dist.all_reduce(whole)
    return float(whole)


def update(
    group: SingleProcess, network: nn.Module, optimizer: torch.optim.Optimizer, batch: Tensor
) -> float:
    """Make an update as the trainer does; returns the loss of the whole batch."""
    (rows,) = group.rows.of([torch.arange(len(batch))], 1)
    weight = float(len(rows))
    total = group.total(weight)
    ids = batch[rows]

    def forward() -> Tensor:
        called: Any = network
        loss: Tensor = called(input_ids=ids, labels=ids, use_cache=False).loss
        return loss

    loss = group.within(network, forward)
    group.backward(loss * (weight / total), last=True)
    reduced = group.reduce(network, [loss.detach()], [weight])
    assert reduced is not None
    ((mean,), _) = reduced
    group.clip(list(network.parameters()), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(mean)


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of spans."""
    length, end = 0.0, float("-inf")
    for first, last in sorted(spans):
        length += max(0.0, last - max(first, end))
        end = max(end, last)
    return length


def main() -> int:
    """Print the table."""
    expected: list[float] = []
    alone = 0.0
    print("| strategy | processes | largest difference of a loss | update | communication | "
          "processor time |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for number, (strategy, size) in enumerate(WAYS):
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result.json"
            mp.spawn(train, (strategy, size, 29_700 + number, str(result)), size)
            found = json.loads(result.read_text())
        expected, alone = expected or found["losses"], alone or found["processor"]
        worst = max(abs(a - b) for a, b in zip(expected, found["losses"], strict=True))
        share = f"{found['communication']:.0%}" if size > 1 else "–"
        print(f"| {strategy} | {size} | {worst:.1e} | {found['seconds'] * 1e3:.0f} ms | {share} | "
              f"{found['processor'] / alone:.2f} |", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
