"""The lead of the main process: it alone decides what is due, the others take part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.training.checkpoints.state import Ending, TrainingState
from engine.training.distributed.process_group import SingleProcess
from engine.training.optimization.non_finite import Diverged


class MainProcess:
    """Keeps position and ending of all processes the same as the main process's."""

    def __init__(
        self, group: SingleProcess, state: TrainingState, joint: Mapping[str, Callable[[], Any]]
    ) -> None:
        """``joint`` has the operations that need all processes, as the group's calls name them."""
        self._group = group
        self._state = state
        self._joint = joint

    def announce(self, due: bool) -> None:
        """Announce, before gradients are reduced, whether something may be ``due`` afterwards.

        That spares the others a message of the main process after most updates.
        """
        if self._group.size > 1:
            self._group.decides = self._group.leads and due

    def decides(self, action: Callable[[], None]) -> None:
        """Call ``action`` in the main process; the others help where needed and end where it does.

        Raises :class:`~engine.training.optimization.non_finite.Diverged` in all of them.
        """
        try:
            if self._group.leads:
                action()
        except Diverged:
            self._agree(diverged=True)
            raise
        self._agree()

    def _agree(self, diverged: bool = False) -> None:
        """Take over the main process's position and ending; join the operations that it calls."""
        if self._group.size == 1:
            return
        ending = self._state.ending and self._state.ending.value
        position = vars(self._state.position)
        message = {"position": position, "ending": ending, "diverged": diverged}
        said = self._group.broadcast(message)
        if self._group.leads:
            return
        while "do" in said:
            self._joint[said["do"]]()
            said = self._group.broadcast({})
        position.update(said["position"])
        self._state.ending = said["ending"] and Ending(said["ending"])
        if said["diverged"]:
            raise Diverged
