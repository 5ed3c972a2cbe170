"""Scrollable widgets: by the arrow keys, by those of vim, by the wheel."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView

from tui.terminal.textual_private import update_scroll_bars


class Scrolling(ScrollableContainer, can_focus=True):
    """Scrolls without animation, which costs the terminal least."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Those of Textual's too, so that the list of keys has a line for each action.
        Binding("down,j", "scroll_down", "Scroll down", show=False),
        Binding("up,k", "scroll_up", "Scroll up", show=False),
        Binding("left,h", "scroll_left", "Scroll left", show=False),
        Binding("right,l", "scroll_right", "Scroll right", show=False),
        Binding("home,g", "scroll_home", "To the top", show=False),
        Binding("end,G", "scroll_end", "To the end", show=False),
        Binding("pagedown,ctrl+f", "page_down", "A page down", show=False),
        Binding("pageup,ctrl+b", "page_up", "A page up", show=False),
        Binding("ctrl+d", "half_page(1)", "Half a page down", show=False),
        Binding("ctrl+u", "half_page(-1)", "Half a page up", show=False),
    ]

    def action_half_page(self, pages: int) -> None:
        """Scroll by half a page."""
        self.scroll_relative(y=pages * max(1, self.size.height // 2), animate=False)


class SamePlace(ScrollView):
    """A scroll view that keeps its size, whatever its content.

    Textual would lay out the whole screen whenever the content's size changes: here at each key of
    a filter.
    """

    virtual_size = Reactive(Size(0, 0))

    def watch_virtual_size(self, size: Size) -> None:
        """Update the scroll bars."""
        if self.styles.auto_dimensions:
            self.refresh(layout=True)
        else:
            update_scroll_bars(self, size)
