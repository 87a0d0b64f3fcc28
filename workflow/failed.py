"""Why a run is not whole: noted beside the logs while it is made, until it is.

Each stage of a run (train, embed, evaluate) notes that it has begun, and why it fails; when it succeeds, the note goes.
So a result that an earlier try has left is not taken for that of a later one.
"""

import contextlib
import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kith.errors import KithError, line_of, of_machine
from workflow import whole


def noting(main: Callable[..., None]) -> Callable[..., None]:
    """`main` of a stage of a run, which is known by its --model and --trained, with the notes; any other as it is."""
    if not {"model", "trained"} <= inspect.signature(main).parameters.keys():
        return main
    stage = Path(inspect.getfile(inspect.unwrap(main))).stem

    @functools.wraps(main)
    def noted(*, model: Path, **options: Any) -> None:
        run = model.parent
        path = note_of(run.parent.name, run.name)
        _write(path, f"{stage} did not come to its end: it was interrupted or killed, or it still runs")
        try:
            main(model=model, **options)
        except Exception as error:
            _write(path, f"{stage} failed: {_told(error)}")
            raise
        path.unlink(missing_ok=True)

    return noted


def reason(study: str, run: str, result: Path | None = None) -> str | None:
    """Why the run, such as infonce-0, is not whole; None of one whose stages have all succeeded, or never begun, and
    where the last file that a run writes, `result`, is newer than the note: DVC has brought it since, from its cache
    or from elsewhere."""
    note = note_of(study, run)
    try:
        if result is not None and result.exists() and result.stat().st_mtime_ns > note.stat().st_mtime_ns:
            return None
        return str(json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def note_of(study: str, run: str) -> Path:
    return Path("logs", study, "failed", f"{run}.json")


def _told(error: Exception) -> str:
    """On one line, as the stage tells it."""
    if isinstance(error, KithError):
        return " ".join(str(error).split())
    return of_machine(error) or f"{type(error).__name__}: {line_of(error)}"


def _write(path: Path, said: str) -> None:
    """Without a note where none can be written: the stage's own error is the one to be told."""
    with contextlib.suppress(OSError):
        whole.write(path, json.dumps(said))
