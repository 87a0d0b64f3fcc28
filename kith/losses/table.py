"""The losses as a Markdown table, from what they declare. `python -m kith.losses.table` prints it."""

import inspect
from dataclasses import MISSING, Field, fields
from typing import Any

from kith.losses import LOSSES, Loss


def table() -> str:
    """One row a loss: its name, what it is, its options with their defaults, and what it needs.

    >>> print(table().splitlines()[0])
    | Loss | What it is | Options and defaults | Needs |
    """
    rows = ["| Loss | What it is | Options and defaults | Needs |", "|---|---|---|---|"]
    for name, loss in LOSSES.items():
        options = ", ".join(_option(field) for field in fields(loss.options_type()) if field.name != "weight")
        rows.append(f"| `{name}` | {_summary(loss)} | {options or '–'} | {_needs(loss)} |")
    return "\n".join(rows)


def _summary(loss: type[Loss]) -> str:
    return " ".join((inspect.getdoc(loss) or "").split("\n\n")[0].split())


def _option(field: Field[Any]) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return f"`{field.name}` (to be given)"
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if default is None or isinstance(default, bool):
        shown = {None: "null", True: "true", False: "false"}[default]
    else:
        shown = f"{default:.4g}" if isinstance(default, float) else str(default)
    return f"`{field.name}: {shown}`"


def _needs(loss: type[Loss]) -> str:
    when = {
        need: ", ".join(f"{key}: {str(value).lower()}" for key, value in c.items()) for need, c in loss.needs.items()
    }
    several = loss.takes_sets(_by_default(loss))
    named = {need: "one class or several" if several and need == "class" else need for need in when}
    return ", ".join(f"{named[need]} (with `{each}`)" if each else named[need] for need, each in when.items())


def _by_default(loss: type[Loss]) -> Any:
    """Its options, of which those that have to be given are empty."""
    kind = loss.options_type()
    open_ones = [each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING]
    empty: dict[str, Any] = dict.fromkeys(open_ones, "")
    return kind(**empty)


if __name__ == "__main__":
    print(table())
