"""The settings of a run: the important ones, what automatic ones came to, and what was changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from textual.content import Content

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig, fields_of
from engine.errors import UserError
from engine.runs.compared import flattened
from engine.runs.comparison import Row, differences, text_of
from engine.runs.directory import RunDirectory
from engine.runs.history import History
from tui.format.captions import captioned
from tui.format.key_settings import batch_size, key_settings
from tui.format.live_changes import live_changes
from tui.format.text import literal

_MUTED = "$foreground 60%"
_NAME = 30
_NAMES = ("name", "title")
"""Fields that only name a run."""


@dataclass(frozen=True)
class SettingsUsed:
    """The settings of one run."""

    important: Mapping[str, str] = field(default_factory=dict)
    automatic: Mapping[str, str] = field(default_factory=dict)
    """Fields that were left to the program, with what they came to."""
    preset: str = ""
    """The preset that the run is compared with; empty where it is the defaults."""
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Fields that were set otherwise than there: own value, and the value there."""
    live: Sequence[str] = ()
    """Changes while the run trained."""


def read_settings_used(run: RunDirectory, history: History) -> SettingsUsed:
    """Read the settings of a run; what cannot be read is left out."""
    try:
        config, asked = run.config.read(), run.config.asked()
    except UserError:
        return SettingsUsed()
    preset, usual = _usual(asked)
    return SettingsUsed(
        key_settings(config, history),
        dict(_automatic(config, asked, history)),
        preset,
        {row.name: (text_of(row.values[1]), text_of(row.values[0])) for row in usual},
        live_changes(history),
    )


def settings_lines(used: SettingsUsed) -> Iterator[Content]:
    """Yield a line for each setting under a heading; nothing where none could be read."""
    if not used.important:
        return
    yield Content.styled("Settings", "bold $primary")
    yield from (_pair(name, 13, value) for name, value in used.important.items())
    if used.live:
        yield Content.styled("changed while it trained", _MUTED)
        yield from (literal(f"  {text}", 300) for text in used.live)
    if used.automatic:
        yield Content.styled("automatic", _MUTED)
        yield from (_pair(f"  {name}", _NAME, f"→ {text}") for name, text in used.automatic.items())
    usual = f"preset {used.preset}" if used.preset else "the defaults"
    if not used.changed:
        yield literal(f"no field differs from {usual}", 100).stylize(_MUTED)
        return
    yield literal(f"differs from {usual}", 100).stylize(_MUTED)
    for name, (own, other) in used.changed.items():
        there = f"  ({other})" if other not in ("", "–") else ""
        yield _pair(f"  {name}", _NAME, own, literal(there, 80).stylize(_MUTED))


def _usual(asked: RunConfig) -> tuple[str, list[Row]]:
    """Return the preset that the run is named after, if there is one, and the differences."""
    with contextlib.suppress(UserError):
        preset = load_preset(find_preset(asked.name))
        if preset.task.kind == asked.task.kind:
            return asked.name, list(differences([preset, asked]))
    return "", _beside_defaults(asked)


def _beside_defaults(asked: RunConfig) -> list[Row]:
    fields = fields_of(asked.values())
    return [
        Row(name, (fields[name].default if name in fields else None, value))
        for name, value in flattened(asked.changes())
        if name in fields and name not in _NAMES and not name.endswith(".kind")
    ]


def _automatic(config: RunConfig, asked: RunConfig, history: History) -> Iterator[tuple[str, str]]:
    """Yield fields that were left open, with what the data, the machine or a test decided."""
    settled = [(row.name, text_of(row.values[1])) for row in differences([asked, config])]
    yield from settled
    train = config.train
    if train.batch_size is None and train.batch_tokens is None and (rows := batch_size(config)):
        yield "train.batch_size", rows
    for column in (history.data or {}).get("columns") or ():
        role = str(column.get("role", ""))
        if getattr(asked.task, role, None) in ("", ()):
            yield f"task.{role}", str(column.get("name", ""))
    if (started := history.started) is not None:
        found = {"device": started.device, "precision": started.precision}
        for name, value in found.items():
            left = getattr(asked.compute, name) == "auto"
            if left and f"compute.{name}" not in dict(settled):
                yield f"compute.{name}", value


def _pair(name: str, width: int, value: str, behind: Content | str = "") -> Content:
    return captioned(name, literal(value, 300) + behind, width, width + 20, gap=" ")
