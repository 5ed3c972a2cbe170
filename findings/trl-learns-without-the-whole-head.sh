#!/usr/bin/env bash
# SFTTrainer of TRL learns another loss than the model's where more than the last layer makes logits.
#
# Expected: the loss that is trained and evaluated is the cross-entropy of the model's own logits.
# Observed with trl 1.16.0 and transformers 5.24.0: SFTTrainer multiplies the states of base_model by
#   the output embeddings itself, for any architecture, and knows scales and caps of logits by the
#   names of a few settings. Decoders of ModernBERT (Ettin) and BERT transform the states first, and
#   RecurrentGemma's cap is called logits_soft_cap: it is left out without a word, so losses and
#   gradients are those of another network than the one that is saved and served.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=
export HF_DATASETS_DISABLE_PROGRESS_BARS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3 transformers==5.24.0 \
    accelerate==1.15.0 datasets==5.2.0 trl==1.16.0

cat >"$folder/losses.py" <<'PYTHON'
import tempfile

import datasets
import torch
import transformers
import trl
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = [f"w{number}" for number in range(60)]
SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}
CONFIGS = {
    "llama": transformers.LlamaConfig(**SIZES, num_hidden_layers=2),
    "modernbert-decoder": transformers.ModernBertDecoderConfig(
        **SIZES, num_hidden_layers=2, cls_token_id=1, sep_token_id=2
    ),
    "bert, as a decoder": transformers.BertConfig(**SIZES, num_hidden_layers=2, is_decoder=True),
    "recurrent_gemma": transformers.RecurrentGemmaConfig(
        **SIZES, num_hidden_layers=3, lru_width=32, head_dim=16, logits_soft_cap=2.0
    ),
}


def tokenizer():
    """Return a tokenizer of a word a token."""
    names = ["<pad>", "<bos>", "<eos>", "<unk>", *WORDS]
    inner = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


def losses(config, folder):
    """Return the loss that SFTTrainer evaluates, and that of the model's own forward pass."""
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    ids = torch.randint(4, 64, (8, 12))
    with torch.no_grad():
        own = network(input_ids=ids, labels=ids).loss.item()
    rows = datasets.Dataset.from_dict({"input_ids": ids.tolist()})
    arguments = trl.SFTConfig(
        output_dir=folder, report_to="none", use_cpu=True, per_device_eval_batch_size=8,
        bf16=False, disable_tqdm=True, log_level="error",
    )
    trainer = trl.SFTTrainer(
        network, arguments, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer()
    )
    return trainer.evaluate()["eval_loss"], own


print(f"trl {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
found = {}
for name, config in CONFIGS.items():
    with tempfile.TemporaryDirectory() as folder:
        trained, own = losses(config, folder)
    found[name] = abs(trained - own) > 1e-3
    print(f"{name:20} loss of SFTTrainer {trained:8.4f}, of the model {own:8.4f}")
raise SystemExit(list(found.values()) != [False, True, True, True])
PYTHON

"$folder/venv/bin/python" -W ignore "$folder/losses.py" 2>"$folder/log" | grep -v "^{'eval" ||
    { tail -20 "$folder/log"; exit 1; }
