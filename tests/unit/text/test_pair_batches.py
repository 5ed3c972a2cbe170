"""Texts that belong together as tokens and batches."""

from __future__ import annotations

from typing import Any

import datasets
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.pairs.source import CollatePairs, NegativesSource, TokenisePairs, padded_texts
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

WORDS = ["red", "fruit", "an", "apple", "a", "lemon", "query", "passage", ":"]
TOKENIZER = wordpiece_from(train_wordpiece([" ".join(WORDS)] * 9, 120, lowercase=True))
PAD = TOKENIZER.pad_token_id
ROWS = {
    "anchor": ["red fruit", "lemon"],
    "passage_0": ["an apple", "a red lemon"],
    "passage_1": ["fruit", "an apple"],
}


def ids(text: str) -> list[int]:
    words = [TOKENIZER.convert_tokens_to_ids(word) for word in text.split()]
    return [TOKENIZER.cls_token_id, *words, TOKENIZER.sep_token_id]


def tokenised(
    rows: dict[str, list[Any]], query: str = "", passage: str = "", max_length: int = 16
) -> dict[str, list[Any]]:
    return TokenisePairs(TOKENIZER, query, passage, max_length)(rows)


def rows_of(tensor: torch.Tensor) -> list[list[int]]:
    """The rows of token ids without their padding."""
    return [[token for token in row if token != PAD] for row in tensor.tolist()]


def test_each_text_stands_behind_the_prompt_of_its_side() -> None:
    samples = tokenised(ROWS, query="query : ", passage="passage : ")
    assert samples["input_ids"] == [ids("query : red fruit"), ids("query : lemon")]
    assert samples["passage_0_input_ids"][0] == ids("passage : an apple")
    assert samples["passage_1_input_ids"][1] == ids("passage : an apple")


def test_long_texts_end_at_the_limit_with_the_mark_of_the_end() -> None:
    [tokens] = tokenised({"anchor": ["red fruit an apple a lemon"]}, max_length=5)["input_ids"]
    assert tokens == ids("red fruit an")


def test_keys_are_equal_for_equal_texts_alone_whatever_the_prompt() -> None:
    rows = {"anchor": ["a lemon", "x"], "passage_0": ["  a lemon\n", "X"]}
    plain = tokenised(rows)
    keys = [plain["anchor_key"], plain["passage_0_key"]]
    assert keys[0][0] == keys[1][0]  # blanks around a text are no other text
    assert len({*keys[0], *keys[1]}) == 3
    behind = tokenised(rows, query="query : ", passage="p")
    assert [behind["anchor_key"], behind["passage_0_key"]] == keys


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_keys_fit_into_64_bits_and_tell_different_texts_apart(texts: list[str]) -> None:
    keys = TokenisePairs(TOKENIZER, "", "", 8)({"anchor": texts})["anchor_key"]
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert len({*keys}) == len({text.strip() for text in texts})


def test_a_text_with_half_a_character_has_a_key() -> None:
    [key] = TokenisePairs(lambda *_, **__: {}, "", "", 8)({"anchor": ["a\ud83d"]})["anchor_key"]
    assert isinstance(key, int)


def test_a_batch_has_anchors_passages_and_keys_row_by_row() -> None:
    samples = tokenised(ROWS | {"score": [0.25, 1]})
    batch = CollatePairs(PAD)(pa.table(samples))
    assert batch.weight == 2
    assert rows_of(batch.inputs["input_ids"]) == [ids(text) for text in ROWS["anchor"]]
    assert batch.inputs["attention_mask"].sum(1).tolist() == [4, 3]
    assert list(batch.targets["passages"]) == ["passage_0", "passage_1"]
    for name, inputs in batch.targets["passages"].items():
        assert rows_of(inputs["input_ids"]) == [ids(text) for text in ROWS[name]]
        assert inputs["attention_mask"].sum(1).tolist() == [len(ids(t)) for t in ROWS[name]]
    assert batch.targets["scores"].tolist() == [0.25, 1.0]
    assert batch.targets["anchor_keys"].tolist() == samples["anchor_key"]
    passages = batch.targets["passage_keys"]
    assert passages.shape == (2, 2)  # rows, passages
    assert passages[0, 0] == passages[1, 1]  # an apple
    assert passages[0, 1] != passages[1, 0]


def test_ten_passages_keep_the_order_of_their_numbers() -> None:
    rows = {f"passage_{place}": [f"a{'!' * place}"] for place in range(12)}
    samples = tokenised({"anchor": ["a"]} | rows)
    batch = CollatePairs(PAD)(pa.table(samples))
    expected = [samples[f"passage_{place}_key"][0] for place in range(12)]
    assert batch.targets["passage_keys"].tolist() == [expected]


def test_anchors_alone_have_no_targets() -> None:
    batch = CollatePairs(PAD)(pa.table(tokenised({"anchor": ["lemon"]})))
    assert (batch.targets, batch.weight) == (None, 1)


def source(rows: int) -> NegativesSource:
    texts = ["lemon " * (1 + i % 5) for i in range(rows)]
    samples = datasets.Dataset.from_dict(tokenised({"anchor": texts}))
    return NegativesSource(samples, CollatePairs(PAD), torch.device("cpu"))


@pytest.mark.parametrize("rows", [1, 2, 9, 33])
def test_every_row_is_in_one_batch_in_training_and_evaluation(rows: int) -> None:
    made = source(rows)
    for plan in (
        made.plan(4), made.plan(4, torch.Generator().manual_seed(3)), made.evaluation_plan(4),
    ):  # fmt: skip
        assert sorted(torch.cat(list(plan)).tolist()) == list(range(rows))
        assert all(len(batch) > 1 for batch in plan) or rows == 1


def test_batches_are_not_by_length_and_evaluations_all_alike() -> None:
    made = source(40)
    assert [batch.tolist() for batch in made.evaluation_plan(8)] == [
        batch.tolist() for batch in made.evaluation_plan(8)
    ]
    spread = [len({*made.lengths[batch].tolist()}) for batch in made.evaluation_plan(8)]
    assert max(spread) > 2  # sorted by length, each batch of 8 has one length or two
    one, other = (made.plan(8, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert [batch.tolist() for batch in one] != [batch.tolist() for batch in other]


def test_texts_without_a_cache_are_the_same_inputs() -> None:
    texts = ["red fruit", "an apple a lemon"]
    inputs = padded_texts(TOKENIZER, texts, 5)
    assert rows_of(inputs["input_ids"]) == [ids("red fruit"), ids("an apple a")]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 0], [1] * 5]
    assert inputs["token_type_ids"].tolist() == [[0] * 5] * 2
