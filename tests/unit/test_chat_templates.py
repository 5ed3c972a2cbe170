"""Conversations in the forms of chat templates, and what is learned of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
import transformers

from engine.data.labels import IGNORED
from engine.errors import DataError, TrainingError
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.conversation import end_of_turn, rendered
from engine.text.chat.instructions import Instructions
from engine.text.chat.plain_prompts import PlainPrompts
from engine.text.chat.templates import KNOWN, as_trained, use_template
from engine.text.chat.usable_samples import usable
from engine.text.generation.prompt_tokens import prompt_tokens, written_prompts
from engine.text.tokens.bpe import bpe_from, train_bpe

MARKS = [mark for template in KNOWN.values() for mark in template.marks]
SYSTEM = {"role": "system", "content": "Be brief."}
TURNS = [
    {"role": "user", "content": "colour?"}, {"role": "assistant", "content": "green"},
    {"role": "user", "content": "sure?"}, {"role": "assistant", "content": "yes"},
]  # fmt: skip
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""In the manner of models that think: only the last answer has the place of a thought."""
MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}A:{% generation %} {{ m['content'] }};"
    "{% endgeneration %}{% else %}{{ loop.length }}{{ m['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}A:{% endif %}"
)
"""It says itself where answers are; by its text alone they could not be found, as the number of
turns stands in it."""


def tokenizer_with(template: str | None = None, marks: list[str] = MARKS) -> Any:
    tokenizer = bpe_from(train_bpe(["What colour is grass? green, sure, yes"], 400, marks))
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


def named(name: str) -> Any:
    tokenizer = tokenizer_with()
    use_template(tokenizer, name)
    return tokenizer


def samples_of(prompts: Any, row: dict[str, Any], length: int = 400, **options: Any) -> Any:
    read = Instructions(prompts.tokenizer, length, True, prompts, **options)
    return read({name: [value] for name, value in row.items()})


def learned(tokenizer: Any, samples: Any) -> list[str]:
    return [
        tokenizer.decode([label for label in labels if label != IGNORED])
        for labels in samples["labels"]
    ]


FORMS = {
    "roles": (
        "<|system|>\nBe brief.<|endoftext|>\n<|user|>\ncolour?<|endoftext|>\n"
        "<|assistant|>\ngreen<|endoftext|>\n",
        "<|assistant|>\n",
    ),
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\ncolour?<|im_end|>\n"
        "<|im_start|>assistant\ngreen<|im_end|>\n",
        "<|im_start|>assistant\n",
    ),
    "llama3": (
        "<|endoftext|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\ncolour?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\ngreen<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "gemma": (
        "<|endoftext|><start_of_turn>user\nBe brief.\n\ncolour?<end_of_turn>\n"
        "<start_of_turn>model\ngreen<end_of_turn>\n",
        "<start_of_turn>model\n",
    ),
    "mistral": (
        "<|endoftext|>[INST] Be brief.\n\ncolour?[/INST] green<|endoftext|>",
        "",
    ),
    "qwen": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\ncolour?<|im_end|>\n"
        "<|im_start|>assistant\ngreen<|im_end|>\n",
        "<|im_start|>assistant\n",
    ),
}
"""A conversation in each form, and what asks for the next answer, written by hand."""


@pytest.mark.parametrize("name", KNOWN)
def test_a_template_by_name_writes_the_form_of_its_family(name: str) -> None:
    tokenizer = named(name)
    whole, asks = FORMS[name]
    assert rendered(tokenizer, [SYSTEM, *TURNS[:2]]).text == whole
    assert rendered(tokenizer, [SYSTEM, *TURNS[:2]], ask=True).text == whole + asks


def test_qwen_has_a_system_turn_where_the_conversation_has_none() -> None:
    assert rendered(named("qwen"), TURNS[:1]).text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\ncolour?<|im_end|>\n"
    )


