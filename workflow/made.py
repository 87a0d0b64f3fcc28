"""What Snakemake has made itself, and what somebody else has changed since.

With every output, Snakemake notes of which parameters and when it was made. DVC writes the same files: after `dvc
repro`, an experiment or a checkout they are of DVC's parameters, and what Snakemake noted is of other files.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow.proved import Proof

STAMP = ".snakemake_timestamp"  # in a folder that Snakemake has made

_told: list[bool] = []
_rotten: set[str] = set()


def remake(workflow: Any, outs: list[str], proof: Proof) -> None:
    """Let Snakemake make these outputs of one job again if they are not those that it made; `workflow` is its own.

    To be called while its DAG is built. That some are made again is said once.
    """
    if not workflow.is_main_process:
        return
    there = [out for out in outs if os.path.lexists(out)]
    if all(is_own(workflow, out) for out in there):
        rotten = {out for out in there if not proof.same(out, made_at(workflow, out))}
        if rotten:
            workflow.dag.forcefiles.update(outs)
        for out in sorted(rotten - _rotten) if not workflow.touch else ():
            print(f"{out}: its content has changed and its time has not, so the disk may be failing", file=sys.stderr)
        _rotten.update(rotten)
        return
    workflow.dag.forcefiles.update(outs)
    if not _told and not workflow.touch:
        _told.append(True)
        print(
            f"{outs[0]}, and perhaps others, were not made by Snakemake, or have been changed since: they are made "
            "again. If that was DVC, and `dvc status` finds them up to date, `kith adopt` keeps them.",
            file=sys.stderr,
        )


def is_own(workflow: Any, out: str) -> bool:
    """Whether the output is there and as Snakemake left it when it noted how it was made."""
    noted = made_at(workflow, out)
    return noted is not None and os.path.lexists(out) and _is_from(Path(out), noted)


def made_at(workflow: Any, out: str) -> float | None:
    """The modification time that Snakemake noted of an output; None of one that it has not made, or whose note is
    damaged: that goes, for Snakemake would end on it."""
    from snakemake.io import IOFile

    try:
        record = workflow.persistence.metadata(IOFile(out))
    except ValueError:
        workflow.persistence.cleanup_metadata(IOFile(out))
        return None
    return None if record is None else record.endtime


def _is_from(out: Path, noted: float) -> bool:
    """A folder's time is that of the stamp in it, which is made last: whatever is newer came later."""
    if not out.is_dir() or out.is_symlink():
        return out.lstat().st_mtime == noted
    stamp = out / STAMP
    return stamp.exists() and stamp.stat().st_mtime == noted and all(time <= noted for time in _times(out))


def _times(folder: Path) -> Iterable[float]:
    """Of the folder, and of all in it: a folder's own changes when a file is put in the place of another."""
    for place, _, names in os.walk(folder):
        yield os.lstat(place).st_mtime
        yield from (os.lstat(os.path.join(place, name)).st_mtime for name in names)
