"""What the name of an encoder says by itself, without loading anything."""

import re
from pathlib import Path
from typing import Literal

Side = Literal["image", "text"]
SIDES: tuple[Side, Side] = ("image", "text")
HUB = "hf:"
OF_FILE = re.compile(r"resnet-\d+:(.+)")


def files_of(name: str) -> Path | None:
    """The file or folder of the user's that an encoder is loaded from: of hf:<folder> and resnet-50:<file>.

    >>> files_of("resnet-50:weights/resnet50.pth").as_posix(), files_of("lite0"), files_of("hf:openai/clip@main")
    ('weights/resnet50.pth', None, None)
    """
    if found := OF_FILE.fullmatch(name):
        return Path(found[1])
    path = Path(name.removeprefix(HUB))
    is_folder = path.is_dir() or path.is_absolute() or path.parts[:1] == ("..",) or name.startswith(f"{HUB}./")
    return path if name.startswith(HUB) and is_folder else None


def called(name: str) -> str:
    """What a study calls it where it gives no name of its own: letters, digits and underscores.

    >>> called("lite0"), called("hf:openai/clip-vit-base-patch32")
    ('lite0', 'hf_openai_clip_vit_base_patch32')
    """
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
