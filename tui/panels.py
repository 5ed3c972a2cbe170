"""What the monitor's lines say, made from the state of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from textual.content import Content

from engine.events import Evaluated, Progress, Samples
from engine.history import History
from engine.run_directory import RunDirectory, State
from tui.figures import duration, number, size
from tui.plot import Pair
from tui.states import STATES
from tui.text import literal
from tui.widgets.chart import Curve

_MUTED = "$foreground 60%"
_LEVELS = {"warning": "$warning", "error": "$error"}


def head(name: str, state: State, history: History) -> Content:
    """Name, state, device."""
    word, style = STATES[state]
    parts = [literal(name, 64).stylize("bold $primary"), Content.styled(word, style)]
    if (started := history.started) is not None:
        where = f"{started.device}, {started.precision}, {started.threads} threads"
        parts.append(literal(where).stylize(_MUTED))
    return Content("   ").join(parts)


def shares(history: History) -> tuple[tuple[str, float, str], tuple[str, float, str]]:
    """Captions, shares and texts of the bars of the epoch and of the whole run."""
    progress = history.progress
    if progress is None:
        return ("Epoch", 0.0, ""), ("Run", 0.0, "preparing")
    total = progress.step / progress.steps if progress.steps else 0.0
    done = min(progress.epoch, float(progress.epochs))
    current = min(int(done) + 1, progress.epochs)
    share = done - (current - 1)
    per_step = progress.seconds / progress.step if progress.step else 0.0
    left = per_step * progress.steps / max(1, progress.epochs) * (1 - share)
    training = progress.phase == "train"
    epoch_text = f"{duration(left)} left" if training else f"evaluating {progress.phase}"
    if history.ended:
        epoch_text = ""
    remaining = history.remaining
    run_text = f"took {duration(progress.seconds)}"
    if remaining is not None:
        run_text = f"{duration(remaining)} left of {duration(progress.seconds + remaining)}"
    return (
        (f"Epoch {current}/{progress.epochs}", share, epoch_text),
        (f"Step {progress.step}/{progress.steps}", total, run_text),
    )


def numbers(progress: Progress) -> Content:
    """Loss, learning rate, gradient, throughput, memory."""
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


def curves(history: History, metric: str) -> tuple[list[Curve], Pair | None]:
    """The curves of a metric against the epoch, and the best evaluation's point."""
    shown = [
        Curve(split, split, [(point.epoch, point.value) for point in curve.points])
        for split in ("train", "validation")
        if (curve := history.curves.get((metric, split))) is not None and curve.points
    ]
    best = history.best
    value = best.metrics.get(metric) if best is not None else None
    if best is None or value is None:
        return shown, None
    return shown, (best.epoch, value)


def row_key(row: Evaluated) -> int:
    """Which evaluation a row of the table is."""
    return row.step


def row_cells(
    metrics: Sequence[str], best: Evaluated | None = None
) -> Callable[[Evaluated], list[Content]]:
    """Makes the cells of a row with these metrics; the best evaluation has a mark."""

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


def samples(event: Samples | None) -> list[Content]:
    """A few inputs with what the network makes of them."""
    if event is None:
        return [Content.styled("Samples come with the first evaluation.", _MUTED)]
    lines = [Content.styled(f"at step {event.step:,}", _MUTED), Content("")]
    for item in event.items:
        for name, text in item.items():
            lines.append(_pair(name, text, 2000))
        lines.append(Content(""))
    return lines


def resources(history: History) -> list[Content]:
    """The machine and its GPUs."""
    now = history.resources
    if now is None:
        return [Content.styled("Measured every few seconds while the run goes on.", _MUTED)]
    lines = [
        _pair("CPU", f"{now.cpu_percent:.0f} %"),
        _pair("memory", f"{size(now.memory)} of {size(now.memory_total)}"),
        _pair("this run", size(now.process_memory)),
    ]
    for gpu in now.gpus:
        lines += [Content(""), *_gpu(gpu)]
    if not now.gpus:
        lines.append(_pair("GPU", "none"))
    return lines


def _gpu(gpu: Mapping[str, Any]) -> Iterator[Content]:
    yield literal(gpu.get("name", "GPU")).stylize("bold")
    if "load_percent" in gpu:
        yield _pair("load", f"{gpu['load_percent']} %")
    if "memory" in gpu and "memory_total" in gpu:
        yield _pair("memory", f"{size(gpu['memory'])} of {size(gpu['memory_total'])}")
    if "temperature" in gpu:
        yield _pair("temperature", f"{gpu['temperature']} °C")
    if "power_watts" in gpu:
        yield _pair("power", f"{gpu['power_watts']:.0f} W")


def facts(history: History, run: RunDirectory) -> list[Content]:
    """The data, the model, and where the files are."""
    return [*data_facts(history), Content(""), *model_facts(history), Content(""), *places(run)]


def data_facts(history: History) -> list[Content]:
    """What is known of the data."""
    data = history.data or {}
    rows = ", ".join(f"{rows:,} {split}" for split, rows in (data.get("rows") or {}).items())
    lines = [_title("Data"), _pair("source", data.get("source", "–")), _pair("rows", rows or "–")]
    lines += [_pair(name, value) for name, value in (data.get("facts") or {}).items()]
    if classes := data.get("classes"):
        shown = ", ".join(f"{name} {number:,}" for name, number in list(classes.items())[:12])
        more = f" … of {len(classes)}" if len(classes) > 12 else ""
        lines.append(_pair("classes", shown + more, 600))
    lines += [_pair("note", note, 400) for note in data.get("notes") or ()]
    for skip in data.get("skips") or ():
        lines.append(_pair("left out", f"{skip.get('count')}: {skip.get('reason')}", 400))
    return lines


def model_facts(history: History) -> list[Content]:
    """What is known of the network and where it computes."""
    lines = [_title("Model")]
    if (model := history.model) is not None:
        trained = f"{model.trainable:,} of {model.parameters:,}"
        lines += [_pair("kind", model.name), _pair("trained", trained + " parameters")]
    if (started := history.started) is not None:
        lines.append(_pair("device", f"{started.device}, {started.precision}"))
        versions = ", ".join(f"{name} {version}" for name, version in started.versions.items())
        lines.append(_pair("versions", versions))
    if (saved := history.checkpoint) is not None:
        lines.append(_pair("checkpoint", f"{saved.name}, {size(saved.size)}"))
    return lines


def places(run: RunDirectory) -> list[Content]:
    """Where the files of a run are."""
    found = [_title("Files"), _pair("run", run.path, 400)]
    for name, path in (("model", run.model), ("report", run.report), ("log", run.log)):
        if path.exists():
            found.append(_pair(name, path, 400))
    return found


def log(history: History, printed: Sequence[str]) -> list[Content]:
    """What the run says, after what the libraries printed."""
    lines = [literal(line, 500).stylize(_MUTED) for line in printed]
    for entry in history.log:
        moment = f"{datetime.fromtimestamp(entry.time):%H:%M:%S} "
        text = literal(entry.message, 1000).stylize(_LEVELS.get(entry.level, ""))
        lines.append(Content.styled(moment, _MUTED) + text)
    return lines or [Content.styled("Nothing was printed so far.", _MUTED)]


def _title(text: str) -> Content:
    return Content.styled(text, "bold $primary")


def _pair(name: str, value: object, limit: int = 200) -> Content:
    return literal(f"{name:<12} ", 40).stylize(_MUTED) + literal(value, limit)