ENDS = {
    "roles": "<|endoftext|>", "chatml": "<|im_end|>", "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>", "mistral": "<|endoftext|>", "qwen": "<|im_end|>",
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_the_end_of_each_answer_is_learned_and_known(name: str) -> None:
    tokenizer = named(name)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": TURNS})
    [text] = learned(tokenizer, samples)
    blank = " " if name == "mistral" else ""
    parts = [f"{blank}{answer}{ENDS[name]}" for answer in ("green", "yes")]
    assert text.replace("\n", "") == "".join(parts)
    assert tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)) == ENDS[name]


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("weights", [(1, 1), (0, 1), (1, 0)])
def test_of_two_answers_in_a_row_each_is_learned_by_its_own(
    name: str, weights: tuple[int, int]
) -> None:
    answers = [
        {"role": "assistant", "content": text, "weight": weight}
        for text, weight in zip(("green", "sure"), weights, strict=True)
    ]
    prompts = ChatPrompts(named(name))
    samples = samples_of(prompts, {"messages": [TURNS[0], *answers]})
    [end] = [prompts.tokenizer.decode(end) for end in [end_of_turn(prompts.tokenizer)]]
    [text] = learned(prompts.tokenizer, samples)
    said = [one["content"] for one in answers if one["weight"]]
    assert "".join(text.split()) == "".join(f"{one}{end}" for one in said)


@pytest.mark.parametrize("name", KNOWN)
def test_an_exported_template_writes_the_prompts_of_training(name: str, tmp_path: Path) -> None:
    tokenizer = named(name)
    as_trained(tokenizer, True).save_pretrained(tmp_path)
    exported = transformers.AutoTokenizer.from_pretrained(tmp_path)
    turns = [SYSTEM, *TURNS[:3]]
    prompts = ChatPrompts(tokenizer)
    asked = prompts.prompt({"messages": turns})
    text = exported.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == asked.text + asked.blanks
    whole = exported.apply_chat_template([SYSTEM, *TURNS], tokenize=False)
    assert prompts.marked({"messages": [SYSTEM, *TURNS]})[0].text == whole


def test_a_tokenizer_without_the_marks_of_a_template_is_told_which_fit() -> None:
    tokenizer = tokenizer_with(marks=["<|im_start|>", "<|im_end|>"])
    with pytest.raises(TrainingError, match=r"no token <start_of_turn>.*roles or chatml or mist"):
        use_template(tokenizer, "gemma")


def test_pairs_are_turns_with_their_input_history_and_system_prompt() -> None:
    prompts = ChatPrompts(named("chatml"), pairs=True)
    row = {
        "prompt": "Add", "input": "1 2", "completion": "3", "system": "Be brief.",
        "history": [["a", "b"]],
    }  # fmt: skip
    [marked] = prompts.marked(row)
    begin, end = "<|im_start|>", "<|im_end|>\n"
    asked = (
        f"{begin}system\nBe brief.{end}{begin}user\na{end}{begin}assistant\nb{end}"
        f"{begin}user\nAdd\n1 2{end}{begin}assistant\n"
    )
    assert marked.text == f"{asked}3{end}"
    assert [marked.text[slice(*span)] for span in marked.spans] == [f"3{end}"]
    assert prompts.prompt(row).text == asked


def test_answers_are_where_the_template_says_that_they_are() -> None:
    tokenizer = tokenizer_with(MARKED)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": TURNS})
    assert learned(tokenizer, samples) == [" green; yes;<|endoftext|>"]


def test_an_answer_of_weight_nought_is_not_learned_though_the_template_marks_it() -> None:
    tokenizer = tokenizer_with(MARKED)
    turns = [TURNS[0], TURNS[1] | {"weight": 0}, *TURNS[2:]]
    samples = samples_of(ChatPrompts(tokenizer), {"messages": turns})
    assert learned(tokenizer, samples) == [" yes;<|endoftext|>"]


