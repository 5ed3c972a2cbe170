"""Explanations of predictions of a finished run."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from PIL import Image

from engine.data.fitted import Fitted
from engine.data.image_record import of_bytes
from engine.errors import DataError
from engine.reports.note import Note
from engine.reports.picture import Picture
from engine.service.predict import Row, doubts_to, load, table_of
from engine.tasks.task import Task


def answer(
    run: str,
    row: Row = "",
    picture: Mapping[str, Any] | None = None,
    file: str = "",
    target: str = "",
    device: str = "cpu",
) -> dict[str, Any]:
    """Explain the prediction for a ``row`` (a text for the only input, or values by column).

    A ``picture`` is the stored copy of an image, which is taken where its ``file`` is missing.
    ``target`` names the output; empty takes the likeliest. Returns an explanation's record with
    ``notes``. Raises :class:`~engine.errors.UserError`.
    """
    task, fitted, network = load(run, device)
    notes: list[Note] = []
    if picture and not (file and Path(file).is_file()):
        table = _drawn(task, fitted, Picture(**picture), notes)
    else:
        table = _typed(task, fitted, file or row)
        # A stored copy is in colour and of eight bits, whatever the image was.
        notes.extend(task.pipeline.unfit(table, fitted))
    source = task.encode_new(table, fitted, torch.device(device), doubts_to(notes))
    batch = next(iter(source.read(source.evaluation_plan(1)[:1])))
    explanation = task.explain(network, batch, fitted, target)
    if explanation is None:
        raise DataError(
            "Predictions of this task cannot be explained.",
            "Those for images, texts and tables with classes or numbers can.",
        )
    return explanation.record() | {"notes": list(map(asdict, notes))}


def _typed(task: Task[Any], fitted: Fitted, row: Row) -> pa.Table:
    if not row:
        raise DataError("There is no input to explain.", "Type one first.")
    return table_of([row], task.pipeline.inputs(fitted))


def _drawn(task: Task[Any], fitted: Fitted, picture: Picture, notes: list[Note]) -> pa.Table:
    """Return a picture as the image of a row, with a note where the network sees more of it."""
    seen = getattr(fitted, "size", 0)
    if max(picture.width, picture.height) < seen:
        kept = f"{picture.width}×{picture.height} px"
        notes.append(Note(f"explained by a stored copy of {kept}; the network sees {seen}×{seen}"))
    file = io.BytesIO()
    size = picture.width, picture.height
    Image.frombytes("RGB", size, picture.pixels).save(file, "PNG")
    stored = of_bytes(file.getvalue(), picture.name or "picture")
    return pa.table({name: [stored] for name in task.pipeline.inputs(fitted)[:1]})
