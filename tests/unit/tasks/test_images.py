"""Images with classes, from files to pixels, and from a network's outputs to records."""

from __future__ import annotations

import io
import math
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from engine.data.builtin.toy import with_class_names
from engine.data.raw import TEST, TRAIN, Skip
from engine.errors import DataError
from engine.vision.fitting import _of_bytes

Make = Callable[..., Any]
KIND = "image_classification"
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
DARK, LIGHT = np.array([[0, 51], [102, 0]]), np.array([[255, 204], [153, 255]])
"""Grey values of two images of 2 × 2 pixels."""


def stored(pixels: np.ndarray[Any, Any], name: str = "") -> dict[str, Any]:
    """A PNG as data sets hold it; grey for [height, width], else of colours."""
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": name or None}


def table_of(images: Sequence[dict[str, Any] | None], **columns: Any) -> pa.Table:
    return pa.table({"image": pa.array(images, STORED)} | columns)


def shades(**columns: Any) -> pa.Table:
    """A dark image and two light ones, with their classes unless there are other columns."""
    images = [stored(DARK, "a.png"), stored(LIGHT), stored(LIGHT, "c.png")]
    return table_of(images, **columns or {"label": ["night", "day", "day"]})


def cut_off(pixels: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An image that cannot be decoded, although its header can be read."""
    whole = stored(pixels, "broken.png")
    return whole | {"bytes": whole["bytes"][:-24]}


def test_mean_and_deviation_are_exact_and_counted_in_little_memory() -> None:
    values = np.random.default_rng(0).integers(0, 256, (1 << 20, 3), np.uint8)
    tracemalloc.start()
    mean, deviation = _of_bytes(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mean == pytest.approx((values / 255).mean(0))
    assert deviation == pytest.approx((values / 255).std(0))
    assert peak < 4 << 20, "less than eight bytes for each of a third of the values"


def test_grey_images_are_fitted_by_size_mean_and_deviation(prepare: Make) -> None:
    fitted = prepare(KIND, shades()).fitted
    assert (fitted.classes, fitted.counts, fitted.multi_label) == (["day", "night"], [2, 1], False)
    assert (fitted.channels, fitted.size, fitted.sizes) == (1, 2, {"2×2": 3})
    # Over all pixels of all images, white being 1.
    pixels = np.stack([DARK, LIGHT, LIGHT]) / 255
    assert fitted.mean == pytest.approx([pixels.mean()])
    assert fitted.std == pytest.approx([pixels.std()])


def test_each_colour_has_its_own_mean_and_deviation(prepare: Make) -> None:
    red, blue = np.zeros((2, 3, 3)), np.full((2, 3, 3), 255)
    red[..., 0], blue[..., :2] = 255, 0
    images = [stored(red), stored(blue), stored(DARK)]
    fitted = prepare(KIND, table_of(images, label=["r", "b", "r"]), image_size=2).fitted
    # A grey image is one of three equal colours among coloured ones; 2 × 3 are cropped to 2 × 2.
    grey = np.repeat(DARK[..., None], 3, 2)
    pixels = np.stack([red[:, :2], blue[:, :2], grey]) / 255
    assert (fitted.channels, fitted.size) == (3, 2)
    assert fitted.mean == pytest.approx(pixels.mean((0, 1, 2)).tolist())
    assert fitted.std == pytest.approx(pixels.std((0, 1, 2)).tolist())
    assert fitted.sizes == {"3×2": 2, "2×2": 1}


def test_pre_trained_weights_say_size_mean_and_deviation(prepare: Make) -> None:
    fitted = prepare(KIND, shades(), model={"kind": "torchvision", "pretrained": True}).fitted
    # Those of ImageNet, which have three colours.
    assert (fitted.channels, fitted.size) == (3, 224)
    assert (fitted.mean, fitted.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def test_lists_of_classes_make_several_labels_possible(prepare: Make) -> None:
    fitted = prepare(KIND, shades(tags=[["sky", "sun"], [], ["sky"]])).fitted
    assert (fitted.classes, fitted.counts, fitted.multi_label) == (["sky", "sun"], [2, 1], True)


def test_rows_that_cannot_be_used_are_left_out_and_counted(pipeline: Make) -> None:
    broken = {"bytes": b"no image", "path": None}
    images = [stored(DARK), broken, stored(LIGHT), None, stored(LIGHT)]
    train = table_of(images, label=["night", "day", None, "day", "day"])
    test = table_of([stored(DARK)] * 3, label=["night", "dusk", "dusk"])
    raw = pipeline(KIND, train, test=test).load()
    assert raw.splits[TRAIN]["label"].to_pylist() == ["night", "day"]
    assert raw.splits[TEST]["label"].to_pylist() == ["night"]
    assert set(raw.skips) == {
        Skip("the image cannot be read", 1, "train row 2"),
        Skip("label is empty", 1, "train row 3"),
        Skip("there is no image", 1, "train row 4"),
        Skip("its class is not in the training rows", 2, "test row 2"),
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["day"] * 3}, "All training images have the same class, 'day'."),
        ({"label": [[], [], []]}, "No training image has a class."),
        ({"score": [0.1, 0.2, 0.3]},
         "Which column holds the classes? It could be score."),
    ],
)  # fmt: skip
def test_images_without_classes_are_refused(
    pipeline: Make, columns: dict[str, Any], message: str
) -> None:
    own = pipeline(KIND, shades(**columns))
    with pytest.raises(DataError) as refused:
        own.fit(own.load())
    assert refused.value.message == message


def test_pixels_are_normalised_by_mean_and_deviation(prepare: Make) -> None:
    prepared = prepare(KIND, shades())
    batch = prepared.encoded()
    pixels = np.stack([DARK, LIGHT, LIGHT])[:, None] / 255
    np.testing.assert_allclose(
        batch.inputs, (pixels - pixels.mean()) / pixels.std(), rtol=1e-5, atol=1e-6
    )
    assert batch.targets.tolist() == [1, 0, 0]
    assert batch.rows["name"].to_pylist() == ["a.png", "row 2", "c.png"]
    assert batch.weight == 3


def test_numbers_of_classes_follow_the_names_in_the_file(prepare: Make) -> None:
    table = with_class_names(shades(label=[2, 0, 2]), "label", ["day", "dusk", "night"])
    prepared = prepare(KIND, table)
    assert (prepared.fitted.classes, prepared.fitted.counts) == (
        ["day", "dusk", "night"],
        [1, 0, 2],
    )
    assert prepared.encoded().targets.tolist() == [2, 0, 2]


def test_several_labels_are_a_zero_or_one_for_each_class(prepare: Make) -> None:
    prepared = prepare(KIND, shades(tags=[["sky", "sun"], [], ["sky"]]))
    assert prepared.encoded().targets.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert prepared.network()(prepared.encoded().inputs).shape == (3, 2)


def test_an_image_that_cannot_be_decoded_is_left_out_and_reported(prepare: Make) -> None:
    images = [stored(DARK), cut_off(np.arange(64).reshape(8, 8)), stored(LIGHT)]
    prepared = prepare(KIND, table_of(images, label=["night", "day", "day"]), image_size=2)
    batch = prepared.encoded()
    assert batch.targets.tolist() == [1, 0]
    assert batch.rows["name"].to_pylist() == ["row 1", "row 3"]
    fault = "the image is damaged or cut off"
    [report] = prepared.events
    assert report.message == f"Left out: broken.png: {fault}."
    summary = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted)
    assert summary.skips == ({"reason": fault, "count": 1, "example": "broken.png"},)


def test_images_without_a_class_serve_predictions(prepare: Make) -> None:
    prepared = prepare(KIND, shades())
    batch = prepared.encoded_new(table_of([stored(LIGHT, "new.png")]))
    assert batch.targets is None
    assert batch.inputs.shape == (1, 1, 2, 2)
    with pytest.raises(DataError, match=r"task\.image: there is no column 'image'\."):
        prepared.encoded_new({"picture": ["new.png"]})


def test_paths_in_a_file_to_predict_from_begin_beside_it(prepare: Make, tmp_path: Path) -> None:
    prepared = prepare(KIND, shades())
    Image.fromarray(LIGHT.astype(np.uint8)).save(tmp_path / "new.png")
    table = pa.table({"image": ["new.png"], "year": [1999]})
    rows = prepared.task.pipeline.from_file(table, prepared.fitted, tmp_path)
    batch = prepared.encoded_new(rows)
    assert batch.rows["name"].to_pylist() == [str(tmp_path / "new.png")]
    assert torch.equal(batch.inputs[0], prepared.encoded().inputs[1])


def test_a_class_is_predicted_with_its_probability(prepare: Make) -> None:
    prepared = prepare(KIND, shades())
    network = prepared.zeroed()
    network.head.bias.data = torch.tensor([math.log(4), 0.0])
    [record] = prepared.predictions(network, table_of([stored(DARK, "new.png")]))
    assert record == {
        "image": "new.png", "label": "day", "score": pytest.approx(0.8),
        "scores": pytest.approx({"day": 0.8, "night": 0.2}),
    }  # fmt: skip


def test_labels_are_predicted_that_are_likelier_than_not(prepare: Make) -> None:
    prepared = prepare(KIND, shades(tags=[["sky", "sun"], ["sea"], ["sky"]]))
    network = prepared.zeroed()
    # The sigmoid of ln(p / (1 − p)) is p; classes are sea, sky, sun.
    network.head.bias.data = torch.tensor([0.2, 0.9, 0.6]).logit()
    [record] = prepared.predictions(network, table_of([stored(DARK, "new.png")]))
    assert record["labels"] == ["sky", "sun"]
    assert record["scores"] == pytest.approx({"sky": 0.9, "sun": 0.6, "sea": 0.2})


def test_a_backbone_learns_more_slowly_than_the_new_head(prepare: Make) -> None:
    model = {"kind": "torchvision", "name": "shufflenet_v2_x0_5", "pretrained": False,
             "backbone_lr_scale": 0.1}  # fmt: skip
    prepared = prepare(KIND, shades(), model=model)
    network = prepared.network()
    head, backbone = network.parameter_groups()
    assert (head["lr_scale"], backbone["lr_scale"]) == (1, 0.1)
    assert [parameter.shape for parameter in head["params"]] == [(2, 1024), (2,)]
    assert len(head["params"]) + len(backbone["params"]) == len(list(network.parameters()))


def test_a_new_network_learns_everywhere_alike(prepare: Make) -> None:
    prepared = prepare(KIND, shades())
    assert not hasattr(prepared.network(), "parameter_groups")
