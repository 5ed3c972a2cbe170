"""Selection of an adapter's target modules among the layers of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.config.adapter import ALL_LINEAR, ATTENTION, PEFT_DEFAULT
from engine.config.overrides import parse_value
from engine.errors import UserError
from engine.reports.layer_groups import TargetGroup
from engine.service.client import Superseded
from tui.charts.canvas import Canvas
from tui.format.numbers import amount
from tui.format.text import literal
from tui.screens.new_run.draft import Draft
from tui.widgets.columns import Column
from tui.widgets.form.several import list_text
from tui.widgets.listing import Listing
from tui.widgets.notify import complain, tell
from tui.widgets.question import Answer, Ask
from tui.widgets.steady_footer import SteadyFooter

_NAME = "adapter.target_modules"
_MODEL = ("task", "data", "model")
"""The sections on which the layers depend; others may be invalid."""
_COLUMNS = (
    Column("", 3, 3),
    Column("Layers", 18, 32),
    Column("Count", 5, 9, right=True),
    Column("Shape", 12, 34),
    Column("Adds", 8, 9, right=True),
    Column("Of model", 8, 8, right=True),
    Column("Chosen by", 8, 34),
)


@dataclass
class Layers:
    """The layer groups of a model, those selected, and the parameters that they add."""

    groups: Sequence[TargetGroup] = ()
    presets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """``count``, ``parameters_per_rank`` and ``outputs`` by preset, which may split a group."""
    parameters: int = 1
    """Number of parameters of the model without an adapter."""
    names: set[str] = field(default_factory=set)
    preset: str = ""
    """The preset that selected them, until one is changed by hand."""

    def choose(self, wanted: Sequence[str]) -> list[str]:
        """Select by names and presets; returns those that match nothing."""
        found = {one: [g.name for g in self.groups if g.named(one)] for one in wanted}
        self.names = {name for names in found.values() for name in names}
        alone = wanted[0] if len(wanted) == 1 else ""
        self.preset = alone if self.takes(alone) else ""
        return [one for one, names in found.items() if not names and not self.takes(one)]

    def takes(self, preset: str) -> int:
        """Return the number of layers that a preset selects."""
        return self.presets.get(preset, {}).get("count", 0)

    def chosen(self, group: TargetGroup) -> int:
        """Return the number of layers of a group that are selected; a preset may split it."""
        if group.name in self.names:
            return group.count
        return group.parts.get(self.preset, 0)

    def toggle(self, name: str) -> None:
        """Select or deselect a group."""
        self.names ^= {name}
        self.preset = ""

    @property
    def targets(self) -> list[str]:
        """The selection as the configuration takes it: a preset suits other models too."""
        if self.preset:
            return [self.preset]
        return [group.name for group in self.groups if group.name in self.names]

    @property
    def count(self) -> int:
        """Number of selected layers."""
        chosen = (group.count for group in self.groups if group.name in self.names)
        return self.takes(self.preset) or sum(chosen)

    def adds(self, rank: int, magnitudes: bool) -> int:
        """Return the parameters that the selection adds, with or without DoRA's ``magnitudes``."""
        if self.preset:
            cost = self.presets[self.preset]
            return rank * cost["parameters_per_rank"] + magnitudes * cost["outputs"]
        chosen = [group for group in self.groups if group.name in self.names]
        return sum(_adds(group, rank, magnitudes) for group in chosen)


def _adds(group: TargetGroup, rank: int, magnitudes: bool) -> int:
    return rank * group.parameters_per_rank + magnitudes * group.outputs


