"""Another machine over the real OpenSSH: a server on a loopback port with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from engine.config.run_config import RunConfig
from engine.processes.identity import ProcessIdentity
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Controlled, EventLog, Progress, Started
from engine.runs.status import State
from tui.hosts import connection
from tui.hosts.address import parse_hosts
from tui.hosts.hosts import Hosts

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/sshd.pid
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UsePAM no
SetEnv {environment}
"""
_CLIENT = """\
Host box
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
"""
_KEPT = ("PYTHONPATH", "OMP_NUM_THREADS", "GOMP_SPINCOUNT", "HF_HUB_OFFLINE")


@dataclass(frozen=True)
class Box:
    """A machine behind SSH, which ``ssh box`` reaches."""

    home: Path
    program: str

    @property
    def named(self) -> str:
        return f"box:{self.program}"

    def answering(self) -> list[psutil.Process]:
        """The processes that answer there."""
        return [each for each in psutil.process_iter() if self.program in _words(each)]


def _words(process: psutil.Process) -> list[str]:
    try:
        words = process.cmdline()
        return words if "--stdio" in words and "ssh" not in words[0] else []
    except psutil.Error:
        return []


def wait_until(condition: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.02)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A running server; the test is skipped where there is none to start."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    client = shutil.which("ssh")
    if server is None or client is None:
        pytest.skip("there is no OpenSSH server and client here")
    folder, home = tmp_path / "ssh", tmp_path / "box"
    folder.mkdir()
    if os.getuid() == 0:  # then it demands an empty folder, which its service makes
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    _write_configuration(folder, home, client)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    process = subprocess.Popen(
        [server, "-D", "-e", "-f", str(folder / "sshd_config")],
        stdin=subprocess.DEVNULL, stderr=(folder / "log").open("wb"),
    )  # fmt: skip
    try:
        tried = _log_in(process)
        if tried.returncode:
            reason = tried.stderr.decode() + (folder / "log").read_text()
            pytest.skip(f"no one can log in to an OpenSSH server here: {reason[-300:]}")
        yield Box(home, str(folder / "dltui"))
    finally:
        process.terminate()
        process.wait()
        for run in all_runs(home / "runs"):
            worker = run.status.worker()
            if worker is not None and worker.alive() and worker.pid != os.getpid():
                os.kill(worker.pid, signal.SIGKILL)


def _write_configuration(folder: Path, home: Path, client: str) -> None:
    for name in ("host_key", "user_key"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(key, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in _KEPT if os.environ.get(name)}
    environment = " ".join(f"{k}={v}" for k, v in (kept | {"DLTUI_HOME": str(home)}).items())
    values = {"port": port, "folder": folder, "environment": environment}
    (folder / "sshd_config").write_text(_SERVER.format(**values))
    (folder / "ssh_config").write_text(_CLIENT.format(**values, user=getpass.getuser()))
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    # ssh takes no other configuration from the environment.
    _write_script(folder / "ssh", f'exec {client} -F {folder}/ssh_config "$@"')
    _write_script(folder / "dltui", f'exec {sys.executable} -m tui "$@"')


def _write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o700)


