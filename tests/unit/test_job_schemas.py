"""Generated jobs are checked by the parsers and models of the clusters' own Python packages.

Each test needs the package of its cluster (kubernetes, kubeflow-training, kubeflow-trainer-api,
skypilot), which are not among those of the tests.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from engine.config.presets import find_preset, load_preset
from engine.errors import UserError
from engine.jobs import kubeflow, kubernetes, ray, skypilot, slurm
from engine.jobs.job import Job
from engine.launch.place import place_of

NODES = [1, 3]


def job(nodes: int, **changes: Any) -> Job:
    config = load_preset(find_preset("digits-cnn"), [f"train.nodes={nodes}"])
    asked = {"gpus": 2, "cpus": 8, "memory": 64, "minutes": 90, "gpu_type": "A100",
             "image": "me/dltui:1", "storage": "my-claim", "home": "/shared/runs"}  # fmt: skip
    return Job(config, **(asked | changes))


def manifests(text: str, kind: str) -> dict[str, Any]:
    """The document of a kind, which stands last."""
    *_, made = yaml.safe_load_all(text)
    assert made["kind"] == kind
    return made


@pytest.mark.parametrize("nodes", NODES)
def test_the_client_of_kubernetes_knows_every_field_of_the_job(nodes: int) -> None:
    client = pytest.importorskip("kubernetes.client")
    api = client.ApiClient()
    models = {"ConfigMap": "V1ConfigMap", "Service": "V1Service", "Job": "V1Job"}
    for made in yaml.safe_load_all(kubernetes.manifest(job(nodes))):
        assert _read_back(api, made, models[made["kind"]]) == made


@pytest.mark.parametrize("nodes", NODES)
def test_the_client_of_kubeflow_knows_every_field_of_the_pytorch_job(nodes: int) -> None:
    training = pytest.importorskip("kubeflow.training.models")
    client = pytest.importorskip("kubernetes.client")
    for name in dir(training):
        if name.startswith("KubeflowOrg"):
            setattr(client.models, name, getattr(training, name))
    made = manifests(kubeflow.pytorch_job(job(nodes)), "PyTorchJob")
    assert _read_back(client.ApiClient(), made, "KubeflowOrgV1PyTorchJob") == made


def _read_back(api: Any, made: dict[str, Any], model: str) -> Any:
    """Deserialize and serialize again: fields that the model does not know are lost."""
    return api.sanitize_for_serialization(api._ApiClient__deserialize(made, model))


@pytest.mark.parametrize("nodes", NODES)
def test_the_model_of_the_trainer_knows_every_field_of_the_train_job(nodes: int) -> None:
    models = pytest.importorskip("kubeflow_trainer_api.models")
    made = manifests(kubeflow.train_job(job(nodes)), "TrainJob")
    assert models.TrainerV1alpha1TrainJob.from_dict(made).to_dict() == made


@pytest.mark.parametrize("nodes", NODES)
def test_skypilot_reads_the_task(nodes: int) -> None:
    sky = pytest.importorskip("sky")
    config = yaml.safe_load(skypilot.task(job(nodes)))
    del config["volumes"]  # else the server is asked for them
    task = sky.Task.from_yaml_config(config)
    assert task.num_nodes == nodes
    (resources,) = task.resources
    assert resources.accelerators == {"A100": 2}


def test_each_node_of_skypilot_finds_its_place() -> None:
    content = yaml.safe_load(skypilot.task(job(3)))
    assert content["num_nodes"] == 3
    lines = content["run"].splitlines()
    exports = [line for line in lines if line.startswith("export ")]
    script = "\n".join([*exports, 'echo "$NODE_RANK $MASTER_ADDR $MASTER_PORT"'])
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True,
        env={"SKYPILOT_NODE_RANK": "2", "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2\n10.0.0.3",
             "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    rank, host, port = done.stdout.split()
    variables = {"NODE_RANK": rank, "MASTER_ADDR": host, "MASTER_PORT": port}
    place = place_of(job(3).config.train, variables)
    assert (place.node, place.host, place.port) == (2, "10.0.0.1", 29500)


def test_a_pytorch_job_has_a_master_and_the_other_nodes_as_workers() -> None:
    spec = manifests(kubeflow.pytorch_job(job(3)), "PyTorchJob")["spec"]
    replicas = {kind: part["replicas"] for kind, part in spec["pytorchReplicaSpecs"].items()}
    assert replicas == {"Master": 1, "Worker": 2}
    names = {
        container["name"]
        for part in spec["pytorchReplicaSpecs"].values()
        for container in part["template"]["spec"]["containers"]
    }
    assert names == {"pytorch"}, "its operator looks for this name"
    # What its operator sets on the second worker.
    variables = {"PET_NODE_RANK": "2", "PET_MASTER_ADDR": "a-master-0", "PET_MASTER_PORT": "23456"}
    place = place_of(job(3).config.train, variables)
    assert (place.node, place.rendezvous) == (2, "a-master-0:23456")


SCRIPTS: dict[str, Callable[[], str]] = {
    "slurm": lambda: slurm.script(job(3)),
    "skypilot": lambda: yaml.safe_load(skypilot.task(job(3)))["run"],
    "ray": lambda: yaml.safe_load(ray.arguments(job(1, minutes=0)))["entrypoint"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_shell_parses_each_script(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=SCRIPTS[name](), text=True, check=False)
    assert done.returncode == 0


def test_ray_has_one_machine_and_no_time_limit() -> None:
    with pytest.raises(UserError, match="one machine"):
        ray.arguments(job(2, minutes=0))
    with pytest.raises(UserError, match="max_minutes"):
        ray.arguments(job(1))


def test_ray_takes_the_arguments_that_are_written() -> None:
    client = pytest.importorskip("ray.job_submission").JobSubmissionClient
    import inspect

    given = yaml.safe_load(ray.arguments(job(1, minutes=0)))
    inspect.signature(client.submit_job).bind(None, **given)
    assert given["entrypoint_memory"] == 64 * 10**9
    assert given["runtime_env"]["env_vars"] == {"DLTUI_HOME": "/shared/runs"}
