"""Images of a split that were taken for something else, to look through on a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.reports.views import Cell, Pictures, Table
from engine.vision.fitted import ImageFitted
from engine.vision.pictures import as_bytes, picture
from engine.vision.source import ResidentImages, StoredImages

_SIDE = 96
"""Pixels of a picture's longest side: networks of small images are shown all that they see."""
_BATCH = 16


def mistakes_gallery(
    worst: Table, total: int, source: ResidentImages | StoredImages, fitted: ImageFitted
) -> Gallery:
    """Return the rows of a table whose first cell names an image, each with its picture.

    ``total`` is the number of mistakes, of which the table has the worst.
    """
    places = {name: row for row, name in enumerate(source.names)}
    named = [str(row[0]) for row in worst.rows]
    pictures = _pictures(source, [places[name] for name in named], fitted)
    found = [row for row, name in zip(worst.rows, named, strict=True) if name in pictures]
    views = [
        Pictures(str(row[0]), [replace(pictures[str(row[0])], caption=_said(row))]) for row in found
    ]
    return Gallery("Mistakes", worst.columns, found, views, total)


def _pictures(
    source: ResidentImages | StoredImages, rows: Sequence[int], fitted: ImageFitted
) -> dict[str, Picture]:
    plan = torch.split(torch.tensor(rows, dtype=torch.int64), _BATCH)
    return {
        name: picture(pixels_of(image, fitted), _SIDE, name=name.rpartition("/")[2])
        for batch in source.read(plan)
        for name, image in zip(batch.rows["name"].to_pylist(), batch.inputs, strict=True)
    }


def pixels_of(image: Tensor, fitted: ImageFitted) -> NDArray[np.uint8]:
    """Return a network's input ``[channels, height, width]`` as ``[height, width, channels]``."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (fitted.mean, fitted.std))
    shares = image.detach().float().cpu() * std + mean
    return as_bytes(shares.permute(1, 2, 0).numpy())


def _said(row: Sequence[Cell]) -> str:
    _, truth, predicted, certainty = row
    return f"{truth}, predicted {predicted} ({float(certainty or 0):.0%})"
