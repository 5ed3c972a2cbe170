"""Images of a split that were taken for something else, to look through on a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.batches.source import Source
from engine.files.sanitize import plain
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.reports.views import Cell, Pictures, Table
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.fitted import ImageFitted
from engine.vision.pictures import as_bytes, picture

_SIDE = 96
"""Pixels of a picture's longest side: networks of small images are shown all that they see."""
_BATCH = 16


def mistakes_gallery(
    worst: Table, rows: Sequence[int], total: int, source: Source, fitted: ImageFitted
) -> Gallery:
    """Return the lines of a table of mistakes, each with its picture.

    ``rows`` are the numbers of their images in ``source``; ``total`` is the number of mistakes, of
    which the table has the worst.
    """
    pictures = _pictures(source, rows, fitted)
    found = [
        (line, pictures[row]) for line, row in zip(worst.rows, rows, strict=True) if row in pictures
    ]
    views = [Pictures(str(line[0]), [replace(one, caption=_said(line))]) for line, one in found]
    return Gallery("Mistakes", worst.columns, [line for line, _ in found], views, total)


def _pictures(source: Source, rows: Sequence[int], fitted: ImageFitted) -> dict[int, Picture]:
    plan = torch.split(torch.tensor(rows, dtype=torch.int64), _BATCH)
    return {
        named["row"]: picture(pixels_of(image, fitted), _SIDE, name=file_of(named["name"]))
        for batch in source.read(plan)
        for named, image in zip(batch.rows.to_pylist(), batch.inputs, strict=True)
    }


def file_of(name: str) -> str:
    """Return the last part of an image's path."""
    return plain(name.rpartition("/")[2], 80)


def pixels_of(image: Tensor, fitted: ImageFitted | AnnotatedFitted) -> NDArray[np.uint8]:
    """Return a network's input ``[channels, height, width]`` as ``[height, width, channels]``."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (fitted.mean, fitted.std))
    shares = image.detach().float().cpu() * std + mean
    return as_bytes(shares.permute(1, 2, 0).numpy())


def _said(row: Sequence[Cell]) -> str:
    _, truth, predicted, certainty = row
    return f"{truth}, predicted {predicted} ({float(certainty or 0):.0%})"
