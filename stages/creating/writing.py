"""The study as a file that a person could have written: short, with a comment above each section."""

import textwrap
from collections.abc import Sequence
from typing import Any

import yaml

from kith.data import sources
from stages.creating.facts import Facts

WIDTH = 110
# What a section is for.
ABOVE = {
    "fetch": "Where the data are, and which column holds what.",
    "prepare": "Pictures are brought to squares of so many pixels. Rows of the kinds that `skip` names are left out.",
    "text": "What says which texts mean much the same: words that they share.",
    "neighbors": "Of each item, so many nearest in meaning.",
    "train": "What all methods have in common; a method may change any of it below.",
    "methods": "The methods, each with what it changes.",
}


def study_text(content: dict[str, Any], head: Sequence[str]) -> str:
    """The text of a study; head: lines of comment that it begins with."""
    wrapped = [part for line in head for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]
    parts = ["".join(f"# {line}\n" for line in wrapped)]
    for name, section in content.items():
        comment = f"# {ABOVE[name]}\n" if name in ABOVE else ""
        if name == "fetch" and "columns" not in section:
            comment = "# Where the data are.\n"
        if name == "prepare" and "image" not in section:
            comment = "# Rows of these kinds are left out.\n"
        parts.append(comment + _dumped(name, section))
    return "\n".join(parts)


def _dumped(name: str, section: dict[str, Any]) -> str:
    """Single values in a line each; what lies deeper on one line."""
    return yaml.dump({name: section}, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=WIDTH)


class _Plain(yaml.SafeDumper):
    """Mappings of single values on one line, as far as it holds them; lists always."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> Any:
        node = super().represent_mapping(tag, mapping, flow_style)
        deep = any(isinstance(value, yaml.MappingNode) for _, value in node.value)
        node.flow_style = not deep and len(str(list(mapping))) <= WIDTH
        return node

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        return super().represent_sequence(tag, sequence, flow_style=True)


_Plain.add_representer(dict, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items()))


def head(name: str, path: str, facts: Facts, source: str, more: Sequence[str]) -> list[str]:
    """The comment lines that a study begins with; the first is shown where studies are listed."""
    lines = [f"Study: {name}. Written by `kith new {path}`."]
    lines += [f"Data: {line}" if not number else f"  {line}" for number, line in enumerate(facts.lines[:3])]
    recipe = sources.find(source).recipe
    if recipe is not None:
        lines.append(f"Licence: {recipe.licence}")
    lines += more
    lines.append(f"Run: kith study {name} && snakemake --cores 2   (what is up to date is not run again)")
    return lines
