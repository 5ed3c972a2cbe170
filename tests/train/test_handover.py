"""Language models are handed over to GGUF, Ollama and vLLM as they were trained."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from torch import nn
from transformers import PreTrainedTokenizerFast

from engine import RunConfig, train
from engine.artifacts.handover.answers import differences, greedy, logits
from engine.artifacts.handover.families import family_of
from engine.artifacts.handover.gguf_file import Talk, as_written, read_gguf, write_gguf
from engine.artifacts.handover.llama import Llama
from engine.artifacts.handover.modelfile import conversation_template
from engine.artifacts.handover.turns import between_turns, rendering, stop_tokens
from engine.artifacts.handover.vocabulary import vocabulary_of
from engine.errors import TrainingError, UserError
from engine.runs.directory import RunDirectory
from engine.service import handover
from engine.service.export import answer
from engine.service.speaker import speaker_of
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.conversation import end_of_turn
from tui.__main__ import main

TEXT = (
    "The quick brown fox, it's 12345 jumps over\n\n the lazy dog. Größe 北京 don't!  x = y_z(1);\n"
)
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_2 = LLAMA_3.replace("{1,3}", "")
SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "head_dim": 16, "pad_token_id": 1,
    "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip
GEMMA = SIZES | {"query_pre_attn_scalar": 16, "sliding_window": 16}
SCALED = {
    "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any], str]] = {
    "llama": ("Llama", SIZES, ""),
    "llama 3": ("Llama", SIZES | {"rope_parameters": SCALED}, LLAMA_3),
    "tied llama": ("Llama", SIZES | {"tie_word_embeddings": True, "attention_bias": True}, ""),
    "mistral": ("Mistral", SIZES, LLAMA_3),
    "qwen2": ("Qwen2", {k: v for k, v in SIZES.items() if k != "head_dim"}, QWEN_2),
    "qwen3": ("Qwen3", SIZES | {"head_dim": 32}, QWEN_2),
    "gemma2": ("Gemma2", GEMMA, ""),
    "gemma3": ("Gemma3", GEMMA | {"num_hidden_layers": 7}, ""),
}


def bpe(split: str = "") -> Any:
    """A byte-level tokenizer in the manner of GPT-2, with a family's own way to cut texts."""
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)
    parts = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*parts, byte_level]) if parts else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    marks = ["<|end|>", "<|pad|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [TEXT] * 3,
        trainers.BpeTrainer(
            vocab_size=330, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|end|>", eos_token="<|end|>", pad_token="<|pad|>",
        additional_special_tokens=marks[2:], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def network(kind: str, values: dict[str, Any], rows: int) -> nn.Module:
    torch.manual_seed(0)
    name = f"{kind}TextConfig" if kind == "Gemma3" else f"{kind}Config"
    config = getattr(transformers, name)(**values, vocab_size=rows)
    made: nn.Module = getattr(transformers, f"{kind}ForCausalLM")(config)
    with torch.no_grad():
        for part, value in made.named_parameters():
            if "norm" in part or part.endswith("bias"):
                value.add_(torch.randn_like(value) * 0.1)
    return made.float().eval()


def written(path: Path, family: str, dtype: str) -> tuple[nn.Module, Any, nn.Module, Any]:
    kind, values, split = FAMILIES[family]
    tokenizer = bpe(split)
    made = network(kind, values, len(tokenizer) + 3)
    write_gguf(path, made, tokenizer, dtype, Talk("tiny", "{{ 'template' }}", begins=False))
    return made, tokenizer, *read_gguf(path, made)


def prompts(tokenizer: Any) -> list[list[int]]:
    texts = [TEXT[place:] for place in range(0, 50, 5)]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_reads_the_same_model_and_tokens_from_a_file(
    family: str, tmp_path: Path
) -> None:
    made, tokenizer, read, again = written(tmp_path / "model.gguf", family, "float32")
    some = prompts(tokenizer)
    for one, other in zip(logits(made, some), logits(read, some), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
    assert prompts(again) == some
    assert (
        differences(tokenizer, greedy(made, tokenizer, some), greedy(read, tokenizer, some)) == []
    )
    assert again.chat_template == "{{ 'template' }}"
    assert (again.eos_token, again.pad_token) == ("<|end|>", "<|pad|>")


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_gives_the_same_tokens_and_answers(family: str, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama.cpp is tried where it is installed")
    made, tokenizer, *_ = written(tmp_path / "model.gguf", family, "float32")
    some = prompts(tokenizer)
    llama = Llama(tmp_path / "model.gguf", 128)
    assert [llama.tokens(tokenizer.decode(ids)) for ids in some] == some
    assert llama.greedy(some, tokenizer.eos_token_id) == greedy(made, tokenizer, some)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "q8_0"])
def test_rounded_weights_are_those_of_the_rounded_network(dtype: str, tmp_path: Path) -> None:
    made, tokenizer, read, _ = written(tmp_path / "model.gguf", "qwen3", dtype)
    some = prompts(tokenizer)
    for one, other in zip(logits(as_written(made, dtype), some), logits(read, some), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
    apart = max(
        float((one - other).abs().max())
        for one, other in zip(logits(made, some), logits(read, some), strict=True)
    )
    assert 1e-6 < apart < 1
    kinds = {tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    assert kinds == {"F32", {"float16": "F16", "bfloat16": "BF16", "q8_0": "Q8_0"}[dtype]}


def test_scaled_positions_of_llama_3_are_written_as_divisors(tmp_path: Path) -> None:
    made, *_ = written(tmp_path / "model.gguf", "llama 3", "float32")
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    divisors = tensors["rope_freqs.weight"].data
    plain = 10_000.0 ** -(np.arange(0, 16, 2) / 16)
    rotary: Any = made.get_submodule("model.rotary_emb")
    np.testing.assert_allclose(plain / divisors, rotary.inv_freq.numpy(), rtol=1e-5)


def test_the_metadata_name_the_tokenizer_and_its_tokens(tmp_path: Path) -> None:
    _, tokenizer, *_ = written(tmp_path / "model.gguf", "llama 3", "float16")
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    assert fields["tokenizer.ggml.model"].contents() == "gpt2"
    assert fields["tokenizer.ggml.pre"].contents() == "llama-bpe"
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens[: len(tokenizer)] == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert tokens[len(tokenizer) :] == [f"[PAD{len(tokenizer) + more}]" for more in range(3)]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert kinds[:4] == [3] * 4
    assert kinds[4:] == [1] * (len(tokenizer) - 4) + [5] * 3
    assert fields["tokenizer.ggml.add_bos_token"].contents() is False


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("GPTNeoX", {"hidden_size": 64, "num_attention_heads": 4}, "type gpt_neox"),
        ("Gemma2", GEMMA | {"query_pre_attn_scalar": 99}, "scaled by 99"),
        ("Llama", SIZES | {"rope_parameters": {
            "rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0,
            "original_max_position_embeddings": 64}}, "scaled by yarn"),
        ("Gemma3", GEMMA | {"layer_types": ["full_attention"] * 2}, "unusual order"),
    ],
)  # fmt: skip
def test_what_llama_cpp_would_compute_otherwise_is_refused(
    kind: str, values: dict[str, Any], reason: str
) -> None:
    name = f"{kind}TextConfig" if kind == "Gemma3" else f"{kind}Config"
    with pytest.raises(TrainingError, match=reason):
        family_of(getattr(transformers, name)(**values))


def test_a_tokenizer_that_cuts_texts_in_an_unknown_way_is_refused() -> None:
    with pytest.raises(TrainingError, match="pre-tokenizer"):
        vocabulary_of(bpe(r"\p{L}+|\s+"), 400)


def test_a_difference_names_the_first_token_and_both_texts() -> None:
    tokenizer = bpe()
    one, other = (tokenizer(text)["input_ids"] for text in ("the fox", "the dog"))
    [found] = differences(tokenizer, [one, one], [one, other])
    said = found.sentence
    place = next(
        place for place, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1
    )
    assert said.startswith(f"answer 2 differs from token {place + 1}, ")
    assert said.endswith("'the fox' / 'the dog'")


def test_a_late_difference_shows_the_texts_and_tokens_around_it() -> None:
    tokenizer = bpe()
    start = tokenizer("the quick brown fox jumps over the lazy dog. " * 3)["input_ids"]
    one, other = (tokenizer(text)["input_ids"][0] for text in ("x", "y"))
    end = tokenizer("lazy")["input_ids"][0]
    [found] = differences(tokenizer, [[*start, one, end]], [[*start, other, end]])
    texts = found.sentence.partition(" there: ")[2].split(" / ")
    assert texts[0].startswith("'…")
    assert texts[0] != texts[1]
    place = len(start) + 1
    last = f"{start[-1]} {tokenizer.decode(start[-1:])!r}"
    assert found.rows[-3].split() == f"{place - 1} {last} {last}".split()
    assert found.rows[-2].split() == f"≠ {place} {one} 'x' {other} 'y'".split()
    assert found.rows[-1].split()[0] == str(place + 1)
    assert found.lines == [found.sentence, *found.rows]


def test_parts_of_a_character_are_told_apart_by_their_pieces() -> None:
    tokenizer = bpe()
    one, other = (tokenizer.convert_tokens_to_ids(piece) for piece in ("å", "è"))
    [found] = differences(tokenizer, [[one]], [[other, one]])
    assert found.rows == [
        f"  ≠   1  {f'{one} {chr(229)!r}':<24}  {other} 'è'",
        f"  ≠   2  {'none':<24}  {one} 'å'",
    ]


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEMPLATES = {
    "chatml": CHATML,
    "llama 3": "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}"
    "<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    "gemma": "{{ bos_token }}{% set s = '' %}{% if messages[0]['role'] == 'system' %}"
    "{% set s = messages[0]['content'] + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}"
    "\n{{ s if loop.first else '' }}{{ m['content'] }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    "mistral": "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('no system') }}{% elif m['role'] == 'user' %}[INST] {{ m['content'] }} "
    "[/INST]{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}",
    "qwen with a default system prompt": "{% if messages[0]['role'] != 'system' %}<|im_start|>"
    "system\nYou are helpful.<|im_end|>\n{% endif %}" + CHATML,
}