def _log_in(server: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[bytes]:
    """Log in once the server listens."""
    while True:
        tried = subprocess.run(["ssh", "-oBatchMode=yes", "box", "true"], capture_output=True)
        if tried.returncode == 0 or b"refused" not in tried.stderr or server.poll() is not None:
            return tried
        time.sleep(0.05)


def there(box: Box) -> RunDirectory:
    """A run of the box that this process pretends to train."""
    values = {
        "name": "there",
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin"},
        "model": {"kind": "cnn"},
    }
    run = RunDirectory.create(box.home / "runs", RunConfig.parse(values))
    run.status.set_worker(ProcessIdentity.own())
    return run


def progress(step: int) -> Progress:
    return Progress(step=step, steps=99, epoch=0.1, epochs=4, loss=1.0, learning_rate=1e-3)


@pytest.mark.slow
def test_a_run_is_followed_over_ssh_across_a_cut(box: Box, monkeypatch) -> None:
    monkeypatch.setattr(connection, "_SHORTEST_WAIT", 0.1)
    run, told = there(box), []
    with EventLog(run.events.path) as log:
        log.write(Started(device="cpu", precision="float32", threads=1))
        hosts = Hosts(parse_hosts([box.named]), lambda text, error: told.append(text))
        hosts.start()
        (host,) = hosts
        wait_until(lambda: [row.state for row in host.mirror.rows] == [State.RUNNING])
        mirrored = host.runs.load(run.id, whole=True)
        for step, master in ((1, host.connection.pid), (2, 0)):
            log.write(progress(step))
            wait_until(lambda: mirrored.events.path.read_bytes() == run.events.path.read_bytes())
            if master:
                os.kill(master, signal.SIGKILL)
        host.stop(run.id)
        assert run.requests.waits("stop")
        # A second channel goes through the first one: no one logs in again.
        fetched = host.fetch(run.id)
        log_ins = (Path(box.program).parent / "log").read_text().count("Accepted publickey")
        assert log_ins == 3  # the fixture's, the first one, and the one after the cut
        assert fetched.config.read() == run.config.read()
    hosts.end()
    assert told == ["box is not reachable: the connection was closed.", "box is reachable again."]
    wait_until(lambda: not box.answering())


@pytest.mark.slow
def test_a_run_that_was_started_there_is_watched_here_cut_off_and_stopped(
    box: Box, open_terminal, home: Path
) -> None:
    values = ["name=far", "train.epochs=100000", "compute.device=cpu", "compute.threads=1"]
    environment = os.environ | {"DLTUI_HOME": str(box.home)}
    begin = [box.program, "run", "breast-cancer-mlp", "--detach", *values]
    subprocess.run(begin, env=environment, check=True, capture_output=True)
    (run,) = all_runs(box.home / "runs")
    terminal = open_terminal("--hosts", box.named, columns=120, rows=40)
    terminal.wait_for("far", "box", "running", "memory")
    terminal.press("enter")
    terminal.wait_for("far on box", "Step", "Charts")
    terminal.press("L", "ctrl+u", "0.005", "enter")
    terminal.wait_for("learning rate 0.005")
    wait_until(lambda: run.events.last(Controlled))
    (master,) = [
        each for each in psutil.Process(terminal.process.pid).children(recursive=True)
        if "--stdio" in each.cmdline()
    ]  # fmt: skip
    master.kill()
    terminal.wait_for("box is not reachable")
    terminal.wait_for("box is reachable again")
    known = run.events.last(Progress)
    assert isinstance(known, Progress)
    copies = list(all_runs(home / "cache" / "hosts" / "box" / "runs"))

    def further() -> bool:
        newest = copies[0].events.last(Progress)
        return isinstance(newest, Progress) and newest.step > known.step

    terminal.wait_until(further, "progress after the cut")
    terminal.press("s", "y")
    terminal.wait_for("stopped")
    wait_until(lambda: run.status.state() is State.STOPPED)
    terminal.press("enter")
    terminal.wait_for("Summary")
    terminal.press("escape")
    terminal.wait_for("1 run")
    terminal.press("H")
    terminal.wait_for("is on this")
    (fetched,) = all_runs(home / "runs")
    assert (fetched.model / "manifest.json").read_bytes() == (
        run.model / "manifest.json"
    ).read_bytes()
    predict = [sys.executable, "-m", "tui", "predict", fetched.id, "mean radius=10"]
    predicted = subprocess.run(predict, capture_output=True, text=True, check=True)
    assert "malignant" in predicted.stdout
    terminal.press("ctrl+q")
    assert terminal.wait_for_exit() == 0
    wait_until(lambda: not box.answering())