def test_answers_that_are_rewritten_later_are_learned_as_they_are_asked_for() -> None:
    tokenizer = tokenizer_with(THINKING)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": TURNS, "row": 7})
    thought = "<think>\n\n</think>\n\n"
    assert learned(tokenizer, samples) == [
        f"{thought}green<|im_end|>\n", f"{thought}yes<|im_end|>\n",
    ]  # fmt: skip
    # The history of the second is as the template writes it then: without the thought.
    assert tokenizer.decode(samples["input_ids"][1]).startswith(
        "<|im_start|>user\ncolour?<|im_end|>\n<|im_start|>assistant\ngreen<|im_end|>\n"
    )
    assert samples["row"] == [7, 7]
    _, told = usable(datasets.Dataset.from_dict(samples), 400, "drop")
    assert str(told[0]).startswith("1 conversation became 2 samples")


def test_a_template_that_asks_in_another_form_than_it_writes_is_refused() -> None:
    asks = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(DataError, match="writes answers otherwise than it asks"):
        ChatPrompts(tokenizer_with(asks)).marked({"messages": TURNS[:2]})


LAST = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}<s>"
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ system if loop.last else '' }}"
    "{{ m.content }}[/INST]{% else %} {{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
"""In the manner of Mistral 7B v0.3 and Nemo: the system prompt stands in the last message alone."""


@pytest.mark.parametrize(
    "answers", [("green", "yes"), ("green\n", "colour?[/INST]"), ("a", "sure?")]
)
def test_answers_are_learned_behind_the_system_prompt_of_their_request(
    answers: tuple[str, str],
) -> None:
    prompts = ChatPrompts(tokenizer_with(LAST))
    turns = [SYSTEM, TURNS[0], {**TURNS[1], "content": answers[0]},
             TURNS[2], {**TURNS[3], "content": answers[1]}]  # fmt: skip
    end, first, second = "<|endoftext|>", answers[0].strip(), answers[1]
    before = "<s>[INST] Be brief.\n\ncolour?[/INST]"
    later = f"<s>[INST] colour?[/INST] {first}{end}[INST] Be brief.\n\nsure?[/INST]"
    for marked, text, place, answer in zip(
        prompts.marked({"messages": turns}), (before, later), (2, 4), (first, second), strict=True
    ):
        assert marked.text == f"{text} {answer}{end}"
        assert [marked.text[slice(*span)] for span in marked.spans] == [f" {answer}{end}"]
        assert prompts.prompt({"messages": turns[:place]}).text == text
        assert not marked.shortened
        assert not marked.unsaid


def test_conversations_without_a_system_prompt_stay_one_sample() -> None:
    [marked] = ChatPrompts(tokenizer_with(LAST)).marked({"messages": TURNS})
    assert len(marked.spans) == 2


def test_thoughts_that_a_template_does_not_ask_for_are_named() -> None:
    asks_without = (
        "{% for m in messages %}{{ m['role'] }}:{% if m['role'] == 'assistant' %}<think>"
        "{{ m['reasoning_content'] }}</think>{% endif %}{{ m['content'] }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant:<think></think>{% endif %}"
    )
    prompts = ChatPrompts(tokenizer_with(asks_without))
    asked, answer = TURNS[0], {**TURNS[1], "reasoning_content": "grass is green"}
    assert prompts.marked({"messages": [asked, TURNS[1]]})
    with pytest.raises(DataError, match=r"answers with a thought .* Take the thoughts out, or set"):
        prompts.marked({"messages": [asked, answer]})


def test_a_template_that_leaves_out_answers_is_refused() -> None:
    """Those of models for images write parts of turns only."""
    prompts = ChatPrompts(tokenizer_with(
        "{% for m in messages %}{{ m['role'] }}{% for part in m['content'] %}{% if part is mapping "
        "%}{{ part['text'] }}{% endif %}{% endfor %};{% endfor %}"
    ))  # fmt: skip
    with pytest.raises(DataError, match="leaves out answers that are texts"):
        prompts.marked({"messages": TURNS})
    with pytest.raises(DataError, match="leaves out answers that are texts"):
        end_of_turn(prompts.tokenizer)


