"""A conversation with language models: streamed, stopped, continued, side by side."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.service.predict import answer as predicted
from engine.text.chat.template_variables import VARIABLES
from tui.app import DltuiApp
from tui.screens.chat.exchange import Exchange, Reply
from tui.screens.chat.rows import Line
from tui.screens.chat.screen import ChatScreen, sampling_of
from tui.screens.registry import try_screen
from tui.screens.try_it import TryItScreen

SIZES = [(80, 24), (120, 40)]
SMALL_FIRST = [SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def home(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder shared by the module: its runs are trained once."""
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    return trained_home


@pytest.fixture
def chats(trained: Any, tmp_path: Path) -> RunDirectory:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    path = tmp_path / "chats.jsonl"
    path.write_text((json.dumps({"messages": turns}) + "\n") * 40)
    run: RunDirectory = trained(
        "chats",
        {
            "task": {"kind": "causal_lm", "max_new_tokens": 8, "temperature": 0.0},
            "data": {"kind": "file", "path": str(path)},
            "model": {
                "kind": "transformer", "vocab_size": 300, "hidden_size": 16,
                "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0,
            },
            "train": {"max_steps": 40, "epochs": 40, "learning_rate": 0.01},
        },
    )  # fmt: skip
    return run


class Told:
    """A helper process that writes one word at a time, each when it is let."""

    def __init__(
        self,
        *words: str,
        has_base: bool = True,
        error: UserError | None = None,
        system: str = "",
        variables: str = "",
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.let = threading.Semaphore(0)
        self.loaded = threading.Event()
        self.stops = 0
        self._words = words
        self._facts = {
            "context": {VARIABLES: VARIABLES} if variables else {},
            "values": {"system": system, VARIABLES: variables},
            "keeps_turns": True,
            "has_base": has_base,
        }
        self._stopped = False
        self._error = error

    def stream(
        self, question: str, heard: Callable[[dict[str, Any]], object], **arguments: Any
    ) -> dict[str, Any]:
        assert question == "chat"
        if "turns" not in arguments:
            self.loaded.wait(30)
            if self._error:
                raise self._error
            return self._facts
        self.asked.append(arguments)
        text, ending, self._stopped = "", "end", False
        for word in self._words:
            self.let.acquire(timeout=30)
            if self._stopped:
                ending = "stopped"
                break
            text += word
            heard({"text": text})
        return {"text": text, "tokens": len(text.split()), "seconds": 0.5, "ending": ending,
                "notes": []}  # fmt: skip

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        raise NotImplementedError(question, arguments)

    def stop(self) -> None:
        self.stops += 1
        self._stopped = True
        self.let.release()

    def close(self) -> None:
        """Nothing to close."""


def ready(*words: str, **facts: Any) -> Told:
    """One whose model is loaded and who answers at once."""
    talk = Told(*words, **facts)
    talk.loaded.set()
    for _ in range(1000):
        talk.let.release()
    return talk


async def opened(pilot: Pilot[Any], screen: ChatScreen, until: Any) -> None:
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and list(screen.query(Line)))
    await until(pilot, lambda: screen.query(Line).first().has_focus)


def turns(talk: Told, number: int) -> list[str]:
    return [turn["content"] for turn in talk.asked[number]["turns"]]


@pytest.mark.parametrize("size", SMALL_FIRST)
async def test_a_model_answers_as_predict_does_from_the_list(chats, until, text_of, size) -> None:
    expected = predicted(chats.id, rows=["hello"])["records"][0]["continuation"].strip()
    async with DltuiApp().run_test(size=size) as pilot:
        await until(pilot, lambda: "chats" in text_of(pilot))
        await pilot.press("slash", *"chats", "enter", "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChatScreen))
        await pilot.press(*"hello", "enter")
        await until(pilot, lambda: "tokens/s" in text_of(pilot))
        shown = [line.strip() for line in text_of(pilot).splitlines()]
        assert shown[shown.index("› hello") + 1] == expected == "hi"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ChatScreen))


async def test_the_palette_has_the_keys_of_the_conversation_and_none_for_typing(
    chats, until
) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, ready()), until)
        names = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {"Ask", "New chat", "Base", "Files"} <= names
        assert not {name for name in names if name.startswith(("Move cursor", "Delete"))}


