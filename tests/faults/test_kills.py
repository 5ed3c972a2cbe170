"""Workers that are killed, or terminated by the system, at any moment, and runs that resume."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.launch.attempt import attempt
from engine.launch.start import Handle, start
from engine.processes.environment import worker_environment
from engine.processes.signals import Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    CheckpointSaved,
    Evaluated,
    Event,
    Finished,
    Interrupted,
    Progress,
    Samples,
    Started,
)
from engine.runs.follower import Follower, read_history
from engine.runs.status import State
from engine.training import progress
from engine.training.checkpoints import checkpoint
from engine.training.run import train_in

PATIENCE_SECONDS = 240
MOST_SECONDS = 10.0
"""Time-out of a worker's exit after SIGTERM; measured: a third of it, on two busy cores."""
VERSE = ["The owl and the cat", "went to sea in a boat,", "", "and the boat was green.", ""]
KINDS: dict[str, dict[str, Any]] = {
    "table": {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "breast-cancer"},
        "model": {"kind": "mlp", "hidden": [24, 24], "dropout": 0.3, "normalization": "batch"},
        "train": {
            "max_steps": 400, "epochs": 1000, "batch_size": 32, "gradient_accumulation_steps": 2,
            "warmup_ratio": 0.2, "save_steps": 5, "eval_steps": 12,
        },
    },
    "images": {
        "task": {"kind": "image_classification", "augmentation": {"rotation": 10, "crop": 1}},
        "data": {"kind": "builtin", "name": "digits", "max_samples": 300},
        "model": {"kind": "cnn", "channels": [8, 8], "dropout": 0.3},
        "train": {
            "max_steps": 250, "epochs": 1000, "batch_size": 16, "optimizer": "sgd",
            "learning_rate": 0.05, "save_steps": 4, "eval_steps": 30,
        },
    },
    "texts": {
        "task": {"kind": "text_classification", "max_length": 24},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 120},
        "model": {
            "kind": "transformer", "hidden_size": 16, "num_attention_heads": 2, "dropout": 0.2,
            "num_hidden_layers": 1, "vocab_size": 400,
        },
        "train": {
            "max_steps": 250, "epochs": 1000, "batch_size": 8, "save_steps": 4, "eval_steps": 60,
        },
    },
    "language": {
        "task": {"kind": "causal_lm", "max_length": 16, "max_new_tokens": 4},
        "data": {"kind": "file", "path": "verses.txt"},
        "model": {"kind": "transformer", "path": "llama"},
        "adapter": {"method": "lora", "r": 4, "lora_dropout": 0.2},
        "train": {
            "max_steps": 240, "epochs": 1000, "batch_size": 4, "save_steps": 3, "eval_steps": 60,
        },
    },
    "series": {
        # Its evaluations take long enough to be observed.
        "task": {"kind": "forecasting", "window": 48, "horizon": 48},
        "data": {
            "kind": "builtin", "name": "seasons", "max_samples": 400, "validation_fraction": 0.4,
        },
        "model": {"kind": "lstm", "hidden_size": 8, "decoder": "step_by_step", "dropout": 0.2},
        "train": {
            "max_steps": 240, "epochs": 1000, "batch_size": 16, "save_steps": 4, "eval_steps": 60,
        },
    },
}  # fmt: skip
AT_ONCE, STARTING, LOADING, TRAINING = "at once", "starting", "loading", "training"
EVALUATING, SAVING, CONCLUDING = "evaluating", "saving", "concluding"
SECONDS = {
    AT_ONCE: 0.1,
    STARTING: 4.0,
    LOADING: 1.5,
    TRAINING: 0.3,
    EVALUATING: 0.1,
    SAVING: 0.01,
    CONCLUDING: 0.1,
}
"""The longest random delay after each moment, in seconds."""
ANEW = (AT_ONCE, STARTING)
"""Moments for which Python and the libraries are started anew."""
KILLS = (STARTING, LOADING, TRAINING, TRAINING, TRAINING, TRAINING, TRAINING, CONCLUDING)
"""The moments at which each run is killed."""
RUNS = 5
"""Number of runs of each kind."""
TOLD = (
    AT_ONCE,
    STARTING,
    LOADING,
    TRAINING,
    EVALUATING,
    EVALUATING,
    SAVING,
    SAVING,
    SAVING,
    CONCLUDING,
)
"""The moments at which a run gets SIGTERM."""
Start = Callable[[RunDirectory], Handle]
Once = Callable[[str], RunDirectory]
KILLED = pytest.mark.harm("kill -9 of the worker, at random moments", len(KILLS))

