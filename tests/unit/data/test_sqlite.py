"""Databases of SQLite: one table, types of values, and a file that stays as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError


def database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def test_values_have_the_types_that_they_are_stored_with(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.sqlite",
        'CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, n NUMERIC, mixed, t TEXT, z TEXT)',
        """INSERT INTO "odd ""name" VALUES (1, 2, 3, '007', NULL), (2, 0.5, 'x', '7', NULL),
        (9007199254740993, NULL, 1.5, NULL, NULL)""",
    )
    reading = read_file(path, ReadOptions())
    assert reading.table.to_pydict() == {
        "id": [1, 2, 9007199254740993],
        "n": [2.0, 0.5, None],
        "mixed": ["3", "x", "1.5"],
        "t": ["007", "7", None],
        "z": [None, None, None],
    }
    (note,) = reading.notes
    assert (note.column, note.rows) == ("mixed", 2)


def test_one_of_several_tables_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.db",
        "CREATE TABLE b (x INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE a (y)",
        "INSERT INTO b VALUES (1)",
        "CREATE VIEW v AS SELECT x + 1 AS w FROM b",
    )
    with pytest.raises(DataError, match=r"a\.db has 2 tables: a, b\. Choose one: data\.table=a"):
        read_file(path, ReadOptions())
    with pytest.raises(DataError, match=r"no table 'b; DROP TABLE b'\. data\.table can be a, b"):
        read_file(path, ReadOptions(table="b; DROP TABLE b"))
    assert read_file(path, ReadOptions(table="b")).table.to_pydict() == {"x": [1]}
    assert read_file(path, ReadOptions(table="v")).table.to_pydict() == {"w": [2]}
    with pytest.raises(DataError, match="has no rows"):
        read_file(path, ReadOptions(table="a"))


def test_a_database_is_read_without_a_trace(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a b?.sqlite3",
        "PRAGMA journal_mode = wal",
        "CREATE TABLE t (x)",
        "INSERT INTO t VALUES (1)",
    )
    before = path.read_bytes()
    assert read_file(path, ReadOptions()).table.to_pydict() == {"x": [1]}
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a b?.sqlite3"]


def test_rows_that_another_program_has_just_written_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        assert read_file(path, ReadOptions()).table.to_pydict() == {"x": [1]}


def test_a_file_of_another_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(bytes(200))
    with pytest.raises(DataError, match="is not a database of SQLite"):
        read_file(tmp_path / "a.db", ReadOptions())
    (tmp_path / "b.db").write_bytes(b"SQLite format 3\0" + bytes(50))
    with pytest.raises(DataError, match="not a readable database"):
        read_file(tmp_path / "b.db", ReadOptions())
