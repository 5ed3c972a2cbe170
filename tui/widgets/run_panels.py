"""The monitor's lines, from the state of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from textual.content import Content

from engine.errors import RunError
from engine.reports.note_table import notes_in
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    FORGETTING,
    PAUSED,
    Evaluated,
    Failed,
    Finished,
    Imported,
    Interrupted,
    Progress,
    Resources,
    Stopped,
)
from engine.runs.history import History, Point
from engine.runs.origin import left_on_host
from engine.runs.status import State
from tui.charts.chart import TIME, Curve
from tui.charts.plot import Pair
from tui.charts.points import PlacedPoints
from tui.format.captions import captioned
from tui.format.imported import imported_facts
from tui.format.numbers import duration, number, percent, size
from tui.format.run_states import last_known, shown_state
from tui.format.text import literal
from tui.widgets.log_panel import LogLine, printed_level
from tui.widgets.note_contents import note_contents
from tui.widgets.progress import bar

_MUTED = "$foreground 60%"


def paused(history: History) -> bool:
    """Return whether the run is paused."""
    progress = history.progress
    return progress is not None and progress.phase == PAUSED and not history.ended


def head(name: str, state: State, history: History, gone: bool = False) -> Content:
    """Return name, state and device; the machine of a run may be ``gone``, not reachable."""
    shown = Content.styled(*shown_state(state, paused(history)))
    shown = last_known(shown) if gone else shown
    parts = [literal(name, 64).stylize("bold $primary"), shown]
    if (started := history.started) is not None:
        threads = f"{started.threads} thread{'s' * (started.threads != 1)}"
        where = f"{started.device}, {started.precision}, {threads}"
        parts.append(literal(where).stylize(_MUTED))
    return Content("   ").join(parts)


def numbers(progress: Progress) -> Content:
    """Return loss, learning rate, gradient norm, throughput and memory."""
    pairs = [
        ("loss", number(progress.loss)),
        ("lr", f"{progress.learning_rate:.2e}"),
        ("grad", number(progress.grad_norm)),
        (
            "samples/s",
            f"{progress.samples_per_second:,.0f}" if progress.samples_per_second else "–",
        ),
        ("memory", size(progress.memory) if progress.memory else "–"),
    ]
    return Content("  ").join(
        Content.assemble((name + " ", _MUTED), f"{value:<7}") for name, value in pairs
    )


_CURVES = {"train": "train", "validation": "validation", FORGETTING: "other"}
"""The styles of the curves, by their splits."""
AXES = ("epoch", "step", TIME)


def place_on(axis: str) -> Callable[[Any], float]:
    """Return a function of a point or an evaluation: its place on one of :data:`AXES`."""
    return attrgetter("seconds" if axis == TIME else axis)


def usable_axis(histories: Iterable[History], axis: str) -> str:
    """Return ``axis``, or the step where a run has no such places: an imported one, perhaps."""
    place = place_on(axis)
    for history in histories:
        ends = [curve.points[-1] for curve in history.curves.values() if curve.points]
        if any(point.step for point in ends) and not any(map(place, ends)):
            return "step"
    return axis


def curves(history: History, metric: str, axis: str = "epoch") -> tuple[list[Curve], Pair | None]:
    """Return a metric's curves against one of :data:`AXES`, and the best evaluation's point.

    The curves stay as they are while the history grows.
    """
    place = place_on(axis)

    def placed(point: Point) -> Pair:
        return place(point), point.value

    shown = [
        Curve(split, style, PlacedPoints(tuple(curve.points), placed))
        for split, style in _CURVES.items()
        if (curve := history.curves.get((metric, split))) is not None and curve.points
    ]
    best = history.best
    value = best.metrics.get(metric) if best is not None else None
    if best is None or value is None:
        return shown, None
    return shown, (place(best), value)


def loss_notes(adds: str) -> dict[tuple[str, str], str]:
    """Return the remark on the curve of the training loss, for the legend of its chart."""
    return {("loss", "train"): f"with {adds}"} if adds else {}


def changes(history: History, axis: str = "epoch") -> dict[float, str]:
    """Return what changed the course of the run, by its place on one of :data:`AXES`."""
    place = place_on(axis)
    return {place(change): change.text for change in history.changes}


def row_key(row: Evaluated) -> int:
    """Return the key of an evaluation's row: its step."""
    return row.step


