#!/usr/bin/env bash
# transformers loads decoders for question answering without any of their weights.
#
# Expected: AutoModelForQuestionAnswering.from_pretrained(folder of a language model) has the layers
#   of the folder and a new head, as AutoModelForSequenceClassification and
#   AutoModelForTokenClassification have.
# Observed with transformers 5.24.0: for Llama, Qwen2, Qwen3 and others no weight of the folder is
#   used: the class for question answering calls its decoder "transformer", the checkpoint "model".
#   All layers begin at random; the only sign is a logged table of MISSING and UNEXPECTED names.
#   GPT-2, whose classes all say "transformer", keeps its layers.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3 transformers==5.24.0

cat >"$folder/load.py" <<'PYTHON'
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

SMALL = {
    "vocab_size": 100, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
}
CONFIGS = {
    "llama": transformers.LlamaConfig(**{k: v for k, v in SMALL.items() if k != "head_dim"}),
    "qwen2": transformers.Qwen2Config(**{k: v for k, v in SMALL.items() if k != "head_dim"}),
    "qwen3": transformers.Qwen3Config(**SMALL),
    "gpt2": transformers.GPT2Config(vocab_size=100, n_embd=32, n_layer=2, n_head=2),
}
CLASSES = {
    "sequence classification": AutoModelForSequenceClassification,
    "token classification": AutoModelForTokenClassification,
    "question answering": AutoModelForQuestionAnswering,
}


def kept(saved, loaded):
    """Return the number of matrices of the decoder in ``loaded`` that are those of ``saved``."""
    def matrices(network):
        return [w for w in network.base_model.state_dict().values() if w.ndim == 2]

    pairs = list(zip(matrices(saved), matrices(loaded), strict=True))
    return sum(torch.equal(one, other) for one, other in pairs), len(pairs)


transformers.logging.set_verbosity_error()
print(f"transformers {transformers.__version__}, torch {torch.__version__}")
same = True
for name, config in CONFIGS.items():
    folder = Path(tempfile.mkdtemp(dir=Path(__file__).parent))
    saved = AutoModelForCausalLM.from_config(config)
    saved.save_pretrained(folder)
    for task, auto in CLASSES.items():
        right, all_of_them = kept(saved, auto.from_pretrained(folder))
        print(f"{name:6} {task:24} {right:2} of {all_of_them} matrices are those of the folder")
        lost = name != "gpt2" and task == "question answering"
        same &= right == (0 if lost else all_of_them)
raise SystemExit(not same)
PYTHON

"$folder/venv/bin/python" "$folder/load.py"
