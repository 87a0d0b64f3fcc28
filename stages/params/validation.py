"""Validation whose messages name the key and, for an unknown one, the nearest known one."""

import difflib
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kith.errors import KithError
from stages.params.base import NAME

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], content: dict[str, Any], prefix: str = "") -> Model:
    """The content as the section `model`, which stands under the key `prefix`; without one it is the whole file.

    Raises KithError with all that is wrong.
    """
    try:
        return model.model_validate(content)
    except ValidationError as errors:
        lines = [_explain(model, error, prefix) for error in errors.errors()]
    raise KithError("; ".join(lines))


def _explain(model: type[BaseModel], error: Any, prefix: str) -> str:
    key = ".".join(filter(None, [prefix, *map(str, error["loc"])]))
    if error["type"] == "extra_forbidden":
        return f"{key}: no such parameter{suggest(str(error['loc'][-1]), _keys(model, error['loc'][:-1]))}"
    given = f" (given: {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing" and not prefix and len(error["loc"]) == 1:
        return f"{key}: no such section; `kith study NAME` fills in what a study leaves out"
    if error["type"] == "missing":
        return f"{key}: is missing, and has no default; give it a value"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        given += _nearest(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]))
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME:
        message = "a name has letters, digits and _ alone, and does not begin with _"
    return f"{key}: {message}{given}" if key else message


def _keys(model: Any, path: tuple[Any, ...]) -> list[str]:
    """The names allowed at `path` inside `model`."""
    for key in path:
        annotation = model.model_fields[key].annotation if key in getattr(model, "model_fields", {}) else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if hasattr(c, "model_fields")), None)
    return list(getattr(model, "model_fields", {}))


def suggest(name: str, known: list[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    return _nearest(name, known) or f" (known: {', '.join(known)})"


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1) or [each for each in known if each.lower() == name.lower()]
    return f"; did you mean '{close[0]}'?" if close else ""
