"""Look at a user's table before anything runs: its problems, and the params that fit it."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from kith.data import check, guess, readers
from kith.data.check import Report
from kith.data.problems import SKIPPABLE, Problem, Problems
from kith.data.rows import Columns
from kith.errors import KithError
from stages import cli

NONE = "none"
HEAD = ("row", "id", "column", "kind", "problem")
WIDEST = 30  # characters of a cell; the last one, the problem, is never cut


def main(
    *,
    table: Annotated[Path, typer.Argument(help="Parquet, CSV, TSV or JSONL.")],
    image: Annotated[str | None, typer.Option(help="Column of pictures or their paths; none: there is none.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of texts; repeat it for several.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of labels; none: there is none.")] = None,
    categories: Annotated[
        list[str] | None, typer.Option(help="Column of categories, the broadest first; repeat it.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Column of splits; none: there is none.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of groups; none: there is none.")] = None,
    id: Annotated[str | None, typer.Option(help="Column of ids; none: there is none.")] = None,
    image_root: Annotated[Path | None, typer.Option(help="Folder of the pictures, by default the table's.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="File of edges between classes.")] = None,
    limit: Annotated[int, typer.Option(help="How many problems are shown; all are counted.")] = 50,
) -> None:
    """List all problems of a table, and end with the params that fit it; status 1 if there are problems.

    Columns that are not named are guessed; `none` says that there is none. Nothing is written. --limit: how many
    problems are shown; all are counted.
    """
    if limit < 0:
        raise KithError(f"--limit {limit}: expected 0 or more")
    single = {"image": image, "label": label, "split": split, "group": group, "id": id}
    given: dict[str, Any] = {field: None if name == NONE else name for field, name in single.items() if name}
    many = {"texts": text, "categories": categories}
    given |= {field: [] if names == [NONE] else names for field, names in many.items() if names}
    columns, reasons = guess.guess(table, given)
    print("\n".join(_columns(columns, reasons)))
    meant = check.split_names(table, columns.split) if columns.split in readers.columns(table) else {}
    report = check.check(table, columns, image_root=image_root, split_names=meant, taxonomy=taxonomy, limit=limit)
    print("", *_problems(report.problems), sep="\n")
    if report.dataset is not None and not report.problems.count:
        print("\n".join(check.facts(report.dataset)))
    fetch = {"image_root": image_root, "splits": meant, "taxonomy": taxonomy}
    print(
        f"\nA study that fits, for studies/{_slug(table)}.yaml:\n\n{suggestion(table, columns, report, fetch)}", end=""
    )
    if report.problems.count:
        sys.exit(1)


def suggestion(table: Path, columns: Columns, report: Report, fetch: dict[str, Any]) -> str:
    """A study of the table in YAML, short: `kith study` fills in the rest. `fetch`: more of that section,
    what is empty left out."""
    named = {name: value for name, value in vars(columns).items() if value or name in ("image", "texts")}
    more = {key: value if isinstance(value, dict) else value.as_posix() for key, value in fetch.items() if value}
    related = columns.categories or fetch.get("taxonomy")
    methods = ["infonce"] if columns.image and columns.texts else []
    if columns.image and (columns.label or related):
        methods.append("hierarchy_ce" if related else "classifier")
    content: dict[str, Any] = {
        "study": {"name": _slug(table), "methods": methods or ["infonce"]},
        "fetch": {"source": "table", "path": table.as_posix(), "columns": _plain(named), **more},
        "prepare": {"image": {"size": report.size or 64}},
    }
    if not columns.texts:
        content["text"] = {"backend": "none"}
    content["train"] = {"epochs": 10}
    lines = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    if skippable := [kind for kind in SKIPPABLE if kind in report.problems.counts]:
        lines += f"# To leave faulty rows out in place of mending them: prepare: {{skip: [{', '.join(skippable)}]}}\n"
    if not (columns.image and (columns.texts or columns.label or columns.categories)):
        lines += "# Not enough for a method: they need pictures, and texts or labels.\n"
    return lines


def _columns(columns: Columns, reasons: dict[str, str]) -> list[str]:
    """Which column holds what, and what was guessed."""
    given: dict[str, list[str]] = {}
    for field, name in columns.named():
        given.setdefault(field, []).append(name)
    fields = {"id", "image", "texts", "label", "split", "group"} | given.keys()
    lines = []
    for field in sorted(fields, key=["image", "texts", "label", "categories", "split", "group", "id"].index):
        guessed = f"   (guessed: {reasons[field]})" if field in reasons else ""
        lines.append(f"{field + ':':<12}{', '.join(given.get(field, ['none']))}{guessed}")
    return lines


def _problems(problems: Problems) -> list[str]:
    """The problems as a table, and how many there are of each kind."""
    if not problems.count:
        return ["No problems."]
    rows = [HEAD, *map(_cells, sorted(problems.errors, key=lambda problem: problem.row))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD) - 1)] + [0]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    if more := problems.count - len(problems.errors):
        lines.append(f"… and {more:,} more; --limit {problems.count} shows all")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in problems.counts.most_common())
    return [
        *(lines if problems.errors else lines[1:]),
        "",
        f"Problems: {problems.count:,} ({kinds}). Rows are counted from 0.",
    ]


def _cells(problem: Problem) -> tuple[str, ...]:
    cells = (problem.place or str(problem.row), problem.id, problem.field, problem.kind)
    return *(cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…" for cell in map(_line, cells)), _line(
        problem.message
    )


def _line(text: str) -> str:
    """On one line, and without characters that steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _plain(named: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, list | tuple) else value for name, value in named.items()}


def _slug(table: Path) -> str:
    """A name for the study."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", table.name.split(".")[0]).strip("_")
    return name or "mine"


if __name__ == "__main__":
    cli.run(main)
