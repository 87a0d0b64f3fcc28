"""Whether outputs are, byte for byte, what Snakemake has made: what a failing disk changes keeps its time.

When a run has ended, the checksums of what it has made are noted; the next one compares, before it plans. DVC keeps
checksums too, and goes by size and time as long as these are the same.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from workflow import whole

NOTED = Path(".snakemake/checksums.json")  # by output: when it was made, and its checksum
LARGEST = 256 << 20  # bytes; more is not read for the sake of proof: stages prove it when they read it

Known = dict[str, list[float | str | None]]


def note(made: Mapping[str, float | None]) -> None:
    """Note the checksums of outputs, by when Snakemake made them; those that are noted already are not read."""
    known = _read()
    new = {out: [time, _checksum(Path(out))] for out, time in made.items() if known.get(out, [None])[0] != time}
    if new:
        whole.write(NOTED, json.dumps(known | new))


class Proof:
    """The checksums that were noted when it began; each output is read once."""

    def __init__(self) -> None:
        self._noted = _read()
        self._found: dict[tuple[str, float | None], bool] = {}

    def same(self, out: str, made: float | None) -> bool:
        """Whether an output made at that time is as it was then; True of one of which nothing is noted."""
        time, checksum = self._noted.get(out, (None, None))
        if made is None or time != made or checksum is None:
            return True
        if (out, made) not in self._found:
            self._found[out, made] = _checksum(Path(out)) == checksum
        return self._found[out, made]


def _checksum(path: Path) -> str | None:
    """SHA-256 of a file, or of names and contents in a folder without what engines put there; None of a larger one, and
    of what cannot be read."""
    try:
        files = [path] if not path.is_dir() else sorted(_files(path))
        if sum(file.stat().st_size for file in files) > LARGEST:
            return None
        total = hashlib.sha256()
        for file in files:
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
            total.update(os.fsencode(file.relative_to(path)) + b"\0" + found.encode() + b"\n")
        return total.hexdigest()
    except OSError:
        return None


def _files(folder: Path) -> list[Path]:
    found = []
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if name != "__pycache__" and not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return found


def _read() -> Known:
    try:
        noted = json.loads(NOTED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    pairs = noted.items() if isinstance(noted, dict) else ()
    return {out: pair for out, pair in pairs if isinstance(pair, list) and len(pair) == 2}
