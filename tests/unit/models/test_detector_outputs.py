"""Detectors of libraries: boxes and classes in their own units, and in shares of the sides."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.config.models.detection import DetectionTransformerConfig, TorchvisionDetectionConfig
from engine.errors import TrainingError
from engine.models.images.detection_transformer import DetectionTransformer
from engine.models.images.detector import MOST
from engine.models.images.torchvision_detection import TorchvisionDetector, preprocessing_of

NONE = -1.0
"""The class number of rows that fill up the targets."""


class TorchvisionStub(nn.Module):
    """Takes and gives what torchvision's detectors do: boxes in pixels, lists of images."""

    def __init__(self, found: Sequence[dict[str, Tensor]] = ()) -> None:
        super().__init__()
        self.backbone = nn.Linear(1, 1)
        self.head = nn.Linear(1, 1)
        self.found = found
        self.given: Any = None

    def forward(self, images: list[Tensor], targets: Any = None) -> Any:
        assert all(image.ndim == 3 for image in images)
        if targets is None:
            return list(self.found)
        self.given = targets
        return {"classes": torch.tensor(1.5), "boxes": torch.tensor(0.25)}


def torchvision(name: str, *found: dict[str, Tensor]) -> tuple[TorchvisionDetector, Any]:
    stub = TorchvisionStub(found)
    return TorchvisionDetector(stub, TorchvisionDetectionConfig(name=name)), stub


TARGETS = torch.tensor([
    [[0.25, 0.5, 0.75, 1.0, 2.0], [0.0, 0.0, 0.5, 0.25, 0.0]],
    [[0.0, 0.0, 0.0, 0.0, NONE], [0.0, 0.0, 0.0, 0.0, NONE]],
])  # fmt: skip
"""Two objects in the first image, none in the second."""


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("fasterrcnn_resnet50_fpn", 1),
        ("ssdlite320_mobilenet_v3_large", 1),
        ("ssd300_vgg16", 1),
        ("retinanet_resnet50_fpn", 0),
        ("fcos_resnet50_fpn", 0),
    ],
)
def test_torchvision_is_given_pixels_and_its_own_class_numbers(name: str, first: int) -> None:
    """Two of its families keep 0 for the background."""
    detector, stub = torchvision(name)
    loss = detector(torch.zeros(2, 3, 64, 64), TARGETS)
    assert loss.item() == 1.75
    objects, nothing = stub.given
    assert objects["boxes"].tolist() == [[16, 32, 48, 64], [0, 0, 32, 16]]
    assert objects["labels"].tolist() == [2 + first, first]
    assert objects["labels"].dtype == torch.int64
    assert (nothing["boxes"].shape, nothing["labels"].shape) == ((0, 4), (0,))


@pytest.mark.parametrize(
    ("name", "first"), [("fasterrcnn_resnet50_fpn", 1), ("fcos_resnet50_fpn", 0)]
)
def test_boxes_of_torchvision_are_shares_of_the_sides(name: str, first: int) -> None:
    found = {
        "boxes": torch.tensor([[8.0, 0.0, 16.0, 40.0], [-4.0, 2.0, 4.0, 8.0]]),
        "scores": torch.tensor([0.75, 0.5]),
        "labels": torch.tensor([3 + first, first]),
    }
    detector, _ = torchvision(name, found)
    detector.eval()
    [one] = detector.detections(detector(torch.zeros(1, 3, 32, 32)))
    assert one.boxes.tolist() == [[0.25, 0.0, 0.5, 1.0], [0.0, 0.0625, 0.125, 0.25]]
    assert one.scores.tolist() == [0.75, 0.5]
    assert one.classes.tolist() == [3, 0]


def test_at_most_a_hundred_objects_count() -> None:
    many = {
        "boxes": torch.rand(MOST + 5, 4),
        "scores": torch.linspace(1, 0, MOST + 5),
        "labels": torch.ones(MOST + 5, dtype=torch.int64),
    }
    nothing = {name: value[:0] for name, value in many.items()}
    detector, _ = torchvision("fasterrcnn_resnet50_fpn", many, nothing)
    detector.eval()
    first, second = detector.detections(detector(torch.zeros(2, 3, 32, 32)))
    assert len(first.boxes) == len(first.scores) == len(first.classes) == 100
    assert first.scores.min() > 0
    assert len(second.boxes) == 0


