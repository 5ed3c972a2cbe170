"""The process that failed first, among those that it made fail."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from engine import RunConfig
from engine.config.train import TrainConfig
from engine.errors import TrainingError, TrainingFailed, UserError
from engine.files.paths import runs_folder
from engine.launch import agent, torchrun
from engine.launch.agent import first_of
from engine.launch.attempt import attempt
from engine.launch.rank_files import DEFECT, PEER_LOST, write_final_event
from engine.processes.signals import Terminated
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, Failed, Interrupted


def failed(rank: int, status: int, second: int = 10) -> ProcessFailure:
    failure = ProcessFailure(rank, 4000 + rank, status, "")
    failure.timestamp = second
    return failure


@pytest.mark.parametrize("second", [10, 11])
def test_a_process_that_torch_ended_is_not_the_first_to_fail(second: int) -> None:
    killed, ended = failed(1, -signal.SIGKILL), failed(0, -signal.SIGTERM, second)
    assert first_of({1: killed, 0: ended}) == (1, killed)


def test_the_earlier_failure_is_the_first_in_whatever_order_they_were_found() -> None:
    late, early = failed(0, -signal.SIGSEGV, 12), failed(1, DEFECT)
    assert first_of({0: late, 1: early}) == (1, early)


def test_a_process_that_lost_another_one_is_not_the_first_to_fail() -> None:
    lost, killed = failed(0, PEER_LOST), failed(1, -signal.SIGKILL)
    assert first_of({0: lost, 1: killed}) == (1, killed)


def test_where_only_processes_of_another_node_were_lost_none_here_was_the_first() -> None:
    lost, ended = failed(1, PEER_LOST), failed(0, -signal.SIGTERM)
    assert first_of({1: lost, 0: ended}) is None


def test_a_process_that_was_ended_from_outside_is_the_first_to_fail() -> None:
    ended, lost = failed(0, -signal.SIGTERM), failed(1, PEER_LOST)
    assert first_of({0: ended, 1: lost}) == (0, ended)


def test_a_machine_that_does_not_come_back_interrupts_the_run_and_does_not_fail_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed, said = threading.Event(), list[str]()
    monkeypatch.setattr(agent, "_REJOIN_SECONDS", 0.0)
    monkeypatch.setattr(LocalElasticAgent, "_rendezvous", lambda *_: closed.wait())
    run = RunDirectory(tmp_path)
    node = agent.Node(run, TrainConfig(nodes=2), {}, lambda: False, said.append, leads=True)
    handler = Mock(set_closed=closed.set)
    main = agent.Agent(node, handler)
    main._nodes = 2  # of the attempt before
    with pytest.raises(Terminated):
        main._rendezvous(Mock())
    assert said == [
        "Not all 2 machines came back within 0 seconds. Resume the run when they are there."
    ]
    assert closed.is_set()


def ended_by_torchrun(monkeypatch: pytest.MonkeyPatch, ends: dict[int, Failed]) -> RunDirectory:
    """Return a run whose main process torchrun ended when others had failed."""
    config = RunConfig.parse(
        {"task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
         "data": {"kind": "builtin", "name": "iris"}}
    )  # fmt: skip
    run = RunDirectory.create(runs_folder(), config)
    run.ranks.mkdir()
    for rank, event in ends.items():
        write_final_event(run, rank, event)

    def train(*_: object) -> Event:
        raise Terminated

    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(torchrun, "train_beside", train)
    attempt(run, lambda session: torchrun._lead(session, HashStore(), 3))
    return run


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        (Failed(message="No column x.", usage=True), TrainingError, "No column x."),
        (Failed(message="A batch is lost."), TrainingFailed, "A batch is lost."),
        (
            Failed(message="Internal error: KeyError", report="log.txt"),
            TrainingFailed,
            "Process 3 of 3: Internal error: KeyError",
        ),
    ],
)
def test_a_run_that_torchrun_ended_shows_the_error_of_the_process_that_failed_first(
    monkeypatch: pytest.MonkeyPatch, failure: Failed, kind: type[UserError], text: str
) -> None:
    later = Failed(message="Later.", time=failure.time + 1)
    with pytest.raises(kind) as raised:
        ended_by_torchrun(monkeypatch, {1: later, 2: failure})
    assert str(raised.value) == text


def test_a_run_that_torchrun_was_asked_to_end_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(ended_by_torchrun(monkeypatch, {}).events.last(), Interrupted)
