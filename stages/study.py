"""Choose a study: check it, fill its gaps, write params.yaml.

It is read from studies/NAME.yaml; without a name, the studies are listed.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kith.encoders.names import HUB, files_of
from kith.errors import KithError, listed
from stages import cli, files, params
from stages.params.comments import fill
from stages.params.inputs import trained_encoders
from workflow import engine, yamls
from workflow.dag import Dag

STUDIES = Path("studies")
DEFINITION = Path("dvc.yaml")
INPUTS = "\nWritten by `kith study`: the files elsewhere that stages read, and a line a training."


def choose(name: str, changes: list[str], target: Path = params.PARAMS) -> None:
    """Write the study `name` to `target` with `changes` ("train.epochs=3", values in YAML), complete, comments kept.

    Raises KithError for an unknown study, and for a value that the schema refuses.
    """
    source = _source(name)
    written = text_of(source, changes)
    check(params.parse(written, source), source)
    with files.replacing(target) as temporary:
        temporary.write_text(written, encoding="utf-8")
        _check_dag(temporary, source)


def _source(name: str) -> Path:
    source = STUDIES / f"{name}.yaml"
    if not STUDIES.is_dir():
        raise KithError(f"{STUDIES}: no such folder; run it in Kith's folder")
    if not source.is_file():
        raise KithError(f"no study '{name}'; there are:\n{listing()}")
    return source


def text_of(source: Path, changes: list[str] | None = None) -> str:
    """The complete params.yaml of the study in the file `source`: the same file, the same text."""
    text = yamls.text_of(source)
    document, content = yamls.read_with_comments(text, str(source)), params.parse(text, source)
    for change in changes or []:
        _set(document, change)
        _set(content, change)
    whole = params.complete(content, source)
    document.pop("inputs", None)
    filled = fill(document, whole)
    if INPUTS.strip() not in text:
        filled.yaml_set_comment_before_after_key("inputs", before=INPUTS)
    written = yamls.write(filled)
    if params.parse(written, source) != whole:  # anchors, which stand for several places at once
        return _head(text) + yamls.write(whole)
    return written


def listing() -> str:
    """The studies with what each is about, in lines as wide as the terminal."""
    told = {path.stem: _summary(path.stem, _head(yamls.text_of(path))) for path in sorted(STUDIES.glob("*.yaml"))}
    width = max(map(len, told), default=0)
    wide = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    indent = " " * (width + 4)
    return "\n".join(
        textwrap.fill(f"  {name:{width}}  {said}", wide, subsequent_indent=indent, break_on_hyphens=False).rstrip()
        for name, said in told.items()
    )


def _summary(name: str, head: str) -> str:
    """The first sentence of the comment lines, without the name in front of it.

    >>> _summary("cars", "# Study: cars. Models of cars (Krause et al., 2013), from\\n# random weights. For a GPU.\\n")
    'Models of cars (Krause et al., 2013), from random weights.'
    """
    words = " ".join(line.lstrip("# ").rstrip() for line in head.split("\n"))
    words = re.sub(rf"^Study: {re.escape(name)}\.\s*", "", words)
    end = re.search(r"(?<!et al)(?<!vs)\.(?=\s+[A-Z]|\s*$)", words)
    return words[: end.end()] if end else words.strip()


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
        if content.get(part) is None:
            content[part] = {}
        content = content[part]
        if not isinstance(content, dict):
            raise KithError(f"--set {change}: {part} is a single value, it has no parts")
    content[last] = yamls.read(value, f"--set {change}")


def check(content: dict[str, Any], source: Path, *, here: bool = False) -> None:
    """Raise KithError for all that keeps a complete study from working; what this computer alone lacks for it is told
    on standard error, or with `here` an error too."""
    from stages.checks import Fault, faults  # loads torch

    lacking = [Fault(key, message, here=True) for key, message in _check_encoders(content, source)]
    found = [*lacking, *faults(params.check(content, source))]
    if wrong := [fault for fault in found if here or not fault.here]:
        raise KithError("\n".join(f"{source}: {fault}" for fault in wrong))
    for fault in found:
        print(f"Before you run it: {fault}", file=sys.stderr)


def _check_dag(written: Path, source: Path) -> None:
    """What dvc.yaml reads has to be there: DVC itself would complain only after the stage has run."""
    try:
        for stage in Dag(DEFINITION, written).stages:
            for item in stage.items():
                stage.read_params(item)
    except KithError as error:
        raise KithError(f"{source}: {error}") from None


def _check_encoders(content: dict[str, Any], source: Path) -> Iterator[tuple[str, str]]:
    """Encoders have to exist; with its place, what has to be installed for each, or which file is missing."""
    for key, (name, sides) in _named_encoders(content).items():
        from kith.encoders.registry import find  # loads torch

        try:
            kind = find(name)
            _check_data(content, name)
        except KithError as error:
            raise KithError(f"{source}: {key}: {error}") from None
        try:
            kind.check(name)
        except KithError as error:
            yield key, str(error)
            continue
        if not name.startswith(HUB) or files_of(name) is not None:  # what a hub has is not asked for here
            read = {"image"} if "text" in kind.sides(name) and _texts_alone(content) else set()
            for side in sorted(sides.difference(kind.sides(name)) - read):
                raise KithError(f"{source}: {key}: the encoder {name} does not read {side}s, as methods want it to")


def _texts_alone(content: dict[str, Any]) -> bool:
    """Whether a table has texts and no pictures."""
    columns = content["fetch"].get("columns") or {"image": "image"}
    return content["fetch"]["source"] == "table" and columns["image"] is None


def _named_encoders(content: dict[str, Any]) -> dict[str, tuple[str, set[str]]]:
    """By their place in the study: encoders as kith.encoders names them, and the sides that methods take of them."""
    known, used = content["study"]["encoders"], content["inputs"]["encoders"]
    sides = {name: set(used[name]["sides"].split(",")) if name in used else set() for name in known}
    named = {f"study.encoders.{name}": (each["encoder"], sides[name]) for name, each in known.items()}
    for method in content["study"]["methods"]:
        trained = trained_encoders(content, method)
        named |= {f"methods.{method}.train.{side}.encoder": (name, {side}) for side, name in trained.items()}
    return named


def _check_data(content: dict[str, Any], name: str) -> None:
    from kith.data import sources
    from kith.data.kinds import Vectors

    source = content["fetch"]["source"]
    if isinstance(sources.find(source), Vectors):
        raise KithError(f"the source {source} brings features, and the encoder {name} reads pictures or texts")


def main(
    *,
    name: Annotated[str | None, typer.Argument(help="A file of studies/, without .yaml.")] = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Only check params.yaml, also for what this computer lacks.")
    ] = False,
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A changed value, such as train.epochs=3; repeat it for several."),
    ] = None,
) -> None:
    """Write the study to params.yaml; without a name, list the studies.

    What cannot work is refused: networks, weights, sizes, and methods whose labels or texts the data do not have.
    With --check nothing is written: the study, or without a name params.yaml, is checked, with all that it needs of
    this computer (packages, files, data, CUDA).
    """
    if check_only:
        _check_only(name, set or [])
        return
    if name is None:
        print(f"Choose one with `kith study NAME`:\n{listing()}")
        return
    engine.check_idle()
    choose(name, set or [])
    print(f"{params.PARAMS} is now the study {name}. Run: dvc repro   or   snakemake --cores 2")
    if left := leftovers(params.load()):
        print(
            f"{listed(left)}: of methods or seeds that the study does not have. DVC notes them with the comparison, so "
            "that it runs again in a clone that lacks them; delete them if you need them no more"
        )


def leftovers(chosen: params.Params, runs: Path = Path("runs")) -> list[str]:
    """The folders of the study's runs that belong to no training of it, as an earlier choice of methods leaves them."""
    known = set() if chosen.inputs is None else set(chosen.inputs.runs)
    return [path.as_posix() for path in sorted((runs / chosen.study.name).glob("*/")) if path.name not in known]


def _check_only(name: str | None, changes: list[str]) -> None:
    if name is None and changes:
        raise KithError("--set changes a study, and none is named; name it, or leave --set out")
    path = params.PARAMS if name is None else _source(name)
    if name is None:
        params.load(path, methods=True)  # also whether it is complete
        text = path.read_text(encoding="utf-8")
    else:
        text = text_of(path, changes)
    check(params.parse(text, path), path, here=True)
    print(f"{path}: no problems")


if __name__ == "__main__":
    cli.run(main)
