"""Choose a study: check studies/NAME.yaml and copy it onto params.yaml; without a name, list the studies."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from kith.errors import KithError
from stages import files, params
from workflow.dag import Dag

STUDIES = Path("studies")
DEFINITION = Path("dvc.yaml")


def choose(name: str, changes: list[str], target: Path = params.PARAMS) -> None:
    """Write the study `name` to `target`, as it stands or with `changes` ("train.epochs=3", values in YAML).

    Comments stay where nothing is changed; with changes, those at the head do.
    Raises KithError for an unknown study, a value that the schema refuses, and a section that dvc.yaml reads
    and the study lacks.
    """
    source = STUDIES / f"{name}.yaml"
    if not source.is_file():
        raise KithError(f"no study '{name}'; there are:\n{listing()}")
    text = source.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    for change in changes:
        _set(content, change)
    params.check(content, source)
    if changes:
        text = _head(text) + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    with files.replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
        _check_sections(temporary, source)


def listing() -> str:
    """One line a study: its name and the first comment line of its file."""
    lines = [(path.stem, _head(path.read_text(encoding="utf-8"))) for path in sorted(STUDIES.glob("*.yaml"))]
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"  {name:{width}}  {head.splitlines()[0].lstrip('# ') if head else ''}" for name, head in lines)


def _head(text: str) -> str:
    """The comment lines that a file begins with."""
    lines = text.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:end])


def _set(content: dict[str, Any], change: str) -> None:
    """Apply "a.b.c=value" to nested mappings; whether there is such a parameter is for the schema to say."""
    key, equals, value = change.partition("=")
    if not key or not equals:
        raise KithError(f"--set {change}: expected key=value, such as train.epochs=3")
    *path, last = key.split(".")
    for part in path:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise KithError(f"--set {change}: {part} is a single value, it has no parts")
    content[last] = yaml.safe_load(value)


def _check_sections(written: Path, source: Path) -> None:
    """What dvc.yaml reads has to be there: DVC itself would complain only after the stage has run."""
    try:
        for stage in Dag(DEFINITION, written).stages:
            for item in stage.items():
                stage.read_params(item)
    except KithError as error:
        raise KithError(f"{source}: {error}") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.study", description=__doc__)
    parser.add_argument("name", nargs="?", help="a file of studies/, without .yaml")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="such as train.epochs=3")
    given = parser.parse_args()
    if given.name is None:
        print(f"Choose one with `python -m stages.study NAME`:\n{listing()}")
        return
    try:
        choose(given.name, given.set)
    except KithError as error:
        sys.exit(f"error: {error}")
    print(f"{params.PARAMS} is now the study {given.name}. Run: dvc repro   or   snakemake --cores 2")


if __name__ == "__main__":
    main()
