"""Cluster jobs follow the clusters' own formats, whatever text is in an experiment."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import RunConfig
from engine.errors import UserError
from engine.jobs import kubernetes, skypilot, slurm
from engine.jobs.job import Job, checked, gigabytes, minutes
from engine.launch.place import place_of
from tui.__main__ import main

NASTY = "'; touch here; $(touch here) `touch here` EXPERIMENT \"\\ \u2028 : - # {{"
DIGITS = RunConfig.parse(
    {
        "name": "digits_1.x",
        "title": NASTY,
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn"},
    }
)


def job(**changes: Any) -> Job:
    asked = {"gpus": 2, "cpus": 8, "memory": 64, "minutes": 1530, "gpu_type": "a100",
             "image": "me/dltui:1", "storage": "my-claim", "partition": "gpu", "account": "lab",
             "home": "/shared/my runs"}  # fmt: skip
    return Job(DIGITS, **(asked | changes))


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with a program in place of ``dltui`` that prints the experiment."""
    fake = folder / "bin" / "dltui"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\nwhile [ "$1" != run ]; do shift; done\necho "$DLTUI_HOME"; cat "$2"'
    )
    fake.chmod(0o700)
    environment = {"PATH": f"{fake.parent}:/usr/bin:/bin", "DLTUI_HOME": "/given"}
    return subprocess.run(
        ["bash"], input=script, cwd=folder, env=environment, capture_output=True, text=True,
        check=True, timeout=240,
    )  # fmt: skip


