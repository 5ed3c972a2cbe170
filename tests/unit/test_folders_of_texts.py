"""Folders of texts and Markdown as plain text for language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.tasks.create import create_task

CPU = torch.device("cpu")


def task(folder: Path, **fields: Any) -> Any:
    return create_task(RunConfig.parse({
        "task": {"kind": "causal_lm", "max_length": 8} | fields,
        "data": {"kind": "file", "path": str(folder), "validation_fraction": 0.2,
                 "test_fraction": 0},
        "model": {"kind": "transformer", "hidden_size": 8, "num_attention_heads": 2,
                  "num_hidden_layers": 1, "vocab_size": 300},
    }))  # fmt: skip


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# About {path.stem}\n\nIt is {path.stem}.\n")


def text_of(made: Any, raw: Any) -> str:
    fitted = made.pipeline.fit(raw)
    tokens, _ = made._tokens(raw.train, fitted, lambda _: None)
    text: str = made.pipeline.tokenizer(fitted.tokenizer).decode(tokens)
    return text


@pytest.mark.parametrize("suffix", ["md", "txt", "markdown"])
def test_each_of_many_files_is_a_document_with_an_end(suffix: str, tmp_path: Path) -> None:
    names = [f"notes/{number:02}.{suffix}" for number in range(10)]
    write(tmp_path, *names, "README.md")
    made = task(tmp_path)
    raw = made.pipeline.load()
    assert raw.splits["train"].num_rows == 8
    assert raw.splits["validation"]["text"].to_pylist()[-1] == "# About 09\n\nIt is 09."
    assert text_of(made, raw).startswith("# About 00\n\nIt is 00.<|endoftext|># About 01")


def test_few_files_are_lines_of_one_text(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.txt")
    made = task(tmp_path)
    raw = made.pipeline.load()
    assert text_of(made, raw).startswith("# About a\n\nIt is a.\n# About b\n")


def test_files_with_a_document_a_line_stay_so(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("one\ntwo\n")
    raw = task(tmp_path).pipeline.load()
    assert sum(table.num_rows for table in raw.splits.values()) == 20


def test_lines_stay_lines_where_they_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, *(f"{number}.md" for number in range(10)))
    raw = task(tmp_path, join="lines").pipeline.load()
    assert sum(table.num_rows for table in raw.splits.values()) == 30


def test_pages_beside_data_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, *(f"page{number}.md" for number in range(9)))
    (tmp_path / "data.csv").write_text("text\nhello there my friend\n" * 2)
    raw = task(tmp_path).pipeline.load()
    assert {*raw.splits["train"]["text"].to_pylist()} <= {"hello there my friend", "text"}
    (tmp_path / "data.csv").unlink()
    for page in tmp_path.glob("page*"):
        page.unlink()
    write(tmp_path, "README.md")
    with pytest.raises(DataError, match="holds no data files"):
        task(tmp_path).pipeline.load()
