"""Answers behind a thought that the prompt begins, and calls of tools in them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import DataError
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.tokens.bpe import bpe_from, train_bpe

END = "<|im_end|>"
CALL = {"type": "function", "function": {"name": "look", "arguments": {"at": "green"}}}
ASKED = {"role": "user", "content": "colour?"}

BODY = (
    "{{ m.content }}{% for c in m.tool_calls %}[{{ c.function.name }} {{ c.function.arguments.at }}"
    "]{% endfor %}<|im_end|>"
)
FORM = (
    "{% for m in messages %}{% if m.role == 'assistant' %}@BODY@{% else %}Q {{ m.content }};"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}A <think>\n{% endif %}"
)
PLAIN = FORM.replace("@BODY@", "A " + BODY)
"""No answer keeps the thought that the prompt begins."""
MARKED = FORM.replace("@BODY@", "{% generation %}A " + BODY + "{% endgeneration %}")
"""The same, with its answers marked from their header on, as in TRL's variants of DeepSeek's."""
EMPTY = FORM.replace("@BODY@", "A {% generation %}<think></think>" + BODY + "{% endgeneration %}")
"""With an empty thought in a spelling of its own, as in TRL's variants of Nemotron's."""


def prompts_of(template: str) -> ChatPrompts:
    tokenizer = bpe_from(train_bpe(["colour? green look yes"], 300, ["<|im_end|>"]))
    tokenizer.chat_template = template
    return ChatPrompts(tokenizer)


def learned(template: str, *turns: dict[str, Any]) -> list[str]:
    """What is learned of each sample, which must begin where its prompt ends."""
    prompts = prompts_of(template)
    found = prompts.marked({"messages": list(turns)})
    places = [place for place, turn in enumerate(turns) if turn["role"] == "assistant"]
    for marked, place in zip(found, places, strict=True):
        asked = prompts.prompt({"messages": list(turns[:place])})
        assert marked.text[: marked.spans[0][0]] + asked.blanks == asked.text + asked.blanks
    return [marked.text[slice(*marked.spans[0])] for marked in found]


@pytest.mark.parametrize("template", [PLAIN, MARKED, EMPTY])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"content": "green"}, f"\n</think>\n\ngreen{END}"),
        ({"content": "green \n"}, f"\n</think>\n\ngreen \n{END}"),
        ({"content": "green\n", "thinking": "hm"}, f"hm\n</think>\n\ngreen\n{END}"),
        ({"content": "green", "reasoning_content": "hm"}, f"hm\n</think>\n\ngreen{END}"),
        ({"content": "green", "thinking": "hm"}, f"hm\n</think>\n\ngreen{END}"),
        ({"content": "", "tool_calls": [CALL]}, f"\n</think>\n\n[look green]{END}"),
        ({"content": "green", "tool_calls": [CALL]}, f"\n</think>\n\ngreen[look green]{END}"),
        (
            {"content": None, "reasoning": "hm", "tool_calls": [CALL]},
            f"hm\n</think>\n\n[look green]{END}",
        ),
    ],
)
def test_an_answer_is_learned_behind_the_thought_of_its_prompt(
    template: str, answer: dict[str, Any], expected: str
) -> None:
    last = {"role": "assistant", **answer}
    again = {"role": "assistant", "content": "yes"}
    assert learned(template, ASKED, last) == [expected]
    later = learned(template, ASKED, again, ASKED, last)
    assert later == [f"\n</think>\n\nyes{END}", expected]


def test_an_answer_whose_prompt_ends_the_thought_is_refused_with_a_thought() -> None:
    closed = EMPTY.replace("A <think>\n{%", "A <think></think>{%").replace(
        "<think></think>{{ m", "<think>{{ m.reasoning_content }}</think>{{ m"
    )
    answer = {"role": "assistant", "content": "green"}
    prompts = prompts_of(closed)
    [marked] = prompts.marked({"messages": [ASKED, answer]})
    assert marked.text.endswith(f"<think></think>green{END}")
    with pytest.raises(DataError, match="writes answers with a thought otherwise"):
        prompts.marked({"messages": [ASKED, answer | {"reasoning_content": "hm"}]})


def test_calls_that_a_template_leaves_out_are_told() -> None:
    """DeepSeek-R1's writes calls of answers without a text only."""
    some = BODY.replace("m.tool_calls %}", "m.tool_calls if not m.content %}")
    prompts = prompts_of(PLAIN.replace(BODY, some))
    alone = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    [whole] = prompts.marked({"messages": [ASKED, alone]})
    [without] = prompts.marked({"messages": [ASKED, alone | {"content": "green"}]})
    assert (whole.shortened, without.shortened) == (False, True)


def test_a_template_that_joins_arguments_to_texts_gets_them_as_json() -> None:
    joined = "{{ '[' + c.function.name + ' ' + c.function.arguments + ']' }}"
    template = PLAIN.replace("[{{ c.function.name }} {{ c.function.arguments.at }}]", joined)
    answer = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert learned(template, ASKED, answer) == [f'\n</think>\n\n[look {{"at": "green"}}]{END}']


def test_a_template_that_asks_for_no_text_beside_calls_gets_none() -> None:
    template = PLAIN.replace(
        BODY, "{% if m['content'] is none %}" + BODY.replace("{{ m.content }}", "") + "{% else %}"
        "{{ m.content }}<|im_end|>{% endif %}",
    )  # fmt: skip
    answer = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert learned(template, ASKED, answer) == [f"\n</think>\n\n[look green]{END}"]
    said = {"role": "assistant", "content": ""}
    assert "None" not in prompts_of(template).marked({"messages": [ASKED, said]})[0].text
