"""Runs that are logged as CSV: of Lightning, Ultralytics and Keras.

Lightning's ``CSVLogger`` writes ``metrics.csv`` beside ``hparams.yaml``, Ultralytics
``results.csv`` beside ``args.yaml``, Keras' ``CSVLogger`` a file that the user names, with a row
for each epoch.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.files.sanitize import plain
from engine.importers.foreign_run import ForeignRun
from engine.importers.plain_yaml import PlainYamlError, read_plain_yaml

NAMES = ("metrics.csv", "results.csv", "training.log", "training.csv", "history.csv", "log.csv")
"""Names that these files have below a folder; one that is named itself may be called otherwise."""
LARGEST = 256 << 20
"""Bytes of a file that is read."""
_STEPS = ("step", "global_step", "iteration", "iter")
_EPOCH = "epoch"
_SECONDS = "time"
"""Of Ultralytics: seconds since the training began."""
_ULTRALYTICS = "metrics/"
"""The prefix of its metrics, which are those of the validation split."""
_DECIDES = ("map50-95(b)", "accuracy_top1")
"""The largest weight in Ultralytics' choice of the best checkpoint has one of these."""
_EMPTY = ("", "NA")
"""A value that was not logged; Keras writes ``NA``."""
_SETTINGS = ("hparams.yaml", "args.yaml")
_LONGEST_HEADER = 1 << 16
_OTHERS = "Values that are not numbers, left out: {}."
_SHORT = "Rows with another number of columns than the first, left out: {}."
_UNREAD = "Files of settings in another form than plain YAML, not read: {}."


def is_csv_log(path: Path) -> bool:
    """Return whether the first row names a step or an epoch, and something else."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            names = _names(file.readline(_LONGEST_HEADER))
    except OSError:
        return False
    return len(names) > 1 and any(name in names for name in (*_STEPS, _EPOCH))


def read_csv_log(path: Path, name: str) -> ForeignRun:
    """Read one run. Raises ``OSError``, and ``ValueError`` for a file of another kind."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = file.readline(_LONGEST_HEADER)
        names = _names(header)
        counter = next((name for name in (*_STEPS, _EPOCH) if name in names), "")
        if not counter:
            raise ValueError("its first row names neither a step nor an epoch")
        try:
            rows = list(csv.reader(file, delimiter=_delimiter(header)))
        except csv.Error as error:
            raise ValueError(f"it cannot be read as CSV: {error}") from error
    run = ForeignRun(_program(names, path), path, name)
    run.ended = path.stat().st_mtime
    _read_rows(run, names, rows, counter)
    run.decides = next((each for each in _DECIDES if (each, "validation") in run.series), "")
    for each in _SETTINGS:
        _read_settings(run, path.with_name(each))
    return run


def _names(header: str) -> list[str]:
    row = next(csv.reader([header], delimiter=_delimiter(header)), [])
    return [name.strip() for name in row]


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _program(names: Sequence[str], path: Path) -> str:
    if any(name.startswith(_ULTRALYTICS) for name in names):
        return "Ultralytics"
    if path.with_name("hparams.yaml").exists() or {"step", _EPOCH} <= set(names):
        return "Lightning"
    return "Keras" if _EPOCH in names and not set(names) & set(_STEPS) else "CSV"


def _read_rows(
    run: ForeignRun, names: Sequence[str], rows: Sequence[Sequence[str]], counter: str
) -> None:
    usable = [dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names)]
    if short := sum(1 for row in rows if row and len(row) != len(names)):
        run.tally.add(_SHORT, short)
    seconds = [_number(row.get(_SECONDS, "")) or 0.0 for row in usable]
    run.started = run.ended - max(seconds, default=0.0)
    for row, second in zip(usable, seconds, strict=True):
        time = run.started + second if _SECONDS in row else 0.0
        _read_row(run, row, counter, time)


def _read_row(run: ForeignRun, row: Mapping[str, str], counter: str, time: float) -> None:
    count = _number(row[counter])
    step = int(count) if count is not None and count.is_integer() else -1
    for name, text in row.items():
        if name in (counter, _SECONDS) and name != _EPOCH:
            continue
        value = _number(text)
        if value is None:
            if text.strip() not in _EMPTY:
                run.tally.add(_OTHERS)
        elif name == _EPOCH:
            run.add(_EPOCH, step, time, value)
        elif name.startswith(_ULTRALYTICS):
            run.add(name.removeprefix(_ULTRALYTICS), step, time, value, "validation")
        else:
            run.add(name, step, time, value)


def _number(text: str) -> float | None:
    """Return the number of a cell; ``None`` for any other."""
    try:
        return float(text)
    except ValueError:
        return None


def _read_settings(run: ForeignRun, path: Path) -> None:
    """Read settings that are plain YAML; those with objects of Python stay unread."""
    try:
        values = read_plain_yaml(path)
    except FileNotFoundError:
        return
    except (OSError, PlainYamlError):
        run.tally.add(_UNREAD)
        return
    run.configure(values)
    if isinstance(model := values.get("model"), str):
        run.model = plain(model, 120)
