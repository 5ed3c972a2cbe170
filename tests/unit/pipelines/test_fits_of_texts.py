"""Tasks on texts as they are fitted on rows in memory, and the scales of their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.run_config import RunConfig
from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.raw import RawData
from engine.data.series.seasonality import find_season
from engine.errors import DataError
from engine.pipelines.create import create_pipeline
from engine.pipelines.target_scale import target_scale
from engine.text.pairs.score_scale import ScoreScale, scale_of
from engine.text.sides import laid_open, sides, texts_of

TEXTS = ["a good film", "a dull play", "fine", "bad bad bad", "so so", "very long and slow"]


def pipeline(kind: str, **task: Any) -> Any:
    model = {"kind": "transformer", "hidden_size": 8, "num_attention_heads": 2,
             "num_hidden_layers": 1, "vocab_size": 100}  # fmt: skip
    data = {"kind": "file", "path": "rows.json"}
    return create_pipeline(RunConfig.parse({"task": {"kind": kind} | task, "data": data,
                                            "model": model}))  # fmt: skip


def fit(kind: str, columns: dict[str, Any], **task: Any) -> Any:
    return pipeline(kind, **task).fit(RawData({"train": pa.table(columns)}))


VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50)


@given(VALUES, st.sampled_from([1.0, 2.0**-400, 2.0**400]))
@settings(max_examples=60, deadline=None)
def test_mean_and_deviation_are_those_of_numpy_at_any_size(
    values: list[float], unit: float
) -> None:
    own = np.array(values)
    spread = np.ptp(own) * unit
    if spread < 1e-140 or np.std(own) < 1e-9 * np.abs(own).max():
        return
    mean, std = target_scale("y", own * unit)
    assert mean / unit == pytest.approx(own.mean(), rel=1e-9, abs=1e-12 * np.abs(own).max())
    assert std / unit == pytest.approx(own.std(), rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 49, 100])
@pytest.mark.parametrize("value", [0.1, 1 / 3, -2.7, 0.0, 1e300])
def test_one_value_is_refused_whatever_rounding_makes_of_it(value: float, count: int) -> None:
    with pytest.raises(DataError, match=r"The target 'y' is .* in all training rows"):
        target_scale("y", np.full(count, value))


def test_scores_of_texts_are_refused_where_all_are_the_same() -> None:
    rows = {"text": TEXTS, "score": [0.1] * 6}  # numpy's deviation of six is above 0
    with pytest.raises(DataError, match=r"'score' is 0\.1 in all training rows"):
        fit("text_regression", rows)
    huge = {"text": TEXTS, "score": [1e200, 2e200, 3e200, 4e200, 5e200, 6e200]}
    with pytest.raises(DataError, match="squares of errors are beyond float64"):
        fit("text_regression", huge)


@pytest.mark.parametrize(
    "values",
    [
        0.1 * np.arange(200),
        5 + 0.3 * np.arange(200),
        1e6 + 0.1 * np.arange(400),
        -1e-9 * np.arange(300),
        np.full(100, 0.1),
        np.zeros(100),
    ],
)
def test_a_straight_line_has_no_season(values: Any) -> None:
    assert find_season(values, (7, 24, 30, 168)) == 1


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_a_season_is_found_at_any_size_and_above_a_trend(size: float) -> None:
    steps = np.arange(240)
    assert find_season(size * (np.sin(2 * np.pi * steps / 24) + 0.1 * steps), (24,)) == 24


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"text": TEXTS, "rating": range(6)}, ("text", "", "rating")),
        ({"query": TEXTS, "passage": TEXTS, "label": range(6)}, ("query", "passage", "label")),
        ({"id": range(6), "review": TEXTS, "Stars": range(6)}, ("review", "", "Stars")),
        ({"note": TEXTS, "n": ["1", "2", "x", "4", "5", "6"]}, ("note", "", "n")),  # mostly numbers
    ],
)
def test_the_columns_of_numbers_and_texts_are_found(
    columns: dict[str, Any], found: tuple[str, str, str]
) -> None:
    columns = {name: list(values) for name, values in columns.items()}
    roles = pipeline("text_regression").column_roles(RawData({"train": pa.table(columns)}))
    assert (roles.target, roles.texts) == (found[2], tuple(filter(None, found[:2])))


@given(st.lists(st.sampled_from(["no", "yes", "10", "9", "nan"]), min_size=2, max_size=12))
@settings(max_examples=20, deadline=None)
def test_classes_of_texts_are_counted_and_in_order(labels: list[str]) -> None:
    columns = {"text": [f"text {i}" for i in range(len(labels))], "label": labels}
    if len({*labels}) == 1:
        with pytest.raises(DataError, match="The column label has only one class"):
            fit("text_classification", columns)
        return
    fitted = fit("text_classification", columns)
    order = ["9", "10", "nan", "no", "yes"]
    assert fitted.classes == [name for name in order if name in labels]
    assert fitted.counts == [labels.count(name) for name in fitted.classes]


def test_lists_of_labels_may_be_empty_and_repeat_a_label() -> None:
    labels = [["a"], [], ["b", "a"], None, ["a", "a"], ["b"]]
    fitted = fit("text_classification", {"text": TEXTS, "label": labels})
    assert (fitted.classes, fitted.multi_label) == (["a", "b"], True)
    assert fitted.counts[1] == 2


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        ([0, 0.5], 0, 1),
        ([0, 1.1], 0, 5),
        ([3, 5], 0, 5),
        ([7], 0, 10),
        ([99, 10.5], 0, 100),
        ([250, 3], 0, 250),
        ([-0.2, 0.9], -1, 1),
        ([-3, 2], -3, 5),
        ([None, 0.5], 0, 1),
    ],
)
def test_scores_have_the_smallest_usual_scale_that_holds_them(
    scores: list[float | None], low: float, high: float
) -> None:
    scale = scale_of(scores, EmbeddingConfig())
    assert (scale.low, scale.high) == (low, high)
    known = [score for score in scores if score is not None]
    assert all(score in scale for score in known)
    assert all(-1 <= scale.cosine(score) <= 1 for score in known)
    assert scale.cosine(high) == 1


def test_a_scale_that_is_set_is_taken_and_must_rise() -> None:
    given_scale = scale_of([2.0, 9.0], EmbeddingConfig(score_min=1, score_max=5))
    assert given_scale == ScoreScale(low=1, high=5)
    assert (1.0 in given_scale, 9.0 in given_scale, given_scale.cosine(2)) == (True, False, 0.25)
    with pytest.raises(DataError, match="The scores of all training rows are 3"):
        scale_of([3.0], EmbeddingConfig(score_min=5))
    with pytest.raises(DataError, match="No training row has a score"):
        scale_of([None], EmbeddingConfig())


def test_records_of_languages_become_columns_with_what_is_missing() -> None:
    kind = pa.struct([("de", pa.string()), ("en", pa.string())])
    rows = pa.array([{"de": "Hund", "en": "dog"}, None, {"de": "Maus", "en": None}], kind)
    raw = laid_open(RawData({"train": pa.table({"translation": rows, "id": [1, 2, 3]})}))
    assert raw.train.to_pydict() == {
        "de": ["Hund", None, "Maus"], "en": ["dog", None, None], "id": [1, 2, 3],
    }  # fmt: skip
    assert texts_of(raw.train, "en") == ["dog", "", ""]


def test_a_second_record_of_the_same_languages_replaces_none() -> None:
    kind = pa.struct([("de", pa.string())])
    columns = {name: pa.array([{"de": name}], kind) for name in ("first", "second")}
    table = laid_open(RawData({"train": pa.table(columns)})).train
    assert table.to_pydict() == {"de": ["first"], "second": [{"de": "second"}]}


@pytest.mark.parametrize(
    ("names", "chosen", "found"),
    [
        (("source", "target"), ("", ""), ("source", "target")),
        (("summary", "article"), ("", ""), ("article", "summary")),
        (("de", "en"), ("", ""), ("de", "en")),  # the only two texts, in their order
        (("de", "en"), ("en", ""), ("en", "de")),
        (("de", "en", "fr"), ("de", "fr"), ("de", "fr")),
        (("text", "summary", "title"), ("", "title"), None),
        (("a", "b", "c"), ("", ""), None),
        (("de", "en"), ("de", "de"), None),
        (("de", "en"), ("xx", ""), None),
    ],
)
def test_sides_are_chosen_usual_or_the_only_two(
    names: tuple[str, ...], chosen: tuple[str, str], found: tuple[str, str] | None
) -> None:
    table = pa.table({name: ["text"] for name in names})
    if found is None:
        with pytest.raises(DataError):
            sides(table, *chosen)
        return
    assert sides(table, *chosen) == found


def test_a_translation_begins_its_decoder_with_padding_and_ends_its_texts() -> None:
    fitted = fit("seq2seq", {"source": TEXTS, "target": TEXTS}, max_target_length=7, prefix="to: ")
    tokenizer = pipeline("seq2seq").tokenizer(fitted.tokenizer)
    assert fitted.decoder_start_token_id == tokenizer.pad_token_id
    assert fitted.max_target_length == 7
    for text in ("to: ", *TEXTS):
        ids = tokenizer(text)["input_ids"]
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_passages_to_search_are_held_out_different_and_few() -> None:
    rows = {"query": [f"q {i}" for i in range(700)], "passage": [f"p {i // 2}" for i in range(700)]}
    train, test = pa.table(rows), pa.table(rows).slice(100)
    fitted = pipeline("embedding").fit(RawData({"train": train, "test": test}))
    assert fitted.passages == [f"p {50 + i}" for i in range(300)]
    alone = pipeline("embedding").fit(RawData({"train": train.slice(0, 4)}))
    assert alone.passages == ["p 0", "p 1"]
