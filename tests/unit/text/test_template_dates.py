"""Chat templates that write the day: fixed, whatever the format of the call."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.utils import chat_template_utils

from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.template_dates import names_date, with_date
from engine.text.chat.templates import as_trained
from engine.text.tokens.bpe import bpe_from, train_bpe

FORM = "%A %-d %B %Y, %d/%m/%y 100%% %H:%M"
CALLS = [
    f"{{{{ strftime_now('{FORM}') }}}}",
    f'{{% set form = "{FORM}" %}}{{{{ strftime_now(form) }}}}',
    f"{{{{ strftime_now(format='{FORM}') }}}}",
    f"{{{{ strftime_now({FORM[:7]!r} ~ {FORM[7:]!r}) }}}}",
    f"{{% set clock = strftime_now %}}{{{{ clock('{FORM}') }}}}",
    f"{{% macro day() %}}{{{{ strftime_now(form) }}}}{{% endmacro %}}{{% set form = '{FORM}' %}}"
    f"{{{{ day() if strftime_now is defined else 'never' }}}}",
]
REST = ": {% for m in messages %}\n  {% if m %}{{ m.content }};{% endif %}\n{% endfor %}"
ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class Later(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Later:
        return cls(2031, 1, 1, 12, tzinfo=tz)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template_utils, "datetime", Later)


def tokenizer_with(template: Any) -> Any:
    tokenizer = bpe_from(train_bpe(["Saturday 3 February 2001 a b"], 300, ()))
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.usefixtures("later")
def test_a_call_of_the_clock_in_any_form_writes_the_day_that_is_fixed(
    call: str, tmp_path: Path
) -> None:
    expected = "Saturday 3 February 2001, 03/02/01 100% 00:00: a;"
    tokenizer = tokenizer_with(call + REST)
    assert names_date(tokenizer)
    assert ChatPrompts(tokenizer, "2001-02-03").prompt(ROW).text == expected
    assert ChatPrompts(tokenizer).prompt(ROW).text.startswith("Wednesday 1 January 2031, 01/01")
    as_trained(tokenizer, True, "2001-02-03").save_pretrained(tmp_path)
    exported = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = exported.apply_chat_template(ROW["messages"][:1], tokenize=False)
    assert text == expected


@pytest.mark.parametrize("begin", ["", "\n", "  {% if true %}x{% endif %}", " \n{{ 1 }}"])
def test_a_fixed_day_changes_no_blank_of_the_template(begin: str) -> None:
    plain = begin + "{% set form = '' %}|" + REST
    dated = begin + "{% set form = strftime_now('%%' ~ '')[1:] %}|" + REST
    assert with_date(dated, "2001-02-03").count("macro")
    texts = [ChatPrompts(tokenizer_with(t), "2001-02-03").prompt(ROW).text for t in (plain, dated)]
    assert texts[0] == texts[1]


def test_a_template_that_only_asks_whether_there_is_a_clock_names_no_day() -> None:
    template = "{{ 'a' if strftime_now is defined else 'b' }}" + REST
    assert not names_date(tokenizer_with(template))
    assert with_date(template, "2001-02-03") == template


@pytest.mark.usefixtures("later")
def test_each_of_several_named_templates_is_exported_with_the_day() -> None:
    tokenizer = tokenizer_with({"default": CALLS[0] + REST, "tool_use": "tools " + CALLS[1] + REST})
    fixed = as_trained(tokenizer, True, "2001-02-03")
    for tools, begin in ((None, "Saturday"), ([{"name": "look"}], "tools Saturday")):
        asked = {"tools": tools, "tokenize": False}
        assert fixed.apply_chat_template(ROW["messages"][:1], **asked).startswith(begin)
    assert as_trained(tokenizer, True) is tokenizer
