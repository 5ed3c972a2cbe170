"""Runs of MLflow in its folder ``mlruns``: a file for each metric and each parameter.

https://mlflow.org/docs/latest/self-hosting/architecture/backend-store. A line of a metric has the
time in milliseconds, the value and the step. Runs in a data base or on a server are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.files.sanitize import plain
from engine.importers.foreign_run import MOST_CURVES, ForeignRun
from engine.importers.plain_yaml import PlainYamlError, read_plain_yaml

PROGRAM = "MLflow"
FILE = "meta.yaml"
LARGEST = 256 << 20
"""Bytes of a file of one metric that is read."""
_LONGEST = 4096
"""Bytes that are read of a parameter."""
_DELETED = "deleted"
_SYSTEM = "system/"
_BROKEN = "Damaged lines of metrics, left out: {}."
_LARGE = "Files of metrics larger than 256 MB, left out: {}."


def is_mlflow_run(path: Path) -> bool:
    """Return whether a ``meta.yaml`` has a folder of metrics beside it, and is not of a model."""
    return path.with_name("metrics").is_dir() and path.parent.parent.name != "models"


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files of a run, by its ``meta.yaml``."""
    return (path, *_below(path.with_name("metrics")), *_below(path.with_name("params")))


def read_mlflow(path: Path) -> ForeignRun:
    """Read one run. Raises ``OSError``, and ``ValueError`` for a file of another kind."""
    try:
        values = read_plain_yaml(path)
    except PlainYamlError as error:
        raise ValueError(f"{FILE} cannot be read as plain YAML") from error
    if not values.keys() & {"run_id", "run_uuid"}:
        raise ValueError(f"{FILE} is not of a run")
    if values.get("lifecycle_stage") == _DELETED:
        raise ValueError("it was deleted in MLflow")
    folder = path.parent
    name = values.get("run_name") or _content(folder / "tags" / "mlflow.runName") or folder.name
    run = ForeignRun(PROGRAM, folder, plain(name, 120))
    run.started, run.ended = _seconds(values.get("start_time")), _seconds(values.get("end_time"))
    for file in _below(folder / "params"):
        run.configure({_name(file, folder / "params"): _parsed(_content(file))})
    for file in list(_below(folder / "metrics"))[:MOST_CURVES]:
        _read_metric(run, _name(file, folder / "metrics"), file)
    return run


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder: names with a slash are folders."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _seconds(milliseconds: object) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int) else 0.0


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST)
    except OSError:
        return ""


def _parsed(text: str) -> str | int | float | bool:
    """Return a parameter as what it was: MLflow writes each as text."""
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _read_metric(run: ForeignRun, name: str, path: Path) -> None:
    if name.startswith(_SYSTEM):
        run.left_out.add(plain(name, 64))
        return
    if path.stat().st_size > LARGEST:
        run.tally.add(_LARGE)
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                time, value, *rest = line.split()
                step = int(rest[0]) if rest else 0  # as the oldest versions wrote them
                run.add(name, step, int(time) / 1000, float(value))
            except ValueError:
                run.tally.add(_BROKEN)