@pytest.mark.parametrize("answer", ["It is 42.", "yes"])
def test_a_turn_that_the_template_leaves_out_is_told_whatever_is_answered(answer: str) -> None:
    """Phi-4's template writes no results of tools, though an answer may repeat one."""
    asks = KNOWN["chatml"].text.replace("in messages %}", "in messages if m.role != 'tool' %}")
    tokenizer = tokenizer_with(asks.replace("for message", "for m").replace("message[", "m["))
    turns = [TURNS[0], {"role": "tool", "content": "42"}, {**TURNS[1], "content": answer}]
    [marked] = ChatPrompts(tokenizer).marked({"messages": turns})
    assert marked.unsaid
    [marked] = ChatPrompts(tokenizer).marked({"messages": [*TURNS[:2], *TURNS[:2]]})
    assert not marked.unsaid


def test_what_follows_the_last_answer_is_not_used() -> None:
    tokenizer = named("chatml")
    [marked] = ChatPrompts(tokenizer).marked({"messages": TURNS[:3]})
    assert marked.text == rendered(tokenizer, TURNS[:2]).text


def test_a_developers_turn_is_one_of_the_system_where_the_template_knows_no_developer() -> None:
    turns = [{"role": "developer", "content": "Be brief."}, *TURNS[:2]]
    tokenizer = named("chatml")
    assert rendered(tokenizer, turns).text == rendered(tokenizer, [SYSTEM, *TURNS[:2]]).text
    tokenizer.chat_template = "{# developer #}{% for m in messages %}{{ m['role'] }};{% endfor %}"
    assert rendered(tokenizer, turns).text == "developer;user;assistant;"


def test_rows_that_the_template_refuses_are_left_out_and_told() -> None:
    refuses = "{% if 'bad' in messages[0]['content'] %}{{ raise_exception('no bad') }}{% endif %}"
    tokenizer = tokenizer_with(refuses + KNOWN["chatml"].text)
    bad, worse = ([{"role": "user", "content": text}, TURNS[1]] for text in ("bad", "bad one"))
    read = Instructions(tokenizer, 100, True, ChatPrompts(tokenizer))
    samples = read({"messages": [TURNS, bad, TURNS, worse], "row": [0, 1, 2, 3]})
    kept, told = usable(datasets.Dataset.from_dict(samples), 100, "drop")
    assert len(kept) == 2
    assert [str(note) for note in told] == [
        "2 rows left out (the first is row 2): the chat template of this model refuses them: "
        "no bad."
    ]
    with pytest.raises(DataError, match="No row can be learned"):
        usable(datasets.Dataset.from_dict(read({"messages": [bad], "row": [0]})), 100, "drop")


@pytest.mark.parametrize(
    ("too_long", "texts"), [("drop", ["green<|im_end|>\n"]), ("cut", ["green<|im_end|>\nzq"])]
)
def test_an_answer_that_does_not_fit_is_dropped_or_cut(too_long: Any, texts: list[str]) -> None:
    tokenizer = named("chatml")
    turns = [*TURNS[:3], {"role": "assistant", "content": "zqj"}]  # three tokens
    tokens = tokenizer(rendered(tokenizer, turns).text, add_special_tokens=False)["input_ids"]
    place = tokens.index(tokenizer("z", add_special_tokens=False)["input_ids"][0])
    samples = samples_of(
        ChatPrompts(tokenizer), {"messages": turns, "row": 4}, place + 1, too_long=too_long
    )
    assert learned(tokenizer, samples) == texts
    _, told = usable(datasets.Dataset.from_dict(samples), place + 1, too_long)
    assert str(told[0]).startswith(
        "1 of 1 samples have an answer that reaches beyond task.max_length"
    )
    assert "the first is row 5" in str(told[0])


def test_an_answer_that_ends_at_the_limit_is_whole() -> None:
    tokenizer = tokenizer_with()
    prompts = PlainPrompts(tokenizer.eos_token, "\n")
    read = Instructions(tokenizer, 10_000, True, prompts)
    row = {"prompt": ["colour?"], "completion": ["green"]}
    length = len(read(row)["input_ids"][0])
    exact = Instructions(tokenizer, length, True, prompts, "drop")(row)
    short = Instructions(tokenizer, length - 1, True, prompts, "drop")(row)
    assert (learned(tokenizer, exact), exact["cut"]) == (["green<|endoftext|>"], [False])
    assert (learned(tokenizer, short), short["cut"]) == ([""], [True])


