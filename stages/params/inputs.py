"""The files elsewhere that stages read, as the DAG sees them: a changed one makes what reads it run again."""

from pathlib import Path
from typing import Any

from kith.encoders.names import SIDES, called, files_of
from kith.errors import KithError
from kith.text.kinds import OF_WORDS
from kith.text.pretrained import PACKAGED
from stages.params.base import Count, Name, Section
from stages.params.towers import ENCODER

RESULTS = ("data", "runs", "reports")
NONE = "workflow/none"  # a file that is always there, for what a study does not name


class Encoding(Section):
    """One encoder: what the study calls it, the sides that methods take of it, and the files that it is loaded from."""

    name: Name
    sides: str
    files: Path


class Training(Section):
    """One training: its method and seed, the files that it starts from, those of encoders that it goes on training
    among them, and what was encoded for it."""

    method: Name
    seed: Count
    start: Path
    weights: Path
    encoded_image: Path
    encoded_text: Path
    tokenizer: Path
    encoder_image: Path
    encoder_text: Path


class AuditInput(Section):
    """The audit, where a study has one: what was encoded for it."""

    encoded_image: Path
    encoded_text: Path


class Inputs(Section):
    """Written by `kith study`, from the other sections; dvc.yaml reads it. runs: a training each, by the name of its
    folder, <method>-<seed>. audit: one entry where the study has an audit; audited: what that writes."""

    taxonomy: Path
    class_names: Path
    image_root: Path
    embedding: Path
    words: Path
    judged: Path
    exclude: Path
    relabel: Path
    audited: Path
    cost: Path
    audit: dict[Name, AuditInput]
    encoders: dict[Name, Encoding]
    runs: dict[str, Training]


def inputs_of(content: dict[str, Any], pictures: str | None = None) -> dict[str, Any]:
    """What the section `inputs` has to say beside the other sections `content`, in plain values; `pictures`: the folder
    of the pictures, where `fetch` does not name it.

    Methods are looked up as they stand: presets have to be in them already.
    """
    fetch, embedding = content["fetch"], content["class_embedding"]
    words, audited = embedding.get("words"), content.get("audit") is not None
    return {
        "taxonomy": _path(fetch.get("taxonomy")),
        "class_names": _path(fetch.get("class_names")),
        "image_root": _path(fetch.get("image_root") or pictures),
        "embedding": _path(embedding.get("file")),
        "words": NONE if words == "text" else _path(words),
        "judged": _path((content.get("evaluate") or {}).get("judged")),
        "exclude": _path((content.get("prepare") or {}).get("exclude")),
        "relabel": _path((content.get("prepare") or {}).get("relabel")),
        "audited": f"data/{content['study']['name']}/audit" if audited else NONE,
        "cost": _path((content.get("report") or {}).get("cost")),
        "audit": {"all": _audit(content)} if audited else {},
        "encoders": _encoders(content),
        "runs": {
            f"{method}-{seed}": {
                "method": method,
                "seed": seed,
                **_starts(content, method),
                **_encoded(content, method),
                **_finetuned(content, method),
            }
            for method in content["study"]["methods"]
            for seed in content["study"]["seeds"]
        },
    }


def pictures_of(content: dict[str, Any]) -> str | None:
    """The folder of the pictures that a table of files names, and that `fetch` does not; None where there is none, or
    it cannot be watched."""
    fetch = content["fetch"]
    if fetch.get("source") != "table" or fetch.get("image_root"):
        return None
    from kith.data.picture_files import folder_of_pictures

    try:
        folder = folder_of_pictures(Path(fetch["path"]), (fetch.get("columns") or {}).get("image"))
    except KithError:  # what is wrong with the table is told by those who read it
        return None
    return None if folder is None or holds_results(folder, content["study"]["name"]) else folder


def holds_results(folder: str, study: str) -> bool:
    """Whether what the stages write lies in the folder: no stage can depend on it.

    >>> holds_results("shop/photos", "shop"), holds_results("data", "shop"), holds_results(".", "shop")
    (False, True, True)
    """
    return any(Path(each, study).absolute().is_relative_to(Path(folder).absolute()) for each in RESULTS)


