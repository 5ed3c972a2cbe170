"""The forms in which a finished model is given away, with what they are."""

from __future__ import annotations

FORMS = {
    "folder": "as transformers or peft load it, with its record",
    "adapter": "the adapter alone, as peft loads it",
    "merged": "the adapter worked into the base model",
    "program": "of torch.export: needs no code of the model",
    "onnx": "an ONNX file (needs dltui[onnx])",
}
DTYPES = ("float32", "bfloat16", "float16", "stored")
"""Types of the weights; the last is that of the base model."""