def chat(template: str) -> ChatPrompts:
    tokenizer = bpe()
    tokenizer.chat_template = template
    return ChatPrompts(tokenizer)


@pytest.mark.parametrize("name", TEMPLATES)
def test_known_templates_are_taken_apart_and_put_together_again(name: str) -> None:
    render = rendering(chat(TEMPLATES[name]))
    found = between_turns(render)
    turns = ["one", "two", "three", "four", "five"]
    assert found.render(turns, "") == render(turns, "")
    assert (found.before_system is None) == (name == "mistral")
    if name != "mistral":
        assert found.render(turns, "be kind") == render(turns, "be kind")


@pytest.mark.parametrize("special", [True, False])
def test_answers_stop_at_the_end_of_their_turn(special: bool) -> None:
    """Tokenizers as Phi-3's and Gemma's have it among their added tokens alone."""
    tokenizer = bpe()
    tokenizer.add_tokens([AddedToken("<|turn_end|>", special=special)])
    assert "<|turn_end|>" not in tokenizer.special_tokens_map.values()
    tokenizer.chat_template = CHATML.replace("im_end", "turn_end")
    end = None if special else end_of_turn(tokenizer)
    behind = between_turns(rendering(ChatPrompts(tokenizer))).behind_answer
    assert stop_tokens(tokenizer, behind, end) == ["<|turn_end|>", "<|im_start|>", "<|end|>"]


