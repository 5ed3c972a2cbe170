"""The screens that open from the list of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from textual.screen import Screen

from engine.config.overrides import Tree
from engine.config.presets import Preset, find_preset, load_preset
from engine.errors import UserError
from engine.launch.start import Handle, launch
from engine.runs.status import State
from engine.runs.summary import RunSummary
from tui.charts.chart import MOST_SERIES
from tui.screens.clone import clone
from tui.screens.errands import errands_of
from tui.screens.placed_changes import hosts_of, is_own
from tui.screens.registry import load_screens, make_screen, screen_of, try_screen
from tui.screens.runs.imports import import_from, imported_lines
from tui.screens.runs.on_hosts import OnHosts
from tui.screens.save_preset import save_preset_of
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.notify import complain, tell


class Openings:
    """Opens other screens on top of the list; what cannot be opened is explained."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._on_hosts = OnHosts(screen)

    def new(self, values: Tree | None = None, preset: str = "") -> None:
        """Create a new run; ``preset`` is the name of the origin of ``values``."""
        self._screen.app.push_screen(make_screen("new run", values, preset))

    def show(self, name: str) -> None:
        """Open the trash, the adapters or the sweeps."""
        self._screen.app.push_screen(make_screen(name))

    def presets(self) -> None:
        """Choose a preset and create a new run from it."""

        def chosen(preset: Preset | None) -> None:
            if preset is None:
                return
            try:
                self.new(load_preset(preset).values(), preset.name)
            except UserError as error:
                complain(self._screen, error)

        self._screen.app.push_screen(make_screen("presets"), chosen)

    def start(self, name: str) -> None:
        """Start a shipped preset as it is, and show its monitor."""
        self._screen.run_worker(self._start(name), group="start", exclusive=True)

    async def _start(self, name: str) -> None:
        try:
            started = await asyncio.to_thread(_launch, name)
        except UserError as error:
            complain(self._screen, error)
        else:
            await load_screens(("monitor",))
            self._screen.app.push_screen(make_screen("monitor", started.run))

    def open(self, row: RunSummary) -> None:
        """Open the run's results, or its monitor; say what is wrong with its configuration."""
        if row.problem:
            complain(self._screen, UserError(row.problem))
        self._loaded([row], True, lambda: self._screen.app.push_screen(screen_of(row.run)))

    def clone(self, row: RunSummary) -> None:
        """Create a new run with this run's configuration, on this machine or on a host."""
        if hosts_of(self._screen.app):
            self._on_hosts.clone(row, lambda chosen: clone(self._screen, chosen.run))
        else:
            clone(self._screen, row.run)

    def fetch(self, row: RunSummary) -> None:
        """Copy a run of another machine to this one."""
        self._on_hosts.fetch(row)

    def import_runs(self) -> None:
        """Import runs of other programs from a path that the user types."""

        def answered(path: str | None) -> None:
            if path:
                errands_of(self._screen.app).do(
                    f"Importing the runs in {path}", imported_lines, lambda _: import_from(path)
                )

        title = "Import runs of TensorBoard, W&B, Lightning and others from a file or folder"
        self._screen.app.push_screen(PathPickerScreen(title, "", purpose="read"), answered)

    def try_it(self, rows: Sequence[RunSummary]) -> None:
        """Try the runs' models on new inputs, side by side."""
        if not all(is_own(self._screen, row.run) for row in rows):
            return
        for row in rows:
            if row.state is State.IMPORTED:
                tell(self._screen, f"{row.name} is imported: its model is not here.")
                return
            if not row.state.ended or not row.run.model.exists():
                tell(self._screen, f"{row.name} has no finished model.")
                return
        if rows:
            first, *others = [row.run for row in rows]
            models = errands_of(self._screen.app).models
            self._screen.app.push_screen(try_screen(first, others, models, models.ask))

    def save_preset(self, row: RunSummary) -> None:
        """Save the experiment of the run as a preset."""
        if is_own(self._screen, row.run):
            save_preset_of(self._screen, row.run.id)

    def compare(self, rows: Sequence[RunSummary]) -> None:
        """Compare the runs."""
        screen = self._screen
        if len(rows) < 2:
            tell(screen, "Select at least two runs with space, then compare them.")
        elif len(rows) > MOST_SERIES:
            sentence = (
                f"Up to {MOST_SERIES} runs can be told apart at once; {len(rows)} are selected."
            )
            tell(screen, sentence)
        else:
            runs = [row.run for row in rows]
            self._loaded(rows, False, lambda: screen.app.push_screen(make_screen("compare", runs)))

    def _loaded(self, rows: Sequence[RunSummary], whole: bool, then: Callable[[], object]) -> None:
        """Call ``then`` as soon as the files of all runs are on this machine."""
        if any(row.host for row in rows):
            self._on_hosts.loaded(rows, whole, then)
        else:
            then()


def _launch(preset: str) -> Handle:
    """Start a preset; in a thread, as the configuration takes long to load."""
    return launch(load_preset(find_preset(preset)))
