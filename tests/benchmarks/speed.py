"""Updates a second: the complete engine, other libraries, and the limit.

    python tests/benchmarks/speed.py [--rounds 5] [--seconds 2] [--row NAME]

Prints a table in Markdown and writes ``results/speed-<device>.json`` beside this file. The limit is
a bare loop over tensors in memory with a fused optimizer and nothing else. If texts differ in
length, all loops truncate each batch to the longest of its texts. Every loop trains in a process of
its own on one thread. They take turns, and each turn is compared with the bare loop's of the same
round, so that a slow moment of the machine affects all. Each round has new processes, since the
address of the data in memory changes the speed by a few per cent. Libraries that are not installed
(``pip install 'dltui[bench]'``) are left out, and so is SST-2 without the folder of real data
(``DLTUI_TEST_DATA``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

RESULTS = HERE / "results"
PACKAGES = {"Trainer": "transformers", "Lightning": "lightning", "skorch": "skorch"}
_NO_PAUSE: dict[str, Any] = {"validation_fraction": 0.0, "test_fraction": 0.0}
_SMALL_BERT = {"kind": "transformer", "num_hidden_layers": 2, "hidden_size": 128,
               "num_attention_heads": 4, "vocab_size": 2000}  # fmt: skip
_WORDS = {"kind": "text_classification", "max_length": 32}
ROWS: dict[str, dict[str, Any]] = {
    "MLP, batch 128": {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "file", "path": "rows.parquet"},
        "model": {"kind": "mlp", "hidden": [64, 64]},
        "train": {"batch_size": 128},
    },
    "CNN, 8×8 digits, batch 64": {
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn"},
        "train": {"batch_size": 64},
    },
    "LSTM, 48 → 24 hours, batch 32": {
        "task": {"kind": "forecasting", "window": 48, "horizon": 24},
        "data": {"kind": "builtin", "name": "seasons"},
        "model": {"kind": "lstm"},
        "train": {"batch_size": 32},
    },
    "BERT, 2 × 128, 32 tokens, batch 32": {
        "task": _WORDS,
        "data": {"kind": "file", "path": "texts.parquet"},
        "model": _SMALL_BERT,
        "train": {"batch_size": 32},
    },
    "BERT, 2 × 128, texts of 5 to 128 tokens, batch 32": {
        "task": {"kind": "text_classification", "max_length": 128},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 1500},
        "model": _SMALL_BERT,
        "train": {"batch_size": 32},
    },
    "Llama, 2 × 128, answers of 5 to 256 tokens, batch 16": {
        "task": {"kind": "causal_lm", "max_length": 256},
        "data": {"kind": "file", "path": "answers.parquet"},
        "model": _SMALL_BERT | {"dropout": 0.0},
        "train": {"batch_size": 16},
    },
    "Llama, 2 × 128, 128 tokens, batch 16": {
        "task": {"kind": "causal_lm", "max_length": 128},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 1500},
        "model": _SMALL_BERT | {"dropout": 0.0},
        "train": {"batch_size": 16},
    },
    "LoRA on BERT, 2 × 128, 32 tokens, batch 32": {
        "task": _WORDS,
        "data": {"kind": "file", "path": "texts.parquet"},
        "model": {"kind": "transformer", "path": "bert"},
        "adapter": {"method": "lora", "r": 8},
        "train": {"batch_size": 32},
    },
}


SST2 = (
    Path(os.environ.get("DLTUI_TEST_DATA", HERE.parents[2] / "shared" / "data")) / "sst2/train.csv"
)
if SST2.is_file():
    ROWS["BERT, 2 × 128, SST-2, batch 32"] = {
        "task": {"kind": "text_classification", "max_length": 64},
        "data": {"kind": "file", "path": str(SST2)},
        "model": _SMALL_BERT,
        "train": {"batch_size": 32},
    }


WORDS = [f"word{i}" for i in range(500)]


def write_rows(folder: Path, random: Any) -> None:
    """``rows.parquet``: numbers of two classes, drawn by a generator of numpy."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = random.normal(size=(20_000, 20)).astype(np.float32)
    columns = {f"x{i}": numbers[:, i] for i in range(20)}
    labels = (numbers[:, :3].sum(axis=1) > 0).astype(np.int64)
    pq.write_table(pa.table(columns | {"label": labels}), folder / "rows.parquet")


