"""Values behind their names, wrapped and in columns, whatever the width of their characters."""

from __future__ import annotations

import base64

import pytest
from rich.cells import cell_len
from textual.color import Color
from textual.content import Content

from engine.metrics.text.answers import Asked, Span, _extract
from engine.reports.explanation import Explanation
from engine.reports.picture import Picture
from engine.reports.views import Matrix, Table, Texts
from engine.runs.events import Samples
from tui.charts.heatmap import heatmap
from tui.cli import console
from tui.format.captions import captioned
from tui.format.explained import explained
from tui.format.records import record_lines
from tui.format.run_facts import intervals_of
from tui.format.whole import whole_row
from tui.screens.results.metrics import beside_values, meaning_lines, metric_lines
from tui.terminal.ascii import plain_text
from tui.widgets.sample_contents import samples
from tui.widgets.view import texts

WIDE = "犬の写真がとても長い"
LONG = "one two three four five six seven eight nine ten"


def wrapped(lines: list[Content], width: int) -> list[str]:
    return [line.plain for whole in lines for line in whole.wrap(width)]


def test_a_long_value_is_wrapped_below_its_beginning() -> None:
    lines = wrapped([captioned("name", Content(LONG), 6)], 30)
    assert lines == [
        "name    one two three four",
        " " * 8 + "five six seven eight",
        " " * 8 + "nine ten",
    ]


def test_an_empty_text_is_shown_as_none() -> None:
    item = {"prompt": "a", "continuation": ""}
    assert wrapped(texts(Texts("", [item])), 40)[:2] == ["prompt        a", "continuation  —"]
    event = Samples(step=3, split="validation", items=[item])
    assert "continuation —" in wrapped(samples([event]), 40)


def test_a_value_with_little_room_takes_the_whole_width() -> None:
    assert wrapped([captioned("name", Content(LONG), 12)], 30)[1].startswith("four")


@pytest.mark.parametrize("width", [40, 80])
def test_texts_of_mistakes_and_whole_rows_hang_below_their_captions(width: int) -> None:
    item = {"question": f"{LONG} {LONG} {LONG}", "answer": "x"}
    for lines in (texts(Texts("", [item])), whole_row(list(item), list(item.values()))):
        first, *more = [line for line in wrapped(lines, width) if line]
        assert first.startswith("question  one")
        assert all(line.startswith(" " * 10) for line in more[:-1])
        assert more[-1] == "answer    x"


def test_texts_beside_a_picture_are_wrapped_beside_it() -> None:
    item = {"image": "a.png", "predicted": LONG}
    shown = Picture(8, 8, base64.b64encode(bytes(range(192))).decode(), name="a.png")
    event = Samples(step=3, split="validation", items=[item])
    lines = wrapped(samples([event], None, 0, [shown], 8)[2:], 50)
    assert [line[:8] for line in lines[:4]] == ["▀" * 8] * 4
    assert lines[1][10:].split() == ["predicted", *LONG.split()[:6]]
    assert lines[2][:8] + lines[2][23:] == "▀" * 8 + "seven eight nine ten"


def test_bars_stand_below_each_other_behind_wide_names() -> None:
    _, first, second = record_lines({"label": "a", "scores": {WIDE * 2: 0.5, "a": 0.5}})
    places = [cell_len(line.plain[: line.plain.index("50.0%")]) for line in (first, second)]
    assert places[0] == places[1] <= 2 + 24 + 4


def test_columns_of_wide_texts_are_aligned_in_commands(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["name", "value"], [[WIDE, "1"], ["short", "2"]])
    console.facts({WIDE: 1, "short": 2})
    table = Table("", ["column", "weight"], [[WIDE, 1.0], ["short", 2.0]])
    for line in explained(Explanation("a", ["a"], "method", [table])):
        console.line(line)
    lines = capsys.readouterr().out.splitlines()
    places = [
        cell_len(lines[row][: lines[row].index(value)]) for row, value in ((1, "1"), (2, "2"))
    ]
    assert places == [22, 22]
    assert lines[4] == f"short{' ' * 17}2"
    assert lines[-1] == f"short{' ' * 17}+2"


def test_a_matrix_aligns_wide_labels_and_shows_them_whole_where_there_is_room() -> None:
    matrix = Matrix("", [WIDE, "other"], [[23272, 1], [0, 5]])
    black = Color(0, 0, 0)
    for room in (30, 80):
        lines = [line.plain for line in heatmap(matrix, black, black, room)]
        assert len({cell_len(line) for line in lines[1:]}) == 1
        assert "23,272" in lines[2]
    assert WIDE in lines[1]
    assert lines[2].startswith(WIDE)


def test_names_of_metrics_are_whole_and_their_meanings_stand_behind() -> None:
    metrics = {"nats_per_character": 2.3383, "loss": 4.2530}
    meanings = {"nats_per_character": "natural logarithm"}
    report = {"metrics": {"test": metrics, "validation": metrics}, "metric": "loss"}
    table = list(metric_lines(report, 80))
    heading, first, second = (line.plain for line in table)
    assert first.split() == ["nats_per_character", "2.3383", "2.3383"]
    assert len(heading) == len(first) == len(second)
    assert beside_values(table, meanings, 120)[1].plain.endswith("2.3383   natural logarithm")
    assert [line.plain for line in meaning_lines(report, meanings)][1].split()[0] in metrics


def test_ends_of_an_interval_below_zero_are_not_joined_by_a_dash() -> None:
    intervals = {"reward": [-0.38, 0.25], "loss": [0.5, 0.75], "odd": [None, 1.0]}
    _, texts = intervals_of({"intervals": {"test": intervals}})
    assert texts["reward"] == "-0.3800 to 0.2500"
    assert texts["loss"] == "0.5000–0.7500"
    assert texts["odd"] == "––1.0000"


def test_the_chosen_tab_can_be_seen_in_ascii() -> None:
    assert plain_text("╸━━━━━╺━━━━━") == " ----- -----"


def test_a_context_that_is_cut_off_has_ellipses_there() -> None:
    context = "a" * 100 + "ANSWER" + "b" * 100
    assert _extract(Asked("q", context, []), Span(100, 106, 1.0)) == (
        "…" + "a" * 60 + "ANSWER" + "b" * 60 + "…"
    )
    assert _extract(Asked("q", "short", []), Span(0, 2, 1.0)) == "short"
