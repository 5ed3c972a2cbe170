"""Folders of BEIR: a corpus, queries, and judgments of which passage is relevant to which query.

``corpus.jsonl``, ``queries.jsonl`` and ``qrels/train.tsv``, ``dev.tsv``, ``test.tsv``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.data.readers.reading import read_bytes, read_text
from engine.errors import DataError
from engine.files import safe_json
from engine.files.paths import is_folder
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_CORPUS, _QUERIES, _JUDGMENTS = "corpus", "queries", "qrels"
_COLUMNS = {3: (0, 1, 2), 4: (0, 2, 3)}
"""Places of query, passage and judgment by the number of columns: BEIR's, and those of TREC."""


@dataclass(frozen=True, slots=True)
class _Judgment:
    """The relevance of a passage to a query; 0 if there is none."""

    query: str
    passage: str
    relevance: float


@dataclass(frozen=True, slots=True)
class JudgedFolder:
    """The files of such a folder."""

    corpus: Path
    queries: Path
    judgments: Sequence[Path]


def judged_folder(folder: Path) -> JudgedFolder | None:
    """Return the files of a folder of BEIR; ``None`` for any other folder or a file."""
    if not is_folder(folder):
        return None
    corpus, queries = (_lines_called(folder, name) for name in (_CORPUS, _QUERIES))
    inside = folder / _JUDGMENTS
    found = inside.iterdir() if inside.is_dir() else folder.glob(f"{_JUDGMENTS}.*")
    judgments = sorted(path for path in found if path.suffix in (".tsv", ".txt", ".trec"))
    return JudgedFolder(corpus, queries, judgments) if corpus and queries and judgments else None


def _lines_called(folder: Path, name: str) -> Path | None:
    found = (folder / f"{name}.jsonl{packed}" for packed in ("", ".gz"))
    return next((path for path in found if path.is_file()), None)


def read_judged(folder: JudgedFolder, split_of: Callable[[Path], str]) -> RawData:
    """Return a row a judgment: ``query``, ``passage`` with its title, and ``relevance``.

    Raises :class:`DataError`.
    """
    judged = {_split(folder, path, split_of): list(_judgments(path)) for path in folder.judgments}
    if TRAIN not in judged:
        some = ", ".join(plain(path.name, 60) for path in folder.judgments)
        raise DataError(
            f"{plain(folder.judgments[0].parent.name, 60)} has no judgments to train on: {some}.",
            "Call a file of judgments train.tsv.",
        )
    every = [one for own in judged.values() for one in own]
    queries = _texts(folder.queries, {one.query for one in every})
    passages = _texts(folder.corpus, {one.passage for one in every})
    splits, skips = {}, []
    for split in filter(judged.__contains__, (TRAIN, VALIDATION, TEST)):
        own = judged[split]
        known = [one for one in own if one.query in queries and one.passage in passages]
        splits[split] = _table(known, queries, passages)
        if lost := [one for one in own if one.query not in queries or one.passage not in passages]:
            why = "the judged query or passage is not in its file"
            first = f"{split}: {plain(lost[0].query, 40)} {plain(lost[0].passage, 40)}"
            skips.append(Skip(why, len(lost), first))
    if not splits[TRAIN].num_rows:
        raise DataError(
            f"No judged query and passage are in {plain(folder.queries.name)} and "
            f"{plain(folder.corpus.name)}.",
            "Their identifiers, _id, are to be those of the judgments.",
        )
    why = (
        f"a folder of BEIR: judgments of {counted(len(queries), 'query', 'queries')} and "
        f"{counted(len(passages), 'passage')} are the rows; passages without one are not read"
    )
    return RawData(splits, (Note(why, rows=len(every), kind="converted"),), tuple(skips))


def _split(folder: JudgedFolder, path: Path, split_of: Callable[[Path], str]) -> str:
    return split_of(Path(path.name)) or (TRAIN if len(folder.judgments) == 1 else path.name)


def _judgments(path: Path) -> Iterator[_Judgment]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = line.split("\t") if "\t" in line else line.split()
        if not cells:
            continue
        places = _COLUMNS.get(len(cells))
        relevance = _number(cells[places[2]]) if places else None
        if places is None or (relevance is None and number > 1):
            raise DataError(
                f"{plain(path.name)}, row {number:,}: {plain(line, 60)!r} is not a query, a "
                "passage and a number, separated by tabs."
            )
        if relevance is not None:  # else it is a header
            yield _Judgment(cells[places[0]].strip(), cells[places[1]].strip(), relevance)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _texts(path: Path, wanted: Collection[str]) -> dict[str, str]:
    """Return the texts of a file by their identifiers, each behind its title."""
    found = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        record = _record(path, number, line)
        name = str(record.get("_id", record.get("id")))
        if name in wanted:
            parts = [str(record.get(key) or "").strip() for key in ("title", "text")]
            found[name] = " ".join(filter(None, parts))
    return found


def _lines(path: Path) -> Iterator[bytes]:
    if path.suffix == ".gz":
        yield from read_bytes(path).splitlines()
        return
    with path.open("rb") as file:
        yield from file


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = safe_json.loads(line)
    except ValueError as error:
        raise DataError(f"{plain(path.name)}, row {number:,}: {plain(error)}.") from error
    if not isinstance(record, dict):
        raise DataError(f"{plain(path.name)}, row {number:,} is not an object.")
    return record


def _table(
    judged: Sequence[_Judgment], queries: Mapping[str, str], passages: Mapping[str, str]
) -> pa.Table:
    texts = pa.string()
    return pa.table({
        "query_id": pa.array([one.query for one in judged], texts),
        "query": pa.array([queries[one.query] for one in judged], texts),
        "passage_id": pa.array([one.passage for one in judged], texts),
        "passage": pa.array([passages[one.passage] for one in judged], texts),
        "relevance": pa.array([one.relevance for one in judged], pa.float64()),
    })  # fmt: skip
