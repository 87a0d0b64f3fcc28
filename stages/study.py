"""Choose a study: check studies/NAME.yaml, fill in what it leaves out, and copy it onto params.yaml; without a name,
list the studies."""

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
NEEDED = ("study", "fetch", "train")  # sections that have parameters without a default
# Parameters that dvc.yaml reads by name.
READ: dict[str, tuple[type[params.Section], str]] = {
    "study": (params.Study, "seeds"),
    "train": (params.Train, "threads"),
}


def choose(name: str, changes: list[str], target: Path = params.PARAMS) -> None:
    """Write the study `name` to `target`, as it stands or with `changes` ("train.epochs=3", values in YAML).

    What the study leaves out is filled in (see `complete`). Without changes its comments stay, with them those at the
    head do. Raises KithError for an unknown study, and for a value that the schema refuses.
    """
    source = STUDIES / f"{name}.yaml"
    if not source.is_file():
        raise KithError(f"no study '{name}'; there are:\n{listing()}")
    text = source.read_text(encoding="utf-8")
    content = _without_gaps(params.parse(text, source))
    for change in changes:
        _set(content, change)
    content = complete(content)
    params.check(content, source)
    written = text if changes else _filled_in(text, content)
    if not _says(written, content):
        written = _head(text) + _dump(content)
    with files.replacing(target) as temporary:
        temporary.write_text(written, encoding="utf-8")
        _check_sections(temporary, source)


def complete(content: dict[str, Any]) -> dict[str, Any]:
    """A study with all that dvc.yaml reads: sections left out or empty are {}, presets that study.methods names stand
    under methods, and READ have their defaults. What is wrong stays as it is, for the schema to say."""
    filled = _without_gaps(content)
    filled |= {name: {} for name in params.Params.model_fields if name not in filled and name not in NEEDED}
    for name, (model, key) in READ.items():
        if isinstance(section := filled.get(name), dict):
            filled[name] = {key: model.model_fields[key].default} | section
    study, methods = filled.get("study"), filled["methods"]
    named = study.get("methods") if isinstance(study, dict) else None
    if isinstance(named, list) and isinstance(methods, dict):
        known = [name for name in named if isinstance(name, str) and name in params.presets()]
        filled["methods"] = methods | {name: {} for name in known if name not in methods}
    return filled


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


def _without_gaps(content: dict[str, Any]) -> dict[str, Any]:
    return {name: {} if section is None else section for name, section in content.items()}


def _filled_in(text: str, content: dict[str, Any]) -> str:
    """The YAML `text` with the sections, and the parameters in them, that `content` has more; comments stay."""
    sections = {key.value: node for key, node in yaml.compose(text).value}  # type: ignore[union-attr]
    places = []
    for name, section in content.items():
        node = sections.get(name)
        if isinstance(node, yaml.MappingNode):
            there = {key.value for key, _ in node.value}
            added = {key: value for key, value in section.items() if key not in there}
            gap = ", " if node.flow_style else "\n" + " " * node.start_mark.column
            new = "".join(f"{key}: {_flow(value)}{gap}" for key, value in added.items())
            start = node.start_mark.index + bool(node.flow_style)
            places.append((start, start, new))
        elif node is not None and section == {}:
            places.append((node.start_mark.index, node.end_mark.index, " {}"))
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    rest = "".join(f"{name}: {_flow(value)}\n" for name, value in content.items() if name not in sections)
    return f"{text.rstrip()}\n\n# Defaults, which the study leaves out.\n{rest}" if rest else text


def _says(text: str, content: dict[str, Any]) -> bool:
    """Whether the YAML `text` says `content`, which insertions into it may have spoilt (anchors, tags)."""
    try:
        return yaml.safe_load(text) == content
    except yaml.YAMLError:
        return False


def _flow(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("...\n").strip()
    )


def _dump(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


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
    fetch = params.load().fetch
    if fetch.download and not fetch.path.exists():
        print(f"Before that, get its data set to {fetch.path}: python -m stages.download")


if __name__ == "__main__":
    main()
