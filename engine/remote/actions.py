"""Requests of the terminal that change something, carried out as if they were made here."""

from __future__ import annotations

from pathlib import Path

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.files import safe_toml
from engine.launch.start import Handle, start
from engine.queue import entries
from engine.remote.messages import (
    Annotate,
    ChangeQueue,
    Control,
    Discard,
    Done,
    FileList,
    Launch,
    ListFiles,
    Part,
    ReadFile,
    Resume,
)
from engine.remote.queue_news import change_queue
from engine.remote.run_files import file_list, file_part
from engine.runs.annotations import Annotations, to_tags, write_annotations
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.trash import discard

Asked = Control | Annotate | Resume | Discard | Launch | ChangeQueue | ListFiles | ReadFile


class Actions:
    """Acts on the runs of one folder; started runs outlive it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Handle] = []

    def do(self, asked: Asked) -> Done | FileList | Part:
        """Carry out a request. Raises :class:`~engine.errors.UserError` and ``OSError``."""
        if isinstance(asked, Launch):
            return Done(number=asked.number, run=self._launch(asked).id)
        if isinstance(asked, ChangeQueue):
            change_queue(asked)
            return Done(number=asked.number)
        run = self._run(asked.run)
        if isinstance(asked, ListFiles):
            return file_list(asked, run)
        if isinstance(asked, ReadFile):
            return file_part(asked, run)
        self._change(asked, run)
        return Done(number=asked.number)

    def reap(self) -> None:
        """Forget runs that have ended; until then a process that exited counts as a zombie."""
        self._started = [each for each in self._started if each.process.poll() is None]

    def _run(self, run: str) -> RunDirectory:
        """Return a run by its whole id. Raises :class:`RunError`."""
        found = RunDirectory(self._folder / run)
        if found.path.is_symlink() or not (found.path / "config.toml").is_file():
            raise RunError(f"There is no run {run} any more.")
        return found

    def _change(self, asked: Control | Annotate | Resume | Discard, run: RunDirectory) -> None:
        if isinstance(asked, Control):
            arguments = {} if asked.value is None else {"value": asked.value}
            run.requests.send(Request(asked.action, arguments))
        elif isinstance(asked, Annotate):
            notes = Annotations(to_tags(asked.tags), asked.note, asked.pinned)
            write_annotations(run, notes)
        elif isinstance(asked, Resume):
            self._started.append(start(run))
        else:
            discard(run)

    def _launch(self, asked: Launch) -> RunDirectory:
        """Make a run of a configuration that this version accepts."""
        try:
            values = safe_toml.loads(asked.config)
        except safe_toml.TomlError as error:
            raise RunError(f"The configuration is not TOML: {error}.") from error
        config = RunConfig.parse(values)
        if not asked.queue:
            run = RunDirectory.create(self._folder, config)
            self._started.append(start(run))
            return run
        run = entries.add(config)
        if not entries.running():
            entries.start()
        return run
