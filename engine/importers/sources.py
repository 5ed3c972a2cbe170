"""Find runs of other programs: a file, or all below a folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.errors import RunError
from engine.importers import csv_logs, mlflow, tensorboard, transformers, wandb
from engine.importers.foreign_run import ForeignRun
from engine.importers.metric_names import SPLITS
from engine.importers.tensorboard import EventFile

MOST_FOLDERS = 100_000
"""Folders that are searched below one path."""
_LONGEST = 2000
"""Characters of a fingerprint that is kept as it is."""
_SESSION = re.compile(r"\d{9,}\.\d+")
"""A folder of ``add_hparams``, called by the seconds since 1970."""
_NAMES = (transformers.FILE, mlflow.FILE)
_KNOWN = (
    "TensorBoard event files (*tfevents*), run-*.wandb, trainer_state.json, CSV of Lightning, "
    "Ultralytics and Keras (metrics.csv, results.csv, training.log), and mlruns of MLflow"
)


@dataclass(frozen=True)
class Source:
    """A run of another program, not yet read."""

    path: Path
    files: tuple[Path, ...]
    """The files that it is read from."""
    read: Callable[[], ForeignRun]
    """Raises ``OSError``, and ``ValueError`` for a file of another kind."""

    def fingerprint(self) -> str:
        """Return a text that changes with the files. Raises ``OSError``."""
        stats = [file.stat() for file in self.files]
        sizes = " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
        return sizes if len(sizes) <= _LONGEST else hashlib.sha256(sizes.encode()).hexdigest()


def find_sources(path: Path) -> list[Source]:
    """Return the runs in a file or below a folder, by their paths.

    Raises :class:`RunError` where there are none.
    """
    path = path.resolve()
    if not path.exists():
        raise RunError(f"{path} does not exist.")
    files = [path] if path.is_file() else sorted(_below(path))
    events = [file for file in files if "tfevents" in file.name]
    found = [
        *_of_tensorboard(events, path),
        *(Source(file, (file,), partial(wandb.read_wandb, file))
          for file in files if file.suffix == ".wandb"),
        *(Source(file, (file,), partial(transformers.read_transformers, file))
          for file in _newest_states(files)),
        *(Source(file, (file,), partial(csv_logs.read_csv_log, file, _log_name(file, path)))
          for file in files if file.suffix in (".csv", ".log", ".tsv")),
        *(Source(file.parent, mlflow.files_of(file), partial(mlflow.read_mlflow, file))
          for file in files if file.name == mlflow.FILE and mlflow.is_mlflow_run(file)),
    ]  # fmt: skip
    if not found:
        raise RunError(f"There is no run of another program in {path}.", f"Known are {_KNOWN}.")
    return found


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; links to folders are not followed."""
    for count, (parent, _, names) in enumerate(os.walk(folder)):
        if count >= MOST_FOLDERS:
            raise RunError(f"{folder} has more than {MOST_FOLDERS:,} folders.", "Name one of them.")
        for name in names:
            file = Path(parent, name)
            known = "tfevents" in name or name.endswith(".wandb") or name in _NAMES
            if known or (name in csv_logs.NAMES and csv_logs.is_csv_log(file)):
                yield file


def _of_tensorboard(files: Sequence[Path], root: Path) -> Iterator[Source]:
    """Yield a run for each folder; ``train`` and ``validation`` beside each other make one.

    Folders that torch's ``add_scalars`` and ``add_hparams`` make below the one of their writer
    belong to its run.
    """
    folders = {file.parent for file in files}
    sessions = Counter(folder.parent for folder in folders if _SESSION.fullmatch(folder.name))
    runs: dict[Path, list[EventFile]] = {}
    for file in files:
        folder, split = file.parent, SPLITS.get(file.parent.name.lower(), "")
        above, series = folder.parent, ""
        if not split and above in folders:
            series = _series(file)
            joined = series or (_SESSION.fullmatch(folder.name) and sessions[above] == 1)
        else:
            joined = split
        runs.setdefault(above if joined else folder, []).append(EventFile(file, split, series))
    for folder, parts in runs.items():
        paths = tuple(part.path for part in parts)
        name = _name(folder, root)
        yield Source(folder, paths, partial(tensorboard.read_tensorboard, parts, folder, name))


def _series(file: Path) -> str:
    """Return the curve of ``add_scalars`` in a file: its folder is called by the tag and by it."""
    try:
        tag = tensorboard.first_tag(file)
    except OSError:
        return ""  # said where the run is read
    prefix = f"{tag.replace('/', '_')}_"
    return file.parent.name.removeprefix(prefix) if file.parent.name.startswith(prefix) else ""


def _name(folder: Path, root: Path) -> str:
    """Return the path from the folder that was named; that folder's own name for itself."""
    if folder == root or not folder.is_relative_to(root):
        return folder.name or "run"
    return "-".join(folder.relative_to(root).parts)


def _log_name(file: Path, root: Path) -> str:
    """Return the name of the folder, or that of a file that the user has called otherwise."""
    return _name(file.parent, root) if file.name in csv_logs.NAMES else file.stem


def _newest_states(files: Sequence[Path]) -> Iterator[Path]:
    """Yield the newest state of each run of transformers: its checkpoints have earlier ones.

    Times of files are not those of writing where a folder was downloaded or copied, so a state
    whose log continues that of the newest file is later.
    """
    runs: dict[Path, list[Path]] = {}
    for file in files:
        if file.name == transformers.FILE:
            folder = file.parent
            run = folder.parent if folder.name.startswith("checkpoint-") else folder
            runs.setdefault(run, []).append(file)
    for states in runs.values():
        newest = max(states, key=lambda state: (state.stat().st_mtime_ns, str(state)))
        logs = {state: transformers.rows_of(state) for state in states} if states[1:] else {}
        for state, rows in logs.items():
            before = logs[newest]
            if before and len(rows) > len(before) and rows[: len(before)] == before:
                newest = state
        yield newest
