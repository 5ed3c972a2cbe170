"""Pairs of texts beside a column that says whether they belong together."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.raw import RawData
from engine.errors import DataError
from engine.text.columns import find_pair
from engine.text.pairs.columns import PairColumns, pair_columns
from engine.text.pairs.faults import pair_faults
from engine.text.pairs.shared_queries import shared_queries

ONE, OTHER = ["how old is Rome", "is it far", "what is it"], ["Rome's age", "no way", "that"]
PAIR = ("question1", "question2")


def found(judged: dict[str, Any], pair: tuple[str, str] = PAIR, **section: Any) -> PairColumns:
    table = pa.table({pair[0]: ONE, pair[1]: OTHER, **judged})
    return pair_columns(table, EmbeddingConfig(**section))


def with_classes(values: list[int], names: list[str]) -> pa.Table:
    """A column of classes as ``datasets`` writes it to Parquet."""
    noted = {"info": {"features": {"label": {"_type": "ClassLabel", "names": names}}}}
    table = pa.table({PAIR[0]: ONE, PAIR[1]: OTHER, "label": values})
    return table.replace_schema_metadata({"huggingface": json.dumps(noted)})


@pytest.mark.parametrize("name", ["is_duplicate", "Duplicate", "is_paraphrase", "label", "score"])
def test_marks_of_duplicates_are_scores(name: str) -> None:
    """As Quora's question pairs have them: the pairs with 0 are not alike."""
    columns = found({"id": ["1", "2", "3"], name: ["0", "1", "0"]})
    assert (columns.score, columns.form) == (name, "scores")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("label", ["yes", "no", "yes"]),
        ("is_duplicate", ["duplicate", "not_duplicate", "duplicate"]),
        ("label", ["similar", "dissimilar", "similar"]),
        ("relevance", ["relevant", "Not relevant", "partly"]),
    ],
)
def test_classes_in_words_that_deny_are_refused(name: str, values: list[str]) -> None:
    with pytest.raises(DataError, match=f"'{name}' has classes .*would be learned as alike"):
        found({name: values})
    assert found({name: values}, score="-").form == "pairs"


@pytest.mark.parametrize("pair", [("sentence1", "sentence2"), ("premise", "hypothesis")])
@pytest.mark.parametrize("name", ["gold_label", "label"])
def test_classes_of_inference_are_refused_beside_any_pair(pair: Any, name: str) -> None:
    with pytest.raises(DataError, match=f"'{name}' has classes of inference"):
        found({name: ["entailment", "-", "contradiction"]}, pair)


def test_topics_and_one_class_alone_are_no_judgments() -> None:
    assert found({"label": ["travel", "history", "travel"]}).form == "pairs"
    assert found({"label": ["no", "no", "no"]}).form == "pairs"
    assert found({"gold_label": ["entailment"] * 3}, ("premise", "hypothesis")).form == "pairs"


def test_numbers_of_classes_are_scores_only_where_1_says_yes() -> None:
    yes = with_classes([0, 1, 0], ["not_duplicate", "duplicate"])
    assert pair_columns(yes, EmbeddingConfig()).score == "label"
    for names in (["duplicate", "not_duplicate"], ["entailment", "not_entailment"]):
        with pytest.raises(DataError, match="'label' has classes"):
            pair_columns(with_classes([0, 1, 0], names), EmbeddingConfig())


@pytest.mark.parametrize("name", ["relevance", "is_correct", "Is_Relevant"])
def test_passages_that_are_judged_not_relevant_are_no_positives(name: str) -> None:
    judged: list[float | None] = [2, 0, None]
    columns = found({name: judged}, ("query", "passage"))
    assert (columns.form, columns.judged) == ("pairs", name)
    assert columns.roles[name] == "judgment"
    table = pa.table({"query": ONE, "passage": OTHER, name: judged})
    assert pair_faults(table, columns, None) == [
        None, f"{name} is 0: the texts do not belong together", f"{name} is not a number",
    ]  # fmt: skip
    [*_, last] = pair_faults(table.drop_columns([name]), columns, None)
    assert last == f"there is no {name}"


def test_in_batch_negatives_leave_out_pairs_of_0() -> None:
    """They learned them as alike before."""
    columns = found({"label": [1, 0, 1]}, loss="in_batch_negatives")
    assert (columns.score, columns.judged) == ("", "label")
    graded = found({"score": [4.5, 0.0, 1.0]}, loss="in_batch_negatives")
    assert (graded.score, graded.judged) == ("", "")


def test_relevance_is_a_score_where_the_loss_needs_one() -> None:
    columns = found({"relevance": [0, 1, 2]}, ("query", "passage"), loss="cosent")
    assert (columns.score, columns.judged) == ("relevance", "")


@pytest.mark.parametrize(
    ("names", "pair"),
    [
        (["query", "document", "score"], ("query", "document")),
        (["Query", "Passage", "label"], ("Query", "Passage")),
        (["sentence_A", "sentence_B", "relatedness_score"], ("sentence_A", "sentence_B")),
        (["question", "answer", "label"], ("question", "answer")),
        (["title", "text", "label"], None),
    ],
)
def test_two_texts_are_found_by_their_names(names: list[str], pair: Any) -> None:
    """A reranker that reads the document alone ranks without the query."""
    assert find_pair(pa.table({name: ["a"] for name in names})) == pair


def test_texts_that_training_rows_have_too_are_counted() -> None:
    raw = RawData({
        "train": pa.table({"query": ["a", "b", "b"]}),
        "test": pa.table({"query": ["b", "b", "c", "a", "d"]}),
        "validation": pa.table({"query": ["e"]}),
    })  # fmt: skip
    [note] = shared_queries(raw, "query")
    assert (note.rows, note.read_as, note.change) == (2, "test", "data.group")
    assert note.why == "2 of 4 texts of test are in train too, with other passages"
