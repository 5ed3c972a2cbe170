"""Tables in local files: CSV, TSV, Parquet, JSON and what else has a reader."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from engine.config.data.base import DataConfig
from engine.config.fields import option
from engine.files.paths import anchored


class FileConfig(DataConfig):
    """A file, or a folder or pattern of files whose names say their split."""

    kind: Literal["file"] = "file"
    title = "local files"
    implementation = "engine.data.readers.files:load_files"
    text_implementation = "engine.data.readers.files:load_texts"

    path: str = option(
        "",
        "File, folder, or pattern such as data/*.parquet; names like train and test assign splits",
    )
    validation_path: str = option(
        "", "Validation files, if they are stored elsewhere", advanced=True
    )
    test_path: str = option("", "Test files, if they are stored elsewhere", advanced=True)
    format: str = option(
        "",
        "File format; empty goes by the suffix",
        suggestions=("csv", "tsv", "parquet", "json", "jsonl", "xlsx", "sqlite", "arff", "conll",
                     "tsf", "ts", "txt"),
    )  # fmt: skip
    table: str = option(
        "",
        "Table of an SQLite database, or sheet of a workbook; empty for the only one",
        advanced=True,
    )
    delimiter: str = option(
        "",
        "Delimiter of a CSV file; empty detects it",
        suggestions=(",", ";", "tab", "|"),
        advanced=True,
    )
    header: Literal["auto", "yes", "no"] = option(
        "auto", "Whether the first row of a CSV file holds the column names", advanced=True
    )
    encoding: str = option(
        "utf-8",
        "Character encoding of text files",
        suggestions=("utf-8", "latin-1", "cp1252"),
        advanced=True,
    )

    def anchored(self) -> FileConfig:
        """The same with whole paths."""
        paths = ("path", "validation_path", "test_path")
        return self.model_copy(update={name: anchored(getattr(self, name)) for name in paths})

    @property
    def label(self) -> str:
        """The last part of the path."""
        return Path(self.path).name
