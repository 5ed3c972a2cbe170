"""Files that anybody may have written: each is read, or is one kind of error; writing is whole."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.files import atomic, plain_paths, safe_json, safe_toml
from engine.files.digest import digest, digest_of, sha256
from engine.files.shared_file import SharedFile, delete_unused

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=30, deadline=None)
def test_json_comes_back_and_numbers_as_they_are_written(value: Any) -> None:
    text = json.dumps(value)
    assert safe_json.loads(text) == value
    assert safe_json.loads(text.encode()) == value

    def spelled(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: spelled(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [spelled(inner) for inner in part]
        number = isinstance(part, int | float) and not isinstance(part, bool)
        return json.dumps(part) if number else part

    if "Infinity" not in text:
        assert safe_json.loads(text, numerals=True) == spelled(value)


@given(st.text(st.sampled_from('{}[]":,x1.e-\\u \n'), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_json_or_an_error_of_one_kind(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert json.loads(text) == safe_json.loads(text)


@pytest.mark.parametrize("levels", [10, 200_000])
@pytest.mark.parametrize("ends", ["[]", None])
def test_nesting_that_is_too_deep_is_an_error(levels: int, ends: str | None) -> None:
    text = "[" * levels + "]" * levels if ends else '{"a":' * levels + "1" + "}" * levels
    if levels > 1000:
        with pytest.raises(ValueError, match="too deeply"):
            safe_json.loads(text)
    else:
        assert safe_json.loads(text) is not None


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(ValueError, match="codec"):
        safe_json.loads(b'{"a": "\xff"}')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", "line 2"),
        ("a = 1\na = 2\n", "line 2"),
        ('a = "x\n', "line 1"),
        ("\n\nb = [1, 2", "line 3, the end"),
        ("x = 1\na = " + "[" * 100_000, "line 2"),
        ("x = 1\n\na = " + "9" * 10_000, "line 3"),
    ],
)
def test_whatever_is_wrong_with_toml_is_one_error_with_its_line(text: str, line: str) -> None:
    with pytest.raises(safe_toml.TomlError, match=line):
        safe_toml.loads(text)


def test_bytes_of_toml_that_are_no_utf_8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'a = 1\nb = "\xe9"\n')
    with pytest.raises(safe_toml.TomlError, match=r"byte 0xE9 is not UTF-8 \(at line 2\)"):
        safe_toml.read(path)
    path.write_text('a = 1\nb = "é"\n')
    assert safe_toml.read(path) == {"a": 1, "b": "é"}


def test_a_file_is_replaced_as_a_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, {"a": [1, "ü"]})
    assert json.loads(path.read_text()) == {"a": [1, "ü"]}
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError), atomic.writing(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert json.loads(path.read_text()) == {"a": [1, "ü"]}
    assert [entry.name for entry in tmp_path.iterdir() if entry.suffix == ".tmp"] == []


def test_checksums_are_those_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(path) == known  # the test vector of FIPS 180-2
    assert digest(path) == {"sha256": known, "size": 3}


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
@settings(max_examples=50, deadline=None)
def test_texts_have_the_same_name_only_if_they_are_the_same(
    one: list[str], other: list[str]
) -> None:
    assert (digest_of(*one) == digest_of(*other)) is (one == other)


def test_texts_that_are_cut_elsewhere_have_another_name() -> None:
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert len(digest_of("\ud800")) == 32  # half a character has one too


def test_plain_paths_are_read_as_paths_are(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abcdef")
    assert plain_paths.read(str(path)) == b"abcdef"
    assert plain_paths.read(str(path), 4) == b"abcd"
    assert plain_paths.changed(str(path)) == path.stat().st_mtime_ns
    assert plain_paths.changed(str(tmp_path / "gone")) == 0


def test_a_shared_file_goes_with_the_last_that_uses_it(tmp_path: Path) -> None:
    first, second = SharedFile(tmp_path, "x"), SharedFile(tmp_path, "x")
    [path] = tmp_path.glob("x.*")
    first.close()
    delete_unused(tmp_path)
    assert path.exists()
    second.close()
    assert not path.exists()


def test_what_crashed_processes_left_is_deleted(tmp_path: Path) -> None:
    used = SharedFile(tmp_path, "used")
    (tmp_path / "left.shared").write_bytes(b"")
    (tmp_path / "other.txt").write_bytes(b"")
    delete_unused(tmp_path)
    names = sorted(entry.name for entry in tmp_path.iterdir() if entry.is_file())
    assert names == ["other.txt", "used.shared"]
    used.close()
