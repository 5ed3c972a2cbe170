"""Number formats for people, on screens and on the command line."""

from __future__ import annotations


def number(value: float | None) -> str:
    """A metric with four significant digits, or all before the point; a dash for none."""
    if value is None:
        return "–"
    if 1e5 <= abs(value) < 1e9:
        return f"{value:.0f}"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.6g}"


def duration(seconds: float | None) -> str:
    """A length of time: ``9 s``, ``3:07``, ``2:05:09``, ``3 d 4 h``."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 86400} d {whole // 3600 % 24} h"


def size(count: float) -> str:
    """A number of bytes: ``512 B``, ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if round(count, 0 if unit == "B" else 1) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def amount(count: float) -> str:
    """A count, short: ``950``, ``12.4 k``, ``1.2 M``."""
    for unit in ("", " k", " M", " G"):
        if abs(round(count, 1 if unit else 0)) < 1000:
            return f"{count:.0f}" if not unit else f"{count:.1f}{unit}"
        count /= 1000
    return f"{count:.1f} T"


def known_count(count: int | None) -> str:
    """Return a count; a dash where nothing was counted."""
    return f"{count:,}" if count else "–"


def percent(done: float) -> str:
    """Return a share of work as a percentage; 100% is nothing but all of it."""
    return f"{1.0 if done >= 1 else min(done, 0.99):.0%}"
