"""The first command of every stage: no name of params.yaml is more than a name to the shell of the next one.

Snakemake has made sure of it when it started. DVC fills commands in before anything of Kith runs. Besides, dvc.lock is
copied, at a time when DVC does not write it.
"""

import os
import sys

from kith.errors import KithError


def main() -> None:
    if "DVC_STAGE" not in os.environ or os.environ.get("KITH_ENGINE") == "snakemake":
        return
    from workflow import lockfile
    from workflow.dag import Dag

    Dag().commands()
    lockfile.keep()


if __name__ == "__main__":
    try:
        main()
    except KithError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        from workflow.told import of_system

        sys.exit(f"error: {of_system(error)}")
