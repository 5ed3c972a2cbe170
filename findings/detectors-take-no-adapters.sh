#!/usr/bin/env bash
# peft cannot adapt RT-DETR v2 and D-FINE of transformers, whose boxes count as "word embeddings".
#
# Expected: LoRA on the attention of a detector works as it does for RT-DETR, whose layers it shares.
# Observed with peft 0.21.2 and transformers 5.24.0: get_peft_model raises NotImplementedError, as it
#   asks for input embeddings where config.tie_word_embeddings is set. These two set it although they
#   have no words: the flag ties the box heads of the decoder to those of the model. A config that is
#   made with tie_word_embeddings=False is no way out: the decoder then has heads of its own.
#   Clearing the flag while the adapter is added works, and leaves the heads tied.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3 transformers==5.24.0 \
    accelerate==1.15.0 peft==0.21.2

cat >"$folder/adapt.py" <<'PYTHON'
import peft
import torch
import transformers

SIZES = {
    "d_model": 32, "encoder_hidden_dim": 32, "encoder_in_channels": [32] * 3,
    "decoder_in_channels": [32] * 3, "feat_strides": [8, 16, 32], "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "num_queries": 10,
}
BACKBONE = {
    "embedding_size": 8, "hidden_sizes": [8, 32, 32, 32], "depths": [1] * 4, "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}


def built(name, **options):
    """Return a small detector with random weights."""
    backbone = transformers.RTDetrResNetConfig(**BACKBONE)
    config = getattr(transformers, f"{name}Config")(**SIZES, backbone_config=backbone, **options)
    return getattr(transformers, f"{name}ForObjectDetection")(config)


def tied(model):
    """Return whether the box heads of the decoder are those of the model."""
    heads = model.bbox_embed, model.model.decoder.bbox_embed
    first, second = (next(head.parameters()) for head in heads)
    return first is second


def adapt(model):
    """Return what becomes of adding an adapter to the attention of the decoder."""
    lora = peft.LoraConfig(r=2, target_modules=r".*decoder\.layers\.\d+\.self_attn\.(q|v)_proj")
    try:
        peft.get_peft_model(model, lora)
    except NotImplementedError:
        return "NotImplementedError"
    return "adapted"


print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
seen = {}
for name in ("RTDetr", "RTDetrV2", "DFine"):
    model = built(name)
    seen[name] = adapt(model)
    print(f"{name:9} {seen[name]}")
for name in ("RTDetrV2", "DFine"):
    apart = tied(built(name, tie_word_embeddings=False))
    model = built(name)
    together = tied(model)
    model.config.tie_word_embeddings = False
    seen[f"{name}, cleared"] = adapt(model), together, tied(model), apart
    model.config.tie_word_embeddings = True
    print(f"{name:9} box heads tied: {together}, in a config without the flag: {apart}; "
          f"flag cleared meanwhile: {seen[f'{name}, cleared'][0]}, tied: {tied(model)}")
cleared = ("adapted", True, True, False)
raise SystemExit(seen != {
    "RTDetr": "adapted", "RTDetrV2": "NotImplementedError", "DFine": "NotImplementedError",
    "RTDetrV2, cleared": cleared, "DFine, cleared": cleared,
})
PYTHON

"$folder/venv/bin/python" "$folder/adapt.py"
