"""A dialog to set the types of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from engine.config.data.columns import TYPES
from engine.config.fields import FieldSpec
from engine.config.overrides import parse_value, text_of
from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.dialog import Dialog
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.hints import Hints
from tui.widgets.listing import Listing

_COLUMNS = (Column("Column", 12, 30), Column("Read as", 12, 24), Column("Found", 10, 200))
_DETECTED = ""


class ColumnTypesScreen(Dialog[str | None]):
    """Columns with their types; dismisses the text of the field, ``None`` for no change."""

    CSS_PATH = "choice.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right,l", "step(1)", "Next type"),
        Binding("left,h", "step(-1)", "Previous type", show=False),
        Binding("f", "write", "Format"),
        Binding("enter", "take", "Take"),
        Binding("escape", "dismiss(None)", "Back"),
    ]

    def __init__(self, spec: FieldSpec, text: str, found: Mapping[str, str]) -> None:
        """Edit the field ``spec`` with the value ``text``; ``found`` has a line on each column."""
        super().__init__()
        self._spec = spec
        value = parse_value(text, spec)
        self._set: dict[str, str] = dict(value) if isinstance(value, Mapping) else {}
        self._found = dict.fromkeys(self._set, "not in the data") | dict(found)

    def compose(self) -> ComposeResult:
        """Yield the list."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._spec.name)
            listing = Listing[str](_COLUMNS, self._cells, lambda name: name, choosable=False)
            listing.styles.height = len(self._found) + 1
            yield listing
            yield Hints(
                ("space", "space changes"),
                ("f", "f sets a format"),
                ("enter", "enter takes"),
                ("escape", "esc goes back"),
            )

    def on_mount(self) -> None:
        """Show the columns."""
        self._listing.set_items(list(self._found))
        self._listing.focus()

    @property
    def _listing(self) -> Listing[str]:
        return self.query_one(Listing)

    def _cells(self, name: str) -> Sequence[Content]:
        setting = self._set.get(name, _DETECTED)
        read_as = literal(setting).stylize("bold $warning") if setting else Content("as found")
        return [literal(name), read_as, literal(self._found[name]).stylize("$text-muted")]

    def action_step(self, step: int) -> None:
        """Set the next type of the column at the cursor, or none."""
        name = self._listing.current
        if name is not None:
            steps = [_DETECTED, *TYPES]
            word = self._set.get(name, _DETECTED).partition(" ")[0]
            at = steps.index(word) if word in steps else 0
            self._change(name, steps[(at + step) % len(steps)])

    async def action_write(self) -> None:
        """Choose a type from a list, or type it with a format."""
        name = self._listing.current
        if name is None:
            return

        def chosen(setting: str | None) -> None:
            if setting is not None:
                self._change(name, setting)

        current = self._set.get(name, _DETECTED)
        known = {str(type): about for type, about in TYPES.items()}
        options = {_DETECTED: "as it is found in the data"} | known
        await self.app.push_screen(ChoiceScreen(name, options, current, free=True), chosen)

    def _change(self, name: str, setting: str) -> None:
        self._set.pop(name, None)
        if setting:
            self._set[name] = _with_type(setting)
        self._listing.set_items(self._listing.items)

    def action_take(self) -> None:
        """Close with the types that are set."""
        self.dismiss(text_of(self._set, self._spec))


def _with_type(setting: str) -> str:
    """Return a setting with its type, which a format alone shows."""
    if setting.partition(" ")[0] in TYPES:
        return setting
    if "%" in setting:
        return f"date {setting}"
    return f"numeric {setting}" if setting[:1].isdecimal() else setting
