"""Several processes train one network with the results of one process, and exit together."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomlkit
import torch
from safetensors.torch import load_file
from torch import nn

from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.hardware.device import Compute
from engine.launch.start import Handle, launch, start
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import (
    Evaluated,
    Failed,
    Finished,
    Interrupted,
    Log,
    Progress,
    Stalled,
    Started,
)
from engine.runs.status import State
from engine.tasks.network_files import WEIGHTS
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.peers import lost_a_peer
from engine.training.distributed.data_parallel import DataParallel
from engine.training.distributed.main_process import MainProcess
from engine.training.distributed.process_group import ProcessGroup
from engine.training.distributed.row_shares import RowShares

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "breast-cancer"},
    "model": {"kind": "mlp", "hidden": [24], "dropout": 0.0, "normalization": "none"},
    # The processes' shares of a batch differ in size, and the last batch of an epoch is short.
    "train": {"epochs": 2, "batch_size": 51, "gradient_accumulation_steps": 3,
              "warmup_ratio": 0.2, "devices": 2},
    "compute": {"device": "cpu", "threads": 1},
}  # fmt: skip
CPU = Compute(torch.device("cpu"), torch.float32, threads=1)
LONG = ["train.epochs=100000", "train.eval_steps=50", "train.save_steps=20"]


def ended(handle: Handle) -> RunDirectory:
    handle.wait(120)
    return handle.run


def trained(*changes: str) -> RunDirectory:
    return ended(launch(RunConfig.parse(TABLE).override(changes)))


def events(run: RunDirectory, kind: type[Any]) -> list[Any]:
    return list(run.events.newest(kind))[::-1]


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    saved: dict[str, torch.Tensor] = checkpoint.load_newest(run.checkpoints)[1]["network"]
    return saved


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def ranks_of(handle: Handle) -> list[psutil.Process]:
    return psutil.Process(handle.process.pid).children()


def begun(handle: Handle, step: int = 20) -> list[psutil.Process]:
    """The processes of a run that has made some updates, in the order of their ranks."""
    wait_for(lambda: any(one.step >= step for one in checkpoint.found(handle.run.checkpoints)))
    return sorted(ranks_of(handle), key=lambda process: int(process.environ()["RANK"]))


def runs(process: psutil.Process) -> bool:
    """Whether it has not ended; its parent may not have waited for it yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The run on the table, trained by one process."""
    config = RunConfig.parse(TABLE).override(["train.devices=1"])
    return train(config, RunDirectory.create(tmp_path_factory.mktemp("one") / "runs", config))


def same(several: RunDirectory, one: RunDirectory, within: float = 1e-5) -> None:
    """Compare the losses and metrics of two runs."""
    assert several.status.state() is State.FINISHED
    for ours, theirs in zip(events(one, Evaluated), events(several, Evaluated), strict=True):
        assert theirs.metrics == pytest.approx(ours.metrics, abs=within)
        assert theirs.train_loss == pytest.approx(ours.train_loss, abs=within)


@pytest.mark.parametrize(
    ("strategy", "processes"),
    [
        ("ddp", 2),
        pytest.param("fsdp", 2, marks=pytest.mark.slow),
        pytest.param("ddp", 3, marks=pytest.mark.slow),
        pytest.param("ddp", 4, marks=pytest.mark.slow),
        pytest.param("fsdp", 4, marks=pytest.mark.slow),
    ],
)
def test_losses_metrics_and_weights_are_those_of_one_process(
    one: RunDirectory, strategy: str, processes: int
) -> None:
    several = trained(f"train.strategy={strategy}", f"train.devices={processes}")
    same(several, one)
    assert len(events(several, Evaluated)) == 3
    torch.testing.assert_close(weights(several), weights(one), atol=1e-5, rtol=1e-5)
    # Only the main process writes the run; the others have a folder of their own.
    extra = {path.name for path in several.path.iterdir()} - {p.name for p in one.path.iterdir()}
    assert extra == {"log.txt", "ranks"}
    assert len(events(several, Started)) == len(events(several, Finished)) == 1
    assert {"1.jsonl", "1.txt"} <= {path.name for path in several.ranks.iterdir()}
    theirs, ours = (load_file(run.model / WEIGHTS) for run in (several, one))
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-5)


def test_an_error_in_a_pass_that_needs_all_processes_tells_that_one_is_gone() -> None:
    # The error that gloo raises from within the network; not a defect of the program.
    gone = (
        "[/__w/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:561] Connection closed by peer"
    )
    assert lost_a_peer(RuntimeError(gone))
    assert lost_a_peer(torch.distributed.DistNetworkError("timed out"))
    assert not lost_a_peer(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_all_processes_get_the_messages_of_the_main_one(
    in_processes: Callable[..., list[Any]],
) -> None:
    # Short ones, long ones, and all that end where the first part of a message does.
    messages = [{"text": "a" * length} for length in (0, *range(485, 500), 5000)]

    def work(rank: int) -> list[Any]:
        group = ProcessGroup(rank, 2)
        return [group.broadcast(message if group.leads else {}) for message in messages]

    assert in_processes(work) == [messages, messages]


@pytest.mark.parametrize("kind", [DataParallel, ProcessGroup])
def test_all_processes_learn_with_the_gradients_whether_the_main_one_decides(
    kind: type[ProcessGroup], in_processes: Callable[..., list[Any]]
) -> None:
    def work(rank: int) -> list[bool]:
        group = kind(rank, 2)
        network = nn.Linear(3, 1)
        state = group.state(network, torch.optim.SGD(network.parameters()), CPU)
        lead = MainProcess(group, state, {})
        known = []
        for due, failed in ((True, False), (False, False), (True, True), (False, True)):
            lead.announce(due if rank == 0 else not due)
            group.total(1.0)
            loss = network(torch.ones(2, 3)).sum()
            group.backward(loss, last=True)
            group.reduce(network, [loss.detach()], [1.0], failed and rank == 1)
            known.append(group.decides)
        return known

    assert in_processes(work) == [[True, False, True, False]] * 2


def test_losses_and_statistics_of_batch_norms_are_those_of_all_rows(
    in_processes: Callable[..., list[Any]],
) -> None:
    rows = torch.arange(12.0).view(4, 3)

    def work(rank: int) -> Any:
        group = DataParallel(rank, 2)
        network = nn.BatchNorm1d(3, momentum=1.0)
        group.state(network, torch.optim.SGD(network.parameters()), CPU)
        own = rows[: 3 if rank == 0 else 2]
        weight = float(len(own))
        group.total(weight)
        loss = network(own).mean() + float(rank)
        group.backward(loss, last=True)
        reduced = group.reduce(network, [loss.detach()], [weight])
        assert reduced is not None
        assert network.running_mean is not None
        return float(reduced[0][0]), reduced[1], network.running_mean.tolist()

    means = [(rows[:3].mean(0) + rows[:2].mean(0)) / 2]
    for loss, weights, mean in in_processes(work):
        assert loss == pytest.approx(2 / 5, abs=1e-6)
        assert (weights, mean) == ([5.0], means[0].tolist())


WORDS = {
    "name": "words",
    "task": {"kind": "token_classification"},
    "data": {"kind": "builtin", "name": "entities", "max_samples": 60},
    "model": {"kind": "transformer", "hidden_size": 16, "num_attention_heads": 2, "dropout": 0.0},
    "train": {"max_steps": 6, "batch_size": 7, "eval_steps": 3},
    "compute": {"device": "cpu", "threads": 1},
}


@pytest.mark.slow
def test_texts_of_unlike_lengths_count_by_their_words() -> None:
    one = ended(launch(RunConfig.parse(WORDS)))
    both = RunDirectory.create(runs_folder(), RunConfig.parse(WORDS).override(["train.devices=2"]))
    # Training a tokenizer again may number its tokens differently.
    shutil.copy(one.fitted, both.fitted)
    ended(start(both))
    for ours, theirs in zip(events(one, Evaluated), events(both, Evaluated), strict=True):
        assert theirs.train_loss == pytest.approx(ours.train_loss, abs=1e-5)
        assert theirs.metrics["loss"] == pytest.approx(ours.metrics["loss"], abs=1e-4)


def part(rank: int, size: int, rows: int, least: int) -> list[int]:
    shares = RowShares(rank, size)
    return [int(row) for share in shares.of([torch.arange(rows)], least) for row in share]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 2, 5, 8, 64])
@pytest.mark.parametrize("least", [1, 2])
def test_every_row_is_in_one_share(size: int, rows: int, least: int) -> None:
    shares = [part(rank, size, rows, least) for rank in range(size)]
    assert sorted(row for share in shares for row in share) == list(range(rows))
    assert shares[0], "the one that leads has always something to do"
    taking = [len(share) for share in shares if share]
    assert max(taking) - min(taking) <= 1
    assert min(taking) >= min(least, rows)


def test_a_process_that_crashes_fails_the_run_with_its_own_error() -> None:
    handle = launch(RunConfig.parse(TABLE).override([*LONG, "train.max_restarts=0"]))
    ranks = begun(handle)
    ranks[1].kill()
    died = time.time()
    run = ended(handle)
    last = run.events.last()
    assert isinstance(last, Failed)
    assert last.message == "Process 2 of 2 was ended by SIGKILL."
    assert last.time - died < 30  # the promised limit, not the speed of a machine
    assert not any(map(runs, ranks))


@pytest.mark.slow
def test_a_kill_before_the_first_update_is_no_reason_to_end() -> None:
    # It must not end before the kill, however long this process had to wait for the machine.
    handle = launch(RunConfig.parse(TABLE).override(LONG))
    wait_for(lambda: len(ranks_of(handle)) == 2)
    log = handle.run.ranks / "1.txt"
    wait_for(log.exists)  # it has begun, and handles signals
    max(ranks_of(handle), key=lambda process: int(process.environ()["RANK"])).kill()
    wait_for(lambda: any("Process 2 of 2 was ended by SIGKILL" in log.message
                         for log in events(handle.run, Log)))  # fmt: skip
    begun(handle)
    handle.stop()
    assert ended(handle).status.state() is State.STOPPED


@pytest.mark.slow
def test_after_a_kill_all_processes_resume_from_the_checkpoint() -> None:
    changes = ["train.epochs=100", "train.save_steps=20", "train.eval_steps=40",
               "model.dropout=0.3"]  # fmt: skip
    handle = launch(RunConfig.parse(TABLE).override(changes))
    begun(handle)[0].kill()
    run, undisturbed = ended(handle), trained(*changes)
    assert run.status.state() is State.FINISHED
    assert any("Process 1 of 2 was ended by SIGKILL" in log.message for log in events(run, Log))
    assert events(run, Started)[-1].resumed_step >= 20
    one, other = weights(run), weights(undisturbed)
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_what_a_person_must_mend_is_reported_once_and_not_tried_again() -> None:
    run = trained("task.target=no-such-column")
    last = run.events.last()
    assert isinstance(last, Failed)
    assert "no-such-column" in last.message
    assert "Process" not in last.message
    assert len(events(run, Started)) == 1


@pytest.mark.slow
def test_a_signal_ends_all_processes_with_a_checkpoint_to_resume_from() -> None:
    handle = launch(RunConfig.parse(TABLE).override(LONG))
    begun(handle)
    handle.process.terminate()
    run = ended(handle)
    last = run.events.last()
    assert isinstance(last, Interrupted)
    assert checkpoint.found(run.checkpoints)[0].step == last.step
    again = start(run)
    wait_for(lambda: len(events(run, Started)) == 2)
    assert events(run, Started)[-1].resumed_step == last.step
    again.stop()
    assert ended(again).status.state() is State.STOPPED


@pytest.mark.slow
def test_changes_made_while_it_runs_reach_every_process() -> None:
    handle = launch(RunConfig.parse(TABLE).override(LONG))
    begun(handle)
    handle.run.requests.send(Request(control.EPOCHS, {"value": 99_000}))
    handle.run.requests.send(Request(control.EVALUATE))
    handle.run.requests.send(Request(control.PAUSE))
    wait_for(lambda: len(events(handle.run, Evaluated)) > 0)
    handle.run.requests.send(Request(control.CONTINUE))
    handle.stop()
    run = ended(handle)
    assert run.status.state() is State.STOPPED
    assert events(run, Progress)[-1].steps % 99_000 == 0


@pytest.mark.slow
def test_no_process_stays_when_the_one_that_watches_over_them_is_killed() -> None:
    handle = launch(RunConfig.parse(TABLE).override(LONG))
    ranks = begun(handle)
    handle.process.kill()
    handle.wait()
    wait_for(lambda: not any(map(runs, ranks)))
    assert handle.run.status.state() is State.LOST


def test_more_processes_than_devices_are_refused() -> None:
    if torch.cuda.device_count() >= 2:
        pytest.skip("there are that many")
    run = trained("compute.device=cuda", "train.devices=2")
    last = run.events.last()
    assert isinstance(last, Failed)
    assert "CUDA" in last.message


@pytest.mark.slow
def test_numbers_that_stay_infinite_take_all_back_to_the_checkpoint() -> None:
    run = trained(
        "train.learning_rate=100", "train.optimizer=sgd", "train.max_grad_norm=0",
        "train.epochs=40", "train.max_bad_steps=0", "train.max_rollbacks=100",
        "train.rollback_lr_factor=0.01", "task.kind=tabular_regression", "data.name=diabetes",
    )  # fmt: skip
    assert run.status.state() is State.FINISHED
    assert any("resuming from update" in log.message for log in events(run, Log))


def both_new(handle: Handle, seen: set[psutil.Process]) -> set[psutil.Process] | None:
    """The two processes of an attempt, once both are there and none of an earlier one."""
    new = set(ranks_of(handle)) - seen
    return new if len(new) == 2 else None


def newest_step(run: RunDirectory) -> int:
    return max((one.step for one in checkpoint.found(run.checkpoints)), default=0)


@pytest.mark.faults
@pytest.mark.parametrize(("strategy", "epochs"), [("ddp", 1500), ("fsdp", 700)])
def test_every_random_death_is_recovered_from(strategy: str, epochs: int) -> None:
    changes = [f"train.epochs={epochs}", "train.save_steps=25", "train.max_restarts=1000",
               f"train.strategy={strategy}"]  # fmt: skip
    undisturbed = launch(RunConfig.parse(TABLE).override(changes))
    undisturbed.wait(600)
    chance = random.Random(0)
    handle = launch(RunConfig.parse(TABLE).override(changes))
    seen: set[psutil.Process] = set()
    for death in range(20):
        ranks = wait_for(partial(both_new, handle, seen))
        seen |= ranks
        if death % 2:  # while they train, however long they took to start; else while they start
            step = newest_step(handle.run) + chance.randrange(1, 60)
            wait_for(lambda step=step: newest_step(handle.run) >= step)
        time.sleep(chance.uniform(0.0, 0.3 if death % 2 else 3.0))
        os.kill(chance.choice(sorted(rank.pid for rank in ranks)), signal.SIGKILL)
    handle.wait(600)
    assert handle.run.status.state() is State.FINISHED
    assert len(events(handle.run, Started)) > 10
    assert any("(20 of 1000 times)" in log.message for log in events(handle.run, Log))
    one, other = weights(handle.run), weights(undisturbed.run)
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.slow
def test_a_process_that_hangs_is_named_and_all_restart() -> None:
    # Long enough for a loaded machine on which no process hangs.
    changes = [*LONG, "train.stall_minutes=0.1"]
    handle = launch(RunConfig.parse(TABLE).override(changes))
    begun(handle)[1].send_signal(signal.SIGSTOP)
    wait_for(lambda: len(events(handle.run, Started)) == 2)
    handle.stop()
    run = ended(handle)
    assert run.status.state() is State.STOPPED
    (text,) = (log.message for log in events(run, Log) if "No update" in log.message)
    assert "process 2 of 2 lags behind" in text
    assert "Resuming from the last checkpoint (1 of 3 times)" in text
    assert events(run, Started)[1].resumed_step >= 20
    assert [event.message in text for event in events(run, Stalled)] == [True]
    assert "Current thread" in run.log.read_text(), "the stacks of those that waited"


@pytest.mark.slow
def test_torchrun_starts_the_processes_of_a_run(one: RunDirectory, tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(tomlkit.dumps(RunConfig.parse(TABLE).values()))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words = ["--nproc-per-node=2", "-m", "tui", "run", str(path), "train.devices=1"]
    done = subprocess.run([*torchrun, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = all_runs(runs_folder())
    same(run, one)
    wrong = [*words[:-1], "task.target=no-such-column"]
    done = subprocess.run([*torchrun, *wrong], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = all_runs(runs_folder())[0].events.last()
    assert isinstance(last, Failed)
    assert "no-such-column" in last.message
    assert last.message in done.stderr
