"""All benchmarks, or some: prints their tables and keeps them in reports/benchmarks.

python -m benchmarks [NAME …] [--quick] [--again] [--set OPTION=VALUE …] [--out FOLDER]

A table that is finished is kept: run the command again after an interruption, and it goes on. --again makes it anew.
--quick takes small sizes: all tables in some minutes. --set changes an option of one table, which is then printed
alone; `python -m benchmarks --list` shows all tables and their options.
"""

import argparse
import importlib
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.measuring import ROOT
from benchmarks.table import Case, announce, as_markdown, head, rows_of, told, write

TABLES = (
    *("stages", "prepare", "photos", "text", "neighbors", "class_embedding", "training", "mining_training"),
    *("losses", "mining", "cca", "embedding", "cross_modal", "metric_learning", "hierarchical", "hashing"),
    *("statistics", "search", "indexes", "audit"),
)
FOLDER = ROOT / "reports" / "benchmarks"
Cases = Callable[..., Iterator[Case]]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def options_of(cases: Cases) -> dict[str, Any]:
    """The options of a table and their defaults."""
    parameters = inspect.signature(cases).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def chosen(given: list[str], known: dict[str, Any]) -> dict[str, Any]:
    """`--set` as values of the types of the defaults; a tuple is written with commas."""
    found = {}
    for each in given:
        name, _, text = each.partition("=")
        if name not in known:
            raise SystemExit(f"--set {each}: the options of this table are {', '.join(known) or 'none'}")
        default = known[name]
        if isinstance(default, tuple):
            kind = type(default[0])
            found[name] = tuple(kind(part) for part in text.split(","))
        else:
            found[name] = text if default is None else type(default)(text)
    return found


def finished(path: Path, quick: bool) -> bool:
    """Whether a table is there that need not be made: of full sizes, or, for --quick, of any."""
    if not path.exists():
        return False
    return quick or not json.loads(path.read_text(encoding="utf-8"))["head"]["quick"]


def make(name: str, command: str, quick: bool, options: dict[str, Any]) -> tuple[str, dict[str, Any], list[Any]]:
    """The page of a table, its head, and its rows."""
    found = module(name)
    rows = []
    announce(f"{name}:")
    for case in found.cases(quick, **options):
        for row in rows_of(case):
            announce(told(row))
            rows.append(row)
    top = head(command) | {"quick": quick}
    return as_markdown(found.TITLE, found.ABOUT, top, rows), top, rows


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of tables; all, if none is given")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    unknown = set(given.names) - set(TABLES)
    if unknown:
        parser.error(f"no table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    if given.list:
        for name in TABLES:
            shown = ", ".join(f"{key}={value}" for key, value in options_of(module(name).cases).items())
            print(f"{name:16} {module(name).TITLE}{f' ({shown})' if shown else ''}")
        return
    if given.set and len(given.names) != 1:
        parser.error("--set changes an option of one table: name it")
    for name in given.names or TABLES:
        kept = given.out / f"{name}.json"
        options = chosen(given.set, options_of(module(name).cases)) if given.set else {}
        if not options and not given.again and finished(kept, given.quick):
            announce(f"{name}: is there ({kept.with_suffix('.md')}); --again makes it anew")
            print(kept.with_suffix(".md").read_text(encoding="utf-8"))
            continue
        arguments = [name, *(["--quick"] if given.quick else []), *(f"--set={each}" for each in given.set)]
        page, top, rows = make(name, f"python -m benchmarks {shlex.join(arguments)}", given.quick, options)
        print(page, flush=True)
        if not options:
            write(given.out, name, page, top, rows)


if __name__ == "__main__":
    sys.exit(main())
