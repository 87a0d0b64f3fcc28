"""dvc.lock outlives a kill: DVC writes it in place, so that one in the middle leaves a part of it.

A copy is kept whenever it is known to be whole, and put back where it is not.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from kith.errors import KithError
from workflow import whole, yamls
from workflow.engine import mend_busy

LOCK = Path("dvc.lock")
KEPT = Path(".dvc/tmp/dvc.lock")
CONFLICT = "\n<<<<<<< "  # of a merge that somebody is about to decide
NO_UTF_8 = "\ufffd"  # stands for what cannot be read as text
NEEDED = {"path", "md5", "size"}  # of each file
USUAL = NEEDED | {"hash", "nfiles"}


def keep() -> None:
    """Copy dvc.lock; to be called when DVC does not write it. One that is damaged is put back first."""
    repair()
    if LOCK.exists() and KEPT.parent.is_dir():
        whole.write(KEPT, yamls.text_of(LOCK))


def repair() -> None:
    """Put the copy back, with all that is whole in a dvc.lock that is cut short or damaged; say so in a line.

    DVC's list of busy paths is mended too.
    """
    mend_busy()
    if not (LOCK.exists() and KEPT.exists()):
        return
    text, kept = (path.read_text(encoding="utf-8", errors="replace") for path in (LOCK, KEPT))
    if text == kept or CONFLICT in text or not _is_whole(kept):
        return
    (head, known), (given, found), cut = _entries(kept), _entries(text), _is_cut(text, kept)
    if cut:
        found = dict(list(found.items())[:-1])  # the last one may be a part
    newer = {name: entry for name, entry in found.items() if known.get(name) == entry or _is_whole(entry)}
    if (cut or given != head or len(newer) < len(found)) and not _is_committed():
        whole.write(LOCK, head + "".join((known | newer).values()))
        what = "was cut short, as by a kill while DVC wrote it" if cut else "was damaged"
        print(f"{LOCK} {what}: put back from {KEPT}", file=sys.stderr)


def drop(study: str, live: set[str]) -> None:
    """Take stages out of dvc.lock that have no part in the study any more: those that wrote the study's files, and are
    not among the `live` ones."""
    if not LOCK.exists():
        return
    head, entries = _entries(yamls.text_of(LOCK))
    left = {name: entry for name, entry in entries.items() if name in live or not _is_of(study, entry)}
    if len(left) < len(entries):
        whole.write(LOCK, head + "".join(left.values()))


def _entries(text: str) -> tuple[str, dict[str, str]]:
    """The text up to the first entry, and the text of each entry by the name of its stage."""
    head, *entries = re.split(r"^(?=  \S)", text, flags=re.MULTILINE)
    return head, {entry.split(":\n")[0].strip(): entry for entry in entries}


def _is_cut(text: str, kept: str) -> bool:
    """Whether `text` is the beginning of a dvc.lock: DVC writes entries in the same order every time."""
    names, known = list(_entries(text)[1]), list(_entries(kept)[1])
    lost = len(names) < len(known) and names == known[: len(names)]
    return lost or not text.endswith("\n") or not _is_whole(text)


def _is_whole(text: str) -> bool:
    """Whether the last entry has a command, and what DVC notes of each file, and nothing that DVC would not read."""
    try:
        last = list(_entries(text)[1].values())[-1]
        entry = _read(last)
        files = [*entry.get("deps", []), *entry["outs"]]
        if NO_UTF_8 in last or not files or not all(file.keys() >= NEEDED for file in files):
            return False
        return _is_usual(entry, files) or _is_valid(entry)
    except (KithError, AttributeError, IndexError, KeyError, TypeError):
        return False


def _is_usual(entry: dict[str, Any], files: list[dict[str, Any]]) -> bool:
    """Whether it has the form of nearly all entries."""
    known = all(file.keys() <= USUAL and (type(file["size"]), type(file["md5"])) == (int, str) for file in files)
    params = all(isinstance(each, dict) for each in entry.get("params", {}).values())
    return known and params and entry.keys() <= {"cmd", "deps", "params", "outs"}


def _is_valid(entry: dict[str, Any]) -> bool:
    """Whether DVC would read it. To ask DVC takes as long as all else that is done before a stage."""
    from dvc.schema import LOCK_FILE_STAGE_SCHEMA
    from voluptuous import Invalid, Schema

    try:
        Schema(LOCK_FILE_STAGE_SCHEMA)(entry)
    except Invalid:
        return False
    return True


def _is_of(study: str, entry: str) -> bool:
    outs = [out["path"].split("/") for out in _read(entry).get("outs", [])]
    return bool(outs) and all(len(parts) > 1 and parts[1] == study for parts in outs)


def _read(entry: str) -> Any:
    return next(iter(yamls.read(entry, str(LOCK)).values()))


def _is_committed() -> bool:
    """Whether dvc.lock is as Git has it: somebody chose it."""
    known = subprocess.run(["git", "show", f"HEAD:./{LOCK}"], capture_output=True)
    return known.returncode == 0 and known.stdout == LOCK.read_bytes()
