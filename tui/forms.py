"""The forms in which a finished model is given away, with what they are."""

from __future__ import annotations

FORMS = {
    "folder": "as it is: what transformers or peft load, with the record of the run",
    "adapter": "the adapter alone, as peft loads it",
    "merged": "the adapter worked into the base model",
    "program": "a program of torch.export, which needs neither dltui nor the model's code",
    "onnx": "an ONNX file (needs dltui[onnx])",
}
