"""Models in the format of Hugging Face, of pictures, of texts, and of both, through transformers: hf:<id or folder>."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from kith.encoders import hub, sentences
from kith.encoders.encoder import Origin, PictureEncoder, TextEncoder
from kith.encoders.kind import EncoderKind, installed
from kith.encoders.names import Side, files_of
from kith.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from kith.encoders.tokens import EncoderTokenizer
from kith.encoders.transformer import PictureNetwork, TextNetwork, is_dual, is_of_pictures, model_of
from kith.errors import KithError

BICUBIC = 3  # Pillow's number


class HuggingFace(EncoderKind):
    pattern = r"hf:\S.*"
    shown = hub.SHOWN
    package = "transformers"

    def sides(self, name: str) -> tuple[Side, ...]:
        return _sides(_config(self.locate(name).folder))

    def check(self, name: str) -> None:
        super().check(name)
        if files_of(name) is not None:
            hub.locate(name)

    def locate(self, name: str) -> hub.Location:
        """Where its files are, and of which revision."""
        return hub.locate(name)

    def licence(self, folder: Path) -> str:
        """As its makers state it."""
        return hub.licence_of(folder)

    def images(self, name: str) -> PictureEncoder:
        folder, config, origin = self._opened(name, "image")
        preprocessing = preprocessing_of(folder)
        model, pooled = model_of(folder, "image")
        network = PictureNetwork(model, pooled).eval()
        if not network.repeats(preprocessing.size):
            raise KithError(
                f"the encoder {name} gives a picture other features each time: it draws at random; take another"
            )
        rebuild = {"config": config, "pooled": pooled}
        return PictureEncoder(origin, network, network.width(preprocessing.size), preprocessing, rebuild)

    def texts(self, name: str) -> TextEncoder:
        folder, config, origin = self._opened(name, "text")
        tokenizer = EncoderTokenizer.read(folder)
        model, _ = model_of(folder, "text")
        layers = [] if is_dual(config["model_type"]) else sentences.layers(folder)
        pad = tokenizer.pad if config.get("pad_token_id") is None else config["pad_token_id"]
        network = TextNetwork(model, layers, pad).eval()
        sentences.load(network.layers, folder, layers)
        longest = sentences.longest(folder, _text_config(config), tokenizer.longest)
        rebuild = {"config": config, "layers": layers, "pad": pad}
        return TextEncoder(origin, network, network.width(), tokenizer, longest, rebuild)

    def build(self, rebuild: Mapping[str, Any], side: Side) -> nn.Module:
        if not installed(self.package):
            raise KithError(f"the model needs the package {self.package}: {self.install}")
        model, _ = model_of(dict(rebuild["config"]), side)
        if side == "image":
            return PictureNetwork(model, rebuild["pooled"])
        return TextNetwork(model, rebuild["layers"], rebuild["pad"])

    def _opened(self, name: str, side: Side) -> tuple[Path, dict[str, Any], Origin]:
        """Its folder, what its config.json says, and its origin; the hub is asked once."""
        self.check(name)
        folder, revision = self.locate(name)
        config = _config(folder)
        if side not in (known := _sides(config)):
            raise KithError(f"the encoder {name} reads {known[0]}s alone, not {side}s")
        return folder, config, Origin(name, revision, hub.digest(folder), self.licence(folder))


def preprocessing_of(folder: Path) -> Preprocessing:
    """As preprocessor_config.json says. Raises KithError where there is none, or it has no size.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "preprocessor_config.json").write_text('{"size": {"height": 8, "width": 8}, "resample": 2}')
    ...     preprocessing_of(Path(place)).interpolation
    'bilinear'
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise KithError(f"{path}: no such file; it says how pictures are prepared, and comes with the model")
    given = sentences.read_json(path)
    if not isinstance(given, dict):
        raise KithError(f"{path}: expected an object in braces; {sentences.AGAIN}")
    given = given.get("image_processor", given)
    resized, cropped = _side(given.get("size")), _side(given.get("crop_size"))
    size = cropped if cropped and given.get("do_center_crop", True) else resized
    if not size:
        raise KithError(f"{path}: has no size; it says how pictures are prepared, and comes with the model")
    crop = given.get("crop_pct") or (min(1.0, size / resized) if resized else 1.0)
    normal = given.get("do_normalize", True)
    return Preprocessing(
        size,
        crop,
        "bicubic" if given.get("resample", BICUBIC) == BICUBIC else "bilinear",
        tuple(given.get("image_mean", IMAGENET_MEAN)) if normal else (0.0,) * 3,
        tuple(given.get("image_std", IMAGENET_STD)) if normal else (1.0,) * 3,
    )


def _sides(config: Mapping[str, Any]) -> tuple[Side, ...]:
    kind = config["model_type"]
    if is_dual(kind):
        return ("image", "text")
    return ("image",) if is_of_pictures(kind) else ("text",)


def _side(size: Any) -> int | None:
    if isinstance(size, Mapping):
        known = [size[name] for name in ("shortest_edge", "height", "width") if name in size]
        return min(known) if known else None
    return size


def _config(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = sentences.read_json(folder / "config.json")
    if "model_type" not in content:
        raise KithError(f"{folder / 'config.json'}: names no model_type; is it a model of transformers?")
    return content


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("text_config") or config
