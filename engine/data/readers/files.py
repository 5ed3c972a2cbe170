"""The files of a data set, and the split of each."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from engine.config.data.file import FileConfig
from engine.data.class_labels import with_common_classes
from engine.data.on_disk import LARGE, put_aside
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, RowsOfFile, Skip
from engine.data.readers.base import DOCUMENTS, READERS, read_file
from engine.data.readers.brat import without_documents
from engine.data.readers.folder_columns import with_folder_columns
from engine.data.readers.judged_passages import judged_folder, read_judged
from engine.data.readers.later import read_later
from engine.data.readers.parallel_texts import first_halves
from engine.data.readers.reading import Reading, ReadOptions, suffix_of
from engine.errors import DataError
from engine.files.missing_path import where_instead
from engine.files.paths import expanded, is_file, is_folder
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

SPLIT_WORDS = {
    TRAIN: "train|training",
    VALIDATION: "validation|valid|val|dev",
    TEST: "test|testing",
}
_ABOUT = re.compile(r"readme|licen[cs]e|change ?log|contributing|code_of_conduct|dataset_?card")
"""Names of pages that are about the data in a folder."""
_OF_WINDOWS = ("thumbs.db", "ehthumbs.db")
_FEW = 3
"""Files whose notes are shown; of others, such as tell of lost rows, or say the same."""
_MOST_NOTES = 20
_SPLIT_NAMES = {
    split: re.compile(rf"(?:^|[^a-z])(?:{words})(?:$|[^a-z])")
    for split, words in SPLIT_WORDS.items()
}


def load_files(config: FileConfig) -> RawData:
    """Read the files of a configuration into splits. Raises :class:`DataError`."""
    return _load(config, options_of(config))


def load_texts(config: FileConfig) -> RawData:
    """Read the files with cells as they are written. Raises :class:`DataError`."""
    return _load(config, replace(options_of(config), as_written=True))


def options_of(config: FileConfig) -> ReadOptions:
    """Return the options for reading a file that a configuration has."""
    settings = config.column_settings.items()
    # A format says how cells are read, which a reader must not have done before.
    written = frozenset(name for name, one in settings if one.type == "text" or one.format)
    return ReadOptions(
        config.delimiter, config.header, config.encoding, texts=written, table=config.table
    )


def _load(config: FileConfig, options: ReadOptions) -> RawData:
    if not config.path.strip():
        raise DataError("data.path: no file is chosen.", "Give a file, a folder or a pattern.")
    if not config.format and (judged := judged_folder(expanded(config.path))):
        _check_own_splits(config)
        return read_judged(judged, split_of)
    groups, notes = _grouped(config)
    roots = dict.fromkeys(groups, root_of(config.path))
    for split, path in ((VALIDATION, config.validation_path), (TEST, config.test_path)):
        if path:
            groups[split] = _files(path, config.format)
            roots[split] = root_of(path)
    notes += _read_twice(groups)
    splits: dict[str, pa.Table] = {}
    files: dict[str, tuple[RowsOfFile, ...]] = {}
    skips: list[Skip] = []
    first: Reading | None = None
    for split, paths in groups.items():
        readings = list(_read(paths, options, config.format, first))
        if unlike := _unlike(readings):
            as_texts = replace(options, texts=options.texts | unlike)
            readings = list(_read(paths, as_texts, config.format, first))
        first = first or readings[0]
        readings, named = with_folder_columns(readings, _below(roots[split], paths))
        splits[split] = _joined(paths, readings)
        files[split] = tuple(
            RowsOfFile(path, reading.table.num_rows)
            for path, reading in zip(paths, readings, strict=True)
        )
        if split == TRAIN and len(readings) == 1:  # files that are named for a split come first
            inside = readings[0].splits
            splits = {**inside, **splits}
            files = {
                name: (RowsOfFile(paths[0], table.num_rows),) for name, table in inside.items()
            } | files
        notes += [*named, *_lacking(paths, readings, splits[split])]
        notes += _summed([reading.notes for reading in readings])
        skips += [skip for reading in readings for skip in reading.skips]
    return RawData(splits, tuple(notes), tuple(skips), files, first.format if first else None)


def _check_own_splits(config: FileConfig) -> None:
    """Refuse files of splits beside a folder that has its own; raises :class:`DataError`."""
    for name in ("validation_path", "test_path"):
        if getattr(config, name):
            raise DataError(
                f"data.{name} does not apply to a folder of BEIR.",
                "Its splits are the files in qrels: train.tsv, dev.tsv, test.tsv.",
            )


def _read(
    paths: Sequence[Path], options: ReadOptions, format: str, first: Reading | None
) -> Iterator[Reading]:
    """Read one file after the other like the ``first``; those beyond memory go to the disk."""
    held = 0
    for path in paths:
        if first is None:
            reading = first = read_file(path, options, format)
        else:
            reading = read_later(path, options, format, first.format, first.table.column_names)
        held += min(reading.table.nbytes, LARGE)  # larger ones are mapped already
        if held > LARGE:
            reading = replace(reading, table=put_aside(reading.table))
        yield reading


def _grouped(config: FileConfig) -> tuple[dict[str, list[Path]], list[Note]]:
    """The files of ``data.path`` by split, and notes on those that are left out."""
    files = _files(config.path, config.format)
    if len(files) == 1:
        return {TRAIN: files}, []
    files, notes = (files, []) if config.format else _most_frequent_suffix(files)
    groups: dict[str, list[Path]] = defaultdict(list)
    for file, below in zip(files, _below(root_of(config.path), files), strict=True):
        groups[split_of(below)].append(file)
    unnamed = groups.pop("", [])
    if not groups:
        return {TRAIN: unnamed}, notes
    if TRAIN not in groups:
        if not unnamed:
            some = ", ".join(plain(file.name, 60) for file in files[:3])
            raise DataError(f"{plain(config.path)} has no training files: {some}.")
        groups[TRAIN], unnamed = unnamed, []
    if unnamed:
        which = counted(len(unnamed), "file")
        notes.append(
            Note(
                f"{which} without a split in the name: {plain(unnamed[0].name, 60)} …",
                change="data.path",
                kind="dropped",
            )
        )
    return {split: groups[split] for split in SPLIT_WORDS if split in groups}, notes


def _below(root: Path, files: Sequence[Path]) -> list[Path]:
    """Return the paths as seen from a folder that they lie in, where they do."""
    return [file.relative_to(root) if file.is_relative_to(root) else file for file in files]


def split_of(path: Path) -> str:
    """The split that a file's name, or else a folder above it, names; empty where none does."""
    for part in reversed(path.parts):
        for split, pattern in _SPLIT_NAMES.items():
            if pattern.search(part.lower()):
                return split
    return ""


