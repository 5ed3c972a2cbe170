"""Step time and memory of LoRA and of full fine-tuning, on the shapes of common networks.

    python tests/benchmarks/adapters.py [--quick] [--device cuda]

Prints a table in Markdown and writes ``results/adapters-<device>.json`` beside this file. Every
network is trained in a process of its own, so that peaks are separate. The processes take turns,
step by step, so that other load on the machine affects all of them equally.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from engine.adapters.lora import with_adapter
from engine.config.adapter import AdapterConfig
from engine.config.compute import ComputeConfig
from engine.config.models.registry import MODELS
from engine.config.train import TrainConfig
from engine.hardware.device import Compute, choose
from engine.models.build import build_model
from engine.models.shapes import ImageShape
from engine.training.optimization.optimizer import build_optimizer, trainable_groups

RESULTS = Path(__file__).parent / "results"
TOKENS = 128
METHODS = {
    "full": AdapterConfig(),
    "all layers": AdapterConfig(method="lora", r=8),
    "attention": AdapterConfig(method="lora", r=8, target_modules=("attention",)),
}


@dataclass(frozen=True)
class Shape:
    """A network in its real width (Llama: half of it), with fewer layers, and a batch for it."""

    network: Callable[[], nn.Module]
    batch: Callable[[], tuple[dict[str, Tensor], Tensor]]
    methods: tuple[str, ...] = tuple(METHODS)


def _tokens(samples: int, labels: int) -> tuple[dict[str, Tensor], Tensor]:
    """Random tokens; with ``labels`` = 0 they are their own targets."""
    tokens = torch.randint(0, 7000, (samples, TOKENS))
    return {"input_ids": tokens}, torch.randint(0, labels, (samples,)) if labels else tokens


def _images(samples: int, size: int) -> tuple[dict[str, Tensor], Tensor]:
    return {"images": torch.randn(samples, 3, size, size)}, torch.randint(0, 10, (samples,))


def _classifier(config: Any) -> nn.Module:
    return transformers.AutoModelForSequenceClassification.from_config(config)


def _language_model(config: Any) -> nn.Module:
    return transformers.AutoModelForCausalLM.from_config(config)


def _image_model(kind: str, size: int, **fields: Any) -> nn.Module:
    model = MODELS.parse({"kind": kind} | fields)
    made: nn.Module = build_model(model, ImageShape(channels=3, size=size, outputs=10))
    return made


# Vocabularies shrink with the number of layers, so that embeddings keep their share of weights.
SHAPES = {
    "BERT-base, 3 of 12 layers": Shape(
        lambda: _classifier(transformers.BertConfig(num_hidden_layers=3, vocab_size=30522 // 4)),
        lambda: _tokens(8, labels=2),
    ),
    "DistilBERT, 2 of 6 layers": Shape(
        lambda: _classifier(transformers.DistilBertConfig(n_layers=2, vocab_size=30522 // 3)),
        lambda: _tokens(8, labels=2),
    ),
    "GPT-2, 3 of 12 layers": Shape(
        lambda: _language_model(transformers.GPT2Config(n_layer=3, vocab_size=50257 // 4)),
        lambda: _tokens(8, labels=0),
    ),
    "Llama 1B, half the width, 4 of 16 layers": Shape(
        lambda: _language_model(
            transformers.LlamaConfig(
                vocab_size=128_256 // 8, hidden_size=1024, intermediate_size=4096,
                num_hidden_layers=4, num_attention_heads=16, num_key_value_heads=4,
                tie_word_embeddings=True,
            )
        ),
        lambda: _tokens(4, labels=0),
    ),
    "ViT-B/16, 3 of 12 layers": Shape(
        lambda: _image_model(
            "image_transformer", 224, patch_size=16, hidden_size=768, num_hidden_layers=3,
            num_attention_heads=12,
        ),
        lambda: _images(4, 224),
    ),
    "ResNet-50, images of 96 px": Shape(
        lambda: _image_model("torchvision", 96, name="resnet50", pretrained=False),
        lambda: _images(8, 96),
        methods=("full", "all layers"),
    ),
}  # fmt: skip


class Bench:
    """One network with its optimizer and a batch; its step is that of the trainer."""

    def __init__(self, shape: Shape, method: str, device: str) -> None:
        self.compute: Compute = choose(ComputeConfig(device=device))  # type: ignore[arg-type]
        torch.manual_seed(0)
        place = self.compute.device
        self.network = with_adapter(shape.network(), METHODS[method]).to(place).train()
        self.trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = build_optimizer(trainable_groups(self.network), TrainConfig(), place)
        inputs, self.targets = shape.batch()
        self.inputs = {name: value.to(place) for name, value in inputs.items()}
        self.targets = self.targets.to(place)

    def step(self) -> float:
        """Make an update; return its seconds."""
        self._wait()
        begin = time.perf_counter()
        self._loss().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._wait()
        return time.perf_counter() - begin

    def memory(self) -> dict[str, int]:
        """Bytes by part, and on CUDA the allocator's peak; numbers of parameters."""
        weights = list(self.network.parameters())
        states = [value for state in self.optimizer.state.values() for value in state.values()]
        parts = {
            "weights": sum(weight.nbytes for weight in weights),
            "gradients": sum(weight.nbytes for weight in self.trained),
            "optimizer": sum(value.nbytes for value in states),
            "saved": self._saved(),
        }
        parts["total"] = sum(parts.values())
        if self.compute.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            self.step()
            parts["peak"] = torch.cuda.max_memory_allocated()
        return parts | {
            "parameters": sum(weight.numel() for weight in weights),
            "trainable": sum(weight.numel() for weight in self.trained),
        }

    def _loss(self) -> Tensor:
        with self.compute.autocast():
            if "images" in self.inputs:
                return functional.cross_entropy(self.network(self.inputs["images"]), self.targets)
            logits = self.network(**self.inputs).logits
            if logits.ndim == 3:
                logits, targets = logits[:, :-1].flatten(0, 1), self.targets[:, 1:].flatten()
                return functional.cross_entropy(logits, targets)
            return functional.cross_entropy(logits, self.targets)

    def _saved(self) -> int:
        """Bytes that the forward pass saves for the backward pass, without the weights."""
        weights = {weight.untyped_storage().data_ptr() for weight in self.network.parameters()}
        kept: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor.detach()  # an output that saves itself would never be freed

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = self._loss()
        del loss  # until here every saved tensor is alive and has a distinct address
        return sum(kept.values())

    def _wait(self) -> None:
        if self.compute.device.type == "cuda":
            torch.cuda.synchronize()


