"""The list of presets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from engine.config.presets import Preset, delete_preset, list_presets
from engine.config.tasks.registry import TASKS
from engine.errors import UserError
from tui.format.text import literal
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.widgets.columns import Column
from tui.widgets.listing import Listing
from tui.widgets.notify import complain, tell
from tui.widgets.plain_input import PlainInput
from tui.widgets.steady_footer import SteadyFooter

_HEADING = "Presets · enter takes the one with the cursor"
_NONE = "Presets · none has these words in its name, task, needs or title"
_COLUMNS = (
    Column("Name", 16, 24),
    Column("Task", 14, 29),
    Column("Source", 7, 7),
    Column("Needs", 8, 14),
    Column("What it does", 20, 200),
)


class PresetsScreen(Screen[Preset | None]):
    """Dismisses the chosen preset, ``None`` for none; typing filters the list."""

    CSS_PATH = "presets.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("d,delete", "delete", "Delete"),
        Binding("escape,q", "leave", "Back"),
    ]

    @dataclass
    class Read(Message):
        """The presets as read from disk, in order."""

        presets: Sequence[Preset]

    def __init__(self) -> None:
        super().__init__()
        self._all: Sequence[Preset] = ()

    def compose(self) -> ComposeResult:
        """Yield a list and, below it, the filter."""
        yield Static(_HEADING, id="heading")
        yield Listing[Preset](_COLUMNS, _cells, lambda preset: preset.name)
        yield Static(id="detail")
        yield PlainInput(placeholder="words that name, task, needs or title contain", compact=True)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the presets in a thread."""
        self._listing.focus()
        self._read()

    @property
    def _listing(self) -> Listing[Preset]:
        return self.query_one(Listing)

    @property
    def _filter(self) -> Input:
        return self.query_one(Input)

    @work(thread=True, exit_on_error=False)
    def _read(self) -> None:
        self.post_message(self.Read(sorted(list_presets(), key=_rank)))

    @on(Read)
    def _show(self, event: Read) -> None:
        self._all = event.presets
        self._narrow()

    @on(Input.Changed)
    def _narrow(self) -> None:
        words = self._filter.value.lower().split()
        shown = [preset for preset in self._all if _has(preset, words)]
        self._listing.set_items(shown)
        none = bool(self._all) and not shown
        self.query_one("#heading", Static).update(_NONE if none else _HEADING)
        self._tell()

    @on(Listing.Moved)
    def _tell(self) -> None:
        """Show what the preset at the cursor does, whole: its row may have no room for it."""
        preset = self._listing.current
        self.query_one("#detail", Static).update(_about(preset) if preset else "")

    @on(Input.Submitted)
    def _narrowed(self) -> None:
        self._listing.focus()

    @on(Listing.Selected)
    def action_choose(self) -> None:
        """Choose the preset at the cursor."""
        preset = self._listing.current
        if preset is None:
            return
        if preset.problem:
            complain(self, UserError(f"{preset.name} cannot be used. {preset.problem}"))
        else:
            self.dismiss(preset)

    def action_filter(self) -> None:
        """Focus the filter."""
        self._filter.add_class("-open")
        self._filter.focus()

    def action_delete(self) -> None:
        """Delete one of the user's own presets, after a confirmation."""
        preset = self._listing.current
        if preset is None:
            return
        if preset.shipped:
            tell(self, f"{preset.name} came with the program and stays.")
            return
        self.app.push_screen(
            ConfirmScreen(f"Delete the preset {preset.name}?"),
            lambda yes: self._delete(preset) if yes else None,
        )

    def _delete(self, preset: Preset) -> None:
        try:
            delete_preset(preset)
        except UserError as error:
            complain(self, error)
        self._read()

    def action_leave(self) -> None:
        """Close the filter, then the screen."""
        if self._filter.has_class("-open"):
            self._filter.value = ""
            self._filter.remove_class("-open")
            self._listing.focus()
        else:
            self.dismiss(None)


def _rank(preset: Preset) -> tuple[bool, int, bool]:
    """Return the place in the list: own ones, then by domain, in it those that need nothing."""
    domains = list(dict.fromkeys(task.domain for task in TASKS.values()))
    known = TASKS.get(preset.task)
    place = domains.index(known.domain) if known is not None else len(domains)
    return preset.shipped, place, bool(preset.needs)


def _task(preset: Preset) -> str:
    """Return the task in words, as the form has it."""
    known = TASKS.get(preset.task)
    return preset.task if known is None else known.title


def _has(preset: Preset, words: Sequence[str]) -> bool:
    about = (preset.name, preset.task, _task(preset), preset.title)
    text = " ".join([*about, _source(preset), _needs(preset)]).lower()
    return all(word in text for word in words)


def _source(preset: Preset) -> str:
    return "shipped" if preset.shipped else "yours"


def _needs(preset: Preset) -> str:
    return ", ".join(preset.needs) or "nothing"


def _about(preset: Preset) -> Content:
    """Return what it does, or the reason why it cannot be used."""
    if preset.problem:
        return literal(f"! {preset.problem}", 500).stylize("$text-error")
    return literal(preset.title)


def _cells(preset: Preset) -> list[Content]:
    source = literal(_source(preset)).stylize("$text-muted" if preset.shipped else "$text-accent")
    style = "$text-warning" if preset.needs else "$text-success"
    needs = Content("–") if preset.problem else literal(_needs(preset)).stylize(style)
    return [literal(preset.name), literal(_task(preset)), source, needs, _about(preset)]
