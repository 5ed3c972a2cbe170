"""Images with masks, from files to targets, and from a network's outputs to records."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco

from engine.batches.source import Batch, Noise, Source
from engine.data.raw import TEST, Skip
from engine.errors import ConfigError, DataError
from engine.metrics.images.segmentation import (
    SegmentationEvaluator,
    dice_loss,
    evaluate_pixels,
    pixel_counts,
    pixel_loss,
)

Make = Callable[..., Any]
CPU = torch.device("cpu")
KIND = "semantic_segmentation"
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SIDE = 32
LEFT = np.zeros((SIDE, SIDE), np.uint8)
LEFT[:, : SIDE // 2] = 1
"""Class 1 on the left, class 0 on the right."""
NONE = np.zeros((SIDE, SIDE), np.uint8)


def stored(pixels: np.ndarray[Any, Any], name: str | None = None) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": name}


def table(masks: Sequence[np.ndarray[Any, Any]]) -> pa.Table:
    """Images that are bright where their mask is not 0."""
    images = [stored((mask > 0) * 255, f"{row}.png") for row, mask in enumerate(masks)]
    return pa.table({
        "image": pa.array(images, STORED),
        "mask": pa.array([stored(mask) for mask in masks], STORED),
    })  # fmt: skip


def test_classes_are_the_values_of_the_masks_with_their_share_of_pixels(prepare: Make) -> None:
    prepared = prepare(KIND, table([LEFT, NONE, LEFT * 7]))
    fitted = prepared.fitted
    assert (fitted.classes, fitted.values, fitted.counts) == (["0", "1", "7"], [0, 1, 7], [3, 1, 1])
    # Half of a third of the pixels is of class 1, and of class 7.
    assert fitted.pixels == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    batch = prepared.encoded()
    assert batch.targets.tolist() == [
        (LEFT).tolist(), NONE.tolist(), (LEFT * 2).tolist(),
    ]  # fmt: skip
    assert batch.inputs.shape == (3, 3, SIDE, SIDE)


def test_classes_are_named_and_numbered_by_the_setting(prepare: Make) -> None:
    prepared = prepare(KIND, table([LEFT, NONE]), classes=["1=road", "0=sky", "9=car"])
    assert prepared.fitted.classes == ["road", "sky", "car"]
    assert prepared.fitted.counts == [1, 2, 0]
    assert prepared.encoded().targets[0, 0, 0] == 0


def test_a_class_without_a_value_is_refused(prepare: Make) -> None:
    with pytest.raises(ConfigError, match="road is not value=name"):
        prepare(KIND, table([LEFT]), classes=["road"])


def test_255_is_ignored_unless_it_is_the_only_other_value(prepare: Make) -> None:
    with_border = LEFT.copy()
    with_border[0] = 255
    prepared = prepare(KIND, table([with_border, LEFT]))
    assert prepared.fitted.ignored == 255
    assert (prepared.encoded().targets[0, 0] == 255).all()
    binary = prepare(KIND, table([LEFT * 255, NONE]))
    assert (binary.fitted.values, binary.fitted.ignored) == ([0, 255], None)
    assert "255 is a class" in binary.raw.notes[0].why


def test_rows_whose_mask_does_not_fit_are_left_out_and_counted(pipeline: Make) -> None:
    train = table([LEFT, NONE, LEFT, NONE])
    broken = train["mask"].to_pylist()
    broken[1] = stored(np.zeros((8, 8)))
    broken[2] = {"bytes": b"no image", "path": None}
    train = train.set_column(1, "mask", pa.array(broken, STORED))
    raw = pipeline(KIND, train, test=table([LEFT * 5, LEFT])).load()
    assert raw.train.num_rows == 2
    assert raw.splits[TEST].num_rows == 1
    assert set(raw.skips) == {
        Skip("the mask has another size than its image", 1, "1.png"),
        Skip("the mask cannot be read", 1, "2.png"),
        Skip("the mask has values outside of the classes: 5", 1, "0.png"),
    }


def test_masks_of_one_class_are_refused(pipeline: Make) -> None:
    with pytest.raises(DataError, match="The training masks have 1 classes"):
        pipeline(KIND, table([NONE, NONE])).load()


def sparse_masks() -> list[np.ndarray[Any, Any]]:
    """Masks of which a sixteenth, a half and all pixels are not ignored."""
    masks = [LEFT.copy() for _ in range(3)]
    masks[0][2:] = 255
    masks[1][SIDE // 2 :] = 255
    return masks


def encoded(prepared: Any) -> Source:
    source: Source = prepared.task.encode(prepared.raw.train, prepared.fitted, CPU, print)
    return source


def test_a_batch_weighs_as_much_as_its_pixels_that_are_not_ignored(prepare: Make) -> None:
    source = encoded(prepare(KIND, table(sparse_masks())))
    plan = source.plan(1)
    assert [batch.weight for batch in source.read(plan)] == [1 / 16, 1 / 2, 1]
    logits = torch.randn(3, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    (whole,) = source.read(source.plan(3))
    expected = torch.nn.functional.cross_entropy(logits, whole.targets.long(), ignore_index=255)
    parts: list[torch.Tensor] = [
        pixel_loss(own[None], batch.targets) * batch.weight / whole.weight
        for own, batch in zip(logits, source.read(plan), strict=True)
    ]
    assert torch.stack(parts).sum().item() == pytest.approx(expected.item())


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_evaluated_loss_does_not_depend_on_the_batch_size(prepare: Make, size: int) -> None:
    source = encoded(prepare(KIND, table(sparse_masks())))
    (whole,) = source.read(source.plan(3))
    logits = torch.randn(3, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def forward(network: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        own = logits[batch.rows["row"].to_pylist()]
        return own, pixel_loss(own, batch.targets)

    evaluator = SegmentationEvaluator(["0", "1"], forward)
    for batch in source.read(source.plan(size)):
        evaluator.update(torch.nn.Identity(), batch)
    expected = torch.nn.functional.cross_entropy(logits, whole.targets.long(), ignore_index=255)
    assert evaluator.compute().metrics["loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_the_loss_is_the_mean_over_pixels_that_are_not_ignored() -> None:
    logits = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])  # [1, 2 classes, 1, 2]
    masks = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    assert pixel_loss(logits, masks).item() == pytest.approx(math.log(1 + math.exp(-2)))
    both = torch.tensor([[[0, 0]]], dtype=torch.uint8)
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert pixel_loss(logits, both).item() == pytest.approx(expected)


def test_the_dice_loss_is_that_of_its_definition() -> None:
    # Probabilities 0.8 and 0.4 of class 0, and the rest of class 1.
    chances = torch.tensor([[[[0.8, 0.4]], [[0.2, 0.6]]]])
    masks = torch.tensor([[[0, 1]]])
    # Twice the shared sum over both sums, one added above and below.
    zero = (2 * 0.8 + 1) / (1.2 + 1 + 1)
    one = (2 * 0.6 + 1) / (0.8 + 1 + 1)
    assert dice_loss(chances.log(), masks).item() == pytest.approx(1 - (zero + one) / 2)


def test_iou_and_dice_are_those_of_the_confusion_matrix() -> None:
    predicted = torch.tensor([[[0, 0], [1, 1]]])
    masks = torch.tensor([[[0, 1], [1, 255]]])
    counts = pixel_counts(predicted, masks, 3).numpy()
    assert counts.tolist() == [[[1, 0, 0], [1, 1, 0], [0, 0, 0]]]
    metrics = evaluate_pixels(counts, ["a", "b", "c"], 0.5).metrics
    # Class a: 1 of 2, class b: 1 of 2; class c is neither there nor predicted.
    assert metrics["miou"] == pytest.approx(0.5)
    assert metrics["dice"] == pytest.approx(2 / 3)
    assert metrics["pixel_accuracy"] == pytest.approx(2 / 3)
    assert metrics["loss"] == 0.5


def test_the_baseline_takes_every_pixel_for_the_most_frequent_class(prepare: Make) -> None:
    prepared = prepare(KIND, table([NONE, LEFT]), test=table([LEFT]))
    [baseline] = prepared.task.baselines(prepared.raw, prepared.fitted)
    assert baseline.name == "every pixel 0"
    # Class 0 is half of the test mask, class 1 is never found.
    evaluation = baseline.evaluation
    assert evaluation.metrics["miou"] == pytest.approx(0.25)
    assert evaluation.metrics["pixel_accuracy"] == pytest.approx(0.5)


def test_masks_move_with_the_images_of_training(prepare: Make) -> None:
    prepared = prepare(KIND, table([LEFT] * 8), augmentation={"flip": "horizontal"})
    source = prepared.task.encode(prepared.raw.train, prepared.fitted, CPU, lambda _: None)
    [batch] = source.read([torch.arange(8)], noise=Noise(seed=0, epoch=0, device=CPU))
    assert torch.equal(batch.inputs.mean(1) > 0, batch.targets == 1)
    first = batch.targets[:, 0, 0]
    assert 0 < first.sum() < 8, "some are flipped, others are not"
    [again] = source.read([torch.arange(8)], noise=Noise(seed=0, epoch=0, device=CPU))
    assert torch.equal(again.targets, batch.targets)


def test_images_beyond_memory_are_read_as_they_are_needed(
    prepare: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = stored(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 251, "cut.png")
    broken = cut | {"bytes": cut["bytes"][:-24]}
    train = table([LEFT, NONE, LEFT])
    images = [*train["image"].to_pylist()[:2], broken]
    train = train.set_column(0, "image", pa.array(images, STORED))
    prepared = prepare(KIND, train)
    held = prepared.encoded()
    monkeypatch.setattr("engine.vision.annotated.source.RESIDENT_BYTES", 0)
    read = prepared.encoded()
    assert read.rows["name"].to_pylist() == held.rows["name"].to_pylist() == ["0.png", "1.png"]
    assert torch.equal(read.inputs, held.inputs)
    assert torch.equal(read.targets, held.targets)
    assert {event.message for event in prepared.events} == {
        "Left out: cut.png: the image is damaged or cut off."
    }


class Bright(torch.nn.Module):
    """Takes bright pixels for class 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images.mean(1)
        return torch.stack([-bright, bright], 1)


