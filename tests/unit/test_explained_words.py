"""The words that an explanation shows, for tokenizers that see words otherwise than people do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.explanations.words import word_weights

TEXTS = ["a good film", "really good, très élève", "今 日 は good 良 い"] * 20


def byte_level() -> Any:
    """As GPT-2 and RoBERTa."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=290, initial_alphabet=alphabet, special_tokens=["<unk>"]
    )
    made.train_from_iterator(TEXTS, trainer)
    return made


def whole_texts() -> Any:
    """As Llama 2, Mistral and Gemma: the text is not split into words first."""
    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=90, special_tokens=["<unk>"]))
    made.pre_tokenizer = None
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return made


def between_blanks() -> Any:
    """As T5 and XLM-R."""
    made = tokenizers.Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=["<unk>"], unk_token="<unk>")
    made.train_from_iterator(TEXTS, trainer)
    return made


def weighed(made: Any, texts: Sequence[str]) -> tuple[list[str], list[str], list[float]]:
    """Tokens, words and their weights, where each token weighs what a power of two does."""
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")  # type: ignore[no-untyped-call]
    ids = tokenizer(*texts)["input_ids"]
    found = word_weights(tokenizer, texts, ids, [2.0**place for place in range(len(ids))])
    assert sum(weight for _, weight in found) == 2.0 ** len(ids) - 1
    words = [word for word, _ in found]
    return tokenizer.convert_ids_to_tokens(ids), words, [weight for _, weight in found]


@pytest.mark.parametrize("make", [byte_level, whole_texts, between_blanks])
def test_words_are_those_between_blanks(make: Any) -> None:
    _, words, weights = weighed(make(), ["a good  film très élève"])
    assert words == ["a", "good", "film", "très", "élève"]
    assert weights == sorted(weights)


def test_a_text_that_the_tokenizer_does_not_split_has_its_words() -> None:
    """It was one word with the sum of all weights."""
    tokens, words, weights = weighed(whole_texts(), ["good film"])
    assert words == ["good", "film"]
    second = next(place for place, token in enumerate(tokens) if place and token[0] == "▁")
    assert weights == [2.0**second - 1, 2.0 ** len(tokens) - 2.0**second]


@pytest.mark.parametrize("make", [byte_level, whole_texts, between_blanks])
def test_chinese_and_japanese_are_split_at_tokens(make: Any) -> None:
    _, words, _ = weighed(make(), ["今日は good良い"])
    assert "".join(words) == "今日はgood良い"
    assert "good" in words
    assert len(words) >= 4


def test_both_texts_of_a_pair_have_their_words() -> None:
    _, words, _ = weighed(whole_texts(), ["good film", "a film"])
    assert words == ["good", "film", "a", "film"]
