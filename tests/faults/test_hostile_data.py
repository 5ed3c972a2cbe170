"""Hostile data: a model is trained on it, or a sentence says what is wrong and where."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import re
import resource
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from engine.service.preview import preview

QUICK, FULL = 1, 25
MOST_MEMORY = 2 << 30
"""Bytes by which a file may at most increase this process's memory."""
FIELD = re.compile(r"\b(data|task|train|model)\.[a-z_]+")
PLACE = re.compile(r"\b(rows?|columns?|file|files|folder|class|classes|images?|values?) ?\S", re.I)
HARM = "hostile data files of 12 kinds"

Values = dict[str, Any]
Rows = list[list[Any]]


def tabular(path: Path, task: str = "tabular_classification", **data: Any) -> Values:
    """An experiment on a table."""
    return {
        "task": {"kind": task},
        "data": {"kind": "file", "path": str(path)} | data,
        "model": {"kind": "mlp", "hidden": [4]},
    }


def texts(path: Path, **data: Any) -> Values:
    """An experiment on texts, with a tiny network."""
    return {
        "task": {"kind": "text_classification", "max_length": 16},
        "data": {"kind": "file", "path": str(path)} | data,
        "model": {
            "kind": "transformer", "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 1, "vocab_size": 300,
        },
    }  # fmt: skip


def images(path: Path) -> Values:
    """An experiment on images in folders, or named by the rows of a file."""
    kind = "image_folder" if path.is_dir() else "file"
    return {
        "task": {"kind": "image_classification", "image_size": 8},
        "data": {"kind": kind, "path": str(path)},
        "model": {"kind": "cnn", "channels": [2]},
    }


def series(path: Path) -> Values:
    """An experiment on a time series."""
    return {
        "task": {"kind": "forecasting", "window": 8, "horizon": 2},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "dlinear"},
    }


def usual_rows(count: int = 40) -> Rows:
    """A table that a model can be trained on."""
    return [
        [i, round(i * 0.37 % 5, 2), "ab"[i % 2] * 3, "yes" if i % 3 else "no"] for i in range(count)
    ]


NAMES = ["number", "size", "kind", "label"]


def csv(path: Path, rows: Rows, names: Sequence[str] = NAMES) -> Path:
    lines = [",".join(map(str, row)) for row in [list(names), *rows]]
    path.write_text("\n".join(lines) + "\n", errors="replace")
    return path


def written(folder: Path, rows: Rows, chance: random.Random, names: Sequence[str] = NAMES) -> Path:
    """The rows in one of the formats."""
    records = [dict(zip(names, row, strict=False)) for row in rows]
    match chance.choice(["csv", "json", "jsonl", "columns"]):
        case "csv":
            return csv(folder / "rows.csv", rows, names)
        case "json":
            path = folder / "rows.json"
            path.write_text(json.dumps(records))
        case "jsonl":
            path = folder / "rows.jsonl"
            path.write_text("\n".join(map(json.dumps, records)))
        case _:
            path = folder / "rows.json"
            columns = {name: [record.get(name) for record in records] for name in names}
            path.write_text(json.dumps(columns))
    return path


ODD_CELLS: list[Any] = [
    "x", "", None, True, -1, 1e308, -1e308, 10**30, "1,5", "0x10", "1e5e5", "\ud800", [1], [[1, 2]],
    {"a": 1}, "2020-01-01", "24:00", "nan", "inf", "\x00", "\u202e", "🙂", " ", "NULL", 0.1 + 0.2,
    2**63, -(2**63),
]  # fmt: skip


