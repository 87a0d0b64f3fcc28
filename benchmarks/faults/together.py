"""Several damaged files before one rerun, which costs as much as after one, and tells of all."""

import json
import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import ExitStack, chdir
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.faults import damage, outcome
from benchmarks.faults.checkout import Checkout
from workflow import made, proved

# All is made again, a run is killed first, or the others would take it away.
ALONE = (*damage.OWN, damage.CACHE, "checkpoint", damage.KNOWN)
TWINS = {"dvc.lock", "copy of dvc.lock"}  # each is mended by the other

Rows = list[outcome.Row]
Random = Callable[[outcome.Row], random.Random]


class Place(NamedTuple):
    """A row with the jobs that have to run because of its fault, and whether its file is an output."""

    row: outcome.Row
    jobs: frozenset[str]
    output: bool


def groups(rows: Rows, whole: dict[str, Checkout], drawn: Random, most: int) -> list[Rows]:
    """The rows in groups of at most `most`, those of one engine, that can be done together; the largest first."""
    found: list[list[Place]] = []
    for row in rows:
        place = _place(row, whole[row.engine], drawn(row))
        fits = (group for group in found if place and len(group) < most and _joins(place, group))
        group = next(fits, None) if place is not None else None
        if group is None:
            found.append([place or Place(row, frozenset(), False)])
        else:
            group.append(place)  # type: ignore[arg-type]
    return [[place.row for place in group] for group in sorted(found, key=len, reverse=True)]


def _place(row: outcome.Row, checkout: Checkout, drawn: random.Random) -> Place | None:
    """None of a row that has to be done alone, or whose file is not there."""
    if row.place in ALONE or (path := damage.file_of(checkout, row.place, drawn)) is None:
        return None
    made = damage.maker(checkout, path)
    due = damage.due_of(checkout, path, row)
    return Place(row, frozenset(filter(None, [made and made.target, due])), made is not None)


def _joins(new: Place, group: list[Place]) -> bool:
    return bool(group[0].jobs) and all(_apart(new, other) for other in group)


def _apart(one: Place, other: Place) -> bool:
    """Whether neither is made again by the job that makes the other."""
    places = {one.row.place, other.row.place}
    if one.row.engine != other.row.engine or len(places) < 2 or places == TWINS:
        return False
    return not (one.output or other.output) or not one.jobs & other.jobs


def damage_together(rows: Rows, checkout: Checkout, wanted: dict[str, str], drawn: Random) -> Rows:
    """The faults of all rows to one checkout, and reruns. A file that a sentence names is mended as it says, and it is
    run again. The rows of which it is not known how they end are returned as they were: all where all together did not
    end well, and outputs that Snakemake has made again only because what they are made of was."""
    begun, blank = time.monotonic(), [replace(row) for row in rows]
    reruns = []
    with ExitStack() as stack:
        paths = [damage.file_of(checkout, row.place, drawn(row)) or Path() for row in rows]
        for row, path in zip(rows, paths, strict=True):
            damage.let_be_due(row, checkout, path, wanted)
        hit = {}
        for at in sorted(range(len(rows)), key=lambda at: rows[at].fault == damage.OF_FOLDER):  # these let no other in
            stack.callback(damage.writable, paths[at])
            hit[at] = damage.strike(rows[at], checkout, paths[at])
        struck = [hit[at] for at in range(len(rows))]
        unseen = [at for at, each in enumerate(struck) if not _is_seen(each, checkout)]
        while (rerun := checkout.run()).status:
            reruns.append(rerun.said)
            said, _ = outcome.told(rerun, checkout)
            named = [each for each in struck if not each.row.ended and each.name in said]
            if not named:
                print(f"several: {said or rerun.said[-2000:]}", flush=True)
                return _as_they_were(rows, blank)
            told = max(named, key=lambda each: len(each.name))  # a file rather than the folder that it is in
            told.row.ended, told.row.sentence = outcome.TOLD, said
            told.cure()
        reruns.append(rerun.said)
        if wrong := outcome.differing(checkout, wanted):
            print(f"several: other hashes of {' '.join(wrong)}", flush=True)
            return _as_they_were(rows, blank)
    for at, row in enumerate(rows):
        if at not in unseen:
            row.ended = row.ended or outcome.SAME
            row.again = " ".join(outcome.ran("\n".join(reruns), checkout.jobs()))
            row.moment += f", with {len(rows) - 1} others"
            row.seconds = round((time.monotonic() - begun) / len(rows), 1)
    return _as_they_were([rows[at] for at in unseen], [blank[at] for at in unseen])


def _is_seen(damaged: damage.Damaged, checkout: Checkout) -> bool:
    """Whether Snakemake will make the file again for its own sake, and not only because what it is made of was made
    again. DVC compares what there is with what was there, and nothing else."""
    job = damage.maker(checkout, damaged.path)
    if job is None or checkout.engine == "dvc":
        return True
    with chdir(checkout.folder):
        noted = SimpleNamespace(persistence=SimpleNamespace(metadata=_metadata))
        proof = proved.Proof()
        return not all(made.is_own(noted, out) and proof.same(out, made.made_at(noted, out)) for out in job.outs)


def _metadata(out: str) -> Any:
    """What Snakemake has noted of an output."""
    path = Path(".snakemake/metadata", urlsafe_b64encode(out.encode()).decode())
    return SimpleNamespace(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _as_they_were(rows: Rows, blank: Rows) -> Rows:
    for row, was in zip(rows, blank, strict=True):
        vars(row).update(vars(was))
    return rows
