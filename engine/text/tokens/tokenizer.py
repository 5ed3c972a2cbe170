"""Tokenizers that are trained on the data, for networks from scratch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL = [PAD, UNK, CLS, SEP]
_LONG_WORD = re.compile(r"\S{100}(?=\S)")


def in_pieces(texts: Iterable[str]) -> Iterator[str]:
    """Texts to learn from, whose longest words are cut: they take time by their length squared."""
    return (_LONG_WORD.sub(r"\g<0> ", text) for text in texts)


def train_wordpiece(texts: Iterable[str], vocab_size: int, lowercase: bool) -> str:
    """Train a WordPiece tokenizer in the manner of BERT; return it as JSON.

    ``[CLS]`` stands before and ``[SEP]`` after each text; a second text has segment number 1. The
    same texts give the same tokenizer in every process.
    """
    texts = list(in_pieces(texts))
    tokenizer = _wordpiece(models.WordPiece(unk_token=UNK), lowercase)
    # The trainer numbers these as it meets them in a map without order, and settles draws between
    # equally frequent pairs by their numbers. As special tokens they have their numbers before.
    numbered = [*SPECIAL, *_characters(tokenizer, texts)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=numbered, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = models.WordPiece(tokenizer.get_vocab(), unk_token=UNK)
    return str(_finished(_wordpiece(vocabulary, lowercase)).to_str())


def _wordpiece(model: models.WordPiece, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _characters(tokenizer: Tokenizer, texts: Iterable[str]) -> list[str]:
    """Return all characters of the words of ``texts``, then those that continue a word."""
    characters, continuing = set[str](), set[str]()
    # Neither the normalizer nor the pre-tokenizer looks beyond a blank.
    for part in {part for text in texts for part in text.split(" ")}:
        normal = tokenizer.normalizer.normalize_str(part)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
            characters.update(word)
            continuing.update(word[1:])
    return [*sorted(characters), *(f"##{character}" for character in sorted(continuing))]


def _finished(tokenizer: Tokenizer) -> Tokenizer:
    """Return the tokenizer with its special tokens, which stand around each text."""
    tokenizer.add_special_tokens(SPECIAL)
    marks = [(mark, tokenizer.token_to_id(mark)) for mark in (CLS, SEP)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}", pair=f"{CLS} $A {SEP} $B:1 {SEP}:1", special_tokens=marks
    )
    return tokenizer


def wordpiece_from(trained: str) -> Any:
    """Load the tokenizer of :func:`train_wordpiece` for use with transformers."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(trained),
        pad_token=PAD,
        unk_token=UNK,
        cls_token=CLS,
        sep_token=SEP,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
