"""What a DualEncoder is built from: options of its parts, and what the data set says of pictures and features."""

from collections.abc import Mapping, Sequence
from typing import Any

from kith.data.depths import decoded
from kith.encoders.frozen import reads_texts
from kith.encoders.names import Side
from kith.losses import Needs
from kith.training.statistics import standardisation

Options = Mapping[str, Any]

ONE_VECTOR = {"vectors": 1, "hidden": None, "dropout": 0.0}  # of head: attention, where nothing else is said


def architecture(
    options: Options,
    dataset: Options,
    needs: Needs,
    *,
    words: int,
    labels: Sequence[str] = (),
    names: Sequence[str] = (),
    several: bool = False,
    targets: int | None = None,
    encoders: Mapping[str, Options] | None = None,
    networks: Mapping[Side, Options] | None = None,
) -> dict[str, Any]:
    """The config of the DualEncoder whose losses have these needs.

    options: as the section `train` of params.yaml; dataset: as dataset.json; words: those known; labels, names: of
    the classes, as the data set names them and as they are shown; several: whether pictures have several of them each;
    targets: dimensions of the class embeddings that
    pictures are drawn towards; encoders: by side, what is known of the features that stand in for pictures or texts,
    see `encoded_side`; networks: by side, what is known of the encoder that is trained on, see
    kith.encoders.finetuned. Raises ValueError where augmentation does not fit the pictures, or a side that has such an
    encoder holds features.
    """
    encoders, networks = encoders or {}, networks or {}
    attention = {"attention": options["attention"] or ONE_VECTOR} if options["head"] == "attention" else {}
    classes = {"names": list(labels), "shown": list(names), "classifier": needs.classifier, "targets": targets}
    classes |= {"several": True} if several else {}
    return {
        "dim": options["dim"] if targets is None else targets,
        "image": image_side(
            dataset, options["image"], options["augment"], encoders.get("image"), networks.get("image")
        ),
        "text": text_side(dataset, options["text"], words, encoders.get("text"), networks.get("text"))
        if needs.texts
        else None,
        "head": options["head"],
        **attention,
        "codes": options["codes"],
        "projection": options["projection"],
        "classes": classes if needs.classes else None,
    }


def image_side(
    dataset: Options,
    tower: Options,
    augment: Options,
    encoder: Options | None = None,
    network: Options | None = None,
) -> dict[str, Any]:
    """The part "image" of a DualEncoder's config.

    dataset: as in dataset.json, with size, mean and std of its pictures, or shape and scale of their features.
    tower: as `train.image` in params.yaml; augment: as `train.augment`; encoder: of the features that stand in for the
    pictures; network: of the encoder that the tower is, whose mean and deviation pictures are standardised by; else by
    published ones that `statistics` of the tower names, or by those of the data. Raises ValueError where augmentation
    or statistics do not fit the pictures.

    >>> dataset = {"features": {"image": {"shape": [8], "shift": 0.0, "scale": 1.0}}}
    >>> image_side(dataset, {"tower": "mlp", "depth": 18, "width": 32, "hidden": 64, "layers": 2}, {"crop": None})
    {'shape': [8], 'shift': 0.0, 'scale': 1.0, 'tower': 'mlp', 'width': 32, 'hidden': 64, 'layers': 2}
    """
    if encoder is not None:
        if any(augment.values()):
            raise ValueError("augment is for pictures, not for the features of a frozen encoder; leave it out")
        if reads_texts(encoder):
            return encoded_side(encoder, tower)
        seen = {"size": dataset["image"]["height"], "channels": dataset["image"]["channels"]}
        return encoded_side({**encoder, "pictures": seen | decoded(dataset["image"])}, tower)
    if (features := _features(dataset, "image")) is not None:
        _takes_no_features(network, "image")
        if len(features["shape"]) != 3 and any(augment.values()):
            raise ValueError("augment is for pictures and maps, not for vectors; leave it out")
        if tower.get("statistics"):
            raise ValueError("image.statistics is for pictures, not for features; leave it out")
        if augment.get("zoom") or augment.get("resized_crop"):
            raise ValueError("augment.zoom and augment.resized_crop are for pictures, not for maps; leave them out")
        return features | _only(tower, "tower", "hidden", "layers", "width")
    pictures, crop = dataset["image"], augment["crop"]
    if crop is not None and crop > pictures["height"]:
        raise ValueError(f"augment.crop: {crop} is more than the {pictures['height']} pixels of a side")
    image = encoder_side(network, tower) if network is not None else _only(tower, "tower", "depth", "width")
    image |= {"channels": pictures["channels"], "size": pictures["height"], **decoded(pictures), "crop": crop}
    if tower.get("statistics"):
        return image | standardisation(tower["statistics"], pictures["channels"])
    known = dataset if network is None else network["preprocessing"]
    return image | {"mean": known["mean"], "std": known["std"]}


