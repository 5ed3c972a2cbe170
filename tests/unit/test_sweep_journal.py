"""The journal of a sweep is readable whatever a full disk or a crash leaves of its last line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution

from engine.config.presets import find_preset, load_preset
from engine.errors import RunError
from engine.sweep import search, worker
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.study import open_storage

SPACE: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}


def opened(sweep: SweepDirectory) -> optuna.Study:
    return optuna.create_study(storage=open_storage(sweep), study_name="sweep", load_if_exists=True)


@pytest.mark.parametrize("left", ['{"op_code": 4, "worker_id": "a', '{"op_code"', "{"])
def test_a_line_that_was_cut_off_does_not_end_a_sweep(tmp_path: Path, left: str) -> None:
    sweep = SweepDirectory(tmp_path)
    study = opened(sweep)
    study.tell(study.ask(SPACE), 1.0)
    with sweep.journal.open("a") as journal:
        journal.write(left)  # a disk was full
    study = opened(sweep)
    study.tell(study.ask(SPACE), 2.0)
    assert [trial.value for trial in opened(sweep).trials] == [1.0, 2.0]


def test_a_line_that_was_cut_off_while_others_search_does_not_end_their_sweep(
    tmp_path: Path,
) -> None:
    sweep = SweepDirectory(tmp_path)
    one, other = opened(sweep), opened(sweep)
    first, second = one.ask(SPACE), other.ask(SPACE)
    with sweep.journal.open("a") as journal:
        journal.write('{"op_code": 4, "worker_id": "a')  # the machine of a third has failed
    one.tell(first, 1.0)
    other.tell(second, 2.0)
    for study in (one, other, opened(sweep)):
        assert [trial.value for trial in study.trials] == [1.0, 2.0]


def test_a_damaged_journal_is_refused_with_a_sentence(tmp_path: Path) -> None:
    sweep = SweepDirectory(tmp_path)
    opened(sweep)
    lines = sweep.journal.read_text()
    sweep.journal.write_text("{damage\n" + lines)
    with pytest.raises(RunError, match=r"Cannot read .*journal.log: .*its runs are kept"):
        opened(sweep)


def test_a_journal_of_nothing_but_the_beginning_of_a_line_is_begun_anew(tmp_path: Path) -> None:
    sweep = SweepDirectory(tmp_path)
    sweep.journal.write_text('{"op_co')
    assert opened(sweep).trials == []


def test_a_full_disk_ends_a_sweep_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    base = load_preset(find_preset("wine-mlp")).values()
    sweep = SweepDirectory.create(tmp_path, SweepConfig(name="some", base=base, space={}))
    monkeypatch.setattr(search.Search, "run", full)
    assert worker.main([str(sweep.path)]) == 1
    said = f"Cannot write to {sweep.path} any more: No space left on device."
    assert said in sweep.table().problem
    assert "then resume the sweep" in capsys.readouterr().err


def test_a_sweep_of_another_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    base = load_preset(find_preset("wine-mlp")).values()
    sweep = SweepDirectory.create(tmp_path, SweepConfig(name="some", base=base, space={}))
    file = sweep.path / "sweep.toml"
    file.write_text('colour = "red"\n' + file.read_text())
    with pytest.raises(RunError) as refused:
        sweep.config()
    assert str(refused.value) == (
        f"Cannot read {file}: colour: Extra inputs are not permitted. "
        "Was it written by another version of dltui?"
    )