def test_what_a_template_leaves_out_of_answers_is_told() -> None:
    thoughts = KNOWN["chatml"].text.replace(
        "message['content']", "message['content'].split('</think>')[-1]"
    )
    prompts = ChatPrompts(tokenizer_with(thoughts))
    thought = [TURNS[0], {"role": "assistant", "content": "<think>hm</think> green"}]
    read = Instructions(prompts.tokenizer, 200, True, prompts)
    samples = read({"messages": [TURNS[:2], thought], "row": [0, 1]})
    assert learned(prompts.tokenizer, samples) == ["green<|im_end|>\n", " green<|im_end|>\n"]
    _, told = usable(datasets.Dataset.from_dict(samples), 200, "drop")
    assert str(told[0]).startswith(
        "1 of 2 samples lack something of their answers (the first is row 2)"
    )


BEGUN = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{{ m['content'].split('</think>')[-1] if m['role'] == 'assistant' else m['content'] }}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""In the manner of DeepSeek-R1: the prompt begins a thought, and no answer keeps one."""


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ({"content": "<think>\nhm\n</think>\n\nyes"}, "hm\n</think>\n\nyes<|im_end|>\n"),
        ({"content": "<think>hm</think>yes"}, "hm</think>yes<|im_end|>\n"),
        ({"content": "yes"}, "\n</think>\n\nyes<|im_end|>\n"),
        ({"content": "yes", "reasoning_content": "hm"}, "hm\n</think>\n\nyes<|im_end|>\n"),
    ],
)
def test_an_answer_is_learned_behind_the_thought_that_its_prompt_begins(
    answer: dict[str, str], written: str
) -> None:
    prompts = ChatPrompts(tokenizer_with(BEGUN))
    turns = [*TURNS[:3], {"role": "assistant", **answer}]
    samples = samples_of(prompts, {"messages": turns})
    assert learned(prompts.tokenizer, samples) == [
        "\n</think>\n\ngreen<|im_end|>\n",
        written,
    ]
    last = prompts.marked({"messages": turns})[-1]
    assert last.text.startswith(prompts.prompt({"messages": turns[:3]}).text)
    assert "<|im_start|>assistant\ngreen<|im_end|>" in last.text
    assert samples["shortened"] == [False, False]


def test_what_a_template_leaves_out_of_the_turns_before_answers_is_told() -> None:
    deaf = KNOWN["chatml"].text.replace("in messages %}", "in messages if m.role != 'system' %}")
    prompts = ChatPrompts(tokenizer_with(deaf.replace("m.role", "message.role")))
    read = Instructions(prompts.tokenizer, 200, True, prompts)
    samples = read({"messages": [TURNS[:2], [SYSTEM, *TURNS[:2]], TURNS], "row": [0, 1, 2]})
    assert samples["unsaid"] == [False, True, False]
    _, told = usable(datasets.Dataset.from_dict(samples), 200, "drop")
    assert str(told[0]).startswith(
        "1 of 3 samples lack something of the turns before their answers (the first is row 2)"
    )


@pytest.mark.parametrize("fault", ["1 / 0", "messages[0].content.nope()", "messages[:1] + 1"])
def test_whatever_a_template_raises_is_a_sentence(fault: str) -> None:
    tokenizer = tokenizer_with("{{ " + fault + " }}")
    with pytest.raises(DataError, match="The chat template of this model refuses"):
        rendered(tokenizer, TURNS)


def test_the_end_behind_what_a_template_marks_is_learned_with_it() -> None:
    behind = MARKED.replace(";{% endgeneration %}", "{% endgeneration %}<|im_end|>")
    tokenizer = tokenizer_with(behind)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": TURNS})
    assert learned(tokenizer, samples) == [" green<|im_end|> yes<|im_end|>"]


def test_an_answer_ends_with_the_text_where_the_template_writes_no_end() -> None:
    plain = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    tokenizer = tokenizer_with(plain + "{% if add_generation_prompt %}assistant: {% endif %}")
    assert end_of_turn(tokenizer) is None
    samples = samples_of(ChatPrompts(tokenizer), {"messages": TURNS})
    assert learned(tokenizer, samples) == [" green\n yes\n<|endoftext|>"]


def test_rows_without_a_prompt_are_counted_and_the_first_is_named() -> None:
    prompts = ChatPrompts(named("chatml"))
    bad = [{"role": "alien", "content": "a"}]
    with pytest.raises(DataError, match=r"2 rows of 3 .* \(the first is row 2\)\. .*'alien'"):
        written_prompts(prompts, [{"messages": TURNS}, {"messages": bad}, {"messages": []}])
    with pytest.raises(DataError, match=r"^A conversation cannot be read"):
        written_prompts(prompts, [{"messages": bad}])


@pytest.mark.parametrize("name", KNOWN)
def test_an_answer_that_begins_a_conversation_is_learned_without_what_stands_before_it(
    name: str,
) -> None:
    tokenizer = named(name)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": [TURNS[1], *TURNS[2:]]})
    [text] = learned(tokenizer, samples)
    blank = " " if name == "mistral" else ""
    parts = [f"{blank}{answer}{ENDS[name]}" for answer in ("green", "yes")]
    assert text.replace("\n", "") == "".join(parts)


def test_a_first_answer_behind_another_header_than_the_prompts_begins_at_its_words() -> None:
    prompts = ChatPrompts(tokenizer_with(BEGUN))
    samples = samples_of(prompts, {"messages": TURNS[1:2]})
    assert learned(prompts.tokenizer, samples) == ["green<|im_end|>\n"]


CALLING = (
    "{% for t in tools or [] %}{{ t.function.name }};{% endfor %}{% for m in messages %}"
    "<|im_start|>{{ m['role'] }}\n{% for c in m.tool_calls or [] %}"
    "{{ c.function.name }}({{ c.function.arguments | tojson }}){% endfor %}"
    "{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""It reads tools and calls in OpenAI's form alone, as those of Llama 3.1 and gpt-oss."""
