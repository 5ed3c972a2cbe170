"""What packing makes of the rows of a data set, in words."""

from __future__ import annotations

from engine.text.tokens.lengths import packing_fact


def test_rows_of_the_maximum_length_hold_the_tokens_of_all_samples() -> None:
    # 10, 20 and 30 of at most 25 tokens: a mean of 18⅓, so 30 samples have 550, and 4 have 73.
    said = packing_fact([10, 20, 30], 25, samples=30, batch=4)
    assert said == (
        "the tokens of 30 samples fill 22 rows of 25; a batch is one row of about 73 tokens"
    )
    assert packing_fact([10], 25, samples=1, batch=None) == (
        "the tokens of 1 sample fill 1 row of 25; a batch is one row without padding"
    )