def test_the_file_names_the_token_that_ends_a_turn(tmp_path: Path) -> None:
    write_gguf(
        tmp_path / "a.gguf", network("Llama", SIZES, 330), bpe(), "float16",
        Talk("tiny", CHATML, begins=False, end=3),
    )  # fmt: skip
    fields = gguf.GGUFReader(tmp_path / "a.gguf").fields
    assert fields["tokenizer.ggml.eot_token_id"].contents() == 3
    assert fields["tokenizer.ggml.eos_token_id"].contents() == 0


def test_chatml_is_written_for_ollama() -> None:
    template = conversation_template(between_turns(rendering(chat(CHATML))), "")
    assert template == (
        '{{ range $i, $m := .Messages }}{{ if eq $m.Role "user" }}'
        "{{ if or (eq $i 0) (and (eq $i 1) $.System) }}{{ if $.System }}<|im_start|>system\n"
        "{{ $.System }}<|im_end|>\n<|im_start|>user\n{{ else }}<|im_start|>user\n{{ end }}{{ end }}"
        "{{ $m.Content }}{{ if eq (len (slice $.Messages $i)) 1 }}<|im_end|>\n<|im_start|>assistant"
        "\n{{ else }}<|im_end|>\n<|im_start|>assistant\n{{ end }}"
        '{{ else if eq $m.Role "assistant" }}{{ $m.Content }}'
        "{{ if ne (len (slice $.Messages $i)) 1 }}<|im_end|>\n<|im_start|>user\n{{ end }}"
        "{{ end }}{{ end }}"
    )


