"""Which engine runs in this folder: both would write the same files, so the one that comes later is refused.

Snakemake leaves a note of its process, and enters what it writes in DVC's list of busy paths; DVC does that itself, and
heeds it. Whatever a killed process has left there says nothing.
"""

import atexit
import itertools
import json
import os
import platform
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kith.errors import KithError
from workflow import whole

RUNNING = Path(".snakemake/running.json")
LOCKS = Path(".snakemake/locks")  # Snakemake's own, which outlive it
BUSY = Path(".dvc/tmp/rwlock")  # by "write" and "read": the process and command, by path
SHELLS = ("sh", "bash", "dash", "zsh", "fish", "ksh", "tcsh", "csh")
GRACE = 10.0  # seconds for a stage to end by itself once its engine is gone


def claim(outs: list[str]) -> None:
    """Note that Snakemake runs here, as this process, and writes `outs`. The locks of one that was killed go.

    Raises KithError where another Snakemake, or DVC, runs here.
    """
    before = _read(RUNNING)
    if before and (before["host"] != platform.node() or _lives(before)):
        place = "" if before["host"] == platform.node() else f" on {before['host']}"
        raise KithError(_refused(f"Snakemake runs in this folder (process {before['pid']}{place})", RUNNING))
    if before:
        _unlock()  # before the note of the one that was killed is gone: without it, nobody would know whose they are
    whole.write(RUNNING, json.dumps(_note(os.getpid())))
    atexit.register(release)
    mend_busy()
    found = _busy()
    if dvc := _dvc(found):
        release()
        raise KithError(_refused(dvc, BUSY))
    folders = {str(Path(*Path(out).parts[:2]).absolute()) for out in outs}
    own = {"pid": os.getpid(), "cmd": "snakemake"}
    whole.write(BUSY, json.dumps({**found, "write": found.get("write", {}) | dict.fromkeys(sorted(folders), own)}))


def running() -> int | None:
    """The process of a Snakemake that runs in this folder, on this computer; None where there is none."""
    note = _read(RUNNING)
    return note["pid"] if note and note["host"] == platform.node() and _lives(note) else None


def check_idle() -> None:
    """Raise KithError where an engine runs in this folder, on this computer: its stages read params.yaml when they
    start, and would be those of another study."""
    if found := f"Snakemake runs in this folder (process {process})" if (process := running()) else _dvc(_busy()):
        raise KithError(
            f"{found}, and its stages read params.yaml when they start: wait for its end, or work in another clone"
        )


def release() -> None:
    """Take away what `claim` has noted; nothing where it has not."""
    if (note := _read(RUNNING)) and (note["pid"], note["host"]) == (os.getpid(), platform.node()):
        RUNNING.unlink(missing_ok=True)
    give_way()


def give_way() -> None:
    """Let DVC write what Snakemake has written; that Snakemake runs stays noted, for its locks are still there."""
    busy = _busy()
    others = {path: each for path, each in busy.get("write", {}).items() if each["pid"] != os.getpid()}
    if others != busy.get("write", {}):
        whole.write(BUSY, json.dumps({**busy, "write": others}))


def mend_busy() -> None:
    """Remove a list of busy paths that is empty or broken, as a kill leaves it: it stops every command of DVC."""
    for _ in range(5):  # DVC writes it in place
        try:
            json.loads(BUSY.read_text(encoding="utf-8"))
            return
        except FileNotFoundError:
            return
        except ValueError:
            time.sleep(0.1)
    BUSY.unlink(missing_ok=True)


def _unlock() -> None:
    locks = list(LOCKS.glob("*.lock"))
    for lock in locks:
        lock.unlink(missing_ok=True)
    if locks:
        print("Snakemake was killed here, and left the folder locked: unlocked.", file=sys.stderr)


def watch(seconds: float = 1.0) -> None:
    """End this process, with all that it would clean up, when the engine that has called it is gone: nobody would
    know of what it writes. Without an engine it does nothing."""
    if "DVC_STAGE" not in os.environ and os.environ.get("KITH_ENGINE") != "snakemake":
        return
    import psutil

    engine = next((each for each in psutil.Process().parents() if each.name() not in SHELLS), None)
    if engine is None:
        return
    above = _note(engine.pid)
    # As Ctrl-C, whose own signal a process ignores that a script has started in the background.
    signal.signal(signal.SIGUSR1, signal.default_int_handler)

    def end_with_it() -> None:
        while _lives(above):
            time.sleep(seconds)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        time.sleep(GRACE)
        os._exit(130)

    threading.Thread(target=end_with_it, daemon=True).start()


def _refused(what: str, path: Path) -> str:
    return f"{what}, and both would write the same files: wait for its end; if it has ended, delete {path}"


def _note(process: int) -> dict[str, Any]:
    import psutil

    return {"pid": process, "started": psutil.Process(process).create_time(), "host": platform.node()}


def _lives(note: dict[str, Any]) -> bool:
    import psutil

    try:
        process = psutil.Process(note["pid"])
        same = abs(process.create_time() - note["started"]) < 1 if "started" in note else True
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _busy() -> dict[str, Any]:
    return _read(BUSY) or {}


def _dvc(busy: dict[str, Any]) -> str:
    """That another process which is in the list lives, and what it does; empty where there is none."""
    entries = [*busy.get("write", {}).values(), *itertools.chain(*busy.get("read", {}).values())]
    others = (each for each in entries if each["pid"] != os.getpid() and _lives({"pid": each["pid"]}))
    return next((f"DVC runs in this folder (process {each['pid']}: {each['cmd']})" for each in others), "")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
