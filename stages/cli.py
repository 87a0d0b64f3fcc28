"""The command line of a stage: `main`'s keyword-only parameters become options."""

import argparse
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from kith.errors import KithError


def run(main: Callable[..., Any], prog: str | None = None, arguments: list[str] | None = None) -> None:
    """Parse the options that `main` declares and call it; `arguments` are by default those of the command line.

    Every keyword-only parameter becomes `--name`, of the annotated type (Path, str, int, float); one without a
    default is required; a list, such as `list[Path]`, takes several values, a bool is a flag, and `| None` changes
    nothing. A KithError ends the process with its message and status 1, without a traceback (set KITH_TRACEBACK=1 to
    see it).
    """
    prog = prog or f"python -m stages.{Path(inspect.getfile(main)).stem}"
    parser = argparse.ArgumentParser(prog=prog, description=inspect.getdoc(main))
    types = get_type_hints(main)
    for name, parameter in inspect.signature(main).parameters.items():
        option, required = "--" + name.replace("_", "-"), parameter.default is inspect.Parameter.empty
        if types[name] is bool:
            parser.add_argument(option, action="store_true")
            continue
        kind, many = _kind(types[name])
        parser.add_argument(
            option,
            type=kind,
            nargs="+" if many else None,
            required=required,
            default=None if required else parameter.default,
        )
    given = vars(parser.parse_args(arguments))
    try:
        main(**given)
    except KithError as error:
        if os.environ.get("KITH_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")


def _kind(annotated: Any) -> tuple[Any, bool]:
    """The type of one value, and whether there may be several."""
    if isinstance(annotated, UnionType):
        annotated = next(each for each in get_args(annotated) if each is not NoneType)
    many = get_origin(annotated) is list
    return get_args(annotated)[0] if many else annotated, many
