"""WebDataset: tar files in which the files of a sample share a name, as ``7.jpg`` and ``7.cls``.

Nothing is unpacked: members are read one after the other, and those that are no plain files are
left out. Columns are called as the suffixes, and as the keys of JSON members.
"""

from __future__ import annotations

import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from engine.data.image_record import IMAGE_RECORD
from engine.data.image_suffixes import SUFFIXES
from engine.data.on_disk import table_of
from engine.data.raw import Skip
from engine.data.readers.reading import INCOMPLETE, Reading, ReadOptions
from engine.data.readers.records import table_of_records
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain

_NUMBERS = frozenset(("cls", "cls2", "class", "index", "inx", "id", "count"))
_TEXTS = frozenset(("txt", "text", "caption", "label", "transcript"))
_JSON = frozenset(("json", "jsn"))
_LONGEST = 1 << 24
"""Bytes of a member that is not an image, at most."""
_LARGEST = 1 << 28
"""Bytes of an image, at most."""
_GATHERED = 1 << 25
"""Bytes of images that are in memory at a time."""
_UNPACK = "Unpack it, and give the file or folder."


@dataclass
class _Contents:
    """The small members of all samples, and what is known of the others."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    images: dict[str, None] = field(default_factory=dict)
    """Suffixes of images, as an ordered set."""
    several: bool = False
    """Whether a sample has several images, such as a photograph and its mask."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of members that are not read, by reason."""
    examples: dict[str, str] = field(default_factory=dict)

    def leave_out(self, reason: str, name: str) -> None:
        """Count a member that is not read."""
        self.left_out[reason] += 1
        self.examples.setdefault(reason, plain(name, 60))


def read_webdataset(path: Path, options: ReadOptions) -> Reading:
    """Read the samples of a tar file, a row each.

    Raises :class:`DataError` for a damaged file and for a tar file of anything else.
    """
    try:
        contents = _contents(path, options)
        if not any(contents.rows):
            problem = f"{plain(path.name)} has no samples as WebDataset has them (7.jpg and 7.cls)."
            raise DataError(problem, _UNPACK)
        table = table_of_records(path, contents.rows)
        columns = _image_columns(contents)
        pictures = table_of(_images(path, columns), _schema(columns)) if columns else pa.table({})
    except (tarfile.TarError, EOFError, LZMAError, zlib.error) as error:
        why = plain(error, 60).partition(": - method")[0].rstrip(".")
        problem = f"{plain(path.name)} is not a readable tar file: {why}."
        raise DataError(problem, INCOMPLETE) from error
    for place, name in enumerate(pictures.column_names):
        table = table.add_column(place, name, pictures[name])
    skips = [Skip(why, n, contents.examples[why]) for why, n in contents.left_out.items()]
    return Reading(table, skips=tuple(skips))


def _contents(path: Path, options: ReadOptions) -> _Contents:
    contents = _Contents()
    with tarfile.open(path) as tar:
        for members in _samples(tar, contents):
            images = [suffix for suffix in members if _kind(suffix) in SUFFIXES]
            contents.images |= dict.fromkeys(images)
            contents.several |= len(images) > 1
            row: dict[str, Any] = {}
            for suffix in sorted(members.keys() - images, key=lambda name: _kind(name) in _JSON):
                try:
                    row |= _fields(tar, members[suffix], suffix, options, row)
                except ValueError as reason:
                    contents.leave_out(plain(reason), members[suffix].name)
            contents.rows.append(row)
    return contents


def _samples(tar: tarfile.TarFile, contents: _Contents) -> Iterator[dict[str, tarfile.TarInfo]]:
    """Yield the members of each sample by their suffixes: neighbours that share a name."""
    key, members = "", dict[str, tarfile.TarInfo]()
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # else it keeps all that it has met
        name = PurePosixPath(member.name)
        if member.isdir() or name.name.startswith("."):
            continue
        stem, _, suffix = name.name.partition(".")
        if not member.isfile() or not suffix:
            contents.leave_out("it is a link" if suffix else "its name has no suffix", member.name)
            continue
        own = str(name.with_name(stem))
        if members and own != key:
            yield members
            members = {}
        key = own
        members[suffix.lower()] = member
    if members:
        yield members
    _check_end(tar)


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise ``ReadError`` where a damaged header ended the reading, at which tarfile just stops."""
    if tar.fileobj is not None:
        tar.fileobj.seek(tar.offset)
        if any(tar.fileobj.read(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError("a header is damaged")


def _kind(suffix: str) -> str:
    """Return what tells the format of a member: ``png`` of ``seg.png``."""
    return suffix.rpartition(".")[2]


def _fields(
    tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str, options: ReadOptions, row: Any
) -> dict[str, Any]:
    """Return what a small member adds to the ``row`` of its sample.

    Raises ``ValueError`` with the reason why it is not read.
    """
    kind = _kind(suffix)
    if kind not in _NUMBERS | _TEXTS | _JSON:
        raise ValueError(f".{suffix[:20]} is not read")
    text = _bytes_of(tar, member, _LONGEST).decode().strip()
    if kind in _JSON:
        value = safe_json.loads(text)
        if not isinstance(value, dict):
            return {suffix: value}
        return {f"{suffix}.{key}" if key in row else str(key): own for key, own in value.items()}
    whole = kind in _NUMBERS and text.removeprefix("-").isdecimal() and not options.keeps(suffix)
    return {suffix: int(text) if whole else text}


def _bytes_of(tar: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    """Return the content of a member; raises ``ValueError`` for a large one."""
    if member.size > most:
        raise ValueError(f"it has more than {most >> 20} MB")
    file = tar.extractfile(member)
    return file.read() if file else b""


def _image_columns(contents: _Contents) -> Mapping[str, str]:
    """Return the column of each suffix of images: one where samples have one image each."""
    return {suffix: suffix if contents.several else "image" for suffix in contents.images}


def _schema(columns: Mapping[str, str]) -> pa.Schema:
    return pa.schema([(name, IMAGE_RECORD) for name in dict.fromkeys(columns.values())])


def _images(path: Path, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Yield the images of all samples, in the order of the samples, some megabytes at a time."""
    rows: list[Mapping[str, Any]] = []
    gathered = 0
    with tarfile.open(path) as tar:
        for members in _samples(tar, _Contents()):
            row = {
                columns[suffix]: _image(path, tar, members[suffix])
                for suffix in columns.keys() & members.keys()
            }
            gathered += sum(len(image["bytes"] or b"") for image in row.values())
            rows.append(row)
            if gathered > _GATHERED:
                yield _batch(rows, columns)
                rows, gathered = [], 0
    if rows:
        yield _batch(rows, columns)


def _image(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    """Return the record of an image, whose path is no file's; one without bytes is too large."""
    if member.size > _LARGEST:
        return {"bytes": None, "path": None}
    return {"bytes": _bytes_of(tar, member, _LARGEST), "path": f"{path.name}/{member.name}"}


def _batch(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pa.RecordBatch:
    schema = _schema(columns)
    arrays = [pa.array([row.get(name) for row in rows], IMAGE_RECORD) for name in schema.names]
    return pa.record_batch(arrays, schema=schema)
