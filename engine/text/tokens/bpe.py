"""Byte-level tokenizers that are trained on the data, for networks that write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from engine.text.tokens.tokenizer import in_pieces

END, PAD = "<|endoftext|>", "<|pad|>"


def train_bpe(texts: Iterable[str], vocab_size: int, marks: Sequence[str] = ()) -> str:
    """A byte-pair tokenizer in the manner of GPT-2, as JSON; it can write any text.

    ``marks`` are special tokens of it, such as those between the turns of a conversation.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        # All bytes have to be in, whatever the size that was asked for.
        vocab_size=max(vocab_size, 256 + 2 + len(marks)),
        special_tokens=[END, PAD, *marks],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(in_pieces(texts), trainer)
    return str(tokenizer.to_str())


def ending_texts(trained: str) -> str:
    """Return the tokenizer of :func:`train_bpe`, which now appends the end token to each text."""
    tokenizer = Tokenizer.from_str(trained)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    return str(tokenizer.to_str())


def bpe_from(trained: str) -> Any:
    """Load the tokenizer of :func:`train_bpe` for use with transformers."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(trained),
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