def row_cells(
    metrics: Sequence[str], best: Evaluated | None = None
) -> Callable[[Evaluated], list[Content]]:
    """Return a function that makes the cells of a row; the best evaluation is marked."""

    def cells(row: Evaluated) -> list[Content]:
        is_best = best is not None and row.step == best.step
        style = "bold $success" if is_best else ""
        texts = [
            "◆" if is_best else "",
            f"{row.epoch:.2f}",
            f"{row.step:,}",
            number(row.train_loss),
            *(number(row.metrics.get(name)) for name in metrics),
        ]
        return [Content.styled(text, style) for text in texts]

    return cells


def resources(
    measured: Sequence[Resources], disk: tuple[int, int] | None, width: int, ended: bool = False
) -> list[Content]:
    """Return the use of the machine and its GPUs, now and over time.

    ``disk`` are the bytes in use and those that are free for this user.
    """
    if not measured:
        none = "Nothing was measured during the run."
        coming = "Measured every few seconds during the run."
        return [Content.styled(none if ended else coming, _MUTED)]
    now = measured[-1]
    lines = [gauge("CPU", f"{now.cpu_percent:.0f} %", [m.cpu_percent for m in measured], width)]
    used = [100 * m.memory / (m.memory_total or 1) for m in measured]
    lines.append(gauge("memory", f"{size(now.memory)} of {size(now.memory_total)}", used, width))
    own = [100 * m.process_memory / (m.memory_total or 1) for m in measured]
    lines.append(gauge("this run", size(now.process_memory), own, width))
    if disk is not None:
        used_bytes, free = disk
        share = 100 * used_bytes / ((used_bytes + free) or 1)
        lines.append(gauge("disk", f"{size(free)} free", [share], width))
    for index, gpu in enumerate(now.gpus):
        before = [m.gpus[index] for m in measured if index < len(m.gpus)]
        lines += [Content(""), literal(gpu.get("name", "GPU"), 60).stylize("bold")]
        lines += _gpu(gpu, before, width)
    if not now.gpus:
        lines.append(pair("GPU", "none"))
    first = measured[-max(1, marks(width)) :][0]
    if now.time - first.time >= 1:
        since = duration(now.time - first.time)
        lines += [Content(""), Content.styled(f"The small charts show the last {since}.", _MUTED)]
    return lines


def _gpu(
    gpu: Mapping[str, Any], before: Sequence[Mapping[str, Any]], width: int
) -> Iterator[Content]:
    """Yield the gauges of a GPU; values that it does not report are left out."""
    if "load_percent" in gpu:
        loads = [float(m.get("load_percent", 0)) for m in before]
        yield gauge("load", f"{gpu['load_percent']} %", loads, width)
    if total := gpu.get("memory_total"):
        text = f"{size(gpu.get('memory', 0))} of {size(total)}"
        yield gauge("memory", text, [100 * m.get("memory", 0) / total for m in before], width)
    if "temperature" in gpu:
        degrees = [float(m.get("temperature", 0)) for m in before]
        yield gauge("temperature", f"{gpu['temperature']} °C", degrees, width)
    if "power_watts" in gpu:
        watts = [float(m.get("power_watts", 0)) for m in before]
        most = max(watts) or 1.0
        shares = [100 * value / most for value in watts]
        yield gauge("power", f"{gpu['power_watts']:.0f} W, most {most:.0f} W", shares, width)


_SPARKS = "▁▂▃▄▅▆▇█"
_BAR = 20
_GAUGE = 12 + 1 + 24 + 1 + _BAR + 2
_FULL = 90.0
"""Per cent at which a gauge turns to its warning colour."""


def marks(width: int) -> int:
    """Return the number of measurements that fit in a line."""
    return max(0, width - _GAUGE)


def gauge(name: str, text: str, percents: Sequence[float], width: int) -> Content:
    """Return a value, a bar of the newest of ``percents``, and a mark for each before it."""
    style = "$warning" if percents[-1] >= _FULL else "$primary"
    filled = bar(percents[-1] / 100, _BAR)
    line = literal(f"{name:<12} ", 40).stylize(_MUTED) + literal(f"{text:<24} ")
    line += Content.styled(filled, style) + Content.styled("·" * (_BAR - len(filled)), _MUTED)
    room = marks(width)
    newest = percents[-room:] if room else []
    return line + Content.styled("  " + "".join(map(_spark, newest)), _MUTED)


def _spark(percent: float) -> str:
    return _SPARKS[max(0, min(len(_SPARKS) - 1, int(percent / 100 * len(_SPARKS))))]


def facts(history: History, run: RunDirectory, width: int) -> list[Content]:
    """Return the data, the model, and the paths of the files."""
    if isinstance(history.ending, Imported):
        return [*_import_facts(run), Content(""), *places(run)]
    about_data = data_facts(history, width)
    parts = [about_data, model_facts(history), change_facts(history), places(run)]
    return [line for part in parts if part for line in (*part, Content(""))]


