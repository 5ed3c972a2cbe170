"""The end of one training process of several: its report, and its exit without an agent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from engine.config.presets import find_preset, load_preset
from engine.errors import TrainingError
from engine.launch import error_file, rank_training, rank_worker
from engine.launch.rank import Rank
from engine.launch.rank_files import DEFECT, MENDABLE, PEER_LOST, report_file
from engine.launch.rank_worker import end_with
from engine.processes.signals import Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Failed
from engine.training.checkpoints.peers import PeerLost


class Exited(Exception):
    """In place of the end of this process."""


def test_a_process_whose_agent_was_killed_before_it_looked_exits_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(status: int) -> None:
        raise Exited(status)

    monkeypatch.setattr(rank_worker.os, "_exit", leave)
    agent = os.getpid()  # not the parent of this process, but of one that init has taken over
    with pytest.raises(Exited) as exited:
        end_with(agent)
    assert exited.value.args == (PEER_LOST,)


@pytest.fixture
def errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file from which the agent reads the error."""
    file = tmp_path / "0.error.json"
    monkeypatch.setenv(error_file.VARIABLE, str(file))
    return file


def test_the_agent_reads_the_time_of_an_error(errors: Path) -> None:
    error_file.record_time(ValueError("wrong"))
    failure = ProcessFailure(0, 1, DEFECT, str(errors))
    assert failure.timestamp > 0
    assert "wrong" in str(failure.message)
    assert [path.name for path in errors.parent.iterdir()] == [errors.name]


def test_an_error_that_cannot_be_written_as_a_whole_is_not_written(errors: Path) -> None:
    (errors.parent / f".{errors.name}").symlink_to("/dev/full")
    error_file.record_time(ValueError("wrong"))
    assert list(errors.parent.iterdir()) == []
    assert ProcessFailure(0, 1, DEFECT, str(errors)).timestamp > 0


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (FULL, MENDABLE, "any more: No space left on device. Its checkpoints are kept"),
        (TrainingError("The loss is NaN."), MENDABLE, "The loss is NaN."),
        (KeyError("x"), DEFECT, "Internal error: KeyError: 'x'"),
        (PeerLost("gone"), PEER_LOST, None),
    ],
)
def test_a_process_reports_why_it_failed(
    errors: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int,
    message: str | None,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(rank_training, "store_of_ranks", fail)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    run = RunDirectory.create(errors.parent, load_preset(find_preset("wine-mlp")))
    rank = Rank(run, 0, 2, 0)
    with EventLog(report_file(run, 0)) as events:
        found, last = rank_training.train_rank(rank, events, Termination())
    assert found == status
    assert (last is None) if message is None else isinstance(last, Failed)
    assert message is None or message in str(last)
    assert errors.exists() == (status != PEER_LOST)