def wrong_types(folder: Path, chance: random.Random, number: int) -> Values:
    rows = usual_rows()
    if number % 5 == 0:
        table = pa.table(
            {
                "label": pa.array([i % 2 for i in range(40)], pa.int64()),
                "odd": [
                    pa.array([None] * 40, pa.null()),
                    pa.array([b"\xff" * 3] * 40, pa.binary()),
                    pa.array([{"a": {"b": [1]}}] * 40),
                    pa.array([[1, 2], None] * 20),
                    pa.array([i * 10**30 for i in range(40)], pa.decimal128(38, 0)),
                ][number // 5 % 5],
                "x": pa.array(range(40), pa.duration("s")),
            }
        )
        pq.write_table(table, folder / "rows.parquet")
        return tabular(folder / "rows.parquet")
    for _ in range(chance.randint(1, 60)):
        chance.choice(rows)[chance.randrange(4)] = chance.choice(ODD_CELLS)
    path = written(folder, rows, chance)
    kinds = (tabular, partial(tabular, task="tabular_regression"), texts, series)
    return kinds[number % 4](path)


def empty_files(folder: Path, chance: random.Random, number: int) -> Values:
    contents = [
        b"", b"\n", b"\n\n\n", b"\xef\xbb\xbf", b" ", b"a,b\n", b"a,label\n\n\n", b"[]", b"{}",
        b"\x00", b"[{}]", b"[{}, {}]", b'{"a": []}', b"null", b"0", b'""', b",\n,\n", b"\xff\xfe",
    ]  # fmt: skip
    suffix = chance.choice(
        ["csv", "tsv", "json", "jsonl", "parquet", "arrow", "txt", "conll", "csv.gz"]
    )
    path = folder / f"empty.{suffix}"
    content = contents[number % len(contents)]
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") and number % 2 else content)
    if number % 6 == 5:
        (folder / "images" / "class").mkdir(parents=True)
        (folder / "images" / "class" / "a.png").write_bytes(b"")
        return images(folder / "images")
    return chance.choice([tabular, texts, series])(path)


def one_class(folder: Path, chance: random.Random, number: int) -> Values:
    if number % 4 == 0:
        place = folder / "images" / "only"
        place.mkdir(parents=True)
        for i in range(chance.randint(1, 12)):
            Image.new("RGB", (8, 8), (i, i, i)).save(place / f"{i}.png")
        return images(folder / "images")
    rows = [[*row[:3], "same"] for row in usual_rows(chance.choice([1, 2, 3, 10, 40]))]
    if number % 4 == 1:
        rows[0][3] = "other"
    path = written(folder, rows, chance)
    if number % 4 == 3:
        csv(folder / "rows.csv", [[row[2], row[3]] for row in rows], ["text", "label"])
        return texts(folder / "rows.csv")
    return tabular(path)


def labels_missing(folder: Path, chance: random.Random, number: int) -> Values:
    missing: Any = [None, -1, "", "-1", float("nan")][number % 5]
    share = chance.choice([0.1, 0.5, 0.9, 1.0])
    rows = [
        [*row[:3], missing if chance.random() < share else i % 3]
        for i, row in enumerate(usual_rows())
    ]
    names = [*NAMES[:3], "label" if number % 4 else "nothing"]
    path = written(folder, rows, chance, names)
    if number % 3 == 0:
        csv(
            folder / "texts.csv",
            [[row[2], "" if row[3] is None else row[3]] for row in rows],
            ["text", "label"],
        )
        return texts(folder / "texts.csv")
    if number % 3 == 1:
        values = tabular(path)
        values["task"]["target"] = chance.choice(["label", "lable", "kind", "\x1b[2J"])
        return values
    return tabular(path, task="tabular_regression")


def odd_images(folder: Path, chance: random.Random, number: int) -> Values:
    sizes = [(1, 1), (4000, 2500), (2500, 4000), (1, 5000), (5000, 1), (2, 2), (8, 8), (10, 10)]
    modes = ["RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr"]
    for place in ("cats", "dogs"):
        (folder / "images" / place).mkdir(parents=True)
        for i in range(3):
            size = sizes[number % 5] if i == 0 else chance.choice(sizes[-3:])
            mode = chance.choice(modes) if i == 0 else "RGB"
            image = Image.new(mode, size)
            format = {"CMYK": "jpg", "YCbCr": "jpg", "F": "tiff", "I": "tiff", "I;16": "png"}.get(
                mode, "png"
            )
            image.save(folder / "images" / place / f"{i}.{format}")
    return images(folder / "images")


def truncated(folder: Path, chance: random.Random, number: int) -> Values:
    rows = usual_rows()
    if number % 3 == 0:
        for place in ("cats", "dogs"):
            (folder / "images" / place).mkdir(parents=True)
            for i in range(4):
                format = chance.choice(["png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"])
                file = io.BytesIO()
                Image.effect_noise((16, 16), 50).convert("RGB").save(file, format)
                content = file.getvalue()
                cut = chance.randrange(len(content)) if i or number % 2 else len(content)
                (folder / "images" / place / f"{i}.{format}").write_bytes(content[:cut])
        return images(folder / "images")
    records = pa.table({name: [str(row[i]) for row in rows] for i, name in enumerate(NAMES)})
    plain = csv(folder / "plain.csv", rows).read_bytes()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, records.schema) as writer:
        writer.write_table(records)
    packed = io.BytesIO()
    pq.write_table(records, packed)
    (folder / "plain.csv").unlink()
    made = {
        "rows.parquet": packed.getvalue(),
        "rows.arrow": sink.getvalue().to_pybytes(),
        "rows.csv.gz": gzip.compress(plain),
        "rows.csv.bz2": bz2.compress(plain),
        "rows.csv.xz": lzma.compress(plain),
        "rows.json": json.dumps(records.to_pylist()).encode(),
        "rows.jsonl": b"\n".join(json.dumps(row).encode() for row in records.to_pylist()),
        "rows.csv": plain,
    }
    name = chance.choice(sorted(made))
    content = bytearray(made[name][: chance.randrange(len(made[name]))])
    if number % 2 and content:
        content[chance.randrange(len(content))] ^= 0xFF
    (folder / name).write_bytes(content)
    return tabular(folder / name)