def test_a_system_prompt_that_follows_the_questions_is_named() -> None:
    """As newer templates of Mistral write it."""
    template = (
        "{% set s = messages[0]['content'] if messages[0]['role'] == 'system' else '' %}"
        "{% for m in messages %}{% if m['role'] == 'user' %}[INST]{{ s if loop.last else '' }}"
        "{{ m['content'] }}[/INST]{% elif m['role'] == 'assistant' %}{{ m['content'] }}{% endif %}"
        "{% endfor %}"
    )
    with pytest.raises(TrainingError, match="writes the system prompt elsewhere"):
        between_turns(rendering(chat(template)))


def test_a_model_called_mistral_is_read_back(tmp_path: Path) -> None:
    """The name by which transformers tells a Mistral from a Llama, whose form it cannot read."""
    made = network("Mistral", SIZES, 330)
    write_gguf(tmp_path / "a.gguf", made, bpe(), "float32", Talk("mistral", "", begins=False))
    read, _ = read_gguf(tmp_path / "a.gguf", made)
    some = [[3, 4, 5]]
    torch.testing.assert_close(logits(read, some), logits(made, some), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ loop.index }}: {{ m['content'] }}\n{% endfor %}",
        "{% for m in messages %}{% if loop.last %}{{ m['content'] }}{% endif %}{% endfor %}",
        CHATML + "{{ '{{' }}",
    ],
)
def test_a_template_that_cannot_be_told_is_refused(template: str) -> None:
    with pytest.raises(TrainingError, match="template"):
        conversation_template(between_turns(rendering(chat(template))), "")


