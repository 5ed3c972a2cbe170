"""Tagged sentences as people have them become words, tags and entities, or a question."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from seqeval.metrics.sequence_labeling import get_entities

from engine.config.run_config import RunConfig
from engine.data.raw import TEST, TRAIN
from engine.errors import DataError
from engine.pipelines.token_classification import TokenClassificationPipeline
from engine.reports.data_summary import DataSummary
from engine.text.tagging.columns import tagged_columns
from engine.text.tagging.scheme import scheme_of

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SENTENCES = [
    (["Ada", "Stone", "met", "Bo", "in", "New", "York", "."],
     ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "O"]),
    (["Bo", "Eva", "left", "Rome", "today"], ["B-PER", "B-PER", "O", "B-LOC", "O"]),
    (["Nothing", "happened", "here"], ["O", "O", "O"]),
]  # fmt: skip
ROWS = SENTENCES * 4
COUNTS = {"PER": 16, "LOC": 8}
"""Entities in all rows, counted by hand."""


def _pipeline(path: Path, test: Path | None = None, **task: Any) -> TokenClassificationPipeline:
    data: dict[str, Any] = {
        "kind": "file", "path": str(path), "validation_fraction": 0.0, "test_fraction": 0.0,
    }  # fmt: skip
    if test is not None:
        data["test_path"] = str(test)
    model = {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1}
    config = {"task": {"kind": "token_classification", **task}, "data": data, "model": model}
    return TokenClassificationPipeline(RunConfig.parse(config))


def _read(
    path: Path, test: Path | None = None, **task: Any
) -> tuple[DataSummary, dict[str, tuple[list[list[str]], list[list[str]]]], list[str]]:
    """The summary, words and tags of each split, and the names of the tags."""
    pipeline = _pipeline(path, test, **task)
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    read = {split: pipeline.sentences(table, fitted) for split, table in raw.splits.items()}
    return pipeline.summarize(raw, fitted), read, fitted.names


def _conll(path: Path, line: str, rows: Sequence[tuple[list[str], list[str]]] = ROWS) -> Path:
    path.write_text(
        "".join(
            "".join(
                line.format(n=number, word=word, tag=tag) + "\n"
                for number, (word, tag) in enumerate(zip(words, tags, strict=True), 1)
            )
            + "\n"
            for words, tags in rows
        )
    )
    return path


def _jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _numbered(path: Path) -> Path:
    rows = [{"tokens": words, "ner_tags": [NAMES.index(t) for t in tags]} for words, tags in ROWS]
    return _jsonl(path, rows)


@pytest.mark.parametrize(
    "line",
    [
        "{word} {tag}", "{word} NN B-NP {tag}", "{tag}\t{word}", "{tag} NN {word}",
        "{n}\t{word}\t{tag}", "{n} {word} NN {tag}",
    ],
)  # fmt: skip
def test_words_and_tags_are_found_in_every_order_of_columns(tmp_path: Path, line: str) -> None:
    summary, read, _ = _read(_conll(tmp_path / "a.conll", line))
    assert read[TRAIN] == ([words for words, _ in ROWS], [tags for _, tags in ROWS])
    assert summary.classes == COUNTS


def test_a_choice_by_content_is_reported_and_the_user_has_the_last_say(tmp_path: Path) -> None:
    path = _conll(tmp_path / "a.bio", "{tag}\t{word}")
    summary, _, _ = _read(path)
    assert any("words are taken from the column column_2" in note.why for note in summary.notes)
    _, read, _ = _read(path, tokens="tokens", tags="column_2")
    assert read[TRAIN][0] == [tags for _, tags in ROWS]


def test_parts_of_speech_that_stand_first_are_the_tags() -> None:
    tags = [["DET", "NOUN", "VERB"]] * 10
    words = [[f"the{n}", f"cat{n}", f"sat{n}"] for n in range(10)]
    table = pa.table({"tokens": tags, "column_2": words})
    found = tagged_columns(table, "", "")
    assert (found.tokens, found.tags) == ("column_2", "tokens")


def test_chunks_beside_entities_are_reported(tmp_path: Path) -> None:
    summary, _, _ = _read(_conll(tmp_path / "a.conll", "{word} NN B-NP {tag}"))
    [doubt] = [note for note in summary.notes if note.why.endswith("not from column_3")]
    assert doubt.change == "task.tags"


INNER = [["O", "O", "O", "O", "O", "O", "B-LOC", "O"], ["O"] * 5, ["O"] * 3] * 4
"""Entities within others: York within New York."""


@pytest.mark.parametrize("first", ["{n}\t", ""])
def test_the_outer_of_two_levels_of_entities_is_learned(tmp_path: Path, first: str) -> None:
    """GermEval 2014: the outer level stands before the inner one, which has few entities."""
    rows = [
        (words, [f"{outer}\t{inner}" for outer, inner in zip(tags, within, strict=True)])
        for (words, tags), within in zip(ROWS, INNER, strict=True)
    ]
    summary, read, _ = _read(_conll(tmp_path / "a.conll", first + "{word}\t{tag}", rows))
    assert read[TRAIN] == ([words for words, _ in ROWS], [tags for _, tags in ROWS])
    last = f"column_{4 if first else 3}"
    assert [note.why for note in summary.notes if note.why.endswith(f"not from {last}")]


@pytest.mark.parametrize("form", ["Sequence", "List", "list"])
def test_names_of_classes_in_lists_are_found(tmp_path: Path, form: str) -> None:
    label = {"names": NAMES, "_type": "ClassLabel"}
    noted = [label] if form == "list" else {"feature": label, "_type": form}
    note = {"info": {"features": {"ner_tags": noted}}}
    columns = {
        "tokens": [words for words, _ in ROWS],
        "ner_tags": [[NAMES.index(tag) for tag in tags] for _, tags in ROWS],
    }
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(note)})
    pq.write_table(table, tmp_path / "a.parquet")
    summary, read, names = _read(tmp_path / "a.parquet")
    assert names == NAMES
    assert read[TRAIN][1] == [tags for _, tags in ROWS]
    assert summary.classes == COUNTS


def test_names_of_classes_are_those_that_datasets_writes(tmp_path: Path) -> None:
    features = datasets.Features({
        "tokens": datasets.Sequence(datasets.Value("string")),
        "ner_tags": datasets.Sequence(datasets.ClassLabel(names=NAMES)),
    })  # fmt: skip
    columns = {"tokens": [words for words, _ in ROWS], "ner_tags": [tags for _, tags in ROWS]}
    datasets.Dataset.from_dict(columns, features).to_parquet(tmp_path / "a.parquet")
    assert _read(tmp_path / "a.parquet")[0].classes == COUNTS


def test_numbers_without_names_are_a_question_and_names_its_answer(tmp_path: Path) -> None:
    path = _numbered(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match=r"numbers from 0 to 4.*Set task\.tag_names to their 5"):
        _read(path)
    with pytest.raises(DataError, match=r"Set task\.tag_names to their 5"):
        _read(path, tag_names=NAMES[:4])
    summary, read, names = _read(path, tag_names=NAMES)
    assert names == NAMES
    assert read[TRAIN][1] == [tags for _, tags in ROWS]
    assert summary.classes == COUNTS


def test_numbers_in_the_test_split_have_the_names_of_training(tmp_path: Path) -> None:
    columns = {
        "tokens": [words for words, _ in ROWS],
        "ner_tags": [[NAMES.index(tag) for tag in tags] for _, tags in ROWS],
    }
    features = {"ner_tags": {"feature": {"names": NAMES, "_type": "ClassLabel"}}}
    note = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pa.table(columns).replace_schema_metadata(note), tmp_path / "a.parquet")
    _, read, _ = _read(tmp_path / "a.parquet", _numbered(tmp_path / "test.jsonl"))
    assert read[TEST] == read[TRAIN]


def test_runs_whose_tags_are_numbers_without_names_keep_them() -> None:
    table = pa.table({"tokens": [["a", "b"]], "tags": [[10, 2]]})
    pipeline = _pipeline(Path("unused.jsonl"))
    fitted = pipeline.fitted_type(
        tokens="tokens", tags="tags", names=["0", "1", "10", "2"], max_length=9
    )
    assert pipeline.sentences(table, fitted)[1] == [["10", "2"]]


def test_codes_that_stand_for_no_class_leave_their_row_out(tmp_path: Path) -> None:
    columns = {"tokens": [["a", "b"]] * 3, "tags": [[0, 1], [-100, 1], [0, 9]]}
    note = {"info": {"features": {"tags": [{"names": NAMES, "_type": "ClassLabel"}]}}}
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(note)})
    pq.write_table(table, tmp_path / "a.parquet")
    raw = _pipeline(tmp_path / "a.parquet").load()
    assert raw.train.num_rows == 1
    assert [(skip.reason, skip.count) for skip in raw.skips] == [
        ("a tag is not one of the classes", 2)
    ]


def test_a_missing_word_or_tag_is_no_word_called_none(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["a", "b"], "tags": ["O", "B-PER"]},
        {"tokens": ["a", None], "tags": ["O", "O"]},
        {"tokens": ["a", "b"], "tags": ["O", None]},
    ]
    raw = _pipeline(_jsonl(tmp_path / "a.jsonl", rows)).load()
    assert raw.train.num_rows == 1
    assert [skip.count for skip in raw.skips] == [2]


def test_tags_unknown_to_training_are_reported(tmp_path: Path) -> None:
    path = _conll(tmp_path / "a.conll", "{word} {tag}")
    test = _conll(tmp_path / "test.conll", "{word} {tag}", [(["Acme", "x"], ["B-ORG", "O"])])
    summary, _, _ = _read(path, test)
    note = (
        "1 word of test with tags that no training row has, which count as mistakes in the "
        "accuracy: B-ORG"
    )
    assert note in [note.why for note in summary.notes]


@pytest.mark.parametrize("name", ["sentence_id", "Sentence #"])
def test_one_word_a_row_makes_sentences(tmp_path: Path, name: str) -> None:
    lines = [f"{name},Word,Tag"]
    for number, (words, tags) in enumerate(ROWS):
        for place, (word, tag) in enumerate(zip(words, tags, strict=True)):
            first = f"Sentence: {number}" if not place or name == "sentence_id" else ""
            lines.append(f"{first},{word},{tag}")
    path = tmp_path / "words.csv"
    path.write_text("\n".join(lines) + "\n")
    summary, read, _ = _read(path)
    assert read[TRAIN] == ([words for words, _ in ROWS], [tags for _, tags in ROWS])
    assert summary.classes == COUNTS
    assert any(
        "64 rows of one word each joined to 12 sentences" in note.why for note in summary.notes
    )


def test_one_word_a_row_without_a_number_of_the_sentence_is_a_question(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("word,tag,part\n" + "Ada,B-PER,1\nmet,O,1\nBo,B-PER,2\nhere,O,2\n" * 3)
    with pytest.raises(DataError, match=r"Set task\.sentence"):
        _read(path)
    assert len(_read(path, sentence="part")[1][TRAIN][0]) == 6


@pytest.mark.parametrize("written", [json.dumps, str, lambda items: str(items).replace(",", "")])
def test_lists_written_as_text_are_lists(tmp_path: Path, written: Any) -> None:
    table = pa.table({
        "tokens": [written(words) for words, _ in ROWS], "ner_tags": [written(t) for _, t in ROWS],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    _, read, _ = _read(tmp_path / "a.parquet")
    assert read[TRAIN] == ([words for words, _ in ROWS], [tags for _, tags in ROWS])


def test_words_and_tags_in_texts_are_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [f"{' '.join(words)},{' '.join(tags)}" for words, tags in ROWS]
    path.write_text("\n".join(["sentence,tags", *lines]) + "\n")
    assert _read(path)[0].classes == COUNTS


def test_numbers_with_decimals_are_the_same_tags(tmp_path: Path) -> None:
    rows = [
        {"tokens": words, "ner_tags": [float(NAMES.index(tag)) for tag in tags]}
        for words, tags in ROWS
    ]
    path = _jsonl(tmp_path / "a.jsonl", rows)
    assert _read(path, tag_names=NAMES)[0].classes == COUNTS
    with pytest.raises(DataError, match=r"numbers from 0 to 4"):
        _read(path)


def test_one_broken_list_written_as_text_does_not_unmake_the_others(tmp_path: Path) -> None:
    words, tags = [str(w) for w, _ in ROWS], [str(t) for _, t in ROWS]
    table = pa.table({"tokens": words, "tags": ["['O', ", *tags[1:]]})
    pq.write_table(table, tmp_path / "a.parquet")
    summary, read, _ = _read(tmp_path / "a.parquet")
    assert read[TRAIN][1] == [t for _, t in ROWS[1:]]
    assert [skip["count"] for skip in summary.skips] == [1]


def _with_spans(words: list[str], tags: list[str]) -> tuple[str, list[list[Any]]]:
    """A text and its spans, from the entities that seqeval finds."""
    starts = [len(" ".join(words[:place])) + bool(place) for place in range(len(words))]
    spans = [
        [starts[first], starts[last] + len(words[last]), kind]
        for kind, first, last in get_entities(tags)
    ]
    return " ".join(words), spans


@pytest.mark.parametrize(
    "keys", [(), ("start", "end", "label"), ("start_offset", "end_offset", "type")]
)
def test_spans_of_characters_become_tags(tmp_path: Path, keys: tuple[str, ...]) -> None:
    rows = []
    for words, tags in ROWS:
        text, spans = _with_spans(words, tags)
        cell = [dict(zip(keys, span, strict=True)) if keys else span for span in spans]
        rows.append({"id": 1, "text": text, "entities" if keys else "label": cell})
    summary, read, _ = _read(_jsonl(tmp_path / "a.jsonl", rows))
    assert read[TRAIN] == ([words for words, _ in ROWS], [tags for _, tags in ROWS])
    assert summary.classes == COUNTS


def test_texts_of_personal_data_are_found_beside_their_masked_form(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    for words, tags in ROWS:
        text, spans = _with_spans(words, tags)
        cell = [dict(zip(("start", "end", "label"), span, strict=True)) for span in spans]
        rows.append({"source_text": text, "masked_text": "[X]", "privacy_mask": cell})
    _, read, _ = _read(_jsonl(tmp_path / "a.jsonl", rows))
    assert read[TRAIN] == ([words for words, _ in ROWS], [tags for _, tags in ROWS])


def test_spans_that_overlap_or_cut_words_are_reported(tmp_path: Path) -> None:
    rows = [
        {"text": "Globex hired", "label": [[0, 5, "ORG"]]},
        {"text": "Globex hired", "label": [[0, 6, "ORG"], [2, 9, "ORG"]]},
        {"text": "Globex hired", "label": [[0, 99, "ORG"]]},
    ]
    summary, read, _ = _read(_jsonl(tmp_path / "a.jsonl", rows))
    assert read[TRAIN] == ([["Globe", "x", "hired"]], [["B-ORG", "O", "O"]])
    assert any(note.why.startswith("1 entity beginning or ending inside") for note in summary.notes)
    assert sum(skip["count"] for skip in summary.skips) == 2


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_positions_of_spans_may_be_texts_and_spans_without_any_are_left_out(
    tmp_path: Path, suffix: str
) -> None:
    cells = [
        [{"start": "0", "end": "3", "label": "PER"}],
        [{"start": "0", "end": "3", "label": "PER"}, {"end": "5", "label": "PER"}],
        [{"start": "0", "end": "9" * 23, "label": "PER"}],
    ]
    if suffix == "jsonl":
        path = _jsonl(tmp_path / "a.jsonl", [{"text": "Ada met", "entities": c} for c in cells])
    else:
        path = tmp_path / "a.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(
                [("text", "entities"), *(("Ada met", json.dumps(cell)) for cell in cells)]
            )
    summary, read, _ = _read(path)
    assert read[TRAIN] == ([["Ada", "met"]], [["B-PER", "O"]])
    assert sum(skip["count"] for skip in summary.skips) == 2


def test_lists_beside_spans_are_taken_as_before(tmp_path: Path) -> None:
    span = {"start": 0, "end": 3, "label": "X"}
    rows = [{"text": "Ada met", "tokens": ["Ada", "met"], "ner_tags": ["B-PER", "O"],
             "entities": [span]}] * 3  # fmt: skip
    assert _read(_jsonl(tmp_path / "a.jsonl", rows))[0].classes == {"PER": 3}


def test_a_conll_file_with_another_suffix_is_answered_with_its_format(tmp_path: Path) -> None:
    parts_of_speech = [(["Bo", "left"], ["NOUN", "VERB"])] * 3  # which any two words could be
    path = _conll(tmp_path / "train.txt", "{word} {tag}", parts_of_speech)
    with pytest.raises(DataError, match=r"data\.format to conll"):
        _read(path)


def test_a_test_split_in_another_scheme_has_the_same_entities(tmp_path: Path) -> None:
    """Tags as IOB1 and as IOBES have them, by the rules of seqeval."""
    first = [(["Bo", "Eva", "left"], ["I-PER", "B-PER", "O"])] * 3
    ends = [(["Bo", "Eva", "left"], ["S-PER", "S-PER", "O"])] * 3
    _, read, names = _read(
        _conll(tmp_path / "a.conll", "{word} {tag}", first),
        _conll(tmp_path / "test.conll", "{word} {tag}", ends),
    )
    entities = [[scheme_of(names).entities(tags) for tags in part[1]] for part in read.values()]
    assert entities[0] == entities[1] == [[("PER", 0, 1), ("PER", 1, 2)]] * 3


def test_a_summary_without_doubts_has_no_notes(tmp_path: Path) -> None:
    assert not _read(_conll(tmp_path / "a.conll", "{word} {tag}"))[0].notes


@pytest.mark.parametrize(
    "written",
    [
        json.dumps,
        lambda spans: str([tuple(span) for span in spans]),
        lambda spans: json.dumps(
            [dict(zip(("start", "end", "label"), s, strict=True)) for s in spans]
        ),
        lambda spans: str([{"start": a, "end": b, "labels": [kind]} for a, b, kind in spans]),
    ],
)
def test_spans_written_as_text_become_tags(tmp_path: Path, written: Any) -> None:
    spans = [[0, 9, "PER"], [14, 22, "LOC"]]
    rows = [("Ada Stone met New York", spans), ("Nothing here", [])] * 4
    cells = [(text, written(found).replace(chr(34), chr(34) * 2)) for text, found in rows]
    lines = "".join(f'"{text}","{found}"\n' for text, found in cells)
    (tmp_path / "a.csv").write_text(f'text,entities\n{lines}"no list","oh"\n')
    summary, read, _ = _read(tmp_path / "a.csv")
    assert read[TRAIN][1] == [["B-PER", "I-PER", "O", "B-LOC", "I-LOC"], ["O", "O"]] * 4
    assert [skip["reason"] for skip in summary.skips] == ["there is no list of entities"]
