"""Why a host cannot be used, as a sentence with what to do."""

from __future__ import annotations

from engine.files.sanitize import plain
from engine.remote.messages import PROTOCOL, Hello
from tui.hosts.address import Address
from tui.hosts.ssh import Closed

_NO_PROGRAM = 127
_USAGE = 2
_SSH = 255
_BEHIND_PROXY = "UNKNOWN port 65535", "it through its proxy"
"""The address of a host behind a proxy, as ssh prints it, and in words."""


def why_closed(address: Address, error: Closed) -> str:
    """Return the reason for the end of a channel."""
    if error.status == _NO_PROGRAM:
        return (
            f"{address.program} is not found there. Install dltui, or say where it is: "
            f"{address.name}:venv/bin/dltui."
        )
    last = _last_line(error.printed)
    if error.status == _USAGE and "--stdio" in error.printed:
        return "its dltui is too old to answer. Install the same version on both machines."
    if error.status == _SSH:
        return f"{last or 'the connection was closed'}.{_remedy(address, error.printed)}"
    if error.status < 0 or not last:
        return "the connection was closed."
    return f"{last}."


def _remedy(address: Address, printed: str) -> str:
    if "Host key verification failed" in printed:
        return f" Run `ssh {address.name}` once, and compare the key that it shows."
    if "Permission denied" in printed:
        return f" `ssh {address.name}` must log in without a question: use a key and ssh-agent."
    return ""


def _last_line(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = lines[-1].removeprefix("dltui: ").rstrip(".") if lines else ""
    return plain(last.replace(*_BEHIND_PROXY), 200)


def why_other_protocol(hello: Hello) -> str:
    """Return the reason for not using a host that speaks another protocol; empty for ours."""
    if hello.protocol == PROTOCOL:
        return ""
    return (
        f"its dltui {hello.version} speaks protocol {hello.protocol}, this one {PROTOCOL}. Install "
        "the same version on both machines."
    )
