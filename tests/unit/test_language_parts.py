"""Texts become blocks and instructions; the loss counts the right tokens."""

from __future__ import annotations

import json
import math
import random
import warnings
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from engine.batches.source import Batch, Noise
from engine.config.compute import ComputeConfig
from engine.config.tasks.causal_lm import CausalLmConfig
from engine.data import on_disk
from engine.data.labels import IGNORED
from engine.errors import DataError, TrainingError
from engine.hardware.device import choose
from engine.metrics.text.language import LanguageEvaluator, frequency_metrics
from engine.models.language.attention import attention_of, choose_attention
from engine.models.language.token_losses import token_losses, token_sums
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.instructions import Instructions
from engine.text.chat.plain_prompts import PlainPrompts, separator_of
from engine.text.chat.roles import roles_in
from engine.text.chat.template_dates import names_date
from engine.text.chat.tools import tools_of
from engine.text.chat.turns import fault_in, fault_of_answers, is_learned, texts_within, turns_of
from engine.text.generation.continuation import Sampling, continued
from engine.text.generation.finite_outputs import NotFinite, or_why_not
from engine.text.generation.streaming import streamed
from engine.text.tokens.blocks import BlockSource, are_lines, pieces, sizes_of, tail_rows, token_row
from engine.text.tokens.bpe import END, PAD, bpe_from, train_bpe
from engine.text.tokens.languages import choose_languages

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return bpe_from(
        train_bpe(["What is the colour of grass? It is green, as green as can be."], 300)
    )


