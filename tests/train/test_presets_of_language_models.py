"""Presets for models of the hub, each on a tiny stand-in of its architecture and template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import transformers
import yaml
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from engine.config.presets import find_preset, load_preset
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.service import predict
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

CHATML = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "THINK{{ m.content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
THINKING = CHATML.replace(
    "THINK",
    "{%- if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{%- endif %}",
)
SMOL = (
    "{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}"
    "{%- endif %}" + CHATML.replace("THINK", "")
)
LLAMA = (
    "{{ bos_token + '<|start_header_id|>system<|end_header_id|>\n\nToday Date: '"
    " + strftime_now('%d %b %Y') + '<|eot_id|>' }}{%- for m in messages %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
GEMMA = (
    "{{ bos_token }}{%- for m in messages %}{{ '<start_of_turn>' }}"
    "{{ 'model' if m.role == 'assistant' else m.role }}{{ '\n' + m.content + '<end_of_turn>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{%- endif %}"
)
MISTRAL = (
    "{{ bos_token }}{%- for m in messages %}{%- if m.role == 'user' %}"
    "{{ '[INST] ' + m.content + '[/INST]' }}{%- else %}{{ ' ' + m.content + eos_token }}"
    "{%- endif %}{%- endfor %}"
)
HARMONY = (
    "{%- for m in messages %}{{ '<|start|>' + m.role }}{%- if m.role == 'assistant' %}"
    "{{ '<|channel|>final' }}{%- endif %}{{ '<|message|>' + m.content }}"
    "{{ '<|return|>' if m.role == 'assistant' and loop.last else '<|end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|start|>assistant' }}{%- endif %}"
)
SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8,
}  # fmt: skip
EXPERTS = {"moe_intermediate_size": 16, "num_experts_per_tok": 2}
MODELS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "alpaca-qwen3-lora": ("Qwen3", SIZES, THINKING, "<|im_end|>"),
    "alpaca-smollm3-lora": ("SmolLM3", SIZES, THINKING, "<|im_end|>"),
    "capybara-smollm2": ("Llama", SIZES, SMOL, "<|im_end|>"),
    "capybara-llama3-lora": ("Llama", SIZES, LLAMA, "<|eot_id|>"),
    "capybara-gemma3-lora": ("Gemma3Text", SIZES, GEMMA, "<end_of_turn>"),
    "capybara-mistral-qlora": ("Mistral", SIZES | {"hidden_size": 64, "intermediate_size": 128},
                               MISTRAL, "</s>"),
    "alpaca-qwen3-moe-lora": ("Qwen3Moe", SIZES | EXPERTS | {"num_experts": 4}, THINKING,
                              "<|im_end|>"),
    "alpaca-gpt-oss-lora": ("GptOss", SIZES | {"num_local_experts": 4, "num_experts_per_tok": 2},
                            HARMONY, "<|return|>"),
}  # fmt: skip
"""By preset: the type, its sizes, a template of the same form, and the end of an answer."""
WORDS = [("grass", "green"), ("snow", "white"), ("coal", "black"), ("the sky", "blue")] * 6


def tokenizer_of(template: str, end: str) -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    marks = list(dict.fromkeys(["<s>", "<pad>", end]))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([f"{what} {how}" for what, how in WORDS], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", pad_token="<pad>", eos_token=end,
        chat_template=template,
    )  # fmt: skip


def stand_in(name: str, folder: Path) -> Path:
    """A tiny model of the preset's type with a tokenizer of its form."""
    kind, sizes, template, end = MODELS[name]
    tokenizer = tokenizer_of(template, end)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, **sizes,
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def data_of(name: str, folder: Path) -> Path:
    """Rows in the columns of the preset's data set."""
    questions, answers = [f"What colour is {what}?" for what, _ in WORDS], [how for _, how in WORDS]
    if name.startswith("alpaca"):
        columns = {"instruction": questions, "input": ["", "In a word."] * 12, "output": answers,
                   "text": questions}  # fmt: skip
    else:
        turns = [
            [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
            for asked, told in zip(questions, answers, strict=True)
        ]
        columns = {"source": questions, "messages": turns, "num_turns": [1] * len(turns)}
    splits = ("train",) if name.startswith("alpaca") else ("train", "test")
    for split in splits:
        (folder / split).mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / split / "0.parquet")
    return folder


