"""The directory of a run: the protocol between the process that trains and those that watch.

config.toml      the resolved configuration (engine.runs.config_file), or what is known of a run
                 that another program made (engine.runs.imported)
events.jsonl     the events, appended (engine.runs.events, engine.runs.event_file)
control/         requests to the process that trains (engine.runs.control)
worker.json      the process that trains (engine.runs.status)
heartbeat        touched every two seconds while it is running (engine.runs.status)
lock             held while it is running, so that no second one starts (engine.runs.lock)
log.txt          output of the libraries (engine.runs.log_file)
checkpoints/     states to resume from (engine.training.checkpoints.checkpoint)
model/           the exported model (engine.artifacts.model_folder)
report.json      final metrics and views (engine.runs.report_file)
base.json        metrics and views of the network before the first update, likewise
boosting.safetensors trees of gradient boosting, the baseline of a table
                 (engine.models.tables.boosted_trees)
base-from.json   the run whose base.json is taken over (engine.runs.earlier_base)
evals.json       results of lm-eval, likewise
fitted.json      state fitted on the data before the training, for resuming
start-values.safetensors what the loss needs of the network before the first update
ranks/           output and events of the processes other than the main one
marks            progress of the process that trains (engine.runs.progress_marks); of several, each
                 has one in ranks/
annotations.json tags and a note of the user (engine.runs.annotations)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import RunError
from engine.files.plain_paths import changed
from engine.files.slugs import is_name, to_name
from engine.runs.config_file import ConfigFile
from engine.runs.control import Requests
from engine.runs.event_file import EventFile
from engine.runs.lock import RunLock
from engine.runs.report_file import ReportFile
from engine.runs.status import Status

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig
    from engine.runs.gallery_file import GalleryFile


class RunDirectory:
    """A run: its name, the paths of its files, and a part for each kind of question about them.

    It holds no state of its own: the files are read at each call.
    """

    __slots__ = (
        "base",
        "config",
        "evals",
        "events",
        "lock",
        "path",
        "report",
        "requests",
        "status",
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = ConfigFile(path)
        self.events = EventFile(path)
        self.report = ReportFile(path, "report.json")
        self.base = ReportFile(path, "base.json")
        self.evals = ReportFile(path, "evals.json")
        self.requests = Requests(path / "control")
        self.status = Status(path, self.events)
        self.lock = RunLock(path)

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    @property
    def id(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def log(self) -> Path:
        """Output of the libraries."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """States to resume from."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The exported model."""
        return self.path / "model"

    @property
    def initial_adapter(self) -> Path:
        """The adapter before it was trained."""
        return self.path / "adapter-initial.safetensors"

    @property
    def start_values(self) -> Path:
        """Values measured with the network before the first update, for resuming."""
        return self.path / "start-values.safetensors"

    @property
    def fitted(self) -> Path:
        """State fitted on the data before the training."""
        return self.path / "fitted.json"

    @property
    def ranks(self) -> Path:
        """Files of training processes beside the run's own files."""
        return self.path / "ranks"

    @property
    def annotations(self) -> Path:
        """The user's annotations."""
        return self.path / "annotations.json"

    @classmethod
    def create(
        cls,
        folder: Path,
        config: RunConfig,
        note: Callable[[RunDirectory], None] | None = None,
    ) -> RunDirectory:
        """Create a new directory in ``folder``; its name has the time and the run's name.

        ``note`` records the name before the directory has a configuration, which makes it a run:
        if the process is killed, no run remains that nothing refers to.

        Paths are stored as absolute ones, so that the run can be resumed from another folder.
        Raises :class:`RunError` where nothing can be written.
        """
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            run = cls(new_folder(folder, f"{stamp}-{config.name}"))
            run.requests.path.mkdir(mode=0o700)
            run.checkpoints.mkdir(mode=0o700)
            if note is not None:
                note(run)
            run.config.write(config.anchored())
        except OSError as error:
            raise RunError(
                f"Cannot make a run in {folder}: {error.strerror}.",
                "Free some space, or set DLTUI_HOME to a folder where you may write.",
            ) from error
        return run

    @classmethod
    def open(cls, folder: Path, run_id: str) -> RunDirectory:
        """Return the run called ``run_id``, or the only one whose name starts or ends so.

        Raises :class:`RunError` when there is none, or more than one.
        """
        place = folder / run_id
        if is_name(run_id) and (place / "config.toml").is_file() and not place.is_symlink():
            return cls(place)
        found = [
            run for run in all_runs(folder)
            if run_id and (run.id.startswith(run_id) or run.id.endswith("-" + run_id))
        ]  # fmt: skip
        if len(found) == 1:
            return found[0]
        if not found:
            raise RunError(
                f"There is no run {run_id[:80]!r} in {folder}.", "`dltui runs` lists all."
            )
        some = ", ".join(run.id for run in found[:3])
        raise RunError(f"{len(found)} runs match {run_id!r}: {some} …", "Give more of the name.")

    @property
    def gallery(self) -> GalleryFile:
        """The gallery, whose records a list of runs need not load."""
        from engine.runs.gallery_file import GalleryFile

        return GalleryFile(self.path / "gallery.jsonl")

    def delete(self) -> None:
        """Remove the directory with all that is in it; raises :class:`RunError`."""
        if not self.status.state().ended and self.status.worker() is not None:
            raise RunError(f"The run {self.id} is still running.", "Stop it before it is deleted.")
        hidden = self.path.with_name(f".deleted-{self.id}")
        try:
            self.path.rename(hidden)
            shutil.rmtree(hidden)
        except OSError as error:
            raise RunError(f"Cannot delete {self.path}: {error.strerror}.") from error


def is_deleted(run: RunDirectory) -> bool:
    """Return whether a run's directory was removed; raises ``OSError``.

    Where the folder of runs is missing, its disk may not be mounted: that says nothing of a run.
    """
    return run.path.parent.is_dir() and not run.path.is_dir()


def all_runs(folder: Path) -> list[RunDirectory]:
    """Return all runs of a folder, the newest first; other entries and links are skipped."""
    return list(each_run(folder))


def each_run(folder: Path) -> Iterator[RunDirectory]:
    """Yield :func:`all_runs` one by one: the first need not wait for thousands of others."""
    for name in _names(folder):
        if _is_run(folder, name):
            yield RunDirectory(folder / name)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            # A link may lead into another user's folder.
            names = [
                entry.name for entry in entries if is_name(entry.name) and not entry.is_symlink()
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"Cannot read {folder}: {error.strerror}.") from error
    return sorted(names, reverse=True)


def _is_run(folder: Path, name: str) -> bool:
    return changed(f"{folder}/{name}/config.toml") != 0


def new_folder(folder: Path, name: str) -> Path:
    """Create a folder called ``name``, with a number if that is taken; returns its path.

    Raises ``OSError``, and :class:`RunError` for thousands of them.
    """
    for attempt in range(1, 1000):
        suffix = f"-{attempt}" if attempt > 1 else ""
        path = folder / (to_name(name)[: 64 - len(suffix)] + suffix)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise RunError(f"Too many runs called {name} in {folder}.")
