"""A job of Ray trains on a real head node, which listens on the loopback interface only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.files.paths import runs_folder
from engine.runs.directory import all_runs
from engine.runs.status import State
from tui.__main__ import main

pytest.importorskip("ray", reason="jobs of Ray are tried where ray is installed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a head node, in whose path there is the program."""
    program = tmp_path / "bin" / "dltui"
    program.parent.mkdir()
    paths = os.pathsep.join(path for path in sys.path if path)
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{paths}" exec {sys.executable} -m tui "$@"\n')
    program.chmod(0o700)
    folder = Path("/tmp") / f"ray-{os.getpid()}"  # sockets have short names
    environment = os.environ | {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": paths,
        "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip
    dashboard = free_port()
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    process = subprocess.Popen(
        [*ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1",
         f"--port={free_port()}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}",
         "--num-cpus=2", "--object-store-memory=80000000", f"--temp-dir={folder}"],
        env=environment, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{dashboard}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(60)


def test_a_submitted_job_trains_on_a_head_node(
    head: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ray.job_submission import JobSubmissionClient

    end = time.monotonic() + 300
    submitted = ["submit", "wine-mlp", "train.epochs=2", "compute.device=cpu", "--to", "ray",
                 "--home", str(home), "--submit"]  # fmt: skip
    while main(submitted) != 0:
        assert time.monotonic() < end, capsys.readouterr().err
        time.sleep(1.0)
    job = capsys.readouterr().out.split(":")[0].strip().splitlines()[-1]
    client = JobSubmissionClient(head)
    while not client.get_job_status(job).is_terminal():
        assert time.monotonic() < end + 300
        time.sleep(1.0)
    assert client.get_job_status(job) == "SUCCEEDED", client.get_job_logs(job)
    (run,) = all_runs(runs_folder())
    assert run.status.state() is State.FINISHED
