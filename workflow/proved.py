"""Whether outputs are, byte for byte, what Snakemake has made: what a failing disk changes keeps its time.

When a run has ended, the checksums of what it has made are noted; the next one compares, before it plans. DVC keeps
checksums too, and goes by size and time as long as these are the same.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from kith.data.digests import sha256
from workflow import whole

NOTED = Path(".snakemake/checksums.json")  # by output: when it was made, and its checksum
# Bytes of an output, and of all outputs at a time, that are read for the sake of proof; of more, stages prove what they
# read.
LARGEST, MOST = 256 << 20, 4 << 30

Known = dict[str, list[float | str | None]]


def note(made: Mapping[str, float | None]) -> None:
    """Note the checksums of outputs, by when Snakemake made them; those that are noted already are not read."""
    known = _read()
    times = {out: time for out, time in made.items() if known.get(out, [None])[0] != time}
    if times:
        new = {out: [time, _checksum(Path(out), LARGEST)[0]] for out, time in times.items()}
        whole.write(NOTED, json.dumps(known | new))


class Proof:
    """The checksums that were noted when it began; each output is read once, until MOST bytes are read."""

    def __init__(self) -> None:
        self._noted = _read()
        self._found: dict[tuple[str, float | None], bool] = {}
        self._left = MOST

    def same(self, out: str, made: float | None) -> bool:
        """Whether an output made at that time is as it was then; True of one of which nothing is noted."""
        time, checksum = self._noted.get(out, (None, None))
        if made is None or time != made or checksum is None:
            return True
        if (out, made) not in self._found:
            found, size = _checksum(Path(out), self._left)
            self._left -= size
            self._found[out, made] = self._left < 0 or found == checksum
        return self._found[out, made]


def _checksum(path: Path, most: int) -> tuple[str | None, int]:
    """SHA-256 of a file, or of names and contents in a folder without what engines put there, and its bytes; None where
    these are more than `most`, and of what cannot be read."""
    try:
        files, total = _files(path), hashlib.sha256()
        size = sum(file.stat().st_size for file in files)
        if size > most:
            return None, size
        for file in files:
            total.update(os.fsencode(file.relative_to(path)) + b"\0" + sha256(file).encode() + b"\n")
        return total.hexdigest(), size
    except OSError:
        return None, 0


def _files(path: Path) -> list[Path]:
    """The file, or in order those of a folder."""
    if not path.is_dir():
        return [path]
    found = []
    for place, below, names in os.walk(path):
        below[:] = [name for name in below if name != "__pycache__" and not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _read() -> Known:
    try:
        noted = json.loads(NOTED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    pairs = noted.items() if isinstance(noted, dict) else ()
    return {out: pair for out, pair in pairs if isinstance(pair, list) and len(pair) == 2}
