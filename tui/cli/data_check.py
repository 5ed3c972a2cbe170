"""The check of data on the command line: each finding with its rows, and what removes it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from engine.config.models.registry import MODELS, models_of
from engine.config.presets import experiment_of
from engine.config.run_config import RunConfig, parse_overridden
from engine.config.tasks.registry import TASKS
from engine.errors import ConfigError, Problem
from engine.files.paths import expanded, is_file, is_folder
from engine.reports.findings import DataCheck, Finding
from engine.reports.note_table import notes_in, tally
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.cost import Cost, cost_facts, estimate_of
from tui.cli.exit_codes import DONE
from tui.format.data_check import assignments, headline, row_lines, shortened, subject
from tui.format.note_lines import note_lines

_ROWS = 5
"""Rows of a finding that are printed; --json has more."""


def check_data(name: str, fields: Sequence[str], json: bool, cost: Cost | None) -> int:
    """Check the data of a preset, or of a file, and the ``cost`` of a run if that is asked for.

    Raises :class:`UserError`.
    """
    config = _config(name, fields)
    with Advisor() as advisor:
        answer = advisor.ask("data check", values=config.values())
        estimate = cost and estimate_of(advisor, config, cost)
    if json:
        console.as_json(answer | ({"estimate": estimate.record()} if estimate else {}))
        return DONE
    if estimate:
        console.facts(cost_facts(estimate))
        console.line()
    check = DataCheck.from_record(answer)
    console.line(headline(check))
    for finding in check.findings:
        console.line()
        _print(finding, config.data.drop_rows, config.data.mark_rows)
    for limit in check.limits:
        console.remark(f"note: {limit}")
    notes = notes_in(answer.get("data"))
    if notes:
        console.line()
        console.line(f"data: {tally(notes)}")
        for line in note_lines(notes, console.width()):
            console.line(line.text)
    return DONE


def _config(name: str, fields: Sequence[str]) -> RunConfig:
    path = expanded(name)
    if name.endswith(".toml") or not (is_file(path) or is_folder(path)):
        return experiment_of(name, fields)
    kind = next((text.partition("=")[2] for text in fields if text.startswith("task.kind=")), None)
    if kind is None:
        raise ConfigError([Problem("task.kind", f"is missing; one of {', '.join(TASKS)}")])
    models = models_of(kind) if kind in TASKS else tuple(MODELS)
    source = {"kind": "file", "path": name}
    values = {"task": {"kind": kind}, "data": source, "model": {"kind": models[0]}}
    return parse_overridden(values, fields)


def _print(finding: Finding, known: tuple[str, ...], marked: tuple[str, ...]) -> None:
    console.line(subject(finding))
    console.line(f"  {finding.why}")
    for line in row_lines(finding, _ROWS):
        console.line(f"    {line}")
    for mend in finding.mends:
        texts = assignments(mend, known, marked)
        changes = " ".join(shlex.quote(shortened(text)) for text in texts)
        console.line(f"  {mend.label}: {changes}")