def _files(path: str, format: str) -> list[Path]:
    """The files that a path, folder or pattern stands for, sorted by name."""
    given = expanded(path)
    if is_file(given):
        return [given]
    if is_folder(given):
        found = [file for file in given.rglob("*") if not _hidden(file.relative_to(given))]
    else:
        found = [] if "\x00" in path else list(dict.fromkeys(_matching(given.parts, Path())))
        if not found:
            raise DataError(f"There is no file or folder {plain(path)!r}.", where_instead(given))
    files = [file for file in found if is_file(file)]
    readable = [file for file in files if format or suffix_of(file) in READERS]
    readable = readable if format else _without_pages(without_documents(readable))
    readable = readable or first_halves(files)
    if not readable:
        known = ", ".join(READERS)
        raise DataError(
            f"{plain(path)} holds no data files.", f"Suffixes that can be read: {known}."
        )
    tables = [file for file in readable if suffix_of(file) != ".tar"]  # beside them, a download
    return sorted(tables or readable)


def _without_pages(files: Sequence[Path]) -> list[Path]:
    """Return the files without pages about the data: Markdown is data among texts alone."""
    kinds = {suffix_of(file) for file in files}
    pages = [file for file in files if suffix_of(file) in DOCUMENTS]
    others = [file for file in files if file not in pages]
    if not pages or kinds - {".txt", *DOCUMENTS}:
        return others
    own = [file for file in pages if not _ABOUT.match(file.name.lower())]
    return [*others, *own]


def _matching(parts: Sequence[str], folder: Path) -> Iterator[Path]:
    """Yield the paths that a pattern matches.

    Below ``**`` no symbolic link to a folder is followed, as it may lead back to itself.
    """
    if "**" not in parts:
        names = glob.glob(os.path.join(*parts), root_dir=folder)  # noqa: PTH118, PTH207
        yield from (folder / name for name in names)
        return
    start = parts.index("**")
    for root in _matching(parts[:start], folder) if start else [folder]:
        for place, below, _ in os.walk(root):
            below[:] = [name for name in below if not name.startswith(".")]
            yield from _matching(parts[start + 1 :] or ["*"], Path(place))


