"""A study made complete: what it leaves out is filled in, so that nothing decides a result unseen."""

from pathlib import Path
from typing import Any

from kith.encoders.names import called
from kith.errors import KithError
from stages.params.base import Section
from stages.params.inputs import inputs_of, pictures_of, used_encoders
from stages.params.presets import presets
from stages.params.schema import PARAMS, Params, merged
from stages.params.validation import suggest, validate

OPTIONAL = ("audit", "inputs")  # sections that a study need not have


def complete(content: dict[str, Any], path: Path = PARAMS) -> dict[str, Any]:
    """The whole of params.yaml for a study, in plain values: sections, parameters and presets filled in.

    `path` is for messages. Raises KithError for whatever the schema refuses.
    """
    filled = {name: {} if section is None else section for name, section in content.items() if name != "inputs"}
    filled |= {name: {} for name in Params.model_fields if name not in (*filled, *OPTIONAL)}
    try:
        filled["methods"] = _expanded(filled.get("study"), filled["methods"])
        filled["study"] = _with_encoders(filled)
        params = validate(Params, filled)
        whole = {name: given(getattr(params, name)) for name in params.parameters() if name != "inputs"}
        whole["methods"] = {name: _method(params, name) for name in params.methods}
    except KithError as error:
        raise KithError(f"{path}: {error}") from None
    return whole | {"inputs": inputs_of(whole, pictures_of(whole))}


def check(content: dict[str, Any], path: Path = PARAMS) -> Params:
    """The study `content`, made complete and checked, every method included; `path` is for messages."""
    return validate(Params, complete(content, path))


def given(value: Any) -> Any:
    """A section as a complete file has it, in plain values."""
    if isinstance(value, Section):
        plain = value.model_dump(mode="json")
        return {name: _deep(getattr(value, name), plain[name]) for name in value.parameters()}
    return _deep(value, value)


def _deep(value: Any, plain: Any) -> Any:
    if isinstance(value, Section):
        return given(value)
    if isinstance(value, dict):
        return {key: _deep(each, plain[key]) for key, each in value.items()}
    return plain


def _expanded(study: Any, methods: Any) -> Any:
    """Every method with its preset in it; presets that study.methods names need not be under methods. What is not of
    the right kind stays as it is, for the schema to say."""
    if not (isinstance(methods, dict) and isinstance(study, dict) and isinstance(study.get("methods"), list)):
        return methods
    named = [name for name in study["methods"] if isinstance(name, str) and name in presets()]
    methods = methods | {name: {} for name in named if name not in methods}
    return {name: _with_preset(name, own) for name, own in methods.items()}


def _with_preset(name: str, own: Any) -> Any:
    """A loss given under another preset's name replaces none: losses are merged term by term."""
    if not isinstance(own, dict | None):
        return own
    own = dict(own or {})
    chosen = own.pop("preset", name if name in presets() else None)
    if chosen is None:
        return own
    if chosen not in presets():
        raise KithError(f"methods.{name}.preset: no preset '{chosen}'{suggest(chosen, list(presets()))}")
    return merged(presets()[chosen], own)


def _with_encoders(content: dict[str, Any]) -> Any:
    """The study with every encoder that its methods name under study.encoders."""
    study, methods = content["study"], content["methods"]
    if not (isinstance(study, dict) and isinstance(study.get("methods"), list) and isinstance(methods, dict)):
        return study
    known = dict(study.get("encoders") or {})
    for method in study["methods"]:
        for name in used_encoders(content, method).values() if isinstance(methods.get(method), dict) else ():
            if not isinstance(name, str) or name in known:
                continue  # what is no name, the schema refuses
            there = known.setdefault(called(name), {"encoder": name})
            if isinstance(there, dict) and any(each not in (None, name) for each in there.values()):
                raise KithError(
                    f"study.encoders.{called(name)}: methods name it and {name}; call one of them otherwise"
                )
    return study | {"encoders": known}


def _method(params: Params, name: str) -> dict[str, Any]:
    """A method complete, but for its changes to the section train, which are as they were given."""
    method = params.method(name)
    changes = params.methods[name].get("train", {})
    return given(method) | {"train": _same_keys(given(method.train), changes, given(params.train))}


def _same_keys(values: Any, keys: Any, shared: Any) -> Any:
    """Of nested mappings what `keys` has, too, and what `shared` lacks."""
    if not all(isinstance(each, dict) for each in (keys, values, shared)):
        return values
    wanted = dict.fromkeys([*keys, *(name for name in values if name not in shared)])
    return {name: _same_keys(values[name], keys.get(name, {}), shared.get(name)) for name in wanted}
