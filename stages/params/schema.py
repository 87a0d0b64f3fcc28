"""The typed schema of params.yaml: one place, unknown keys are errors, every error names its key."""

import functools
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from kith.errors import KithError
from stages.params.base import Count, Name, Section
from stages.params.data import Fetch, Prepare
from stages.params.meaning import ClassEmbedding, Neighbors, Taxonomy, Text
from stages.params.method import Method
from stages.params.results import Compare, Embed, Evaluate, Expected, Figure, Report
from stages.params.training import Train
from stages.params.validation import suggest, validate

PARAMS = Path("params.yaml")
PRESETS = Path(__file__).with_name("presets.yaml")


class Study(Section):
    """What is run: a name (reports go to reports/<name>), the methods, the seeds, and a note for the reports."""

    name: Name
    methods: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Count], Field(min_length=1)] = [0]
    note: str = ""


class Params(Section):
    """The whole file. Every section has to be there, if only as {}: DVC tracks each by its name. `stages.study` fills
    in those that a study leaves out."""

    study: Study
    fetch: Fetch
    prepare: Prepare
    text: Text
    neighbors: Neighbors
    taxonomy: Taxonomy
    class_embedding: ClassEmbedding
    train: Train
    methods: dict[Name, dict[str, Any]]
    embed: Embed
    evaluate: Evaluate
    compare: Compare
    report: Report
    expect: dict[Name, dict[Figure, Expected]]

    def method(self, name: str) -> Method:
        """The method `name`: its preset, then the study's `train`, then what the study says of the method."""
        own = dict(self.methods[name])
        preset = _preset(own.pop("preset", name if name in presets() else None), f"methods.{name}.preset")
        train = _merge(self.train.model_dump(exclude_unset=True), preset.get("train", {}), own.get("train", {}))
        # A loss given under another preset's name replaces none: losses are merged term by term.
        merged = _merge(preset, own) | {"train": train}
        return validate(Method, merged, f"methods.{name}")

    @model_validator(mode="after")
    def methods_exist(self) -> "Params":
        for name in self.study.methods:
            if name not in self.methods:
                known = ", ".join(self.methods) or "none"
                raise ValueError(
                    f"study.methods names '{name}', which is not under methods (there: {known}), nor a preset"
                    f"{suggest(name, [*self.methods, *presets()])}"
                )
        chosen = {f"compare.choose.{name}": choice.methods for name, choice in self.compare.choose.items()}
        for key, names in {"expect": list(self.expect), **chosen}.items():
            if unknown := [name for name in names if name not in self.methods]:
                raise ValueError(f"{key} names '{unknown[0]}', which is not under methods")
        return self


@functools.cache
def presets() -> dict[str, Any]:
    """The content of presets.yaml: name of a published method → what it is made of."""
    return yaml.safe_load(PRESETS.read_text(encoding="utf-8"))


def load(path: Path = PARAMS) -> Params:
    """Read and validate the whole of params.yaml, every method included.

    Raises KithError that names the file, the key and, for an unknown key, the nearest known one.
    """
    if not path.exists():
        raise KithError(f"{path}: no such file; choose a study with `python -m stages.study NAME`")
    return check(parse(path.read_text(encoding="utf-8"), path), path)


def parse(text: str, path: Path = PARAMS) -> dict[str, Any]:
    """The sections in the text of a params file, not yet validated; `path` is for the messages."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KithError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise KithError(f"{path}: expected sections (study, fetch, train, …) at the top level")
    return content


def check(content: dict[str, Any], path: Path = PARAMS) -> Params:
    """Validate the content of a params file, with `path` for the messages."""
    try:
        params = validate(Params, content)
        for name in params.methods:
            params.method(name)
    except KithError as error:
        raise KithError(f"{path}: {error}") from None
    return params


def schema() -> dict[str, Any]:
    """The JSON schema of params.yaml, for editors and for Snakemake's config validation."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Params.model_json_schema()


def _preset(name: str | None, key: str) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in presets():
        raise KithError(f"{key}: no preset '{name}'{suggest(name, list(presets()))}")
    return presets()[name]


def _merge(*layers: dict[str, Any]) -> dict[str, Any]:
    """Later layers win, key by key, into nested mappings."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = _merge(merged[key], value) if both else value
    return merged
