"""A run with several training processes, on one node or several.

torch's elastic agent starts them (:mod:`engine.launch.agent`). One that fails ends all, and they
restart from the newest checkpoint, unless the user has to correct something first. With several
nodes, each has an agent; the run belongs to the main node.
"""

from __future__ import annotations

import os

from torch.distributed import DistError
from torch.distributed.elastic.agent.server.api import RunResult
from torch.distributed.elastic.rendezvous import RendezvousError

from engine.errors import RunError, TrainingFailed
from engine.hardware.device import check_devices
from engine.launch.agent import Agent, Node
from engine.launch.place import check_main, place_of
from engine.launch.rank_files import final_event
from engine.launch.rendezvous import hosted, rendezvous
from engine.processes.signals import Terminated
from engine.runs import control
from engine.runs.events import Event, Interrupted, Log, Stalled
from engine.runs.session import RunSession
from engine.vision.files.pixel_cache import delete_unused_caches

_ENVIRONMENT = {
    # Of the agent's signals only this one ends it: the others are handled here.
    "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGQUIT",
    # The agent's own store would listen at every address: that of rank 0 listens at one.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}


def train_in_ranks(session: RunSession) -> Event:
    """Train like :func:`engine.training.run.train_in`, in as many processes as are asked for.

    Raises :class:`~engine.errors.TrainingError` with the message of the process that failed.
    """
    run, train, termination = session.run, session.config.train, session.termination
    check_devices(session.config.compute, train.devices)
    place = place_of(train)
    check_main(place)
    if train.machines > 1:
        few, most = train.fewest_machines, train.machines
        awaited = f"{few} to {most}" if few < most else f"{most}"
        text = f"Waiting for {awaited} machines, this one included."
        session.events.write(Log(level="info", message=text))

    def asked() -> bool:
        return termination.asked() or (agent.waiting and run.requests.waits(control.STOP))

    store = hosted(place, run.id)
    handler = rendezvous(place, store, run.id, train)

    def stalled(text: str) -> None:
        session.events.write(Stalled(message=text))

    node = Node(run, train, place.network(), asked, session.warn, leads=True, stalled=stalled)
    agent = Agent(node, handler)
    try:
        with termination.deferred():
            result = run_agent(agent)
    finally:
        handler.shutdown()
    last = final_event(run, 0)
    if result.is_failed() and termination.asked():
        # Processes of other nodes may be the first to exit, after the main one has saved.
        if isinstance(last, Interrupted):
            return last
        raise Terminated
    if result.is_failed():
        raise agent.cause.error()
    if last is None:
        raise TrainingFailed(f"Process 1 of {train.processes} exited without an error message.")
    return last


def run_agent(agent: Agent) -> RunResult:
    """Let an agent train; raises :class:`~engine.errors.UserError` where it cannot."""
    os.environ.update(_ENVIRONMENT)
    try:
        result: RunResult = agent.run()
    except OSError as error:
        raise RunError(f"Cannot start the processes: {error.strerror}.") from error
    except (RendezvousError, DistError) as error:
        raise TrainingFailed("The connection to the main node was lost.") from error
    finally:
        delete_unused_caches()  # the processes may have been killed
    return result
