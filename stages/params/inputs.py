"""The files elsewhere that stages read, as the DAG sees them: a changed one makes what reads it run again."""

from pathlib import Path
from typing import Any

from stages.params.base import Count, Name, Section

NONE = "workflow/none"  # a file that is always there, for what a study does not name


class Training(Section):
    """One training: its method and seed, and the files that it starts from."""

    method: Name
    seed: Count
    start: Path
    weights: Path


class Inputs(Section):
    """Written by `kith study`, from the other sections; dvc.yaml reads it. runs: a training each, by the name of its
    folder, <method>-<seed>."""

    taxonomy: Path
    class_names: Path
    image_root: Path
    embedding: Path
    words: Path
    runs: dict[str, Training]


def inputs_of(content: dict[str, Any]) -> dict[str, Any]:
    """What the section `inputs` has to say beside the other sections `content`, in plain values.

    Methods are looked up as they stand: presets have to be in them already.
    """
    fetch, embedding = content["fetch"], content["class_embedding"]
    words = embedding.get("words")
    return {
        "taxonomy": _path(fetch.get("taxonomy")),
        "class_names": _path(fetch.get("class_names")),
        "image_root": _path(fetch.get("image_root")),
        "embedding": _path(embedding.get("file")),
        "words": NONE if words == "text" else _path(words),
        "runs": {
            f"{method}-{seed}": {"method": method, "seed": seed, **_starts(content, method)}
            for method in content["study"]["methods"]
            for seed in content["study"]["seeds"]
        },
    }


def _starts(content: dict[str, Any], method: str) -> dict[str, str]:
    """The files that a method's training starts from: its own, or else those of all methods."""
    own, shared = content["methods"][method].get("train") or {}, content["train"]
    start = own["start"] if "start" in own else shared.get("start")
    weights = [options["image"]["weights"] for options in (own, shared) if "weights" in (options.get("image") or {})]
    return {"start": _path(start), "weights": _path(weights[0] if weights else None)}


def _path(given: Any) -> str:
    return NONE if given is None else Path(given).as_posix()