async def test_text_appears_as_it_is_written(chats, until, text_of) -> None:
    talk = Told("one ", "two ", "three")
    talk.loaded.set()
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"hello", "enter")
        talk.let.release()
        await until(pilot, lambda: "one ▌" in text_of(pilot))
        talk.let.release()
        await until(pilot, lambda: "one two ▌" in text_of(pilot))
        talk.let.release()
        await until(pilot, lambda: "3 tokens · 6 tokens/s" in text_of(pilot))
        assert "▌" not in text_of(pilot)


async def test_escape_stops_the_answer_and_what_waits_and_the_screen_stays(
    chats, until, text_of
) -> None:
    talk = Told("one ", "two ", "three")
    talk.loaded.set()
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"a", "enter", *"b", "enter")
        talk.let.release()
        await until(pilot, lambda: "one ▌" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "1 token · 2 tokens/s · stopped" in text_of(pilot))
        assert "not sent" in text_of(pilot)
        assert isinstance(pilot.app.screen, ChatScreen)
        assert len(talk.asked) == 1
        await pilot.press(*"c", "enter")
        await until(pilot, lambda: len(talk.asked) == 2)
        assert turns(talk, 1) == ["a", "one ", "c"]


async def test_messages_typed_while_the_model_loads_are_answered_in_order(chats, until) -> None:
    talk = Told("yes")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"a", "enter", *"b", "enter")
        await pilot.pause()
        assert not talk.asked
        for _ in range(2):
            talk.let.release()
        talk.loaded.set()
        await until(pilot, lambda: len(talk.asked) == 2)
    assert turns(talk, 0) == ["a"]
    assert turns(talk, 1) == ["a", "yes", "b"]


async def test_settings_and_system_prompt_are_sent_and_a_new_chat_forgets(chats, until) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press("down", *"be brief", "down", *"0.5", "down", *"0.9", "tab", *"12")
        await pilot.press("down", "down", *"a", "enter")
        await until(pilot, lambda: len(talk.asked) == 1)
        await pilot.press("ctrl+n", *"b", "enter")
        await until(pilot, lambda: len(talk.asked) == 2)
    assert talk.asked[0]["system"] == "be brief"
    seeds = [asked["sampling"].pop("seed") for asked in talk.asked]
    assert seeds[0] != seeds[1], "without a seed each answer is sampled anew"
    assert talk.asked[0]["sampling"] == {"temperature": 0.5, "top_p": 0.9, "max_new_tokens": 12}
    assert turns(talk, 1) == ["b"]


async def test_what_all_training_rows_had_is_offered_and_may_be_changed(
    chats, until, text_of
) -> None:
    talk = ready("yes", system="Be brief.\nBe kind.\n", variables='{"enable_thinking": false}')
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await until(pilot, lambda: "Be brief.␊Be kind." in text_of(pilot))
        assert '{"enable_thinking": false}' in text_of(pilot)
        await pilot.press(*"a", "enter")
        await until(pilot, lambda: len(talk.asked) == 1)
        await pilot.press("down", "down", "backspace", *"!", "up", "up", *"b", "enter")
        await until(pilot, lambda: len(talk.asked) == 2)
        system = pilot.app.screen.query(Line)[2]
        assert system.value == "Be brief.␊Be kind!"
        system.value = ""
        await pilot.press(*"c", "enter")
        await until(pilot, lambda: len(talk.asked) == 3)
    assert [asked["system"] for asked in talk.asked] == [None, "Be brief.\nBe kind!", ""]
    assert talk.asked[0]["context"] == {VARIABLES: '{"enable_thinking": false}'}


async def test_a_system_prompt_that_is_typed_while_the_model_loads_stays(chats, until) -> None:
    talk = Told("yes", system="Be brief.")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"a", "enter", "down", *"Sing.", "up", *"b", "enter")
        for _ in range(9):
            talk.let.release()
        talk.loaded.set()
        await until(pilot, lambda: len(talk.asked) == 2)
        assert pilot.app.screen.query(Line)[1].value == "Sing."
    assert [asked["system"] for asked in talk.asked] == [None, "Sing."]


async def test_a_setting_out_of_bounds_is_refused_by_name(chats, until, text_of) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press("down", "down", "down", *"7", "up", "up", "up", *"a", "enter")
        await until(pilot, lambda: "task.top_p" in text_of(pilot))
        assert not talk.asked
        assert pilot.app.screen.query(Line).first().value == "a", "the message is still there"


