"""`dltui doctor` reports an NVIDIA driver that does not match torch's build."""

from __future__ import annotations

import json

import pytest

from engine.hardware.driver import Driver, DriverReport, compare
from tui.cli.commands import doctor

OLD = Driver("470.82.01", "11.4")
RECENT = Driver("550.54.15", "12.4")


@pytest.mark.parametrize(
    ("driver", "built_for", "reached"),
    [
        (None, "13.2", False),
        (None, None, False),
        (RECENT, "12.4", True),
        (RECENT, "11.8", True),
        # Built for AMD's GPUs, or the driver is unrelated to torch.
        (RECENT, None, True),
    ],
)
def test_a_driver_that_suits_is_not_mentioned(
    driver: Driver | None, built_for: str | None, reached: bool
) -> None:
    assert compare(driver, built_for, reached) == DriverReport()


@pytest.mark.parametrize(
    ("driver", "built_for", "said"),
    [
        (OLD, "12.8", ["CUDA 12.8", "470.82.01", "CUDA 11.4 at most", "update the driver, or",
                       "a torch build for CUDA 11."]),
        (RECENT, "13.2", ["CUDA 13.2", "550.54.15", "CUDA 12.4 at most", "build for CUDA 12."]),
        (RECENT, "12.10", ["CUDA 12.10", "CUDA 12.4 at most: update the driver."]),
        (RECENT, None, ["built without CUDA", "install a torch build for CUDA 12."]),
        (RECENT, "12.1", ["CUDA 12.1", "CUDA_VISIBLE_DEVICES", "550.54.15"]),
    ],
)  # fmt: skip
def test_a_gpu_that_torch_cannot_use_is_a_problem_with_a_remedy(
    driver: Driver, built_for: str | None, said: list[str]
) -> None:
    report = compare(driver, built_for, reached=False)
    assert [part for part in said if part not in report.problem] == []
    assert report.note == ""


@pytest.mark.parametrize("built_for", ["12.8", "12.10", "13.0"])
def test_an_older_driver_that_torch_can_use_is_only_noted(built_for: str) -> None:
    report = compare(RECENT, built_for, reached=True)
    assert report.problem == ""
    assert f"CUDA 12.4 at most, and torch is built for CUDA {built_for}" in report.note


@pytest.mark.parametrize("as_json", [True, False])
def test_doctor_tells_the_driver_and_what_is_wrong_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(doctor, "installed_driver", lambda: OLD)
    monkeypatch.setattr(doctor, "gpus", lambda: [{"name": "Tesla T4"}])
    arguments = doctor.ArgumentParser()
    doctor.arguments(arguments)

    status = doctor.execute(arguments.parse_args(["--json"] if as_json else []))

    told = capsys.readouterr().out
    assert status == 1
    if not as_json:
        assert "470.82.01, CUDA up to 11.4; torch is built" in told
        return
    findings = json.loads(told)
    assert findings["nvidia_driver"] == {"version": "470.82.01", "cuda": "11.4"}
    problem = compare(OLD, findings["torch_cuda"], reached=False).problem
    assert problem
    assert findings["problems"] == [problem]
