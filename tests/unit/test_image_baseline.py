"""The baseline of image classification: a linear model on edges and colours."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import nn

from engine.baselines.edges_and_colours import LabelledImages, edges_and_colours, features_of
from engine.batches.source import Batch
from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.metrics.images.mistakes import ImageEvaluator
from engine.metrics.uncertainty.paired import judge_rows, text_keys
from engine.tasks.create import create_task
from engine.vision.fitted import ImageFitted

CLASSES = ["lying", "upright"]
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def striped(upright: bool, draw: np.random.Generator) -> np.ndarray[Any, Any]:
    """An image ``[32, 32, 1]`` of stripes with noise, whose colours tell nothing."""
    wave = 128 + 100 * np.sin(np.arange(32) / 2 + draw.uniform(0, 6))
    stripes = np.broadcast_to(wave if upright else wave[:, None], (32, 32))
    return (stripes + draw.normal(0, 5, (32, 32))).clip(0, 255).astype(np.uint8)[..., None]


def labelled(count: int, seed: int, faults: frozenset[int] = frozenset()) -> LabelledImages:
    draw = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    pixels = np.stack([striped(bool(target), draw) for target in targets])

    def decode(rows: range) -> tuple[np.ndarray[Any, Any], set[int]]:
        return pixels[rows.start : rows.stop], set(rows) & faults

    return LabelledImages([f"{seed}/{row}.png" for row in range(count)], targets, decode)


def test_a_cell_has_the_direction_of_its_edges_and_its_colour() -> None:
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    pixels[0, :, 2:] = 51  # an edge upright between the second and the third pixel
    found = features_of(pixels)
    edges, colours = found[0, : 4 * 9].reshape(2, 2, 9), found[0, 4 * 9 :].reshape(2, 2, 3)
    # np.gradient is half the difference of the neighbours: 0.1 in two of the four columns.
    assert edges[0, 0] == pytest.approx([0.05 / 0.1] + [0] * 8)
    assert edges[1, 1] == pytest.approx([0] * 9)
    assert colours[0] == pytest.approx(np.array([[0.1] * 3, [0.2] * 3]))
    assert features_of(pixels / np.float32(255)) == pytest.approx(found)
    from_light = features_of(255 - pixels)[0, : 4 * 9].reshape(2, 2, 9)
    assert from_light == pytest.approx(edges), "from light to dark is the same direction"


def test_directions_are_told_apart_on_images_that_were_not_seen() -> None:
    result = edges_and_colours(labelled(60, 1), labelled(40, 2), CLASSES)
    assert result is not None
    assert result.metrics["accuracy"] == 1.0
    assert 0 < result.metrics["loss"] < 0.5


def test_images_that_cannot_be_decoded_are_left_out_on_both_sides() -> None:
    result = edges_and_colours(
        labelled(60, 1, frozenset({0, 7})), labelled(40, 2, frozenset({3})), CLASSES
    )
    assert result is not None
    assert result.rows is not None
    names = [f"2/{row}.png" for row in range(40) if row != 3]
    assert result.rows.keys.tolist() == text_keys(names).tolist()  # type: ignore[union-attr]
    assert edges_and_colours(labelled(4, 1), labelled(2, 2, frozenset({0, 1})), CLASSES) is None


def test_there_is_no_baseline_where_decoding_takes_too_long() -> None:
    assert edges_and_colours(labelled(60, 1), labelled(40, 2), CLASSES, seconds=0) is None


def test_an_image_of_several_classes_has_a_probability_for_each() -> None:
    def several(images: LabelledImages) -> LabelledImages:
        flags = np.stack([images.targets, 1 - images.targets, np.ones_like(images.targets)], 1)
        return LabelledImages(images.names, flags, images.decode)

    result = edges_and_colours(several(labelled(60, 1)), several(labelled(40, 2)), ["a", "b", "c"])
    assert result is not None
    assert result.metrics["f1"] == 1.0


def test_the_verdict_is_on_the_same_images_in_whatever_order() -> None:
    draw = np.random.default_rng(0)

    def table(count: int, name: str) -> pa.Table:
        rows = []
        for row in range(count):
            file = io.BytesIO()
            Image.fromarray(striped(bool(row % 2), draw)[..., 0]).save(file, "PNG")
            rows.append({"bytes": file.getvalue(), "path": f"{name}{row}.png"})
        labels = [CLASSES[row % 2] for row in range(count)]
        return pa.table({"image": pa.array(rows, STORED), "label": labels})

    config = RunConfig.parse(
        {
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits"},
            "model": {"kind": "cnn"},
        }
    )
    raw = RawData({"train": table(40, "a"), "test": table(20, "b")})
    fitted = ImageFitted(
        image="image", label="label", classes=CLASSES, counts=[20, 20], multi_label=False,
        channels=1, size=32, mean=[0.5], std=[0.5], sizes={}, resize="crop",
    )  # fmt: skip
    (baseline,) = create_task(config).baselines(raw, fitted)
    theirs = baseline.evaluation.rows
    evaluator = ImageEvaluator(CLASSES, False, lambda _, batch: batch.inputs)
    order = list(reversed(range(20)))
    logits = torch.tensor([[1.0, 0.0]] * 20)
    names = pa.table({"name": [f"b{row}.png" for row in order], "row": order})
    targets = torch.tensor([row % 2 for row in order])
    evaluator.update(nn.Identity(), Batch(logits, targets, 20, names))
    ours = evaluator.compute(views=True).rows
    assert ours is not None
    assert theirs is not None
    verdict = judge_rows(baseline.name, ours, theirs)
    assert verdict is not None
    assert (verdict.outcome, verdict.difference) == ("worse", -0.5)
