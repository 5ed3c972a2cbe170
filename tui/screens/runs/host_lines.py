"""A line for each host below the list of runs: its GPUs and queue, or why it is not reachable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine.runs.events import Resources
from engine.runs.status import State
from tui.charts.canvas import Canvas
from tui.format.numbers import size
from tui.format.text import literal
from tui.hosts.hosts import Hosts
from tui.screens.runs.machine_strip import Machine, gauges
from tui.widgets.visible_feed import VisibleFeed

if TYPE_CHECKING:
    from engine.remote.messages import Machine as Measured
    from tui.hosts.host import Host

_SECONDS = 1.0, 5.0
"""Between two looks at what is known: usually, and over a slow connection."""
_MOST = 4
"""Lines; the list needs the others."""
_NAME = 12
_MUTED = "$foreground 60%"


class HostLines(Canvas):
    """Shows the hosts while it is visible; without hosts it has no line."""

    def __init__(self, hosts: Hosts) -> None:
        super().__init__(id="hosts")
        self._hosts = hosts
        self._last: Sequence[Content] = ()
        self.feed = VisibleFeed(self, self._read, self._fill, _SECONDS)
        self.display = bool(hosts)

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self.feed.end()

    def _read(self) -> Iterator[Sequence[Content]]:
        lines = host_lines(list(self._hosts))
        if lines != self._last:
            self._last = lines
            yield lines

    def _fill(self, lines: Sequence[Content]) -> None:
        self.styles.height = max(1, len(lines))
        self.show(lines)


def host_lines(hosts: Sequence[Host]) -> list[Content]:
    """Return a line for each host; of many, those with a problem first."""
    ordered = sorted(hosts, key=lambda host: host.link.standing.phase != "gone")
    chosen = set(ordered[:_MOST] if len(hosts) <= _MOST else ordered[: _MOST - 1])
    lines = [host_line(host) for host in hosts if host in chosen]
    if len(chosen) < len(hosts):
        lines.append(Content.styled(f"and {len(hosts) - len(chosen)} more hosts", _MUTED))
    return lines


def host_line(host: Host) -> Content:
    """Return what is known of one host."""
    name = literal(f"{host.name:<{_NAME}}", 40).stylize("bold")
    standing = host.link.standing
    if gone := host.link.gone():
        return name + literal(f" {gone}", 400).stylize("$text-error")
    if standing.phase == "connecting":
        return name + Content.styled(" connecting …", _MUTED)
    running = sum(row.state is State.RUNNING for row in host.mirror.rows)
    parts = [literal(f"{running} running")]
    if host.fetching is not None:
        come, total = host.fetching
        parts.append(literal(f"fetching {size(come)} of {size(total)}").stylize("$success"))
    if standing.machine is not None:
        parts += _gauges(standing.machine)
    if standing.note:
        parts.append(literal(standing.note).stylize("$text-warning"))
    return name + Content(" ") + Content("   ").join(parts)


def _gauges(measured: Measured) -> list[Content]:
    """Return the gauges of a host, its GPUs and its queue before the rest."""
    gpus = [
        {"memory": gpu.memory, "memory_total": gpu.memory_total}
        | ({"load_percent": round(gpu.load)} if gpu.load is not None else {})
        for gpu in measured.gpus
    ]
    use = Resources(
        cpu_percent=measured.cpu_percent,
        memory=measured.memory,
        memory_total=measured.memory_total,
        process_memory=0,
        gpus=gpus,
    )
    cpu, memory, *others = gauges(Machine(use, measured.free, 0, False), queue_key="")
    queue = [literal(f"queue {measured.waiting}" + ", not started" * (not measured.working))]
    queue = queue if measured.waiting else []
    return [*others[: len(gpus)], *queue, cpu, memory, *others[len(gpus) :]]
