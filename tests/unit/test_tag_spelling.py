"""Splits whose tags are spelled in different schemes have the same entities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOBES, Entities

from engine.config.run_config import RunConfig
from engine.pipelines.token_classification import TokenClassificationPipeline

Spell = Callable[[Sequence[str]], list[str]]
BIO = [
    ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "O"],
    ["B-PER", "B-PER", "I-PER", "O", "B-LOC", "B-PER"],
    ["O", "O", "O"],
]


def _iob1(tags: Sequence[str]) -> list[str]:
    before = ["O", *tags]
    return [
        tag if tag[0] != "B" or before[i][1:] == tag[1:] else f"I{tag[1:]}"
        for i, tag in enumerate(tags)
    ]


def _with_ends(tags: Sequence[str], only: str, last: str) -> list[str]:
    after = [*tags[1:], "O"]
    ends = [after[i][0] != "I" for i in range(len(tags))]
    letters = {("B", True): only, ("I", True): last, ("B", False): "B", ("I", False): "I"}
    return [
        tag if tag == "O" else letters[tag[0], end] + tag[1:]
        for tag, end in zip(tags, ends, strict=True)
    ]


SPELLINGS: dict[str, Spell] = {
    "BIO": list,
    "IOB1": _iob1,
    "IOBES": lambda tags: _with_ends(tags, "S", "E"),
    "BILOU": lambda tags: _with_ends(tags, "U", "L"),
    "suffix": lambda tags: ["-".join(reversed(tag.split("-"))) for tag in tags],
    "underscore": lambda tags: [tag.replace("-", "_") for tag in tags],
    "small": lambda tags: [tag if tag == "O" else tag.lower() for tag in tags],
}


def test_the_spellings_of_this_test_are_what_seqeval_reads() -> None:
    for scheme, name in ((IOB1, "IOB1"), (IOBES, "IOBES")):
        spelled = [SPELLINGS[name](tags) for tags in BIO]
        found = [[(e.tag, e.start, e.end - 1) for e in row] for row in
                 Entities(spelled, scheme).entities]  # fmt: skip
        assert found == [get_entities(tags) for tags in BIO]


def _conll(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    lines = ["".join(f"word{i} {tag}\n" for i, tag in enumerate(tags)) for tags in rows]
    path.write_text("\n".join(lines))
    return path


def _tags(
    train: Path, test: Path, **task: Any
) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """The tags of both splits, and the notes."""
    data = {"kind": "file", "path": str(train), "test_path": str(test), "validation_fraction": 0.0,
            "test_fraction": 0.0}  # fmt: skip
    model = {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1}
    config = {"task": {"kind": "token_classification", **task}, "data": data, "model": model}
    pipeline = TokenClassificationPipeline(RunConfig.parse(config))
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    summary = pipeline.summarize(raw, fitted)
    read = [pipeline.sentences(raw.splits[split], fitted)[1] for split in ("train", "test")]
    return read[0], read[1], [note.why for note in summary.notes]


@pytest.mark.parametrize("test", SPELLINGS)
@pytest.mark.parametrize("train", ["BIO", "IOB1", "IOBES", "BILOU"])
def test_the_test_split_is_tagged_in_the_spelling_of_the_training_rows(
    tmp_path: Path, train: str, test: str
) -> None:
    files = [
        _conll(tmp_path / f"{i}.conll", [SPELLINGS[name](tags) for tags in BIO])
        for i, name in enumerate((train, test))
    ]
    learned, tested, notes = _tags(*files)
    assert learned == tested == [SPELLINGS[train](tags) for tags in BIO]
    told = [note for note in notes if "tagged as the training rows tag theirs" in note]
    assert len(told) == (train != test)
    assert not [note for note in notes if "count as mistakes" in note]


def test_broken_tags_and_new_types_of_the_same_spelling_stay(tmp_path: Path) -> None:
    rows = [["I-PER", "O", "B-ORG", "I-ORG"], ["B-PER", "I-LOC", "B-LOC", "B-PER"]]
    _, tested, notes = _tags(_conll(tmp_path / "a.conll", BIO), _conll(tmp_path / "b.conll", rows))
    assert tested == rows
    assert not [note for note in notes if "tagged as" in note]


def test_entities_of_a_training_set_without_marks_are_its_types(tmp_path: Path) -> None:
    bare = [[tag[2:] or "O" for tag in tags] for tags in BIO]
    train, test = _conll(tmp_path / "a.conll", bare), _conll(tmp_path / "b.conll", BIO)
    assert _tags(train, test)[1] == bare


def test_numbers_are_not_guessed_to_be_tags_that_are_texts(tmp_path: Path) -> None:
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    numbers = [[str(names.index(tag)) for tag in tags] for tags in BIO]
    files = _conll(tmp_path / "a.conll", BIO), _conll(tmp_path / "b.conll", numbers)
    assert _tags(*files, tag_names=names)[1] == BIO
    with pytest.raises(KeyError):  # the whole split is left out
        _tags(*files)
