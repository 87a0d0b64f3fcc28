"""The record of all faults: a table with a row each, to which a later run adds, and the page that sums it up."""

import csv
import os
import platform
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from benchmarks.faults.outcome import HAND, OTHER, SAME, TOLD, Row

COLUMNS = [field.name for field in fields(Row)]
ENDS = (SAME, TOLD, HAND, OTHER)
KINDS = {
    "kill": "Kills",
    "file": "Damaged files",
    "path": "Files whose place is taken, or cannot be written",
    "disk": "A full disk",
    "two": "Two runs at once in one folder",
    "server": "MLflow's server",
}
# What the counts do not say.
HANDS = """*needed a hand*: the rerun failed and no line said why; once the cause was gone (room on the disk, a file
that can be written), another rerun ended as it should, unless *differ* or a sentence is told below."""

# How files are damaged, and what a copy cannot show.
FILES = """Several files are damaged before one rerun. Where it ends well, each counts whose job the engine sees to be
done again for that file's own sake; a file that a sentence names is mended as it says, and it is run again; where all
together end otherwise, each half is done anew, down to single ones. DVC reads every file here, for a copy has none of
its notes of sizes and times; with them it does not see a file whose content alone has changed
([troubleshooting](../docs/troubleshooting.md), *A failing disk*)."""


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [Row(**row) for row in csv.DictReader(file)]  # type: ignore[arg-type]
    for row in rows:
        row.number, row.kills, row.seconds = int(row.number), int(row.kills), float(row.seconds)
    return rows


def add(path: Path, row: Row) -> None:
    """One row more, at once on the disk."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row.values())
        file.flush()
        os.fsync(file.fileno())


def page(rows: list[Row], command: str, note: str = "") -> str:
    """The summary as Markdown: counts by engine and stage, every sentence, and all that did not end well. note: what
    else is to be known of this table."""
    done = [row for row in rows if row.ended in ENDS]
    days = sorted({row.day for row in done})
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    where += f", Python {platform.python_version()}"
    lines = ["# Faults", "", _summary(done), "", *([note.strip(), ""] if note else []), f"`{command}`", ""]
    lines += [f"{where}; {days[0]} to {days[-1]}." if days else where, ""]
    lines += [HANDS, ""]
    for kind, title in KINDS.items():
        if found := [row for row in done if row.kind == kind]:
            lines += [f"## {title}", "", *([FILES, ""] if kind == "file" else []), *_counts(found, kind), ""]
    lines += ["## What was said", "", *_sentences(done), ""]
    lines += ["## What did not end well", "", *_bad(done), ""]
    return "\n".join(lines).rstrip() + "\n"


def _summary(done: list[Row]) -> str:
    ends = Counter(row.ended for row in done)
    kills, others = sum(row.kills for row in done), sum(row.kind != "kill" for row in done)
    counts = [f"{ends[SAME]} ended with the hashes of an unbroken run by a plain rerun"]
    counts += [f"{ends[TOLD]} said in one sentence what to do, and then did", f"{ends[HAND]} needed a hand"]
    counts += [f"{ends[OTHER]} ended with other hashes"]
    return (
        f"{kills} kills of {len(done) - others} runs and {others} other faults, done to a small study of real stages "
        f"under both engines. Of these {len(done)} runs, {'; '.join(counts)}."
    )


def _counts(rows: list[Row], kind: str) -> list[str]:
    """A line an engine and place (a stage, or a kind of file); of servers and damages, a line a fault too."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[(row.place if kind in ("kill", "file", "path") else f"{row.fault}, {row.place}", row.engine)].append(row)
    head = "stage" if kind == "kill" else "file" if kind in ("file", "path") else "fault"
    lines = [f"| {head} | engine | faults | {' | '.join(ENDS)} |", "|---|---|" + "--:|" * (1 + len(ENDS))]
    for (place, engine), found in sorted(groups.items()):
        ends = Counter(row.ended for row in found)
        lines.append(f"| {place} | {engine} | {len(found)} | {' | '.join(str(ends[end] or '') for end in ENDS)} |")
    if kind == "server":
        lines += ["", *(f"- {row.fault}, {row.engine}: the training took {row.moment}" for row in rows)]
    return lines


def _sentences(rows: Iterable[Row]) -> list[str]:
    """Each sentence once, with what it was said of."""
    said: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.sentence:
            said[row.sentence].append(f"{row.fault}, {row.place}, {row.engine}")
    lines = []
    for sentence, faults in said.items():
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        lines.append(f"- `{sentence.replace('`', chr(39))}` ({faults[0]}{more})")
    return lines or ["Nothing."]


def _bad(rows: Iterable[Row]) -> list[str]:
    found = [row for row in rows if row.ended in (HAND, OTHER) or row.besides]
    lines = [
        f"- {row.number}: {row.fault}, {row.place}, {row.engine}, {row.moment}: {row.ended}. {row.besides}".rstrip()
        for row in found
    ]
    return lines or ["Nothing."]


def command_line() -> str:
    """As it was given, without the folders of this machine."""
    given = [*sys.argv[1:]]
    for at, word in enumerate(given[:-1]):
        if word in ("--work", "--out"):
            given[at + 1] = "FOLDER"
    return f"python -m benchmarks.faults {shlex.join(given)}".strip()
