#!/usr/bin/env bash
# A GGUF file of a Llama is refused by transformers if the name in it is "mistral".
#
# Expected: AutoModelForCausalLM.from_pretrained(folder, gguf_file=…) goes by general.architecture;
#   general.name is what a person calls the model.
# Observed with transformers 5.24.0: of files that are equal but for general.name, the one with
#   "mistral" raises NotImplementedError, which blames an outdated gguf package; "Mistral",
#   "mistral 7b" and any other name load as LlamaForCausalLM with the same outputs. llama.cpp writes
#   Mistral as architecture "llama" too, and names files after the folder that was converted, so a
#   folder called mistral is enough.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1 TQDM_DISABLE=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3 transformers==5.24.0 \
    gguf==0.19.0 accelerate==1.15.0

cat >"$folder/named.py" <<'PYTHON'
import os
import sys
from importlib.metadata import version

import gguf
import numpy
import torch
import transformers

transformers.logging.set_verbosity_error()
folder = sys.argv[1]
os.makedirs(folder)
WIDTH, INNER, TOKENS, HEADS = 32, 64, 40, 4


def write(name):
    writer = gguf.GGUFWriter(f"{folder}/model.gguf", "llama")
    writer.add_name(name)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(TOKENS)
    draw = numpy.random.default_rng(0)
    shapes = {"token_embd": (TOKENS, WIDTH), "output": (TOKENS, WIDTH), "output_norm": (WIDTH,)}
    shapes |= {f"blk.0.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{part}": (INNER, WIDTH) for part in ("gate", "up")}
    shapes |= {"blk.0.ffn_down": (WIDTH, INNER)}
    shapes |= {f"blk.0.{part}_norm": (WIDTH,) for part in ("attn", "ffn")}
    for tensor, shape in shapes.items():
        values = draw.standard_normal(shape).astype(numpy.float32)
        writer.add_tensor(f"{tensor}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def outcome(name):
    write(name)
    try:
        network = transformers.AutoModelForCausalLM.from_pretrained(
            folder, gguf_file="model.gguf"
        )
    except NotImplementedError as error:
        return f"NotImplementedError: {str(error)[:60]}…"
    total = float(network(torch.arange(10)[None]).logits.abs().sum())
    return f"{type(network).__name__}, sum of the logits {total:.3f}"


print("transformers", version("transformers"), "gguf", version("gguf"))
seen = {name: outcome(name) for name in ("my model", "Mistral", "mistral 7b", "mistral")}
for name, found in seen.items():
    print(f"general.name = {name!r}: {found}")
loaded = {seen[name] for name in ("my model", "Mistral", "mistral 7b")}
described = (
    len(loaded) == 1
    and next(iter(loaded)).startswith("LlamaForCausalLM")
    and seen["mistral"].startswith("NotImplementedError")
)
print("as described" if described else "NOT as described")
sys.exit(not described)
PYTHON
"$folder/venv/bin/python" "$folder/named.py" "$folder/model"
