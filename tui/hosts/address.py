"""A host as the user names it: ``gpu1``, ``me@gpu1`` or ``gpu1:venv/bin/dltui``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import UserError

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}")
_PROGRAM = re.compile(r"[A-Za-z0-9_.~/][A-Za-z0-9_.~/+-]{0,299}")
_MOST = 16


@dataclass(frozen=True, slots=True)
class Address:
    """A name that ``ssh`` knows, and the program to start there."""

    name: str
    program: str = "dltui"


def parse_hosts(texts: Iterable[str]) -> tuple[Address, ...]:
    """Return the hosts of a list of names, which may be joined by commas.

    Raises :class:`UserError` for one that cannot be a host, and for two of one name.
    """
    parts = [part.strip() for text in texts for part in text.split(",")]
    found = tuple(_address(part) for part in parts if part)
    names = [address.name for address in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"The host {min(twice)} is named twice.")
    if len(found) > _MOST:
        raise UserError(f"{len(found)} hosts are too many.", f"Name at most {_MOST}.")
    return found


def _address(text: str) -> Address:
    name, colon, program = text.partition(":")
    if not _HOST.fullmatch(name):
        raise UserError(
            f"{text[:80]!r} is not a host.",
            "Name hosts as in ~/.ssh/config, where ports and addresses belong: gpu1,gpu2.",
        )
    if colon and not _PROGRAM.fullmatch(program):
        raise UserError(
            f"{text[:80]!r} names no program.",
            "After a colon comes the path of dltui on that host: gpu1:venv/bin/dltui.",
        )
    return Address(name, program or "dltui")
