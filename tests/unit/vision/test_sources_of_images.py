"""Images as batches: all in memory, or decoded by threads a few batches ahead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batches.source import Noise
from engine.config.tasks.placed_augmentation import PlacedAugmentationConfig
from engine.data.image_limits import ImageFault
from engine.data.raw import Skip
from engine.errors import DataError
from engine.vision.annotated.source import Annotated, AnnotatedImages, PlacedPreparation
from engine.vision.augmentation.crops import Crop
from engine.vision.augmentation.placement import PlacedAugmentation, Placement
from engine.vision.files.pixel_cache import PixelCache
from engine.vision.preparation import Normalisation, Preparation
from engine.vision.source import RESIDENT_BYTES, ResidentImages, StoredImages, name_table

CPU = torch.device("cpu")
NOISE = Noise(seed=5, epoch=2, device=CPU)
MEAN, STD = [0.5, 0.25, 0.0], [0.5, 0.25, 1.0]
PLAIN = Preparation(Normalisation(MEAN, STD))


def pixels(row: int, size: int = 2) -> Any:
    """An image whose first channel has the number of its row."""
    image = np.full((size, size, 3), 51, np.uint8)  # a fifth of white
    image[..., 0] = row
    return image


class Decoder:
    """Images of rows by number, of which some are faulty; counts how often each is decoded."""

    def __init__(self, faulty: Sequence[int] = (), fault: str = "") -> None:
        self.asked: Counter[tuple[int, Crop | None]] = Counter()
        self.skipped: list[Skip] = []
        self._faulty = frozenset(faulty)
        self._fault = fault
        self._lock = Lock()

    def __call__(self, row: int, crop: Crop | None) -> Any:
        with self._lock:
            self.asked[row, crop] += 1
        if row in self._faulty:
            raise ImageFault(self._fault or f"fault {row}")
        return pixels(row)

    def source(self, rows: int, preparation: Preparation = PLAIN, **options: Any) -> StoredImages:
        names = [f"{row}.png" for row in range(rows)]
        targets = torch.arange(rows) * 10
        told = self.skipped.append
        return StoredImages(self, names, targets, preparation, CPU, told, **options)


def rows_in(batch: Any) -> list[int]:
    """The rows of a batch by the pixels of its images."""
    shares = batch.inputs[:, 0, 0, 0] * STD[0] + MEAN[0]
    return [round(value * 255) for value in shares.tolist()]


def plan(*batches: Sequence[int]) -> list[torch.Tensor]:
    return [torch.tensor(batch) for batch in batches]


def test_pixels_are_shares_of_white_normalised_by_channel() -> None:
    [batch] = Decoder().source(3).read(plan([2]))
    expected = [(2 / 255 - 0.5) / 0.5, (0.2 - 0.25) / 0.25, 0.2]
    assert batch.inputs.shape == (1, 3, 2, 2)
    assert batch.inputs[0, :, 1, 1].tolist() == pytest.approx(expected, abs=1e-6)


@given(
    st.integers(1, 40).flatmap(lambda count: st.permutations(range(count))),
    st.integers(1, 9),
    st.sets(st.integers(0, 39)),
)
@settings(max_examples=12, deadline=None)
def test_images_keep_their_targets_names_and_order_and_faulty_ones_are_left_out(
    order: list[int], size: int, faulty: set[int]
) -> None:
    decoder = Decoder([*faulty])
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    read = list(decoder.source(41).read(plan(*batches)))
    whole = [kept for rows in batches if (kept := [row for row in rows if row not in faulty])]
    for batch, kept in zip(read, whole, strict=True):
        assert rows_in(batch) == kept
        assert batch.targets.tolist() == [10 * row for row in kept]
        assert batch.rows.to_pydict() == {"name": [f"{row}.png" for row in kept], "row": kept}
        assert batch.numbers.tolist() == kept
        assert batch.weight == len(kept)
    lost = sorted(row for row in order if row in faulty)
    told = sorted((skip.example, skip.count, skip.reason) for skip in decoder.skipped)
    assert told == sorted((f"{row}.png", 1, f"fault {row}") for row in lost)


def test_images_left_out_for_one_reason_are_told_together() -> None:
    decoder = Decoder([5, 1, 3], "cut off")
    list(decoder.source(7).read(plan([6, 5], [3, 1], [0])))
    assert decoder.skipped == [Skip("cut off", 3, "1.png")]


@pytest.mark.parametrize("noise", [None, NOISE])
def test_a_split_without_an_image_that_can_be_decoded_is_refused(noise: Noise | None) -> None:
    source = Decoder(range(3), "cut off").source(3)
    for _ in range(2):
        with pytest.raises(DataError, match=r"^None of 3 images can be decoded"):
            list(source.read(plan([0, 2], [1]), noise=noise))


def test_images_behind_them_take_the_place_of_faulty_ones_in_training() -> None:
    decoder = Decoder([0, 1, 2, 5, 7])
    batches = plan([0, 1, 2], [3, 5, 7], [7, 1], [5], [4, 6, 2])
    read = list(decoder.source(8).read(batches, noise=NOISE))
    # At least two are trained on together, where so many were planned.
    assert [rows_in(batch) for batch in read] == [[3, 4], [3, 4], [3, 4], [6], [4, 6]]
    for batch in read:
        assert batch.targets.tolist() == [10 * row for row in rows_in(batch)]
        assert batch.weight == len(rows_in(batch))
    again = Decoder([0, 1, 2, 5, 7]).source(8).read(batches, 2, NOISE)
    assert [rows_in(batch) for batch in again] == [[3, 4], [6], [4, 6]]


def test_a_faulty_image_is_tried_and_told_once_in_all_epochs() -> None:
    decoder = Decoder([1])
    source = decoder.source(3)
    for _ in range(3):
        [batch] = source.read(plan([0, 1, 2]))
        assert rows_in(batch) == [0, 2]
    assert decoder.asked[1, None] == 1
    assert decoder.skipped == [Skip("fault 1", 1, "1.png")]


@pytest.mark.parametrize("threads", [None, 0, 1, 3])
@pytest.mark.parametrize("start", [0, 2, 4])
def test_batches_from_any_position_are_those_of_the_plan(threads: int | None, start: int) -> None:
    decoder = Decoder()
    source = decoder.source(12)
    source.threads = threads
    batches = plan([0, 1, 2], [3, 4], [5, 6, 7, 8, 9, 10, 11], [1])
    assert [rows_in(batch) for batch in source.read(batches, start)] == [
        batch.tolist() for batch in batches[start:]
    ]
    asked = {row for batch in batches[start:] for row in batch.tolist()}
    assert {row for row, _ in decoder.asked} == asked  # nothing before the start is decoded


def test_no_more_than_three_batches_are_decoded_ahead() -> None:
    decoder = Decoder()
    batches = decoder.source(40).read(plan(*([row] for row in range(40))))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(decoder.asked) <= 3


def test_an_error_other_than_a_fault_of_the_image_is_raised() -> None:
    def broken(row: int, crop: Crop | None) -> Any:
        raise ZeroDivisionError

    source = StoredImages(broken, ["a"], None, PLAIN, CPU, lambda skip: None)
    with pytest.raises(ZeroDivisionError):
        list(source.read(plan([0])))


def test_crops_of_training_are_drawn_by_seed_epoch_and_row() -> None:
    decoder = Decoder()
    cropped = Preparation(Normalisation(MEAN, STD), least_crop=0.3)
    [batch] = decoder.source(4, cropped).read(plan([3, 1]), noise=NOISE)
    assert rows_in(batch) == [3, 1]
    assert batch.rows is None  # names are for evaluations
    assert {*decoder.asked} == {(row, Crop(0.3, 5, 2, row)) for row in (3, 1)}
    [_] = decoder.source(4, cropped).read(plan([3]))
    assert decoder.asked[3, None] == 1


def test_images_are_decoded_once_where_they_are_cached(home: Any) -> None:
    told: list[str] = []
    decoder = Decoder([2])
    cache = PixelCache(4, pixels(0), 1 << 20, told.append)
    source = decoder.source(4, cache=cache)
    for noise in (None, NOISE, None):
        [batch] = source.read(plan([3, 2, 1, 0]), noise=noise)
        assert rows_in(batch) == [3, 1, 0]
    assert {*decoder.asked.values()} == {1}
    assert told == []


def test_images_without_targets_serve_predictions() -> None:
    source = StoredImages(Decoder(), ["a", "b"], None, PLAIN, CPU, lambda skip: None)
    [batch] = source.read(plan([1]))
    assert batch.targets is None
    assert batch.rows["name"].to_pylist() == ["b"]
    assert len(source) == 2


def resident(rows: int, targets: Any = None) -> ResidentImages:
    images = np.stack([pixels(row) for row in range(rows)])
    return ResidentImages(images, targets, PLAIN, CPU, [f"{row}.png" for row in range(rows)])


@pytest.mark.parametrize("start", [0, 1])
def test_images_in_memory_are_the_same_batches_as_decoded_ones(start: int) -> None:
    batches = plan([4, 0], [2], [1, 3])
    one = resident(5, torch.arange(5) * 10).read(batches, start)
    other = Decoder().source(5).read(batches, start)
    for mine, theirs in zip(one, other, strict=True):
        assert torch.equal(mine.inputs, theirs.inputs)
        assert torch.equal(mine.targets, theirs.targets)
        assert mine.rows.equals(theirs.rows)


def test_batches_of_training_have_no_names_and_leave_the_images_as_they_are() -> None:
    source = resident(3, torch.arange(3))
    for _ in range(2):
        [batch] = source.read(plan([2, 1]), noise=NOISE)
        assert rows_in(batch) == [2, 1]
        assert batch.rows is None


def test_memory_of_a_device_is_held_for_images_that_fit_into_it() -> None:
    source = resident(2)
    image = 2 * 2 * 3
    assert source.resident_bytes(100) >= 100 * image
    most = RESIDENT_BYTES // image
    assert source.resident_bytes(most) >= most * image
    assert source.resident_bytes(most + 1) == 0


def test_a_table_of_names_has_the_rows_that_are_asked_for() -> None:
    names = ["a", "ü", ""]
    assert name_table(names, torch.tensor([2, 0, 0])).to_pydict() == {
        "name": ["", "a", "a"], "row": [2, 0, 0],
    }  # fmt: skip
    assert name_table(names, torch.tensor([], dtype=torch.int64)).num_rows == 0


FAULTY = (0, 1, 4)


def annotated(monkeypatch: pytest.MonkeyPatch, held: bool, told: list[Skip]) -> AnnotatedImages:
    """Six images with a mask each that has the number of its row, which is its weight, too.

    Three cannot be read.
    """

    def read(row: int) -> tuple[Any, Any]:
        if row in FAULTY:
            raise ImageFault("cut off")
        return pixels(row), np.full((2, 2), row, np.uint8)

    monkeypatch.setattr("engine.vision.annotated.source.RESIDENT_BYTES", held * 1000)
    names = [f"{row}.png" for row in range(6)]
    sizes = [(9, row) for row in range(6)]
    images = Annotated(names, sizes, read, 12, weigh=lambda mask: float(mask[0, 0]))
    still = PlacedAugmentation(PlacedAugmentationConfig())
    prepared = PlacedPreparation(Normalisation(MEAN, STD), Placement.masks, still)
    return AnnotatedImages(images, prepared, CPU, told.append)


@pytest.mark.parametrize("held", [True, False])
def test_rows_of_annotated_images_hold_where_others_are_left_out(
    held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Skip] = []
    source = annotated(monkeypatch, held, told)
    batches = list(source.read(source.evaluation_plan(2)))
    rows = [row for batch in batches for row in source.rows_of(batch.numbers)]
    shown = [row for batch in batches for row in rows_in(batch)]
    assert rows == shown == [2, 3, 5]
    assert [name for batch in batches for name in batch.rows["name"].to_pylist()] == [
        "2.png", "3.png", "5.png"
    ]  # fmt: skip
    assert [high for batch in batches for high in batch.rows["height"].to_pylist()] == rows
    assert [int(mask[0, 0]) for batch in batches for mask in batch.targets] == rows
    assert [batch.weight for batch in batches] == [sum(rows_in(batch)) for batch in batches]
    assert told == [Skip("cut off", 3, "0.png")]


def test_annotated_images_behind_them_take_the_place_of_faulty_ones_in_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = annotated(monkeypatch, False, [])
    read = list(source.read(plan([4, 1], [0], [3, 4, 2]), noise=NOISE))
    assert [rows_in(batch) for batch in read] == [[2, 3], [2], [3, 2]]
    for batch in read:
        assert batch.targets[:, 0, 0].tolist() == rows_in(batch)
        assert batch.weight == sum(rows_in(batch))
