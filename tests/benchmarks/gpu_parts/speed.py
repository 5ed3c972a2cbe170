"""Updates a second: the engine against the bare loop and transformers' Trainer; the card's use.

Model FLOPs utilization is the arithmetic that an update needs, whatever is computed for it, as a
share of the card's dense bfloat16 peak (Chowdhery et al. 2022, "PaLM", appendix B): for a token,
six operations for each weight of the matrix products (two forward, four backward), four where the
weight is frozen, and twelve times layers × width × tokens for attention.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from llama import ADAPTER, ONE, TINY, clear, language_model, updates
from part import ROOT, Part, Skipped, main

import engine.training.trainer
from engine.config.adapter import AdapterConfig
from engine.config.compute import ComputeConfig
from engine.config.train import TrainConfig
from engine.hardware.device import choose

BENCHMARKS = ROOT / "tests" / "benchmarks"
LOOPS = ("bare", "dltui", "Trainer")
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12, "RTX 4090": 165e12}
"""Dense bfloat16 operations a second by the vendor's data sheets; H100 as SXM."""
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
SMALL = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
LEAST_SECONDS = 6.0
"""Time that a row takes at least on a GPU."""


def script(name: str) -> Any:
    """A script of the folder above; it may have the name of one here."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def experiments(part: Part, folder: Path) -> dict[str, dict[str, Any]]:
    """By row: the sections of a run without an end of its own."""
    size = SMALL if part.smoke else BASE
    return {
        "MLP": {
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "file", "path": str(folder / "rows.parquet")},
            "model": {"kind": "mlp", "hidden": [256, 256]},
            "train": {"batch_size": 128},
        },
        "CNN": {
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits"},
            "model": {"kind": "cnn", "channels": [8] if part.smoke else [64, 128, 256]},
            "train": {"batch_size": 64},
        },
        "BERT-base, 128 tokens": {
            "task": {"kind": "text_classification", "max_length": 16 if part.smoke else 128},
            "data": {"kind": "file", "path": str(folder / "texts.parquet")},
            "model": {"kind": "transformer", "vocab_size": 2000, **size},
            "train": {"batch_size": 4 if part.smoke else 64},
        },
    }


def configuration(values: dict[str, Any], part: Part, compiled: bool) -> dict[str, Any]:
    """Without evaluations on the way, in bfloat16 on a GPU."""
    made = {name: dict(section) for name, section in values.items()}
    made["data"] |= {"validation_fraction": 0.0, "test_fraction": 0.0}
    made["train"] |= {
        "epochs": 100_000, "lr_scheduler_type": "linear", "weight_decay": 0.01,
        "learning_rate": 1e-4, "eval_steps": 1_000_000,
    }  # fmt: skip
    precision = "bfloat16" if part.cuda else "float32"
    made["compute"] = {"device": part.device, "precision": precision, "compile": compiled}
    return made


def write_texts(folder: Path) -> None:
    """Texts that are longer than any window, so that all are cut to the same length."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = [f"word{number}" for number in range(500)]
    texts = [" ".join(words[(row * 7 + i * i) % 500] for i in range(200)) for row in range(1024)]
    table = pa.table({"text": texts, "label": [row % 2 for row in range(1024)]})
    pq.write_table(table, folder / "texts.parquet")


def compare(values: dict[str, Any], part: Part, share: float, row: dict[str, Any]) -> None:
    """Rates of all loops, each for a third of ``share`` seconds, in turns of two rounds."""
    loops = script("loops")
    exercise = loops.Exercise(values)
    steps = 12 if part.smoke else 40
    rates: dict[str, list[float]] = {name: [] for name in LOOPS}
    begun = time.monotonic()
    for number in range(1 if part.smoke else 3):
        for name in LOOPS[number % 3 :] + LOOPS[: number % 3]:
            rates[name].append(loops.LOOPS[name](exercise, steps))
            if number == 0 and not part.smoke:
                enough = int(rates[name][0] * share / 9)
                steps = max(40, min(steps, enough)) if name != "bare" else max(40, enough)
        if time.monotonic() - begun > share:
            break
    best = {name: max(found) for name, found in rates.items() if found}
    row["updates_per_second"] = {name: round(rate, 2) for name, rate in best.items()}
    row["against_bare"] = round(best["dltui"] / best["bare"], 3)
    row["against_trainer"] = round(best["dltui"] / best["Trainer"], 3)
    row["rounds"] = len(rates["bare"])
    weights = sum(p.numel() for p in exercise.network().parameters() if p.ndim > 1)
    length = values["task"].get("max_length")
    if length:
        model, batch = values["model"], values["train"]["batch_size"]
        attention = 12 * model["num_hidden_layers"] * model["hidden_size"] * length
        used(row, part, best["dltui"] * batch * length * (6 * weights + attention))


