"""Whether what stages noted of their parameters is what params.yaml says now."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kith.errors import KithError
from kith.store.provenance import Note
from stages.params.schema import Params

MACHINE = ("device", "devices", "threads", "workers", "compile")  # where it is trained, not how


def trained_with(settings: Params, method: str) -> dict[str, Any]:
    """What params.yaml says of how a method is trained, by dotted keys; what is nothing and the machine left out."""
    told = dict(_flat(settings.written(method)))
    return {key: value for key, value in told.items() if key not in {f"train.{name}" for name in MACHINE}}


def prove_trained(note: Note, settings: Params, path: Path) -> None:
    """Raises KithError unless the run whose trained.json (`note`, at `path`) says how it was trained was trained as
    params.yaml says. The notes of earlier versions do not say it."""
    method, told = str(note.get("method")), note.get("trained_with")
    if told is None:
        return
    if method not in settings.methods:
        raise KithError(f"{path.parent}: is of the method {method}, which params.yaml does not have")
    wanted = trained_with(settings, method)
    other = [
        f"{key.removeprefix('train.')} {_said(told, key)}, not {_said(wanted, key)}"
        for key in dict.fromkeys([*told, *wanted])
        if told.get(key) != wanted.get(key)
    ]
    if other:
        more = f" and {len(other) - 3} more" if len(other) > 3 else ""
        raise KithError(
            f"{path.parent}: trained with other parameters than params.yaml has ({'; '.join(other[:3])}{more}): "
            "run `dvc repro` or `snakemake`, which train it again"
        )


def prove_parameters(note: Note, wanted: str, path: Path, stage: str) -> None:
    """Raises KithError where the note of a stage is of other parameters than those with the checksum `wanted`; notes
    of stages without parameters say none."""
    if note.get("parameters", wanted) != wanted:
        raise KithError(
            f"{path}: the stage {stage} ran with other parameters than params.yaml has: run `dvc repro` or `snakemake`"
        )


def _flat(values: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{place}{key}.")
        elif value is not None:
            yield f"{place}{key}", value


def _said(values: dict[str, Any], key: str) -> Any:
    return values.get(key, "nothing")
