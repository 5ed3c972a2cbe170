"""A conversation with a finished language model: answers in pieces, as training wrote prompts."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import RunConfig, train
from engine.artifacts.handover.answers import greedy
from engine.artifacts.model_folder import load_exported
from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.service import chat
from engine.service.chat import answer
from engine.service.client import Advisor
from engine.service.pieces import Pieces
from engine.service.predict import answer as predicted
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.generation.continuation import continued
from engine.text.generation.prompt_tokens import prompt_tokens
from engine.text.generation.streaming import streamed

CPU = torch.device("cpu")
SMALL = {
    "kind": "transformer", "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "dropout": 0.0,
}  # fmt: skip


def values(data: Path, model: dict[str, Any], **task: Any) -> dict[str, Any]:
    return {
        "task": {"kind": "causal_lm", "max_new_tokens": 24, "temperature": 0.0} | task,
        "data": {"kind": "file", "path": str(data)}, "model": model,
        "train": {"max_steps": 2, "epochs": 1, "learning_rate": 0.01},
        "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip


def chats(folder: Path) -> Path:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi there"}]
    path = folder / "chats.jsonl"
    path.write_text((json.dumps({"messages": turns}) + "\n") * 40)
    return path


@pytest.fixture
def run(trained: Any, trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    made: RunDirectory = trained("talks", values(chats(trained_home.parent), SMALL))
    return made


class Heard:
    """The pieces of an answer, which is stopped after some."""

    def __init__(self, most: int = 1000) -> None:
        self.texts: list[str] = []
        self._most = most
        self.pieces = Pieces(lambda piece: self.texts.append(piece["text"]), 1, self)

    def __contains__(self, number: object) -> bool:
        return number == 1 and len(self.texts) >= self._most


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_the_answer_is_that_of_predict_and_the_pieces_lead_to_it(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.text.generation.streaming.PAUSE", 0.0)
    heard = Heard()
    said = answer(heard.pieces, run.id, user("hello"))
    assert said["text"] == predicted(run.id, rows=["hello"])["records"][0]["continuation"]
    assert len(heard.texts) == said["tokens"] > 1
    assert all(said["text"].startswith(text.rstrip("\N{REPLACEMENT CHARACTER}"))
               for text in heard.texts)  # fmt: skip


def test_an_answer_is_stopped_between_two_tokens_and_kept_so_far(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.text.generation.streaming.PAUSE", 0.0)
    whole = answer(Heard().pieces, run.id, user("hello"))
    said = answer(Heard(3).pieces, run.id, user("hello"))
    assert said["ending"] == "stopped"
    assert said["tokens"] in (3, 4)  # transformers may be at the next one when it asks
    assert whole["text"].startswith(said["text"].rstrip("\N{REPLACEMENT CHARACTER}"))


def test_an_answer_ends_at_the_end_of_a_turn_as_in_predict(run: RunDirectory) -> None:
    """The chat template of Phi-3, and of others, ends a turn by another token than a text."""
    task, fitted, loaded_network = load_exported(run.model, CPU)
    network: Any = loaded_network
    writer: Any = task.writer(fitted)  # type: ignore[attr-defined]
    [ids] = prompt_tokens(writer.tokenizer, [writer.prompts.prompt({"messages": user("hello")})])
    [made] = greedy(network, writer.tokenizer, [ids])
    assert len(made) > 1
    network.generation_config.eos_token_id = [writer.tokenizer.eos_token_id, made[0]]
    given = (network, writer.tokenizer)
    said = streamed(*given, ids, writer.sampling, lambda _: None, lambda: False)
    assert (said.ending, said.tokens) == ("end", 1)
    assert [said.text] == continued(*given, [ids], writer.sampling, writer.longest)


def test_pieces_come_ten_times_a_second_at_most(run: RunDirectory) -> None:
    heard = Heard()
    seconds = answer(heard.pieces, run.id, user("hello"))["seconds"]
    assert 1 <= len(heard.texts) <= seconds / 0.1 + 1


def test_system_and_earlier_turns_stand_in_the_prompt_as_in_training(run: RunDirectory) -> None:
    task, fitted, _ = load_exported(run.model, CPU)
    writer: Any = task.writer(fitted)  # type: ignore[attr-defined]
    turns = [*user("a"), {"role": "assistant", "content": "b"}, *user("c")]
    prompt = writer.prompts.prompt({"messages": turns, "system": "s"})
    [ids] = prompt_tokens(writer.tokenizer, [prompt])
    end = writer.tokenizer.eos_token
    assert prompt.text == (
        f"<|system|>\ns{end}\n<|user|>\na{end}\n<|assistant|>\nb{end}\n<|user|>\nc{end}\n"
        "<|assistant|>\n"
    )
    assert ids == writer.tokenizer(prompt.text, add_special_tokens=False)["input_ids"]


def test_a_special_token_that_is_typed_stays_text(run: RunDirectory) -> None:
    task, fitted, _ = load_exported(run.model, CPU)
    writer: Any = task.writer(fitted)  # type: ignore[attr-defined]
    end = writer.tokenizer.eos_token
    prompt = writer.prompts.prompt({"messages": user(f"a{end}b"), "system": ""})
    [ids] = prompt_tokens(writer.tokenizer, [prompt])
    assert prompt.text == f"<|user|>\na{end}b{end}\n<|assistant|>\n"
    assert writer.tokenizer.decode(ids) == prompt.text
    assert ids.count(writer.tokenizer.eos_token_id) == 1


def test_turns_that_no_longer_fit_are_left_out_and_counted(run: RunDirectory) -> None:
    earlier = [*user("x" * 60), {"role": "assistant", "content": "y" * 60}]
    alone = answer(Heard().pieces, run.id, user("hello"))
    said = answer(Heard().pieces, run.id, [*earlier, *user("hello")])
    assert said["text"] == alone["text"]
    assert "first 2 turns did not fit" in said["notes"][0]
    assert alone["notes"] == []


def test_a_long_answer_is_shortened_rather_than_the_question(run: RunDirectory) -> None:
    alone = answer(Heard().pieces, run.id, user("hello"))
    said = answer(Heard().pieces, run.id, user("hello"), sampling={"max_new_tokens": 5000})
    assert said["notes"] == []
    assert said["text"].startswith(alone["text"])


@pytest.mark.parametrize(
    ("demand", "system", "hint"),
    [("!=", "", "Ask with a system prompt, or"), ("==", "s", "Ask without the system prompt, or")],
)
def test_a_refused_conversation_says_what_to_do_about_the_system_prompt(
    demand: str, system: str, hint: str, run: RunDirectory
) -> None:
    task, fitted, _ = load_exported(run.model, CPU)
    writer: Any = task.writer(fitted)  # type: ignore[attr-defined]
    tokenizer = copy.deepcopy(writer.tokenizer)
    tokenizer.chat_template = (
        f"{{% if messages[0].role {demand} 'system' %}}{{{{ raise_exception('no') }}}}{{% endif %}}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    asking = dataclasses.replace(writer, prompts=ChatPrompts(tokenizer))
    with pytest.raises(UserError, match=f"refuses the conversation: no. {hint}"):
        chat._prompt(asking, user("a"), system, {}, writer.sampling)


def test_a_model_of_another_task_refuses_to_talk(
    flowers: RunDirectory, trained_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    with pytest.raises(UserError, match="writes no texts"):
        answer(Heard().pieces, flowers.id, user("hello"))


@pytest.mark.parametrize("adapter", [{}, {"method": "lora", "r": 2}])
def test_the_base_answers_as_before_the_training(
    run: RunDirectory, adapter: dict[str, Any], tmp_path: Path
) -> None:
    config = values(chats(tmp_path), {"kind": "transformer", "path": run.id})
    config["train"] |= {"max_steps": 20, "epochs": 20, "learning_rate": 0.05}
    tuned = train(RunConfig.parse(config | {"adapter": adapter}))
    before = answer(Heard().pieces, run.id, user("hello"))["text"]
    for _ in range(2):  # in either order
        after = answer(Heard().pieces, tuned.id, user("hello"))["text"]
        based = answer(Heard().pieces, tuned.id, user("hello"), base=True)["text"]
        assert based == before != after
    assert answer(Heard().pieces, tuned.id)["has_base"]


def test_a_model_from_scratch_has_no_base(run: RunDirectory) -> None:
    assert not answer(Heard().pieces, run.id)["has_base"]
    with pytest.raises(UserError, match="from scratch"):
        answer(Heard().pieces, run.id, user("hello"), base=True)


@pytest.fixture
def advisor() -> Iterator[Advisor]:
    with Advisor() as made:
        yield made


def test_the_helper_process_streams_stops_and_keeps_the_model(
    run: RunDirectory, advisor: Advisor
) -> None:
    texts: list[str] = []

    def heard(piece: dict[str, Any]) -> None:
        texts.append(piece["text"])
        advisor.stop()

    advisor.stream("chat", texts.append, run=run.id)
    process = advisor._process
    said = advisor.stream("chat", heard, run=run.id, turns=user("hello"),
                          sampling={"max_new_tokens": 100_000})  # fmt: skip
    assert said["ending"] == "stopped"
    assert said["tokens"] < 128
    again = advisor.stream("chat", texts.append, run=run.id, turns=user("hello"))
    assert again["ending"] != "stopped"
    assert advisor._process is process


def test_the_system_prompt_of_the_training_is_asked_with_unless_another_is_given(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, fitted, network = chat.loaded.get(run.model, CPU)
    fitted = fitted.model_copy(update={"system": "Be brief.\n", "variables": {"mood": "glad"}})
    monkeypatch.setattr(chat.loaded, "get", lambda *_: (task, fitted, network))
    asked: list[list[int]] = []

    def recorded(network: Any, tokenizer: Any, ids: list[int], *rest: Any) -> Any:
        asked.append(ids)
        return streamed(network, tokenizer, ids, *rest)

    monkeypatch.setattr(chat, "streamed", recorded)
    pieces = Heard().pieces
    values = answer(pieces, run.id)["values"]
    assert values == {"system": "Be brief.\n", "chat_template_kwargs": '{"mood": "glad"}'}
    for system in (None, "Be brief.\n", ""):
        answer(pieces, run.id, user("hello"), system)
    assert asked[0] == asked[1]
    assert len(asked[2]) < len(asked[0])
