"""Columns of pairs, scores and answers of texts: found, checked, and rows kept or counted."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.errors import DataError
from engine.text.answers.columns import AnswerColumns, answer_columns, joined_answers
from engine.text.pairs.columns import PairColumns, pair_columns
from engine.text.pairs.faults import pair_faults
from engine.text.pairs.score_scale import ScoreScale, scale_of
from engine.text.rows import blank, joined_texts, some_of, texts_in, without_faults


def texts(*names: str, **others: list[Any]) -> pa.Table:
    return pa.table({name: [f"{name} 1", f"{name} 2"] for name in names} | others)


def columns(table: pa.Table, **values: Any) -> PairColumns:
    return pair_columns(table, EmbeddingConfig(**values))


@pytest.mark.parametrize(
    ("table", "found", "form"),
    [
        (texts("anchor", "positive"), PairColumns("anchor", "positive"), "pairs"),
        (texts("document", "query"), PairColumns("query", "document"), "pairs"),
        (texts("x", "y"), PairColumns("x", "y"), "pairs"),
        (texts("id", "question", "answer"), PairColumns("question", "answer"), "pairs"),
        (texts("anchor", "positive", "negative_1", "hard_neg2", "negation"),
         PairColumns("anchor", "positive", ("negative_1", "hard_neg2")), "triplets"),
        (texts("sentence1", "sentence2", score=[0.5, 1.0]),
         PairColumns("sentence1", "sentence2", (), "score"), "scores"),
        (texts("sentence1", "sentence2", label=["high", "low"]),
         PairColumns("sentence1", "sentence2"), "pairs"),  # no numbers
        (texts("anchor", "positive", "negative", score=[0.5, 1.0]),
         PairColumns("anchor", "positive", ("negative",)), "triplets"),
    ],
)  # fmt: skip
def test_columns_that_belong_together_are_found_by_their_names(
    table: pa.Table, found: PairColumns, form: str
) -> None:
    assert columns(table) == found
    assert found.form == form


def test_fields_decide_before_names() -> None:
    table = texts("anchor", "positive", "a", "b", "negative", score=[0.1, 0.2])
    assert columns(table, anchor="a", positive="b", negatives=["-"], score="-") == PairColumns(
        "a", "b"
    )
    scored = columns(table, anchor="a", positive="b", loss="cosent")
    assert scored == PairColumns("a", "b", (), "score")
    assert scored.roles == {"a": "anchor", "b": "second text", "score": "score"}
    assert columns(table, loss="in_batch_negatives").passages == ("positive", "negative")


@pytest.mark.parametrize(
    ("table", "values", "message"),
    [
        (texts("a", "b", "c"), {}, "There is a, b, c with texts"),
        (texts("a", n=[1, 2]), {}, "There is a with texts"),
        (texts("a", "b"), {"loss": "cosine"}, "no column has one"),
        (texts("a", "b", score=[1, 2]), {"loss": "in_batch_negatives", "score": "score"},
         "has no use for the scores"),
        (texts("a", "b"), {"anchor": "a", "positive": "a"}, "name the same column"),
        (texts("a", n=[1, 2]), {"anchor": "a", "positive": "n"}, "'n' does not hold texts"),
        (texts("a", "b", n=[1, 2]), {"negatives": ["n"]}, "'n' does not hold texts"),
        (texts("a", "b"), {"anchor": "z", "positive": "b"}, "z"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_a_sentence(
    table: pa.Table, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        columns(table, **values)


def test_each_fault_of_a_pair_is_named_once() -> None:
    table = pa.table({
        "anchor": ["a", "", "same", "a", "a", "a", None],
        "positive": ["p", "p", "same", " ", "p", "p", "p"],
        "negative": ["n", "n", "n", "n", "a", "p", "n"],
    })  # fmt: skip
    found = PairColumns("anchor", "positive", ("negative",))
    assert pair_faults(table, found, None) == [
        None,
        "anchor is empty",
        "anchor and positive are the same text",
        "positive is empty",
        "negative is the same text as the anchor or the positive",
        "negative is the same text as the anchor or the positive",
        "anchor is empty",
    ]
    scored = pa.table({"a": ["x"] * 4, "b": ["y"] * 4, "score": ["1", "6", "high", None]})
    assert pair_faults(scored, PairColumns("a", "b", (), "score"), ScoreScale(low=0, high=5)) == [
        None, "score is outside 0 to 5", "score is not a number", "score is not a number",
    ]  # fmt: skip
    assert pair_faults(scored, PairColumns("a", "gone"), None) == ["there is no gone"] * 4


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        ([0.2, 0.9], 0, 1), ([0, 3.5], 0, 5), ([1, 10], 0, 10), ([7, 100], 0, 100),
        ([0, 250], 0, 250), ([-1, 1], -1, 1), ([-0.5, 0.2], -1, 1), ([-3, 4], -3, 5),
        ([None, 0.5, None], 0, 1),
    ],
)  # fmt: skip
def test_the_scale_is_the_smallest_usual_one_that_holds_all_scores(
    scores: list[float | None], low: float, high: float
) -> None:
    scale = scale_of(scores, EmbeddingConfig())
    assert (scale.low, scale.high) == (low, high)
    assert all(score in scale for score in scores if score is not None)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_cosines_rise_with_the_score_from_0_to_1(one: float, other: float, share: float) -> None:
    low, high = sorted((one, other))
    if high - low < 1e-3 or (low, high) == (-1, 1):
        return
    scale = ScoreScale(low=low, high=high)
    assert scale.cosine(low) == 0
    assert scale.cosine(high) == pytest.approx(1)
    assert scale.cosine(low + share * (high - low)) == pytest.approx(share, abs=1e-6)


def test_a_scale_of_cosines_is_kept_and_scores_without_a_range_are_asked_about() -> None:
    assert ScoreScale(low=-1, high=1).cosine(-0.25) == -0.25
    assert ScoreScale(low=-1, high=1).words == "-1 to 1"
    assert ScoreScale(low=0, high=5).words == "0 to 5, learned as a cosine from 0 to 1"
    with pytest.raises(DataError, match="No training row has a score"):
        scale_of([None], EmbeddingConfig())
    with pytest.raises(DataError, match="are -3"):
        scale_of([-3, -3], EmbeddingConfig(score_max=-3))


@given(
    st.lists(st.sampled_from([None, "x is wrong", "y is wrong"]), min_size=1, max_size=9),
    st.lists(st.sampled_from([None, "x is wrong"]), max_size=4),
)
@settings(max_examples=80, deadline=None)
def test_rows_with_a_fault_are_left_out_and_every_one_is_counted(
    train: list[str | None], test: list[str | None]
) -> None:
    raw = RawData({
        TRAIN: pa.table({"n": list(range(len(train))), "fault": pa.array(train, pa.string())}),
        TEST: pa.table({"n": list(range(len(test))), "fault": pa.array(test, pa.string())}),
    })  # fmt: skip

    def faults(table: pa.Table) -> list[str | None]:
        return table["fault"].to_pylist()

    if not any(fault is None for fault in train):
        with pytest.raises(DataError, match="No training row can be used"):
            without_faults(raw, faults)
        return
    kept = without_faults(raw, faults)
    assert kept.train["n"].to_pylist() == [i for i, fault in enumerate(train) if fault is None]
    count = sum(fault is not None for fault in train)
    usable = [i for i, fault in enumerate(test) if fault is None]
    if usable:
        assert kept.splits[TEST]["n"].to_pylist() == usable
        count += sum(fault is not None for fault in test)
    else:
        assert TEST not in kept.splits
        assert sum(note.rows or 0 for note in kept.notes) == len(test)
    assert sum(skip.count for skip in kept.skips) == count
    for skip in kept.skips:
        split, _, row = skip.example.rpartition(" row ")
        assert {TRAIN: train, TEST: test}[split][int(row) - 1] == skip.reason


def test_blank_texts_are_named_by_their_last_column_and_numbers_are_texts() -> None:
    table = pa.table({"a": ["x", " ", None, "x"], "b": [1, 2, 3, None]})
    assert blank(table, ["a"]) == [None, "a is empty", "a is empty", None]
    assert blank(table, ["a", "b"]) == [None, "a is empty", "a is empty", "b is empty"]
    bytes_too = pa.table({"a": pa.array([b"\xff", None])})
    assert blank(bytes_too, ["a"]) == ["a is bytes that are not texts in UTF-8", "a is empty"]
    assert list(texts_in(table, ["a", "b"])) == ["x", " ", "", "x", "1", "2", "3", ""]
    assert joined_texts(table.slice(0, 1), ["a", "b", ""]) == ["x | 1"]


@pytest.mark.parametrize("rows", [1, 1999, 2000, 2001, 6500])
def test_some_rows_stand_for_all_evenly(rows: int) -> None:
    some = some_of(pa.table({"n": list(range(rows))}))["n"].to_pylist()
    assert 0 < len(some) <= 2000
    assert some[0] == 0
    assert len({b - a for a, b in itertools.pairwise(some)}) <= 1


ANSWERED = pa.table({
    "context": ["Rome is old"] * 4,
    "answers": ["Rome", "old", None, "Rome"],
    "answer_start": [0, 8, None, 0],
    "is_impossible": ["false", "0", "true", "yes"],
})  # fmt: skip


def test_positions_and_marks_beside_answers_are_joined_to_them() -> None:
    found = answer_columns(ANSWERED, "answers", "")
    assert found == AnswerColumns("answers", "answer_start", "is_impossible")
    assert found.roles == {"answer_start": "position", "is_impossible": "impossible"}
    assert found.joined(ANSWERED)["answers"].to_pylist() == [
        {"text": ["Rome"], "answer_start": [0]},
        {"text": ["old"], "answer_start": [8]},
        {"text": [], "answer_start": []},
        {"text": [], "answer_start": []},  # marked as impossible, whatever is given
    ]
    assert found.contradictions(ANSWERED) == (1, 0)


def test_answers_that_are_not_used_and_questions_without_one_are_counted() -> None:
    raw = joined_answers(RawData({TRAIN: ANSWERED, VALIDATION: ANSWERED}), "answers", "")
    assert [(note.why, note.rows) for note in raw.notes[-1:]] == [
        ("2 questions with answers that are not used, as is_impossible is true", 2)
    ]
    possible = ANSWERED.set_column(3, "is_impossible", pa.array([False] * 4))
    raw = joined_answers(RawData({TRAIN: possible}), "answers", "")
    assert raw.notes[-1].why == "1 question without an answer, though is_impossible is false"


def test_marks_that_are_neither_true_nor_false_leave_their_rows_out() -> None:
    doubtful = ANSWERED.set_column(3, "is_impossible", pa.array(["no", "perhaps", "no", "no"]))
    raw = joined_answers(RawData({TRAIN: doubtful}), "answers", "")
    assert raw.train.num_rows == 3
    [skip] = raw.skips
    assert (skip.reason, skip.count) == ("is_impossible is neither true nor false", 1)


def test_answers_that_have_their_positions_take_none_from_elsewhere() -> None:
    kind = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
    own = pa.table({
        "answers": pa.array([{"text": ["old"], "answer_start": [8]}], kind), "start": [99],
    })  # fmt: skip
    raw = RawData({TRAIN: own})
    assert joined_answers(raw, "answers", "") is raw
