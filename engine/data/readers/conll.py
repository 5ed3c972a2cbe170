"""CoNLL files: a word and its tags a line, an empty line between sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Set
from pathlib import Path

import pyarrow as pa

from engine.errors import DataError
from engine.files.sanitize import plain

_NEW_DOCUMENT = "-DOCSTART-"
_WORD_NAMES = frozenset(("token", "tokens", "word", "words", "form"))
_TAG_NAMES = frozenset((
    "tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "entity", "bio", "iob", "pos",
))  # fmt: skip
"""Names of columns in a first line that is a header."""

_TAG = re.compile(r"O|[BIESLUM]-\S+")
_CONLLU = (
    "number", "tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc",
)  # fmt: skip
_WORD_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")
_BEGINNING = 2000
"""Lines that show whether a file has words and their tags."""

Line = tuple[int, list[str]]
"""A line's number, from 1, and its cells."""


def read_conll(path: Path, text: str) -> pa.Table:
    """One row a sentence: lists of texts ``tokens``, ``column_2``, ``column_3`` … by position.

    Cells are separated by tabs where most lines have some, else by blanks. Raises
    :class:`DataError` that names the row of a line with too few cells or too many.
    """
    sentences = list(_sentences(text))
    if sentences and _is_header(sentences[0][0]):
        sentences = [part for part in (sentences[0][1:], *sentences[1:]) if part]
    width = _usual_width(sentences)
    if width < 2:
        raise DataError(
            f"{plain(path.name)} holds no tagged words:", "a line should have a word and its tag."
        )
    tags = {cells[-1] for one in sentences for _, cells in one if not cells[0].startswith("#")}
    columns: list[list[list[str]]] = [[] for _ in range(width)]
    for sentence in sentences:
        lines = [line for line in sentence if not _is_comment(line, width, tags)]
        for number, cells in lines:
            if len(cells) != width:
                raise DataError(
                    f"{plain(path.name)}, row {number}: {len(cells)} of {width} columns.",
                    "Each line should have a word and its tags, separated by tabs or blanks; a "
                    "word with a blank in it needs tabs.",
                )
        if lines:
            for index, column in enumerate(columns):
                column.append([cells[index] for _, cells in lines])
    names = ["tokens", *(f"column_{index}" for index in range(2, width + 1))]
    kind = pa.list_(pa.string())
    return pa.table(
        {name: pa.array(column, kind) for name, column in zip(names, columns, strict=True)}
    )


def is_tagged(text: str) -> bool:
    """Return whether each line of a text has equally many cells, the last one a tag as ``B-LOC``.

    Such files often have the suffix of plain text or of a table.
    """
    beginning = "\n".join(text[: _BEGINNING << 7].split("\n")[:_BEGINNING])
    lines = [
        cells
        for sentence in _sentences(beginning)
        for _, cells in sentence
        if not cells[0].startswith("#")
    ]
    whole = lines if len(beginning) == len(text) else lines[:-1]  # the last one may be cut
    found = {cells[-1] for cells in whole}
    return (
        any(tag.startswith(("B", "I")) for tag in found)
        and "O" in found
        and all(map(_TAG.fullmatch, found))
        and len({len(cells) for cells in whole}) == 1
        and len(whole[0]) > 1
    )


def read_conllu(path: Path, text: str) -> pa.Table:
    """One row a sentence: lists of texts by the columns of CoNLL-U, ``tokens`` being the forms.

    Lines of several words in one (``3-4``) and of words that are left out in speech (``8.1``) are
    no tokens. Raises :class:`DataError` that names the row of any other line.
    """
    sentences: list[list[list[str]]] = []
    for sentence in _sentences(text):
        words = []
        for number, cells in sentence:
            if cells[0].startswith("#"):
                continue
            if len(cells) != len(_CONLLU) or not _WORD_NUMBER.fullmatch(cells[0]):
                raise DataError(
                    f"{plain(path.name)}, row {number}: {len(cells)} of {len(_CONLLU)} columns, or "
                    "the first does not number a word.",
                    "Set data.format to conll for files of another form.",
                )
            if cells[0].isdecimal():
                words.append(cells)
        if words:
            sentences.append(words)
    kind = pa.list_(pa.string())
    return pa.table({
        name: pa.array([[cells[place] for cells in words] for words in sentences], kind)
        for place, name in enumerate(_CONLLU)
        if place
    })  # fmt: skip


def _sentences(text: str) -> Iterator[list[Line]]:
    lines = text.split("\n")
    written = [line for line in lines if line.strip()]
    separator = "\t" if 2 * sum("\t" in line for line in written) > len(written) else None
    sentence: list[Line] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            cells = [cell.strip() for cell in line.strip("\r").split(separator)]
            if _NEW_DOCUMENT not in cells:
                sentence.append((number, cells))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _is_header(line: Line) -> bool:
    cells = [cell.lower() for cell in line[1]]
    return bool(_WORD_NAMES & set(cells)) and bool(_TAG_NAMES & set(cells))


def _usual_width(sentences: list[list[Line]]) -> int:
    counts = Counter(len(cells) for sentence in sentences for _, cells in sentence)
    return counts.most_common(1)[0][0] if counts else 0


def _is_comment(line: Line, width: int, tags: Set[str]) -> bool:
    """A line about the sentence, as CoNLL-U has them; ``#`` with a tag is a word like others."""
    cells = line[1]
    about = cells[0] == "#" and cells[-1] not in tags
    return cells[0].startswith("#") and (len(cells) != width or about)
