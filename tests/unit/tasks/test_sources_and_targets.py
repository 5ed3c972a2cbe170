"""Sources and targets in files: columns beside them that are not read are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
ALPACA = {"instruction": ["add", "say"], "input": ["5 and 7", "hello"], "output": ["12", "hi"]}


@pytest.mark.parametrize(("options", "told"), [({}, 1), ({"source": "input"}, 0)])
def test_instructions_beside_the_sources_are_told(
    pipeline: Make, options: dict[str, str], told: int
) -> None:
    raw = pipeline("seq2seq", ALPACA, **options).load()
    assert sum("instruction is not used" in note.why for note in raw.notes) == told


def test_a_prompt_that_is_the_source_is_used(pipeline: Make) -> None:
    raw = pipeline("seq2seq", {"prompt": ["a", "b"], "answer": ["c", "d"]}).load()
    assert not any("is not used" in note.why for note in raw.notes)
