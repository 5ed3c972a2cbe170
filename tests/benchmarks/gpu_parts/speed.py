"""Updates a second: the engine against the bare loop and transformers' Trainer; the card's use.

All loops are those of ``tests/benchmarks/loops.py``; ``dltui`` is a whole run of the engine with a
directory, events and a checkpoint. BERT-base and the Llama (the shape of Llama 3.2 1B) have random
weights made on the device, whose values do not matter here. ``seconds_beside_updates`` is the time
before the timed updates (ten warm-up updates, compiling, in the engine also reading data) and after
them (the engine's checkpoint and export).

Model FLOPs utilization is the arithmetic that an update requires, whatever is actually computed, as
a share of the card's dense bfloat16 peak (Chowdhery et al. 2022, "PaLM", appendix B). For a token:
six operations for each weight of a matrix product (two in the forward pass, two for the gradient of
its input, two for that of the weight), four for a frozen weight, which has no gradient; and for
attention ``12 · layers · hidden size · tokens``, as if each token attended to all. Embeddings are
look-ups and count nothing; the output layer counts, even if it shares their weights.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from llama import ONE, TINY, clear, offer_random_transformers
from part import Part, Skipped, describe, main, script
from torch import nn

import engine.training.progress

LOOPS = ("bare", "dltui", "Trainer")
PEAKS = {
    "H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12, "H200 NVL": 835e12, "H200": 989e12,
    "A100": 312e12, "L40S": 362e12, "L40": 181e12, "L4": 121e12, "RTX 4090": 165e12,
}  # fmt: skip
"""Dense bfloat16 operations a second by the vendor's data sheets, with accumulation in float32; by
the first of these names that a card's name contains."""
BERT, LLAMA = "BERT-base, 128 tokens", "Llama, 1 billion, LoRA, 1,024 tokens"
TURN_SECONDS = 1.5
"""Seconds of timed updates in each turn, long enough for several progress events."""
FIRST_UPDATES = 30
"""Updates of the bare loop or the Trainer that measure the length of a turn."""
ROUNDS = {"MLP": 2, "CNN": 2}
"""Turns of each loop; one for the other rows."""
EXPECTED = {"MLP": (4.0, 15.0), "CNN": (4.0, 20.0), BERT: (8.0, 35.0), LLAMA: (10.0, 45.0)}
"""Seconds of a first turn, plain and compiled, that must be left."""
IN_MEMORY = Path("/dev/shm")
ROOM = 16 << 30
"""Free bytes that checkpoints need."""
_BERT_BASE = {
    "vocab_size": 30_522, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12,
}  # fmt: skip


def experiments(part: Part, folder: Path) -> dict[str, dict[str, Any]]:
    """The sections of endless runs by row, the most important first."""
    random = {"kind": "random_transformer"}
    llama = TINY if part.smoke else {n: v for n, v in ONE.items() if n != "tie_word_embeddings"}
    return {
        BERT: {
            "task": {"kind": "text_classification", "max_length": 16 if part.smoke else 128,
                     "text": "text", "label": "label"},
            "data": {"kind": "file", "path": str(folder / "texts.parquet")},
            "model": random | (TINY if part.smoke else _BERT_BASE),
            "train": {"batch_size": 4 if part.smoke else 64},
        },
        LLAMA: {
            "task": {"kind": "causal_lm", "max_length": 32 if part.smoke else 1024, "text": "text"},
            "data": {"kind": "file", "path": str(folder / "texts.parquet")},
            "model": random | llama | {"dropout": 0.0},
            "adapter": {"method": "lora", "r": 16},
            "train": {"batch_size": 4},
        },
        "MLP": {
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "file", "path": str(folder / "rows.parquet")},
            "model": {"kind": "mlp", "hidden": [256, 256]},
            "train": {"batch_size": 128},
        },
        "CNN": {
            "task": {"kind": "image_classification", "image_size": 8 if part.smoke else 32},
            "data": {"kind": "builtin", "name": "digits"},
            "model": {"kind": "cnn", "channels": [8] if part.smoke else [64, 128, 256]},
            "train": {"batch_size": 64},
        },
    }  # fmt: skip


