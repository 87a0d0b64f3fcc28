"""What a stage has written before comes back when it fails.

Both engines remove it: DVC before the stage runs, Snakemake before and when it fails. What is in DVC's cache is put
back; the stage runs again the next time all the same.
"""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from kith.errors import listed


def keeping(main: Callable[..., None]) -> Callable[..., None]:
    """`main` of a stage, which puts back what DVC removed before it where it fails or is interrupted."""

    @functools.wraps(main)
    def kept(**options: Any) -> None:
        try:
            main(**options)
        except BaseException:
            stage = os.environ.get("DVC_STAGE")
            if stage and os.environ.get("KITH_ENGINE") != "snakemake":
                put_back(stage=stage)
            raise

    return kept


def put_back(outs: Iterable[str] = (), stage: str = "") -> list[str]:
    """Those of `outs`, or of all that a stage such as train@infonce-0 writes, that were put back as dvc.lock knows
    them; what is there stays as it is, and what the cache does not have stays away. It is said in a line.

    Whatever keeps DVC from it does not matter: there is an error to be told already.
    """
    wanted, back = set(outs), []
    with contextlib.suppress(Exception):
        from dvc.repo import Repo

        with Repo() as repo:
            of_stages = ((each.addressing, out) for each in repo.index.stages for out in each.outs)
            for name, out in of_stages:
                if (name == stage or str(out) in wanted) and not out.exists and _comes_back(out):
                    back.append(str(out))
    if back:
        print(f"put back as before, from DVC's cache: {listed(back)}", file=sys.stderr)
    return back


def _comes_back(out: Any) -> bool:
    if not out.use_cache or not out.hash_info or out.changed_cache():
        return False
    out.checkout()
    if not out.isdir():  # no newer than the note of the failure (see workflow.failed)
        made = os.stat(out.cache.oid_to_path(out.hash_info.value))
        os.utime(out.fs_path, ns=(made.st_atime_ns, made.st_mtime_ns))
    return bool(out.exists)
