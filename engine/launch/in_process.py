"""Training in the calling process."""

from __future__ import annotations

from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.launch.attempt import attempt
from engine.launch.rank_supervisor import train_in_ranks
from engine.runs.directory import RunDirectory
from engine.training.run import train_in


def train(config: RunConfig, run: RunDirectory | None = None) -> RunDirectory:
    """Train in this process; returns the run's directory.

    Raises :class:`~engine.errors.UserError` for what the user can correct; whatever is raised, the
    run has its final event.
    """
    run = run or RunDirectory.create(runs_folder(), config)
    attempt(run, train_in_ranks if run.config.read().train.processes > 1 else train_in)
    return run