def test_a_batch_script_asks_for_the_machine() -> None:
    text = slurm.script(job())
    options = [line.split(" ", 1)[1] for line in text.splitlines() if line.startswith("#SBATCH")]
    assert {"--gpus-per-node=a100:2", "--cpus-per-task=8", "--mem=64G", "--time=1-01:30:00",
            "--partition=gpu", "--account=lab", "--job-name=digits-1-x", "--requeue",
            } <= {*options}  # fmt: skip
    # Slurm reads its options up to the first command only.
    lines = text.splitlines()
    last = max(n for n, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert all(line.startswith("#") for line in lines[:last])
    bare = slurm.script(Job(DIGITS))
    assert not any(word in bare for word in ("--gpus", "--mem", "--time", "DLTUI_HOME"))


def test_a_batch_script_is_read_by_the_shell_and_carries_the_experiment(tmp_path: Path) -> None:
    done = shell(slurm.script(job(), str(tmp_path / "bin" / "dltui")), tmp_path)
    home, _, experiment = done.stdout.partition("\n")
    assert home == "/shared/my runs"
    assert RunConfig.parse(tomllib.loads(experiment)) == DIGITS
    assert not (tmp_path / "here").exists()


def test_a_job_of_several_machines_starts_the_run_on_each(tmp_path: Path) -> None:
    several = DIGITS.override(["train.nodes=2", "train.devices=2"])
    text = slurm.script(Job(several, cpus=3, home=str(tmp_path / "home")), "dltui")
    assert {"#SBATCH --nodes=2", "#SBATCH --ntasks=2", "#SBATCH --ntasks-per-node=1"} <= {
        *text.splitlines()
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, does in {
        "scontrol": 'printf "first\\nsecond\\n"',
        "srun": 'echo "$1 $2 $3 $4 $5 $MASTER_ADDR $MASTER_PORT"; dirname "${10}"; cat "${10}"',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o700)
    done = subprocess.run(
        ["bash"], input=text, capture_output=True, text=True, check=True, timeout=240,
        env={"PATH": f"{folder}:/usr/bin:/bin", "SLURM_JOB_ID": "7"},
    )  # fmt: skip
    asked, place, experiment = done.stdout.split("\n", 2)
    tasks = "--nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=3"
    assert asked == f"{tasks} --wait=300 first 20007", "none waits for one that failed"
    assert RunConfig.parse(tomllib.loads(experiment)) == several
    assert place == str(tmp_path / "home"), "where all machines see it"
    assert list((tmp_path / "home").iterdir()) == []


def test_a_machine_that_leaves_an_elastic_job_does_not_end_the_others() -> None:
    elastic = DIGITS.override(["train.nodes=1..2"])
    assert "--wait" not in slurm.script(Job(elastic, home="/shared"))


def test_several_machines_need_a_folder_that_all_see_and_a_cluster_that_has_them() -> None:
    several = DIGITS.override(["train.nodes=2"])
    with pytest.raises(UserError, match="--home"):
        slurm.script(Job(several))
    for storage in ("", "s3://mine"):
        with pytest.raises(UserError, match="name of a volume"):
            skypilot.task(Job(several, storage=storage))
    assert yaml.safe_load(skypilot.task(Job(several, storage="mine")))["volumes"] == {
        "/dltui": "mine"
    }


def test_a_kubernetes_job_of_several_machines_gives_each_its_place() -> None:
    several = DIGITS.override(["train.nodes=2..3"])
    _, service, made = yaml.safe_load_all(kubernetes.manifest(Job(several, image="i", storage="s")))
    spec, name = made["spec"], made["metadata"]["name"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    pod = spec["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    given = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    # Kubernetes names the pods of an indexed job so, and sets their index.
    place = place_of(several.train, given | {"JOB_COMPLETION_INDEX": "2"})
    assert (place.node, place.host, place.port) == (2, f"{name}-0.{name}", 29500)


def test_a_skypilot_task_carries_the_experiment(tmp_path: Path) -> None:
    content = yaml.safe_load(skypilot.task(job(gpu_type="A100", image="", storage="s3://mine")))
    assert content["resources"] == {"accelerators": "A100:2", "cpus": "8+", "memory": "64+"}
    # Its mode MOUNT has no appending, by which events are written.
    assert content["file_mounts"] == {"/dltui": {"source": "s3://mine", "mode": "MOUNT_CACHED"}}
    assert content["name"] == "digits-1-x"
    done = shell(content["run"], tmp_path)
    assert RunConfig.parse(tomllib.loads(done.stdout.partition("\n")[2])) == DIGITS
    assert not (tmp_path / "here").exists()


def test_a_kubernetes_job_carries_the_experiment_and_keeps_its_runs() -> None:
    settings, made = yaml.safe_load_all(kubernetes.manifest(job()))
    assert RunConfig.parse(tomllib.loads(settings["data"]["experiment.toml"])) == DIGITS
    assert (made["apiVersion"], made["kind"]) == ("batch/v1", "Job")
    pod = made["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "8", "memory": "64G", "nvidia.com/gpu": "2"}
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert pod["restartPolicy"] == "Never"  # as a podFailurePolicy requires
    assert made["spec"]["activeDeadlineSeconds"] == 1530 * 60
    name = made["metadata"]["name"]
    assert len(name) <= 63
    assert name.replace("-", "").isalnum()
    assert pod["volumes"][1]["configMap"]["name"] == settings["metadata"]["name"] == name


@pytest.mark.parametrize("name", ["2024-wines", "w" * 64, "9" * 64])
def test_names_of_kubernetes_begin_with_a_letter_and_leave_room_for_those_of_pods(
    name: str,
) -> None:
    numbered = RunConfig.parse(DIGITS.values() | {"name": name})
    *_, made = yaml.safe_load_all(kubernetes.manifest(Job(numbered, image="i", storage="s")))
    # A service, and so a job of Kubeflow, has a label of RFC 1035 for its name.
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", made["metadata"]["name"])
    assert len(f"{made['metadata']['name']}-node-0-999-abcde") <= 63


@pytest.mark.parametrize(("gpus", "devices", "shared"), [(1, 1, []), (2, 1, [1]), (0, 2, [1])])
def test_processes_of_a_pod_share_more_memory_than_containers_have(
    gpus: int, devices: int, shared: list[int]
) -> None:
    config = DIGITS.override([f"train.devices={devices}"])
    text = kubernetes.manifest(Job(config, gpus=gpus, image="i", storage="s"))
    *_, made = yaml.safe_load_all(text)
    pod = made["spec"]["template"]["spec"]
    mounts = [one for one in pod["containers"][0]["volumeMounts"] if one["mountPath"] == "/dev/shm"]
    assert len(mounts) == len(shared)
    memory = {"name": "memory", "emptyDir": {"medium": "Memory"}}
    assert (memory in pod["volumes"]) == bool(shared)


def test_an_experiment_has_one_name_and_another_another() -> None:
    other = Job(DIGITS.override(["train.epochs=3"]), image="i", storage="s")
    names = {
        next(yaml.safe_load_all(kubernetes.manifest(one)))["metadata"]["name"]
        for one in (job(), job(gpus=1), other)
    }
    assert len(names) == 2


@pytest.mark.parametrize("text", ["a b", "gpu\n#SBATCH --uid=0", "$(id)", "-x", "a;b", "a'b"])
def test_names_of_a_cluster_are_plain(text: str) -> None:
    with pytest.raises(UserError, match="--partition"):
        checked(text, "--partition")


@pytest.mark.parametrize("text", ["8", "0h", "8 h", "1:00", "-1h", "8h\n"])
def test_a_time_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="90m, 8h or 2d"):
        minutes(text)


def test_times_and_sizes_have_units() -> None:
    assert [minutes(text) for text in ("", "90m", "8h", "2d")] == [0, 90, 480, 2880]
    assert [gigabytes(text) for text in ("", "64G")] == [0, 64]
    with pytest.raises(UserError, match="64G"):
        gigabytes("64")


@pytest.mark.parametrize(
    ("cluster", "missing"), [("skypilot", "--gpu-type"), ("kubernetes", "--image")]
)
def test_what_a_cluster_cannot_do_without_is_asked_for(
    cluster: str, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "digits-cnn", "--to", cluster, "--gpus", "1"]) != 0
    assert missing in capsys.readouterr().err


def test_a_wrong_experiment_is_not_submitted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "digits-cnn", "train.epochs=0", "--to", "slurm", "--submit"]) == 2
    assert "train.epochs" in capsys.readouterr().err


def test_what_is_printed_is_what_is_submitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/given\necho Submitted batch job 7\n')
    sbatch.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(shutil.which('cp') or '/bin/cp').parent}")
    words = ["submit", "digits-cnn", "train.epochs=3", "--to", "slurm", "--gpus", "1"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert not (tmp_path / "given").exists()
    assert main([*words, "--submit"]) == 0
    assert (tmp_path / "given").read_text() == printed
    assert "Submitted batch job 7" in capsys.readouterr().out


def test_a_cluster_that_is_not_here_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["submit", "digits-cnn", "--to", "slurm", "--submit"]) != 0
    assert "Cannot start sbatch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cluster", "given", "unused"),
    [
        ("kubernetes", ["--gpu-type", "A100"], "--gpu-type"),
        ("slurm", ["--image", "me/dltui"], "--image"),
        ("skypilot", ["--time", "8h"], "--time"),
    ],
)
def test_an_option_that_a_cluster_does_not_take_is_said(
    cluster: str, given: list[str], unused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = [] if cluster == "slurm" else ["--image", "i", "--storage", "s"]
    assert main(["submit", "digits-cnn", "--to", cluster, *storage, *given]) == 0
    shown = capsys.readouterr()
    assert f"{unused} has no effect on jobs for {cluster}." in shown.err
    assert "no effect" not in shown.out
