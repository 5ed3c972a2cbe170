"""Preview of the data: columns, balance of the classes, the first rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from typing_extensions import override

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.reports.note_table import FEW, notes_in
from engine.reports.picture import Picture, PictureGroup
from engine.service.client import AdvisorError
from tui.format.numbers import known_count
from tui.format.text import literal
from tui.widgets.note_contents import note_contents
from tui.widgets.pictures.sheet import PictureSheet
from tui.widgets.question import Answer, Answered, Ask, Question
from tui.widgets.scrolling import Scrolling

_COLUMNS = 200
_CLASSES = 30
_TABLE_COLUMNS = 40
_CELL = 40
_LINE = 500
_NAME = 18
_BAR = 16
_SIDE = 12
_NARROWEST = 20


class DataPreview(Scrolling):
    """Requests a preview from the advisor when data or task change; posts the columns."""

    @dataclass
    class Columns(Message):
        """The columns of the data, each with its type and role; empty while unknown."""

        columns: Mapping[str, str]

    @dataclass
    class TypesWanted(Message):
        """The types of columns are to be set."""

    @dataclass
    class CheckWanted(Message):
        """The data is to be checked."""

    @dataclass
    class ImagesWanted(Message):
        """The images are to be seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "images", "Images", tooltip="Images of each class, augmented or not"),
        Binding("f", "set_types", "Column types"),
        Binding("D", "check", "Check", tooltip="Look for duplicates, leaks, drift, wrong labels"),
    ]

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._question = Question(self, ask, "preview")
        self._asked: Tree | None = None
        self._answer: Answer | None = None
        self._said = Content("")
        self._wrong = ""
        self.rows = 0
        """Training rows; 0 while they are not known."""
        self.problem = ""
        """Reason why the data cannot be shown."""
        self.refused = False
        """Whether that is the data, and not the helper process."""

    def compose(self) -> ComposeResult:
        """Yield some images above a text, which is as wide and as long as it needs to be."""
        self.border_title = "Data"
        yield PictureSheet(_SIDE)
        yield Static()

    def show(self, values: Tree | None, wrong: str = "") -> None:
        """Show the data of another configuration.

        ``None`` leaves what is shown, below a line on what is ``wrong`` with the configuration.
        """
        self._wrong = wrong
        if values is None:
            self._draw_again()
            return
        asked = {section: values[section] for section in ("task", "data")}
        asked["tokenizer"] = values["model"].get("path")
        if asked == self._asked:
            self._draw_again()
            return
        if self._asked is not None and asked["data"] != self._asked["data"]:
            self.post_message(self.Columns({}))
        self._asked = asked
        self._answer = None
        self.rows, self.problem, self.refused = 0, "", False
        self.query_one(PictureSheet).show([])
        self._say(literal("reading the data …").stylize("$text-muted"))
        self.scroll_to(0, 0, animate=False)
        self._question.put(values)

    def read_again(self, values: Tree) -> None:
        """Read the data anew: it may have been mended meanwhile."""
        self._asked = None
        self.show(values)

    def action_images(self) -> None:
        """Show images of each class."""
        self.post_message(self.ImagesWanted())

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether there are images."""
        del parameters
        return action != "images" or bool(self._answer and self._answer.get("pictures"))

    def action_set_types(self) -> None:
        """Set the types of columns."""
        self.post_message(self.TypesWanted())

    def action_check(self) -> None:
        """Look for duplicates, leaks, drift and wrong labels."""
        self.post_message(self.CheckWanted())

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        if not self._question.newest(event):
            return
        if isinstance(event.answer, UserError):
            self.refused = not isinstance(event.answer, AdvisorError)
            self._complain(str(event.answer))
        else:
            self._show(event.answer)

    def _complain(self, problem: str, rest: Sequence[Content] = ()) -> None:
        self.problem = problem
        sentence = literal(problem, 1000).stylize("$text-error")
        self._say(Content("\n").join([sentence, *rest]))
        self.add_class("-problem")

    def _say(self, text: Content) -> None:
        self.remove_class("-problem")
        self._said = text
        self._draw_again()

    def _draw_again(self) -> None:
        """Show the text, below a line where it is not of the current values."""
        lines = [self._said]
        if self._wrong:
            wrong = literal(self._wrong, 300).stylize("$text-error")
            before = literal("Below is the data of the last values that were right.")
            lines = [wrong, before.stylize("$text-warning"), Content(""), self._said]
        self.query_one(Static).update(Content("\n").join(lines))

    def on_resize(self) -> None:
        """Wrap the table of notes for the new width."""
        if self._answer is not None:
            self._draw(self._answer)

    def _show(self, answer: Answer) -> None:
        self._answer = answer
        self._draw(answer)
        pictures = tuple(Picture(**one) for one in answer.get("pictures", ()))
        self.query_one(PictureSheet).show([PictureGroup("", pictures)] if pictures else [])
        self.refresh_bindings()
        columns = answer["summary"]["columns"] if answer["summary"] else []
        self.rows = answer["summary"]["rows"].get("train", 0) if answer["summary"] else 0
        self.post_message(self.Columns(_kinds(answer["columns"], columns)))

    def _draw(self, answer: Answer) -> None:
        summary = answer["summary"]
        if summary is None:
            self.refused = True
            self._complain(answer["problem"], list(_row_lines(answer)))
        else:
            width = self.scrollable_content_region.width
            if not self.show_vertical_scrollbar:  # the text may bring it about
                width -= self.styles.scrollbar_size_vertical
            lines = [*_lines(summary, width), *_sample_lines(summary), *_row_lines(answer)]
            self._say(Content("\n").join([*lines, *_rest_of_notes(summary, width)]))


def _kinds(names: Sequence[str], columns: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    known = {column["name"]: f"{column['type']}, {column['role']}" for column in columns}
    return {name: known.get(name, "") for name in names}


def _lines(summary: Mapping[str, Any], width: int) -> Iterator[Content]:
    rows = "  ".join(f"{name} {count:,}" for name, count in summary["rows"].items())
    yield literal(summary["source"]).stylize("bold") + literal(f"  {rows}")
    for name, fact in (summary["facts"] or {}).items():
        fitting = wrap(f"{name}: {fact}", max(_NARROWEST, width), subsequent_indent="  ")
        yield from map(literal, fitting)
    if notes := notes_in(summary):
        yield Content("")
        yield from note_contents(notes[:FEW], width)
        yield from _more(len(notes) - FEW, "notes, at the end")
    yield from _column_lines(summary["columns"])
    if summary["classes"]:
        yield from _class_lines(summary["classes"])


def _rest_of_notes(summary: Mapping[str, Any], width: int) -> Iterator[Content]:
    if rest := notes_in(summary)[FEW:]:
        yield Content("")
        yield from note_contents(rest, width)


def _sample_lines(summary: Mapping[str, Any]) -> Iterator[Content]:
    """Rows as a language model reads them, what is learned in another colour and in brackets."""
    for number, parts in enumerate(summary.get("samples") or (), 1):
        yield Content("")
        yield literal(f"sample {number}, with what is [learned]").stylize("$text-muted")
        text = Content("")
        for part, learned in parts:
            lines = Content("\n").join(literal(line, _LINE) for line in part.split("\n"))
            text += Content("[") + lines + Content("]") if learned else lines
            if learned:
                text = text.stylize("$text-success", len(text) - len(lines) - 2)
        yield text


def _column_lines(columns: Sequence[Mapping[str, Any]]) -> Iterator[Content]:
    """A table as narrow as its cells allow: beside the form there is little room."""
    shown = columns[:_COLUMNS]
    names = [literal(column["name"]) for column in shown]
    name_width = _width("column", (name.cell_length for name in names), _NAME)
    type_width = _width("type", (len(column["type"]) for column in shown), 11)
    role_width = _width("role", (len(column["role"]) for column in shown), 9)
    yield Content("")
    counted = any(column["distinct"] for column in shown)
    head = f"{'column':{name_width}} {'type':{type_width}} {'role':{role_width}} missing"
    yield literal(head + " distinct" * counted).stylize("$text-muted")
    for name, column in zip(names, shown, strict=True):
        role = column["role"] if len(column["role"]) <= role_width else _without_reason(column)
        kinds = f"{column['type']:{type_width}.{type_width}} {role:{role_width}}"
        counts = f"{column['missing']:7,}"
        counts += f" {known_count(column['distinct']):>8}" * counted
        cells = f" {kinds:.{type_width + 1 + role_width}} {counts}  {column['example']}"
        yield _fit(name, name_width).stylize("bold") + literal(cells)
    yield from _more(len(columns) - _COLUMNS, "columns")


def _without_reason(column: Mapping[str, Any]) -> str:
    """Return the role alone, as the reason why a column is left out has no room."""
    return str(column["role"]).partition(":")[0]


def _width(heading: str, widths: Iterable[int], most: int) -> int:
    """Return the width of a column with these cells, at most ``most``."""
    return min(most, max(len(heading), *widths, 0))


def _class_lines(classes: Mapping[str, int]) -> Iterator[Content]:
    yield Content("")
    yield literal("class balance (training rows)").stylize("$text-muted")
    most = max(classes.values()) or 1
    total = sum(classes.values()) or 1
    for name, count in list(classes.items())[:_CLASSES]:
        bar = Content("█" * max(bool(count), round(_BAR * count / most))).stylize("$primary")
        figures = literal(f" {count:,}  {100 * count / total:.1f} %")
        yield _fit(literal(name), _NAME) + Content(" ") + _fit(bar, _BAR) + figures
    yield from _more(len(classes) - _CLASSES, "classes")


def _row_lines(answer: Answer) -> Iterator[Content]:
    names = answer["columns"][:_TABLE_COLUMNS]
    cells = [[literal(cell, _CELL) for cell in row[: len(names)]] for row in answer["rows"]]
    heads = [literal(name, _CELL) for name in names]
    widths = [
        max(cell.cell_length for cell in column) for column in zip(heads, *cells, strict=True)
    ]
    yield Content("")
    yield _joined(heads, widths).stylize("$text-muted")
    for row in cells:
        yield _joined(row, widths)


def _joined(cells: Sequence[Content], widths: Sequence[int]) -> Content:
    return Content("  ").join(map(_fit, cells, widths))


def _fit(text: Content, width: int) -> Content:
    cut = text.truncate(width, ellipsis=True)
    return cut.pad_right(width - cut.cell_length)


def _more(count: int, noun: str) -> Iterator[Content]:
    if count > 0:
        yield literal(f"… and {count:,} more {noun}").stylize("$text-muted")