def write_texts(folder: Path, random: Any, count: int, length: int) -> None:
    """``texts.parquet``: ``count`` texts of ``length`` words, in two classes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = np.array(WORDS)
    texts = [" ".join(words[random.integers(0, len(words), length)]) for _ in range(count)]
    table = pa.table({"text": texts, "label": random.integers(0, 2, count)})
    pq.write_table(table, folder / "texts.parquet")


def write_data(folder: Path) -> None:
    """Numbers of two classes, texts of one length, and a small BERT."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import transformers

    from engine.data.builtin.docstrings import docstrings

    random = np.random.default_rng(0)
    write_rows(folder, random)
    write_texts(folder, random, count=2000, length=60)
    documented = docstrings().train.slice(0, 1500)
    questions = [f"What is in {package}?" for package in documented["package"].to_pylist()]
    answers = pa.table({"prompt": questions, "completion": documented["text"]})
    pq.write_table(answers, folder / "answers.parquet")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(vocabulary), hidden_size=128, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=512,
        )
    ).save_pretrained(folder / "bert")  # fmt: skip


def configuration(row: str, folder: Path) -> dict[str, Any]:
    """The configuration of a row: an endless run without evaluations."""
    values = {name: dict(section) for name, section in ROWS[row].items()}
    for section in ("data", "model"):
        if "path" in values[section]:
            values[section]["path"] = str(folder / values[section]["path"])
    values["data"] |= _NO_PAUSE
    values["train"] |= {
        "epochs": 100_000, "lr_scheduler_type": "linear", "weight_decay": 0.01,
        "learning_rate": 1e-3, "eval_steps": 1_000_000,
    }  # fmt: skip
    values["compute"] = {"device": "cpu", "threads": 1, "precision": "float32"}
    return values


_exercise: Any
"""The exercise of a benchmark process."""


def prepare_process(values: dict[str, Any], home: str) -> None:
    global _exercise
    os.environ["DLTUI_HOME"] = home
    from loops import Exercise

    _exercise = Exercise(values)


def turn(loop: str, steps: int) -> float:
    from loops import LOOPS

    return LOOPS[loop](_exercise, steps)


def measure(row: str, loops: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """Medians of each loop's updates a second, and of its ratio to the bare loop."""
    turns: list[dict[str, float]] = []
    steps = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        values = configuration(row, folder)
        for number in range(rounds):
            with ExitStack() as stack:
                pools = {loop: stack.enter_context(_process(values, name)) for loop in loops}
                first = pools["bare"].submit(turn, "bare", 30).result()
                steps = steps or max(30, int(first * seconds))
                for shift in (number, number + len(loops) // 2):
                    order = loops[shift % len(loops) :] + loops[: shift % len(loops)]
                    turns.append({loop: _rate(pools[loop], loop, steps) for loop in order})
    return {
        "steps": steps,
        "updates_per_second": {loop: median(turn[loop] for turn in turns) for loop in loops},
        "against_bare": {loop: median(t[loop] / t["bare"] for t in turns) for loop in loops},
        "turns": turns,
    }


def _process(values: dict[str, Any], home: str) -> ProcessPoolExecutor:
    """A process with the row's network and data."""
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    pool.submit(prepare_process, values, home).result()
    return pool


def _rate(pool: ProcessPoolExecutor, loop: str, steps: int) -> float:
    return pool.submit(turn, loop, steps).result()


def installed(package: str) -> bool:
    """Whether a distribution of this name is installed."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def keep(
    name: str, about: dict[str, Any], results: dict[str, dict[str, Any]], order: Iterable[str]
) -> None:
    """Save the results with their conditions; rows not measured keep their old results."""
    path = RESULTS / f"{name}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {each: about | result for each, result in results.items()}
    RESULTS.mkdir(exist_ok=True)
    kept = {each: known[each] for each in order if each in known}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    """Measure all rows, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="of the bare loop's turn, of two in a round"
    )
    parser.add_argument("--row", help="the beginning of a row's name; the others stay as they were")
    parser.add_argument("--loops", nargs="*", help="only these, beside the bare loop")
    arguments = parser.parse_args()
    if arguments.seconds < 1:
        parser.error("--seconds must be at least 1: the engine reports its progress every 0.25 s")
    os.environ["OMP_NUM_THREADS"] = "1"
    from adapters import machine
    from loops import LOOPS
    from page import speed

    loops = [loop for loop in LOOPS if loop not in PACKAGES or installed(PACKAGES[loop])]
    if arguments.loops:
        loops = ["bare", *arguments.loops]
    rows = [row for row in ROWS if row.startswith(arguments.row or "")]
    results = {}
    for row in rows:
        results[row] = measure(row, loops, arguments.rounds, arguments.seconds)
        print(row, results[row]["against_bare"], flush=True)
    print(speed(results))
    if arguments.loops:
        return
    peers = {package: version(package) for package in PACKAGES.values() if installed(package)}
    keep("speed-cpu", {"machine": machine("cpu") | {"threads": 1} | peers}, results, list(ROWS))


if __name__ == "__main__":
    main()
