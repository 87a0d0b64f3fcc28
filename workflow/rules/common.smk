# params.yaml is checked before all else: a typo ends the run within seconds.
import json
import os
from pathlib import Path, PurePosixPath

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from stages.params import load as load_params
from workflow import captions, told, yamls
from workflow.dag import Dag, is_directory
from workflow.run import SnakemakeRun, end_when_asked

told.tell(logger)
# Stages note in MLflow which engine ran them.
os.environ.update(KITH_ENGINE="snakemake")


if config:
    raise WorkflowError("Parameters are in params.yaml alone: change them with `kith study NAME --set KEY=VALUE`.")

load_params(methods=True)
dag = Dag()
dag.commands()
run = SnakemakeRun(workflow, dag)


def licence(study):
    """The licence of the data; none is known before they are prepared, or of a broken file, and none is needed."""
    try:
        return json.loads(Path(f"data/{study}/prepared/dataset.json").read_text(encoding="utf-8"))["licence"]
    except (OSError, ValueError, KeyError):
        return "not known"


# For captions in workflow/report, which see the configuration and little else: study, titles, captions and licence.
config.update(yamls.read(yamls.text_of(Path("params.yaml")), "params.yaml"))
config["figures"] = yamls.read(Path("workflow/report/figures.yaml").read_text(encoding="utf-8"), "figures.yaml")
config["licence"] = captions.plain(licence(config["study"]["name"]))


def title(wildcards):
    """What the report calls a figure."""
    return {"figure": config["figures"].get(wildcards.name, {}).get("title", wildcards.name)}


REPORTED = {
    "leaderboard.csv": dict(
        category="Results", caption="../report/leaderboard.rst", labels={"result": "Leaderboard (CSV)"}
    ),
    "report.html": dict(category="Results", caption="../report/page.rst", labels={"result": "The report as one page"}),
    "figures": dict(category="Figures", caption="../report/figures.rst", patterns=["{name}.png"], labels=title),
}


def declare(out):
    """An output as Snakemake wants it declared: directories say so, and results go into its report.

    No file is one to `update`, which Snakemake would put back after a failure: it then notes the file as made by the stage
    that failed, and does not run that again.
    """
    declared = directory(out) if is_directory(out) else out
    shown = REPORTED.get(PurePosixPath(out).name)
    return report(declared, **shown) if shown else declared


def rule_of(stage):
    """The parts of a rule that depend on the wildcards."""

    def inputs(wildcards):
        return run.inputs(stage, stage.item(dict(wildcards.items())))

    def cmd(wildcards):
        return stage.command(stage.item(dict(wildcards.items())))

    def values(wildcards):
        return run.values(stage, stage.item(dict(wildcards.items())))

    return inputs, cmd, values


onstart:
    end_when_asked(workflow.scheduler)
    # On this computer there is no rate of starting jobs to keep to. For its sake Snakemake would look for jobs to start
    # once a second more often with each job that ends, which takes a core in the end.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