def _hidden(path: Path) -> bool:
    """Return whether a file is none of the user's: ``~$`` locks an open file of Office."""
    if path.name.startswith("~$") or path.name.lower() in _OF_WINDOWS:
        return True
    return any(part.startswith((".", "__")) for part in path.parts)


def root_of(path: str) -> Path:
    """Return the folder of a path or pattern, below which names may refer to splits."""
    folder = expanded(path)
    while not is_folder(folder):
        folder = folder.parent
    return folder


def _most_frequent_suffix(files: Sequence[Path]) -> tuple[list[Path], list[Note]]:
    counts = Counter(map(_kind, files))
    if len(counts) == 1:
        return list(files), []
    # Data outweighs the small files about it: by bytes, not by number.
    sizes: Counter[str] = Counter()
    for file in files:
        sizes[_kind(file)] += file.stat().st_size
    kept = sizes.most_common(1)[0][0]
    left_out = [file.name for file in files if _kind(file) != kept]
    some = ", ".join(plain(name, 40) for name in left_out[:3])
    more = " …" if len(left_out) > 3 else ""
    note = Note(
        f"only {kept} files are read, not {some}{more}", change="data.format", kind="dropped"
    )
    return [file for file in files if _kind(file) == kept], [note]


def _kind(file: Path) -> str:
    """Return the suffix of a file, that of texts for Markdown."""
    suffix = suffix_of(file)
    return ".txt" if suffix in DOCUMENTS else suffix


def _summed(notes: Sequence[Sequence[Note]]) -> list[Note]:
    """Return the notes on several files, of which those that say the same are one."""
    found: dict[Note, int | None] = {}
    for number, own in enumerate(notes):
        for note in own:
            alike = replace(note, rows=None)
            if alike in found:
                before = found[alike]
                found[alike] = note.rows if before is None else before + (note.rows or 0)
            elif number < _FEW or (note.kind in ("dropped", "lost") and len(found) < _MOST_NOTES):
                found[alike] = note.rows
    return [replace(note, rows=rows) for note, rows in found.items()]


def _unlike(readings: Sequence[Reading]) -> set[str]:
    """Return the columns that are texts in some files, and numbers or dates in others."""
    types: dict[str, set[bool]] = defaultdict(set)
    for reading in readings if len(readings) > 1 else ():
        for field in reading.table.schema:
            if not pa.types.is_null(field.type):
                types[field.name].add(pa.types.is_string(field.type))
    return {name for name, kinds in types.items() if len(kinds) > 1}


def _read_twice(groups: Mapping[str, Sequence[Path]]) -> list[Note]:
    """Return a note on each split that has files of another one."""
    owners: dict[Path, str] = {}
    found = []
    for split, paths in groups.items():
        shared = [path for path in paths if owners.setdefault(path.resolve(), split) != split]
        if shared:
            owner = owners[shared[0].resolve()]
            use = "were learned" if owner == TRAIN else "selected the weights"
            why = f"{plain(shared[0].name, 60)} is read for {owner} as well: its rows {use}"
            found.append(Note(why, split, change=f"data.{split}_path"))
    return found


def _lacking(paths: Sequence[Path], readings: Sequence[Reading], joined: pa.Table) -> list[Note]:
    """Return a note on each column that some of the files lack."""
    notes = []
    present = [set(one.table.column_names) for one in readings]
    for name in joined.column_names:
        lacking = [i for i, names in enumerate(present) if name not in names]
        if lacking:
            rows = sum(readings[i].table.num_rows for i in lacking)
            where = plain(paths[lacking[0]].name, 60)
            more = f" and {counted(len(lacking) - 1, 'more file')}" if len(lacking) > 1 else ""
            why = f"the column is missing in {where}{more}: those rows have no value"
            notes.append(Note(why, plain(name, 60), "missing", rows))
    return notes


def _joined(paths: Sequence[Path], readings: Sequence[Reading]) -> pa.Table:
    """One table of all files; a column that a file lacks is missing there."""
    table = readings[0].table
    if len(readings) == 1:
        return table
    try:
        tables = with_common_classes([reading.table for reading in readings])
        joined = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        names = f"{plain(paths[0].name, 60)} … {plain(paths[-1].name, 60)}"
        raise DataError(f"The files {names} do not fit together: {plain(error)}.") from error
    return joined.replace_schema_metadata(tables[0].schema.metadata)