def configuration(values: dict[str, Any], part: Part, compiled: bool) -> dict[str, Any]:
    """Add the settings of the benchmark: no evaluations, bfloat16 on a GPU."""
    made = {name: dict(section) for name, section in values.items()}
    made["data"] |= {"validation_fraction": 0.0, "test_fraction": 0.0}
    made["train"] |= {
        "epochs": 100_000, "lr_scheduler_type": "linear", "weight_decay": 0.01,
        "learning_rate": 1e-4, "eval_steps": 1_000_000,
    }  # fmt: skip
    precision = "bfloat16" if part.cuda else "float32"
    threads = 0 if part.cuda else 1
    made["compute"] = {
        "device": part.device, "precision": precision, "compile": compiled, "threads": threads,
    }  # fmt: skip
    return made


@dataclass
class Comparison:
    """The turns of all loops over one network and its data.

    Attributes:
        title: the row.
        steps: updates in a turn of each loop, once known; compiled turns use those of plain ones.
    """

    part: Part
    loops: Any
    title: str
    values: dict[str, Any]
    steps: dict[str, int] = field(default_factory=dict)

    def fill(self, compiled: bool, row: dict[str, Any]) -> None:
        """Take turns until the time is up, and add the rates of the loops to the row."""
        expected = EXPECTED[self.title][compiled]
        self._wait_for(expected)
        exercise = self.loops.Exercise(configuration(self.values, self.part, compiled))
        rates: dict[str, list[float]] = {name: [] for name in LOOPS}
        beside: dict[str, float] = {}
        failed: dict[str, str] = {}
        rounds = 1 if self.part.smoke or compiled else ROUNDS.get(self.title, 1)
        for name in LOOPS * rounds:
            if name in failed:
                continue
            try:
                self._wait_for(beside[name] + TURN_SECONDS if name in beside else expected)
                rate, seconds = self._turn(name, exercise, compiled)
            except Exception as error:  # noqa: BLE001 - the other loops are measured all the same
                failed[name] = str(error) if isinstance(error, Skipped) else describe(error)
                continue
            rates[name].append(rate)
            beside.setdefault(name, seconds)
            expected = min(expected, seconds + 2 * TURN_SECONDS)
        self._note(row, exercise, rates, beside)
        if failed:
            row["not_measured"] = failed
        if not any(rates.values()):
            raise Skipped("; ".join(failed.values()))

    def _wait_for(self, seconds: float) -> None:
        if not self.part.smoke and self.part.seconds_left() < seconds:
            raise Skipped("no time left in this part's budget")

    def _turn(self, name: str, exercise: Any, compiled: bool) -> tuple[float, float]:
        """Updates a second of one loop, and its seconds outside these updates."""
        loop = self.loops.LOOPS[name]
        steps = self._steps(name, loop, exercise)
        if compiled:
            torch.compiler.reset()  # torch limits the number of recompilations of a function
        clear(exercise.compute)
        begun = time.perf_counter()
        rate = loop(exercise, steps)
        whole = time.perf_counter() - begun
        return rate, whole - (steps - self.loops.WARM) / rate

    def _steps(self, name: str, loop: Any, exercise: Any) -> int:
        if self.part.smoke:
            return 12
        if name not in self.steps:
            # The engine reports its updates four times a second; it is about as fast as the
            # bare loop.
            known = self.steps.get("bare") if name == "dltui" else None
            rate = 0.0 if known else loop(exercise, FIRST_UPDATES)
            least = self.loops.WARM + 20
            self.steps[name] = known or max(least, self.loops.WARM + int(rate * TURN_SECONDS))
        return self.steps[name]

    def _note(
        self, row: dict[str, Any], exercise: Any, rates: dict[str, Any], beside: dict[str, float]
    ) -> None:
        found = {name: median(turns) for name, turns in rates.items() if turns}
        row["updates_per_second"] = {name: round(rate, 2) for name, rate in found.items()}
        row["seconds_beside_updates"] = {name: round(value, 1) for name, value in beside.items()}
        row["batch_size"] = exercise.batch_size
        for other in ("bare", "Trainer"):
            pairs = list(zip(rates["dltui"], rates[other], strict=False))
            if pairs:
                against = median(ours / theirs for ours, theirs in pairs)
                row[f"against_{other.lower()}"] = round(against, 3)
        if "dltui" in found and self.title in (BERT, LLAMA):
            used(row, self.part, found["dltui"] * exercise.batch_size * self._operations(exercise))

    def _operations(self, exercise: Any) -> float:
        """Operations of an update for each text."""
        from engine.artifacts.build import build_network

        with torch.device("meta"):
            network = build_network(exercise.task, exercise.fitted, exercise.compute)
        frozen = trained = 0
        for name, layer in network.named_modules():
            if isinstance(layer, nn.Linear) and not name.endswith(("pooler.dense", "classifier")):
                trained += layer.weight.numel() * layer.weight.requires_grad
                frozen += layer.weight.numel() * (not layer.weight.requires_grad)
        model, tokens = self.values["model"], self.values["task"]["max_length"]
        attention = 12 * model["num_hidden_layers"] * model["hidden_size"] * tokens
        return float(tokens * (6 * trained + 4 * frozen + attention))


