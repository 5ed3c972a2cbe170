"""The configuration of a run is read once in each process that works on the run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine import RunConfig
from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.launch.in_process import train
from engine.launch.start import start
from engine.runs.directory import RunDirectory
from engine.runs.status import State

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "wine"},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 2},
    "compute": {"device": "cpu", "threads": 1},
}
# Imported by every Python process; a hook sees each file that is opened, however it is opened.
HOOK = """
import os, sys

seen = os.open({report!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def hook(event, arguments):
    if event == "open" and str(arguments[0]) == {config!r}:
        os.write(seen, f"{{os.getpid()}}\\n".encode())

sys.addaudithook(hook)
"""


def opened(run: RunDirectory, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Number of times that each process of a whole run opened its configuration."""
    report = folder / "opened"
    text = HOOK.format(report=str(report), config=str(run.path / "config.toml"))
    (folder / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    handle = start(run)
    assert handle.wait(120) == 0, run.log.read_text()
    return Counter(map(int, report.read_text().split()))


@pytest.mark.parametrize(
    ("changes", "processes"),
    [
        ([], 1),
        (["train.auto_batch_size=true", 'train.report_to=["tensorboard"]'], 1),
        pytest.param(["train.devices=2"], 3, marks=pytest.mark.slow),
    ],
    ids=["one process", "with a batch size to find and a logger", "two ranks and their supervisor"],
)
def test_a_worker_reads_the_configuration_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str], processes: int
) -> None:
    run = RunDirectory.create(runs_folder(), RunConfig.parse(TABLE).override(changes))
    assert list(opened(run, tmp_path, monkeypatch).values()) == [1] * processes
    assert run.status.state() is State.FINISHED


def test_a_configuration_that_cannot_be_read_is_the_final_event_of_its_run() -> None:
    run = RunDirectory.create(runs_folder(), RunConfig.parse(TABLE))
    (run.path / "config.toml").write_text("train = [")
    with pytest.raises(RunError, match=r"config\.toml"):
        train(RunConfig.parse(TABLE), run)
    assert run.status.state() is State.FAILED
