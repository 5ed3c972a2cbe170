"""Training on several nodes: each is a `dltui run` on the loopback interface."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomlkit

from engine import RunConfig, train
from engine.config.train import TrainConfig
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.launch.agent import change_of_machines
from engine.launch.place import place_of, runs_apart
from engine.launch.start import launch
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Evaluated, Failed, Interrupted, Log, Started
from engine.runs.status import State
from engine.training.checkpoints import checkpoint

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "breast-cancer"},
    "model": {"kind": "mlp", "hidden": [24], "dropout": 0.0, "normalization": "none"},
    "train": {"epochs": 2, "batch_size": 51, "gradient_accumulation_steps": 3},
    "compute": {"device": "cpu", "threads": 1},
}
SLURM = {"SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "8",
         "SLURM_STEP_NUM_NODES": "2"}  # fmt: skip
"""Variables of a step of Slurm with a task for each of four GPUs on two machines."""
LONG = ["train.epochs=100000", "train.eval_steps=50", "train.save_steps=20"]


class Machines:
    """Two nodes with one process each and a shared folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs: list[subprocess.Popen[str]] = []
        # A bound socket that does not listen: no other program gets the port meanwhile, but a
        # main node may listen there.
        self.kept = socket.socket()
        self.kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.kept.bind(("127.0.0.1", 0))
        self.rendezvous = f"127.0.0.1:{self.kept.getsockname()[1]}"

    def start(self, *changes: str) -> tuple[subprocess.Popen[str], ...]:
        """Start the main node last: the others wait for it."""
        more = ["train.nodes=2", f"train.rendezvous={self.rendezvous}"]
        config = RunConfig.parse(TABLE).override([*more, *changes])
        path = self._folder / "experiment.toml"
        path.write_text(tomlkit.dumps(config.values()))
        return tuple(self.start_node(node) for node in (1, 0))[::-1]

    def start_node(self, node: int) -> subprocess.Popen[str]:
        """Start one node, as configured before."""
        path = self._folder / "experiment.toml"
        words = [sys.executable, "-m", "tui", "run", str(path), "--resume", "auto"]
        program = subprocess.Popen(
            words, env=os.environ | {"NODE_RANK": f"{node}"}, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._programs.append(program)
        return program

    @property
    def run(self) -> RunDirectory:
        (run,) = all_runs(runs_folder())
        return run


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    yield made
    for program in made._programs:
        if program.poll() is None:
            for child in psutil.Process(program.pid).children(recursive=True):
                child.kill()
            program.kill()
        program.communicate()
    made.kept.close()


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + 300
    while time.monotonic() < give_up:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def training(machines: Machines, step: int = 20) -> RunDirectory:
    """The run, once it has made some updates."""
    wait_for(lambda: list(all_runs(runs_folder())))
    run = machines.run
    wait_for(lambda: any(one.step >= step for one in checkpoint.found(run.checkpoints)))
    return run


def processes(run: RunDirectory) -> dict[int, psutil.Process]:
    """The training processes by rank."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it may end meanwhile
            words = process.cmdline()
            if "engine.launch.rank_worker" in words and str(run.path) in words:
                found[int(process.environ()["RANK"])] = process
    return found


def started(run: RunDirectory) -> list[Started]:
    """The attempts of a run, the newest first."""
    return list(run.events.newest(Started))


def alone(folder: Path, *changes: str) -> RunDirectory:
    """The run trained by one process."""
    config = RunConfig.parse(TABLE).override(changes)
    return train(config, RunDirectory.create(folder / "runs", config))


def test_two_machines_have_the_losses_of_one_and_one_run(
    machines: Machines, tmp_path: Path
) -> None:
    first, second = machines.start()
    one = train(
        RunConfig.parse(TABLE), RunDirectory.create(tmp_path / "runs", RunConfig.parse(TABLE))
    )
    assert (first.wait(240), second.wait(240)) == (0, 0)
    assert machines.run.status.state() is State.FINISHED
    ours, theirs = ([*run.events.newest(Evaluated)] for run in (one, machines.run))
    assert len(ours) == 3
    for mine, other in zip(ours, theirs, strict=True):
        assert other.metrics == pytest.approx(mine.metrics, abs=1e-5)
        assert other.train_loss == pytest.approx(mine.train_loss, abs=1e-5)


@pytest.mark.slow
def test_a_kill_on_one_machine_ends_the_other_with_its_cause(machines: Machines) -> None:
    first, second = machines.start(*LONG, "train.max_restarts=0")
    run = training(machines)
    ranks = processes(run)
    listening = {
        connection.laddr.ip
        for rank in ranks.values()
        for connection in rank.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}, "strangers on other networks find no open port"
    ranks[1].kill()
    died = time.monotonic()
    assert (first.wait(240), second.wait(240)) == (1, 1)
    assert time.monotonic() - died < 30
    last = run.events.last()
    assert isinstance(last, Failed)
    assert last.message == "Process 2 of 2 was ended by SIGKILL."
    assert not processes(run)


def test_a_run_that_waits_for_other_machines_can_be_stopped(machines: Machines) -> None:
    config = RunConfig.parse(TABLE).override(
        ["train.nodes=2", f"train.rendezvous={machines.rendezvous}"]
    )
    handle = launch(config)
    wait_for(
        lambda: [log for log in handle.run.events.newest(Log) if "Waiting for 2" in log.message]
    )
    handle.stop()
    assert handle.wait(240) == 143
    assert handle.run.status.state() is State.INTERRUPTED


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("rank", [0, 1])
def test_after_a_kill_on_either_node_both_resume_from_the_checkpoint(
    machines: Machines, tmp_path: Path, strategy: str, rank: int
) -> None:
    changes = ["train.epochs=100", "train.save_steps=20", "train.eval_steps=40"]
    first, second = machines.start(*changes, f"train.strategy={strategy}")
    run = training(machines)
    processes(run)[rank].kill()
    assert (first.wait(240), second.wait(240)) == (0, 0)
    assert any(
        f"Process {rank + 1} of 2 was ended" in log.message for log in run.events.newest(Log)
    )
    assert next(run.events.newest(Started)).resumed_step >= 20
    one = alone(tmp_path, *changes)
    theirs, ours = (next(run.events.newest(Evaluated)).metrics for run in (run, one))
    assert theirs == pytest.approx(ours, abs=1e-4)


@pytest.mark.slow
def test_a_machine_that_is_gone_ends_the_run_of_the_others(machines: Machines) -> None:
    first, second = machines.start(*LONG, "train.max_restarts=0")
    run = training(machines)
    second.kill()
    died = time.monotonic()
    assert first.wait(240) == 1
    assert time.monotonic() - died < 30
    assert "lost their connection" in str(run.events.last())
    wait_for(lambda: not processes(run))


@pytest.mark.slow
def test_a_signal_ends_all_nodes_with_a_checkpoint_to_resume_from(machines: Machines) -> None:
    programs = machines.start(*LONG)
    run = training(machines)
    for program in programs:  # like Slurm, which sends it to every process of a job
        process = psutil.Process(program.pid)
        for one in (process, *process.children(recursive=True)):
            one.send_signal(signal.SIGTERM)
    assert [program.wait(240) for program in programs] == [143, 143]
    last = run.events.last()
    assert isinstance(last, Interrupted)
    assert checkpoint.found(run.checkpoints)[0].step == last.step
    programs = machines.start(*LONG)
    wait_for(lambda: len([*run.events.newest(Started)]) == 2)
    assert next(run.events.newest(Started)).resumed_step == last.step


@pytest.mark.slow
def test_what_a_person_must_mend_ends_all_at_once(machines: Machines) -> None:
    first, second = machines.start("task.target=no-such-column")
    assert (first.wait(240), second.wait(240)) == (2, 2)
    assert "no-such-column" in str(machines.run.events.last())
    assert len([*machines.run.events.newest(Started)]) == 1


@pytest.mark.slow
def test_a_machine_that_leaves_is_done_without_and_one_that_joins_is_taken_in(
    machines: Machines,
) -> None:
    first, second = machines.start(*LONG, "train.nodes=1..2")
    run = training(machines)
    wait_for(lambda: len(processes(run)) == 2)
    for count, change in ((1, second.kill), (2, lambda: machines.start_node(1))):
        before, attempts = checkpoint.found(run.checkpoints)[0].step, started(run)
        change()
        text = f"Training on {count} machine{'s' * (count > 1)} from here on."
        wait_for(lambda text=text: any(log.message == text for log in run.events.newest(Log)))
        # Until another machine has joined, the processes before make updates, too.
        wait_for(lambda attempts=attempts: len(started(run)) > len(attempts))
        resumed = started(run)[0].resumed_step
        assert resumed >= before, "from the last checkpoint"
        training(machines, resumed + 20)
        wait_for(lambda count=count: len(processes(run)) == count)
    run.requests.send(Request(control.STOP))
    assert first.wait(120) == 0
    assert run.status.state() is State.STOPPED


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (0, 3, ""),
        (0, 1, "Training on 1 of at most 3 machines."),
        (2, 2, ""),
        (3, 1, "Training on 1 machine from here on."),
        (1, 3, "Training on 3 machines from here on."),
    ],
)
def test_the_number_of_machines_is_told_where_it_changes_or_is_below_the_maximum(
    before: int, now: int, said: str
) -> None:
    assert change_of_machines(before, now, most=3) == said


@pytest.mark.parametrize(
    ("given", "environment", "found"),
    [
        ("", {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "NODE_RANK": "1"},
         (1, "10.0.0.1", 29500)),
        ("10.0.0.2:7", {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}, (0, "10.0.0.2", 7)),
        ("[fd00::1]:7", {"GROUP_RANK": "0", "SLURM_NODEID": "1"}, (0, "fd00::1", 7)),
        ("a.b:7", {"SLURM_NODEID": "1"}, (1, "a.b", 7)),
    ],
)  # fmt: skip
def test_a_machine_learns_its_place_from_configuration_and_environment(
    given: str, environment: dict[str, str], found: tuple[int, str, int]
) -> None:
    place = place_of(TrainConfig(nodes=2, rendezvous=given), environment)
    assert (place.node, place.host, place.port) == found


@pytest.mark.parametrize(
    ("given", "environment", "said"),
    [
        ("", {}, "train.rendezvous"),
        ("", {"MASTER_ADDR": "10.0.0.1"}, "MASTER_PORT"),
        ("10.0.0.1", {}, "host:port"),
        ("10.0.0.1:70000", {}, "host:port"),
        ("10.0.0.1:7", {"NODE_RANK": "2"}, "NODE_RANK"),
        ("10.0.0.1:7", {"NODE_RANK": "-1"}, "NODE_RANK"),
        ("10.0.0.1:7", SLURM, "Slurm started 8 tasks on 2 machines"),
    ],
)
def test_a_place_that_is_none_is_refused(
    given: str, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        place_of(TrainConfig(nodes=2, rendezvous=given), environment)


def test_tasks_of_slurm_that_would_each_train_a_run_are_told_once() -> None:
    assert runs_apart(TrainConfig(), SLURM).endswith(
        "For one run, set --ntasks-per-node=1, train.nodes=2 and train.devices=4."
    )
    single = SLURM | {"SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_NUM_NODES": "1"}
    assert runs_apart(TrainConfig(), single).endswith("=1 and train.devices=3.")
    for silent in ({}, SLURM | {"SLURM_PROCID": "1"}, SLURM | {"SLURM_STEP_NUM_TASKS": "1"}):
        assert not runs_apart(TrainConfig(), silent)
    one_a_machine = SLURM | {"SLURM_STEP_NUM_TASKS": "2"}
    assert not runs_apart(TrainConfig(nodes=2), one_a_machine)
    assert place_of(TrainConfig(nodes=2, rendezvous="a:7"), one_a_machine).node == 0
    assert place_of(TrainConfig(nodes=2, rendezvous="a:7"), SLURM | {"NODE_RANK": "1"}).node == 1