_reached: list[float] = []
"""Operations a second of the matrix product, once measured."""


def used(row: dict[str, Any], part: Part, operations: float) -> None:
    """Add the operations a second of the updates, and their share of the card's peak."""
    row["teraflops"] = round(operations / 1e12, 3)
    if part.cuda:
        name = torch.cuda.get_device_name()
        peak = next((peak for card, peak in PEAKS.items() if card in name), None)
        row["of_peak"] = round(operations / peak, 3) if peak else "peak unknown"
        if _reached:
            row["of_matrix_product"] = round(operations / _reached[0], 3)


def matrix_product(part: Part, row: dict[str, Any]) -> None:
    """Measure the speed of a large matrix product: the ceiling of every share."""
    size = 256 if part.smoke else 8192
    kind = torch.bfloat16 if part.cuda else torch.float32
    left, right = (torch.randn(size, size, device=part.device, dtype=kind) for _ in range(2))
    count = 50
    for _ in range(5):
        left @ right
    if part.cuda:
        torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(count):
        left @ right
    if part.cuda:
        torch.cuda.synchronize()
    operations = 2 * size**3 * count / (time.perf_counter() - begun)
    row["size"] = size
    used(row, part, operations)
    _reached.append(operations)


def rows(part: Part) -> None:
    """Measure plain rows first, then compiled ones, until the time is up."""
    # Checkpoints in memory take no time on a disk.
    roomy = part.cuda and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if roomy else None) as name:
        folder = Path(name)
        os.environ["DLTUI_HOME"] = name
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        offer_random_transformers(folder / "plugin")
        if part.smoke:
            engine.training.progress.REPORT_SECONDS = 0.0  # short runs report every update
        with part.measured("matrix product, 8192³, bfloat16") as row:
            matrix_product(part, row)
        random, data = np.random.default_rng(0), script("speed")
        data.write_rows(folder, random)
        # Longer than any window of the classifier.
        data.write_texts(folder, random, count=1024, length=200)
        loops = script("loops")
        compared = [
            Comparison(part, loops, title, values)
            for title, values in experiments(part, folder).items()
        ]
        for compiled in (False, True):
            for one in compared:
                title = f"{one.title}, compiled" if compiled else one.title
                with part.measured(title) as row:
                    if compiled and part.smoke and one.title != "MLP":
                        raise Skipped("compiling takes too long for a smoke test")
                    one.fill(compiled, row)


if __name__ == "__main__":
    main(rows)
