"""Checks of data one by one: duplicates, near duplicates, contradictions, columns, drift."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import ks_2samp

from engine.checks.classes import small_classes
from engine.checks.clusters import clusters
from engine.checks.columns import constant_columns, identifiers
from engine.checks.drift import drift
from engine.checks.duplicates import contradictions, exact_duplicates
from engine.checks.examined import Doubt, Examined, Limit, some_rows
from engine.checks.leaks import leaks
from engine.checks.near_images import average_hashes, near_images
from engine.checks.near_texts import near_texts, shingles_of
from engine.checks.values import joint_codes
from engine.data.column_roles import ColumnRoles
from engine.data.raw import TEST, TRAIN
from engine.data.tables.schema import Column

WORDS = [f"word{i}" for i in range(400)]


def doubts(check: Any, data: Examined) -> dict[str, dict[str, list[int]]]:
    """The rows of each kind of doubt, by split."""
    found = [one for one in check(data) if isinstance(one, Doubt)]
    return {
        one.kind: {split: np.asarray(rows).tolist() for split, rows in one.rows.items()}
        for one in found
    }


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=15),
        )
    )
)
@settings(max_examples=50, deadline=None)
def test_clusters_are_the_connected_components_of_the_pairs(
    given_pairs: tuple[int, list[tuple[int, int]]],
) -> None:
    count, pairs = given_pairs
    pairs = [(a, b) for a, b in pairs if a != b]
    rows, columns = ([pair[side] for pair in pairs] for side in (0, 1))
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    expected = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    found = sorted(group.tolist() for group in clusters(count, pairs))
    assert found == sorted(group for group in expected if len(group) > 1)


TABLE = ColumnRoles(("a", "b"), "y", "classes")


def test_rows_that_repeat_and_rows_of_the_test_split_in_training_are_found() -> None:
    train = pa.table({"a": [1, 2, 1, 3, 1], "b": [1, 1, 1, 1, 2], "y": ["p", "q", "p", "p", "p"]})
    test = pa.table({"a": [3, 4, 2], "b": [1, 1, 1], "y": ["p", "p", "p"]})
    data = Examined({TRAIN: train, TEST: test}, TABLE)
    assert doubts(exact_duplicates, data) == {"leakage": {TEST: [0]}, "duplicates": {TRAIN: [2]}}


def test_columns_that_are_not_compared_make_no_row_another_one() -> None:
    train = pa.table({"a": [1, 1], "b": [1, 1], "y": ["p", "p"], "id": [7, 8]})
    data = Examined({TRAIN: train}, TABLE)
    assert doubts(exact_duplicates, data) == {"duplicates": {TRAIN: [1]}}
    assert doubts(contradictions, data) == {}


def test_equal_inputs_of_different_classes_stand_together() -> None:
    train = pa.table({
        "a": [1, 2, 1, 3, 2, 1], "b": [0] * 6, "y": ["p", "q", "q", "p", "p", "p"],
    })  # fmt: skip
    found = doubts(contradictions, Examined({TRAIN: train}, TABLE))["contradictions"][TRAIN]
    assert sorted(found) == [0, 1, 2, 4, 5]
    inputs = [train["a"][row].as_py() for row in found]
    assert inputs == sorted(inputs) or inputs == sorted(inputs, reverse=True)


def test_steps_in_time_are_not_compared() -> None:
    train = pa.table({"a": [1, 1], "b": [1, 1], "y": ["p", "p"]})
    data = Examined({TRAIN: train}, ColumnRoles(("a", "b"), "y", "numbers", ordered=True))
    assert doubts(exact_duplicates, data) == {}


def text_of(seed: int, count: int = 40) -> list[str]:
    return random.Random(seed).sample(WORDS, count)


def changed(words: list[str], count: int) -> str:
    """The text with some of its words replaced, at its end."""
    return " ".join([*words[:-count], *(f"new{i}" for i in range(count))] if count else words)


@pytest.mark.parametrize(
    ("count", "found"), [(0, True), (1, True), (3, True), (6, False), (12, False), (40, False)]
)
def test_texts_are_nearly_the_same_by_the_share_of_common_shingles(count: int, found: bool) -> None:
    words = text_of(0)
    one, other = " ".join(words), changed(words, count)
    first, second = set(shingles_of(one).tolist()), set(shingles_of(other).tolist())
    # Three words in a row: each replaced word at the end takes one shingle from each text.
    similarity = len(first & second) / len(first | second)
    assert similarity == pytest.approx((38 - count if count < 38 else 0) / (38 + min(count, 38)))
    assert (similarity >= 0.8) is found
    filler = [" ".join(text_of(seed)) for seed in range(10, 20)]
    train = pa.table({"text": [*filler, one], "y": ["p"] * 11})
    test = pa.table({"text": [filler[3].upper(), other], "y": ["q"] * 2})
    roles = ColumnRoles(("text",), "y", "classes", texts=("text",))
    data = Examined({TRAIN: train, TEST: test}, roles)
    rows = doubts(near_texts, data)["near leakage"][TEST]
    assert rows == ([0, 1] if found else [0])  # capitals alone make no other text
    [doubt] = [one for one in near_texts(data) if isinstance(one, Doubt)]
    assert doubt.twins[TEST][0] == (TRAIN, 3)


def test_short_texts_must_have_the_same_words() -> None:
    texts = ["not bad at all", "not good at all", "Not bad, at all!", "bad at all"]
    roles = ColumnRoles(("text",), "y", "classes", texts=("text",))
    data = Examined({TRAIN: pa.table({"text": texts, "y": list("pqrs")})}, roles)
    assert doubts(near_texts, data) == {"near duplicates": {TRAIN: [2]}}


def png(pixels: np.ndarray[Any, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def test_images_that_differ_by_little_light_are_nearly_the_same() -> None:
    numbers = np.random.default_rng(0)
    coarse = numbers.integers(30, 220, (6, 8, 8)).astype(np.uint8)
    images = [np.kron(own, np.ones((4, 4), np.uint8)) for own in coarse]
    spot = images[1].copy()
    spot[8:12, 8:12] = 255 - spot[8:12, 8:12]  # another object in the same scene
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    given_images = [*images, images[0] + 2, spot]
    table = pa.table({"image": pa.array(list(map(png, given_images)), kind), "y": ["p"] * 8})
    data = Examined({TRAIN: table}, ColumnRoles(("image",), "y", "classes", image="image"))
    assert doubts(near_images, data) == {"near duplicates": {TRAIN: [6]}}


def test_average_hashes_are_the_cells_that_are_brighter_than_the_mean() -> None:
    pixels = np.zeros((1, 16, 16), np.float32)
    pixels[0, :2, :2] = 1
    hashes = average_hashes(pixels.reshape(1, -1))
    assert hashes.shape == (1, 64)
    assert np.flatnonzero(hashes[0]).tolist() == [0]


def test_classes_of_few_rows_are_named_the_rarest_first() -> None:
    labels = ["big"] * 20 + ["small"] * 9 + ["tiny"] * 2 + ["just"] * 10
    data = Examined(
        {TRAIN: pa.table({"a": range(41), "y": labels})}, ColumnRoles(("a",), "y", "classes")
    )
    [doubt] = small_classes(data)
    assert isinstance(doubt, Doubt)
    assert (
        "2 classes with fewer than 10 training rows, too few to learn: tiny (2), small (9)"
        in doubt.why
    )
    assert doubt.rows[TRAIN].tolist() == [29, 30, *range(20, 29)]


def test_columns_that_are_nearly_constant_or_an_identifier_are_told() -> None:
    rows = 400
    table = pa.table({
        "same": ["x"] * 397 + ["y"] * 3,
        "often": ["x"] * 395 + ["y"] * 5,
        "gone": [None] * 397 + [1.0] * 3,
        "key": list(range(1000, 1000 + rows)),
        "size": list(range(0, 10 * rows, 10)),
        "name": [f"n{i % 150}" for i in range(rows)],
        "y": ["p"] * rows,
    })  # fmt: skip
    columns = (
        Column(name="same", type="categorical", distinct=2),
        Column(name="often", type="categorical", distinct=2),
        Column(name="gone", type="numeric", distinct=1, missing=397),
        Column(name="key", type="numeric", distinct=rows),
        Column(name="size", type="numeric", distinct=rows),
        Column(name="name", type="categorical", distinct=150),
    )
    names = tuple(column.name for column in columns)
    data = Examined({TRAIN: table}, ColumnRoles(names, "y", "classes", columns=columns))
    constant = [one.column for one in constant_columns(data) if isinstance(one, Doubt)]
    assert constant == ["same", "gone"]
    assert [one.column for one in identifiers(data) if isinstance(one, Doubt)] == ["key", "name"]


def test_a_column_that_alone_predicts_the_target_is_a_leak() -> None:
    numbers = np.random.default_rng(0)
    truth = numbers.normal(size=400)
    table = pa.table({
        "copy": truth * 3 + 1e-3 * numbers.normal(size=400),
        "noise": numbers.normal(size=400),
        "related": truth + 0.5 * numbers.normal(size=400),
        "y": truth,
    })  # fmt: skip
    columns = tuple(Column(name=name, type="numeric") for name in ("copy", "noise", "related"))
    names = tuple(column.name for column in columns)
    data = Examined({TRAIN: table}, ColumnRoles(names, "y", "numbers", columns=columns))
    assert [one.column for one in leaks(data) if isinstance(one, Doubt)] == ["copy"]


def test_drift_has_the_distance_of_kolmogorov_and_smirnov() -> None:
    numbers = np.random.default_rng(0)
    splits = {
        TRAIN: pa.table({"same": numbers.normal(size=500), "moved": numbers.normal(size=500)}),
        TEST: pa.table({"same": numbers.normal(size=300), "moved": numbers.normal(0.8, 1, 300)}),
    }
    columns = tuple(Column(name=name, type="numeric") for name in ("same", "moved"))
    data = Examined(splits, ColumnRoles(("same", "moved"), columns=columns))
    [doubt] = drift(data)
    assert isinstance(doubt, Doubt)
    one, two = (splits[split]["moved"].to_numpy() for split in (TRAIN, TEST))
    assert doubt.column == "moved"
    assert f"Kolmogorov-Smirnov distance {ks_2samp(one, two).statistic:.2f}" in doubt.why


@pytest.mark.parametrize(("share", "reported"), [(0.5, False), (0.75, True)])
def test_drift_of_classes_is_half_the_sum_of_the_differences(share: float, reported: bool) -> None:
    train = pa.table({"y": ["p", "q"] * 200})
    test = pa.table({"y": ["p"] * round(400 * share) + ["q"] * round(400 * (1 - share))})
    data = Examined({TRAIN: train, TEST: test}, ColumnRoles((), "y", "classes"))
    found = [one for one in drift(data) if isinstance(one, Doubt)]
    assert bool(found) is reported
    if reported:
        assert "total variation distance 0.25" in found[0].why


def test_codes_of_two_tables_are_of_the_same_values() -> None:
    one, other = pa.table({"k": ["a", "b", None]}), pa.table({"k": ["c", "b", None, "a"]})
    names, first, second = joint_codes(one, other, "k")
    assert [names[code] if code >= 0 else None for code in first] == ["a", "b", None]
    assert [names[code] if code >= 0 else None for code in second] == ["c", "b", None, "a"]
    assert len(names) == len(set(names)) == 3


@pytest.mark.parametrize("rows", [3, 10, 11, 1000])
def test_some_rows_are_evenly_spread_with_both_ends(rows: int) -> None:
    table, places = some_rows(pa.table({"n": range(rows)}), 10)
    assert table["n"].to_pylist() == places.tolist()
    assert len(places) == min(rows, 10)
    assert (places[0], places[-1]) == (0, rows - 1)
    assert np.ptp(np.diff(places)) <= 1


def test_a_limit_is_told_where_rows_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.checks.near_texts._ROWS", 5)
    texts = [" ".join(text_of(seed)) for seed in range(9)]
    roles = ColumnRoles(("text",), "y", "classes", texts=("text",))
    data = Examined({TRAIN: pa.table({"text": texts, "y": ["p"] * 9})}, roles)
    assert [one.why for one in near_texts(data) if isinstance(one, Limit)] == [
        "near duplicates were looked for among 5 texts only"
    ]
