"""Let DVC know what Snakemake has run.

It runs by itself at the end of every run of Snakemake. Only the stages named are recorded: recording all would declare
stale ones to be up to date.
"""

import subprocess
import sys
from typing import Annotated, Any

import typer

from kith.errors import KithError
from workflow.dag import Dag


def main(*, stages: Annotated[list[str], typer.Argument(help="What has run, such as train@infonce-0.")]) -> None:
    """Note for DVC that these stages have run. Raises KithError where DVC cannot."""
    if not record(stages):
        raise KithError("not recorded: DVC failed, see above")


def record(targets: list[str]) -> bool:
    """Store outputs in DVC's cache, checksums and parameters in dvc.lock; False where DVC could not.

    `targets` are DVC's names: train@infonce-0, or train for all its items. The files themselves stay: links
    into the cache in their place would look newer to Snakemake than what was made from them.
    """
    command = [sys.executable, "-m", "dvc", "commit", "--quiet", "--force", "--no-relink", *targets]
    return not targets or subprocess.run(command).returncode == 0


def record_run(workflow: Any, dag: Dag) -> None:
    """Record the jobs that a Snakemake run has finished; `workflow` is Snakemake's own object.

    A run with --touch has executed nothing. If dvc.yaml or params.yaml were edited meanwhile, DVC would note
    parameters that were not used: then nothing is recorded.
    """
    jobs = [] if workflow.touch else workflow.dag.finished_jobs
    finished = {(job.rule.name, frozenset(job.wildcards_dict.items())) for job in jobs}
    targets = [
        stage.target(item)
        for stage in dag.stages
        for item in stage.items()
        if (stage.name, frozenset((key, item[key]) for key in stage.wildcards())) in finished
    ]
    if Dag().texts != dag.texts:
        problem = "dvc.yaml or params.yaml changed during the run; with the old ones in place"
    elif record(targets):
        return
    else:
        problem = "DVC failed, see above; once that is mended"
    print(f"Not recorded for DVC: {problem}: kith record {' '.join(targets)}", file=sys.stderr)
