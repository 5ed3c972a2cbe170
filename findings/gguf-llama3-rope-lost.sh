#!/usr/bin/env bash
# transformers reads a GGUF file of Llama 3.1 or later without the scaling of its rotary positions.
#
# Expected: AutoModelForCausalLM.from_pretrained(folder, gguf_file=name) computes what the written
#   model computes, or warns that it does not.
# Observed with transformers 5.24.0 and gguf 0.19.0: a Llama with rope_parameters of type llama3 is
#   read with plain rotary positions (rope_type "default"), without a warning. Its weights are right
#   and its logits are not: the difference grows with the position. llama.cpp keeps this scaling as
#   divisors of the frequencies, in the tensor rope_freqs.weight and in no metadata; the reader
#   drops tensors that have no place in the network. A model with plain positions is read exactly,
#   and so is the scaled one when its config is passed, as from_pretrained(..., config=config).
#
# The files have the tensors, and the metadata of network and tokenizer, that convert_hf_to_gguf.py
# of llama.cpp writes. Its own file of this model (from the sources of llama-cpp-python 0.3.36) is
# read in the same way, and llama.cpp computes the written model's logits from either file.
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
    accelerate==1.15.0 gguf==0.19.0

cat >"$folder/rope.py" <<'PYTHON'
import logging
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import gguf
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

PLAIN = {"rope_type": "default", "rope_theta": 500000.0}
SCALED = {  # Llama 3.1
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
}
VOCABULARY = 259  # one token a byte, one of two bytes, begin, end
LENGTH = 4096


def trained(rope):
    """Return a small Llama whose attention depends on positions."""
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=131072,
        initializer_range=0.15, bos_token_id=257, eos_token_id=258, rope_parameters=rope,
    )).eval()


def divisors(config):
    """Return what Llama 3's scaling divides each rotary frequency by, as transformers scales."""
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    pairs = torch.arange(0, config.head_dim, 2) / config.head_dim
    return config.rope_parameters["rope_theta"] ** -pairs / scaled


def write(model, path):
    """Write the model in the form of llama.cpp."""
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_vocab_size(config.vocab_size)

    letters = sorted(ByteLevel.alphabet())
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([*letters, "ab", "<begin>", "<end>"])
    writer.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * 2)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)

    places = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # llama.cpp rotates neighbouring rows
            halves = weight.unflatten(0, (-1, 2, config.head_dim // 2))
            weight = halves.transpose(1, 2).flatten(0, 2)
        writer.add_tensor(places.get_name(name, [".weight"]), weight.contiguous().numpy())
    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", divisors(config).numpy())

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Kept(logging.Handler):
    """Keeps warnings that are logged."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def read(path, **options):
    """Return the model as transformers reads it, and what was warned of."""
    kept = Kept()
    transformers.utils.logging.add_handler(kept)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, **options
        )
    transformers.utils.logging.remove_handler(kept)
    return model.eval(), kept.texts + [str(one.message) for one in told]


folder = Path(sys.argv[1])
print(", ".join(f"{name} {version(name)}" for name in ("transformers", "gguf", "torch")))
tokens = torch.randint(256, (1, LENGTH), generator=torch.Generator().manual_seed(1))
same = True
for rope, passes in ((PLAIN, False), (SCALED, False), (SCALED, True)):
    model = trained(rope)
    path = folder / f"{rope['rope_type']}.gguf"
    write(model, path)
    again, told = read(path, **({"config": model.config} if passes else {}))
    weights = again.state_dict()
    kept = all(torch.equal(weights[name], one) for name, one in model.state_dict().items())
    with torch.no_grad():
        meant = model(input_ids=tokens).logits[0]
        got = again(input_ids=tokens).logits[0]
    shares = (got - meant).abs().amax(1) / meant.abs().max()
    near, far = float(shares[:8].max()), float(shares[-8:].max())
    agree = float((got.argmax(1) == meant.argmax(1)).float().mean())
    found = again.config.rope_parameters["rope_type"]
    print(f"written {rope['rope_type']:7} config passed {passes!s:5} read {found:7} "
          f"equal weights {kept!s:5} warnings {len(told)}")
    print(f"    logits differ by {near:.4f} of the largest in the first 8 tokens, {far:.4f} in the "
          f"last 8 of {LENGTH}; {agree:.1%} have the same likeliest next token")
    for text in told:
        print(f"    warning: {text}")
    lost = rope is SCALED and not passes
    same &= kept and not told and found == ("default" if lost else rope["rope_type"])
    same &= far > 0.1 if lost else float(shares.max()) < 1e-5
tensors = gguf.GGUFReader(folder / "llama3.gguf").tensors
stored = next(one.data for one in tensors if one.name == "rope_freqs.weight")
print(f"rope_freqs.weight of llama3.gguf: {len(stored)} divisors, "
      f"{min(stored):g} to {max(stored):g}")
raise SystemExit(not same)
PYTHON

"$folder/venv/bin/python" "$folder/rope.py" "$folder"