# Starts workers by forking a process that has loaded the libraries, which saves most of the time.
NURSERY = """
import importlib, os, sys
import engine.training.run
from engine.launch import worker

for name in sys.argv[1:]:
    importlib.import_module(name)
print("ready", flush=True)
for line in sys.stdin:
    path, log, home = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        os.setsid()
        os.environ["DLTUI_HOME"] = home
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        worker.leave(worker.main([path]))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """A process from which workers are forked, one after the other."""

    def __init__(self, *modules: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=worker_environment() | {"OMP_NUM_THREADS": "1"},
        )
        assert self.answer(PATIENCE_SECONDS) == "ready"

    def answer(self, timeout: float | None) -> str:
        """The next line; raises ``TimeoutExpired``."""
        output = self.process.stdout
        assert output is not None
        if not select.select([output], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("nursery", timeout or 0)
        line = bytearray()
        while (byte := os.read(output.fileno(), 1)) not in (b"\n", b""):
            line += byte
        return line.decode()

    def spawn(self, module: str, arguments: Sequence[str], log: Path, *_: object) -> Forked:
        """Replaces :func:`engine.processes.spawn.spawn` for workers."""
        assert module == "engine.launch.worker"
        words = [*arguments, str(log), os.environ["DLTUI_HOME"]]
        assert self.process.stdin is not None
        self.process.stdin.write(("\t".join(words) + "\n").encode())
        self.process.stdin.flush()
        return Forked(self, int(self.answer(PATIENCE_SECONDS)))

    def start(self, run: RunDirectory) -> Handle:
        """Call :func:`engine.launch.start.start` with :meth:`spawn` for its worker."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules[start.__module__], "spawn", self.spawn)
            return start(run)

    def end(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()


class Forked:
    """The part of the interface of ``Popen`` that a handle uses."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.nursery = nursery
        self.pid = pid
        self.status: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        if self.status is None:
            self.status = int(self.nursery.answer(timeout))
        return self.status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@pytest.fixture(scope="module")
def small_nursery() -> Iterator[Nursery]:
    """A nursery for runs on images."""
    made = Nursery("sklearn.datasets", "torchvision")
    yield made
    made.end()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery("pandas", "peft", "sklearn.datasets", "torchvision", "transformers")
    yield made
    made.end()


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a small Llama of random weights for it; read-only."""
    import transformers

    from engine.text.tokens.bpe import bpe_from, train_bpe

    folder = tmp_path_factory.mktemp("words")
    (folder / "verses.txt").write_text("\n".join(VERSE * 20))
    tokenizer = bpe_from(train_bpe(VERSE * 9, 300))
    tokenizer.save_pretrained(folder / "llama")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1,
        vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder / "llama")
    return folder


@pytest.fixture(scope="session")
def config_of(request: pytest.FixtureRequest) -> Callable[[str], RunConfig]:
    def config(kind: str) -> RunConfig:
        values = {"name": kind, "compute": {"device": "cpu", "threads": 1}}
        values |= copy.deepcopy(KINDS[kind])
        for section in (values["data"], values["model"]):
            if "path" in section:
                section["path"] = str(request.getfixturevalue("words") / section["path"])
        return RunConfig.parse(values)

    return config


