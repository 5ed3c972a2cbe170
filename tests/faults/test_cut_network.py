"""Two machines, as network namespaces joined by a cable: it is cut, and joined again.

Unlike a machine that crashes, one that is cut off closes no connection.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomlkit

from engine import RunConfig
from engine.files.paths import runs_folder
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Log, Started
from engine.runs.status import State
from engine.training.checkpoints import checkpoint

pytestmark = pytest.mark.faults
PATIENCE = 300
ADDRESSES = ("10.213.7.1", "10.213.7.2")
EXPERIMENT = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "breast-cancer"},
    "model": {"kind": "mlp", "hidden": [24]},
    "train": {"epochs": 100_000, "eval_steps": 50_000, "save_steps": 20, "nodes": "1..2",
              "rendezvous": f"{ADDRESSES[0]}:29500", "stall_minutes": 0.2, "max_restarts": 9},
    "compute": {"device": "cpu", "threads": 1},
}  # fmt: skip


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Machines:
    """Two network namespaces, each with one end of a cable."""

    def __init__(self, folder: Path) -> None:
        self.names = [f"dltui-{os.getpid()}-{node}" for node in range(2)]
        self.cable = f"c{os.getpid() % 100_000}n"
        self.experiment = folder / "experiment.toml"
        self.experiment.write_text(tomlkit.dumps(RunConfig.parse(EXPERIMENT).values()))
        self.programs: list[subprocess.Popen[bytes]] = []

    def build(self) -> None:
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", f"{self.cable}0", "type", "veth", "peer", "name", f"{self.cable}1")
        for node, name in enumerate(self.names):
            ip("link", "set", f"{self.cable}{node}", "netns", name)
            ip("-n", name, "addr", "add", f"{ADDRESSES[node]}/24", "dev", f"{self.cable}{node}")
            ip("-n", name, "link", "set", "lo", "up")
        self.plug("up")

    def plug(self, how: str) -> None:
        for node, name in enumerate(self.names):
            ip("-n", name, "link", "set", f"{self.cable}{node}", how)

    def start(self, node: int) -> subprocess.Popen[bytes]:
        words = ["ip", "netns", "exec", self.names[node], sys.executable, "-m", "tui", "run",
                 str(self.experiment), "--resume", "auto"]  # fmt: skip
        program = subprocess.Popen(
            words, env=os.environ | {"NODE_RANK": f"{node}"}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.programs.append(program)
        return program

    def remove(self) -> None:
        for program in self.programs:
            end(program)
        for name in self.names:
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)


def end(program: subprocess.Popen[bytes]) -> None:
    """Kill a machine's processes, which close no connection while the cable is cut."""
    with suppress(psutil.Error):
        for child in psutil.Process(program.pid).children(recursive=True):
            child.kill()
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    if shutil.which("ip") is None:
        pytest.skip("needs the program ip (iproute2)")
    try:
        made.build()
    except subprocess.CalledProcessError as error:
        made.remove()
        pytest.skip(f"needs the right to make network namespaces: {error.stderr.decode().strip()}")
    yield made
    made.remove()


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def messages(run: RunDirectory) -> list[str]:
    return [log.message for log in run.events.newest(Log)]


def saved(run: RunDirectory) -> int:
    return max((one.step for one in checkpoint.found(run.checkpoints)), default=0)


def attempt(run: RunDirectory, machines: int, before: int) -> int:
    """Wait until an attempt with this number of machines makes updates; return where it began."""
    text = f"Training on {machines} machine{'s' * (machines > 1)} from here on."
    wait_for(lambda: text in messages(run))
    wait_for(lambda: len([*run.events.newest(Started)]) > before)
    step: int = next(run.events.newest(Started)).resumed_step
    wait_for(lambda: saved(run) >= step + 40)
    return step


def test_a_machine_that_is_cut_off_is_done_without_and_taken_in_again(machines: Machines) -> None:
    first, second = machines.start(0), machines.start(1)
    (run,) = wait_for(lambda: all_runs(runs_folder()))
    wait_for(lambda: (run.ranks / "1.jsonl").exists() and saved(run) >= 40)
    before = len([*run.events.newest(Started)])
    reached = saved(run)
    machines.plug("down")
    assert attempt(run, 1, before) >= reached, "from the last checkpoint"
    end(second)
    machines.plug("up")
    before, reached = len([*run.events.newest(Started)]), saved(run)
    machines.start(1)
    assert attempt(run, 2, before) >= reached, "from the last checkpoint"
    run.requests.send(Request(control.STOP))
    assert first.wait(PATIENCE) == 0
    assert run.status.state() is State.STOPPED
