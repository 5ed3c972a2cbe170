"""The forms of an export that are offered, and the sentences on finished ones."""

from __future__ import annotations

import pytest

from tui.format.export_formats import FORMS, export_sentence, suitable_forms


@pytest.mark.parametrize(
    ("difference", "said"),
    [(0.0, "identical to"), (1.2e-7, "within 1e-07 of")],
)
def test_an_export_is_said_to_be_identical_or_by_how_much_it_differs(
    difference: float, said: str
) -> None:
    answer = {"path": "a.gguf", "bytes": 2048, "difference": difference}
    whole = f"a.gguf: 2.0 kB, loaded back: outputs {said} those before writing"
    assert export_sentence(answer) == whole
    rounded = export_sentence({**answer, "rounded": "q8_0"})
    assert rounded == whole.replace("before writing", "of the weights rounded to q8_0")


@pytest.mark.parametrize(
    ("adapter", "writes", "boosting", "more"),
    [
        (False, False, False, set()),
        (False, False, True, {"boosting"}),
        (True, False, False, {"adapter", "merged"}),
        (False, True, False, {"ollama", "gguf", "vllm"}),
        (True, True, False, {"adapter", "merged", "ollama", "gguf", "vllm", "vllm-lora"}),
    ],
)
def test_forms_that_suit_the_model_are_offered(
    adapter: bool, writes: bool, boosting: bool, more: set[str]
) -> None:
    forms = suitable_forms(adapter, writes, boosting)
    assert set(forms) == {"folder", "program", "onnx"} | more
    assert forms.items() <= FORMS.items()
