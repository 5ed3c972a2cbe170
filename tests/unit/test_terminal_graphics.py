"""Pictures by the graphics of a terminal: cells on the screen, sequences on the way to it."""

from __future__ import annotations

import base64
import io
import os
import pty
import re
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from engine.reports.picture import Picture
from tui.charts.pictures import Drawing
from tui.terminal.graphics import probe
from tui.terminal.graphics.cells import BASE, CELLS, Run, line, runs
from tui.terminal.graphics.choice import find, is_promising, kind_by, kind_in_tmux
from tui.terminal.graphics.kitty import DIGITS, KittyGraphics
from tui.terminal.graphics.sixel import SixelGraphics, cell_of
from tui.terminal.graphics.store import PictureStore
from tui.terminal.graphics.stream import PictureStream

SEQUENCE = re.compile(r"\x1b_G([^;\x1b]*);?([^\x1b]*)\x1b\\")


def picture(width: int = 6, height: int = 4, first: int = 0) -> Picture:
    pixels = bytes((first + 7 * place) % 256 for place in range(3 * width * height))
    return Picture(width, height, base64.b64encode(pixels).decode(), name=f"{first}.png")


def written(text: str, store: PictureStore, graphics: Any) -> str:
    terminal = io.StringIO()
    stream = PictureStream(terminal, store, graphics)
    assert stream.write(text) == len(text)
    return terminal.getvalue()


def test_a_line_of_cells_is_cut_between_any_two_of_them() -> None:
    strip = Strip([Segment(line(57_599, 239, 5))])
    assert strip.cell_length == 5
    left, middle, right = strip.divide([1, 3, 5])
    parts = [list(runs(part.text)) for part in (left, middle, right)]
    assert parts == [[Run(57_599, 239, range(*ends))] for ends in ((0, 1), (1, 3), (3, 5))]
    assert list(runs(strip.text)) == [Run(57_599, 239, range(5))]
    assert list(runs(line(1, 0, 2) + line(2, 0, 2))) == [
        Run(1, 0, range(2)), Run(2, 0, range(2))
    ]  # fmt: skip


def test_a_picture_is_the_same_cells_in_a_widget_and_in_a_text() -> None:
    store = PictureStore()
    drawing = Drawing(store)
    strips = drawing.strips(picture(), 6)
    texts = drawing.lines(picture(), 6)
    assert [strip.text for strip in strips] == [text.plain for text in texts]
    assert [text.cell_length for text in texts] == [6, 6]
    beside = Content("  ").join([texts[0], Content("truth")])
    assert CELLS.search(beside.plain)
    assert drawing.strips(picture(), 300)[0].text[0] != BASE, "wider than cells can name"


def test_over_a_slow_connection_a_picture_has_few_pixels() -> None:
    store = PictureStore()
    Drawing(store, 2).strips(picture(64, 32), 8)
    placed = store.find(0)
    assert placed is not None
    assert (placed.picture.width, placed.picture.height) == (16, 8)
    assert placed.picture.name == "0.png"


def test_kitty_gets_a_picture_once_in_chunks_and_its_pixels_are_exact() -> None:
    store = PictureStore()
    shown = Picture(100, 80, base64.b64encode(os.urandom(24_000)).decode())
    placed = store.place(shown, 4, 2)
    kitty = KittyGraphics(first=70)
    first = written(f"a{line(placed.number, 0, 4)}b", store, kitty)
    sequences = SEQUENCE.findall(first)
    assert all(0 < len(data) <= 4096 for _, data in sequences)
    assert [control.endswith("m=1") for control, _ in sequences[:-1]] == [True] * 7
    assert sequences[-1][0] == "m=0"
    data = base64.b64decode("".join(data for _, data in sequences))
    assert zlib.decompress(data) == shown.pixels
    settings = dict(pair.split("=") for pair in sequences[0][0].split(","))
    assert settings == {
        "a": "T", "U": "1", "i": str(71 << 24 | 16), "c": "4", "r": "2", "f": "24", "o": "z",
        "s": "100", "v": "80", "q": "2", "m": "1",
    }  # fmt: skip
    again = written(f"a{line(placed.number, 1, 4)[5:]}b", store, kitty)
    cells = "".join(BASE + DIGITS[1] + DIGITS[column] + DIGITS[71] for column in (1, 2, 3))
    assert again == f"a\x1b[38;5;16m{cells}\x1b[39mb"


