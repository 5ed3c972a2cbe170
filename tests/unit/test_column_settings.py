"""Types that a person sets for columns: in overrides, in readers, in tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.config.data.file import FileConfig
from engine.config.overrides import parse_value, text_of
from engine.config.presets import parse_overridden
from engine.config.run_config import RunConfig, fields_of
from engine.data.load import load_data, load_texts
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import encode_category
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import dates, numbers
from engine.errors import ConfigError, DataError
from engine.pipelines.create import create_pipeline

TASK = {"kind": "tabular_classification", "target": "y"}


def config_of(path: Path, columns: dict[str, str], **task: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "name": "n",
            "task": TASK | task,
            "data": {"kind": "file", "path": str(path), "columns": columns},
            "model": {"kind": "mlp"},
        }
    )


def table_file(path: Path, name: str, cells: list[str]) -> Path:
    """A file with a column of the cells, a number, and two classes."""
    rows = [f"{cell};{i % 5};{'ab'[i % 2]}" for i, cell in enumerate(cells * 10)]
    path.write_text("\n".join([f"{name};n;y", *rows]) + "\n")
    return path


BASE: dict[str, Any] = {
    "name": "n",
    "task": TASK,
    "data": {"kind": "file", "path": "x.csv"},
    "model": {"kind": "mlp"},
}


@pytest.mark.parametrize(
    ("overrides", "columns"),
    [
        (["data.columns=zip=text,when=date"], {"zip": "text", "when": "date"}),
        (["data.columns.zip=text", "data.columns.when=date %d/%m/%Y"],
         {"zip": "text", "when": "date %d/%m/%Y"}),
        (['data.columns."zip code"=text'], {"zip code": "text"}),
        (["data.columns.a.b=ignored"], {"a.b": "ignored"}),
        (['data.columns={zip = "text"}'], {"zip": "text"}),
        (["data.columns=price=numeric 1.234,5,zip=text"],
         {"price": "numeric 1.234,5", "zip": "text"}),
        (["data.columns.zip=date", "data.columns.zip=text"], {"zip": "text"}),
    ],
)  # fmt: skip
def test_types_of_columns_are_set_on_the_command_line(
    overrides: list[str], columns: dict[str, str]
) -> None:
    assert parse_overridden(BASE, overrides).data.columns == columns


@pytest.mark.parametrize(
    "columns",
    [{}, {"zip": "text"}, {"price": "numeric 1.234,5", "b": "date"}, {"a,b": "text", "c=d": "text"},
     {"a, b=c": "ignored"}],
)  # fmt: skip
def test_types_of_columns_are_written_as_they_are_read(columns: dict[str, str]) -> None:
    spec = fields_of(BASE)["data.columns"]
    assert parse_value(text_of(columns, spec), spec) == columns or not columns


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("string", "zip: 'string' is none of text, numeric, categorical, date, words"),
        ("text %d", "text takes no format"),
        ("date tomorrow", "'tomorrow' is not a format of dates"),
        ("numeric x", "'x' is not a number"),
    ],
)
def test_a_type_that_does_not_exist_is_refused(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"data.columns") as refused:
        parse_overridden(BASE, [f"data.columns.zip={setting}"])
    assert words in str(refused.value)


def test_a_column_set_as_text_keeps_its_spelling(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "zip", ["12", "1.50", "7", "3"])
    loaded = load_data(config_of(file, {"zip": "text"}).data)
    assert loaded.train["zip"].to_pylist()[:4] == ["12", "1.50", "7", "3"]
    assert load_data(config_of(file, {}).data).train["zip"].to_pylist()[:2] == [12.0, 1.5]


def test_so_does_one_in_a_file_without_a_header_or_with_blanks_around_the_name(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("1.50,2\n7.00,3\n8.0,4\n")
    texts = load_data(config_of(file, {"column_1": "text"}).data).train
    assert texts["column_1"].to_pylist() == ["1.50", "7.00", "8.0"]
    file.write_text(" zip ,n\n1.50,2\n7.00,3\n")
    assert load_data(config_of(file, {"zip": "text"}).data).train["zip"].to_pylist() == [
        "1.50",
        "7.00",
    ]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet"])
def test_so_does_one_of_other_formats(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    if suffix == "json":
        file.write_text('[{"zip": 1.50, "n": 2.50}, {"zip": true, "n": 3}]')
        expected = ["1.50", "true"]
    elif suffix == "jsonl":
        file.write_text('{"zip": 1.50, "n": 2.50}\n{"zip": 12, "n": 3}\n')
        expected = ["1.50", "12"]
    else:
        pa.parquet.write_table(pa.table({"zip": [2**60 + 1, 7], "n": [2.5, 3.0]}), file)
        expected = [str(2**60 + 1), "7"]
    read = load_data(config_of(file, {"zip": "text"}).data).train
    assert read["zip"].to_pylist() == expected
    assert read["n"].to_pylist() == [2.5, 3.0]


def test_a_column_that_does_not_exist_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "zip", ["12", "7"])
    with pytest.raises(DataError, match=r"data.columns: the data has no column 'zi'.*mean zip"):
        load_data(config_of(file, {"zi": "text"}).data)


def test_texts_are_read_without_ignored_columns(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "zip", ["12", "7"])
    assert load_texts(config_of(file, {"zip": "ignored"}).data).train.column_names == ["n", "y"]


def columns_of(file: Path, columns: dict[str, str], **task: Any) -> dict[str, Any]:
    pipeline = create_pipeline(config_of(file, columns, **task))
    return {column.name: column for column in pipeline.fit(pipeline.load()).columns}


def test_a_table_takes_the_types_that_are_set(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "zip", ["12", "7", "3", "4"])
    assert columns_of(file, {})["zip"].type == "numeric"
    assert columns_of(file, {"zip": "text"})["zip"].type == "categorical"
    assert columns_of(file, {"zip": "categorical"})["zip"].type == "categorical"
    left_out = columns_of(file, {"zip": "ignored"})["zip"]
    assert (left_out.type, left_out.reason) == ("ignored", "by choice")


def test_the_format_of_dates_that_is_set_is_taken(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "when", ["03/04/2020", "05/06/2021"])
    column = columns_of(file, {"when": "date %d/%m/%Y"})["when"]
    assert (column.type, column.date_format) == ("date", "%d/%m/%Y")
    read = dates(pa.chunked_array([["03/04/2020"]]), column.date_format)
    assert str(read[0]) == "2020-04-03T00:00:00"


def test_whole_numbers_are_dates_where_they_are_set_as_such(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "when", ["20200403", "20210605"])
    column = columns_of(file, {"when": "date %Y%m%d"})["when"]
    read = dates(pa.chunked_array([[20200403]]), column.date_format)
    assert str(read[0]) == "2020-04-03T00:00:00"


def test_a_format_that_no_value_has_is_refused(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "when", ["03/04/2020", "05/06/2021"])
    with pytest.raises(DataError, match="'when' as date, but its values, such as '03/04/2020'"):
        columns_of(file, {"when": "date %Y-%m-%d"})


def test_the_format_of_numbers_that_is_set_is_taken(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "price", ["1.234", "2.345"])
    assert columns_of(file, {})["price"].type == "numeric"
    column = columns_of(file, {"price": "numeric 1.234,5"})["price"]
    assert numbers(pa.chunked_array([["1.234"]]), column.number_format).tolist() == [1234.0]


def test_a_setting_that_the_task_contradicts_is_refused(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "zip", ["12", "7"])
    with pytest.raises(DataError, match=r"sets 'zip' as text, but it is in task.numeric too"):
        columns_of(file, {"zip": "text"}, numeric=("zip",))


def test_a_format_that_is_set_is_heeded_where_cells_look_like_other_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{i % 9 + 1}.{100 + i};2020{1 + i % 28:02}0{i % 7 + 1}\n" for i in range(30)]
    path.write_text("x;when\n" + "".join(rows))
    config = FileConfig(path=str(path), columns={"x": "numeric 1.234,5", "when": "date %Y%d%m"})
    table = load_data(config).train
    x, when = detect_columns(table, config.column_settings)
    assert not x.doubt
    assert numbers(table["x"], x.number_format)[:2].tolist() == [1100, 2101]
    assert str(dates(table["when"], when.date_format)[1]) == "2020-02-02T00:00:00"


def test_columns_of_one_name_have_one_type(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('a,a,b\n"x\ny",1.50,2\nz,2.0,3\n')
    train = load_data(config_of(file, {"a": "text"}).data).train
    assert train.to_pydict() == {"a": ["x\ny", "z"], "a_2": ["1.50", "2.0"], "b": [2, 3]}


def test_a_column_of_splits_splits_a_table_and_is_no_input(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    parts = ["train"] * 30 + ["validation"] * 6 + ["test"] * 4
    rows = [f"{i % 7},{part},{'ab'[i % 2]}" for i, part in enumerate(parts)]
    file.write_text("\n".join(["n,split,y", *rows]) + "\n")
    pipeline = create_pipeline(config_of(file, {}))
    raw = pipeline.load()
    assert {name: table.num_rows for name, table in raw.splits.items()} == {
        "train": 30, "validation": 6, "test": 4,
    }  # fmt: skip
    assert [column.name for column in pipeline.fit(raw).columns] == ["n"]
    kept = create_pipeline(config_of(file, {"split": "categorical"}))
    assert [column.name for column in kept.fit(kept.load()).columns] == ["n", "split"]


def test_words_such_as_na_stay_in_a_column_set_as_text_and_are_told_elsewhere(
    tmp_path: Path,
) -> None:
    file = table_file(tmp_path / "a.csv", "country", ["NA", "DE", "FR", ""])
    pipeline = create_pipeline(config_of(file, {}))
    raw = pipeline.load()
    notes = pipeline.summarize(raw, pipeline.fit(raw)).notes
    [note] = [note for note in notes if note.column == "country"]
    assert (note.why, note.read_as) == ("'NA' counts as missing", "missing")
    assert note.rows == sum(cell in (None, "NA", "") for cell in raw.train["country"].to_pylist())
    kept = create_pipeline(config_of(file, {"country": "text"}))
    raw = kept.load()
    fitted = kept.fit(raw)
    [feature] = [f for f in fitted.features.categorical if f.column == "country"]
    assert feature.categories == ["DE", "FR", "NA", None]
    codes = encode_category(feature, pa.chunked_array([["NA", "na", "", None]]))
    assert codes.tolist() == [3, 0, 4, 4]


def test_a_class_that_may_be_a_missing_value_is_doubted(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "n,y\n" + "".join(f"{i % 7},{['yes', 'no', 'n/a'][i % 3]}\n" for i in range(60))
    )
    pipeline = create_pipeline(config_of(file, {}))
    raw = pipeline.load()
    assert set(raw.train["y"].to_pylist()) == {"yes", "no", "n/a"}
    [doubt] = [note for note in raw.notes if note.column == "y"]
    assert (doubt.kind, doubt.rows) == ("doubt", 20)
    assert doubt.why == "'n/a' is a class, though it may mean that the class is missing"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.270,71", "1270,71", "540,50"], [1270.71, 1270.71, 540.5]),
        (["5,495", "995", "12,000"], [5495.0, 995.0, 12000.0]),
    ],
)
def test_thousands_may_be_grouped_in_some_numbers_only(
    values: list[str], expected: list[float]
) -> None:
    column = pa.chunked_array([pa.array(values * 10)])
    assert numbers(column).tolist() == expected * 10


def test_a_later_number_may_be_without_groups() -> None:
    known = NumberFormat(decimal=",", grouping=".")
    later = pa.chunked_array([["3000", "3.000", "1234,5", "1234.5"]])
    assert numbers(later, known).tolist()[:3] == [3000.0, 3000.0, 1234.5]
    assert numbers(later, known)[3] != numbers(later, known)[3]


def test_iso_dates_are_read_beside_those_of_any_spelling() -> None:
    later = pa.chunked_array([["03.04.2020", "2020-04-03", "2020", "20200403"]])
    read = dates(later, "%d.%m.%Y").astype("datetime64[D]").astype(str).tolist()
    assert read == ["2020-04-03", "2020-04-03", "NaT", "NaT"]


def test_a_format_of_numbers_that_no_value_has_is_refused(tmp_path: Path) -> None:
    file = table_file(tmp_path / "a.csv", "price", ["540,50", "12,25"])
    with pytest.raises(DataError, match="'price' as numeric, but its values, such as '540,50'"):
        columns_of(file, {"price": "numeric 1,234.5"})


def test_the_title_of_a_preset_does_not_stay_with_other_data() -> None:
    titled = BASE | {"title": "Incomes of adults"}
    assert parse_overridden(titled, ["train.epochs=2"]).title == "Incomes of adults"
    assert parse_overridden(titled, ["data.path=mine.csv"]).title == ""
    assert parse_overridden(titled, ["data.path=mine.csv", "title=Mine"]).title == "Mine"
