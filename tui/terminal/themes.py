"""The themes: light, dark, one of highest contrast, one for colour-blind users."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

# Greys that are among 256 colours as they are: others would turn blue or green there.
DARK = replace(
    BUILTIN_THEMES["textual-dark"],
    name="dark",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
)
LIGHT = replace(
    BUILTIN_THEMES["textual-light"],
    name="light",
    background="#e4e4e4",
    surface="#dadada",
    panel="#d0d0d0",
)

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
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
)

THEMES = {
    "Dark theme": DARK,
    "Light theme": LIGHT,
    "Theme of high contrast": HIGH_CONTRAST,
    "Theme for colour-blind eyes": COLOUR_BLIND,
}
"""By what they are called in the list of actions."""
