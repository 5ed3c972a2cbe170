"""A sweep from what a person typed: a preset, and fields with one value or several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from subprocess import Popen
from typing import Any

from engine.config.presets import find_preset, load_preset, needs_no_preset, without_preset
from engine.config.run_config import fields_of
from engine.errors import UserError
from engine.files.paths import sweeps_folder
from engine.files.slugs import to_name
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import is_space

MOST_PARALLEL = 64
_SEVERAL = re.compile(r"\.\.|[|,]")
"""Marks of a text that may stand for several values."""


def compose(
    preset: str, assignments: Sequence[str], name: str = "", **settings: Any
) -> SweepConfig:
    """The sweep; ``settings`` are fields of :class:`SweepConfig`.

    In place of a ``preset``, the first of the fields that name task and data may be given. Raises
    :class:`UserError` for whatever is wrong, before anything is written.
    """
    if needs_no_preset(preset):
        preset, assignments = "", [preset, *assignments]
    # A value for the kind of a section decides which fields there are.
    single = [text for text in assignments if not _SEVERAL.search(text.partition("=")[2])]
    config = load_preset(find_preset(preset), []) if preset else without_preset(single)
    known = fields_of(config.override(single).values())
    space, fixed = {}, []
    for text in assignments:
        field, _, value = text.partition("=")
        if is_space(value, known.get(field)):
            space[field] = value
        else:
            fixed.append(text)
    base = config.override(fixed)
    if not space:
        raise UserError(
            "There is nothing to search.", "Name a field with several values: field=4,8,16."
        )
    for setting, most in (("trials", 100_000), ("parallel", MOST_PARALLEL)):
        if not 1 <= settings.get(setting, 1) <= most:
            raise UserError(f"{setting} goes from 1 to {most}.")
    minutes = settings.get("minutes")
    if minutes is not None and not 0 < minutes <= 1_000_000:
        raise UserError("minutes is a number above 0, of at most 1,000,000.")
    sweep = SweepConfig(
        name=to_name(name or f"{config.name[:58]}-sweep"),
        base=base.values(),
        space=space,
        **settings,
    )
    sweep.dimensions()  # an invalid space raises here, not in a log
    return sweep


def begin(config: SweepConfig) -> tuple[SweepDirectory, Popen[bytes]]:
    """Make the sweep's directory and search; raises :class:`UserError`."""
    require_optuna()
    sweep = SweepDirectory.create(sweeps_folder(), config)
    return sweep, sweep.start()


def require_optuna() -> None:
    """Raise :class:`UserError` where a search cannot be."""
    if find_spec("optuna") is None:
        raise UserError("A sweep needs optuna.", "Install it with: pip install 'dltui[sweep]'.")
