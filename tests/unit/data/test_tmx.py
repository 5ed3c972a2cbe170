"""Translation memories, against the texts that were written into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.readers.base import read_file
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

HEAD = '<?xml version="1.0" encoding="{}"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">'
HEADER = '<header creationtool="x" srclang="de" segtype="sentence" datatype="plaintext"/>'


def unit(**texts: str) -> str:
    variants = (
        f'<tuv xml:lang="{language}"><seg>{text}</seg></tuv>' for language, text in texts.items()
    )
    return f"<tu><prop>a note</prop>{''.join(variants)}</tu>"


def read(folder: Path, *units: str, encoding: str = "utf-8") -> Reading:
    path = folder / "memory.tmx"
    body = f"{HEADER}<body>{''.join(units)}</body></tmx>"
    path.write_bytes((HEAD.format(encoding.upper()) + body).encode(encoding))
    return read_file(path, ReadOptions())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_units_are_rows_and_languages_columns_the_source_first(
    tmp_path: Path, encoding: str
) -> None:
    units = [unit(en=f"A dog &amp; {n} cats", de=f"Ein Hund, {n} Vögel") for n in range(30)]
    table = read(tmp_path, *units, unit(de="Nur deutsch"), encoding=encoding).table
    assert table.column_names == ["de", "en"]
    assert table.slice(29).to_pylist() == [
        {"de": "Ein Hund, 29 Vögel", "en": "A dog & 29 cats"}, {"de": "Nur deutsch", "en": None},
    ]  # fmt: skip


def test_codes_within_a_text_are_left_out(tmp_path: Path) -> None:
    text = 'Press <bpt i="1">&lt;b&gt;</bpt><hi>Start</hi><ept i="1">&lt;/b&gt;</ept> now<ph/>.'
    [row] = read(tmp_path, unit(en=text, de="Start drücken.")).table.to_pylist()
    assert row["en"] == "Press Start now."


def test_a_second_text_of_a_language_is_counted(tmp_path: Path) -> None:
    second = '<tuv xml:lang="en"><seg>another</seg></tuv></tu>'
    reading = read(tmp_path, unit(en="one", de="eins").replace("</tu>", second))
    assert reading.table["en"].to_pylist() == ["one"]
    assert [note.rows for note in reading.notes] == [1]


@pytest.mark.parametrize(("units", "problem"), [
    (["<tu>"], "not a readable TMX file"),
    ([unit(en="alone")], "texts in 1 languages"),
    (["<!ENTITY a 'b'>"], "declares entities"),
])  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, units: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read(tmp_path, *units)


def test_a_memory_is_data_to_translate(tmp_path: Path) -> None:
    read(tmp_path, *(unit(en=f"number {n}", de=f"Nummer {n}") for n in range(40)))
    raw: RawData = create_pipeline(RunConfig.parse({
        "task": {"kind": "seq2seq", "source": "de", "target": "en"},
        "model": {"kind": "transformer"},
        "data": {"kind": "file", "path": str(tmp_path / "memory.tmx")},
    })).load()  # fmt: skip
    assert sum(table.num_rows for table in raw.splits.values()) == 40