def test_kitty_frees_what_is_dropped_and_at_the_end_all() -> None:
    store, kitty = PictureStore(kept=1), KittyGraphics()
    first = store.place(picture(first=1), 6, 2)
    written(line(first.number, 0, 6), store, kitty)
    second = store.place(picture(first=2), 6, 2)
    text = written(line(first.number, 0, 6) + line(second.number, 0, 6), store, kitty)
    controls = [control for control, _ in SEQUENCE.findall(text)]
    assert controls[0] == f"a=d,d=I,i={kitty.identity(first.number)},q=2"
    assert f"i={kitty.identity(second.number)}," in controls[1]
    assert " " * 6 in text, "what was dropped is blank"
    assert [control for control, _ in SEQUENCE.findall(kitty.end())] == [
        f"a=d,d=I,i={kitty.identity(second.number)},q=2"
    ]
    assert kitty.end() == ""


def test_numbers_in_a_terminal_differ_and_fit_into_a_colour_and_a_digit() -> None:
    kitty = KittyGraphics(first=12_345)
    identities = {kitty.identity(number) for number in range(57_000)}
    assert len(identities) == 57_000
    assert all(16 <= identity & 0xFFFFFF <= 255 for identity in identities)
    assert {identity >> 24 for identity in identities} <= set(range(1, 240))


def test_inside_tmux_only_the_picture_is_handed_on() -> None:
    store = PictureStore()
    placed = store.place(picture(), 6, 2)
    text = written(line(placed.number, 0, 6), store, KittyGraphics(tmux=True))
    handed, rest = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\(\x1b\[38.*)", text).groups()  # type: ignore[union-attr]
    assert SEQUENCE.fullmatch(handed.replace("\x1b\x1b", "\x1b"))
    assert rest.count(BASE) == 6


def test_cells_from_outside_reach_no_terminal() -> None:
    store = PictureStore()
    placed = store.place(picture(), 6, 2)
    text = f"{BASE}x{line(7, 0, 2)}{line(placed.number, 5, 2)}"
    assert written(text, store, KittyGraphics()) == "\N{REPLACEMENT CHARACTER}x" + " " * 4


def decoded(sixels: str) -> list[list[tuple[int, int, int]]]:
    """Decode a Sixel sequence by its definition (DEC, VT330/VT340 manual, chapter 14)."""
    whole = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', sixels)
    assert whole
    width, height = int(whole[1]), int(whole[2])
    lines: list[list[Any]] = [[None] * width for _ in range(height)]
    palette: dict[int, tuple[int, int, int]] = {}
    x = top = colour = 0
    for part in re.finditer(
        r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|([?-~])|(\$)|(-)", whole[3]
    ):
        if part[1]:
            colour = int(part[1])
            if part[2]:
                palette[colour] = int(part[2]), int(part[3]), int(part[4])
        elif part[8] or part[9]:
            x, top = 0, top + (6 if part[9] else 0)
        else:
            count, mask = int(part[5] or 1), ord(part[6] or part[7]) - 63
            for bit in range(6):
                if mask >> bit & 1:
                    lines[top + bit][x : x + count] = [palette[colour]] * count
            x += count
    return lines


def test_a_sixel_run_decodes_to_the_pixels_of_its_cells() -> None:
    store = PictureStore()
    shown = picture(6, 4)
    placed = store.place(shown, 6, 2)
    text = written(f"<{line(placed.number, 1, 6)[10:25]}>", store, SixelGraphics(lambda: (5, 10)))
    match = re.fullmatch(r"<\x1b7   \x1b8(\x1bP.*\x1b\\)\x1b8\x1b\[3C>", text)
    assert match, "blanks below, and the cursor behind"
    pixels = shown.pixels
    expected = [
        [
            tuple(round(100 * value / 255) for value in pixels[3 * (6 * y + x) :][:3])
            for x in (2, 3, 4)
            for _ in range(5)
        ]
        for y in (2, 3)
        for _ in range(5)
    ]
    found = decoded(match[1])
    assert [len(found), len(found[0])] == [10, 15]
    assert all(
        abs(a - b) <= 1
        for line_found, line_expected in zip(found, expected, strict=True)
        for one, other in zip(line_found, line_expected, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def test_a_sixel_run_of_many_colours_has_fewer_levels_and_every_pixel() -> None:
    shown = Picture(64, 64, base64.b64encode(os.urandom(3 * 64 * 64)).decode())
    store = PictureStore()
    placed = store.place(shown, 16, 8)
    text = written(line(placed.number, 3, 16), store, SixelGraphics(lambda: (10, 20)))
    found = decoded(re.search(r"\x1bP.*\x1b\\", text)[0])  # type: ignore[index]
    assert all(None not in row for row in found)
    assert len({pixel for row in found for pixel in row}) <= 64


def test_the_size_of_a_cell_is_the_usual_one_where_none_is_known() -> None:
    with Path(os.devnull).open() as nowhere:
        assert cell_of(nowhere.fileno()) == (10, 20)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (b"\x1bP>|kitty(0.41.1)\x1b\\\x1b[?62;c", "kitty"),
        (b"\x1bP>|kitty(0.26.5)\x1b\\\x1b[?62;c", ""),
        (b"\x1bP>|ghostty 1.2.0\x1b\\\x1b[?62;22c", "kitty"),
        (b"\x1bP>|XTerm(379)\x1b\\\x1b[?63;1;2;4;6;9;15;22c", "sixel"),
        (b"\x1bP>|foot(1.13.1)\x1b\\\x1b[?62;4;22c", "sixel"),
        (b"\x1b[?1;2c", ""),
        (b"\x1b[?64;14;24c", ""),
        (b"", ""),
    ],
)
def test_the_graphics_of_a_terminal_follow_from_its_answer(read: bytes, kind: str) -> None:
    assert kind_by(probe.parsed(read)) == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("xterm-kitty kitty(0.41.1) on\n", "kitty"),
        ("xterm-kitty kitty(0.41.1) all\n", "kitty"),
        ("xterm-kitty kitty(0.41.1) off\n", ""),
        ("xterm-kitty  on\n", ""),
        ("xterm-ghostty ghostty 1.2.0 on\n", "kitty"),
        ("xterm-256color XTerm(379) on\n", ""),
        ("", ""),
    ],
)
def test_inside_tmux_the_terminal_around_it_counts(answer: str, kind: str) -> None:
    assert kind_in_tmux(lambda: answer) == kind


