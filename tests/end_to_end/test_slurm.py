"""A job of two machines under a real Slurm, whose controller and nodes run on this machine.

It needs the programs of Slurm and root, who may give the nodes names of their own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.files.paths import runs_folder
from engine.jobs.job import Job
from engine.jobs.slurm import script
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Interrupted, Started
from engine.runs.status import State
from engine.training.checkpoints import checkpoint

PROGRAMS = ("slurmctld", "slurmd", "slurmstepd", "sbatch", "srun", "unshare")
NODES = ("dltui-1", "dltui-2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, PROGRAMS)),
        reason="jobs of Slurm are tried by root where Slurm is installed",
    ),
]


def wait_for(what: Callable[[], object]) -> None:
    give_up = time.monotonic() + 300
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def asked(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def address() -> str:
    """An address of this machine that is none of the loopback interface, though none is called."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A controller and two nodes, which find each other by name."""
    host, (main, *ports) = socket.gethostname().partition(".")[0], free_ports(3)
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1"
        for name, port in zip(NODES, ports, strict=True)
    )
    for folder in ("state", *NODES):
        (tmp_path / folder).mkdir()
    (tmp_path / "slurm.conf").write_text(f"""\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={main}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={tmp_path}/state
SlurmdSpoolDir={tmp_path}/%n
SlurmctldPidFile={tmp_path}/controller.pid
SlurmdPidFile={tmp_path}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
CommunicationParameters=NoInAddrAny
{nodes}
PartitionName=main Nodes={",".join(NODES)} Default=YES State=UP
""")
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{Path('/etc/hosts').read_text()}\n{address()} {' '.join(NODES)}\n")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    step = str(shutil.which("slurmstepd"))
    commands = ["slurmctld -c -D", *(f"slurmd -D -N {name} -d {step}" for name in NODES)]
    # Only these see the names: the mount is of their own namespace.
    named = f"mount --bind {hosts} /etc/hosts && exec "
    with (tmp_path / "slurm.log").open("w") as log:
        programs = [
            subprocess.Popen(["unshare", "--mount", "bash", "-c", named + command], stderr=log)
            for command in commands
        ]
        try:
            wait_for(lambda: "idle" in subprocess.getoutput("sinfo --noheader --format %T"))
            yield
        finally:
            for program in programs:
                program.terminate()
                program.wait(60)


def test_a_job_is_queued_again_with_a_checkpoint_and_resumes(
    slurm: None, home: Path, tmp_path: Path
) -> None:
    fields = ["train.epochs=100000", "train.save_steps=20", "train.nodes=2", "compute.device=cpu",
              "compute.threads=1"]  # fmt: skip
    job = Job(load_preset(find_preset("wine-mlp"), fields), home=str(home))
    (tmp_path / "job").write_text(script(job, sys.executable))
    number = asked("sbatch", "--parsable", f"--chdir={tmp_path}", str(tmp_path / "job")).strip()
    runs: list[RunDirectory] = []

    def saved() -> bool:
        runs[:] = all_runs(runs_folder())
        return any(checkpoint.found(run.checkpoints) for run in runs)

    def state() -> str:
        return asked("scontrol", "show", "job", number).partition("JobState=")[2].split()[0]

    wait_for(saved)
    (run,) = runs
    asked("scancel", "--signal=TERM", "--batch", number)  # as before the end of its time
    wait_for(lambda: state() == "PENDING")
    last = run.events.last()
    assert isinstance(last, Interrupted)
    assert checkpoint.found(run.checkpoints)[0].step == last.step

    # A node refuses a job that begins anew in the second in which its last attempt was ended.
    asked("scontrol", "update", f"jobid={number}", "StartTime=now+5")
    wait_for(lambda: sum(1 for _ in run.events.newest(Started)) == 2)
    assert next(run.events.newest(Started)).resumed_step == last.step
    run.requests.send(Request(control.STOP))
    wait_for(lambda: state() == "COMPLETED")
    assert run.status.state() is State.STOPPED