def _starts(content: dict[str, Any], method: str) -> dict[str, str]:
    """The files that a method's training starts from: its own, or else those of all methods."""
    own, shared = content["methods"][method].get("train") or {}, content["train"]
    start = own["start"] if "start" in own else shared.get("start")
    tokenizer = _given(content, method, "text", "tokenizer")
    of_file = None if tokenizer in (*OF_WORDS, *PACKAGED) else tokenizer
    weights = _given(content, method, "image", "weights")
    return {"start": _path(start), "weights": _path(weights), "tokenizer": _path(of_file)}


def used_encoders(content: dict[str, Any], method: str) -> dict[str, str]:
    """The encoder of each side whose features a method takes, as it names it."""
    return {side: name for side, name in _named_encoders(content, method).items() if not _trains(content, method, side)}


def trained_encoders(content: dict[str, Any], method: str) -> dict[str, str]:
    """The encoder of each side that a method goes on training, as kith.encoders names it."""
    return {side: name for side, name in _named_encoders(content, method).items() if _trains(content, method, side)}


def _finetuned(content: dict[str, Any], method: str) -> dict[str, str]:
    """The files of the encoders that a method goes on training, as far as they are the user's."""
    trained = trained_encoders(content, method)
    return {f"encoder_{side}": _path(files_of(trained[side]) if side in trained else None) for side in SIDES}


def _named_encoders(content: dict[str, Any], method: str) -> dict[str, str]:
    found = {side: _given(content, method, side, "encoder") for side in SIDES}
    return {side: name for side, name in found.items() if name is not None}


def _trains(content: dict[str, Any], method: str, side: str) -> bool:
    return _given(content, method, side, "tower") == ENCODER


def _given(content: dict[str, Any], method: str, side: str, name: str) -> Any:
    """What a method's own tower of a side says, or else that of all methods."""
    trains = [content["methods"][method].get("train"), content.get("train")]
    towers = [train.get(side) for train in trains if isinstance(train, dict)]
    found = [tower[name] for tower in towers if isinstance(tower, dict) and name in tower]
    return found[0] if found else None


def _encoded(content: dict[str, Any], method: str) -> dict[str, str]:
    used, folder = used_encoders(content, method), f"data/{content['study']['name']}/encoded"
    return {f"encoded_{side}": f"{folder}/{called(used[side])}" if side in used else NONE for side in SIDES}


def _audit(content: dict[str, Any]) -> dict[str, str]:
    """What was encoded for the audit: by the encoders that it names, or else by the first of the methods'."""
    used, folder = audit_encoders(content), f"data/{content['study']['name']}/encoded"
    return {f"encoded_{side}": f"{folder}/{called(used[side])}" if side in used else NONE for side in SIDES}


def audit_encoders(content: dict[str, Any]) -> dict[str, str]:
    """The encoder of each side that the audit uses, as the study calls it; none where a study has no audit."""
    if content.get("audit") is None:
        return {}
    methods = [used_encoders(content, method) for method in content["study"]["methods"]]
    named = {side: (content["audit"] or {}).get(side) for side in SIDES}
    found = {side: named[side] or next((used[side] for used in methods if side in used), None) for side in SIDES}
    return {side: name for side, name in found.items() if name is not None}


def _encoders(content: dict[str, Any]) -> dict[str, Any]:
    """The encoders of the methods that are run, in the order in which these name them, and those of the audit."""
    sides: dict[str, list[str]] = {}
    for method in content["study"]["methods"]:
        for side, name in used_encoders(content, method).items():
            sides.setdefault(called(name), []).append(side)
    for side, name in audit_encoders(content).items():
        sides.setdefault(called(name), []).append(side)
    return {
        name: {
            "name": name,
            "sides": ",".join(side for side in SIDES if side in found),
            "files": _path(files_of(content["study"]["encoders"][name]["encoder"])),
        }
        for name, found in sides.items()
    }


def named(path: Path) -> Path | None:
    """A path as a stage is given it: None for what a study does not name."""
    return None if path == Path(NONE) else path


def _path(given: Any) -> str:
    return NONE if given is None else Path(given).as_posix()
