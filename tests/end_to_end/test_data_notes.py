"""Conversions, omissions and doubts of the data are shown by every command on a run."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
NUMBERS = "numbers are written like 1,234.5"
LABELS = "4 labels of test in another spelling than in training: 1 is True, 0 is False"


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Training rows with classes True and False, and test rows with 1 and 0."""
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, count, classes in (("train", 40, ("True", "False")), ("test", 4, ("1", "0"))):
        with (folder / f"{name}.csv").open("w") as file:
            rows = csv.writer(file)
            rows.writerow(["price", "same", "bought"])
            rows.writerows([f"{1000 + 37 * i:,}", "x", classes[i % 2]] for i in range(count))
    return folder


def _preset(folder: Path, data: Path, *more: str) -> str:
    path = folder / "mine.toml"
    lines = ['name = "mine"', "[task]", 'kind = "tabular_classification"', 'target = "bought"',
             "[data]", 'kind = "file"', f'path = "{data}"', *more,
             "[model]", 'kind = "mlp"', "[train]", "max_steps = 3"]  # fmt: skip
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.slow
def test_every_command_shows_the_table_of_a_run(dltui: Call, tables: Path, tmp_path: Path) -> None:
    ran = dltui("run", _preset(tmp_path, tables), "compute.threads=1")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("data: "))
    # The doubt comes first, the conversion after the column that is left out.
    assert lines[place + 1].split()[:2] == ["column", "read"]
    told = "\n".join(lines[place:])
    assert told.index(LABELS[:44]) < told.index("always the same") < told.index(NUMBERS)
    name = lines[0].removeprefix("run ")

    shown = dltui("show", name).stdout
    assert "data: 1 omission," in shown
    assert NUMBERS in shown
    data = json.loads(dltui("show", name, "--json").stdout)["data"]
    assert data["rows"]["test"] == 4
    assert [note["rows"] for note in data["notes"] if note["why"] == LABELS] == [4]

    for ending, title in ((".md", "## Data"), (".html", "<h2>Data</h2>")):
        path = tmp_path / f"page{ending}"
        assert dltui("report", name, "--output", str(path)).returncode == 0
        assert title in path.read_text()
        assert NUMBERS in path.read_text()

    later = tmp_path / "later.csv"
    later.write_text('price\n"1,250"\ncheap\n')
    predicted = dltui("predict", name, "--file", str(later), "--json")
    assert len(predicted.stdout.splitlines()) == 2
    assert "1 value is not a number such as 1,234.5, the first 'cheap'" in predicted.stderr


def test_a_test_file_without_the_target_is_wrong_usage(
    dltui: Call, tables: Path, tmp_path: Path
) -> None:
    later = tmp_path / "later.csv"
    later.write_text("price,same,answer\n5,x,1\n")
    ran = dltui("run", _preset(tmp_path, tables / "train.csv", f'test_path = "{later}"'))
    assert ran.returncode == 2
    assert "data.test_path: test has no column bought" in ran.stderr
