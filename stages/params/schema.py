"""The typed schema of params.yaml: one place, unknown keys are errors, every error names its key."""

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from kith.encoders.names import SIDES
from kith.errors import KithError, listed
from stages.params import checked
from stages.params.auditing import Audit
from stages.params.base import Count, Name, Section
from stages.params.data import Fetch, Prepare
from stages.params.encoders import Encode, EncoderOptions
from stages.params.inputs import Inputs, inputs_of
from stages.params.presets import presets
from stages.params.results import Compare, Embed, Evaluate, Expected, Figure, Report
from stages.params.semantic import ClassEmbeddingOptions, Neighbors, TaxonomyOptions, Text
from stages.params.towers import ENCODER
from stages.params.training import Train
from stages.params.validation import suggest, validate
from workflow import yamls

if TYPE_CHECKING:
    from stages.params.method import Method

PARAMS = Path("params.yaml")


class Study(Section):
    """What is run: a name (reports go to reports/<name>), the methods, the seeds, and a note for the reports. encoders:
    the frozen encoders that methods name, by what they call them; one that is called like itself need not be here."""

    name: Name
    methods: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Count], Field(min_length=1)] = [0]
    note: str = ""
    encoders: dict[Name, EncoderOptions] = {}

    @model_validator(mode="after")
    def each_once(self) -> "Study":
        for key, values in (("methods", self.methods), ("seeds", self.seeds)):
            twice = [value for value, times in Counter(values).items() if times > 1]
            if twice:
                raise ValueError(f"{key} names {twice[0]} twice; a run counts once")
        return self


class Params(Section):
    """The whole file. Every parameter of every section has to be there: what it says is all that decides a result.
    `kith study` writes what a study leaves out (see complete.py); a method's `train` has only what it changes."""

    study: Study
    fetch: Fetch
    prepare: Prepare
    encode: Encode
    text: Text
    neighbors: Neighbors
    taxonomy: TaxonomyOptions
    class_embedding: ClassEmbeddingOptions
    train: Train
    methods: dict[Name, dict[str, Any]]
    embed: Embed
    evaluate: Evaluate
    compare: Compare
    report: Report
    expect: dict[Name, dict[Figure, Expected]]
    audit: Audit | None = None
    inputs: Inputs | None = None

    def parameters(self) -> list[str]:
        return [name for name in type(self).model_fields if name != "audit" or self.audit is not None]

    def method(self, name: str) -> "Method":
        """The method `name`, trained with what it changes of the section train.

        Raises KithError for what is wrong with any of the methods: none is trained before all can be.
        """
        return self._checked_methods[name]

    def told(self, name: str) -> dict[str, Any]:
        """What there is to tell of the method `name`, see stages.params.checked; checked as `method` does it, without
        doing it twice."""
        return self._told[name]

    @functools.cached_property
    def _told(self) -> dict[str, Any]:
        return checked.told(self)

    def written(self, name: str) -> dict[str, Any]:
        """The method `name` as the file has it, in plain values: what it changes of `train` in the place of that."""
        train, own = self.train.model_dump(mode="json", exclude_unset=True), self.methods[name]
        changes = own.get("train") or {}
        return own | {"train": merged(train, changes) if isinstance(changes, dict) else changes}

    @functools.cached_property
    def _checked_methods(self) -> dict[str, "Method"]:
        from stages.params.method import Method  # brings the losses, and with them PyTorch

        found = {}
        for name in self.methods:
            found[name] = method = validate(Method, self.written(name), f"methods.{name}")
            _names_itself(self.study.encoders, method, name)
            if self.inputs is not None and (missing := list(gaps(method, f"methods.{name}."))):
                raise KithError(_incomplete(missing, self.study.name))
        return found

    @model_validator(mode="after")
    def methods_exist(self) -> "Params":
        for name in self.study.methods:
            if name not in self.methods:
                known = ", ".join(self.methods) or "none"
                if name in presets():
                    command = f"kith study {self.study.name} --set study.methods=[{','.join(self.study.methods)}]"
                    raise ValueError(
                        f"study.methods names the preset '{name}', which is not under methods (there: {known}); "
                        f"`{command}` puts it there"
                    )
                raise ValueError(
                    f"study.methods names '{name}', which is not under methods (there: {known}), nor a preset"
                    f"{suggest(name, [*self.methods, *presets()])}"
                )
        for side in SIDES:
            encoder = getattr(self.audit, side) if self.audit is not None else None
            if encoder is not None and encoder not in self.study.encoders:
                raise ValueError(f"audit.{side} names '{encoder}', which is not under study.encoders; put it there")
        chosen = {f"compare.choose.{name}": choice.methods for name, choice in self.compare.choose.items()}
        for key, names in {"expect": list(self.expect), **chosen}.items():
            if unknown := [name for name in names if name not in self.methods]:
                raise ValueError(f"{key} names '{unknown[0]}', which is not under methods")
        return self