_bench: Bench
"""The network of a benchmark process."""


def _prepare(shape: str, method: str, device: str) -> dict[str, int]:
    global _bench
    _bench = Bench(SHAPES[shape], method, device)
    _bench.step()  # allocates the optimizer state
    return _bench.memory()


def _step() -> float:
    return _bench.step()


def measure(shape: str, device: str, rounds: int) -> dict[str, Any]:
    """Medians and memory of every method, and their ratios to full fine-tuning."""
    methods = SHAPES[shape].methods
    with ExitStack() as stack:
        pools = {
            method: stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
            for method in methods
        }
        results: dict[str, dict[str, Any]] = {
            method: dict(pool.submit(_prepare, shape, method, device).result())
            for method, pool in pools.items()
        }
        turns = [
            {method: pool.submit(_step).result() for method, pool in pools.items()}
            for _ in range(rounds)
        ]
    full = results["full"]
    for method, result in results.items():
        result["seconds"] = median(turn[method] for turn in turns)
        # Pairs of neighbours in time are compared, so that a slow moment affects both.
        result["time_ratio"] = median(turn[method] / turn["full"] for turn in turns)
        size = "peak" if "peak" in result else "total"
        result["memory_ratio"] = result[size] / full[size]
        result["trainable_share"] = result["trainable"] / full["parameters"]
    return results


def rows(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The table in Markdown."""
    yield "| network | trained | trained parameters | step | against full | memory | against full |"
    yield "|---|---|---|---|---|---|---|"
    for shape, methods in results.items():
        for method, one in methods.items():
            size = one.get("peak", one["total"]) / 2**20
            yield (
                f"| {shape} | {'everything' if method == 'full' else f'LoRA, {method}'} "
                f"| {one['trainable_share']:.1%} | {1000 * one['seconds']:.0f} ms "
                f"| {one['time_ratio']:.2f} | {size:,.0f} MiB | {one['memory_ratio']:.2f} |"
            )


def machine(device: str) -> dict[str, Any]:
    """The environment of the measurement: machine and versions."""
    compute = choose(ComputeConfig(device=device))  # type: ignore[arg-type]
    cuda = compute.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if cuda else processor(),
        "threads": compute.threads,
        "precision": compute.precision,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "peft")},
    }


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    """Measure all shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds in place of five")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    rounds = 2 if arguments.quick else 5
    results = {shape: measure(shape, arguments.device, rounds) for shape in SHAPES}
    record = {"machine": machine(arguments.device), "rounds": rounds, "results": results}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"adapters-{arguments.device}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print("\n".join(rows(results)))


if __name__ == "__main__":
    main()
