"""Files in the form of SQuAD, version 1 and 2: questions on paragraphs, with spans as answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.files.sanitize import plain

ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
"""The type in which ``datasets`` keeps answers; empty lists where a question has none."""


def is_squad(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    articles = content.get("data") if isinstance(content, dict) else None
    first = articles[0] if isinstance(articles, list) and articles else None
    return isinstance(first, dict) and "paragraphs" in first


def squad_table(path: Path, content: Any) -> pa.Table:
    """One row a question, with columns ``id``, ``title``, ``context``, ``question``, ``answers``.

    Raises :class:`DataError` that names the article in which something is missing.
    """
    rows: list[dict[str, Any]] = []
    for number, article in enumerate(content["data"], 1):
        try:
            title = str(article.get("title", ""))
            for paragraph in article["paragraphs"]:
                rows += [_row(title, paragraph["context"], entry) for entry in paragraph["qas"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{plain(path.name)}, article {number}: {plain(error)} is missing or misplaced.",
                "A paragraph should have context and qas, a question question, id and answers.",
            ) from error
    kinds = [(name, pa.string()) for name in ("id", "title", "context", "question")]
    return pa.Table.from_pylist(rows, pa.schema([*kinds, ("answers", ANSWERS)]))


def _row(title: str, context: str, entry: dict[str, Any]) -> dict[str, Any]:
    answers = [] if entry.get("is_impossible") else entry.get("answers", [])
    return {
        "id": str(entry.get("id", "")),
        "title": title,
        "context": str(context),
        "question": str(entry["question"]),
        "answers": {
            "text": [str(answer["text"]) for answer in answers],
            "answer_start": [int(answer["answer_start"]) for answer in answers],
        },
    }
