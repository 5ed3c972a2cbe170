"""Keys and commands of the settings: what they mean, and which are left out with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs.directory import RunDirectory
from tui.screens.user_commands import UserCommand, read_commands
from tui.settings import CommandSettings
from tui.terminal.keymap import FREE, Keymap, key_named, read_keymap


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("x", "x"), ("X", "X"), ("&", "ampersand"), ("?", "question_mark"), (",", "comma"),
        ("f5", "f5"), ("ctrl+x", "ctrl+x"), ("ctrl+f5", "ctrl+f5"), (" x ", "x"), ("ä", "ä"),
        ("", ""), (" ", ""), ("fn", ""), ("hyper+x", ""), ("ctrl+", ""), ("\x1b", ""),
    ],
)  # fmt: skip
def test_a_key_is_written_as_people_write_it(text: str, key: str) -> None:
    assert key_named(text) == key


def test_a_moved_key_stands_for_the_meaning_and_frees_the_old_one() -> None:
    keymap, problems = read_keymap({"stop": "f9", "undo": "ctrl+z"})
    assert problems == []
    assert (keymap.meant("f9"), keymap.meant("ctrl+z"), keymap.meant("s")) == ("s", "u", FREE)
    assert (keymap.shown("s"), keymap.shown("d")) == ("f9", "d")
    assert keymap.meant("d") == "d"


def test_two_keys_change_places() -> None:
    keymap, problems = read_keymap({"stop": "d", "delete": "s"})
    assert problems == []
    assert (keymap.meant("d"), keymap.meant("s")) == ("s", "d")


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"stop": "d"}, "keys.stop: 'd' is the key for delete (delete, take out, drop rows). "
                        "Choose another, or move keys.delete too."),
        ({"stop": "f9", "undo": "f9"}, "keys.stop: 'f9' is the key for undo "
                                     "(undo the last change, restore). "
                                     "Choose another, or move keys.undo too."),
        ({"halt": "f9"}, "keys.halt: no such name. docs/keys.md lists the names."),
        ({"undoo": "f9"}, "keys.undoo: no such name. Did you mean undo?"),
        ({"stop": "fn"}, "keys.stop: 'fn' is not the name of a key."),
        ({"stop": "enter"}, "keys.stop: 'enter' stays what it is in any program. Choose another."),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_moved_is_left_out_with_a_reason(wanted, problem) -> None:
    keymap, problems = read_keymap(wanted)
    assert problems == [problem]
    assert "s" not in keymap.own


def test_a_chain_of_conflicts_is_left_out_as_a_whole() -> None:
    keymap, problems = read_keymap({"delete": "t", "stop": "d"})  # t means to try a model
    assert keymap == Keymap()
    assert [problem.partition(":")[0] for problem in problems] == ["keys.delete", "keys.stop"]


def command(key: str = "f5", run: str = "du -sh {folder}") -> CommandSettings:
    return CommandSettings(key=key, run=run)


def test_words_of_a_command_stay_single_arguments(tmp_path: Path) -> None:
    folder = tmp_path / "a b; $(touch x)"
    folder.mkdir()
    run = RunDirectory(folder)
    (found,), problems = read_commands(
        {"size": command(run="tool --of='{run} {folder}' \"two words\" {folder}/log.txt")}, Keymap()
    )
    assert problems == []
    assert found.arguments(run) == [
        "tool", f"--of={folder.name} {folder}", "two words", f"{folder}/log.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (command(key="d"), "'d' is the key for delete (delete, take out, drop rows). "
                           "Choose another."),
        (command(key="fn"), "'fn' is not the name of a key."),
        (command(run="echo 'open"),
         "the command cannot be split into words: No closing quotation."),
        (command(run=" "), "no program is named by run."),
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_bound_is_left_out_with_a_reason(settings, problem) -> None:
    assert read_commands({"mine": settings}, Keymap()) == ([], [f"commands.mine: {problem}"])


def test_two_commands_have_two_keys_and_a_freed_key_can_be_taken() -> None:
    keymap, _ = read_keymap({"stop": "f9"})
    found, problems = read_commands({"one": command("s"), "two": command("s")}, keymap)
    assert found == [UserCommand("one", "s", ("du", "-sh", "{folder}"))]
    assert problems == ["commands.two: 's' is the key of the command one. Choose another."]
