#!/usr/bin/env bash
# peft merges an adapter on tied embeddings into the shared weight twice, also when told to tie it.
#
# Expected: with LoraConfig(target_modules=["embed_tokens"], ensure_weight_tying=True) a model whose
#   output layer is tied to its embedding says the same after merge_and_unload() as before, and the
#   two ends of the adapter stay one after model.to(another type).
# Observed with peft 0.21.2: merging changes the logits by as much as the largest of them. The one
#   shared matrix gets the product of the adapter once for the embedding and once more for the
#   output layer; training and inference without merging are right. Without ensure_weight_tying it is
#   wrong too, of which peft warns; with it there is no warning. A model that is not tied is right.
#   Both ends are separate parameters on one storage: model.to(torch.bfloat16) parts them.
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

cat >"$folder/merge.py" <<'PYTHON'
import warnings

import peft
import torch
import transformers


def adapted(tied, ensure):
    """Return a small Llama with a trained adapter on its embedding, and what peft warned of."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, tie_word_embeddings=tied,
    )
    lora = peft.LoraConfig(r=2, target_modules=["embed_tokens"], ensure_weight_tying=ensure)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = peft.get_peft_model(transformers.LlamaForCausalLM(config).eval(), lora)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        model(input_ids=TOKENS, labels=TOKENS).loss.backward()
        optimizer.step()
    return model, any("tied layer" in str(one.message) for one in told)


def storages(model):
    """Return where the two ends of the tied adapter keep the same numbers."""
    network = model.get_base_model()
    inner = network.get_input_embeddings().lora_embedding_B["default"]
    return inner.data_ptr(), network.lm_head.lora_A["default"].weight.data_ptr()


TOKENS = torch.arange(10)[None]
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
same = True
for tied, ensure in ((False, False), (True, False), (True, True)):
    model, warned = adapted(tied, ensure)
    with torch.no_grad():
        before = model(input_ids=TOKENS).logits
        after = model.merge_and_unload()(input_ids=TOKENS).logits
    share = float((after - before).abs().max() / before.abs().max())
    print(f"tied {tied!s:5} ensure_weight_tying {ensure!s:5} warned {warned!s:5} "
          f"merging changes the logits by {share:.4f} of the largest")
    same &= (share > 0.1) == tied and warned == (tied and not ensure)

model, _ = adapted(True, True)
one, other = storages(model)
first, second = storages(model.to(torch.bfloat16))
print(f"one storage: {one == other}, after .to(torch.bfloat16): {first == second}")
same &= one == other and first != second
raise SystemExit(not same)
PYTHON

"$folder/venv/bin/python" "$folder/merge.py"
