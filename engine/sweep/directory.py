"""The directory of a sweep: the protocol between who searches and who watches.

sweep.toml     what is searched (:class:`SweepConfig`)
trials.json    the trials so far (:class:`~engine.sweep.table.SweepTable`)
journal.log    what the search has to remember (optuna's journal)
workers/       a file of each process that searches, which it keeps locked
lock           held by the process that started the search; others join it
changes        held while a trial begins, is taken up, or is shown
stop           there when it is asked to stop
log.txt        whatever the libraries print
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.config.run_config import RunConfig
from engine.errors import RunError, reason_of
from engine.files import atomic, safe_json, safe_toml
from engine.files.slugs import NAME_PATTERN, is_name
from engine.processes.lock import locked
from engine.processes.spawn import spawn
from engine.sweep.space import Dimension, read_space
from engine.sweep.table import SweepTable
from engine.sweep.workers import Workers


class SweepConfig(BaseModel):
    """A sweep's configuration: base, search space and search strategy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    base: dict[str, Any]
    """The configuration that the trials vary, as nested dictionaries."""
    space: dict[str, str]
    """By field, what may be tried (:mod:`engine.sweep.space`)."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    pruner: Literal["none", "median", "hyperband"] = "median"
    trials: int = Field(30, ge=1, le=100_000)
    parallel: int = Field(1, ge=1, le=64)
    """Runs at the same time."""
    minutes: float | None = Field(None, gt=0, le=1_000_000)
    """Time limit of the whole search."""
    seed: int = 0

    def config(self) -> RunConfig:
        """The base; raises :class:`~engine.errors.ConfigError`."""
        return RunConfig.parse(self.base)

    def dimensions(self) -> list[Dimension]:
        """The space; raises :class:`~engine.errors.ConfigError`."""
        return read_space(self.config(), self.space)


class SweepDirectory:
    """Paths of a sweep's files; holds no state of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal.log"
        self.log = path / "log.txt"
        self._config = path / "sweep.toml"
        self._table = path / "trials.json"
        self.workers = Workers(path / "workers")
        self._lock = path / "lock"
        self._stop = path / "stop"

    @classmethod
    def create(cls, folder: Path, config: SweepConfig) -> SweepDirectory:
        """Make a directory in ``folder``; raises :class:`RunError`, also if the name is taken."""
        sweep = cls(folder / config.name)
        anchored = config.config().anchored().values()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep.path.mkdir(mode=0o700)
            content = tomlkit.dumps(config.model_dump(exclude_none=True) | {"base": anchored})
            atomic.write_text(sweep._config, content)
        except FileExistsError as error:
            raise RunError(
                f"There is a sweep {config.name} already.",
                "Give another --name, or resume it by --resume.",
            ) from error
        except OSError as error:
            raise RunError(f"Cannot make a sweep in {folder}: {error.strerror}.") from error
        return sweep

    @classmethod
    def open(cls, folder: Path, name: str) -> SweepDirectory:
        """The sweep called ``name``; raises :class:`RunError` when there is none."""
        sweep = cls(folder / name)
        if not is_name(name) or not sweep._config.is_file():
            raise RunError(
                f"There is no sweep {name[:80]!r} in {folder}.", "`dltui sweeps` lists all."
            )
        return sweep

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.name

    def config(self) -> SweepConfig:
        """The sweep's configuration; raises :class:`RunError` when it cannot be read."""
        try:
            return SweepConfig.model_validate(safe_toml.read(self._config))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
            )
            raise RunError(
                f"Cannot read {self._config}: {wrong[:500]}.",
                "Was it written by another version of dltui?",
            ) from error
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self._config}: {reason_of(error)}.") from error

    def table(self) -> SweepTable:
        """The trials so far; an empty table before there are any. Raises :class:`RunError`."""
        try:
            return SweepTable.from_record(safe_json.loads(self._table.read_bytes()))
        except FileNotFoundError:
            return SweepTable()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"Cannot read {self._table}: {reason_of(error)}.") from error

    def write_table(self, table: SweepTable) -> None:
        """Let those who watch see ``table``."""
        atomic.write_json(self._table, table.record())

    def running(self) -> bool:
        """Whether a process searches now. Not for one that does: it would lose its own lock."""
        return self.workers.any()

    def changing(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from beginning a trial meanwhile."""
        return locked(self.path / "changes")

    def ask_to_stop(self) -> None:
        """Let the runs of now stop and no other begin."""
        self._stop.touch(mode=0o600)

    def asked_to_stop(self) -> bool:
        """Return whether a stop was requested."""
        return self._stop.exists()

    @contextmanager
    def held(self) -> Iterator[str]:
        """Search here, and yield a name for this process.

        Raises :class:`RunError` when another process does.
        """
        with locked(self._lock, f"Another process already works on the sweep {self.name}."):
            self._stop.unlink(missing_ok=True)
            with self.workers.joined() as worker:
                yield worker

    def start(self) -> subprocess.Popen[bytes]:
        """Start the search in a process of its own, which continues when this one exits."""
        return spawn("engine.sweep.worker", [str(self.path.absolute())], self.log)

    def join(self, parallel: int | None) -> subprocess.Popen[bytes]:
        """Start another process that searches, with ``parallel`` runs at once or one on each GPU.

        Raises :class:`RunError` for a sweep that was stopped.
        """
        if self.asked_to_stop():
            raise RunError(
                f"The sweep {self.name} was stopped.",
                f"Resume it: dltui sweep --resume {self.name}",
            )
        words = ["--join", *(["--parallel", str(parallel)] if parallel else [])]
        return spawn("engine.sweep.worker", [str(self.path.absolute()), *words], self.log)


def all_sweeps(folder: Path) -> list[SweepDirectory]:
    """All sweeps of a folder, the newest first."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # deleted meanwhile
                if (path / "sweep.toml").is_file():
                    found.append((path.stat().st_mtime, path))
    return [SweepDirectory(path) for _, path in sorted(found, reverse=True)]