@pytest.fixture(scope="module")
def network(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=32,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def test_every_token_but_the_first_is_predicted_once() -> None:
    source = BlockSource(torch.arange(25, dtype=torch.int32), 8, 2.5, CPU)
    [batch] = source.read(source.plan(8))
    assert len(source) == 3
    assert batch.targets["labels"].flatten().tolist() == list(range(1, 25))
    assert torch.equal(batch.inputs["input_ids"] + 1, batch.targets["labels"])
    assert batch.weight == 24
    assert batch.targets["characters"] == 24 * 2.5


def test_blocks_begin_elsewhere_in_each_epoch_and_the_same_when_asked_again() -> None:
    source = BlockSource(torch.arange(100), 8, 1.0, CPU)
    plan = source.plan(3)

    def begins(epoch: int, start: int = 0) -> list[list[int]]:
        batches = source.read(plan, start, Noise(0, epoch, CPU))
        return [batch.inputs["input_ids"][:, 0].tolist() for batch in batches]

    assert len({begins(epoch)[0][0] for epoch in range(20)}) > 4
    assert begins(3, start=2) == begins(3)[2:]
    assert all(
        batch.targets["labels"].max() <= 99 for batch in source.read(plan, 0, Noise(0, 1, CPU))
    )


def test_blank_rows_tell_that_rows_are_lines() -> None:
    assert are_lines(["To be,", "", "or not"], "auto")
    assert not are_lines(["To be,", "or not"], "auto")
    assert not are_lines(["To be,", ""], "documents")
    assert list(pieces(["To be,", "", "", "or not\n"], lines=True)) == ["To be,\n\n\nor not\n"]
    assert list(pieces(["one", "", "", "two"], lines=False)) == ["one", "two"]


def test_long_texts_are_put_together_without_a_loss() -> None:
    lines = [f"line {i}" for i in range(30_000)]
    parts = list(pieces(lines, lines=True))
    assert len(parts) > 1
    assert "".join(parts) == "\n".join(lines) + "\n"


def test_the_tail_of_a_text_is_measured_in_characters() -> None:
    assert tail_rows(sizes_of(["x" * 99, "x" * 9, "x" * 9, "x" * 9]), 0.2) == 3
    assert tail_rows(sizes_of(["a", "b"]), 0.0) == 0


@pytest.mark.parametrize("large", [on_disk.LARGE, 0])
def test_rows_of_tokens_are_put_one_after_the_other_in_memory_and_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(on_disk, "LARGE", large)
    column = pa.chunked_array([[[1, 2], []], [[3]]])
    assert token_row(column).tolist() == [1, 2, 3]


def test_a_byte_tokenizer_can_write_anything(tokenizer: Any) -> None:
    text = "Grüße, 世界 \U0001f600\n\ttabs"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def learned(tokenizer: Any, sample: dict[str, list[Any]]) -> str:
    return tokenizer.decode([label for label in sample["labels"][0] if label != IGNORED])


def pairs(tokenizer: Any, length: int, only: bool = True, separator: str = "\n") -> Instructions:
    return Instructions(tokenizer, length, only, PlainPrompts(tokenizer.eos_token, separator))


def chats(tokenizer: Any) -> Instructions:
    return Instructions(tokenizer, 200, True, ChatPrompts(tokenizer))


def test_only_the_answer_and_its_end_are_learned(tokenizer: Any) -> None:
    rows = {"prompt": ["What is the colour of grass?"], "completion": ["It is green."]}
    sample = pairs(tokenizer, 200)(rows)
    assert learned(tokenizer, sample) == "It is green.<|endoftext|>"
    whole = tokenizer.decode(sample["input_ids"][0])
    assert whole == "What is the colour of grass?\nIt is green."
    assert sample["characters"][0] == len("It is green.")


def test_the_instruction_is_learned_too_when_asked(tokenizer: Any) -> None:
    rows = {"prompt": ["What? "], "completion": ["Green."]}
    sample = pairs(tokenizer, 200, only=False)(rows)
    assert sample["labels"][0][:-1] == sample["input_ids"][0][1:]
    assert learned(tokenizer, sample).endswith("? Green.<|endoftext|>")


def test_each_turn_of_the_assistant_is_learned(tokenizer: Any) -> None:
    turns = [
        {"role": "user", "content": "colour?"}, {"role": "assistant", "content": "green"},
        {"role": "user", "content": "sure?"}, {"role": "assistant", "content": "yes"},
    ]  # fmt: skip
    sample = chats(tokenizer)({"messages": [turns]})
    assert learned(tokenizer, sample).replace("\n", "") == "green<|endoftext|>yes<|endoftext|>"


def test_long_instructions_are_cut(tokenizer: Any) -> None:
    rows = {"prompt": ["colour " * 50], "completion": ["green"]}
    sample = pairs(tokenizer, 20)(rows)
    assert len(sample["input_ids"][0]) == len(sample["labels"][0]) == 20
    assert set(sample["labels"][0]) == {IGNORED}


def joining(trim: bool) -> Any:
    """A tokenizer whose tokens reach over blanks, line ends and marks, as those of new models."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.post_processor = processors.ByteLevel(trim_offsets=trim)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[END, PAD], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    gaps = [" ", "", "\n", "\n\n", "  ", "\t", "\n "]
    backend.train_from_iterator([f"Q:{gap}yes" for gap in gaps] * 50, trainer)
    return bpe_from(backend.to_str())


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize("prompt", ["Q:", "Q: ", "Q:  ", "Q:\n", "Q:\n\n", "Q:\n ", "Q:\t"])
@pytest.mark.parametrize("completion", ["yes", " yes", "\nyes", "\n\n yes"])
@pytest.mark.parametrize("separator", ["", "\n", " "])
def test_a_prompt_has_the_same_tokens_in_training_and_in_prediction(
    trim: bool, prompt: str, completion: str, separator: str
) -> None:
    tokenizer = joining(trim)
    instructions = pairs(tokenizer, 200, separator=separator)
    row = {"prompt": prompt, "completion": completion}
    sample = instructions({name: [text] for name, text in row.items()})
    asked = instructions.prompts.prompt({"prompt": prompt})
    ids = tokenizer(asked.text, add_special_tokens=False)["input_ids"]
    labels = sample["labels"][0]
    assert sample["input_ids"][0][: len(ids)] == ids
    assert set(labels[: len(ids) - 1]) <= {IGNORED}
    assert IGNORED not in labels[len(ids) - 1 :]
    gap = "" if prompt[-1].isspace() else separator
    assert asked.text + asked.blanks == prompt + gap
    assert learned(tokenizer, sample) == asked.blanks + completion + END


@pytest.mark.parametrize(
    ("rows", "separator"),
    [
        ([("a:", "b"), ("c:", "d")], "\n"),
        ([("a:", " b"), ("c:", " d"), ("e:", "f")], ""),
        ([("a: ", "b"), ("c: ", "d"), ("e:", "f")], " "),
        ([("a:\n\n", "b")], "\n\n"),
        ([], "\n"),
    ],
)
def test_prompts_end_as_most_of_them_do_in_the_data(
    rows: list[tuple[str, str]], separator: str
) -> None:
    values = [{"prompt": prompt, "completion": completion} for prompt, completion in rows]
    assert separator_of(values) == separator


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ([["q", "a"], ["r", "b"]], ["q", "a", "r", "b"]),
        ('[["q", "a"]]', ["q", "a"]),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], ["q", "a"]),
        ([{"instruction": "q", "output": "a"}], ["q", "a"]),
        ("q\na", ["q\na"]),
        ("[sic] q", ["[sic] q"]),
        ([], []), ("[]", []), (None, []),
    ],
)  # fmt: skip
def test_earlier_turns_are_found_in_any_nesting(value: Any, texts: list[str]) -> None:
    assert texts_within(value) == texts


CALL = {"name": "look", "arguments": {"at": "grass"}}


@pytest.mark.parametrize(
    "turn",
    [
        {"content": None, "tool_calls": [{"type": "function", "function": CALL}]},
        {"tool_calls": [{"id": None, "type": "function", "function": {**CALL, "x": None}}]},
        {"content": "", "tool_calls": json.dumps([{"type": "function", "function": CALL}])},
        {"content": None, "function_call": CALL},
        {"content": [{"type": "tool_use", "name": "look", "input": {"at": "grass", "x": None}}]},
        {"content": [{"type": "function_call", "name": "look", "arguments": '{"at": "grass"}'}]},
        {"parts": [{"functionCall": {"name": "look", "args": {"at": "grass"}}, "text": None}]},
        {"content": None, "tool_calls": [
            {"type": "function", "function": {**CALL, "arguments": '{"at": "grass"}'}}
        ]},
    ],
)  # fmt: skip
def test_calls_of_tools_are_the_same_however_they_are_written(turn: dict[str, Any]) -> None:
    [found] = turns_of([{"role": "assistant", **turn}])
    assert found == {
        "role": "assistant", "content": "",
        "tool_calls": [{"type": "function", "function": CALL}],
    }  # fmt: skip


def test_parts_of_thoughts_are_thoughts() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "x"}
    parts = [
        thinking,
        {"text": "ah", "thought": True},
        {"text": "a"},
        {"type": "image", "text": ""},
    ]
    turn = {"role": "assistant", "content": parts[:3]}
    assert turns_of([turn]) == [
        {"role": "assistant", "content": "a", "reasoning_content": "hm\nah"}
    ]
    assert fault_in([{**turn, "content": parts}]) == "a part of a turn is not text but image"


def test_results_of_tools_stand_before_what_the_user_says_with_them() -> None:
    results = [{"type": "tool_result", "tool_use_id": str(n), "content": f"r{n}"} for n in (1, 2)]
    first, second, said = turns_of([{"role": "user", "content": [*results, {"text": "so?"}]}])
    assert first == {"role": "tool", "content": "r1", "tool_call_id": "1"}
    assert second == {"role": "tool", "content": "r2", "tool_call_id": "2"}
    assert said == {"role": "user", "content": "so?"}


@pytest.mark.parametrize(
    "tools",
    [
        [{"name": "look", "description": "d", "input_schema": {"type": "object"}}],
        [{"functionDeclarations": [
            {"name": "look", "description": "d", "parameters": {"type": "object"}}]}],
        json.dumps([{"name": "look", "description": "d", "parameters": {"type": "object"}}]),
    ],
)  # fmt: skip
def test_tools_are_the_same_however_they_are_written(tools: Any) -> None:
    function = {"name": "look", "description": "d", "parameters": {"type": "object"}}
    assert tools_of(tools) == [{"type": "function", "function": function}]


def test_a_transcript_is_one_from_its_beginning_on() -> None:
    said = "\n\nHuman: a\n\nAssistant: b"
    assert turns_of(said) == [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    ]  # fmt: skip
    for text in (
        f"Continue:{said}",
        "\n\nAssistant: b\n\nHuman: a",
        "Human: a",
        "Human: a Assistant: b",
    ):
        assert turns_of(text) == [{"role": "user", "content": text}]


def test_a_template_that_writes_calls_and_tools_gets_them(tokenizer: Any) -> None:
    other = bpe_from(tokenizer.backend_tokenizer.to_str())
    other.chat_template = (
        "{% if tools %}{{ tools[0].function.name }};{% endif %}"
        "{% for m in messages %}{{ m.content }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %};"
        "{% endfor %}"
    )
    turns = [{"role": "user", "content": "a"},
             {"role": "assistant", "content": None, "tool_calls": [{"function": CALL}]}
    ]  # fmt: skip
    row = {"messages": turns, "tools": '[{"name": "look"}]'}
    assert ChatPrompts(other).marked(row)[0].text == f'look;a;{{"at": "grass"}};{END}'


def test_a_template_that_writes_the_day_gets_the_one_that_is_fixed(tokenizer: Any) -> None:
    other = bpe_from(tokenizer.backend_tokenizer.to_str())
    other.chat_template = (
        "{% set day = strftime_now('%d %b %Y') if strftime_now is defined else 'never' %}"
        "{{ day }}: {% for m in messages %}{{ m.content }};{% endfor %}"
    )
    assert names_date(other)
    assert not names_date(tokenizer)
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    fixed = ChatPrompts(other, "2001-02-03")
    assert fixed.prompt(row).text == "03 Feb 2001: a;"
    assert fixed.marked(row)[0].text == f"03 Feb 2001: a;b;{END}"
    assert ChatPrompts(other).prompt(row).text == f"{datetime.now():%d %b %Y}: a;"


def test_the_day_is_fixed_in_each_of_several_named_templates(tokenizer: Any) -> None:
    other = bpe_from(tokenizer.backend_tokenizer.to_str())
    text = "{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content }}{% endfor %}"
    other.chat_template = {"default": text, "tool_use": "tools " + text}
    assert names_date(other)
    row = {"messages": "a", "tools": '[{"name": "look"}]'}
    assert ChatPrompts(other, "2001-02-03").prompt(row).text == "tools 2001a"


def test_a_template_that_refuses_a_conversation_is_reported(tokenizer: Any) -> None:
    other = bpe_from(tokenizer.backend_tokenizer.to_str())
    other.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(DataError, match="refuses the conversation 'a': roles must alternate"):
        ChatPrompts(other).prompt({"messages": "a"})


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([{"role": "user"}], "a turn has no role or content"),
        ([{"content": "a"}], "a turn has no role or content"),
        (["a"], "there is a list of texts in place of one text, or of turns with roles"),
        ([{"role": "user", "content": None}], "a turn is empty"),
        ([{"role": "user", "content": "a"}], "there is no answer"),
        ("just a text", "there is no answer"),
        ("  ", "the conversation is empty"), (None, "the conversation is empty"),
        ([{"role": "user", "content": "a"}, {"role": "gpt", "content": "b"}], None),
    ],
)  # fmt: skip
def test_what_is_no_conversation_with_an_answer_has_a_reason(value: Any, fault: str | None) -> None:
    assert fault_of_answers(value) == fault


def test_the_loss_is_that_of_transformers(network: Any) -> None:
    ids = torch.randint(0, 200, (3, 12))
    with torch.no_grad():
        expected = network(input_ids=ids, labels=ids).loss
        losses = token_losses(network(input_ids=ids).logits[:, :-1], ids[:, 1:])
    assert losses.mean().item() == pytest.approx(expected.item(), rel=1e-5)


def test_metrics_are_means_over_all_learned_tokens() -> None:
    evaluator = LanguageEvaluator(
        lambda network, batch: token_sums(batch.inputs, batch.targets["labels"]),
        lambda network, batch: (),
    )
    sure = torch.tensor([[[0.0, math.log(3.0)]] * 2])
    for labels in ([[1, 0]], [[1, IGNORED]]):
        targets = {"labels": torch.tensor(labels), "characters": 4.0}
        evaluator.update(torch.nn.Identity(), Batch(sure, targets))
    metrics = evaluator.compute().metrics
    nats = 2 * math.log(4 / 3) + math.log(4)
    assert metrics["loss"] == pytest.approx(nats / 3)
    assert metrics["perplexity"] == pytest.approx(math.exp(nats / 3))
    assert metrics["nats_per_character"] == pytest.approx(nats / 8)
    assert metrics["accuracy"] == pytest.approx(2 / 3)


def test_the_baseline_knows_how_frequent_tokens_are() -> None:
    seen = np.array([0, 0, 0, 1], np.int32)
    metrics = frequency_metrics(seen, np.array([0, 1], np.int32), vocabulary=3, characters=4)
    assert metrics["loss"] == pytest.approx(-(math.log(4 / 7) + math.log(2 / 7)) / 2)
    assert metrics["accuracy"] == 0.5


def test_writing_leaves_the_random_numbers_alone(network: Any, tokenizer: Any) -> None:
    prompt = tokenizer("What is")["input_ids"]
    sampling = Sampling(max_new_tokens=8, temperature=1.0, top_p=0.9, seed=3)
    before = torch.get_rng_state()
    first = continued(network, tokenizer, [prompt], sampling, longest=32)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert continued(network, tokenizer, [prompt], sampling, longest=32) == first


def test_a_long_beginning_leaves_room_for_what_is_written(network: Any, tokenizer: Any) -> None:
    seen: list[int] = []
    hook = network.get_input_embeddings().register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].numel())
    )
    prompt = tokenizer("green " * 60)["input_ids"]
    continued(network, tokenizer, [prompt], Sampling(20, 0.0, 1.0), longest=32)
    hook.remove()
    assert seen[0] == 12
    assert sum(seen) <= 32


KINDS: dict[str, Any] = {
    "llama": transformers.LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=200,
    ),
    "gpt2": transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=200),
    "bloom": transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=2, vocab_size=200),
    "opt": transformers.OPTConfig(
        hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2, vocab_size=200,
        word_embed_proj_dim=32, max_position_embeddings=64,
    ),
    "gemma3": transformers.Gemma3TextConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, vocab_size=200, sliding_window=6,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "mamba": transformers.MambaConfig(
        hidden_size=32, num_hidden_layers=2, state_size=4, vocab_size=200
    ),
}  # fmt: skip


def _by_transformers(model: Any, tokenizer: Any, prompt: list[int], tokens: int) -> str:
    """What transformers alone generates after one prompt."""
    ids = torch.tensor([prompt])
    with torch.no_grad():
        made = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens,
            do_sample=False, pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
    text: str = tokenizer.decode(made[0, len(prompt) :], skip_special_tokens=True)
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_together_is_what_transformers_writes_alone(
    kind: str, tokenizer: Any
) -> None:
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForCausalLM.from_config(KINDS[kind])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    for part in model.parameters():  # so far apart that no two tokens are equally likely
        part.data.mul_(3)
    draw = random.Random(1)
    prompts = [[draw.randrange(4, 200) for _ in range(draw.choice([1, 3, 3, 9]))] for _ in range(9)]
    # An end comes early for some and not for others.
    sampling = Sampling(max_new_tokens=20, temperature=0.0, top_p=1.0)  # in two rounds
    together = continued(model.eval(), tokenizer, prompts, sampling, longest=64)
    alone = [continued(model, tokenizer, [one], sampling, longest=64)[0] for one in prompts]
    assert together == alone == [_by_transformers(model, tokenizer, one, 20) for one in prompts]
    assert len(set(together)) > 4
    assert continued(model, tokenizer, [], sampling, longest=64) == []


def test_settings_that_count_from_the_prompt_hold_for_the_whole_text(tokenizer: Any) -> None:
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForCausalLM.from_config(KINDS["llama"]).eval()
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] *= 40  # ends are likely
    model.generation_config.min_new_tokens = 3
    prompts = [[number] for number in range(4, 40)]
    together = continued(model, tokenizer, prompts, Sampling(40, 0.0, 1.0), longest=64)
    assert together == [_by_transformers(model, tokenizer, one, 40) for one in prompts]


def test_writing_passes_nothing_that_transformers_calls_deprecated(tokenizer: Any) -> None:
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForCausalLM.from_config(KINDS["llama"]).eval()
    write, rounds = model.generate, []

    def generate(**options: Any) -> Any:
        rounds.append(options)
        return write(**options)

    model.generate = generate
    prompts = [[number] for number in range(4, 40)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        continued(model, tokenizer, prompts, Sampling(24, 0.0, 1.0), longest=64)
    assert len(rounds) == 2  # the second takes the cache of the first


def test_rows_that_have_ended_are_left_out(network: Any, tokenizer: Any) -> None:
    rows: list[int] = []
    hook = network.get_input_embeddings().register_forward_pre_hook(
        lambda module, inputs: rows.append(len(inputs[0]))
    )
    prompts = [tokenizer("What")["input_ids"]] * 20
    tokens = Sampling(max_new_tokens=100, temperature=1.0, top_p=1.0, seed=1)
    continued(network, tokenizer, prompts, tokens, longest=1000)
    hook.remove()
    assert rows == sorted(rows, reverse=True)
    assert (rows[0], rows[-1] < 20) == (20, True)


def test_targets_are_never_marked_with_the_language_of_the_sources_unasked() -> None:
    words = ["<s>", "<pad>", "</s>", "<unk>", "A"]
    vocabulary = {word: number for number, word in enumerate(words)}

    def nllb() -> Any:
        return transformers.NllbTokenizer(vocab=vocabulary, merges=[])

    with pytest.raises(TrainingError, match=r"Set task\.target_language") as refused:
        choose_languages(nllb(), "eng_Latn", "")
    assert "none is chosen" in str(refused.value)
    tokenizer = nllb()
    choose_languages(tokenizer, "eng_Latn", "eng_Latn")
    assert tokenizer(text_target="")["input_ids"][0] == tokenizer.convert_tokens_to_ids("eng_Latn")


def test_outputs_that_are_not_numbers_are_told_in_a_sentence(tokenizer: Any) -> None:
    model: Any = transformers.AutoModelForCausalLM.from_config(KINDS["llama"]).eval()
    model.lm_head.weight.data.fill_(torch.nan)

    def write() -> list[str]:
        return continued(model, tokenizer, [[5], [6]], Sampling(4, 0.8, 0.95), longest=32)

    with pytest.raises(NotFinite, match="not numbers"):
        write()
    with pytest.raises(NotFinite):
        streamed(model, tokenizer, [5], Sampling(4, 0.8, 0.95), print, lambda: False)
    shown = or_why_not(write, 2)
    assert shown == ["(The outputs of the network are not numbers (NaN or infinite), so it writes "
                     "no text.)"] * 2  # fmt: skip


@pytest.mark.parametrize("name", ["weight", "train", "training"])
def test_answers_that_are_not_to_be_trained_are_context(name: str) -> None:
    kept, left = ({"role": "assistant", "content": "a", name: value} for value in (True, False))
    assert is_learned(kept)
    assert not is_learned(left)
    assert is_learned({"role": "assistant", "content": "a", name: None})


@pytest.mark.parametrize(
    "turn",
    [
        {"from": "gpt", "value": "a"},
        {"from": "gpt", "text": "a"},
        {"role": "model", "parts": [{"text": "a"}]},
        {"role": "assistant", "content": None, "value": "a"},
    ],
)
def test_the_text_of_a_turn_is_found_under_each_of_its_keys(turn: dict[str, Any]) -> None:
    assert turns_of([turn]) == [{"role": "assistant", "content": "a"}]


def test_a_thought_that_the_template_leaves_out_is_counted(tokenizer: Any) -> None:
    other = bpe_from(train_bpe(["a b c"], 300))
    other.chat_template = "{% for m in messages %}{{ m.content }};{% endfor %}"
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    thought = [turns[0], {**turns[1], "reasoning_content": "because"}]
    marked = [ChatPrompts(other).marked({"messages": given})[0] for given in (turns, thought)]
    assert [one.shortened for one in marked] == [False, True]


@pytest.mark.parametrize(
    ("row", "form", "columns"),
    [
        ({"problem": "q", "solution": "a"}, "pairs", ["problem", "solution"]),
        ({"user": "q", "assistant": "a"}, "pairs", ["user", "assistant"]),
        ({"human": "q", "bot": "a"}, "pairs", ["human", "bot"]),
        ({"messages": '[{"role": "user", "content": [{"type": "image"}]}]'}, "messages",
         ["messages"]),
        ({"id": "1", "data": "x"}, "text", ["id"]),
    ],
)  # fmt: skip
def test_columns_are_found_by_their_usual_names(
    row: dict[str, str], form: str, columns: list[str]
) -> None:
    roles = roles_in(pa.Table.from_pylist([row]), CausalLmConfig())
    assert (roles.form, roles.columns) == (form, columns)


def test_a_gemma_2_is_computed_with_its_soft_capping() -> None:
    config = transformers.Gemma2Config(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    network = transformers.Gemma2ForCausalLM(config)
    network.config._attn_implementation = "sdpa"  # as up to transformers 5.20
    choose_attention(network, "auto", choose(ComputeConfig(device="cpu")))
    assert attention_of(network) == "eager"
    with pytest.raises(TrainingError, match="do not compute attention by sdpa"):
        choose_attention(network, "sdpa", choose(ComputeConfig(device="cpu")))