def _import_facts(run: RunDirectory) -> list[Content]:
    try:
        imported = run.config.imported()
    except RunError as error:
        return [literal(error, 400)]
    known = imported_facts(imported) if imported is not None else {}
    width = max(map(len, known), default=0)
    facts = (pair(name, value, 400, width) for name, value in known.items())
    return [_title("Imported"), *facts]


def change_facts(history: History) -> list[Content]:
    """Return what was changed while the run was training; nothing where nothing was."""
    if not history.changes:
        return []
    made = [(f"epoch {change.epoch:.3g}", change.text) for change in history.changes]
    return [_title("Changes"), *(pair(place, text) for place, text in made)]


def data_facts(history: History, width: int) -> list[Content]:
    """Return the properties of the data, and the table of notes in ``width`` cells."""
    data = history.data or {}
    rows = ", ".join(f"{rows:,} {split}" for split, rows in (data.get("rows") or {}).items())
    lines = [_title("Data"), pair("source", data.get("source", "–")), pair("rows", rows or "–")]
    lines += [pair(name, value) for name, value in (data.get("facts") or {}).items()]
    if classes := data.get("classes"):
        shown = ", ".join(f"{name} {number:,}" for name, number in list(classes.items())[:12])
        more = f" … of {len(classes)}" if len(classes) > 12 else ""
        lines.append(pair("classes", shown + more, 600))
    if notes := notes_in(data):
        lines += [Content(""), *note_contents(notes, width)]
    return lines


def model_facts(history: History) -> list[Content]:
    """Return the properties of the network, its device and precision."""
    lines = [_title("Model")]
    if (model := history.model) is not None:
        trained = f"{model.trainable:,} of {model.parameters:,}"
        lines += [pair("kind", model.name), pair("trained", trained + " parameters")]
    if (started := history.started) is not None:
        lines.append(pair("device", f"{started.device}, {started.precision}"))
        versions = ", ".join(f"{name} {version}" for name, version in started.versions.items())
        lines.append(pair("versions", versions))
    if (saved := history.checkpoint) is not None:
        lines.append(pair("checkpoint", f"{saved.name}, {size(saved.size)}"))
    return lines


def places(run: RunDirectory) -> list[Content]:
    """Return the paths of a run's files."""
    found = [_title("Files"), pair("run", run.path, 400)]
    for name, path in (("model", run.model), ("report", run.report.path), ("log", run.log)):
        if path.exists():
            found.append(pair(name, path, 400))
    for name, count in left_on_host(run).items():
        text = f"{name}, {size(count)}: too large to be mirrored; fetch the run to have it here"
        found.append(pair("not here", text, 400))
    return found


def log(history: History, printed: Sequence[str]) -> list[LogLine]:
    """Return the run's messages, after the output of the libraries."""
    lines = [LogLine(None, printed_level(text), text) for text in printed]
    return lines + [LogLine(entry.time, entry.level, entry.message) for entry in history.log]


def ending(name: str, history: History, state: State) -> str:
    """Return a sentence on the end of the run."""
    match history.ending:
        case Finished(reason=reason, metrics=metrics):
            shown = [f"{key} {number(value)}" for key, value in list(metrics.items())[:2]]
            ended = name + " finished" + f" ({reason})" * (reason != "completed")
            return ": ".join(filter(None, [ended, ", ".join(shown)])) + "."
        case Stopped():
            return f"{name} stopped; its model is kept."
        case Interrupted():
            return f"{name} was interrupted; it can be resumed from its checkpoint."
        case Failed(message=message):
            return f"{name} failed: {message}"
        case Imported(program=program):
            return f"{name} was imported from {program}."
    return f"{name} is {state}: its process exited without an error message."


def title(name: str, history: History, state: State) -> str:
    """Return the window's title: a sign, the progress, the run."""
    sign = shown_state(state, paused(history))[0][:1]
    progress = history.progress
    if state.ended or progress is None or not progress.steps:
        return f"{sign} {name}"
    return f"{sign} {percent(progress.step / progress.steps)} {name}"


def _title(text: str) -> Content:
    return Content.styled(text, "bold $primary")


def pair(name: str, value: object, limit: int = 200, width: int = 0) -> Content:
    """Return a name in muted colour, in at least ``width`` cells, and its value."""
    return captioned(name, literal("—" if value == "" else value, limit), max(12, width), gap=" ")
