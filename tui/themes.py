"""Two themes more than Textual has: one of highest contrast, one for colour-blind eyes."""

from __future__ import annotations

from textual.theme import Theme

HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#00d7ff",
    secondary="#ffffff",
    accent="#ffff00",
    warning="#ffff00",
    error="#ff6060",
    success="#00ff5f",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    text_alpha=1.0,
)

COLOUR_BLIND = Theme(
    name="colour-blind",
    # Okabe and Ito's palette: blue, orange, bluish green and vermillion stay apart.
    primary="#56b4e9",
    secondary="#0072b2",
    accent="#f0e442",
    warning="#e69f00",
    error="#d55e00",
    success="#009e73",
)

THEMES = (HIGH_CONTRAST, COLOUR_BLIND)