def test_predictions_have_the_size_of_their_image_and_run_lengths(prepare: Make) -> None:
    prepared = prepare(KIND, table([LEFT, NONE]))
    wide = np.zeros((40, 100), np.uint8)
    wide[:, :25] = 255
    [record] = prepared.predictions(
        Bright(), pa.table({"image": pa.array([stored(wide, "new.png")], STORED)})
    )
    assert (record["image"], record["width"], record["height"]) == ("new.png", 100, 40)
    first, second = record["segments"]
    assert (first["label"], second["label"]) == ("0", "1")
    found = coco.decode(second["rle"]).astype(bool)
    # The border between them lies within the pixels that one of the network covers.
    assert found[:, :23].all()
    assert not found[:, 28:].any()
    assert second["share"] == pytest.approx(found.mean())
    [shown] = prepared.task.presentation(None, prepared.fitted).records([record])
    assert shown["scores"] == {"0": first["share"], "1": second["share"]}


def test_samples_and_their_pictures_are_of_one_pass_of_the_network(prepare: Make) -> None:
    prepared = prepare(KIND, table([LEFT, NONE]))
    source = prepared.task.encode(prepared.raw.train, prepared.fitted, CPU, print)
    network, passes = prepared.network(), []
    network.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        shown = prepared.task.samples(network, source, prepared.fitted)
    assert len(passes) == 1
    names = ["0.png", "1.png"]
    assert [text["image"] for text in shown.texts] == names
    assert [one.name for one in shown.inputs] == [one.name for one in shown.outputs] == names


def test_views_have_a_row_for_each_class_and_the_worst_image_first(prepare: Make) -> None:
    prepared = prepare(KIND, table([LEFT, NONE, LEFT]))
    evaluator = prepared.task.evaluator(prepared.fitted)
    batch = prepared.encoded()
    batch.targets[0] = 1 - batch.targets[0]  # so that the first is all wrong
    evaluator.update(Bright(), batch)
    matrix, classes, worst = evaluator.compute(views=True).views
    half = SIDE * SIDE // 2
    assert matrix.values == [[3 * half, half], [half, half]]
    assert [row[0] for row in classes.rows] == ["0", "1"]
    assert worst.rows[0][:2] == ["0.png", 0.0]
