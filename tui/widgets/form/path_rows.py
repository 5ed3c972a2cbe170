"""The rows of the file picker: what exists, what matches, and what was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textual.content import Content

from tui.format.fuzzy import highlighted, match
from tui.format.text import literal
from tui.widgets.form.path_list import Found, FoundPath


@dataclass(frozen=True, slots=True)
class PickRow:
    """A row of the list."""

    value: str
    """The value of the field; that of a folder ends with a slash."""
    name: Content
    about: str = ""
    path: FoundPath | None = None

    @property
    def folder(self) -> bool:
        """Whether it is a folder on this disk."""
        return self.path is not None and self.path.folder


@dataclass(frozen=True, slots=True)
class PathRows:
    """The rows for what is typed."""

    typed: str
    found: Found
    pattern_count: int | None
    """Files of what is typed, if it is a pattern."""
    options: Mapping[str, str]
    """Values that are not on this disk, each with a line about it."""
    room: int
    """Letters that a name may have."""
    clears: bool = False
    """Whether there is a value that can be emptied."""
    new: bool = False
    """Whether a new file is named: what is typed comes first."""

    def __iter__(self) -> Iterator[PickRow]:
        """Yield what exists as it is typed, then the matches, then the typed text itself.

        A pattern comes first. What may be a whole name comes before vague matches: any text where
        other names are offered, and one with a dot.
        """
        if not self.typed and self.clears:
            yield PickRow("", Content("leave it empty").stylize("italic"))
        exact = self.found.paths[: self.found.exact]
        others = self.found.paths[self.found.exact :]
        itself = [] if exact or not self.typed or self.typed in self.options else [self._as_typed()]
        first = self.new or self.pattern_count is not None
        whole = bool(self.options) or "." in self.typed.rpartition("/")[2]
        yield from map(self._path_row, exact)
        yield from itself if first else ()
        yield from self._option_rows(close=True)
        yield from (self._path_row(path) for path in others if path.close)
        yield from itself if whole and not first else ()
        yield from self._option_rows(close=False)
        yield from (self._path_row(path) for path in others if not path.close)
        yield from itself if not whole and not first else ()

    def _option_rows(self, *, close: bool) -> Iterator[PickRow]:
        for value, about in self.options.items():
            matched = match(self.typed, value)
            if value and matched and matched.close == close:
                yield PickRow(value, highlighted(literal(value), matched.places), about)

    def _path_row(self, path: FoundPath) -> PickRow:
        before = self.typed.rfind("/") + 1
        name = path.text[before:]
        if not name:
            return PickRow(path.text, Content("this folder").stylize("italic"), path=path)
        places = [place - before for place in path.places]
        if (cut := len(name) - self.room) > 0:  # the end of a path says more than its beginning
            name = "…" + name[cut + 1 :]
            places = [place - cut for place in places if place > cut]
        shown = highlighted(literal(name, 1000), places)
        return PickRow(path.text, shown, path=path)

    def _as_typed(self) -> PickRow:
        count = self.pattern_count
        if self.new:
            about = "a new file or folder"
        elif count is None:
            about = "as it is typed; no file here has this name"
        else:
            about = f"a pattern for {count:,} file{'s' * (count != 1)}"
        return PickRow(self.typed, Content("use ") + literal(self.typed).stylize("bold"), about)


def notes(typed: str, found: Found) -> Iterator[str]:
    """Yield sentences on what is not among the rows."""
    if not found.paths and typed.endswith("/"):
        yield "this folder is missing or cannot be read"
    yield from found.left_out