def text_side(
    dataset: Options, tower: Options, words: int, encoder: Options | None = None, network: Options | None = None
) -> dict[str, Any]:
    """The part "text" of a DualEncoder's config; tower: as `train.text` in params.yaml, words: those known; encoder: of
    the features that stand in for the texts; network: of the encoder that the tower is.

    >>> text_side({}, {"tower": "bag", "embedding": 8, "hidden": 16, "layers": 2, "width": 32, "dropout": 0.0}, 100)
    {'tower': 'bag', 'embedding': 8, 'hidden': 16, 'layers': 2, 'dropout': 0.0, 'words': 100}
    """
    if encoder is not None:
        return encoded_side(encoder, tower)
    if (features := _features(dataset, "text")) is not None:
        _takes_no_features(network, "text")
        return features | _only(tower, "tower", "hidden", "layers", "width")
    if network is not None:
        return encoder_side(network, tower)
    return _only(tower, "tower", "embedding", "hidden", "layers", "dropout") | {"words": words}


def encoder_side(network: Options, tower: Options) -> dict[str, Any]:
    """What a side of a DualEncoder's config says of the encoder that is its tower; network: see
    kith.encoders.finetuned, tower: as `train.image` or `train.text`.

    >>> encoder_side({"name": "lite0"}, {"tower": "encoder", "dropout": None})
    {'tower': 'encoder', 'network': {'name': 'lite0'}, 'dropout': 0.0}
    """
    return {"tower": tower["tower"], "network": dict(network), "dropout": tower["dropout"] or 0.0}


def encoded_side(encoder: Options, tower: Options) -> dict[str, Any]:
    """A side of a DualEncoder's config whose inputs are features of a frozen encoder.

    encoder: its `reference` (kith.encoders), the "width" of its features, and of pictures the size, channels and fit
    of the prepared ones. tower: as `train.image` or `train.text`.

    >>> tower = {"tower": "linear", "hidden": 8, "layers": 1, "width": 1, "dropout": None, "encoded": None}
    >>> encoded_side({"name": "lite0", "width": 1280}, tower)["shape"]
    [1280]
    """
    known = {name: value for name, value in encoder.items() if name != "width"}
    options = {"encoder": known, "shape": [encoder["width"]], "input": dict(tower["encoded"] or {})}
    return options | _only(tower, "tower", "hidden", "layers", "width") | {"dropout": tower["dropout"] or 0.0}


def _takes_no_features(network: Options | None, side: str) -> None:
    if network is not None:
        raise ValueError(f"{side}: the data hold features already; the encoder {network['name']} takes {side}s")


def _features(dataset: Options, side: str) -> dict[str, Any] | None:
    """Shape, shift and scale of the features of a side ("image", "text"); None where it has none."""
    return (dataset.get("features") or {}).get(side)


def _only(options: Options, *names: str) -> dict[str, Any]:
    """Those options, in their own order."""
    return {name: value for name, value in options.items() if name in names}
