"""What all benchmarks share: a case, its row, the table of the rows, and how cost grows with n."""

import dataclasses
import json
import math
import os
import platform
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import ROOT, Figures, Measurable
from stages import files

PACKAGES = (
    *("numpy", "scipy", "torch", "scikit-learn", "pytorch-metric-learning", "torchmetrics", "ranx"),
    *("gensim", "nmslib", "faiss-cpu"),
)
COLUMNS = (
    *("step", "n", "CPU s", "wall s", "MB", "n / CPU s"),
    *("compared with", "its CPU s", "its MB", "times faster", "limit", "of the limit", "at most", "note"),
)


def no_note(answer: Any) -> str:
    return ""


@dataclasses.dataclass
class Case:
    """One line, or one for each reference. n: the size that grows. references: by name, each with the same answer, as
    far as `tolerance` (absolute and relative) goes, or `same`, which raises where answers differ. published: by name,
    CPU seconds that others measured, elsewhere. limit: name and work that any way of doing this has to do. note: what
    to say of the answer. done: of how many things "n / CPU s" tells, where it is not n."""

    step: str
    n: int
    ours: Measurable
    references: dict[str, Measurable] = dataclasses.field(default_factory=dict)
    published: dict[str, float] = dataclasses.field(default_factory=dict)
    limit: tuple[str, Measurable] | None = None
    tolerance: float = 1e-6
    same: Callable[[Any, Any], None] | None = None
    note: Callable[[Any], str] = no_note
    done: int | None = None


@dataclasses.dataclass
class Row:
    """What was measured of one case, against one reference or none. of_limit: how often the time of the limit is in
    ours. at_most: how often it is in the reference's: no way of doing this is faster than that by more."""

    step: str
    n: int
    cpu: float
    wall: float
    mb: float
    rate: float
    against: str | None = None
    its_cpu: float | None = None
    its_mb: float | None = None
    faster: float | None = None
    limit: str | None = None
    of_limit: float | None = None
    at_most: float | None = None
    note: str = ""


def agree(ours: Any, theirs: Any, tolerance: float) -> None:
    """Raise AssertionError where answers differ: arrays, numbers, lists, or dicts, whose common keys are compared."""
    if isinstance(ours, dict):
        common = sorted(set(ours) & set(theirs))
        assert common, f"no key in common: {sorted(ours)} and {sorted(theirs)}"
        for key in common:
            agree(ours[key], theirs[key], tolerance)
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), f"{len(ours)} parts and {len(theirs)}"
        for own, other in zip(ours, theirs, strict=True):
            agree(own, other, tolerance)
    else:
        np.testing.assert_allclose(
            np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64), rtol=tolerance, atol=tolerance
        )


def agree_in_size(ours: Any, theirs: Any) -> None:
    """Raise AssertionError where arrays, such as losses and gradients, differ by a 10,000th of their length. Gradients
    of large batches are below any absolute tolerance, and zeros would pass for them."""
    for place, (own, other) in enumerate(zip(ours, theirs, strict=True)):
        apart, size = np.linalg.norm(own - other), np.linalg.norm(other)
        assert apart <= 1e-4 * size, f" Part {place} is {apart / size:.1e} of its length apart."


def rows_of(case: Case) -> Iterator[Row]:
    """Measure it; nothing is told of ways whose answers differ from ours.

    Raises SystemExit where they do: times of different answers say nothing."""
    own = case.ours.measure()
    count = case.done or case.n
    row = Row(case.step, case.n, own.cpu, own.wall, own.mb, count / own.cpu, note=own.failed or case.note(own.answer))
    if case.limit and not own.failed:
        name, work = case.limit
        row.limit, row.of_limit = name, own.cpu / _least(work)
    lines = [_against(row, name, cpu) for name, cpu in case.published.items()]
    for name, way in {} if own.failed else case.references.items():
        other = way.measure()
        if not other.failed:
            _prove(case, name, own, other)
        lines.append(_compared(row, name, other))
    yield from lines or [row]


@cache
def _least(work: Measurable) -> float:
    """CPU seconds of a limit, which several cases may share."""
    return work.measure().cpu


