"""Whether a model can read data that it was not trained on: they have to be of the form of those that it was."""

from collections.abc import Mapping
from typing import Any

from kith.data.depths import decoded
from kith.encoders.frozen import reads_texts
from kith.errors import KithError
from kith.inference.raw import is_of_features, pictures_of
from kith.store.prepared import Prepared

OTHER = "and the model was trained on"


def prove_form(config: Mapping[str, Any], data: Prepared) -> None:
    """Raise KithError unless a model of this `config` takes these data: pictures of its size and fit, features of its
    shapes, or texts where it was trained on texts."""
    image = config["image"] or {}
    features = data.dataset.get("features") or {}
    for side in ("image", "text"):
        wanted = list(config[side]["shape"]) if is_of_features(config[side] or {}) else None
        there = list(features[side].get("shape", ())) if side in features else None
        if config[side] is not None and wanted != there:
            raise KithError(
                f"{data.folder}: its {side} side is {_shape(there)}, and the model was trained on {_shape(wanted)}"
            )
    if features:
        return
    alone = reads_texts(image.get("encoder") or {})
    if alone != data.of_texts:
        told = ("texts alone", "pictures")
        raise KithError(f"{data.folder}: has {told[alone]}, {OTHER} {told[not alone]}")
    if not alone:
        known, found = pictures_of(image), data.dataset["image"]
        trained = {"size": known["size"], "channels": known["channels"], **decoded(known)}
        given = {"size": found["height"], "channels": found["channels"], **decoded(found)}
        if trained != given:
            raise KithError(
                f"{data.folder}: has pictures of {_told(given)}, and the model was trained on {_told(trained)}"
            )


def _shape(shape: list[int] | None) -> str:
    return "no features" if shape is None else f"features of the shape {'×'.join(map(str, shape))}"


def _told(pictures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pictures.items())
