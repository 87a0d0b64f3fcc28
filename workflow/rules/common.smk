# params.yaml is checked before any rule exists: a typo ends the run within a second.
# `configfile` only feeds the check: stages read params.yaml, so `--config key=value` changes nothing for them.
import os
from pathlib import Path, PurePosixPath

import yaml
from snakemake.utils import validate

from stages.params import load as load_params
from workflow.dag import Dag, is_directory


# Stages note in MLflow which engine ran them.
os.environ["KITH_ENGINE"] = "snakemake"


configfile: "params.yaml"


load_params()
validate(config, "../schemas/params.schema.json")
dag = Dag()

# Titles and captions, for captions in workflow/report: these see the configuration, and little else.
config["figures"] = yaml.safe_load(Path("workflow/report/figures.yaml").read_text(encoding="utf-8"))


def title(wildcards):
    """What the report calls a figure."""
    return {"figure": config["figures"].get(wildcards.name, {}).get("title", wildcards.name)}


REPORTED = {
    "leaderboard.csv": dict(category="Results", caption="../report/leaderboard.rst", labels={"result": "Leaderboard (CSV)"}),
    "report.html": dict(category="Results", caption="../report/page.rst", labels={"result": "The report as one page"}),
    "figures": dict(category="Figures", caption="../report/figures.rst", patterns=["{name}.png"], labels=title),
}


def declare(out):
    """An output as Snakemake wants it declared: directories say so, and results go into its report."""
    declared = directory(out) if is_directory(out) else out
    shown = REPORTED.get(PurePosixPath(out).name)
    return report(declared, **shown) if shown else declared
