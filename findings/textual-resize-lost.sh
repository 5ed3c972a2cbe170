#!/usr/bin/env bash
# Textual: a pane of tabs that are wider than the screen is shown without Show or Resize events.
#
# Expected: a widget that becomes visible gets Resize with its first size, in which it draws itself,
#   as the first panes of a TabbedContent do.
# Observed with textual 8.2.8: from the first tab on that is scrolled into view when it is activated,
#   the widget in its pane has its size but got no Resize event, also a second later. What is drawn
#   in on_resize stays blank until the terminal is resized.
#
# Needs Python 3.11 or later and a package index; takes less than a minute. Exits with 1 when
# something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check textual==8.2.8

cat >"$folder/tabs.py" <<'PYTHON'
import asyncio
from importlib.metadata import version

from textual.app import App
from textual.widget import Widget
from textual.widgets import TabbedContent, TabPane

PANES = 8


class Counted(Widget):
    resizes = 0

    def on_resize(self) -> None:
        self.resizes += 1


class Tabs(App):
    def compose(self):
        with TabbedContent():
            for number in range(PANES):
                with TabPane(f"a title of some length {number}", id=f"pane-{number}"):
                    yield Counted()


async def resizes() -> list[tuple[int, int]]:
    """The width of each widget after its pane was shown, and the resize events it got."""
    app = Tabs()
    async with app.run_test(size=(80, 24)) as pilot:
        seen = []
        for number in range(PANES):
            app.query_one(TabbedContent).active = f"pane-{number}"
            await pilot.pause(1)
            widget = app.query_one(f"#pane-{number} Counted")
            seen.append((widget.size.width, widget.resizes))
        return seen


print("textual", version("textual"))
seen = asyncio.run(resizes())
for number, (width, count) in enumerate(seen):
    print(f"pane {number}: {width} cells wide, {count} resize events")
lost = [number for number, (width, count) in enumerate(seen) if width and not count]
assert lost, "every pane that has a size got its event"
print(f"panes {lost} have a size and got no event")
PYTHON

"$folder/venv/bin/python" "$folder/tabs.py"
