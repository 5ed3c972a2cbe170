"""CoNLL files as they occur in practice."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.data.readers.base import read_file
from engine.data.readers.conll import is_tagged, read_conll, read_conllu
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError


def _columns(text: str) -> dict[str, list[list[str]]]:
    columns: dict[str, list[list[str]]] = read_conll(Path("x.conll"), text).to_pydict()
    return columns


def test_sentences_end_at_empty_lines_and_documents_are_passed_over() -> None:
    text = "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n\nGerman JJ I-NP B-MISC"
    columns = _columns(text)
    assert columns["tokens"] == [["EU", "rejects"], ["German"]]
    assert columns["column_2"] == [["NNP", "VBZ"], ["JJ"]]
    assert columns["column_4"] == [["B-ORG", "O"], ["B-MISC"]]


def test_words_separated_by_tabs_may_hold_blanks() -> None:
    assert _columns("New York\tB-place\nis\tO\n") == {
        "tokens": [["New York", "is"]],
        "column_2": [["B-place", "O"]],
    }


def test_lines_with_windows_endings_and_blanks_alone_are_borders() -> None:
    assert _columns("a\tO\r\n\r\nb\tO\r\n \t\r\nc\tO\r\n")["tokens"] == [["a"], ["b"], ["c"]]


def test_comments_are_passed_over_but_hash_signs_are_words() -> None:
    columns = _columns("# sent_id = 1 of 9\n#\tO\ntag\tO\n")
    assert columns["tokens"] == [["#", "tag"]]


def test_unusual_line_separators_belong_to_their_word() -> None:
    assert _columns("a\u2028b\tO\nc\x85\tO\n")["column_2"] == [["O", "O"]]


def test_a_line_without_a_tag_is_named() -> None:
    with pytest.raises(DataError, match=r"x\.conll, row 2: 1 of 2 columns"):
        _columns("a\tO\nb\nc\tO\n")


def test_a_word_with_a_blank_among_blanks_is_named() -> None:
    with pytest.raises(DataError, match=r"x\.conll, row 2: 3 of 2 columns"):
        _columns("a O\nNew York B-place\nc O\n")


def test_one_tab_among_blanks_separates_no_columns() -> None:
    assert _columns("# id\t7 of 9\na O\nb B-x\n")["column_2"] == [["O", "B-x"]]


def test_a_comment_with_as_many_cells_as_a_word_is_none() -> None:
    columns = _columns("# id 4cfb domain=en\nEU _ _ B-org\n# _ _ O\nleft _ _ O\n")
    assert columns["tokens"] == [["EU", "#", "left"]]
    assert columns["column_4"] == [["B-org", "O", "O"]]


def test_a_header_is_no_word() -> None:
    assert _columns("Token\tLabel\nEU\tB-org\n")["tokens"] == [["EU"]]
    assert _columns("word tag\n\nEU B-org\n")["tokens"] == [["EU"]]


def test_a_file_of_plain_lines_is_refused() -> None:
    with pytest.raises(DataError, match="no tagged words"):
        _columns("one\n\ntwo\n")


def test_the_suffix_says_how_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text("a O\n\nb O\n")
    assert read_file(path, ReadOptions()).table.num_rows == 2


def test_wnut_has_the_sentences_that_its_authors_count(real_data: Path) -> None:
    rows = {
        split: read_file(real_data / "wnut17" / f"{split}.conll", ReadOptions()).table.num_rows
        for split in ("train", "validation", "test")
    }
    assert rows == {"train": 3394, "validation": 1009, "test": 1287}


TAGGED = "EU NNP B-org\nrejects VBZ O\n\n-DOCSTART- -X- O\n\nPeter NNP B-per\n"


@pytest.mark.parametrize(("name", "text"), [
    ("train.txt", TAGGED), ("train.tsv", TAGGED.replace(" ", "\t")),
    ("train.tsv", "# a page\n" + TAGGED.replace(" ", "\t")),
])  # fmt: skip
def test_words_with_tags_are_read_as_conll_whatever_the_suffix(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    reading = read_file(tmp_path / name, ReadOptions())
    assert reading.table["tokens"].to_pylist() == [["EU", "rejects"], ["Peter"]]
    assert reading.table["column_3"].to_pylist() == [["B-org", "O"], ["B-per"]]
    assert reading.notes[0].change == "data.format"


@pytest.mark.parametrize("text", [
    "a text of O\nanother one B-x\n", "plain O\nwords O\n", "I am\nO yes\n", "O\nB-x\n", "\n",
    "word\ttag\nEU\tB-org\nsays\tO\n",
])  # fmt: skip
def test_other_texts_are_no_conll(text: str) -> None:
    assert not is_tagged(text)


def test_conllu_has_its_columns_by_name() -> None:
    rest = "_\t_\t0\troot\t_\t_\n"
    text = (
        "# text = Vámonos al mar\n1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_\n"
        f"1\tVamos\tir\tVERB\t{rest}2\tnos\tnosotros\tPRON\t{rest}2.1\tx\tx\tX\t{rest}"
        f"3\tal\tal\tADP\t{rest}\n1\tmar\tmar\tNOUN\t{rest}"
    )
    columns = read_conllu(Path("x.conllu"), text).to_pydict()
    assert columns["tokens"] == [["Vamos", "nos", "al"], ["mar"]]
    assert columns["upos"] == [["VERB", "PRON", "ADP"], ["NOUN"]]
    with pytest.raises(DataError, match=r"x\.conllu, row 1: 3 of 10 columns"):
        read_conllu(Path("x.conllu"), "a\tb\tc\n")