def _prove(case: Case, name: str, own: Figures, other: Figures) -> None:
    try:
        if case.same is not None:
            case.same(own.answer, other.answer)
        else:
            agree(own.answer, other.answer, case.tolerance)
    except AssertionError as error:
        raise SystemExit(f"{case.step}, n = {case.n:,}: {name} has another answer.{error}") from None


def _compared(row: Row, name: str, other: Figures) -> Row:
    if other.failed:
        note = "; ".join(part for part in (row.note, f"{name}: {other.failed}") if part)
        return dataclasses.replace(row, against=None if other.missing else name, note=note)
    return dataclasses.replace(_against(row, name, other.cpu), its_mb=other.mb)


def _against(row: Row, name: str, cpu: float) -> Row:
    faster = cpu / row.cpu
    return dataclasses.replace(
        row, against=name, its_cpu=cpu, faster=faster, at_most=faster * row.of_limit if row.of_limit else None
    )


def growth(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """By step, for those of several sizes: p of CPU seconds and of memory ~ n^p (least squares of the logarithms)."""
    found: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        if math.isfinite(row.cpu):
            found[row.step][row.n] = row
    fitted = {}
    for step, by_size in found.items():
        if len(by_size) > 1:
            sizes = np.log(list(by_size))
            of = {name: [max(getattr(row, name), 1e-6) for row in by_size.values()] for name in ("cpu", "mb")}
            fitted[step] = {name: float(np.polyfit(sizes, np.log(values), 1)[0]) for name, values in of.items()}
    return fitted


def head(command: str) -> dict[str, Any]:
    """Where, when and with what a table was made."""
    return {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores; one thread",
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    def told(*command: str) -> str:
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = " and changes" if told("status", "--porcelain", "--untracked-files=no", "--", "kith", "stages") else ""
    return told("rev-parse", "--short", "HEAD") + changed


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def as_markdown(title: str, about: str, head: dict[str, Any], rows: Sequence[Row]) -> str:
    """The page of a table."""
    versions = ", ".join(f"{name} {version}" for name, version in head["versions"].items())
    lines = [f"# {title}", "", about, "", f"`{head['command']}`", ""]
    lines += [f"{head['date']}, commit {head['commit']}; {head['machine']}; {versions}.", ""]
    shown = [[_cell(value) for value in _values(row)] for row in rows]
    kept = [place for place, column in enumerate(COLUMNS) if place < 6 or any(line[place] for line in shown)]
    lines += [_line(COLUMNS[place] for place in kept), _line("---" for _ in kept)]
    lines += [_line(line[place] for place in kept) for line in shown]
    grown = growth(rows)
    if grown:
        lines += ["", "| how it grows: p of n^p | CPU | memory |", "|---|---|---|"]
        lines += [f"| {step} | {of['cpu']:.2f} | {of['mb']:.2f} |" for step, of in grown.items()]
    return "\n".join([*lines, ""])


def _values(row: Row) -> list[Any]:
    rate = row.rate if math.isfinite(row.rate) else None
    return [
        *(row.step, row.n, row.cpu, row.wall, row.mb, rate),
        *(row.against, row.its_cpu, row.its_mb, row.faster, row.limit, row.of_limit, row.at_most, row.note),
    ]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def write(folder: Path, name: str, page: str, head: dict[str, Any], rows: Sequence[Row]) -> None:
    """NAME.md and NAME.json; the JSON last, for it is what says that a table is finished."""
    files.write_text(folder / f"{name}.md", page)
    content = {"head": head, "rows": [dataclasses.asdict(row) for row in rows], "growth": growth(rows)}
    files.write_text(folder / f"{name}.json", json.dumps(_finite(content), indent=1, ensure_ascii=False) + "\n")


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def told(row: Row) -> str:
    """One line for the screen while the table is being made."""
    faster = f"; {row.faster:.1f} times as fast as {row.against}" if row.faster else ""
    near = f"; {row.of_limit:.1f} × {row.limit}" if row.of_limit else ""
    note = f"; {row.note}" if row.note else ""
    return f"  {row.step}, n = {row.n:,}: {_cell(row.cpu)} CPU s, {_cell(row.mb)} MB{faster}{near}{note}"


def announce(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
