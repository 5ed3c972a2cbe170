"""The forms in which a finished model is given away, with what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.format.numbers import size

FORMS = {
    "folder": "safetensors and record; transformers loads its own models",
    "adapter": "the adapter alone, as peft loads it",
    "merged": "the adapter worked into the base model",
    "program": "of torch.export: needs no code of the model",
    "onnx": "an ONNX file (needs dltui[onnx])",
    "boosting": "gradient boosting, the baseline of a table",
    "ollama": "a language model with a Modelfile, for ollama create",
    "gguf": "a language model as one file for llama.cpp (needs dltui[gguf])",
    "vllm": "a language model with its chat template, for vllm serve",
    "vllm-lora": "the adapter alone with the chat template, for vllm serve",
}
OF_ADAPTERS = ("adapter", "merged", "vllm-lora")
SERVED = ("ollama", "gguf", "vllm", "vllm-lora")
"""Those for programs that serve language models."""
DTYPES = ("float32", "bfloat16", "float16", "stored", "q8_0")
"""Types of the weights: the last but one is that of the base model, the last for GGUF."""
SHORT = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
"""Types as GGUF's tools name them."""


def suitable_forms(adapter: bool, writes: bool, boosting: bool) -> dict[str, str]:
    """Return the forms that suit a model: with an ``adapter``, one that ``writes`` texts as a
    language model does, one beside which the run keeps its gradient ``boosting``."""
    left_out = {
        *(() if adapter else OF_ADAPTERS),
        *(() if writes else SERVED),
        *(() if boosting else ("boosting",)),
    }
    return {form: what for form, what in FORMS.items() if form not in left_out}


def export_sentence(answer: Mapping[str, Any]) -> str:
    """Return a sentence on a finished export."""
    difference = answer["difference"]
    found = f"within {difference:.1g} of" if difference else "identical to"
    path = f"{answer['path']}: {size(answer['bytes'])}"
    rounded = answer.get("rounded") or "float32"
    of = "before writing" if rounded == "float32" else f"of the weights rounded to {rounded}"
    return f"{path}, loaded back: outputs {found} those {of}"


def free_name(run: str, form: str) -> str:
    """Return a name for what is written, beside the folder that one is in."""
    return f"./{run}.gguf" if form == "gguf" else f"./{run}-{form}"
