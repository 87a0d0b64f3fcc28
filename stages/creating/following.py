"""What an engine's log says while it grows: which step begins, and how far a long one is."""

import re
from collections.abc import Iterator
from pathlib import Path

STEP = re.compile(r"\bpython -m stages\.(\w+)")
OF = re.compile(r" --(?:encoder|method|seed) (\S+)")  # what a step is of, as its command names it
RUN = re.compile(r" runs/[^/\s]+/([^/\s]+)/")
FAR = re.compile(r"[a-z][^\n]*\bleft")  # of kith.progress


class LogFollower:
    """Reads on in a log from where it was: the whole lines that have come, as far as they are for a person."""

    def __init__(self, path: Path):
        self.path, self._place, self._rest = path, 0, b""

    def lines(self) -> Iterator[str]:
        """What is new: a line for each step that has begun, and those of how far one is."""
        with self.path.open("rb") as file:
            file.seek(self._place)
            read = file.read()
        self._place += len(read)
        *whole, self._rest = (self._rest + read).split(b"\n")
        for line in whole:
            if said := told(line.decode("utf-8", errors="replace").strip()):
                yield said


def told(line: str) -> str | None:
    """A line of a log as it is told; None: it is not.

    >>> told("( export KITH_PROGRESS=3; python -m stages.train --method infonce --seed 0 --data x ) 3>&2 > a.log 2>&1")
    'train infonce-0'
    >>> told("> python -m stages.encode --encoder lite0 --sides image"), told("> python -m stages.fetch --out data/raw")
    ('encode lite0', 'fetch')
    >>> told("python -m stages.embed --data data/glyphs/prepared --model runs/glyphs/infonce-0/model.pt --out x")
    'embed infonce-0'
    >>> told("encode with lite0: 2,048 of 8,091 pictures, about 2 min left"), told("Select jobs to execute...")
    ('encode with lite0: 2,048 of 8,091 pictures, about 2 min left', None)
    """
    if step := STEP.search(line):
        of = "-".join(OF.findall(line)) or next(iter(RUN.findall(line)), "")
        return f"{step[1]} {of}".strip()
    return line if FAR.fullmatch(line) else None
