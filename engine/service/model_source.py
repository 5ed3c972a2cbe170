"""The exported model that is to predict: of a run, or in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from engine.artifacts.model_folder import MANIFEST
from engine.errors import RunError
from engine.files.paths import expanded, is_file, runs_folder
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory
from engine.runs.imported import refuse_imported

_OF_PATHS = ("/", "~", ".")


def exported_model(run: str) -> Path:
    """Return the folder of a run's model, or a folder that was exported.

    A text with ``/``, or with ``~`` or ``.`` at its beginning, names a folder; another one does
    where there is no such run. Raises :class:`RunError` where there is no model.
    """
    folder = expanded(run)
    exported = bool(run) and is_file(folder / MANIFEST)
    if "/" in run or run.startswith(_OF_PATHS):
        if not exported:
            raise RunError(
                f"{plain(folder, 400)} does not hold an exported model: {MANIFEST} is missing.",
                "`dltui export RUN` writes one.",
            )
        return folder.absolute()
    try:
        directory = RunDirectory.open(runs_folder(), run)
    except RunError:
        if exported:
            return folder.absolute()
        raise
    refuse_imported(directory.config.text())
    if not (directory.model / MANIFEST).is_file():
        raise RunError(
            f"The run {directory.id} has no finished model.", "Let it finish or stop it first."
        )
    return directory.model
