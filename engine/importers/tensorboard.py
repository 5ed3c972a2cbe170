"""Runs of TensorBoard: the scalars and hyperparameters of its event files.

Numbers of fields are those of ``event.proto``, ``summary.proto``, ``tensor.proto`` and the hparams
plugin's ``plugin_data.proto`` (https://github.com/tensorflow/tensorboard).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from engine.files import safe_json
from engine.importers.foreign_run import ForeignRun
from engine.importers.tally import Tally
from engine.importers.tf_records import tf_records
from engine.importers.wire import Value, WireError, double, fields, nested, packed, signed, text

PROGRAM = "TensorBoard"
_HPARAMS = "_hparams_/session_start_info"
_TEXTS = {"args": "", "model_config": "model."}
"""Texts of transformers that are JSON, and the prefix of their settings."""
_FLOAT, _DOUBLE, _INT32, _STRING, _INT64 = 1, 2, 3, 7, 9
_CONTENT = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q"}
"""Layouts of one number by the type of the tensor."""
_START = 1
"""Status of a session that begins; its step is that of the checkpoint that it continues."""
_MOST_SEARCHED = 20
"""Records that are searched for the first tag."""
_BROKEN = "Records that are not events of TensorBoard, left out: {}."
_OTHERS = "Values that are not numbers (images, histograms, texts), left out: {}."


class EventFile(NamedTuple):
    """An event file, with what its folder says of its scalars."""

    path: Path
    split: str = ""
    """Of folders called ``train`` or ``validation``."""
    series: str = ""
    """The name of one of several curves under one tag, as torch's ``add_scalars`` writes them."""


def read_tensorboard(files: Sequence[EventFile], source: Path, name: str) -> ForeignRun:
    """Read one run from its event files. Raises ``OSError``."""
    run = ForeignRun(PROGRAM, source, name)
    tags: dict[Path, dict[tuple[str, str], None]] = {}
    for each in files:
        folder = _Folder(run, each, tags.setdefault(each.path.parent, {}))
        with each.path.open("rb") as file:
            for record in tf_records(file, run.tally):
                try:
                    _event(run, record, folder)
                except (WireError, struct.error):
                    run.tally.add(_BROKEN)
    return run


def first_tag(path: Path) -> str:
    """Return the tag of the first value of an event file; empty without one. Raises ``OSError``."""
    with path.open("rb") as file:
        for record in islice(tf_records(file, Tally()), _MOST_SEARCHED):
            try:
                for message in _within(record, 5, 1):
                    return text(dict(fields(message)).get(1, b""))
            except WireError:
                continue
    return ""


@dataclass
class _Folder:
    """An event file among those of its folder: it may continue their curves from earlier on."""

    run: ForeignRun
    file: EventFile
    tags: dict[tuple[str, str], None]
    """Of all files of the folder so far, with the split of each."""
    own: set[str] = field(default_factory=set)
    """Tags of this file."""

    def add(self, tag: str, step: int, time: float, value: float) -> None:
        if self.file.series:
            tag = f"{tag}/{self.file.series}"
        key = (tag, self.file.split)
        if tag not in self.own:
            self.own.add(tag)
            if (
                key in self.tags
            ):  # a process that went back to a checkpoint, as TensorBoard takes it
                self.run.discard(step, [key])
        self.tags[key] = None
        self.run.add(tag, step, time, value, self.file.split)

    def restart(self, step: int) -> None:
        """Discard what was written from ``step`` on, as TensorBoard does."""
        self.run.discard(step, self.tags)


def _event(run: ForeignRun, record: bytes, folder: _Folder) -> None:
    time, step, summary, session = 0.0, 0, b"", b""
    for number, value in fields(record):
        if number == 1:
            time = double(value)
        elif number == 2:
            step = signed(value)
        elif number == 5:
            summary = nested(value)
        elif number == 7:
            session = nested(value)
    if dict(fields(session)).get(1) == _START:
        folder.restart(step)
    for number, value in fields(summary):
        if number == 1:
            _value(run, nested(value), step, time, folder)


def _value(run: ForeignRun, message: bytes, step: int, time: float, folder: _Folder) -> None:
    parts: dict[int, Value] = dict(fields(message))
    tag = text(parts.get(1, b""))
    if tag == _HPARAMS:
        _read_hparams(run, nested(parts.get(9, b"")))
    elif 2 in parts:
        folder.add(tag, step, time, double(parts[2]))
    elif 8 not in parts:
        run.tally.add(_OTHERS)
    elif (found := _number(nested(parts[8]))) is not None:
        folder.add(tag, step, time, found)
    elif not _read_text(run, tag, nested(parts[8])):
        run.tally.add(_OTHERS)


def _number(tensor: bytes) -> float | None:
    """Return the number of a tensor that holds a single one; ``None`` for any other."""
    parts: dict[int, Value] = dict(fields(tensor))
    layout = _CONTENT.get(signed(parts.get(1, 0)))
    if layout is None or nested(parts.get(2, b"")):  # another type, or a shape
        return None
    size = struct.calcsize(layout)
    for number in (4, 5, 6):  # bytes of the content, floats, doubles
        raw = parts.get(number)
        if isinstance(raw, bytes) and len(raw) == size:
            return float(struct.unpack(layout, raw)[0])
    for number in (7, 10):  # integers
        raw = parts.get(number)
        if isinstance(raw, int):
            return float(signed(raw))
        if raw:
            some = list(packed(raw))
            return float(signed(some[0])) if len(some) == 1 else None
    return None


def _read_text(run: ForeignRun, tag: str, tensor: bytes) -> bool:
    """Read the settings that transformers writes as JSON; returns whether it was such a text."""
    prefix = _TEXTS.get(tag.removesuffix("/text_summary"))
    texts = [nested(value) for number, value in fields(tensor) if number == 8]
    if prefix is None or len(texts) != 1:
        return False
    try:
        values = safe_json.loads(texts[0])
    except ValueError:
        return False
    if not isinstance(values, dict):
        return False
    run.configure(values, prefix)
    return True


def _read_hparams(run: ForeignRun, metadata: bytes) -> None:
    """Read the hyperparameters that begin a session of the hparams plugin."""
    for message in _within(metadata, 1, 2, 3):
        for number, value in fields(message):
            if number == 1:
                entry = dict(fields(nested(value)))
                run.configure({text(entry.get(1, b"")): _of_any(nested(entry.get(2, b"")))})


def _within(message: bytes, *path: int) -> Iterator[bytes]:
    """Yield the messages at the end of a path of field numbers."""
    if not path:
        yield message
        return
    for number, value in fields(message):
        if number == path[0]:
            yield from _within(nested(value), *path[1:])


def _of_any(message: bytes) -> object:
    """Return a ``google.protobuf.Value``: a number, a text or a truth value."""
    for number, value in fields(message):
        if number == 2:
            return double(value)
        if number == 3:
            return text(value)
        if number == 4:
            return bool(value)
        if number in (5, 6):
            return "(a list)"
    return None
