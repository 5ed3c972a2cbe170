"""Count injected and survived faults: `make test-faults` ends with the table.

A test is marked ``@pytest.mark.harm("the fault", tries)``. If it passes, all its tries count as
survived; if it fails, none of them.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

_HARM = "harm"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the marker's arguments to each test's properties, which xdist's workers send back."""
    for item in items:
        for mark in item.iter_markers(_HARM):
            name, tries = (*mark.args, 1)[:2]
            item.user_properties.append((_HARM, [name, tries]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each fault with the number of survived tries, as a table of Markdown."""
    survived: dict[str, int] = defaultdict(int)
    tried: dict[str, int] = defaultdict(int)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for key, value in report.user_properties:
                if key == _HARM:
                    name, tries = value
                    tried[name] += tries
                    survived[name] += tries if outcome == "passed" else 0
    if tried:
        terminalreporter.section("harm", sep="-")
        terminalreporter.write_line("| harm | survived | tried |\n|---|---|---|")
        for name in sorted(tried):
            terminalreporter.write_line(f"| {name} | {survived[name]} | {tried[name]} |")
