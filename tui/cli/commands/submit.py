"""``dltui submit PRESET --to CLUSTER``: train on a cluster."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from engine.config.presets import experiment_of
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.files.paths import anchored
from engine.jobs.job import Job, checked, gigabytes, minutes
from engine.jobs.submit import CLUSTERS
from tui.cli import console
from tui.cli.exit_codes import DONE

_EXAMPLES = """
examples:
  dltui submit digits-cnn --to slurm --gpus 1 --time 8h --partition gpu
  dltui submit digits-cnn train.epochs=30 --to slurm --gpus 1 --time 8h --submit
  dltui submit digits-cnn train.nodes=2 train.devices=4 --to slurm --gpus 4 --home /shared/dltui
  dltui submit digits-cnn --to skypilot --gpus 1 --gpu-type L4 --storage s3://my-bucket
  dltui submit digits-cnn --to kubernetes --gpus 1 --image me/dltui --storage my-claim
  dltui submit digits-cnn train.nodes=2 --to trainjob --gpus 1 --image me/dltui --storage my-claim
  dltui submit digits-cnn --to ray --gpus 1 --home /shared/dltui --submit

Without --submit the job is printed exactly as it would be submitted, and nothing else happens.
The job carries its whole configuration. It runs `dltui run --resume auto`: started again after its
machine was taken away or its time was over, it resumes from its last checkpoint. With Slurm and
Ray, runs are kept in the folder of DLTUI_HOME, or --home, which must be on a shared file system.
pytorchjob and trainjob are those of Kubeflow, beside the plain Job of kubernetes.
"""
_TEXTS = ("partition", "account", "gpu_type", "image", "storage")


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("preset", metavar="PRESET", help="name of a preset, or a TOML file")
    parser.add_argument(
        "assignments", metavar="field=value", nargs="*", help="what differs from the preset"
    )
    parser.add_argument(
        "--to",
        choices=tuple(CLUSTERS),
        required=True,
        help="kind of cluster",
    )
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of each machine (0)")
    parser.add_argument("--gpu-type", default="", help="their type, as the cluster calls it")
    parser.add_argument("--cpus", type=int, default=0, help="CPU cores")
    parser.add_argument("--memory", default="", metavar="64G", help="memory of the machine")
    parser.add_argument("--time", default="", metavar="8h", help="longest time: 90m, 8h, 2d")
    parser.add_argument("--partition", default="", help="Slurm: where the job waits")
    parser.add_argument("--account", default="", help="Slurm: who pays")
    parser.add_argument("--home", default="", help="Slurm, Ray: shared folder where runs are kept")
    parser.add_argument("--image", default="", help="container that has dltui")
    parser.add_argument(
        "--storage",
        default="",
        help="bucket or volume (SkyPilot), or volume claim (Kubernetes), for runs",
    )
    parser.add_argument("--submit", action="store_true", help="submit it, rather than print it")


def execute(options: Namespace) -> int:
    """Print the job, or submit it."""
    config = experiment_of(options.preset, options.assignments).anchored()
    job = _job(config, options)
    cluster = CLUSTERS[options.to]
    text = cluster.text(job)
    for name in cluster.unused:
        if getattr(options, name):
            console.complain(f"{_option(name)} has no effect on jobs for {options.to}.")
    used = config.train.processes // config.train.machines
    if job.gpus > used:
        console.complain(f"{job.gpus} GPUs are requested, and train.devices={used} uses {used}.")
    if options.submit:
        console.line(cluster.send(text))
    else:
        console.text(text)
    return DONE


def _job(config: RunConfig, options: Namespace) -> Job:
    if not 0 <= options.gpus <= 64 or not 0 <= options.cpus <= 1024:
        raise UserError("--gpus goes from 0 to 64 and --cpus from 0 to 1024.")
    names = {name: checked(getattr(options, name), _option(name)) for name in _TEXTS}
    home = options.home or os.environ.get("DLTUI_HOME", "")
    return Job(
        config,
        gpus=options.gpus,
        cpus=options.cpus,
        memory=gigabytes(options.memory),
        minutes=minutes(options.time),
        home=anchored(home),
        **names,
    )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