def test_an_evaluation_returns_the_loss_beside_the_objects() -> None:
    found = {"scores": torch.ones(1)}
    detector, _ = torchvision("fcos_resnet50_fpn", found)
    detector.eval()
    loss, outputs = detector(torch.zeros(1, 3, 16, 16), TARGETS[:1])
    assert loss.item() == 1.75
    assert outputs == [found]
    assert not detector.training


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn"])
def test_networks_that_need_more_than_boxes_are_refused(name: str) -> None:
    with pytest.raises(TrainingError, match=f"{name} needs masks or key points"):
        preprocessing_of(TorchvisionDetectionConfig(name=name, pretrained=True))


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("ssd300_vgg16", 320),
        ("ssdlite320_mobilenet_v3_large", 320),
        ("fasterrcnn_resnet50_fpn", 640),
    ],
)
def test_pre_trained_weights_see_images_of_their_size(name: str, side: int) -> None:
    """300 pixels are rounded up to the next multiple of 32."""
    found = preprocessing_of(TorchvisionDetectionConfig(name=name, pretrained=True))
    assert found is not None
    assert found.size == side
    assert preprocessing_of(TorchvisionDetectionConfig(name=name)) is None


class TransformersStub(nn.Module):
    """Takes and gives what detectors of transformers do: middles and sizes of boxes."""

    def __init__(self, logits: Tensor, boxes: Tensor, classes: int) -> None:
        super().__init__()
        self.class_embed = nn.Linear(2, 2)
        self.backbone = nn.Linear(2, 2)
        self.config = SimpleNamespace(num_labels=classes)
        self.logits, self.boxes = logits, boxes
        self.given: Any = None

    def forward(self, pixel_values: Tensor, labels: Any = None) -> Any:
        self.given = labels
        loss = torch.tensor(2.5)
        return SimpleNamespace(logits=self.logits, pred_boxes=self.boxes, loss=loss)


def transformer(
    logits: Tensor | None = None, boxes: Tensor | None = None, classes: int = 2
) -> tuple[DetectionTransformer, Any]:
    logits = torch.zeros(1, 1, 2) if logits is None else logits
    boxes = torch.zeros(1, 1, 4) if boxes is None else boxes
    stub = TransformersStub(logits, boxes, classes)
    return DetectionTransformer(stub, 64, DetectionTransformerConfig()), stub


def test_transformers_is_given_middles_and_sizes() -> None:
    detector, stub = transformer()
    assert detector(torch.zeros(2, 3, 64, 64), TARGETS).item() == 2.5
    objects, nothing = stub.given
    assert objects["boxes"].tolist() == [[0.5, 0.75, 0.5, 0.5], [0.25, 0.125, 0.5, 0.25]]
    assert objects["class_labels"].tolist() == [2, 0]
    assert nothing["boxes"].shape == (0, 4)


def test_boxes_of_transformers_are_corners() -> None:
    boxes = torch.tensor([[[0.5, 0.75, 0.5, 0.5], [0.125, 0.5, 0.5, 0.25]]])
    detector, _ = transformer(torch.tensor([[[9.0, -9.0], [-9.0, 8.0]]]), boxes)
    detector.eval()
    [one] = detector.detections(detector(torch.zeros(1, 3, 8, 8)))
    assert one.boxes[:2].tolist() == [[0.25, 0.5, 0.75, 1.0], [0.0, 0.375, 0.375, 0.625]]
    assert one.classes[:2].tolist() == [0, 1]


def test_each_class_of_a_query_has_a_chance_of_its_own() -> None:
    """RT-DETR: a sigmoid for each pair of a query and a class."""
    detector, _ = transformer(torch.tensor([[[0.0, 2.0]]]))
    [one] = detector.detections({"logits": torch.tensor([[[0.0, 2.0]]]),
                                 "pred_boxes": torch.zeros(1, 1, 4)})  # fmt: skip
    assert one.scores.tolist() == pytest.approx([1 / (1 + 2.718281828459045**-2), 0.5])
    assert one.classes.tolist() == [1, 0]


def test_chances_are_shared_where_there_is_an_output_for_no_object() -> None:
    """DETR: a softmax over the classes and no object, which is never found."""
    detector, _ = transformer()
    logits = torch.tensor([[[1.0, 1.0, 3.0]]]).log()
    [one] = detector.detections({"logits": logits, "pred_boxes": torch.zeros(1, 1, 4)})
    assert one.scores.tolist() == pytest.approx([0.2, 0.2])
    assert sorted(one.classes.tolist()) == [0, 1]


def test_an_evaluation_of_transformers_returns_loss_and_outputs() -> None:
    detector, stub = transformer()
    detector.eval()
    loss, outputs = detector(torch.zeros(1, 3, 8, 8), TARGETS[:1])
    assert loss.item() == 2.5
    assert outputs["logits"] is stub.logits


def test_layers_with_an_output_for_each_class_are_new() -> None:
    detector, stub = transformer()
    assert stub.new_layers == ["class_embed"]
    assert detector.head_name == "network.class_embed"