@pytest.fixture(scope="session")
def whole(config_of: Callable[[str], RunConfig], tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Undisturbed runs, one of each kind."""
    made: dict[str, RunDirectory] = {}

    def once(kind: str) -> RunDirectory:
        if kind not in made:
            folder, config = tmp_path_factory.mktemp("whole"), config_of(kind)
            made[kind] = train(config, RunDirectory.create(folder, config))
        return made[kind]

    return once


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Restore the number of threads, which the runs here lower, for later tests."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def like(whole: RunDirectory) -> RunDirectory:
    """A run of the same configuration that has not started.

    The fitted state of the data is copied: a tokenizer that is trained again may give other tokens,
    which has nothing to do with a crash.
    """
    run = RunDirectory.create(runs_folder(), whole.config.asked())
    shutil.copy(whole.fitted, run.fitted)
    return run


class Attempt:
    """A worker of a run, and the events since its start."""

    def __init__(self, run: RunDirectory, begin: Start) -> None:
        self.run = run
        self.reached = newest_step(run)
        self.told = run.events.path.stat().st_size if run.events.path.exists() else 0
        self.handle = begin(run)

    def over(self) -> bool:
        return self.handle.process.poll() is not None

    def last_of(self, kind: type[Event]) -> Any:
        return next(self.run.events.newest(kind, after=self.told), None)

    def until(self, condition: Callable[[], object], pause: float = 0.002) -> None:
        """Wait for the condition, or for the worker to exit."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.over() and not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(pause)

    def trains(self) -> bool:
        return newest_step(self.run) > self.reached

    def evaluates(self) -> bool:
        last = self.last_of(Progress)
        return last is not None and last.phase != "train"

    def saves(self) -> bool:
        return any(path.suffix == ".writing" for path in self.run.checkpoints.iterdir())

    def concludes(self) -> bool:
        last = self.last_of(CheckpointSaved)
        return last is not None and last.reason == "completed"

    def await_about(self, moment: str, chance: random.Random) -> None:
        """Wait for a moment of the worker's life, and for a random time after it."""
        if self.reached == self.run.config.read().train.max_steps:
            moment = CONCLUDING  # no other work is left
        conditions = {
            LOADING: lambda: self.last_of(Started),
            TRAINING: self.trains,
            EVALUATING: self.evaluates,
            SAVING: self.saves,
            CONCLUDING: self.concludes,
        }
        if moment in conditions:
            self.until(conditions[moment], pause=0.0 if moment == SAVING else 0.002)
        time.sleep(chance.uniform(0, SECONDS[moment]))


def newest_step(run: RunDirectory) -> int:
    found = checkpoint.found(run.checkpoints)
    return found[0].step if found else 0


def kill(run: RunDirectory, begin: Start, chance: random.Random, moment: str) -> bool:
    """Start a worker and kill it at a random moment; return whether it was still running."""
    worker = Attempt(run, begin)
    worker.await_about(moment, chance)
    worker.handle.process.send_signal(signal.SIGKILL)
    status = worker.handle.wait(PATIENCE_SECONDS)
    assert status in (0, -signal.SIGKILL), run.log.read_text()
    if status == 0:
        return False
    assert run.status.state() in (State.LOST, State.FINISHED)
    _, _, damaged = checkpoint.load_newest(run.checkpoints)
    assert not damaged
    assert newest_step(run) >= worker.reached
    return True


def killed_and_resumed(run: RunDirectory, begin: Start, moments: Sequence[str], seed: int) -> None:
    """Kill the worker at each of the moments; then let it finish."""
    chance = random.Random(seed)
    for moment in moments:
        while not kill(run, start if moment in ANEW else begin, chance, moment):
            pass
    finish(run, begin)


def finish(run: RunDirectory, begin: Start) -> None:
    assert begin(run).wait(PATIENCE_SECONDS) == 0, run.log.read_text()
    assert run.status.state() is State.FINISHED


def equals(run: RunDirectory, whole: RunDirectory, deaths: int) -> None:
    """The files of a run do not show that it crashed."""
    torch.testing.assert_close(final_state(run), final_state(whole), rtol=0, atol=0)
    assert report(run) == report(whole)
    assert contents(run.model) == contents(whole.model)
    assert names(run) == names(whole)
    assert metrics(read_history(run).evaluations) == metrics(read_history(whole).evaluations)
    assert metrics(valid(run, deaths)) == metrics(valid(whole, 0))


def final_state(run: RunDirectory) -> dict[str, Any]:
    _, state, damaged = checkpoint.load_newest(run.checkpoints)
    assert not damaged
    return state | {"position": state["position"] | {"seconds": 0.0}}


def report(run: RunDirectory) -> dict[str, Any]:
    """The report of a run without its name and what was measured in seconds."""
    found = (run.report.read() or {}) | {"run": "", "seconds": 0.0}
    return found | ({"base": found["base"] | {"seconds": 0.0}} if found["base"] else {})


def contents(folder: Path) -> dict[str, Any]:
    """The contents of a model's files; peft's list of layers is a set, in any order."""
    files: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    if (adapter := "adapter_config.json") in files:
        del files["manifest.json"]
        files[adapter] = json.loads(files[adapter])
        files[adapter]["target_modules"].sort()
    return files


def names(run: RunDirectory) -> set[str]:
    """The files and folders of a run except small files that a crash during a write leaves."""
    paths = (path.relative_to(run.path) for path in run.path.rglob("*") if path.suffix != ".tmp")
    return {str(path) for path in paths if path.name not in ("worker.json", "log.txt")}


def metrics(events: list[Any]) -> list[Any]:
    return [
        (e.step, e.split, e.items)
        if isinstance(e, Samples)
        else (e.step, e.split, e.epoch, e.metrics, e.train_loss, e.best)
        for e in events
    ]


def valid(run: RunDirectory, deaths: int) -> list[Event]:
    """The valid events about the network, without those that later attempts repeated."""
    lines = [line for line in run.events.path.read_bytes().split(b"\n") if line]
    events = list(Follower(run.events.path).new())
    assert len(lines) - len(events) <= deaths, "more was torn than one line a death"
    assert isinstance(events[-1], Finished)
    kept: list[Any] = []
    updates = -1
    for event in events:
        if isinstance(event, Started):
            step = updates = event.resumed_step
            kept = [e for e in kept if e.step <= step and getattr(e, "split", "") != "test"]
        elif isinstance(event, Progress) and event.phase == "train":
            # Progress may be reported again, losses may not.
            assert event.step > updates or event.loss is None, "an update is told twice"
            updates = event.step
        elif isinstance(event, Evaluated | Samples):
            kept.append(event)
    marks = [(type(event), event.step, event.split) for event in kept]
    assert len(marks) == len(set(marks)), "an evaluation is told twice"
    return kept


def tell_to_end(run: RunDirectory, begin: Start, chance: random.Random, moment: str) -> bool:
    """Start a worker and send it SIGTERM; return whether it was still running."""
    worker = Attempt(run, begin)
    worker.await_about(moment, chance)
    asked = time.monotonic()
    worker.handle.process.send_signal(signal.SIGTERM)
    told = worker.last_of(Progress)
    status = worker.handle.wait(PATIENCE_SECONDS)
    seconds = time.monotonic() - asked
    state, last = run.status.standing()
    if state is State.FINISHED:
        return False
    assert status == 143, run.log.read_text()
    assert isinstance(last, Interrupted)
    print(f"{moment}: {seconds:.2f} s, update {last.step}")
    assert seconds < MOST_SECONDS
    found, _, damaged = checkpoint.load_newest(run.checkpoints)
    assert not damaged
    assert not worker.saves(), "what was begun is written"
    step = found.step if found else 0
    assert step >= max(worker.reached, last.step)
    if told is not None:
        between = run.config.read().train.save_steps  # every checkpoint reports an update, too
        assert step <= told.step + between + 1, "it went on instead"
    return True


def ended_and_resumed(run: RunDirectory, begin: Start, moments: Sequence[str], seed: int) -> None:
    """Send SIGTERM to the worker at each of the moments; then let it finish."""
    chance = random.Random(seed)
    for moment in moments:
        while not tell_to_end(run, start if moment in ANEW else begin, chance, moment):
            pass
    finish(run, begin)


def mixed(moments: Sequence[str], seed: int) -> list[str]:
    """The moments in random order, with the last one at the end."""
    *others, last = moments
    random.Random(seed).shuffle(others)
    return [*others, last]


@pytest.mark.harm("kill -9 of the worker, at random moments", 2)
def test_a_killed_run_resumes_to_the_same_bits(whole: Once, small_nursery: Nursery) -> None:
    run = like(whole("images"))
    killed_and_resumed(run, small_nursery.start, [TRAINING, CONCLUDING], seed=1)
    equals(run, whole("images"), deaths=2)


@KILLED
@pytest.mark.faults
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(RUNS))
@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_are_killed_at_random_moments(
    whole: Once, nursery: Nursery, kind: str, seed: int
) -> None:
    run = like(whole(kind))
    killed_and_resumed(run, nursery.start, mixed(KILLS, seed), seed)
    equals(run, whole(kind), deaths=len(KILLS))