async def test_enter_without_a_message_is_answered_too(chats, until, text_of) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await until(pilot, lambda: "type, and press enter" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "nothing is typed yet: type, and press" in text_of(pilot))
        await pilot.press("down", "down", "down", *"7", "enter")
        await until(pilot, lambda: "task.top_p" in text_of(pilot))
        await pilot.press("backspace", "1", "up", "up", "up", *"a", "enter")
        await until(pilot, lambda: len(talk.asked) == 1)
        assert "nothing is typed yet" not in text_of(pilot)


@pytest.mark.parametrize(("text", "seed"), [("7", 7), ("0", 0)])
def test_a_seed_that_is_set_is_used(chats, text, seed) -> None:
    assert sampling_of(chats.config.read(), {"seed": text})["seed"] == seed


@pytest.mark.parametrize("text", ["-1", "x", "1.5", str(2**40)])
def test_a_seed_that_is_none_is_refused(chats, text) -> None:
    with pytest.raises(UserError, match="seed"):
        sampling_of(chats.config.read(), {"seed": text})


async def test_leaving_a_conversation_asks_and_enter_stays(chats, until, text_of) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        home = pilot.app.screen
        screen = ChatScreen(chats, talk)
        await opened(pilot, screen, until)
        await pilot.press(*"a", "enter")
        await until(pilot, lambda: screen.unsaved)
        await pilot.press("escape")
        await until(pilot, lambda: "Leave this conversation?" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("escape", "y")
        await until(pilot, lambda: pilot.app.screen is home)


async def test_the_base_answers_beside_the_tuned_model(chats, until, text_of) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press("ctrl+t", *"a", "enter")
        await until(pilot, lambda: text_of(pilot).count("tokens/s") == 2)
        replies = list(pilot.app.screen.query(Reply))
        assert f"base of {chats.id}" in text_of(pilot)
    assert replies[0].region.y == replies[1].region.y
    assert [asked["base"] for asked in talk.asked] == [False, True]


async def test_a_model_from_scratch_has_no_base_beside_it(chats, until, text_of) -> None:
    talk = ready("yes", has_base=False)
    async with DltuiApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await until(pilot, lambda: "type, and press enter" in text_of(pilot))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "trained from scratch" in text_of(pilot))


async def test_each_of_two_runs_has_its_own_earlier_answers(chats, until) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await opened(pilot, ChatScreen(chats, talk, [chats]), until)
        await pilot.press(*"a", "enter", *"b", "enter")
        await until(pilot, lambda: len(talk.asked) == 4)
    assert turns(talk, 3) == turns(talk, 2) == ["a", "yes", "b"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_end_of_a_long_answer_is_on_the_screen(chats, until, text_of, size) -> None:
    talk = ready(*[f"line {number}\n" for number in range(100)], "the end")
    async with DltuiApp().run_test(size=size) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"a", "enter")
        await until(pilot, lambda: "the end" in text_of(pilot) and "tokens/s" in text_of(pilot))
        await pilot.press("pageup")
        await until(pilot, lambda: "the end" not in text_of(pilot))


async def test_pasted_lines_are_sent_as_lines(chats, until) -> None:
    talk = ready("yes")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        pilot.app.focused.post_message(Paste("first\nsecond"))
        await until(pilot, lambda: pilot.app.screen.query(Line).first().value == "first␊second")
        await pilot.press("enter")
        await until(pilot, lambda: talk.asked)
    assert turns(talk, 0) == ["first\nsecond"]


async def test_what_models_write_is_harmless(chats, until, text_of) -> None:
    talk = ready("[@click=app.quit]a\x1b]0;b\x07\nc")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"a", "enter")
        await until(pilot, lambda: "[@click=app.quit]a␛]0;b␇" in text_of(pilot))


async def test_a_model_that_cannot_be_loaded_is_reported(chats, until, text_of) -> None:
    talk = Told(error=UserError("The base model is missing."))
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, ChatScreen(chats, talk), until)
        await pilot.press(*"a", "enter")
        await until(pilot, lambda: pilot.app.screen.query(Exchange))
        talk.loaded.set()
        await until(pilot, lambda: "The base model is missing." in text_of(pilot))
        assert "not sent" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ChatScreen))


def test_models_of_other_tasks_are_tried_by_rows(chats, flowers) -> None:
    assert isinstance(try_screen(chats), ChatScreen)
    assert isinstance(try_screen(flowers), TryItScreen)
    assert isinstance(try_screen(chats, [flowers]), TryItScreen)
