# The other engine for the DAG of dvc.yaml: `snakemake --cores 2`, or on a cluster `--profile workflow/profiles/slurm`.
from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


rule all:
    """Everything that dvc.yaml writes"""
    default_target: True
    input:
        dag.outs,


include: "workflow/rules/stages.smk"
include: "workflow/rules/record.smk"
