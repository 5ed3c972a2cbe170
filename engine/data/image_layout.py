"""The split and the class of each image in a folder, by the names of the folders above it.

Folders of splits lie above those of the classes (``train/cats``), below them (``cats/train``),
beside them (``cats`` and ``test/cats``), or there are none. A folder that is called ``test`` may
be a class as well: its neighbours tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.readers.files import SPLIT_WORDS, split_of
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

FILLERS = frozenset({"set", "data", "dataset", "images", "image", "imgs", "img", "split"})
"""Words beside that of a split in names such as ``training_set``."""
_SPLITS = {word: split for split, words in SPLIT_WORDS.items() for word in words.split("|")}
_NO_CLASS = "it lies in no folder of a class"

Parts = tuple[str, ...]
"""Names of the folders above an image, below the root."""


@dataclass(frozen=True, slots=True)
class Place:
    """The split and class of an image, or the reason why it has none."""

    split: str = ""
    label: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Layout:
    """A rule that places images, and notes for the user on it."""

    place: Callable[[Parts], Place]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class _Folder:
    """A folder in the root: the names of those in it, and whether images lie beside them."""

    inner: frozenset[str]
    direct: bool


_Folders = Mapping[str, _Folder]
"""The folders in the root that have images, by name."""


def layout_of(root: Path, images: Iterable[PurePath]) -> Layout:
    """Find the layout of ``images``, paths below ``root``. Raises :class:`DataError`."""
    above = list(dict.fromkeys(image.parts[:-1] for image in images))
    wrapping = _wrapping(above)
    skipped = len(wrapping)
    root = root.joinpath(*wrapping)
    folders = _folders([parts[skipped:] for parts in above])
    layout = (
        _splits_above(root, folders)
        or _splits_beside(root, folders)
        or _splits_below(root, folders)
        or Layout(_class_first, (*_classes_like_splits(folders), *_within_classes(folders)))
    )
    if not wrapping:
        return layout
    note = f"only the folder {plain('/'.join(wrapping))} has images: it is read"
    notes = (
        layout.notes
        if named_split(wrapping[-1])
        else (Note(note, change="data.path"), *layout.notes)
    )
    return Layout(lambda parts: layout.place(parts[skipped:]), notes)


def named_split(name: str) -> str:
    """Return the split that a name stands for and nothing besides, as ``test_2`` does."""
    words = [word for word in re.findall(r"[^\W\d_]+", name.lower()) if word not in FILLERS]
    return _SPLITS.get(words[0], "") if len(words) == 1 else ""


def _wrapping(above: Sequence[Parts]) -> Parts:
    """Return the folders around all others, such as those that an archive adds."""
    count = 0
    while above and all(len(parts) > count + 1 for parts in above):
        names = {parts[count] for parts in above}
        if len(names) > 1 or named_split(min(names)) in (VALIDATION, TEST):
            break
        inner = [parts[count + 1 :] for parts in above]
        if len(inner) > 1 and all(len(own) == 1 and named_split(own[0]) for own in inner):
            break  # a class with folders of splits
        count += 1
    return above[0][:count] if above else ()


def _folders(above: Sequence[Parts]) -> _Folders:
    inner: dict[str, set[str]] = {}
    direct = set()
    for first, *others in filter(None, above):
        names = inner.setdefault(first, set())
        if others:
            names.add(others[0])
        else:
            direct.add(first)
    return {name: _Folder(frozenset(names), name in direct) for name, names in inner.items()}


def _splits_above(root: Path, folders: _Folders) -> Layout | None:
    """``train/cats``; several folders can name one split."""
    splits = {name: split_of(Path(name)) for name in folders}
    training = [name for name in folders if splits[name] == TRAIN and folders[name].inner]
    if not training:
        return None
    classes = frozenset[str]().union(*(folders[name].inner for name in training))
    rivals = [
        name
        for name, folder in folders.items()
        if not splits[name] and folder.direct and not folder.inner & classes
    ]
    if rivals and not any(_held_out(name, folders, classes) for name in folders):
        exact = [name for name in training if named_split(name)]
        if not exact:
            return None
        raise DataError(
            f"{plain(root)}: {plain(exact[0])!r} can be a split or a class beside "
            f"{plain(rivals[0])!r}.",
            f"Set data.path to {plain(root / exact[0])}, or move the images of the class "
            f"{plain(exact[0])!r} out of its subfolders.",
        )
    return _by_first(folders, splits)


def _held_out(name: str, folders: _Folders, classes: frozenset[str]) -> bool:
    """Whether a folder is surely a validation or test split of these classes."""
    if split_of(Path(name)) not in (VALIDATION, TEST):
        return False
    return bool(named_split(name) or folders[name].inner & classes)


def _splits_beside(root: Path, folders: _Folders) -> Layout | None:
    """``cats`` or ``photos/cats`` beside ``test/cats``; all others are trained on."""
    held = {
        name: split
        for name, folder in folders.items()
        if folder.inner and (split := named_split(name)) in (VALIDATION, TEST)
    }
    others = [name for name in folders if name not in held]
    classes = frozenset[str]().union(*(folders[name].inner for name in held))
    if held and not others:
        raise DataError(
            f"{plain(root)} has images for {' and '.join(sorted(set(held.values())))}, but none "
            "to train on.",
            "Give a folder 'train' with a folder for each class, beside the others.",
        )
    if held and classes <= set(others):
        return Layout(
            lambda parts: (
                _placed(held[parts[0]], parts[1:])
                if parts and parts[0] in held
                else _class_first(parts)
            )
        )
    if held and all(folders[name].inner & classes and not folders[name].direct for name in others):
        return _by_first(folders, held | dict.fromkeys(others, TRAIN))
    return None


def _by_first(folders: _Folders, splits: Mapping[str, str]) -> Layout:
    """A layout whose first folder gives the split, and the second one the class."""
    around = _around(folders, splits)

    def place(parts: Parts) -> Place:
        if not parts:
            return Place(reason=_NO_CLASS)
        if not splits[parts[0]]:
            return Place(reason=f"the folder {plain(parts[0], 60)} names no split")
        return _placed(splits[parts[0]], parts[2 if parts[1:2] == around[parts[0]] else 1 :])

    return Layout(place, tuple(_joined(splits)))


def _around(folders: _Folders, splits: Mapping[str, str]) -> dict[str, Parts]:
    """Return the one folder around the classes of each split, as in ``training/images/cats``."""
    return {
        name: tuple(folder.inner)
        if len(folder.inner) == 1 and not folder.direct and _is_filler(name, min(folder.inner))
        else ()
        for name, folder in folders.items()
        if splits[name]
    }


def _is_filler(split: str, name: str) -> bool:
    return name.lower() == split.lower() or name.lower() in FILLERS


def _joined(splits: Mapping[str, str]) -> Iterable[Note]:
    """Yield a note for each split that is read from several folders."""
    for split in SPLIT_WORDS:
        names = [plain(name, 60) for name, own in splits.items() if own == split]
        if len(names) > 1:
            yield Note(
                f"the folders {', '.join(names)} are together read as {split}", read_as=split
            )


def _splits_below(root: Path, folders: _Folders) -> Layout | None:
    """``cats/train`` and ``cats/test``; where none names training, all others are trained on."""
    named = {
        name: {named_split(inner) for inner in folder.inner} - {""}
        for name, folder in folders.items()
    }
    held = [name for name, splits in named.items() if splits & {VALIDATION, TEST}]
    if not held:
        return None
    whole = [name for name, splits in named.items() if not splits]
    if whole and not any(TRAIN in named[name] for name in held):
        return None
    if whole:
        raise DataError(
            f"{plain(root)}: the class {plain(held[0])!r} has folders of splits, "
            f"{plain(whole[0])!r} has none.",
            "Give each class the folders train and test, or none.",
        )
    trained = any(TRAIN in splits for splits in named.values())
    return Layout(lambda parts: _class_then_split(parts, "" if trained else TRAIN))


def _class_then_split(parts: Parts, unnamed: str) -> Place:
    if not parts:
        return Place(reason=_NO_CLASS)
    split = named_split(parts[1]) if len(parts) > 1 else ""
    if split or unnamed:
        return Place(split or unnamed, parts[0])
    return Place(reason=f"the folder {plain('/'.join(parts[:2]), 60)} names no split")


def _classes_like_splits(folders: _Folders) -> tuple[Note, ...]:
    """Return a note on classes that are called like splits, or that have such folders."""
    names = [name for name in folders if named_split(name)]
    names += [
        f"{name}/{inner}"
        for name, folder in folders.items()
        for inner in sorted(folder.inner)
        if named_split(inner)
    ]
    some = ", ".join(plain(name, 60) for name in names[:3])
    note = Note(f"not read as splits, but as classes: {some}", read_as="classes")
    return (note,) if names else ()


def _within_classes(folders: _Folders) -> Iterable[Note]:
    """Yield a doubt on classes whose images all lie in several folders of them."""
    deep = [name for name, folder in folders.items() if len(folder.inner) > 1 and not folder.direct]
    inner = sorted({name for own in deep for name in folders[own].inner if not named_split(name)})
    if inner:
        some = ", ".join(plain(name, 40) for name in inner[:4]) + " …" * (len(inner) > 4)
        yield Note(
            f"classes are the first folders, such as {plain(deep[0], 40)}; those in them ({some}) "
            "are not told apart",
            read_as="classes",
            change="data.path",
        )


def _class_first(parts: Parts) -> Place:
    return _placed(TRAIN, parts)


def _placed(split: str, parts: Parts) -> Place:
    return Place(split, parts[0]) if parts else Place(reason=_NO_CLASS)
