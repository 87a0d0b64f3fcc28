"""The command line of a stage: `main`'s keyword-only parameters become options."""

import argparse
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

from kith.errors import KithError


def run(main: Callable[..., Any]) -> None:
    """Parse the options that `main` declares and call it.

    Every keyword-only parameter becomes `--name`, of the annotated type (Path, str, int, float); one without a
    default is required; a list, such as `list[Path]`, takes several values. A KithError ends the process with its
    message and status 1, without a traceback (set KITH_TRACEBACK=1 to see it).
    """
    parser = argparse.ArgumentParser(prog=f"python -m {main.__module__}", description=inspect.getdoc(main))
    types = get_type_hints(main)
    for name, parameter in inspect.signature(main).parameters.items():
        required = parameter.default is inspect.Parameter.empty
        many = get_origin(types[name]) is list
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=get_args(types[name])[0] if many else types[name],
            nargs="+" if many else None,
            required=required,
            default=None if required else parameter.default,
        )
    arguments = vars(parser.parse_args())
    try:
        main(**arguments)
    except KithError as error:
        if os.environ.get("KITH_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")
