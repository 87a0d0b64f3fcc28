"""Where the files of a Hugging Face encoder are: a folder of the user's, or the hub, and what it left on the disk."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from kith.data.digests import sha256_of
from kith.encoders.names import files_of
from kith.errors import KithError

WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
COMMIT = re.compile(r"[0-9a-f]{40}")
SHOWN = "hf:<id or folder>[@revision]"


class Location(NamedTuple):
    """The files of an encoder: their folder, and the commit of the hub, or "local" for a folder of the user's."""

    folder: Path
    revision: str


def locate(name: str) -> Location:
    """The files of the encoder `hf:<id or folder>[@revision]`; those of an id are downloaded where they are not there.

    HF_HUB_OFFLINE and HF_HOME mean what they mean to the hub. Raises KithError that says where to put the files.
    """
    folder = files_of(name)
    if folder is not None:
        if not (folder / "config.json").is_file():
            raise KithError(f"{folder}: has no config.json; put the files of a Hugging Face model there")
        return Location(folder, "local")
    given, _, revision = name.removeprefix("hf:").partition("@")
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(given, revision=revision or None, allow_patterns=WANTED, ignore_patterns=["*/*/*"])
    except Exception as error:  # as many kinds as there are ways to fail on a network
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise KithError(
            f"the encoder {name} is not on this machine, and cannot be had from the Hugging Face hub ({reason}); put "
            "its files into a folder and name that: hf:<folder>"
        ) from None
    path = Path(found)
    return Location(path, path.name if COMMIT.fullmatch(path.name) else revision or "unknown")


def digest(folder: Path) -> str:
    """SHA-256 of all that decides what the encoder computes: weights, and descriptions in JSON and text."""
    files = [
        path for pattern in ("*.json", "*.safetensors", "*.bin", "*.txt", "*.model") for path in folder.glob(pattern)
    ]
    below = {*folder.glob("*_*"), *_modules(folder)}
    files += [path for each in below for path in each.glob("*") if path.suffix in (".json", ".safetensors", ".bin")]
    return sha256_of(files, folder)


def _modules(folder: Path) -> list[Path]:
    """The folders of what follows the transformer, as modules.json names them; those of a broken one are refused when
    they are read."""
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        places = [folder / module["path"] for module in modules]
        return [place for place in places if place != folder and place.is_relative_to(folder)]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def licence_of(folder: Path) -> str:
    """As the model's card states it."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    found = re.search(r"^license:\s*(\S+)\s*$", text, re.MULTILINE)
    return found[1] if found else "not stated; see the model's card"
