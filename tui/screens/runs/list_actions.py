"""The actions of the keys that change the list of runs itself, by the names in their bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tui.screens.runs.run_filter import RunFilter
from tui.screens.runs.run_listing import RunListing


def list_actions(listing: RunListing, filter: RunFilter) -> Mapping[str, Callable[[], object]]:
    """Return what filters, sorts and selects."""
    return {
        "filter": filter.open,
        "show_all": filter.close,
        "clear": filter.clear,
        "sort": partial(listing.sort_by_next, 1),
        "reverse": partial(listing.sort_by_next, 0),
        "select": partial(listing.toggle, 1),
        "select_all": listing.toggle_all,
    }
