"""A key means the same on every screen."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import defaultdict
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import tui
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.terminal.vocabulary import BY_KEY, VOCABULARY

PAGE = Path(__file__).resolve().parents[2] / "docs/keys.md"
SAID = {
    "a": {"Select all", "More"},
    "b": {"Cursor to the best"},
    "c": {"Clone"},
    "d": {"Delete", "Delete for good", "Take out", "Drop"},
    "e": {"Where did it look?"},
    "f": {"Column types", "Format"},
    "g": {"First row", "First field", "First picture", "To the top"},
    "h": {
        "Previous chart", "Previous value", "Previous type", "Previous picture", "Earlier samples",
        "Scroll left", "Cursor left", "Likelier class",
    },
    "i": {"About the field"},
    "j": {"Row below", "Next chart", "Next field", "Scroll down"},
    "k": {"Row above", "Previous chart", "Previous field", "Scroll up"},
    "l": {
        "Next chart", "Next value", "Next type", "Next picture", "Later samples",
        "Scroll right", "Cursor right", "Next class",
    },
    "m": {"Metric", "Metrics, log", "Parameter"},
    "n": {"New", "New run", "New sweep", "New images"},
    "o": {"Sort"},
    "p": {"Data"},
    "q": {"Back", "Close", "Quit"},
    "r": {"Resume", "Start the queue"},
    "s": {"Stop", "Start no more"},
    "t": {"Try", "Try it", "Try, compare"},
    "u": {"Undo", "Undo change", "Restore"},
    "v": {"Images", "Augmented or as stored", "Split", "Level of the log"},
    "w": {"Smooth"},
    "x": {"Axis", "Axis: epoch, step, time"},
    "y": {"Log scale"},
    "z": {"One chart or several"},
    "A": {"Adapters"},
    "B": {"Benchmarks (eval)"},
    "C": {"Compare"},
    "D": {"Check", "Close"},
    "E": {"Epochs"},
    "F": {"Save predictions"},
    "G": {"Last row", "Last field", "Last picture", "To the end"},
    "H": {"Fetch from its host"},
    "I": {"Import runs of TensorBoard, W&B", "Merge", "Move into training"},
    "J": {"Later"},
    "K": {"Earlier"},
    "L": {"Rate"},
    "M": {"Previous metric", "Previous parameter"},
    "N": {"Tags and note"},
    "O": {"Reverse the order"},
    "P": {"Presets"},
    "Q": {"Queue"},
    "R": {"Write a report"},
    "S": {"Save as preset", "Save", "Make the best a preset"},
    "T": {"Trash"},
    "U": {"Push to the hub (upload)"},
    "V": {"Evaluate"},
    "W": {"Sweeps"},
    "X": {"Export", "Export the model"},
    "Y": {"Mark as right"},
    "Z": {"Empty"},
}  # fmt: skip
"""By letter: how the footers of the screens name its one meaning."""


def bindings() -> dict[str, set[str]]:
    """The descriptions of all bindings of the program, by key."""
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: defaultdict[str, set[str]] = defaultdict(set)
    classes = [DOMNode]
    for kind in classes:
        classes += [each for each in kind.__subclasses__() if each not in classes]
        # In a question, y and n are the answers, as in any program.
        if kind.__module__.startswith("tui.") and kind is not ConfirmScreen:
            for binding in Binding.make_bindings(vars(kind).get("BINDINGS", ())):
                found[binding.key].add(binding.description)
    return found


def test_a_letter_never_means_two_things() -> None:
    letters = {key: said for key, said in bindings().items() if len(key) == 1 and key.isalpha()}
    assert letters == SAID


def test_each_letter_and_each_key_with_ctrl_has_a_meaning() -> None:
    usual = {"ctrl+c", "ctrl+v", "ctrl+x"}
    letters = {key for key in bindings() if len(key) == 1 and key.isalpha()}
    keys = letters | {key for key in bindings() if key.startswith("ctrl+")}
    assert keys - usual <= set(BY_KEY)
    assert len(BY_KEY) == len(VOCABULARY) == len({meaning.name for meaning in VOCABULARY})
    unused = set(BY_KEY) - set(bindings())
    assert not unused


@pytest.mark.parametrize("meaning", VOCABULARY, ids=lambda meaning: meaning.name)
def test_the_page_of_keys_has_each_meaning(meaning) -> None:
    signs = {
        "right_square_bracket": "]", "left_square_bracket": "[", "slash": "/", "plus": "+",
        "question_mark": "?", "exclamation_mark": "!", "ampersand": "&", "asterisk": "*",
        "dollar_sign": "$", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">",
        "equals_sign": "=",
    }  # fmt: skip
    key = re.escape(signs.get(meaning.key, meaning.key))
    row = rf"\| `{key}` \| `{meaning.name}` \| {re.escape(meaning.text)} \|"
    assert re.search(row, PAGE.read_text())
