"""The tables of the results of ``gpu.py``; "not measured" for a missing figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
NOT_MEASURED = "not measured"
TASKS = (
    "image_classification",
    "text_classification",
    "token_classification",
    "question_answering",
    "causal_lm",
    "seq2seq",
    "tabular_classification",
    "tabular_regression",
    "forecasting",
)
OTHER_PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "speed": (
        "Speed",
        ("MLP", "CNN", "BERT-base, 128 tokens", "Llama, 1 billion, LoRA, 1,024 tokens"),
    ),
    "memory": (
        "Memory, told and measured",
        ("CNN", "ResNet-18", "ViT", "BERT", "GPT-2, LoRA, 1,024 tokens", "MLP"),
    ),
    "cifar10": ("CIFAR-10 to 94 % test accuracy", ("cifar10-resnet18-fast",)),
    "llama": (
        "Llama",
        ("7 billion parameters, QLoRA within 8 GB", "1 billion, LoRA against full fine-tuning"),
    ),
    "packing": ("Packing", ("1 billion, LoRA, answers of 8 to 1,024 tokens",)),
}
"""Headings and expected rows of the parts whose figures differ from row to row."""


def tables(results: Mapping[str, Any]) -> str:
    """The tables of all parts; ``results`` were written by ``gpu.py``, or are empty.

    The figures of a smoke test are not shown.
    """
    if results.get("smoke"):
        results = {}
    parts = {name: part["rows"] for name, part in results.get("parts", {}).items()}
    made = [_machine(results.get("machine")), _works(parts.get("works", ()))]
    made.append(_bits(parts.get("bits", ())))
    made += [
        _figures(heading, expected, parts.get(part, ()))
        for part, (heading, expected) in OTHER_PARTS.items()
    ]
    return "\n\n".join(made)


def _machine(found: Row | None) -> str:
    if found is None:
        return "Not measured on a GPU yet."
    versions = ", ".join(
        f"{name} {found[name]}"
        for name in ("driver", "cuda", "cudnn", "python", "torch", "transformers", "peft",
                     "datasets", "bitsandbytes")
        if found.get(name)
    )  # fmt: skip
    return f"{found.get('card') or 'No GPU'}; {versions}."


def _works(rows: Sequence[Row]) -> str:
    def done(row: Row) -> str:
        if "splits" in row:
            return f"yes, batches split {row['splits']} times"
        if "load_percent" in row:
            return f"yes, up to {row['load_percent']} % load, {row['memory'] / 2**30:.1f} GiB"
        return "yes" if row.get("ok") else NOT_MEASURED

    columns = {
        "works": lambda row: _outcome(row, done),
        "resumed at update": lambda row: str(row.get("resumed_at", "")),
        "seconds": lambda row: f"{row['seconds']:.1f}" if "seconds" in row else "",
    }
    names = (*TASKS, "LoRA", "QLoRA", "out of memory", "NVML")
    return _table("A tiny run in bfloat16", columns, names, rows)


def _bits(rows: Sequence[Row]) -> str:
    """A line for each task: equal bits, with and without ``compute.deterministic``."""
    by_name = {row["name"]: row for row in rows}
    names = (*TASKS, "LoRA")

    def column(kind: str, setting: str) -> Callable[[Row], str]:
        def same(row: Row) -> str:
            difference = row[f"{kind}_difference"]
            return "yes" if difference == 0 else f"no, up to {difference:.1e}"

        return lambda line: _outcome(by_name.get(_with(line["name"], setting), {}), same)

    columns = {
        f"{kind}, deterministic {setting}": column(kind, setting)
        for setting in ("off", "on")
        for kind in ("repeated", "resumed")
    }
    shown = {_with(name, setting) for name in names for setting in ("off", "on")}
    others = [
        f"{row['name']}: {_outcome(row, _listed)}" for row in rows if row["name"] not in shown
    ]
    lines = [{"name": name} for name in names]
    return "\n\n".join([_table("The same bits", columns, names, lines), *others])


def _with(task: str, setting: str) -> str:
    """The name of the row of a task and a setting."""
    return f"{task}, deterministic {setting}"


def _figures(heading: str, expected: Sequence[str], rows: Sequence[Row]) -> str:
    """The table of a part whose rows have figures of their own."""
    columns = {"": lambda row: _outcome(row, _listed)}
    names = [row["name"] for row in rows] or expected
    return _table(heading, columns, names, rows)


def _table(
    heading: str,
    columns: Mapping[str, Callable[[Row], str]],
    names: Sequence[str],
    rows: Sequence[Row],
) -> str:
    """The table of the expected rows first, then others, such as that of a part that was killed."""
    by_name = {row["name"]: row for row in rows}
    lines = [f"| {heading} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in dict.fromkeys((*names, *by_name)):
        row = by_name.get(name, {"name": name})
        cells = [make(row) for make in columns.values()]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _outcome(row: Row, measured: Callable[[Row], str]) -> str:
    """The error, the reason for skipping, "not measured", or the figures."""
    if "error" in row:
        return f"failed: {_cell(row['error'])}"
    if "skipped" in row:
        return f"skipped: {_cell(row['skipped'])}"
    return measured(row) if len(row) > 1 else NOT_MEASURED


def _listed(row: Row) -> str:
    figures = {name: value for name, value in row.items() if name != "name"}
    return ", ".join(f"{name.replace('_', ' ')} {_cell(v)}" for name, v in figures.items())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_cell(part)}" for name, part in value.items()) + ")"
    return str(value).replace("|", "\\|").replace("\n", " ")
