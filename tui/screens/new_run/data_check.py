"""The check of the data in a form: findings with their rows, and what mends them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from typing_extensions import override

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.reports.findings import DataCheck, Finding, Mend
from engine.reports.picture import PictureGroup
from engine.service.client import Advisor
from tui.format.data_check import headline, row_lines
from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.listing import Listing
from tui.widgets.pictures.sheet import PictureSheet
from tui.widgets.question import Answered, Ask, Question
from tui.widgets.scrolling import Scrolling

_COLUMNS = (
    Column("Finding", 16, 18),
    Column("Column", 8, 24),
    Column("Rows", 7, 9, right=True),
    Column("Change", 16, 60),
)
_LONG = 600
_SIDE = 16


class DataCheckScreen(Dialog[Sequence[Mend] | None]):
    """Dismisses the changes that were chosen, ``None`` for no change.

    The check has a helper process of its own: closing the dialog ends it.
    """

    CSS_PATH = "data_check.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "mend('d')", "Drop"),
        Binding("I", "mend('I')", "Move into training"),
        Binding("Y", "mend('Y')", "Mark as right"),
        Binding("tab", "rows", "Rows", show=False),
        Binding("enter", "take", "Take"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    def __init__(self, values: Tree, ask: Ask | None = None) -> None:
        """Check the data of a configuration; use ``ask`` instead of an advisor."""
        super().__init__()
        self._values = values
        self._advisor = Advisor()
        self._question = Question(self, ask or self._advisor.ask, "data check", pictures=True)
        self._chosen: dict[int, Mend] = {}
        """By the place of a finding, the change that was chosen."""

    @override
    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Data check"
            yield Static(literal("checking the data …").stylize("$text-muted"), id="head")
            yield Listing[int](_COLUMNS, self._cells, lambda place: place, choosable=False)
            with Scrolling(id="rows"):
                yield Static(id="about")
                yield PictureSheet(_SIDE)
            yield Hints(
                ("d", "d drops"),
                ("I", "I into training"),
                ("Y", "Y is right"),
                ("enter", "enter takes"),
                ("escape", "esc goes back"),
            )

    def on_mount(self) -> None:
        """Ask for the findings."""
        self._findings: tuple[Finding, ...] = ()
        self._listing.focus()
        self._question.put(self._values)

    def on_unmount(self) -> None:
        """End the check if it is still running."""
        self._advisor.close()

    @property
    def _listing(self) -> Listing[int]:
        return self.query_one(Listing)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        if isinstance(event.answer, UserError):
            problem = literal(event.answer, 1000).stylize("$text-error")
            self.query_one("#head", Static).update(problem)
            return
        check = DataCheck.from_record(event.answer)
        self._findings = check.findings
        limits = [literal(limit, _LONG).stylize("$text-muted") for limit in check.limits]
        self.query_one("#head", Static).update(Content("\n").join([
            literal(headline(check), _LONG).stylize("bold"), *limits,
        ]))  # fmt: skip
        self._listing.set_items(range(len(check.findings)))
        self._listing.styles.height = len(check.findings) + 1
        self._show_rows()

    @on(Listing.Moved)
    def _show_rows(self) -> None:
        """Show the finding at the cursor: its sentence, its changes and its rows."""
        place = self._listing.current
        if place is not None:
            finding = self._findings[place]
            self.query_one("#about", Static).update(Content("\n").join(_about(finding)))
            pairs = [PictureGroup("", row.pictures) for row in finding.rows if row.pictures]
            self.query_one(PictureSheet).show(pairs)
            self.query_one("#rows").scroll_to(0, 0, animate=False)

    def _cells(self, place: int) -> Sequence[Content]:
        finding, chosen = self._findings[place], self._chosen.get(place)
        count = "" if finding.count is None else f"{finding.count:,}"
        change = (
            literal(f"✓ {chosen.label}").stylize("bold $warning") if chosen else _offered(finding)
        )
        return [literal(finding.kind), literal(finding.column), literal(count), change]

    def action_mend(self, key: str) -> None:
        """Choose a change for the finding at the cursor, or no longer."""
        place = self._listing.current
        if place is None:
            return
        found = next((mend for mend in self._findings[place].mends if mend.key == key), None)
        if found is None:
            return
        if self._chosen.pop(place, None) != found:
            self._chosen = {
                other: mend for other, mend in self._chosen.items() if not mend.contradicts(found)
            }
            self._chosen[place] = found
        self._listing.set_items(self._listing.items)

    def action_rows(self) -> None:
        """Focus the rows, or the findings again."""
        rows = self.query_one("#rows")
        (self._listing if rows.has_focus else rows).focus()

    def action_take(self) -> None:
        """Close with the changes that were chosen."""
        self.dismiss([self._chosen[place] for place in sorted(self._chosen)])


def _offered(finding: Finding) -> Content:
    offered = ", ".join(f"{mend.key} {mend.label}" for mend in finding.mends)
    return literal(offered).stylize("$text-muted")


def _about(finding: Finding) -> Iterator[Content]:
    yield literal(finding.why, _LONG)
    for mend in finding.mends:
        yield literal(f"{mend.key}: {mend.label}").stylize("$text-warning")
    for line in row_lines(finding):
        yield literal(line, _LONG).stylize("$text-muted")