@pytest.fixture
def run(trained: Any, trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    turns = [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi there"},
    ]  # fmt: skip
    path = trained_home.parent / "systems.jsonl"
    path.write_text((json.dumps({"messages": turns}) + "\n") * 40)
    made: RunDirectory = trained(
        "served",
        {
            "task": {"kind": "causal_lm", "max_new_tokens": 9, "temperature": 0.5},
            "data": {"kind": "file", "path": str(path)},
            "model": {
                "kind": "transformer", "vocab_size": 300, "hidden_size": 32,
                "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0,
            },
            "train": {"max_steps": 4, "learning_rate": 0.01},
        },
    )  # fmt: skip
    return made


def test_a_run_is_handed_over_to_ollama(run: RunDirectory, tmp_path: Path) -> None:
    said = answer(run.id, str(tmp_path / "out"), "ollama")
    lines = (tmp_path / "out" / "Modelfile").read_text().splitlines()
    assert lines[0] == "FROM ./model.gguf"
    assert 'SYSTEM """Be brief."""' in lines
    assert 'PARAMETER stop "<|endoftext|>"' in lines
    assert {"PARAMETER temperature 0.5", "PARAMETER num_predict 9"} <= set(lines)
    assert said["command"] == f"ollama create served -f {tmp_path}/out/Modelfile"
    assert (tmp_path / "out" / "model.gguf").is_file()


def test_a_run_is_handed_over_to_vllm_with_its_template(run: RunDirectory, tmp_path: Path) -> None:
    said = answer(run.id, str(tmp_path / "out"), "vllm", dtype="bfloat16")
    template = tmp_path / "out" / "chat_template.jinja"
    assert f"vllm serve {tmp_path}/out --max-model-len " in said["command"]
    assert f"--chat-template {template}" in said["command"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    turns = [{"role": "user", "content": "hello"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "<|user|>\nhello<|endoftext|>\n<|assistant|>\n"


def test_a_template_is_handed_over_with_the_day_of_training(
    run: RunDirectory, tmp_path: Path
) -> None:
    speaker = speaker_of(run)
    tokenizer = copy.deepcopy(speaker.writer.tokenizer)
    tokenizer.chat_template = (
        "{% set form = '%d/%m/%Y' %}{{ strftime_now(form) }}"
        "{% for m in messages %} {{ m.content }}{% endfor %}"
    )
    prompts = ChatPrompts(tokenizer, "2001-02-03")
    writer = dataclasses.replace(speaker.writer, tokenizer=tokenizer, prompts=prompts)
    dated = dataclasses.replace(speaker, writer=writer)
    out = tmp_path / "out"
    handed = handover._handed(dated, handover.RECIPIENTS["vllm"], out, out, "")
    assert handed.notes[-1].startswith("The chat template writes the day 2001-02-03")
    served = transformers.AutoTokenizer.from_pretrained(out)
    turns = [{"role": "user", "content": "hello"}]
    assert served.apply_chat_template(turns, tokenize=False) == "03/02/2001 hello"


@pytest.mark.parametrize("gguf", [True, False])
def test_the_beginning_of_a_text_stands_in_the_template_where_ollama_adds_none(
    gguf: bool, run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says that it is to be added; the folder's tokenizer does not."""
    speaker = speaker_of(run)
    tokenizer = copy.deepcopy(speaker.writer.tokenizer)
    bos = tokenizer.bos_token = tokenizer.eos_token
    tokenizer.chat_template = "{{ bos_token }}" + CHATML
    writer = dataclasses.replace(
        speaker.writer, tokenizer=tokenizer, prompts=ChatPrompts(tokenizer)
    )
    asked = [[tokenizer.bos_token_id, *prompt] for prompt in speaker.prompts]
    begun = dataclasses.replace(speaker, writer=writer, prompts=asked)
    if not gguf:
        monkeypatch.setattr("engine.artifacts.handover.families.FAMILIES", {})
    out = tmp_path / "out"
    handed = handover._handed(begun, handover.RECIPIENTS["ollama"], out, out, "")
    assert (f"{bos}<|im_start|>" in (out / "Modelfile").read_text()) is not gguf
    converted = [note for note in handed.notes if "if its version knows LlamaForCausalLM" in note]
    assert bool(converted) is not gguf


def test_what_gguf_does_not_hold_is_refused_before_the_model_is_loaded(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.artifacts.handover.families.FAMILIES", {})
    monkeypatch.setattr(handover, "speaker_of", lambda _: pytest.fail("the model is loaded"))
    with pytest.raises(UserError, match="type llama cannot be written as GGUF"):
        answer(run.id, str(tmp_path / "out.gguf"), "gguf")


def test_a_file_that_answers_otherwise_is_thrown_away(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(path: Path, made: Any) -> tuple[nn.Module, Any]:
        read, tokenizer = read_gguf(path, made)
        dict(read.named_parameters())["model.norm.weight"].data.neg_()
        return read, tokenizer

    monkeypatch.setattr(handover, "read_gguf", other)
    with pytest.raises(UserError, match=r"answer 1 differs from token 1, .* here and .* there"):
        answer(run.id, str(tmp_path / "out.gguf"), "gguf")
    assert list(tmp_path.glob("*gguf*")) == []


def test_a_run_of_another_task_is_refused(
    flowers: RunDirectory, trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    with pytest.raises(UserError, match="no model that writes texts"):
        answer(flowers.id, str(tmp_path / "out"), "gguf")


def sentencepiece(prefix: bool) -> Any:
    """A tokenizer in the manner of SentencePiece: Gemma's, or with the prefix of Llama 2."""
    blank = "\N{LOWER ONE EIGHTH BLOCK}"
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE())
    replace = normalizers.Replace(" ", blank)
    steps = [normalizers.Prepend(blank), replace] if prefix else [replace]
    tokenizer.normalizer = normalizers.Sequence(steps) if prefix else replace
    marks = ["<pad>", "<eos>", "<bos>", "<unk>"]
    if prefix:
        marks = ["<unk>", "<s>", "</s>", "<pad>"]
    tokenizer.train_from_iterator(
        TEXT.split("\n") * 3,
        trainers.BpeTrainer(
            vocab_size=360, special_tokens=[*marks, *bytes_], show_progress=False,
            max_token_length=4,
        ),
    )  # fmt: skip
    values = json.loads(tokenizer.to_str())
    values["added_tokens"] = values["added_tokens"][: len(marks)]
    values["model"] |= {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
    names = {"unk_token": "<unk>", "pad_token": "<pad>"}
    names |= (
        {"bos_token": "<s>", "eos_token": "</s>"}
        if prefix else {"bos_token": "<bos>", "eos_token": "<eos>"}
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(values)), **names,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


@pytest.mark.parametrize("family", ["gemma2", "llama"])
def test_tokens_of_sentencepiece_are_read_back(family: str, tmp_path: Path) -> None:
    kind, values, _ = FAMILIES[family]
    tokenizer = sentencepiece(prefix=family == "llama")
    made = network(kind, values, len(tokenizer))
    write_gguf(tmp_path / "model.gguf", made, tokenizer, "float32", Talk("tiny", "", begins=False))
    _, again = read_gguf(tmp_path / "model.gguf", made)
    some = [text.strip() for text in TEXT.split("\n") if text]
    expected = tokenizer(some, add_special_tokens=False)["input_ids"]
    assert again(some, add_special_tokens=False)["input_ids"] == expected
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    assert fields["tokenizer.ggml.model"].contents() == "llama"
    assert fields["tokenizer.ggml.add_space_prefix"].contents() is (family == "llama")
    assert fields["tokenizer.ggml.token_type"].contents()[4:260] == [6] * 256
    scores = fields["tokenizer.ggml.scores"].contents()
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    merged = [scores[tokenizer.convert_tokens_to_ids("".join(pair))] for pair in merges]
    assert merged == sorted(merged, reverse=True)
    assert merged[-1] > min(scores)


def test_the_command_names_the_file_and_how_to_serve_it(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["export", run.id, "--to", "gguf", "--dtype", "q8_0"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == f"llama-server -m {tmp_path}/served.gguf"
    assert (tmp_path / "served.gguf").is_file()


def adapted(run: RunDirectory, **adapter: Any) -> RunDirectory:
    values = run.config.read().values()
    values |= {"name": "adapted", "model": {"kind": "transformer", "path": run.id}}
    values["adapter"] = {"method": "lora", "r": 2} | adapter
    return train(RunConfig.parse(values))


def test_an_adapter_alone_is_served_on_its_base(run: RunDirectory, tmp_path: Path) -> None:
    made = adapted(run, r=9)
    said = answer(made.id, str(tmp_path / "out"), "vllm-lora")
    base = json.loads((made.model / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert said["command"].startswith(f"vllm serve {base} ")
    assert "--enable-lora --max-lora-rank 16" in said["command"]
    assert said["command"].endswith(f"--lora-modules adapted={tmp_path}/out")
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    merged = answer(made.id, str(tmp_path / "whole.gguf"), "gguf", dtype="float32")
    assert merged["difference"] < 1e-4


def test_an_adapter_that_vllm_does_not_serve_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    made = adapted(run, method="dora")
    with pytest.raises(UserError, match="no adapter of the method dora"):
        answer(made.id, str(tmp_path / "out"), "vllm-lora")
    with pytest.raises(UserError, match="This run has no adapter"):
        answer(run.id, str(tmp_path / "out"), "vllm-lora")


def test_samples_are_the_prompts_where_the_data_is_gone(
    run: RunDirectory, trained_home: Path, tmp_path: Path
) -> None:
    data = trained_home.parent / "systems.jsonl"
    kept = data.rename(tmp_path / "kept")
    try:
        assert answer(run.id, str(tmp_path / "out.gguf"), "gguf")["bytes"] > 1000
        assert speaker_of(run).prompts
    finally:
        kept.rename(data)


def test_answers_that_rounding_changes_are_told_and_no_error(run: RunDirectory) -> None:
    speaker, handed = speaker_of(run), handover.Handed("")
    other = copy.deepcopy(speaker.network)
    dict(other.named_parameters())["model.norm.weight"].data.neg_()
    handover._compare(speaker, other, other, handed)
    assert handed.difference == 0
    count = len(speaker.prompts)
    assert handed.notes[0].startswith(
        f"{count} of {count} greedy answers differ from the run's own"
    )
    assert handed.notes[1].startswith("answer 1 differs from token 1, ")
