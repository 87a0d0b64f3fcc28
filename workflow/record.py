"""Let DVC know what Snakemake has run.

It runs by itself at the end of every run of Snakemake. Only the stages named are recorded: recording all would declare
stale ones to be up to date.
"""

import subprocess
import sys
from typing import Annotated

import typer

from kith.errors import KithError
from workflow import lockfile
from workflow.dag import Dag


def main(*, stages: Annotated[list[str], typer.Argument(help="What has run, such as train@infonce-0.")]) -> None:
    """Note for DVC that these stages have run. Raises KithError where DVC cannot."""
    if not record(stages):
        raise KithError("not recorded: DVC failed, see above")


def record(targets: list[str]) -> bool:
    """Store outputs in DVC's cache, checksums and parameters in dvc.lock; False where DVC could not.

    `targets` are DVC's names: train@infonce-0, or train for all its items. The files themselves stay: links
    into the cache in their place would look newer to Snakemake than what was made from them. Stages that the study no
    longer has leave dvc.lock.
    """
    lockfile.repair()
    command = [sys.executable, "-m", "workflow.commit", *targets]
    if targets and subprocess.run(command).returncode:
        return False
    tidy()
    return True


def tidy() -> None:
    """Drop the study's former stages from dvc.lock, and keep a copy of it."""
    dag = Dag()
    lockfile.drop(dag.study, {stage.target(item) for stage, item in dag.items()})
    lockfile.keep()
