"""Overhead around the updates: the start, evaluations, and a monitor that follows the run.

    python tests/benchmarks/around.py [--rounds 5]

Prints a table in Markdown and writes ``results/around-cpu.json`` beside this file. Each figure
is the median ratio of measurements that follow each other:

- the time from the start of a run to its first update, and that of a script that imports the same
  libraries and makes one update;
- samples a second in evaluation, and in the forward pass of training;
- updates a second with a monitor in a terminal, and without;
- the peak memory of a process (Linux), and that of a bare loop that makes the same updates.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from adapters import machine
from speed import configuration, keep, prepare_process, turn, write_data
from terminal import Terminal

from engine.config.run_config import RunConfig
from engine.launch.start import launch
from engine.runs.directory import RunDirectory
from engine.runs.events import Progress, decode

WATCHED_SECONDS = 10
_MLP, _CNN = "MLP, batch 128", "CNN, 8×8 digits, batch 64"
_BERT = "BERT, 2 × 128, 32 tokens, batch 32"
_LLAMA = "Llama, 2 × 128, 128 tokens, batch 16"
REMEMBERED_UPDATES = {_MLP: 2000, _CNN: 400, _BERT: 60, _LLAMA: 60}
IMPORTS = {
    _MLP: "import sklearn.metrics, pydantic",
    _BERT: "import sklearn.metrics, pydantic, datasets, tokenizers\n"
    "from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast",
}
SCRIPT = """
import sys, time
import numpy, pyarrow.parquet, torch
{imports}
table = pyarrow.parquet.read_table(sys.argv[1])
torch.set_num_threads(1)
network = {network}
optimizer = torch.optim.AdamW(network.parameters(), fused=True)
inputs, targets = {batch}
torch.nn.functional.cross_entropy(network(inputs){logits}, targets).backward()
optimizer.step()
print(time.time())
"""
_NETWORKS = {
    _MLP: {
        "network": "torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), "
        "torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))",
        "batch": "(torch.tensor(numpy.stack([table[f'x{i}'].to_numpy() for i in range(20)], 1))"
        "[:128], torch.tensor(table['label'].to_numpy())[:128])",
        "logits": "",
    },
    _BERT: {
        "network": "BertForSequenceClassification(BertConfig(vocab_size=2000, hidden_size=128, "
        "num_hidden_layers=2, num_attention_heads=4, intermediate_size=512))",
        "batch": "(torch.tensor(BertTokenizerFast(sys.argv[2])(table['text'].to_pylist(), "
        "truncation=True, max_length=32)['input_ids'])[:32], "
        "torch.tensor(table['label'].to_numpy())[:32])",
        "logits": ".logits",
    },
}


def first_update(config: RunConfig) -> float:
    """Seconds from the start of a run to its first update."""
    begin = time.time()
    handle = launch(config)
    handle.wait()
    return next(event.time for event in updates(handle.run) if event.step == 1) - begin


def first_update_of_a_script(row: str, folder: Path) -> float:
    """Seconds from the start of a script to its first update."""
    script = SCRIPT.format(imports=IMPORTS[row], **_NETWORKS[row])
    data = folder / ("rows.parquet" if row == _MLP else "texts.parquet")
    command = [sys.executable, "-c", script, str(data), str(folder / "vocab.txt")]
    begin = time.time()
    return float(subprocess.run(command, capture_output=True, check=True).stdout) - begin


def updates(run: RunDirectory) -> Iterator[Progress]:
    """The progress events of a run's training."""
    told = run.events.path.read_text() if run.events.path.exists() else ""
    for line in told.splitlines():
        event = decode(line)
        if isinstance(event, Progress) and event.phase == "train":
            yield event


def start(row: str, folder: Path, rounds: int) -> dict[str, float]:
    """Time to the first update: of a run, of a script, and their ratio."""
    config = RunConfig.parse(configuration(row, folder)).override(["train.max_steps=1"])
    pairs = [
        (first_update(config), first_update_of_a_script(row, folder)) for _ in range(rounds + 1)
    ][1:]  # the first pair reads the libraries from disk
    return _summary("run_s", "script_s", pairs)