def trained(name: str, tmp_path: Path) -> RunDirectory:
    preset = load_preset(find_preset(name))
    assert preset.data.kind == "hub"
    places = [f"data.name={data_of(name, tmp_path / 'data')}",
              f"model.path={stand_in(name, tmp_path / 'model')}"]  # fmt: skip
    small = ["train.max_steps=2", "compute.threads=1", "compute.device=cpu",
             "task.max_new_tokens=4", "task.forgetting_path=-", "train.batch_size=4",
             "train.gradient_accumulation_steps=1"]  # fmt: skip
    return train(preset.override([*places, *small]))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("name", MODELS)
def test_a_preset_trains_a_model_of_the_same_type_and_template(name: str, tmp_path: Path) -> None:
    if name.endswith("qlora"):
        pytest.importorskip("bitsandbytes")
    run = trained(name, tmp_path)
    config, report = run.config.read(), run.report.read() or {}
    usual = 2e-4 if config.adapter.active else 2e-5
    assert config.train.learning_rate == pytest.approx(usual)
    assert report["base"]["metrics"]["loss"] != report["metrics"]["test"]["loss"]
    roles = "messages" if name.startswith("capybara") else "pairs"
    assert json.loads(run.fitted.read_text())["form"] == roles
    asked: Any = "What colour is snow?"
    if roles == "messages":
        asked = {"messages": [{"role": "user", "content": asked}]}
    elif name.startswith("alpaca"):
        asked = {"instruction": asked, "input": ""}
    (record,) = predict.answer(run.id, [asked])["records"]
    assert "continuation" in record
    if "experts.gate_up_proj" in config.adapter.target_modules:
        check_experts(run)


def check_experts(run: RunDirectory) -> None:
    """All weights that are ticked are trained, and no router is."""
    weights = load_file(run.model / "adapter_model.safetensors")
    changed = [key for key in weights if "lora_B" in key]
    assert all(bool(weights[key].any()) for key in changed)
    assert any("experts" in key for key in changed)
    assert any("q_proj" in key for key in changed)
    assert not any("router" in key or "mlp.gate." in key for key in weights)


def encoder(kind: str, folder: Path) -> Path:
    """A tiny encoder with a tokenizer that frames its texts."""
    words = " ".join(f"{what} {how} is" for what, how in WORDS)
    tokenizer = wordpiece_from(train_wordpiece([words], 120, True))
    tokenizer.save_pretrained(folder)
    marks = {"cls_token_id": tokenizer.cls_token_id, "sep_token_id": tokenizer.sep_token_id}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, hidden_size=32,
        intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_labels=2,
        **(marks if kind == "ModernBert" else DEBERTA),
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    return folder


DEBERTA: dict[str, Any] = {
    "relative_attention": True, "position_buckets": 16, "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0,
    "position_biased_input": False,
}  # fmt: skip
"""The form of attention that version 3 has."""


@pytest.mark.parametrize(
    ("name", "kind"), [("imdb-modernbert", "ModernBert"), ("mnli-deberta", "DebertaV2")]
)
def test_a_preset_trains_an_encoder_of_the_same_type(name: str, kind: str, tmp_path: Path) -> None:
    preset = load_preset(find_preset(name))
    texts, labels = [what for what, _ in WORDS], [place % 2 for place in range(len(WORDS))]
    columns: dict[str, Any] = {"text": texts, "label": labels}
    splits = ("train", "test")
    if name.startswith("mnli"):
        columns = {"premise": texts, "hypothesis": texts[::-1], "label": labels}
        splits = ("train", "validation_matched", "validation_mismatched")
    folder = tmp_path / "data"
    files = [{"split": split, "path": f"{split}.parquet"} for split in splits]
    folder.mkdir()
    for split in splits:
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
    named = {"configs": [{"config_name": preset.data.config or "default", "data_files": files}]}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(named)}---\n")
    changes = [f"data.name={folder}", f"model.path={encoder(kind, tmp_path / 'model')}",
               "train.max_steps=2", "train.batch_size=8", "compute.threads=1"]  # fmt: skip
    run = train(preset.override([*changes, "compute.device=cpu"]))
    assert "accuracy" in (run.report.read() or {})["metrics"]["test"]