CALL = {"name": "f", "arguments": {"a": 1}}
OF_OPENAI = {"type": "function", "function": CALL}


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": None, "tool_calls": [OF_OPENAI]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": json.dumps([CALL | {"arguments": '{"a": 1}'}])},
        {"role": "assistant", "function_call": CALL},
        {"from": "function_call", "value": json.dumps(CALL)},
        {"from": "function_call", "value": json.dumps([OF_OPENAI])},
    ],
)
@pytest.mark.parametrize(
    "tools", [[OF_OPENAI], [{"name": "f"}], json.dumps([{"name": "f"}]), ['{"name": "f"}']]
)
def test_templates_get_tools_and_calls_in_one_form(turn: dict[str, Any], tools: Any) -> None:
    prompts = ChatPrompts(tokenizer_with(CALLING))
    [marked] = prompts.marked({"messages": [TURNS[0], turn], "tools": tools})
    assert marked.text.startswith("f;<|im_start|>user")
    assert [marked.text[slice(*span)] for span in marked.spans] == ['f({"a": 1})<|im_end|>\n']


FORGETTING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}"
    "{% generation %}{% if loop.last %}<think>{{ m.reasoning_content }}</think>{% endif %}"
    "{{ m['content'] }}<|im_end|>{% endgeneration %}{% else %}{{ m['content'] }}<|im_end|>"
    "{% endif %}\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""In the manner of LFM 2.5: it marks answers, and leaves out the thoughts of all but the last."""
THOUGHTS = [turn | {"reasoning_content": "hm"} if turn["role"] == "assistant" else turn
            for turn in TURNS]  # fmt: skip


def test_thoughts_that_a_template_with_marks_drops_later_are_learned() -> None:
    tokenizer = tokenizer_with(FORGETTING)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": THOUGHTS})
    assert learned(tokenizer, samples) == [
        "<think>hm</think>green<|im_end|>", "<think>hm</think>yes<|im_end|>",
    ]  # fmt: skip
    assert tokenizer.decode(samples["input_ids"][1]).startswith(
        "<|im_start|>user\ncolour?<|im_end|><|im_start|>assistant\ngreen<|im_end|><|im_start|>"
    )


