"""Images of a split that were taken for something else, to look through on a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.batches.source import Batch, Source
from engine.files.sanitize import plain
from engine.metrics.images.mistakes import ImageEvaluator
from engine.metrics.images.numbers import COLUMNS, ImageNumbers
from engine.metrics.mistakes import Mistake
from engine.reports.gallery import Explained, Gallery
from engine.reports.picture import Picture
from engine.reports.views import Pictures
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.fitted import ImageFitted, NumberedFitted, PixelFitted
from engine.vision.pictures import as_bytes, picture

_SIDE = 96
"""Pixels of a picture's longest side: networks of small images are shown all that they see."""
_SAMPLE_SIDE = 24
"""Pixels of the pictures of samples."""
_BATCH = 16


def mistakes_gallery(
    evaluated: ImageEvaluator, source: Source, fitted: ImageFitted
) -> Gallery | None:
    """Return the worst mistakes of an evaluation on ``source``, each with its picture.

    ``None`` without any mistake, or before views were computed.
    """
    if evaluated.table is None or not evaluated.worst:
        return None
    rows = evaluated.worst_rows
    pictures = _pictures(source, rows, fitted)
    found = [
        (line, mistake, pictures[row])
        for line, mistake, row in zip(evaluated.table.rows, evaluated.worst, rows, strict=True)
        if row in pictures
    ]
    return Gallery(
        "Mistakes",
        evaluated.table.columns,
        [line for line, _, _ in found],
        [
            Pictures(str(line[0]), [replace(one, caption=_said(wrong))])
            for line, wrong, one in found
        ],
        evaluated.mistakes,
        [Explained(target=mistake.judged) for _, mistake, _ in found],
    )


def errors_gallery(
    evaluated: ImageNumbers | None, source: Source, fitted: NumberedFitted
) -> Gallery | None:
    """Return the largest errors of an evaluation on ``source``, each with its picture.

    ``None`` before views were computed.
    """
    if evaluated is None or not evaluated.worst:
        return None
    pictures = _pictures(source, [one.row for one in evaluated.worst], fitted)
    found = [(one, pictures[one.row]) for one in evaluated.worst if one.row in pictures]
    return Gallery(
        "Errors",
        COLUMNS,
        [one.line for one, _ in found],
        [
            Pictures(
                one.name,
                [replace(shown, caption=f"{one.true:.5g}, predicted {one.predicted:.5g}")],
            )
            for one, shown in found
        ],
        evaluated.total,
        [Explained() for _ in found],
    )


def _pictures(source: Source, rows: Sequence[int], fitted: PixelFitted) -> dict[int, Picture]:
    plan = torch.split(torch.tensor(rows, dtype=torch.int64), _BATCH)
    return {
        named["row"]: picture(pixels_of(image, fitted), _SIDE, name=file_of(named["name"]))
        for batch in source.read(plan)
        for named, image in zip(batch.rows.to_pylist(), batch.inputs, strict=True)
    }


def sample_pictures(batch: Batch, fitted: PixelFitted) -> list[Picture]:
    """Return small pictures of the images of a batch, which stand among the events of a run."""
    named = zip(batch.rows["name"].to_pylist(), batch.inputs, strict=True)
    return [picture(pixels_of(image, fitted), _SAMPLE_SIDE, name=name) for name, image in named]


def file_of(name: str) -> str:
    """Return the last part of an image's path."""
    return plain(name.rpartition("/")[2], 80)


def pixels_of(image: Tensor, fitted: PixelFitted | AnnotatedFitted) -> NDArray[np.uint8]:
    """Return a network's input ``[channels, height, width]`` as ``[height, width, channels]``."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (fitted.mean, fitted.std))
    shares = image.detach().float().cpu() * std + mean
    return as_bytes(shares.permute(1, 2, 0).numpy())


def _said(mistake: Mistake) -> str:
    return f"{mistake.label}, predicted {mistake.predicted} ({mistake.text})"
