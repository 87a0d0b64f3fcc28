"""Say whether new rows of a table are a reason to train again."""

import json as jsons
import sys
from pathlib import Path
from typing import Annotated

import typer

from kith.data import readers
from kith.drift.judged import LEAST, Judgement, judge
from kith.drift.new_rows import NewRows, new_rows
from kith.drift.opened import OpenedRun
from kith.drift.reference import reference
from kith.errors import KithError
from kith.inference import given
from kith.store.prepared import data_of
from stages import cli, params
from stages.params.data import TableColumns

BESIDE = ("label", "group")  # columns that the model does not read
NO_IDS = (
    "no column of ids, so every row counts as new, those that the run was trained with too; name the column with --id"
)
SHOWN = 3  # faults that are told


def main(
    *,
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    table: Annotated[Path, typer.Argument(help="A table with new rows, or a folder of pictures.")],
    image: Annotated[str | None, typer.Option(help="Column of pictures or their paths.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of texts.")] = None,
    id: Annotated[
        str | None, typer.Option(help="Column of ids: rows that the run was trained with are left out.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of labels.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of groups, rows that show the same thing: of each, one row is taken.")
    ] = None,
    image_root: cli.ImageRoot = None,
    outside: cli.Outside = False,
    data: Annotated[Path | None, typer.Option(help="Prepared data, by default those beside the run.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON in place of a table.")] = False,
) -> None:
    """Compare the new rows of a table with those held out when the run was trained, and end with one sentence:
    "train again: …" or "no need …".

    Columns are by default those of the current study, if the run is of it, or else image, text and id. Rows have to be
    independent of each other: of one group, or of one picture, one row is taken.
    """
    root = image_root or (table if table.is_dir() else table.parent)
    opened = OpenedRun(run, root, () if outside or table.is_dir() else (root, table.parent))
    asked = _columns(run, table, opened, {"id": id, "image": image, "text": text} | {"label": label, "group": group})
    beside = {name: asked.pop(name) for name in BESIDE}
    source = given.source(table, asked, opened.sides)
    known = reference(opened, data or data_of(run))
    found = new_rows(opened, source, known, **beside)
    _prove(table, found)
    names, shown = opened.model.class_names
    judgement = judge(found.sample, known.held_out, known.trained, [*names, *shown])
    if not judgement.measured:
        raise KithError(f"{run}: has fewer than {LEAST} held-out rows to compare with; nothing can be said")
    if not found.by_id:
        print(f"{table}: {NO_IDS}", file=sys.stderr)
    print(_plain(found, judgement) if json else _told(found, judgement))


def _columns(run: Path, table: Path, opened: OpenedRun, asked: dict[str, str | None]) -> dict[str, str | None]:
    """What is asked for, and where nothing is, what the study of the run says."""
    there = _proved(table, asked)
    if table.is_dir():
        return asked
    if not any(asked[side] for side in ("image", "text")) and (known := _of_study(run)) is not None:
        label = [known.label, *known.categories][-1]
        usual = {"id": known.id, "image": known.image, "text": next(iter(known.texts or ()), None)}
        usual |= {name: each if each in there else None for name, each in (("label", label), ("group", known.group))}
        if "text" not in opened.sides:
            usual |= {"image": usual["text"]} if opened.raw.reads_texts else {}
            usual["text"] = None
        asked = {name: column or usual[name] for name, column in asked.items()}
    elif opened.raw.reads_texts:
        asked = asked | {"image": asked["image"] or asked["text"] or "text", "text": None}
    return asked


def _proved(table: Path, asked: dict[str, str | None]) -> list[str]:
    """The columns of the table, none of a folder. Raises KithError where one that is asked for beside the model's sides
    is not there."""
    there = [] if table.is_dir() or not table.exists() else readers.columns(table)
    for name in BESIDE:
        if asked[name] is not None and asked[name] not in there:
            told = f"the columns are: {', '.join(there)}" if there else "there are no columns; leave it out"
            raise KithError(f"{table}: no column '{asked[name]}' (--{name}); {told}")
    return there


def _of_study(run: Path) -> TableColumns | None:
    """The columns of the table of the current study, if the run is of it."""
    if not params.PARAMS.exists():
        return None
    settings = params.load()
    current = settings.study.name == run.resolve().parent.name and settings.fetch.source == "table"
    return settings.fetch.columns if current else None


def _prove(table: Path, found: NewRows) -> None:
    few = f"fewer than {LEAST} say nothing, wait for more"
    if found.new < LEAST:
        raise KithError(f"{table}: {found.new:,} new rows, of {found.rows:,}; {few}")
    if found.looked_at < LEAST:
        raise KithError(f"{table}: the {found.new:,} new rows are of {found.looked_at:,} groups or pictures; {few}")
    usable = max((len(each) for each in found.sample.vectors.values()), default=0)
    if usable < LEAST:
        told = found.faults[0] if found.faults else "the others are empty"
        raise KithError(f"{table}: only {usable:,} of {found.looked_at:,} new rows can be used; {told}")


def _told(found: NewRows, judgement: Judgement) -> str:
    known = found.rows - found.new
    lines = [f"{found.new:,} new rows of {found.rows:,}" + (f"; {known:,} were there in training" if known else "")]
    if found.looked_at < found.new:
        lines.append(f"looked at {found.looked_at:,} of them, one of each group and picture")
    if found.faults:
        more = f"; {len(found.faults) - SHOWN:,} more" if len(found.faults) > SHOWN else ""
        lines.append(f"{len(found.faults):,} faults, left out: {'; '.join(found.faults[:SHOWN])}{more}")
    rows = [("", "new", "held out", "p")]
    rows += [
        (each.name, each.new, each.held_out, "" if each.p is None else f"{each.p:.3f}") for each in judgement.measured
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, *cells in rows:
        lines.append("  ".join([name.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))]))
    return "\n".join([*map(str.rstrip, lines), judgement.sentence])


def _plain(found: NewRows, judgement: Judgement) -> str:
    measured = [vars(each) | {"again": each.again} for each in judgement.measured]
    counts = {"rows": found.rows, "new": found.new, "looked_at": found.looked_at, "faults": found.faults}
    told = counts | {"measured": measured, "train_again": judgement.again, "sentence": judgement.sentence}
    return jsons.dumps(told, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    cli.run(main)