def test_a_conversation_whose_beginning_a_template_refuses_is_learned_as_a_whole() -> None:
    asks = "{% if messages[-1].content == 'hi' %}{{ raise_exception('no question') }}{% endif %}"
    tokenizer = tokenizer_with(asks + MARKED)
    greeted = [{"role": "assistant", "content": "hi"}, *TURNS[:2]]
    samples = samples_of(ChatPrompts(tokenizer), {"messages": greeted})
    assert learned(tokenizer, samples) == [" hi; green;<|endoftext|>"]


def test_the_tokens_of_a_long_conversation_are_made_a_few_times_and_not_once_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = named("chatml")
    read = Instructions._tokenized
    sizes: list[int] = []

    def counted(self: Instructions, marked: Any, begin: int, until: int) -> Any:
        sizes.append(until - begin)
        return read(self, marked, begin, until)

    monkeypatch.setattr(Instructions, "_tokenized", counted)
    samples = samples_of(ChatPrompts(tokenizer), {"messages": TURNS * 20}, 10_000)
    [text] = learned(tokenizer, samples)
    assert text == "green<|im_end|>\nyes<|im_end|>\n" * 20
    assert sum(sizes) < 2 * sizes[0]


@pytest.mark.parametrize("name", KNOWN)
def test_prompts_within_a_conversation_have_the_tokens_of_a_prediction(name: str) -> None:
    tokenizer = named(name)
    prompts = ChatPrompts(tokenizer)
    odd = [{**turn, "content": f" {turn['content']} <|im_end|> \n"} for turn in TURNS]
    [ids] = samples_of(prompts, {"messages": odd})["input_ids"]
    for count in (1, 3):
        asked = prompts.prompt({"messages": odd[:count]})
        [tokens] = prompt_tokens(tokenizer, [asked])
        assert ids[: len(tokens)] == tokens


SWITCHED = THINKING.replace("loop.last", "not enable_thinking | default(true)").replace(
    "assistant\n{% endif %}",
    "assistant\n{% if not enable_thinking | default(true) %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}",
)
"""Without thinking, all answers and the prompt have the empty place of a thought."""


@pytest.mark.parametrize("given", [{"enable_thinking": False}, '{"enable_thinking": false}'])
def test_rows_give_variables_to_their_template(given: Any) -> None:
    prompts = ChatPrompts(tokenizer_with(SWITCHED))
    row = {"messages": TURNS[:2], "chat_template_kwargs": given}
    asked = prompts.prompt(row)
    assert (asked.text + asked.blanks).endswith("assistant\n<think>\n\n</think>\n\n")
    [marked] = prompts.marked(row)
    assert marked.text.endswith("<think>\n\n</think>\n\ngreen<|im_end|>\n")
    assert [marked.text[slice(*span)] for span in marked.spans] == ["green<|im_end|>\n"]
    [plain] = prompts.marked({**row, "chat_template_kwargs": None})
    assert "<think>" not in plain.text


@pytest.mark.parametrize("given", [{"tools": []}, "yes", [1]])
def test_variables_that_are_none_of_a_template_are_a_fault(given: Any) -> None:
    prompts = ChatPrompts(tokenizer_with(SWITCHED))
    samples = samples_of(prompts, {"messages": TURNS[:2], "chat_template_kwargs": given})
    assert "chat_template_kwargs" in samples["fault"][0]


def test_a_template_that_demands_a_system_prompt_is_learned_behind_one() -> None:
    tokenizer = tokenizer_with(
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system prompt') }}"
        "{% endif %}" + THINKING
    )
    prompts = ChatPrompts(tokenizer)
    samples = samples_of(prompts, {"messages": [SYSTEM, *TURNS[:2]]})
    assert samples["fault"] == [""]
    assert learned(tokenizer, samples) == ["<think>\n\n</think>\n\ngreen<|im_end|>\n"]
    assert end_of_turn(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    [fault] = samples_of(prompts, {"messages": TURNS[:2]})["fault"]
    assert "no system prompt" in fault
