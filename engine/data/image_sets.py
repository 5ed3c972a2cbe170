"""Lists of the images of each split, as Pascal VOC has them in ``ImageSets``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import TRAIN
from engine.data.readers.files import split_of
from engine.files.paths import is_folder

_BOTH = "trainval"
"""The list of the training and validation images together."""


def listed_splits(root: Path, task: str) -> Mapping[str, str]:
    """Return the split of each image, by its name without suffix, that the lists of a task name.

    ``task`` is ``Main`` for boxes and ``Segmentation`` for masks; empty without such a folder.
    """
    listed: dict[str, str] = {}
    folder = next((f for f in sorted(root.rglob(f"ImageSets/{task}")) if is_folder(f)), None)
    for file in sorted(folder.glob("*.txt")) if folder else ():
        split = TRAIN if file.stem == _BOTH else split_of(Path(file.name))
        if split and "_" not in file.stem:  # others list a single class
            lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            written = [line.split()[0] for line in lines if line.strip()]
            own = dict.fromkeys([*written, *map(_name, written)], split)
            listed = own | listed if file.stem == _BOTH else listed | own
    return listed


def _name(written: str) -> str:
    """Return the name of an image without folders and suffix, which some tools write too."""
    path = PurePath(written.replace("\\", "/"))
    return path.stem if path.suffix.lower()[1:] in (*SUFFIXES, "xml") else path.name
