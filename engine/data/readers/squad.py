"""Files in the form of SQuAD, version 1 and 2: questions on paragraphs, with spans as answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.files.sanitize import plain

ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
"""The type in which ``datasets`` keeps answers; empty lists where a question has none."""
_TRUE = frozenset(("true", "1", "1.0", "yes"))
_FALSE = frozenset(("false", "0", "0.0", "no", ""))


def is_squad(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    articles = _articles(content)
    first = articles[0] if isinstance(articles, list) and articles else None
    return isinstance(first, dict) and isinstance(first.get("paragraphs"), list)


def is_header(content: Any) -> bool:
    """Whether parsed JSON is the first line of a file of MRQA, which tells of the data set."""
    return isinstance(content, dict) and content.keys() == {"header"}


def is_paragraph(content: Any) -> bool:
    """Whether parsed JSON is a text with its questions."""
    return (
        isinstance(content, dict) and "context" in content and isinstance(content.get("qas"), list)
    )


def _articles(content: Any) -> Any:
    """Return the articles of a document: in an object, alone, or a single one.

    A list may also have paragraphs, behind a header as MRQA has it.
    """
    if isinstance(content, list):
        paragraphs = content[1:] if content and is_header(content[0]) else content
        return [{"paragraphs": paragraphs}] if is_paragraph(next(iter(paragraphs), 0)) else content
    if not isinstance(content, dict):
        return content
    return [content] if "paragraphs" in content else content.get("data")


def squad_table(path: Path, content: Any) -> pa.Table:
    """One row a question, with columns ``id``, ``title``, ``context``, ``question``, ``answers``.

    Raises :class:`DataError` that names the article in which something is missing.
    """
    rows: list[dict[str, Any]] = []
    for number, article in enumerate(_articles(content), 1):
        try:
            title = str(article.get("title", ""))
            for paragraph in article["paragraphs"]:
                rows += [_row(title, paragraph["context"], entry) for entry in paragraph["qas"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{plain(path.name)}, article {number}: {plain(error)} is missing or misplaced.",
                "A paragraph should have context and qas, a question question, id and answers.",
            ) from error
    kinds = [(name, pa.string()) for name in ("id", "title", "context", "question")]
    return pa.Table.from_pylist(rows, pa.schema([*kinds, ("answers", ANSWERS)]))


def truth_of(value: Any) -> bool | None:
    """Return a mark as true or false, as JSON and tables have it; ``None`` for anything else."""
    written = str(value).strip().lower()
    if value is None or value != value or written in _FALSE:
        return False
    return True if written in _TRUE else None


def _row(title: str, context: Any, entry: dict[str, Any]) -> dict[str, Any]:
    impossible = truth_of(entry.get("is_impossible"))
    if impossible is None:
        raise TypeError(f"is_impossible {entry['is_impossible']!r}")
    given = entry.get("detected_answers") or entry.get("answers") or []
    given = given if isinstance(given, list) else [given]
    answers = [] if impossible else [_answer(one) for one in given if one is not None]
    return {
        "id": str(entry.get("id", entry.get("qid", ""))),
        "title": title,
        "context": _text(context),
        "question": _text(entry["question"]),
        "answers": {
            "text": [_text(answer["text"]) for answer in answers],
            "answer_start": [_start(answer.get("answer_start")) for answer in answers],
        },
    }


def _answer(value: Any) -> dict[str, Any]:
    """Return an answer with its place: a text has none, MRQA lists the spans of each."""
    if not isinstance(value, dict):
        return {"text": value}
    spans = value.get("char_spans")
    return value | {"answer_start": spans[0][0]} if spans else value


def _text(value: Any) -> str | None:
    """Return what is missing as missing, not as the text ``None``."""
    return None if value is None else str(value)


def _start(value: Any) -> int | None:
    return None if value is None else int(value)