class TargetsScreen(Screen[str | None]):
    """Dismisses the selected layers as TOML takes them, ``None`` for no change."""

    CSS_PATH = "targets.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take"),
        Binding("space", "tick", "Choose"),
        Binding("1", f"preset('{ATTENTION}')", "Attention"),
        Binding("2", f"preset('{ALL_LINEAR}')", "All linear"),
        Binding("3", f"preset('{PEFT_DEFAULT}')", "PEFT default"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    @dataclass
    class Found(Message):
        """The layers of the model, or the error."""

        answer: Answer | UserError

    def __init__(self, draft: Draft, ask: Ask) -> None:
        super().__init__()
        self._draft = draft
        self._ask = ask
        self._rank = draft.adapter_rank
        self._magnitudes = draft.values.value("adapter.method") == "dora"
        self._layers = Layers()

    def compose(self) -> ComposeResult:
        """Yield a list between its caption and its sum."""
        yield Canvas(id="head")
        yield Listing[TargetGroup](_COLUMNS, self._cells, lambda group: group.name, choosable=False)
        yield Static(id="problem")
        yield Canvas(id="total")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Build the model in the advisor meanwhile, without weights."""
        self._say("looking at the model …")
        self._listing.focus()
        values = self._draft.values.tree
        self._find({section: values[section] for section in _MODEL})

    def on_resize(self) -> None:
        """Write as much of the sum as there is room for."""
        if self._layers.groups:
            self._show()

    @property
    def _listing(self) -> Listing[TargetGroup]:
        return self.query_one(Listing)

    def _say(self, text: str, style: str = "$text-muted") -> None:
        title = Content.styled("Layers for the adapter   ", "bold $primary")
        self.query_one("#head", Canvas).show([title + literal(text, 300).stylize(style)])

    @work(thread=True, exit_on_error=False)
    def _find(self, values: Answer) -> None:
        try:
            self.post_message(self.Found(self._ask("targets", values=values)))
        except Superseded:
            return
        except UserError as error:
            self.post_message(self.Found(error))

    @on(Found)
    def _found(self, event: Found) -> None:
        if isinstance(event.answer, UserError):
            self._say("")
            self.query_one("#problem", Static).update(literal(event.answer, 1000))
            return
        groups = list(map(TargetGroup.from_record, event.answer["groups"]))
        self._layers = Layers(groups, event.answer["presets"], event.answer["parameters"])
        strangers = self._layers.choose(_wanted(self._draft))
        self._show()
        if strangers:
            self._say(f"this model has no {', '.join(strangers)}", "$text-warning")

    def _show(self) -> None:
        layers = self._layers
        if self._draft.values.text("adapter.target_pattern"):
            self._say("adapter.target_pattern is set and goes before these", "$text-warning")
        else:
            self._say(f"{amount(layers.parameters)} parameters in the model")
        self._listing.set_items(layers.groups)
        adds, share = self._written(layers.adds(self._rank, self._magnitudes))
        total = Content(f"{adds} trained").stylize("bold") + literal(
            f"  {share} of the model  r {self._rank}"
            f"  {layers.count} layers  {', '.join(layers.targets)}", 300
        )  # fmt: skip
        width = self.size.width - 2  # within its padding
        self.query_one("#total", Canvas).show([total.truncate(width, ellipsis=True)])

    def _written(self, count: int) -> tuple[str, str]:
        """Return the trainable parameters, and their percentage of the model's."""
        return amount(count), f"{100 * count / self._layers.parameters:.3g} %"

    def _cells(self, group: TargetGroup) -> list[Content]:
        chosen = self._layers.chosen(group)
        ticked = chosen == group.count
        count = str(group.count) if ticked or not chosen else f"{chosen}/{group.count}"
        adds, share = self._written(_adds(group, self._rank, self._magnitudes))
        return [
            _mark(chosen, group.count),
            literal(group.name).stylize("bold" if chosen else ""),
            Content(count),
            literal(", ".join(group.shapes)),
            Content(adds),
            Content(share),
            literal(", ".join(group.preset)).stylize("$foreground 60%"),
        ]

    def action_tick(self) -> None:
        """Select or deselect the group at the cursor."""
        group = self._listing.current
        if group is not None:
            self._layers.toggle(group.name)
            self._show()

    def action_preset(self, preset: str) -> None:
        """Select the layers of a preset in this model."""
        if not self._layers.takes(preset):
            tell(self, f"This model has no layers for {preset}.")
            return
        self._layers.choose([preset])
        self._show()

    def action_take(self) -> None:
        """Close with the selection."""
        if self._layers.targets:
            self.dismiss(list_text(self._layers.targets))
        elif self._layers.groups:
            complain(self, UserError("An adapter needs at least one kind of layer."))


def _mark(chosen: int, count: int) -> Content:
    """Return the mark of a group of which as many layers are selected."""
    if chosen == count:
        return Content.styled("[x]", "bold $success")
    return Content.styled("[-]", "bold $warning") if chosen else Content.styled("[ ]", "dim")


def _wanted(draft: Draft) -> list[str]:
    return list(map(str, parse_value(draft.values.text(_NAME), draft.values.fields[_NAME])))
