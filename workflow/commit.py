"""Commit stages to DVC all at once: `dvc commit` reads and writes the whole of dvc.lock for each of its targets.

python -m workflow.commit TARGET…  stores outputs in DVC's cache, and checksums and parameters in dvc.lock.
"""

import logging
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.logger import set_loggers_level
from dvc.repo import Repo, locked
from dvc.scm import SCM, SCMError

from kith.errors import KithError
from workflow.told import need_room, of_system

PATIENCE = 60  # seconds for another DVC to end: a run that was killed may have left one behind that is still storing


@locked
def commit(repo: Repo, targets: list[str]) -> None:
    """As `dvc commit --force --no-relink` of each target, or of all items of it; nothing is noted where one fails.

    Raises DvcException for a target that no stage has.
    """
    stages = [stage for stage in repo.index.stages if {stage.name, stage.name.split("@")[0]} & set(targets)]
    if strange := set(targets).difference(*({stage.name, stage.name.split("@")[0]} for stage in stages)):
        raise DvcException(f"no such stage: {', '.join(sorted(strange))}")
    for stage in stages:
        stage.save()
        stage.commit(relink=False)
    if stages:
        stages[0].dvcfile.dump_stages(stages, update_pipeline=False)


def _scm() -> Any:
    """Git's repository here, or none: DVC by itself refuses a folder without Git, such as an unpacked archive."""
    try:
        return SCM(".")
    except SCMError:
        return SCM(".", no_scm=True)


def _why(error: Exception) -> str:
    """Of a full disk, DVC says whatever it could not do."""
    try:
        need_room(Path(".dvc"))
    except KithError as full:
        return str(full)
    return of_system(error) if isinstance(error, OSError) else str(error)


def main(targets: list[str]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with set_loggers_level(logging.CRITICAL), Repo(scm=_scm()) as repo:
                return commit(repo, targets)
        except (DvcException, OSError, sqlite3.Error) as error:  # DVC knows files by SQLite
            if not isinstance(error, LockError) or time.monotonic() > end:
                sys.exit(f"error: {_why(error)}")
            time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1:])