@pytest.mark.harm("SIGTERM to the worker, at any moment", 2)
def test_a_worker_that_is_asked_to_end_does_so_at_once(whole: Once, small_nursery: Nursery) -> None:
    run = like(whole("images"))
    ended_and_resumed(run, small_nursery.start, [AT_ONCE, SAVING], seed=1)
    equals(run, whole("images"), deaths=0)


class Asked(Termination):
    """A termination that is requested whenever a run evaluates."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.run = run

    def asked(self) -> bool:
        last = self.run.events.last(Progress)
        return isinstance(last, Progress) and last.phase != "train"


def test_an_interrupted_evaluation_is_repeated_after_a_resume(
    whole: Once, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.0)
    run = like(whole("images"))
    for _ in range(3):
        last = attempt(run, lambda session: train_in(replace(session, termination=Asked(run))))
        assert isinstance(last, Interrupted)
        assert last.step == run.config.read().train.eval_steps
    monkeypatch.undo()
    train(run.config.read(), run)
    equals(run, whole("images"), deaths=0)


@pytest.mark.harm("SIGTERM to the worker, at any moment", len(TOLD))
@pytest.mark.faults
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_are_asked_to_end_at_any_moment(
    whole: Once, nursery: Nursery, kind: str
) -> None:
    seed = len(kind)
    # Other evaluations are finished before they are observed.
    moments = [TRAINING if m == EVALUATING and kind != "series" else m for m in TOLD]
    run = like(whole(kind))
    ended_and_resumed(run, nursery.start, mixed(moments, seed), seed)
    equals(run, whole(kind), deaths=0)
