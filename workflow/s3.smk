# A run whose table is in object storage, and that stores what it has found there:
#   KITH_STORE=s3://bucket/folder snakemake --snakefile workflow/s3.smk --cores 2
# The table is the object at `fetch.path` of params.yaml, below that folder: it is fetched when it is newer there. Models,
# metrics, leaderboard and figures are stored under the paths that they have here. (`--default-storage-provider` would
# give every file another path than the commands of dvc.yaml name.)
import os

from snakemake.exceptions import WorkflowError


include: "Snakefile"


STORE = os.environ.get("KITH_STORE", "").rstrip("/")
if not STORE.startswith("s3://"):
    raise WorkflowError("KITH_STORE: expected the place of the table and of the results, such as s3://bucket/folder")


storage store:
    provider="s3",


TABLE = str(config["fetch"]["path"])
RESULTS = [out for out in dag.outs if out.startswith(("runs/", "reports/"))]


def stored(path):
    """The object of a path. A folder is stored file by file."""
    return storage.store(f"{STORE}/{path}")


rule stored:
    """Everything that dvc.yaml writes, and the results stored"""
    input:
        [stored(out) for out in RESULTS],
        rules.all.input,
    default_target: True


rule table:
    """Fetch the table from the store"""
    input:
        stored(TABLE),
    output:
        TABLE,
    shell:
        "cp {input} {output}"


for number, out in enumerate(RESULTS):

    rule:
        name:
            f"store_{number}"
        input:
            out,
        output:
            stored(out),
        message:
            f"Store {out}"
        shell:
            "rm -rf {output} && cp -r {input} {output}"