ENCODINGS = ("idna", "base64", "rot13", "undefined", "\x00")
"""Encodings known and unknown to Python, and codecs that do not decode text."""


def wrong_encodings(folder: Path, chance: random.Random, number: int) -> Values:
    text = "text,label\n" + "Grüße aus Köln — 日本,gut\nça va où,böse\n" * 20
    encodings = [
        "latin-1",
        "utf-16-le",
        "utf-16",
        "utf-32",
        "cp1252",
        "gb18030",
        "shift_jis",
        "utf-7",
        "cp037",
        "utf-8",
    ]
    content = bytearray(text.encode(encodings[number % len(encodings)], "replace"))
    if number >= len(encodings):
        for _ in range(chance.randint(1, 9)):
            content[chance.randrange(len(content))] = chance.choice(
                [0, 0xFF, 0xFE, 0x80, 0xC0, 0x1B, 0xED]
            )
    path = folder / chance.choice(["rows.csv", "rows.tsv", "rows.txt", "rows.jsonl", "rows.conll"])
    path.write_bytes(content)
    said = chance.choice(["utf-8", "utf-8", "latin-1", "utf-16", "no-such", *ENCODINGS])
    return chance.choice([texts, tabular])(path, encoding=said)


def giant_cells(folder: Path, chance: random.Random, number: int) -> Values:
    cell = [
        "word " * 200_000,
        "x" * 1_000_000,
        "9" * 1_000_000,
        "日" * 1_000_000,
        "a,b;c\t" * 170_000,
    ][number % 5]
    rows = [
        [f"good film {i}" if i % 2 else "bad film", "yes" if i % 2 else "no"] for i in range(20)
    ]
    for _ in range(chance.randint(1, 2)):
        rows[chance.randrange(20)][number // 5 % 2] = cell
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": a, "label": b}) for a, b in rows))
    if number % 2:
        path = folder / "rows.csv"
        quoted = ["text,label", *(f'"{a}","{b}"' for a, b in rows)]
        path.write_text("\n".join(quoted))
    return tabular(path) if number % 3 == 0 else texts(path)


def column_names(folder: Path, chance: random.Random, number: int) -> Values:
    pool = [
        "", " ", "label", "label", "Label", "a", "a", "a_2", "column_2", "\x1b[2J", "[b]",
        "x" * 5000, "\u202e", "task.target", "a\tb", "🙂", "0", "nan", "None",
    ]  # fmt: skip
    names = [*chance.choices(pool, k=3), chance.choice(["label", "", "a"])]
    rows = usual_rows()
    if number % 3 == 0:
        columns = [pa.array([str(row[i]) for row in rows]) for i in range(4)]
        pq.write_table(pa.Table.from_arrays(columns, names), folder / "rows.parquet")
        return tabular(folder / "rows.parquet")
    path = csv(folder / "rows.csv", rows, names)
    if number % 3 == 1:
        return tabular(path, header=chance.choice(["yes", "no", "auto"]))
    values = tabular(path)
    values["task"] |= {"target": chance.choice(names), "ignore": [chance.choice(names)]}
    return values


def nan_everywhere(folder: Path, chance: random.Random, number: int) -> Values:
    hole = ["NaN", "", "inf", "-inf", "NA"][number % 5]
    share = chance.choice([0.5, 0.95, 1.0])
    rows = [[hole if chance.random() < share else cell for cell in row] for row in usual_rows(60)]
    if number % 4 == 1:
        rows = [[*row[:3], "yes" if i % 2 else "no"] for i, row in enumerate(rows)]
    if number % 2:
        values = [[float("nan")] * 3 + [float(i % 2)] for i in range(40)]
        table = pa.table({name: [row[i] for row in values] for i, name in enumerate(NAMES)})
        pq.write_table(table, folder / "rows.parquet")
        path = folder / "rows.parquet"
    else:
        path = csv(folder / "rows.csv", rows)
    return chance.choice([tabular, partial(tabular, task="tabular_regression"), series, texts])(
        path
    )


def broken_time(folder: Path, chance: random.Random, number: int) -> Values:
    def moment(i: int) -> str:
        forms = [
            f"2020-01-{1 + i // 24 % 28:02d} {i % 24:02d}:00",
            f"{1 + i % 28}/{1 + i % 12}/2020",
            str(i),
            f"{i}.5",
            f"2020-01-{40 - i % 39:02d}",
            str(1_600_000_000 + i * 3600),
            str(i * 10**12),
            "0001-01-01",
            "9999-12-31",
        ]
        return forms[number % len(forms)]

    rows = [[moment(i), round(np.sin(i / 4), 3)] for i in range(120)]
    match number % 4:
        case 0:
            rows.reverse()
        case 1:
            rows += rows[: chance.randint(1, 120)]
        case 2:
            chance.shuffle(rows)
        case _:
            for _ in range(chance.randint(1, 10)):
                rows[chance.randrange(len(rows))][0] = chance.choice(
                    [
                        "",
                        "1970-01-01",
                        "3000-01-01",
                        "yesterday",
                        "-1",
                        "2020-02-30",
                        "1e20",
                        moment(3),
                    ]
                )
    return series(csv(folder / "rows.csv", rows, ["date", "value"]))


def huge_png(width: int, height: int, pixels: bool) -> bytes:
    """A small file that claims to contain a large image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(min(width * height, 90_000_000) if pixels else 10), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """An image whose comment decompresses to much more than the file's size."""
    whole = io.BytesIO()
    Image.new("L", (8, 8)).save(whole, "png")
    packed = b"c\x00\x00" + zlib.compress(bytes(80_000_000), 9)
    chunk = (
        struct.pack(">I", len(packed))
        + b"zTXt"
        + packed
        + struct.pack(">I", zlib.crc32(b"zTXt" + packed))
    )
    return whole.getvalue()[:33] + chunk * 3 + whole.getvalue()[33:]


def without_end(folder: Path, chance: random.Random, number: int) -> Values:
    place = folder / "images"
    for name in ("cats", "dogs"):
        (place / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (8, 8), 90 * i).save(place / name / f"{i}.png")
    deep = (700, 10_000, 200_000)[number // 9]
    match number % 9:
        case 0:
            (place / "cats" / "again").symlink_to(place)
            (place / "loop.png").symlink_to(place / "loop.png")
            (place / "cats" / "self.png").symlink_to("self.png")
            return images(place)
        case 1:
            csv(place / "cats" / "rows.csv", usual_rows())
            (place / "cats" / "again").symlink_to(place)
            (place / "dogs" / "again").symlink_to(place)
            return tabular(place / "**" / "*.csv") if number % 2 else tabular(place)
        case 2:
            (folder / "loop.csv").symlink_to(folder / "loop.csv")
            return tabular(folder / "loop.csv")
        case 3:
            path = folder / chance.choice(["deep.json", "deep.jsonl"])
            path.write_text("[" * deep + "]" * deep)
            return tabular(path)
        case 4:
            path = folder / "deep.jsonl"
            path.write_text('{"label": "a", "x": ' + '{"x": ' * deep + "1" + "}" * deep + "}\n")
            return tabular(path)
        case 5:
            wide = [
                (60_000, 60_000, False),
                (9_000, 9_000, True),
                (2**31 - 1, 1, False),
                (65_535, 65_535, False),
            ]
            (place / "cats" / "bomb.png").write_bytes(huge_png(*wide[number // 9 % 4]))
            return images(place)
        case 6:
            (place / "dogs" / "bomb.png").write_bytes(text_bomb())
            return images(place)
        case 7:
            path = folder / "bomb.csv.gz"
            path.write_bytes(
                gzip.compress(
                    bytes(60_000_000) if number % 2 else b"a,label\n" + b"1,x\n" * 3_000_000
                )
            )
            return texts(path) if number % 2 else tabular(path)
        case _:
            path = folder / "images.csv"
            names = [
                "/dev/zero.png",
                "/dev/stdin",
                "images",
                "..",
                "\x1b[2J.png",
                "cats/0.png" * 99,
                str(place / "cats" / "0.png"),
            ]
            csv(path, [[chance.choice(names), "ab"[i % 2]] for i in range(30)], ["image", "label"])
            return images(path)


Kind = Callable[[Path, random.Random, int], Values]
KINDS: tuple[Kind, ...] = (
    wrong_types, empty_files, one_class, labels_missing, odd_images, truncated, wrong_encodings,
    giant_cells, column_names, nan_everywhere, broken_time, without_end,
)  # fmt: skip


def says_where(message: str, folder: Path) -> bool:
    """Whether a sentence names a file, a row, a column, a class or a field."""
    names = [path.name for path in folder.rglob("*")]
    return bool(
        FIELD.search(message) or PLACE.search(message) or any(name in message for name in names)
    )


def refusal(action: Callable[[], object]) -> str:
    """The error message of an action; empty if it succeeds."""
    try:
        action()
    except UserError as error:
        return str(error)
    return ""


def is_answered(kind: Kind, folder: Path, number: int) -> None:
    """A model is trained on the data, or a sentence says where the data is wrong."""
    folder.mkdir()
    values = kind(folder, random.Random(f"{kind.__name__} {number}"), number)
    values |= {
        "train": {"epochs": 1, "max_steps": 2, "batch_size": 8},
        "compute": {"device": "cpu", "threads": 1},
    }
    config = RunConfig.parse(values)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = RunDirectory.create(folder.parent / "runs", config)
    sentences = [
        refusal(lambda: json.dumps(preview(config.values()))),  # as it is sent to the screens
        refusal(lambda: train(config, run)),
    ]
    for sentence in filter(None, sentences):
        assert says_where(sentence, folder), sentence
    assert run.status.state() is (State.FAILED if sentences[1] else State.FINISHED)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_MEMORY, f"{grown >> 20} MB"


@pytest.mark.harm(HARM, QUICK)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_data_that_is_hostile_is_learned_from_or_refused_with_a_place(
    kind: Kind, tmp_path: Path
) -> None:
    is_answered(kind, tmp_path / "data", 0)


@pytest.mark.harm(HARM, 1)
@pytest.mark.faults
@pytest.mark.parametrize("number", range(QUICK, QUICK + FULL))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_hostile_data_of_each_kind(kind: Kind, number: int, tmp_path: Path) -> None:
    is_answered(kind, tmp_path / "data", number)
