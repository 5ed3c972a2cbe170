"""Dates in figures and in words."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pyarrow as pa

from engine.data.raw import TRAIN, RawData

_ROWS = 4000
_FIRST, _LAST = date(1900, 1, 1), date(2099, 12, 31)
_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%Y/%m/%d")

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
_ONES = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
         "nineteen")  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth",
}  # fmt: skip


def dates() -> RawData:
    """4,000 different dates of two centuries, as ``date`` in figures and ``words``."""
    made = random.Random(0)
    days = made.sample(range((_LAST - _FIRST).days + 1), _ROWS)
    chosen = [_FIRST + timedelta(days) for days in days]
    figures = [_in_figures(day, made.choice(_FORMS)) for day in chosen]
    return RawData({TRAIN: pa.table({"date": figures, "words": [in_words(d) for d in chosen]})})


def in_words(day: date) -> str:
    """``the twenty-first of March, nineteen hundred and eighty-four``."""
    return f"the {_ordinal(day.day)} of {_MONTHS[day.month - 1]}, {_year(day.year)}"


def _in_figures(day: date, form: str) -> str:
    # Names of months as strftime writes them depend on the place where it runs.
    month = _MONTHS[day.month - 1]
    return day.strftime(form.replace("%B", month).replace("%b", month[:3]))


def _ordinal(number: int) -> str:
    before, hyphen, last = _below_hundred(number).rpartition("-")
    return before + hyphen + _ORDINALS.get(last, last + "th")


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    head = "two thousand" if century == 20 else f"{_below_hundred(century)} hundred"
    return f"{head} and {_below_hundred(rest)}" if rest else head


def _below_hundred(number: int) -> str:
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]
