"""A dialog to save the experiment under a name."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Label, Static

from engine.config.presets import Preset, save_preset
from engine.config.run_config import RunConfig
from engine.errors import PresetError
from engine.files.paths import presets_folder
from engine.files.slugs import NAME_RULE, is_name
from tui.format.text import literal
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.plain_input import PlainInput


class SavePresetScreen(Dialog[Preset | None]):
    """Dismisses the saved preset, ``None`` if none was saved."""

    CSS_PATH = "save_preset.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._config = config

    def compose(self) -> ComposeResult:
        """Yield inputs for a name and a title."""
        with Vertical(id="box") as box:
            box.border_title = "Save as preset"
            yield Label("Name")
            yield PlainInput(self._config.name, id="name", max_length=64, compact=True)
            yield Label("Title, a line for lists")
            yield PlainInput(
                literal(self._config.title).plain, id="title", max_length=200, compact=True
            )
            yield Static(id="problem")
            yield Hints(("enter", "enter saves"), ("escape", "esc goes back"))

    @on(Input.Changed, "#name")
    def _check(self, event: Input.Changed) -> None:
        fits = is_name(event.value)
        self.query_one("#problem", Static).update("" if fits else literal(f"{NAME_RULE}."))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        name = self.query_one("#name", Input).value
        if (presets_folder() / f"{name}.toml").exists() and is_name(name):
            self.app.push_screen(
                ConfirmScreen(f"There is a preset {name} already. Replace it?"),
                lambda yes: self._save(name, replace=True) if yes else None,
            )
        else:
            self._save(name, replace=False)

    def _save(self, name: str, replace: bool) -> None:
        title = self.query_one("#title", Input).value
        config = self._config.model_copy(update={"title": title})
        try:
            self.dismiss(save_preset(name, config, replace))
        except PresetError as error:
            self.query_one("#problem", Static).update(literal(error, 400))
