"""Let Snakemake know what DVC has run, pulled or checked out: `python -m workflow.adopt`.

Snakemake goes by modification times and by what it noted at its own runs. It is told that all is done, and
notes parameters and checksums for the next time.
"""

import subprocess
import sys

TOUCH = ["--touch", "--forceall", "--cores", "1", "--no-hooks", "--quiet", "all"]


def adopt() -> None:
    """Exits with a message if DVC does not find every stage up to date."""
    if subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"]).returncode:
        sys.exit("Not adopted: DVC finds stages to run, see `dvc status`. First `dvc repro` or `dvc pull`.")
    if subprocess.run([sys.executable, "-m", "snakemake", *TOUCH]).returncode:
        sys.exit("Not adopted: Snakemake could not touch the outputs.")
    print("Adopted: Snakemake has nothing to do.")


if __name__ == "__main__":
    adopt()
