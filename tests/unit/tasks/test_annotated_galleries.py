"""Images with wrong boxes or masks, to look through on a screen: what was predicted, and the truth.

The images are black, 40×20 pixels, and a network sees them as 8×8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.masks import IGNORED
from engine.metrics.images.detection import DetectionEvaluator
from engine.metrics.images.segmentation import SegmentationEvaluator
from engine.models.images.detector import Detections
from engine.reports.picture import Picture
from engine.reports.views import Pictures
from engine.tasks.galleries.annotated import boxes_gallery, masks_gallery
from engine.vision.annotated.painting import class_colour
from engine.vision.annotated_fitted import AnnotatedFitted

SIDE = 8
BLACK = (0, 0, 0)
CAT, DOG = [0.0, 0.0, 0.5, 0.5, 0.0], [0.5, 0.5, 1.0, 1.0, 1.0]
NOTHING = [0.0, 0.0, 0.0, 0.0, -1.0]


class Images:
    """A source of black images with targets."""

    def __init__(self, targets: Tensor) -> None:
        self._targets = targets

    def read(self, plan: Sequence[Tensor]) -> Iterator[Batch]:
        for rows in plan:
            count = len(rows)
            names = [f"folder/{row}.png" for row in rows.tolist()]
            table = {"row": rows.tolist(), "name": names, "width": [40] * count,
                     "height": [20] * count}  # fmt: skip
            inputs = torch.zeros(count, 3, SIDE, SIDE)
            yield Batch(inputs, self._targets[rows], count, pa.table(table))

    def whole(self) -> Batch:
        [batch] = self.read([torch.arange(len(self._targets))])
        return batch


@pytest.fixture
def fitted() -> AnnotatedFitted:
    return AnnotatedFitted(
        image="image", classes=["cat", "dog"], counts=[1, 1], size=SIDE, mean=[0.0] * 3,
        std=[1.0] * 3, sizes={},
    )  # fmt: skip


def shown(view: Any) -> tuple[Picture, Picture]:
    """The pictures of what was predicted and of the truth."""
    assert isinstance(view, Pictures)
    predicted, truth = view.pictures
    assert (predicted.caption, truth.caption) == ("predicted", "truth")
    return predicted, truth


def pixels(picture: Picture) -> NDArray[np.uint8]:
    return np.frombuffer(picture.pixels, np.uint8).reshape(picture.height, picture.width, 3)


def judged(found: Sequence[list[list[float]]], source: Images) -> DetectionEvaluator:
    """An evaluation of a network that is sure of what it ``found``."""
    boxes = [torch.tensor(one).reshape(-1, 5) for one in found]
    detections = [Detections(one[:, :4], torch.ones(len(one)), one[:, 4].long()) for one in boxes]
    evaluator = DetectionEvaluator(["cat", "dog"], 0.3, lambda *_: (torch.zeros(()), detections))
    evaluator.update(nn.Identity(), source.whole())
    evaluator.compute(views=True)
    return evaluator


def test_images_with_wrong_boxes_come_with_both_painted_in(fitted: AnnotatedFitted) -> None:
    source: Any = Images(torch.tensor([[CAT, DOG], [CAT, NOTHING], [CAT, NOTHING]]))
    gallery = boxes_gallery(judged([[CAT, DOG], [], [DOG]], source), source, fitted)
    assert gallery is not None
    assert gallery.columns == ["image", "mistakes", "missed", "wrong", "found"]
    assert gallery.rows == [["folder/2.png", 2, 1, 1, 0], ["folder/1.png", 1, 1, 0, 0]]
    assert gallery.total == 2
    predicted, truth = map(pixels, shown(gallery.views[0]))
    assert (tuple(predicted[4, 4]), tuple(predicted[0, 0])) == (class_colour(1), BLACK)
    assert (tuple(truth[4, 4]), tuple(truth[0, 0])) == (BLACK, class_colour(0))
    assert shown(gallery.views[0])[0].name == "2.png"


def test_images_whose_boxes_are_right_have_no_gallery(fitted: AnnotatedFitted) -> None:
    source: Any = Images(torch.tensor([[CAT, DOG]]))
    assert boxes_gallery(judged([[CAT, DOG]], source), source, fitted) is None


class LeftHalf(nn.Module):
    """Takes the left half of every image for the second class."""

    def forward(self, inputs: Tensor) -> Tensor:
        logits = torch.zeros(len(inputs), 2, SIDE, SIDE)
        logits[:, 1, :, : SIDE // 2] = 1
        logits[:, 0, :, SIDE // 2 :] = 1
        return logits


def test_images_with_the_worst_masks_come_with_both_painted_in(fitted: AnnotatedFitted) -> None:
    left = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    left[:, : SIDE // 2] = 1
    right = 1 - left
    right[0, 0] = IGNORED
    source: Any = Images(torch.stack([left, right]))
    network = LeftHalf()
    evaluator = SegmentationEvaluator(
        fitted.classes, lambda network, batch: (network(batch.inputs), torch.zeros(()))
    )
    evaluator.update(network, source.whole())
    evaluator.compute(views=True)
    gallery = masks_gallery(network, evaluator, source, fitted)
    assert gallery is not None
    assert gallery.columns == ["image", "worst class", "1 − IoU"]
    assert gallery.rows == [["folder/1.png", "cat", 1.0], ["folder/0.png", "cat", 0.0]]
    assert gallery.total == 2
    predicted, truth = map(pixels, shown(gallery.views[0]))
    dog = [part // 2 for part in class_colour(1)]
    assert np.abs(predicted[1, 1].astype(int) - dog).max() <= 1
    assert tuple(truth[1, 1]) == BLACK
    assert tuple(truth[0, 0]) == BLACK, "ignored"
    assert np.abs(truth[1, 7].astype(int) - dog).max() <= 1