def evaluation(row: str, folder: Path, rounds: int) -> dict[str, float]:
    """Samples a second in evaluation and in the forward pass of training."""
    import torch
    from loops import Exercise

    from engine.batches.source import Batch
    from engine.training.checkpoints.state import TrainingState
    from engine.training.material import prepare
    from engine.training.optimization.optimizer import build_optimizer, trainable_groups
    from engine.training.trainer import Trainer
    from engine.training.trainer_setup import Outlets, Setup

    exercise = Exercise(configuration(row, folder))
    source = prepare(exercise.task, exercise.compute, lambda event: None).sources["train"]
    network = exercise.network()
    optimizer = build_optimizer(
        trainable_groups(network), exercise.config.train, exercise.compute.device
    )
    outlets = Outlets(lambda e: None, lambda: iter(()), lambda reason: None, lambda: False)
    state = TrainingState(network, optimizer)
    setup = Setup(exercise.task, exercise.fitted, state, exercise.compute, outlets)
    trainer = Trainer(setup, source, source)

    def forward() -> None:
        for batch in source.read(source.plan(exercise.batch_size, torch.Generator())):
            exercise.task.loss(network, Batch(batch.inputs, batch.targets, batch.weight))

    def evaluate() -> None:
        trainer.evaluator.evaluate(source, "validation")

    def rate(work: Callable[[], None]) -> float:
        begin = time.perf_counter()
        work()
        return exercise.samples / (time.perf_counter() - begin)

    return _summary(
        "evaluated", "forward", [(rate(evaluate), rate(forward)) for _ in range(rounds)]
    )


def watched(row: str, folder: Path, rounds: int) -> dict[str, float]:
    """Updates a second with a monitor, and without."""
    handle = launch(RunConfig.parse(configuration(row, folder)))
    try:
        while not any(event.step > 10 for event in updates(handle.run)):
            time.sleep(0.2)

        def rate(monitor: bool) -> float:
            terminal = _monitor() if monitor else None
            begin = time.time()
            if terminal is None:
                time.sleep(WATCHED_SECONDS)
            else:
                terminal.read_for(WATCHED_SECONDS)
                terminal.close()
            told = [event for event in updates(handle.run) if event.time > begin]
            return (told[-1].step - told[0].step) / (told[-1].time - told[0].time)

        return _summary("watched", "alone", [(rate(True), rate(False)) for _ in range(rounds)])
    finally:
        handle.stop()
        handle.wait()


def _monitor() -> Terminal:
    terminal = Terminal()
    terminal.wait_for("running")
    terminal.press("\r")
    terminal.wait_for("samples/s")  # "Epoch" is in the line of keys, before anything is drawn
    return terminal


def memory(row: str, folder: Path, rounds: int) -> dict[str, float]:
    """Peak memory of a process in MB while the engine makes some updates, and the bare loop."""
    values = configuration(row, folder)

    def peak(loop: str) -> float:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(prepare_process, values, str(folder)).result()
            return pool.submit(_peak, loop, REMEMBERED_UPDATES[row]).result()

    return _summary("dltui_mb", "bare_mb", [(peak("dltui"), peak("bare")) for _ in range(rounds)])


def _peak(loop: str, steps: int) -> float:
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    turn(loop, steps)
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) / 1000


def _summary(first: str, second: str, pairs: list[tuple[float, float]]) -> dict[str, float]:
    return {
        first: median(one for one, _ in pairs),
        second: median(other for _, other in pairs),
        "ratio": median(one / other for one, other in pairs),
    }


MEASURES: dict[str, tuple[Callable[[str, Path, int], dict[str, float]], tuple[str, ...]]] = {
    "time to the first update, against a script's": (start, (_MLP, _BERT)),
    "samples evaluated, against forward in training": (evaluation, (_MLP, _CNN, _BERT)),
    "updates while watched, against alone": (watched, (_MLP, _CNN)),
    "peak of memory, against the bare loop": (memory, (_MLP, _CNN, _BERT, _LLAMA)),
}


def main() -> None:
    """Run all measurements, or those whose names begin with a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="the beginning of a measure's name, alone")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    results: dict[str, Any] = {}
    print("| | | ratio |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        os.environ["DLTUI_HOME"] = name
        folder = Path(name)
        write_data(folder)
        for measure, (function, rows) in MEASURES.items():
            for row in rows if measure.startswith(arguments.only) else ():
                result = function(row, folder, arguments.rounds)
                results.setdefault(measure, {"rows": {}})["rows"][row] = result
                print(f"| {measure} | {row} | {result['ratio']:.2f} |", flush=True)
    about = {"machine": machine("cpu") | {"threads": 1}, "rounds": arguments.rounds}
    keep("around-cpu", about, results, MEASURES)


if __name__ == "__main__":
    main()
