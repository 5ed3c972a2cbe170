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
_LONG_WORD = re.compile(r"\S{100}(?=\S)")


def in_pieces(texts: Iterable[str]) -> Iterator[str]:
    """Texts to learn from, whose longest words are cut: they take time by their length squared."""
    return (_LONG_WORD.sub(r"\g<0> ", text) for text in texts)


def train_wordpiece(texts: Iterable[str], vocab_size: int, lowercase: bool) -> str:
    """A WordPiece tokenizer in the manner of BERT, as JSON.

    ``[CLS]`` stands before and ``[SEP]`` after each text; a second text has segment number 1.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNK))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=[PAD, UNK, CLS, SEP], show_progress=False
    )
    tokenizer.train_from_iterator(in_pieces(texts), trainer)
    marks = [(mark, tokenizer.token_to_id(mark)) for mark in (CLS, SEP)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}", pair=f"{CLS} $A {SEP} $B:1 {SEP}:1", special_tokens=marks
    )
    return str(tokenizer.to_str())


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
