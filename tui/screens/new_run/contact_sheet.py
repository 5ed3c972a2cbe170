"""Images of each class, as they are stored or as a training sees them."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static
from typing_extensions import override

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.reports.picture import PictureGroup, read_groups
from tui.format.text import literal
from tui.screens.registry import make_screen
from tui.terminal.key_names import key_of
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.pictures.explorer import PictureExplorer
from tui.widgets.pictures.sheet import SIDE
from tui.widgets.question import Answered, Ask, Question
from tui.widgets.scrolling import Scrolling

_EACH, _FEW = 8, 4
"""Images a class, and those over a slow connection."""
_STATES = {
    None: "as stored",
    True: "augmented",
    False: "as stored: task.augmentation changes nothing",
}
_SIDES = (4, 64)
"""Least and greatest width of an image in cells."""


class ContactSheetScreen(Dialog[None]):
    """Asks for the images in a thread, and again for others or for augmented ones."""

    CSS_PATH = "contact_sheet.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "augment", "Augmented or as stored"),
        Binding("n", "others", "New images"),
        Binding("plus,equals_sign", "resize(1)", "Larger", key_display="+"),
        Binding("minus", "resize(-1)", "Smaller", key_display="-"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    def __init__(self, values: Tree, ask: Ask) -> None:
        """Show images of a configuration's data, as ``ask`` answers."""
        super().__init__()
        self._values = values
        self._question = Question(self, ask, "contact sheet")
        self._augmented = False
        self._seed, self._variant = 0, 0
        self._groups: list[PictureGroup] = []
        self._state = "as stored"

    @override
    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Images"
            yield Static(id="head")
            with Scrolling(can_focus=False):
                yield PictureExplorer()
            sizes = f"{key_of(self.app, 'larger')} {key_of(self.app, 'smaller')} size"
            yield Hints(
                ("v", "v augments"),
                ("n", "n draws others"),
                ("plus", sizes),
                ("enter", "enter enlarges"),
                ("escape", "esc goes back"),
            )

    def on_mount(self) -> None:
        """Ask for the images."""
        slow = getattr(self.app, "slow_link", False)
        self._side, self._each = SIDE, _FEW if slow else _EACH
        self._sheet.focus()
        self._request()

    @property
    def _sheet(self) -> PictureExplorer:
        return self.query_one(PictureExplorer)

    def action_augment(self) -> None:
        """Show the images augmented, or as they are stored."""
        self._augmented = not self._augmented
        self._request()

    def action_others(self) -> None:
        """Draw other images; where they are augmented, other random changes of the same ones."""
        if self._augmented:
            self._variant += 1
        else:
            self._seed += 1
        self._request()

    def action_resize(self, step: int) -> None:
        """Show the images larger or smaller."""
        side = int(self._side * 2**step)
        if _SIDES[0] <= side <= _SIDES[1]:
            self._side = side
            self._sheet.show(self._groups, side)

    def _request(self) -> None:
        self._say("reading the images …")
        drawn: dict[str, Any] = {"values": self._values, "each": self._each, "seed": self._seed}
        if self._augmented:
            self._question.send("augmented contact sheet", **drawn, variant=self._variant)
        else:
            self._question.send(**drawn)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        if not self._question.newest(event):
            return
        if isinstance(event.answer, UserError):
            self._say(str(event.answer), "$text-error")
            return
        self._groups = read_groups(event.answer["groups"])
        self._state = _STATES[event.answer.get("changed")]
        self._sheet.show(self._groups, self._side)

    @on(PictureExplorer.Moved)
    def _show_current(self) -> None:
        """Name the picture at the cursor."""
        picture = self._sheet.current
        self._say(f"{self._state}   {picture.words if picture else ''}")

    @on(PictureExplorer.Enlarged)
    def _enlarge(self, event: PictureExplorer.Enlarged) -> None:
        self.app.push_screen(make_screen("picture", [event.picture]))

    def _say(self, text: str, style: str = "$text-muted") -> None:
        self.query_one("#head", Static).update(literal(text, 300).stylize(style), layout=False)
