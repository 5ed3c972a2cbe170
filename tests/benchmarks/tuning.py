"""Whole programs that tune a small Llama on instructions until the same held-out loss.

    DLTUI_TEST_DATA=FOLDER python tests/benchmarks/tuning.py [--peer FOLDER] [--before CHECKOUT]

Processor seconds of all its processes, the peak memory of the largest, and the loss of the
completions of ``instructions/test.jsonl`` in nats a token, end marks included. Each program has the
updates that it needs to come to a loss of about 4.86 from ``instructions/tiny-llama``, and a
schedule over just these. They take turns, one seed a round, on one thread. TRL evaluates the test
rows alone; rows of this program do more (the base model, validation, forgetting) unless they say
``test alone``. ``--peer`` is a folder
in which TRL was installed without its requirements (``pip install --no-deps --target FOLDER trl``),
``--before`` an earlier checkout of this project; without them these rows are left out. Prints a
table in Markdown and writes ``results/tuning-cpu.json`` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from page import tuning
from speed import HERE, keep
from whole_program import measured

DATA = Path(os.environ.get("DLTUI_TEST_DATA", HERE.parents[2] / "shared" / "data")) / "instructions"
PRESET = """
name = "tuning"

[task]
kind = "causal_lm"
max_length = 512

[data]
kind = "file"
path = "DATA/train.jsonl"
validation_path = "DATA/validation.jsonl"
test_path = "DATA/test.jsonl"

[model]
kind = "transformer"
path = "DATA/tiny-llama"

[train]
learning_rate = 2e-3
warmup_ratio = 0.05
weight_decay = 0.01

[compute]
device = "cpu"
threads = 1
"""
PEER = """
import json, os, sys
import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
torch.set_num_threads(1)
data, seed, out, packed = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "packed"
files = {name: f"{data}/{name}.jsonl" for name in ("train", "test")}
rows = load_dataset("json", data_files=files, cache_dir=f"{out}/cache")
size = dict(per_device_train_batch_size=2, packing=True, packing_strategy="bfd") if packed else (
    dict(per_device_train_batch_size=16))
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(f"{data}/tiny-llama"),
    processing_class=AutoTokenizer.from_pretrained(f"{data}/tiny-llama"),
    args=SFTConfig(
        output_dir=out, num_train_epochs=1, learning_rate=2e-3, lr_scheduler_type="cosine",
        warmup_steps=0.05, weight_decay=0.01, seed=seed, max_length=1024, eval_packing=False,
        completion_only_loss=True, bf16=False, gradient_checkpointing=False, use_cpu=True,
        report_to="none", save_strategy="no", disable_tqdm=True, **size),
    train_dataset=rows["train"], eval_dataset=rows["test"],
)
trainer.train()
trainer.save_model()
model = trainer.model.eval()
total, count = 0.0, 0
with torch.no_grad():
    for batch in trainer.get_eval_dataloader():
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch).logits[:, :-1]
        total += float(torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), labels, ignore_index=-100, reduction="sum"))
        count += int((labels != -100).sum())
print("result", json.dumps({"loss": total / count, "updates": trainer.state.global_step}))
"""


TEST_ALONE = (
    "train.evaluate_base=off", "task.forgetting_path=-", "data.validation_path=",
    "data.validation_fraction=0",
)  # fmt: skip
"""No evaluation but that of the test rows, as the program of TRL has it."""


def by_dltui(
    size: dict[str, int], checkout: Path, seed: int, further: Sequence[str] = ()
) -> dict[str, float]:
    """The figures of this program as it is in a checkout, with batches of a size."""
    changes = [f"train.{field}={value}" for field, value in (size | {"seed": seed}).items()]
    changes += further
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder) / "tuning.toml"
        preset.write_text(PRESET.replace("DATA", str(DATA)))
        command = [sys.executable, "-m", "tui", "run", str(preset), *changes]
        figures, _ = measured(command, folder, str(checkout))
        [report] = Path(folder).glob("runs/*/report.json")
        loss = json.loads(report.read_text())["metrics"]["test"]["loss"]
    return figures | {"loss": loss, "updates": size["max_steps"]}


def by_peer(form: str, path: str, seed: int) -> dict[str, float]:
    """The figures of TRL, packed or plain, after one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        script = [sys.executable, "-W", "ignore", "-c", PEER, str(DATA), str(seed), folder, form]
        figures, output = measured(script, folder, path)
    [line] = [line for line in output.splitlines() if line.startswith("result ")]
    return figures | json.loads(line.removeprefix("result "))


Program = Callable[[int], dict[str, float]]


def programs(peer: str, before: str) -> dict[str, Program]:
    """The rows of the table."""
    mine = HERE.parents[1]
    small = {"batch_size": 16, "batch_tokens": 300, "max_steps": 520}
    rows: dict[str, Program] = {
        "dltui, batch_tokens 300": partial(by_dltui, small, mine),
        "dltui, batch_tokens 300, test alone": partial(by_dltui, small, mine, further=TEST_ALONE),
        "dltui, batch 16, one epoch": partial(by_dltui, {"batch_size": 16, "max_steps": 188}, mine),
    }
    if before:
        then = Path(before).resolve()
        rows |= {
            "before, batch 16": partial(by_dltui, {"batch_size": 16, "max_steps": 250}, then),
            "before, batch 8": partial(by_dltui, {"batch_size": 8, "max_steps": 335}, then),
        }
    if peer:
        folder = str(Path(peer).resolve())
        rows |= {f"TRL, {form}, one epoch": partial(by_peer, form, folder) for form in _FORMS}
    return rows


_FORMS = ("packed", "plain")
_ROWS = (
    "dltui, batch_tokens 300", "dltui, batch_tokens 300, test alone", "dltui, batch 16, one epoch",
    "before, batch 16", "before, batch 8",
    *(f"TRL, {form}, one epoch" for form in _FORMS),
)  # fmt: skip


def main() -> None:
    """Measure rounds and write their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default="", help="folder with TRL")
    parser.add_argument("--before", default="", help="earlier checkout of this project")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="beginnings of the rows to measure")
    arguments = parser.parse_args()
    rows = programs(arguments.peer, arguments.before)
    if arguments.only is not None:
        rows = {name: row for name, row in rows.items() if name.startswith(tuple(arguments.only))}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    # A process begins with the peak of its parent, so this one imports torch only afterwards.
    for seed in range(arguments.seeds):
        for name, program in rows.items():
            rounds[name].append(program(seed))
            print(name, rounds[name][-1], flush=True)
    from adapters import machine

    results = {
        name: {figure: median(turn[figure] for turn in turns) for figure in turns[0]}
        | {"rounds": turns}
        for name, turns in rounds.items()
    }
    print(tuning(results))
    keep("tuning-cpu", {"machine": machine("cpu") | {"threads": 1}}, results, _ROWS)


if __name__ == "__main__":
    main()
