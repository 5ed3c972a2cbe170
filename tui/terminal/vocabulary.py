"""The meaning of each key, the same on every screen: for the list of keys and the user's own keys.

Keys that move (arrows, ``enter``, ``escape``, ``tab``, ``space``, digits) are the same in any
program, and stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["Move", "Run", "View"]
GROUPS: tuple[Group, ...] = ("Run", "View", "Move")
"""The groups of the list of keys, in their order: what one screen alone has stands first."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One key and what it does."""

    name: str
    """The name in the settings."""
    key: str
    """As Textual names it."""
    group: Group
    text: str
    """The meaning in a few words."""
    others: tuple[str, ...] = ()
    """Its names in other programs, in lower case: the list of actions finds it by these too."""


VOCABULARY = (
    Meaning("down", "j", "Move", "down"),
    Meaning("up", "k", "Move", "up"),
    Meaning("left", "h", "Move", "left, the previous value or class"),
    Meaning("right", "l", "Move", "right, the next value or class"),
    Meaning("first", "g", "Move", "to the top"),
    Meaning("last", "G", "Move", "to the end"),
    Meaning("page_down", "ctrl+f", "Move", "a page down"),
    Meaning("page_up", "ctrl+b", "Move", "a page up"),
    Meaning("half_page_down", "ctrl+d", "Move", "half a page down"),
    Meaning("half_page_up", "ctrl+u", "Move", "half a page up"),
    Meaning("best", "b", "Move", "cursor to the best evaluation"),
    Meaning("next_panel", "right_square_bracket", "Move", "next panel"),
    Meaning("previous_panel", "left_square_bracket", "Move", "previous panel"),
    Meaning("find", "slash", "Move", "filter, search, find by name", ("search", "grep")),
    Meaning("back", "q", "Move", "back; from the list of runs, quit"),
    Meaning("quit", "ctrl+q", "Move", "quit; runs continue", ("exit",)),
    Meaning("palette", "ctrl+p", "Move", "all actions by name"),
    Meaning("keys", "question_mark", "Move", "all keys of the screen", ("help", "shortcuts")),
    Meaning("messages", "exclamation_mark", "Move", "messages so far", ("notifications",)),
    Meaning("new", "n", "Run", "new run, sweep, images", ("create", "train")),
    Meaning("presets", "P", "Run", "presets", ("recipes", "templates")),
    Meaning("clone", "c", "Run", "clone the run", ("copy", "duplicate")),
    Meaning(
        "stop", "s", "Run", "stop the run, the sweep, the queue", ("cancel", "kill", "abort", "end")
    ),
    Meaning("resume", "r", "Run", "resume the run, the sweep, the queue", ("continue", "restart")),
    Meaning("evaluate", "V", "Run", "evaluate on the validation split now", ("validate", "eval")),
    Meaning("rate", "L", "Run", "change the learning rate", ("lr", "learning rate")),
    Meaning("epochs", "E", "Run", "change the epochs", ("extend", "longer")),
    Meaning("save", "S", "Run", "save a preset, a checkpoint", ("checkpoint", "write")),
    Meaning("try", "t", "Run", "try the model", ("test", "inference", "chat", "predict")),
    Meaning("predict", "F", "Run", "save predictions", ("inference", "csv", "parquet")),
    Meaning("fetch", "H", "Run", "fetch the run from its machine", ("download", "copy")),
    Meaning(
        "export",
        "X",
        "Run",
        "export the model, the table",
        ("onnx", "safetensors", "gguf", "model"),
    ),
    Meaning("report", "R", "Run", "write a report", ("html", "markdown", "summary")),
    Meaning("push", "U", "Run", "push to the hub", ("upload", "publish", "hub", "hugging face")),
    Meaning("benchmarks", "B", "Run", "benchmarks of lm-eval", ("harness", "lm-eval")),
    Meaning("queue", "Q", "Run", "the queue", ("jobs", "schedule")),
    Meaning("earlier", "K", "Run", "earlier in the queue"),
    Meaning("later", "J", "Run", "later in the queue"),
    Meaning("adapters", "A", "Run", "adapters", ("lora", "merge")),
    Meaning("into", "I", "Run", "merge into the base model, move into training, import runs"),
    Meaning("label", "Y", "Run", "mark labels as right"),
    Meaning("combine", "ampersand", "Run", "combine adapters"),
    Meaning("sweeps", "W", "Run", "sweeps", ("hyperparameter search", "optuna", "tune")),
    Meaning("compare", "C", "Run", "compare runs", ("difference", "overlay")),
    Meaning("pin", "asterisk", "Run", "pin", ("favorite", "star")),
    Meaning("note", "N", "Run", "tags and note", ("comment", "label", "annotate")),
    Meaning("delete", "d", "Run", "delete, take out, drop rows", ("remove", "trash")),
    Meaning("trash", "T", "Run", "trash", ("bin", "deleted", "restore")),
    Meaning("empty", "Z", "Run", "empty the trash"),
    Meaning("undo", "u", "Run", "undo the last change, restore", ("revert",)),
    Meaning("check", "D", "Run", "check the data, the model", ("validate", "lint", "inspect")),
    Meaning(
        "command", "dollar_sign", "Run", "the command line of the run", ("shell", "cli", "copy")
    ),
    Meaning(
        "measure",
        "equals_sign",
        "Run",
        "measure the time of a run",
        ("speed", "duration", "how long", "eta"),
    ),
    Meaning("start", "ctrl+r", "Run", "start the run", ("train", "run", "launch")),
    Meaning("enqueue", "ctrl+l", "Run", "put the run into the queue", ("queue", "later")),
    Meaning("write", "ctrl+s", "Run", "save as a preset, predictions, combined adapters"),
    Meaning("load", "ctrl+o", "Run", "load a preset, a file; choose a field"),
    Meaning("new_chat", "ctrl+n", "Run", "new conversation"),
    Meaning("base_model", "ctrl+t", "Run", "the base model beside the tuned one"),
    Meaning("all", "a", "View", "all: rows, fields"),
    Meaning("preview", "p", "View", "preview of the data"),
    Meaning("view", "v", "View", "images, split, level of the log"),
    Meaning("format", "f", "View", "types and formats of columns"),
    Meaning("about", "i", "View", "about the field"),
    Meaning("explain", "e", "View", "what a prediction rests on"),
    Meaning("explain_typed", "ctrl+g", "View", "what the newest prediction rests on"),
    Meaning("sort", "o", "View", "sort by the next column"),
    Meaning("reverse", "O", "View", "reverse the order"),
    Meaning("metric", "m", "View", "metrics: show them, the next one"),
    Meaning("previous_metric", "M", "View", "the previous metric"),
    Meaning("axis", "x", "View", "axis: epoch, step, time"),
    Meaning("log_scale", "y", "View", "logarithmic scale", ("logarithmic",)),
    Meaning("smooth", "w", "View", "smooth the curves", ("ema", "moving average")),
    Meaning("grid", "z", "View", "one chart or several", ("zoom", "enlarge")),
    Meaning("larger", "plus", "View", "larger"),
    Meaning("smaller", "minus", "View", "smaller"),
    Meaning("pan_left", "less_than_sign", "View", "previous part of the curve"),
    Meaning("pan_right", "greater_than_sign", "View", "next part of the curve"),
    Meaning("whole", "0", "View", "the whole curve"),
)
"""All keys with a meaning, in the order in which they are listed."""
MOVES = frozenset(
    {"up", "down", "left", "right", "home", "end", "pageup", "pagedown"}
    | {"ctrl+pageup", "ctrl+pagedown"}
    | {meaning.key for meaning in VOCABULARY[:10]}
)
"""Keys that only move, which the list of actions leaves out."""
BY_KEY = {meaning.key: meaning for meaning in VOCABULARY}
BY_NAME = {meaning.name: meaning for meaning in VOCABULARY}


def group_of(key: str) -> Group:
    """Return the group of a key in the list of keys."""
    return BY_KEY[key].group if key in BY_KEY else "Move"
