"""Check a table: its problems, and the parameters that fit it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from kith.data import advice, check, guess, readers
from kith.data.rows import Columns
from kith.errors import KithError
from stages import cli, params

NONE = "none"
ALL_WORDS = 10**9


def main(
    *,
    table: Annotated[Path, typer.Argument(help="Parquet, CSV, TSV or JSONL.")],
    image: Annotated[str | None, typer.Option(help="Column of pictures or their paths; none: there is none.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of texts; repeat it for several.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of labels; none: there is none.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option(help="Column of several labels, or of one each with 1 or 0; repeat it.")
    ] = None,
    separator: Annotated[str | None, typer.Option(help="What stands between labels in a cell.")] = None,
    categories: Annotated[
        list[str] | None, typer.Option(help="Column of categories, the broadest first; repeat it.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Column of splits; none: there is none.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of groups; none: there is none.")] = None,
    id: Annotated[str | None, typer.Option(help="Column of ids; none: there is none.")] = None,
    image_root: cli.ImageRoot = None,
    outside: cli.Outside = False,
    taxonomy: Annotated[Path | None, typer.Option(help="File of edges between classes.")] = None,
    missing: Annotated[
        list[str] | None, typer.Option(help="Word that stands for nothing; repeat it. none: only empty cells do.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many problems are shown; all are counted.")] = 50,
) -> None:
    """List all problems of a table, and end with the params that fit it; status 1 if there are problems.

    Columns that are not named are guessed; `none` says that there is none. Nothing is written. --limit: how many
    problems are shown; all are counted.
    """
    if limit < 0:
        raise KithError(f"--limit {limit}: expected 0 or more")
    single = {"image": image, "label": label, "split": split, "group": group, "id": id, "separator": separator}
    columns, reasons = guess.guess(table, _given(single, {"texts": text, "categories": categories, "labels": labels}))
    print("\n".join([*advice.column_lines(columns, reasons), *guess.unused(table, columns)]))
    meant = check.split_names(table, columns.split) if columns.split in readers.columns(table) else {}
    more: dict[str, Any] = {"image_root": image_root, "outside": outside, "taxonomy": taxonomy}
    more |= {"missing": [] if missing == [NONE] else missing} if missing else {}
    found = check.check(table, columns, **more, split_names=meant, limit=limit)
    print("", *advice.problem_lines(found.problems), sep="\n")
    _tell(found, columns)
    study = suggestion(advice.study(table, columns, found, more | {"splits": meant}), advice.notes(columns, found))
    print(f"\nA study that fits, for studies/{advice.slug(table)}.yaml:\n\n{study}", end="")
    if found.problems.count:
        sys.exit(1)


def _tell(found: check.Findings, columns: Columns) -> None:
    """What is in the rows that can be used."""
    if found.dataset is not None and found.dataset.items.num_rows:
        # Texts alone with classes are read by an encoder, as far as that can.
        alone = not columns.image and (columns.label or columns.categories)
        longest = ALL_WORDS if alone else params.TextTower().max_tokens
        told = check.facts(found.dataset, longest) + found.depths.remarks(None)
        print(*(["Of the rows that can be used:"] if found.problems.count else []), *told, sep="\n")


def _given(single: dict[str, str | None], many: dict[str, list[str] | None]) -> dict[str, Any]:
    """The columns that are named, by their fields; None, or [], where there is none."""
    if many["labels"]:  # in the place of one label
        single, many = single | {"label": NONE}, many | {"categories": [NONE]}
    given: dict[str, Any] = {field: None if name == NONE else name for field, name in single.items() if name}
    return given | {field: [] if names == [NONE] else names for field, names in many.items() if names}


def suggestion(study: dict[str, Any], notes: list[str]) -> str:
    """A study in YAML, short: `kith study` fills in the rest. Notes are comments below it."""
    text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return text + "".join(f"# {note}\n" for note in notes)


if __name__ == "__main__":
    cli.run(main)
