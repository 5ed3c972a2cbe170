"""Texts and ids as hashed columns, with the weights of scikit-learn's TF-IDF."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from engine.data.tables.hashed import BUCKETS, hashed, rarity_of, weighted

TEXTS = ["the cat sat on the mat", "The dog", "", None, "猫が座った", "cat cat cat", "mats"]


@given(st.lists(st.none() | st.text("aeb éñ猫-1", max_size=12), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_weights_of_words_are_those_of_scikit_learn(texts: list[str | None]) -> None:
    counts = hashed("text", texts)
    found = weighted(counts, rarity_of(counts))
    raw = counts.copy()
    raw.data = np.exp(raw.data - 1)  # the counts before their logarithm was taken
    expected = TfidfTransformer(sublinear_tf=True, smooth_idf=True).fit_transform(raw)
    assert np.allclose(found.toarray(), expected.toarray())
    assert found.shape == (len(texts), BUCKETS["text"])


def test_a_text_is_its_words_and_the_parts_of_its_words() -> None:
    # One word of one letter has no part of three characters besides " a ".
    assert np.exp(hashed("text", ["a"]).data - 1).round().sum() == 2
    # "mats": the word, " ma" "mat" "ats" "ts ", " mat" "mats" "ats ", where "mats" comes twice.
    counts = np.exp(hashed("text", ["mats"]).data - 1)
    assert counts.sum() == pytest.approx(1 + 4 + 3)


def test_words_are_alike_in_other_cases_and_forms_and_ids_are_not() -> None:
    cases = hashed("text", ["Red CAR", "red car", "red cars", "blue boat"])
    lengths = weighted(cases, np.ones(BUCKETS["text"]))
    alike = (lengths @ lengths.T).toarray()
    assert alike[0, 1] == pytest.approx(1)
    assert 0.5 < alike[0, 2] < 1
    assert alike[0, 3] < 0.3
    ids = hashed("id", ["u-1 a", "U-1 a", "u-1 a", "u-1"])
    same = (ids @ ids.T).toarray()
    assert same.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("kind", ["text", "id"])
def test_missing_and_empty_cells_have_nothing(kind: str) -> None:
    counts = hashed(kind, [None, "", "x"])  # type: ignore[arg-type]
    assert (np.diff(counts.indptr) > 0).tolist() == [False, False, True]
    assert not weighted(counts, rarity_of(counts))[:2].nnz


def test_a_column_does_not_depend_on_the_rows_beside() -> None:
    together = hashed("text", TEXTS).toarray()
    for row, text in zip(together, TEXTS, strict=True):
        assert (hashed("text", [text]).toarray()[0] == row).all()


def test_of_a_very_long_text_the_beginning_counts() -> None:
    long = "ab " * 1000
    found = hashed("text", [long, long[:2000], long + "end", long[:1990]]).toarray()
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert (found[0] != found[3]).any()


def test_rarity_counts_rows_and_not_words() -> None:
    counts = hashed("text", ["cat cat cat", "cat", "dog"])
    words = HashingVectorizer(n_features=BUCKETS["text"], alternate_sign=False, norm=None)
    cat, dog = words.transform(["cat", "dog"]).indices
    rarity = rarity_of(counts)
    assert rarity[cat] == pytest.approx(np.log(4 / 3) + 1)
    assert rarity[dog] == pytest.approx(np.log(4 / 2) + 1)
