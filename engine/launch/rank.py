"""One process among those that train a run."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engine.runs.directory import RunDirectory


@dataclass(frozen=True)
class Rank:
    """A process by its number."""

    run: RunDirectory
    number: int
    size: int
    local: int
    """Its number among the processes of its node."""

    @classmethod
    def own(cls, run: RunDirectory) -> Rank:
        """Return this process, from the variables that every launcher of torch sets."""
        return cls(run, *(int(os.environ[v]) for v in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