def test_only_a_terminal_that_may_have_graphics_is_asked() -> None:
    asked = [
        {"TERM": "xterm-kitty"}, {"TERM": "foot"}, {"XTERM_VERSION": "XTerm(379)"},
        {"TERM_PROGRAM": "WezTerm"}, {"LC_TERMINAL": "iTerm2"}, {"WT_SESSION": "1"},
    ]  # fmt: skip
    assert all(map(is_promising, asked))
    others: list[dict[str, str]] = [
        {}, {"TERM": "xterm-256color"}, {"TERM": "xterm-kitty", "STY": "1"},
        {"TERM": "tmux-256color", "TMUX": "/s,1,0", "KITTY_WINDOW_ID": "1"},
    ]  # fmt: skip
    assert not any(map(is_promising, others))


@pytest.mark.parametrize("wanted", ["kitty", "sixel", "blocks", "words"])
def test_graphics_that_the_user_chose_need_no_answer(wanted: str) -> None:
    assert find(wanted, {"TERM": "xterm-kitty"}).kind == (
        wanted if wanted in ("kitty", "sixel") else ""
    )


def test_the_answer_of_a_terminal_is_read_and_the_keys_around_it_are_kept() -> None:
    master, slave = pty.openpty()
    try:
        os.write(master, b"n")

        def answer() -> None:
            asked = b""
            while not asked.endswith(b"\x1b[>q\x1b[c"):
                asked += os.read(master, 100)
            os.write(master, b"\x1bP>|kitty(0.41.1)\x1b\\x\x1b[?62;c")

        terminal = threading.Thread(target=answer)
        terminal.start()
        found = probe.ask(slave, slave)
        terminal.join()
    finally:
        os.close(master)
        os.close(slave)
    assert (found.name, found.typed) == ("kitty(0.41.1)", b"nx")


def test_a_strip_of_cells_is_written_with_its_background() -> None:
    store = PictureStore()
    strips = Drawing(store).strips(picture(), 6, Style(bgcolor="#102030"))
    text = strips[0].render(Console(color_system="truecolor", force_terminal=True))
    assert text.startswith("\x1b[48;2;16;32;48m" + BASE)
