"""Sizes, colours and statistics of training images, against numpy and torchvision."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import functional as reference

from engine.batches.source import Noise
from engine.config.models.image import Preprocessing
from engine.config.tasks.image_classification import ImageClassificationConfig
from engine.data.class_labels import with_class_names
from engine.errors import DataError
from engine.vision.fitting import classes_in, measure
from engine.vision.preparation import Normalisation, Preparation, ProgressiveSize

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NOISE = Noise(0, 0, torch.device("cpu"))


def images_of(*pixels: np.ndarray[Any, Any]) -> pa.Table:
    """A table of PNG images."""
    records = []
    for own in pixels:
        file = io.BytesIO()
        Image.fromarray(own).save(file, "PNG")
        records.append({"bytes": file.getvalue(), "path": None})
    return pa.table({"image": pa.array(records, IMAGE)})


def noise_image(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@given(st.integers(8, 256), st.integers(1, 60), st.floats(0.2, 1.0))
@settings(max_examples=100, deadline=None)
def test_sizes_grow_with_the_epochs_to_the_full_one(full: int, epochs: int, share: float) -> None:
    sizes = ProgressiveSize(max(4, round(full * share)), epochs)
    found = [sizes.at(epoch, full) for epoch in range(epochs)]
    assert found == sorted(found)
    assert found[0] == min(sizes.start, full) or epochs == 1
    assert all(sizes.start <= size <= full for size in found)
    # The last three tenths of the epochs have the whole images.
    assert all(size == full for epoch, size in enumerate(found) if epoch >= 0.7 * epochs)
    step = 4 if full <= 64 else 32
    assert all((size - sizes.start) % step == 0 for size in found if size < full)


def test_images_are_normalised_as_torchvision_does() -> None:
    images = torch.rand(3, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
    normalisation = Normalisation(mean, std)
    expected = reference.normalize(images, mean, std)
    torch.testing.assert_close(normalisation(images).contiguous(), expected)
    assert normalisation.mean(images).flatten().tolist() == pytest.approx(mean)


@pytest.mark.parametrize("shape", [(5, 3, 128, 128), (1, 3, 1, 30_000), (2, 1, 7, 9), (0, 3, 4, 4)])
def test_bytes_of_any_shape_are_normalised_as_their_shares(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    mean, std = [0.4, 0.5, 0.6][: shape[1]], [0.2, 0.3, 0.25][: shape[1]]
    found = Normalisation(mean, std)(images)
    torch.testing.assert_close(
        found.contiguous(), reference.normalize(images / 255, mean, std), rtol=0, atol=0
    )
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_bytes_are_shares_of_255() -> None:
    images = torch.tensor([[[[0, 255], [51, 204]]]], dtype=torch.uint8)
    prepared = Preparation(Normalisation([0.0], [1.0]))(images)
    assert prepared.flatten().tolist() == pytest.approx([0, 1, 0.2, 0.8])


def test_training_without_anything_random_is_the_evaluation() -> None:
    images = torch.randint(0, 256, (2, 3, 6, 6), dtype=torch.uint8)
    preparation = Preparation(Normalisation([0.1, 0.2, 0.3], [0.5, 0.5, 0.5]))
    targets = torch.tensor([0, 1])
    trained, same = preparation.train(images, targets, NOISE, 0)
    assert torch.equal(trained, preparation(images))
    assert same is targets


def test_smaller_images_keep_their_mean_colour() -> None:
    images = torch.randint(0, 256, (2, 1, 32, 32), dtype=torch.uint8)
    preparation = Preparation(Normalisation([0.0], [1.0]), sizes=ProgressiveSize(16, 10))
    small, _ = preparation.train(images, None, NOISE, 0)
    assert small.shape == (2, 1, 16, 16)
    whole = images.float().mean((1, 2, 3)) / 255
    assert small.mean((1, 2, 3)).tolist() == pytest.approx(whole.tolist(), abs=0.01)
    later, _ = preparation.train(images, None, Noise(0, 9, torch.device("cpu")), 0)
    assert later.shape == images.shape


def test_mean_and_deviation_are_those_of_all_pixels() -> None:
    pixels = [noise_image(seed, 8, 8, 3) for seed in range(5)]
    found = measure(images_of(*pixels), "image", ImageClassificationConfig(image_size=8), None)
    shares = np.stack(pixels).reshape(-1, 3) / 255
    assert found["channels"] == 3
    assert found["mean"] == pytest.approx(shares.mean(0).tolist())
    assert found["std"] == pytest.approx(shares.std(0).tolist())


def test_grey_images_have_one_channel_unless_weights_ask_for_three() -> None:
    table = images_of(*[noise_image(seed, 8, 8) for seed in range(3)])
    task = ImageClassificationConfig(image_size=8)
    assert measure(table, "image", task, None)["channels"] == 1
    wanted = Preprocessing(24, (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))
    found = measure(table, "image", ImageClassificationConfig(), wanted)
    assert (found["channels"], found["size"]) == (3, 24)
    assert (found["mean"], found["std"]) == ([0.4] * 3, [0.2] * 3)


def test_images_of_one_colour_are_not_divided_by_zero() -> None:
    black = np.zeros((8, 8), np.uint8)
    found = measure(images_of(black, black), "image", ImageClassificationConfig(image_size=8), None)
    assert found["mean"] == [0.0]
    assert found["std"] == [1e-3]


def test_sixteen_bits_are_measured_exactly() -> None:
    deep = (np.random.default_rng(0).integers(0, 4096, (3, 8, 8))).astype(np.uint16)
    found = measure(images_of(*deep), "image", ImageClassificationConfig(image_size=8), None)
    assert 0 <= found["mean"][0] <= 1
    assert found["std"][0] > 0.1  # as bytes, 4,096 of 65,536 levels would be nearly black


def labelled(values: list[Any], names: list[str] | None = None) -> pa.Table:
    table = pa.table({"label": values})
    return with_class_names(table, "label", names) if names else table


@pytest.mark.parametrize(
    ("table", "classes"),
    [
        (labelled(["b", "a", "b"]), (["a", "b"], [1, 2], False)),
        (labelled([["a"], ["a", "b"], []]), (["a", "b"], [2, 1], True)),
        (labelled([0, 2, 2], ["x", "y", "z"]), (["x", "y", "z"], [1, 0, 2], False)),
        (labelled([["a"], ["a"]]), (["a"], [2], True)),
    ],
)
def test_classes_of_images_are_counted_by_name(table: pa.Table, classes: Any) -> None:
    names, counts, several = classes_in(table, "label")
    assert (list(names), list(counts), several) == classes


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (labelled(["a", "a"]), "have the same class, 'a'"),
        (labelled([1, 1], ["x", "y"]), "have the same class, 'y'"),
        (labelled([str(i) for i in range(500)]), "has 500 different values in 500 training rows"),
    ],
)
def test_columns_that_are_no_classes_are_refused(table: pa.Table, message: str) -> None:
    with pytest.raises(DataError, match=message):
        classes_in(table, "label")
