"""Whether a method's networks can be built, take the pictures, and fit the weights that they start from.

They are built without memory, on torch's device meta, and shown two pictures.
"""

import json
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

from kith.data import sources
from kith.data.images import CHANNELS
from kith.data.kinds import Vectors
from kith.encoders.names import SIDES
from kith.errors import KithError
from kith.models import DualEncoder, saved
from kith.models.image import load_weights
from kith.training.architecture import architecture
from stages import params
from stages.checks.fault import Fault, noted
from stages.params.method import Method
from stages.params.towers import ENCODER

WORDS, CLASSES, WIDTH = 10, ["0", "1"], 4096  # of data and encoders that are not there yet
MAPS = [1, 16, 16]  # features of a shape that all their towers take


def of_networks(study: params.Params, method: Method, key: str) -> Iterator[Fault]:
    """What keeps the networks of a method from being built and shown pictures."""
    found: list[Fault] = []
    image = method.train.image
    with noted(found, f"{key}.train"):
        config = _config(study, method)
    if found:
        yield from found
        return
    alone = config | {"text": None, "projection": {"kind": "unit"}, "classes": None}
    with noted(found, f"{key}.train.image"):
        tower: Any = _built(json.dumps(alone)).image_tower
    if not found:
        with noted(found, f"{key}.train"):
            _built(json.dumps(config))
        if reason := _refused(json.dumps(alone)):
            yield Fault(f"{key}.train.image.tower", reason)
        if image.weights is not None:
            with noted(found, f"{key}.train.image.weights"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that nothing is copied to where there is no memory
                load_weights(tower, str(image.weights))
        if method.train.start is not None:
            with noted(found, f"{key}.train.start"):
                _check_start(method.train.start, tower, config["image"])
    yield from found


@cache
def _built(config: str) -> DualEncoder:
    """The model, once for all methods that have it; config: in JSON."""
    options = json.loads(config)
    with _nowhere(options["image"]["tower"]):
        return DualEncoder(options)


def _nowhere(tower: str) -> torch.device:
    """timm computes while it builds."""
    return torch.device("cpu" if tower.startswith("timm:") else "meta")


@cache
def _refused(config: str) -> str | None:
    """Why the image tower takes no such pictures, if it takes none."""
    image = json.loads(config)["image"]
    if "size" not in image:
        return None
    side, channels = image["crop"] or image["size"], image["channels"]
    try:
        with _nowhere(image["tower"]), torch.no_grad():
            _built(config).image_tower(torch.zeros(2, channels, side, side))
    except (RuntimeError, ValueError) as error:
        place = "train.augment.crop" if image["crop"] else "prepare.image.size"
        reason = str(error).splitlines()[0]
        return f"{image['tower']} takes no pictures of {side} pixels ({place}): {reason}"
    return None


def _config(study: params.Params, method: Method) -> dict[str, Any]:
    """Of the model, as far as it is known without the data. Encoders are taken for features of some width."""
    options = method.train.model_dump() | {"projection": method.train.projection.options()}
    if options["head"] == "none":  # whether both sides are as wide, the encoders will say
        options["head"] = "linear"
    for side in SIDES:
        if options[side]["encoder"] is not None and options[side]["tower"] == ENCODER:
            options[side] |= {"tower": "linear", "encoded": None}
            options["augment"] = dict.fromkeys(options["augment"])
    encoders = {
        side: {"name": options[side]["encoder"], "width": WIDTH}
        for side in SIDES
        if options[side]["encoder"] is not None
    }
    known: dict[str, Any] = {"words": WORDS, "labels": CLASSES, "names": CLASSES, "encoders": encoders}
    return architecture(options, _dataset(study), method.needs, **known)


def _dataset(study: params.Params) -> dict[str, Any]:
    """What dataset.json will say."""
    image = study.prepare.image
    channels = CHANNELS[image.mode]
    pictures = {"height": image.size, "width": image.size, "channels": channels, "fit": image.fit}
    pictures |= image.choices.told()
    described: dict[str, Any] = {"image": pictures, "mean": [0.5] * channels, "std": [0.5] * channels}
    if isinstance(sources.find(study.fetch.source), Vectors):
        features = {"shape": MAPS, "shift": 0.0, "scale": 1.0}
        described["features"] = dict.fromkeys(SIDES, features)
    return described


def _check_start(path: Path, tower: Any, config: dict[str, Any]) -> None:
    """Raise KithError where a start is no Kith model, or has nothing for an image tower of pictures."""
    other, own = saved.load(path)[0].image_tower.state_dict(), tower.state_dict()
    if "size" in config and not any(name in other and other[name].shape == own[name].shape for name in own):
        raise KithError(f"{path}: none of its image tower fits this one; take the same tower, or another start")
