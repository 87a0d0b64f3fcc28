"""What a run says of itself: the state of the study that it belongs to, where it comes from, what differs."""

import getpass
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any

from stages import params
from stages.params.presets import presets
from stages.tracking.connection import root

# Sections that all trainings of a study share, and that decide what is measured; methods and seeds come and go.
SHARED = ("fetch", "prepare", "encode", "text", "neighbors", "class_embedding", "train", "embed", "evaluate")
MEASURED = ("embed", "evaluate")
# How a machine works, not what it computes.
MACHINE = {"threads", "workers", "device", "devices"}
LISTED = 3


def meaning() -> dict[str, Any]:
    """The parameters that make one state of the study another than the next, as values: a comment changes nothing."""
    values = params.load()
    sections = {name: getattr(values, name).model_dump(mode="json") for name in SHARED}
    sections["train"] = {name: value for name, value in sections["train"].items() if name not in MACHINE}
    return sections | {"encoders": values.study.model_dump(mode="json")["encoders"]}


def evaluation() -> dict[str, Any]:
    """The parameters by which models are measured."""
    values = params.load()
    return {name: getattr(values, name).model_dump(mode="json") for name in MEASURED}


def digest(values: Any) -> str:
    """Of values, whatever the order of their names: 12 hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def engine() -> str:
    """What runs this stage: the Snakefile sets KITH_ENGINE, DVC sets DVC_STAGE."""
    return os.environ.get("KITH_ENGINE") or ("dvc" if os.environ.get("DVC_STAGE") else "shell")


def context() -> dict[str, str]:
    """Where a run comes from: study, engine, experiment, commit, user."""
    tags = {
        "study": params.load().study.name,
        "mlflow.source.type": "LOCAL",
        "engine": engine(),
        "dvc_stage": os.environ.get("DVC_STAGE", ""),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "mlflow.source.git.commit": _git_commit(),
        "mlflow.user": _user(),
    }
    return {name: value for name, value in tags.items() if value}


def preset(method: str) -> dict[str, str]:
    """The tag of the published method that a method is, or began as."""
    published, own = presets().get(method), params.load().methods[method]
    if published is None:
        return {}
    return {"preset": method if _within(published, own) else f"{method}, changed"}


def name_of(name: str, values: Mapping[str, str], first: Mapping[str, str] | None, experiment: str = "") -> str:
    """A run's name: what it is, the experiment of DVC, and the parameters that differ from the first of its kind.

    values, first: flat parameters, those of the run and those of the first one.

    >>> name_of("infonce-0", {"train.lr": "0.25", "train.dim": "9"}, {"train.lr": "0.1", "train.dim": "9"}, "dry-sloe")
    'infonce-0 [dry-sloe], train.lr=0.25'
    """
    named = f"{name} [{experiment}]" if experiment else name
    changed = [f"{key}={value}" for key, value in values.items() if first and _differs(key, value, first)]
    changed += [f"{key}=None" for key in first or {} if key not in values and not _measures(key)]
    more = [f"and {len(changed) - LISTED} more"] if len(changed) > LISTED else []
    return ", ".join([named, *changed[:LISTED], *more])[:250]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters by their whole names, as MLflow keeps them.

    >>> flat({"train": {"lr": 0.1, "steps": []}})
    {'train.lr': '0.1', 'train.steps': '[]'}
    """
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: str(value)[:6000]}
    return found


def _differs(key: str, value: str, first: Mapping[str, str]) -> bool:
    """A run that is not yet measured says nothing of how it is."""
    return first[key] != value if key in first else not _measures(key)


def _measures(key: str) -> bool:
    return key.partition(".")[0] in MEASURED


def place() -> str:
    """Which folder a run belongs to: a training goes on where it began, not in a copy of the repository."""
    return digest(str(root().absolute()))


def _within(published: Any, own: Any) -> bool:
    """Whether `own` says all that the preset says."""
    if isinstance(published, dict):
        return isinstance(own, dict) and all(_within(value, own.get(key)) for key, value in published.items())
    return published == own


@cache
def _git_commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root(), capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container without a list of users
        return ""