def _names_itself(frozen: dict[str, EncoderOptions], method: "Method", name: str) -> None:
    """study.encoders are frozen ones: an encoder that is trained on is named itself, and says its own size."""
    for side in SIDES:
        tower = getattr(method.train, side)
        known = frozen.get(tower.encoder or "")
        if tower.tower != ENCODER or known is None:
            continue
        key = f"methods.{name}.train.{side}"
        if known.encoder != tower.encoder:
            raise KithError(
                f"{key}.encoder: {tower.encoder} of study.encoders is frozen; to train it on, name {known.encoder}"
            )
        if side == "image" and (known.size or known.crop) and not (tower.finetuning.size and tower.finetuning.crop):
            raise KithError(
                f"{key}: size and crop of study.encoders.{tower.encoder} are for the frozen encoder; "
                "give finetune.size and finetune.crop"
            )


def load(path: Path = PARAMS, *, methods: bool = False) -> Params:
    """Read and check params.yaml; with `methods` every method too, which else are checked when one is asked for.

    Raises KithError that names the file, the key and, for an unknown key, the nearest known one; also where a
    parameter is missing, and where `inputs` is not what the other sections say.
    """
    if not path.exists():
        raise KithError(f"{path}: no such file; choose a study with `kith study NAME`")
    content = parse(yamls.text_of(path), path)
    try:
        params = validate(Params, content)
        if missing := list(gaps(params)):
            raise KithError(_incomplete(missing, params.study.name))
        # Where the pictures of a table lie, the table says: it is not read each time.
        if content["inputs"] != inputs_of(content, content["inputs"]["image_root"] if _is_table(params) else None):
            raise KithError(
                "inputs: is not what the other sections say; change methods, seeds and files with "
                f"`kith study {params.study.name} --set KEY=VALUE`, which writes it anew"
            )
        if methods:
            params.told(params.study.methods[0])
    except KithError as error:
        raise KithError(f"{path}: {error}") from None
    return params


def _is_table(params: Params) -> bool:
    return params.fetch.source == "table" and params.fetch.columns.image is not None


def parse(text: str, path: Path = PARAMS) -> dict[str, Any]:
    """The sections in the text of a params file, not yet validated; `path` is for the messages."""
    content = yamls.read(text, str(path))
    if not isinstance(content, dict):
        raise KithError(f"{path}: expected sections (study, fetch, train, …) at the top level")
    return content


def gaps(value: Any, key: str = "") -> Iterator[str]:
    """The keys of what a section, or the whole file, leaves to a default."""
    if isinstance(value, Section):
        inside = {name: getattr(value, name) for name in value.parameters()}
        yield from (f"{key}{name}" for name in inside if name not in value.model_fields_set)
        inside = {name: each for name, each in inside.items() if name in value.model_fields_set}
    else:
        inside = value if isinstance(value, dict) else {}
    for name, each in inside.items():
        yield from gaps(each, f"{key}{name}.")


def _incomplete(missing: list[str], study: str) -> str:
    return f"missing: {listed(missing)}; `kith study {study}` fills in what a study leaves out"


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Later layers win, key by key, into nested mappings."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result
