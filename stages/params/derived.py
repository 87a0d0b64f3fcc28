"""Sections that are derived from the options of the library: frozen dataclasses whose fields carry their bounds."""

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import create_model

from stages.params.base import Section

Options = TypeVar("Options")


@cache
def section(options: type) -> type[Section]:
    """The section with the fields, defaults and bounds of a dataclass; fields that are dataclasses are sections."""
    hints = get_type_hints(options, include_extras=True)
    given: dict[str, Any] = {}
    for field in fields(options):
        kind, default = hints[field.name], field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        if is_dataclass(kind):
            kind = section(kind)  # type: ignore[arg-type]
            default = kind()
        given[field.name] = (kind, ... if default is MISSING else default)
    return create_model(options.__name__, __base__=Section, __doc__=options.__doc__, **given)


def options_of(kind: type[Options], values: dict[str, Any]) -> Options:
    """The dataclass with those of `values` that it knows, and with its dataclasses made of theirs."""
    hints = get_type_hints(kind)
    given = {field.name: values[field.name] for field in fields(kind) if field.name in values}  # type: ignore[arg-type]
    nested = {name: options_of(hints[name], value) for name, value in given.items() if is_dataclass(hints[name])}
    return kind(**given | nested)
