"""Images and the masks that belong to them, by the names of their files and folders."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from engine.data.image_layout import FILLERS, named_split
from engine.data.raw import TRAIN
from engine.data.readers.files import split_of

_FOLDERS = frozenset((
    "masks", "mask", "labels", "label", "annotations", "segmentationclass", "segmentation",
    "segmentationobject", "gt", "groundtruth", "ground_truth", "gtfine", "gtcoarse",
))  # fmt: skip
"""Names of folders that hold masks."""
_WORDS = frozenset(("mask", "masks", "gt", "gtfine", "gtcoarse", "annotations", "groundtruth",
                    "labels"))  # fmt: skip
"""A folder with one of these in its name holds masks too, such as ``train_masks``."""
_ANNOT = "annot"
"""End of folders of masks in CamVid as SegNet has it: ``trainannot``."""
_NEUTRAL = FILLERS | {"jpegimages", "photos", "pictures", "rgb", "inputs", "leftimg8bit"}
"""Names of folders that say nothing of the images in them."""
_ENDS = ("_mask", "_masks", "_label", "_labels", "_gt", "_seg", "_labelids")
"""Ends of names that masks have and their images have not."""
_OBJECTS = "segmentationobject"
"""Folder of masks of single objects in Pascal VOC, beside those of classes."""
_KINDS = ("_labeltrainids", "_labelids")
"""Ends of the masks of classes where several kinds are kept for an image, the best first."""
_BEFORE, _BEHIND = re.compile(r".*[-_. ]"), re.compile(r"[-_. ].*")

Cut = Callable[[str], str]


class MaskNames:
    """The names by which masks are told from images and belong to them."""

    def __init__(self, chosen: str = "") -> None:
        """``chosen`` is the name of the folders of masks; empty goes by usual names."""
        self._chosen = chosen.lower()

    def masks_among(self, images: Sequence[Path]) -> list[Path]:
        """Return the masks: those in folders of masks, else those named by an image beside them."""
        found = [image for image in images if self._in_folder(image)]
        if found or self._chosen:
            return found
        known = {(image.parent, image.stem) for image in images}
        return [
            image
            for image in images
            if (stem := _without_end(image.stem)) != image.stem and (image.parent, stem) in known
        ]

    def pairs(self, images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path | None]:
        """Return the mask of each image; ``None`` where there is none.

        Names are the same, or become so without what all images, or all masks, have at an end.
        """
        found: list[dict[Path, Path | None]] = []
        for of_image, of_mask in _cuts([i.stem for i in images], [m.stem for m in masks]):
            by_key = {self._key(mask, of_mask): mask for mask in masks}
            found.append({image: by_key.get(self._key(image, of_image)) for image in images})
        return max(found, key=_number)

    def groups(self, images: Sequence[Path]) -> tuple[dict[Path, list[Path]], list[Path]] | None:
        """Return the masks of each image that has one for each of its objects, and other images.

        They lie in a folder of masks beside that of the image, ``a/images/a.png`` and
        ``a/masks/1.png``, or in one called as the image, ``masks/a/1.png``. ``None`` for others.
        """
        masks = [image for image in images if self._in_folder(image)]
        by_key: dict[tuple[str, ...], list[Path]] = defaultdict(list)
        for mask in masks:
            by_key[self._folders(mask)].append(mask)
        others = [image for image in images if not self._in_folder(image)]
        in_folder = Counter(self._folders(image) for image in others)
        groups = {}
        for image in others:
            folders = self._folders(image)
            own = by_key.get((*folders, image.stem))
            if own is None and in_folder[folders] == 1 and folders[1:]:
                own = by_key.get(folders)
            if own:
                groups[image] = own
        if not any(len(own) > 1 for own in groups.values()):
            return None
        return groups, [image for image in others if image not in groups]

    def _in_folder(self, image: Path) -> bool:
        return any(map(self._is_folder, image.parts[:-1]))

    def _is_folder(self, part: str) -> bool:
        name = part.lower()
        if self._chosen:
            return name == self._chosen
        words = _WORDS.intersection(re.findall(r"[a-z]+", name))
        return name in _FOLDERS or bool(words) or name.endswith(_ANNOT)

    def _key(self, image: Path, cut: Cut) -> tuple[str, ...]:
        """Return split, folders and name by which an image and its mask belong together."""
        return (*self._folders(image), cut(image.stem))

    def _folders(self, image: Path) -> tuple[str, ...]:
        """Return split and folders, without those that tell images from masks."""
        folders = [
            part
            for part in image.parts[:-1]
            if part.lower() not in _NEUTRAL and not self._is_folder(part) and not named_split(part)
        ]
        return (split_by_folder(image), *folders)


def split_by_folder(image: Path) -> str:
    """Return the split that the folders of an image or a mask name, else train."""
    folders = [part.removesuffix(_ANNOT) or part for part in image.parent.parts]
    return split_of(Path(*folders)) or TRAIN


def of_one_kind(masks: Sequence[Path]) -> list[Path]:
    """Return the masks of classes, where colours and instances are kept beside, as Cityscapes."""
    whole = [mask for mask in masks if _OBJECTS not in map(str.lower, mask.parts)]
    masks = whole or masks
    for end in _KINDS:
        if own := [mask for mask in masks if mask.stem.lower().endswith(end)]:
            return own
    return list(masks)


def _number(pairs: Mapping[Path, Path | None]) -> int:
    """Return the number of images with a mask of their own."""
    return len({mask for mask in pairs.values() if mask is not None})


def _without_end(stem: str) -> str:
    end = next((end for end in _ENDS if stem.lower().endswith(end)), "")
    return stem[: len(stem) - len(end)]


def _cuts(images: Sequence[str], masks: Sequence[str]) -> list[tuple[Cut, Cut]]:
    """Return ways to cut the names of images and masks, those that cut the least first."""
    ends = _shared_end(images), _shared_end(masks)
    starts = _shared_start(images), _shared_start(masks)

    def cut(number: int, start: bool) -> Cut:
        before, behind = starts[number] if start else "", ends[number]
        return lambda name: name.removeprefix(before).removesuffix(behind)

    return [
        (str, _without_end),
        (cut(0, start=False), cut(1, start=False)),
        (cut(0, start=True), cut(1, start=True)),
    ]


def _shared_start(names: Sequence[str]) -> str:
    """Return what all names begin with, up to a separator: ``img_`` of ``img_1`` and ``img_12``."""
    found = _BEFORE.match(_common(names)) if len(names) > 1 else None
    return found[0] if found else ""


def _shared_end(names: Sequence[str]) -> str:
    """Return what all names end with, from a separator on: ``_mask`` of ``1_mask``, ``12_mask``."""
    end = _common([name[::-1] for name in names])[::-1] if len(names) > 1 else ""
    found = _BEHIND.search(end)
    return found[0] if found else ""


def _common(names: Sequence[str]) -> str:
    """Return the characters that all names begin with: those of the first and last in order."""
    pairs = zip(min(names), max(names), strict=False)
    return "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
