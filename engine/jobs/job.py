"""A job: an experiment with the resources that it requests."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

import tomlkit

from engine.config.run_config import RunConfig
from engine.errors import UserError

_SHELL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,:/@-]*")
_DURATION = re.compile(r"(\d+)([mhd])")
_MEMORY = re.compile(r"(\d+)G")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}


@dataclass(frozen=True, slots=True)
class Job:
    """A training job and the resources it asks for; empty and 0 leave a choice to the cluster."""

    config: RunConfig
    gpus: int = 0
    gpu_type: str = ""
    cpus: int = 0
    memory: int = 0
    """In GB."""
    minutes: int = 0
    partition: str = ""
    account: str = ""
    home: str = ""
    """Folder of the runs, on a file system that the job's machine sees."""
    image: str = ""
    """Container with ``dltui``."""
    storage: str = ""
    """Volume claim or bucket that holds :attr:`home`."""

    @property
    def name(self) -> str:
        """A name that clusters take: letters, digits and dashes."""
        return re.sub(r"[^a-z0-9]+", "-", self.config.name).strip("-")[:40].rstrip("-") or "run"

    @property
    def experiment(self) -> str:
        """The whole configuration as TOML, so that the job does not depend on a preset."""
        return tomlkit.dumps(self.config.values())


def checked(text: str, option: str) -> str:
    """``text`` if it is a plain name of a cluster; raises :class:`UserError`."""
    if text and not _SHELL_NAME.fullmatch(text):
        raise UserError(f"{option} cannot be {text[:80]!r}.", "It is a plain name, without spaces.")
    return text


def minutes(text: str) -> int:
    """Minutes of ``90m``, ``8h`` or ``2d``; 0 where there is no text. Raises :class:`UserError`."""
    match = _DURATION.fullmatch(text)
    if text and (match is None or int(match[1]) == 0):
        raise UserError(f"--time cannot be {text[:80]!r}.", "Write it as 90m, 8h or 2d.")
    return int(match[1]) * _MINUTES[match[2]] if match else 0


def gigabytes(text: str) -> int:
    """GB of ``64G``; 0 where there is no text. Raises :class:`UserError`."""
    match = _MEMORY.fullmatch(text)
    if text and (match is None or int(match[1]) == 0):
        raise UserError(f"--memory cannot be {text[:80]!r}.", "Write it as 64G.")
    return int(match[1]) if match else 0


def single_machine(job: Job, cluster: str) -> None:
    """Raise :class:`UserError` for a job of several nodes."""
    if job.config.train.machines > 1:
        raise UserError(
            f"train.nodes={job.config.train.nodes}: jobs for {cluster} have one machine.",
            "Submit to slurm or kubernetes, or run `dltui run` on each machine.",
        )


def here_document(path: str, content: str) -> str:
    """Shell lines that write ``content`` to the file that the shell calls ``path``."""
    end = "EXPERIMENT"
    while end in content:
        end += "_"
    return f"cat > {path} <<'{end}'\n{content.rstrip()}\n{end}\n"


def quoted(*words: str) -> str:
    """Words as a shell takes them, whatever is in them."""
    return shlex.join(words)