def used(row: dict[str, Any], part: Part, operations: float) -> None:
    """Note the operations a second that updates need, and their share of the card's peak."""
    row["teraflops"] = round(operations / 1e12, 3)
    if part.cuda:
        name = torch.cuda.get_device_name()
        peak = next((peak for card, peak in PEAKS.items() if card in name), None)
        row["of_peak"] = round(operations / peak, 3) if peak else "peak unknown"


def matrix_product(part: Part, row: dict[str, Any]) -> None:
    """What the card itself reaches: the ceiling of every share."""
    size = 256 if part.smoke else 8192
    kind = torch.bfloat16 if part.cuda else torch.float32
    left, right = (torch.randn(size, size, device=part.device, dtype=kind) for _ in range(2))
    count = 20
    for _ in range(3):
        left @ right
    if part.cuda:
        torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(count):
        left @ right
    if part.cuda:
        torch.cuda.synchronize()
    used(row, part, 2 * size**3 * count / (time.perf_counter() - begun))


class Tokens(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows of random tokens, which are their own targets."""

    def __init__(self, count: int, length: int) -> None:
        self._ids = torch.randint(0, 1000, (count, length))

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self._ids[row], "labels": self._ids[row]}


def by_trainer(network: Any, part: Part, tokens: int, compiled: bool, count: int) -> float:
    """Rows a second of transformers' Trainer."""
    import transformers

    loops = script("loops")
    wait = torch.cuda.synchronize if part.cuda else lambda: None
    watch = loops.Watch(loops.WARM + count, wait)

    class Watching(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            del args, control, rest
            watch.at(state.global_step)

    arguments = transformers.TrainingArguments(
        output_dir=os.environ["DLTUI_HOME"], max_steps=watch.steps, report_to="none",
        save_strategy="no", per_device_train_batch_size=4, bf16=part.cuda, use_cpu=not part.cuda,
        torch_compile=compiled, disable_tqdm=True, logging_steps=10**6,
    )  # fmt: skip
    rows = Tokens(4 * watch.steps, tokens)
    transformers.Trainer(
        model=network, args=arguments, train_dataset=rows, callbacks=[Watching()]
    ).train()
    return float(4 * watch.rate())


def llama(part: Part, compiled: bool, row: dict[str, Any]) -> None:
    """LoRA on a Llama: the engine's adapter against peft's own layers, in a loop and by Trainer."""
    import peft
    import transformers

    shape, tokens = (TINY, 32) if part.smoke else (ONE, 1024)
    precision = "bfloat16" if part.cuda else "float32"
    compute = choose(ComputeConfig(device=part.device, precision=precision))  # type: ignore[arg-type]
    count = 2 if part.smoke else 8

    def rate(network: Any) -> float:
        if compiled:
            network.compile()
        cost = updates(network, compute, 4, tokens, TrainConfig(), count)
        return 4 / cost.seconds

    made = language_model(shape, AdapterConfig(), compute)
    lora = peft.LoraConfig(r=ADAPTER.r, lora_alpha=ADAPTER.alpha, target_modules="all-linear")
    adapted = peft.get_peft_model(made.to(compute.dtype), lora)
    bare = rate(adapted)
    trainer = by_trainer(adapted, part, tokens, compiled, count)
    del made, adapted
    clear(compute)
    network = language_model(shape, ADAPTER, compute)
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    ours = rate(network)
    row |= {
        "updates_per_second": {
            "bare, peft": round(bare / 4, 3),
            "dltui": round(ours / 4, 3),
            "Trainer": round(trainer / 4, 3),
        }
    }
    row["against_bare"] = round(ours / bare, 3)
    row["against_trainer"] = round(ours / trainer, 3)
    row["transformers"] = transformers.__version__
    attention = 12 * shape["num_hidden_layers"] * shape["hidden_size"] * tokens
    used(row, part, ours * tokens * (4 * frozen + 6 * trained + attention))


def rows(part: Part) -> None:
    """Plain rows first, then compiled ones, as long as the time lasts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DLTUI_HOME"] = name
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        sys.path.append(str(BENCHMARKS))
        if part.smoke:
            engine.training.trainer.REPORT_SECONDS = 0.0  # short runs report every update
        script("speed").write_data(folder)
        write_texts(folder)
        with part.measured("matrix product, 8192³, bfloat16") as row:
            matrix_product(part, row)
        known = experiments(part, folder)
        left = 2 * (len(known) + 1)
        for compiled in (False, True):
            for title in (*known, "Llama, 1 billion, LoRA, 1,024 tokens"):
                share = part.seconds_left() / left
                left -= 1
                with part.measured(f"{title}, compiled" if compiled else title) as row:
                    if share < LEAST_SECONDS and not part.smoke:
                        raise Skipped("no time left in this part's budget")
                    if compiled and part.smoke and title != "MLP":
                        raise Skipped("compiling takes too long for a smoke test")
                    if title in known:
                        values = configuration(known[title], part, compiled)
                        compare(values, part, 0.8 * share, row)
                    else:
                        llama(part, compiled, row)


if __name__ == "__main__":
    main(rows)
