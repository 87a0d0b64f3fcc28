"""Two towers, one space: the two sides of a pair become unit vectors that can be compared by dot product.

The sides are called image and text, after the commonest ones; either may be features (vectors or maps).
A model that learns from classes alone has no text side.
"""

import itertools
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kith.cca import CCALayer, LearnedLayer
from kith.data.depths import DECODED
from kith.encoders.names import Side
from kith.models.classifier import Classifier
from kith.models.code_heads import ItqHead, RandomHead
from kith.models.encoded import EncodedFeatures
from kith.models.encoder_tower import EncoderTower
from kith.models.features import feature_tower
from kith.models.image import image_tower
from kith.models.polysemous import PolysemousHead, PolysemousLayer, polysemous_head
from kith.models.projections import HeadLayer, UnitLayer, full
from kith.models.text import text_tower

FITTED = {"itq": ItqHead, "random": RandomHead}


class DualEncoder(nn.Module):
    """An image tower and a text tower, each followed by a head into `dim` units, and a projection of both.

    config: all that is needed to build it again: {"dim",
    "image": {"tower", "depth", "width", "channels", "size", "fit", "mean", "std", "crop", and "order": "bgr" where it
    sees blue first}, or of features {"tower",
    "shape", "shift", "scale", "hidden", "layers", "width"}, or of features of a frozen encoder {"tower", "shape",
    "encoder": which one, see kith.encoders.frozen, "input": the options of `EncodedFeatures`, "hidden", "layers",
    "width", "dropout"}, or of an encoder that is trained on {"tower": "encoder", "network": which one, see
    kith.encoders.finetuned, "dropout"} with "channels", "size", "fit", "mean", "std" and "crop" as above,
    "text": {"tower", "words", "embedding", "hidden", "layers", "dropout"}, or of features or an encoder as above, or
    None,
    "head": "linear" (default), "none" where the tower's output is the embedding, whatever `dim` says, for both sides,
    "itq" or "random", which are fitted and not trained (see kith.models.code_heads), or "attention", with the options
    "attention": {"vectors", "hidden", "dropout"} of `PolysemousHead`: several vectors an item,
    "codes": whether the signs of the embeddings are meant as binary codes (default: not),
    "projection": {"kind": "unit", "learned" or "cca", and the layer's parameters},
    "classes": {"names", "shown": readable names (default: the names), "classifier": a kind of `Classifier`, "tower" for
    a hidden one on what the image tower gives, beside the embedding, or None, "targets": width of the class embeddings
    or None}, or None (default) for a model that knows no classes}.
    targets: (classes, d) float32 class embeddings, as far as the model has any.
    Raises ValueError for a tower that does not take what its side holds, for targets of another width, and for sides
    without heads whose towers differ in width.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> model = DualEncoder({"dim": 2, "image": side, "text": side, "projection": {"kind": "unit"}}).eval()
    >>> tuple(model.embed_texts(torch.ones(4, 3)).shape)
    (4, 2)
    """

    text_input: nn.Module | None
    text_tower: nn.Module | None
    text_head: nn.Module | None
    classifier: Classifier | None
    targets: Tensor | None
    dim: int

    def __init__(self, config: dict[str, Any]):
        super().__init__()
        self.config = config
        image, text = config["image"], config["text"]
        if "shape" in image:
            self.image_input, self.image_tower = _features(image)
        else:
            self.image_input, self.image_tower = _pictures(image)
        head = config.get("head", "linear")
        classes = config.get("classes") or {"names": [], "classifier": None, "targets": None}
        attention = config["attention"] if head == "attention" else None
        image_head = _head(self.image_tower, config["dim"], head, attention)
        late = classes["classifier"] == "tower"
        self.image_head = nn.Identity() if late else image_head
        tower: Any = self.image_tower
        self.dim = tower.out_features if head == "none" else config["dim"]
        self.text_input, self.text_tower, self.text_head = None, None, None
        if text is not None:
            if "shape" in text:
                self.text_input, self.text_tower = _features(text)
            else:
                self.text_tower = _encoder("text", text) if "network" in text else text_tower(**text)
            self.text_head = _head(self.text_tower, config["dim"], head, attention)
            self._check_widths(head, self.text_tower)
        self.projection = _projection(self.dim, attention, **config["projection"])
        if late:
            self.projection = _after_head(image_head, self.projection)
        self._add_classes(classes, tower.out_features if late else self.dim)

    def _add_classes(self, classes: dict[str, Any], seen: int) -> None:
        """seen: dimensions of what the classifier looks at."""
        count, width, kind = len(classes["names"]), classes["targets"], classes["classifier"]
        self.classifier = Classifier(seen, count, "hidden" if kind == "tower" else kind) if kind else None
        if width not in (None, self.dim):
            raise ValueError(
                f"the class embeddings have {width} dimensions and the image side {self.dim}: take head: linear, "
                "or a class_embedding.dim that fits the tower"
            )
        self.register_buffer("targets", None if width is None else torch.zeros(count, width))

    def _check_widths(self, head: str, text_tower: Any) -> None:
        if head == "none" and text_tower.out_features != self.dim:
            raise ValueError(
                f"head: none leaves pictures {self.dim} dimensions and texts {text_tower.out_features}; take head: "
                "linear, or as many principal components of both (image.encoded.pca, text.encoded.pca)"
            )

    @property
    def class_names(self) -> tuple[list[str], list[str]]:
        """Names of the classes, as labels are written and as people read them; both empty where it knows none."""
        classes = self.config.get("classes") or {"names": []}
        return classes["names"], classes.get("shown", classes["names"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what an item is embedded as: (dim,), or (K, dim) with several vectors an item."""
        layer: Any = self.projection
        several = isinstance(layer, PolysemousLayer) and layer.vectors > 1
        return (layer.vectors, self.dim) if several else (self.dim,)

    @property
    def device(self) -> torch.device:
        # A model that is not trained may have buffers alone.
        return next(itertools.chain(self.parameters(), self.buffers())).device

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 pictures (B, H, W, C) to standardised float32 (B, C, H, W), or features to scaled ones."""
        return self.image_input(images)

    def encode_images(self, images: Tensor) -> Tensor:
        """Prepared pictures or features to (B, dim) float32, before the projection; with a classifier on the tower
        to what that gives, (B, out_features), and the head is in the projection."""
        return _headed(self.image_tower, self.image_head, images)

    def embedded(self, features: Tensor) -> Tensor:
        """What `encode_images` gives to embeddings (B, dim), not yet of length 1: the same, where it is no wider."""
        return self.projection.headed(features) if isinstance(self.projection, HeadLayer) else features

    def encode_texts(self, *inputs: Tensor) -> Tensor:
        """Word numbers (B, L) and lengths (B,), or features, to (B, dim) float32, before the projection."""
        if self.text_tower is None or self.text_head is None:
            raise ValueError("this model has no text side")
        if self.text_input is not None:
            inputs = (self.text_input(*inputs),)
        return _headed(self.text_tower, self.text_head, *inputs)

    def class_scores(self, features: Tensor) -> dict[str, Tensor]:
        """Scores (B, classes) of what `encode_images` gives, higher is likelier: "classifier", logits; "nearest",
        minus squared distances of the unit vectors to the class embeddings. Those the model has."""
        scores = {}
        if self.classifier is not None:
            scores["classifier"] = full(self.classifier(features))
        if self.targets is not None:
            scores["nearest"] = -torch.cdist(self.projection.stored().first(features), self.targets).square()
        return scores

    def embed_images(self, images: Tensor) -> Tensor:
        """Prepared pictures or features to unit float32 rows (B, dim), by the stored projection; with several vectors
        an item (B, K, dim)."""
        return self.projection.stored().first(self.encode_images(images))

    def embed_texts(self, *inputs: Tensor) -> Tensor:
        """Word numbers and lengths, or features, to unit float32 rows (B, dim), by the stored projection; with several
        vectors an item (B, K, dim)."""
        return self.projection.stored().second(self.encode_texts(*inputs))


class Pictures(nn.Module):
    """uint8 (B, H, W, C) to standardised float32 (B, C, H, W), channels last in memory.

    crop: the side of the middle square that is looked at in evaluation; in training, augmentation cuts it out. order:
    "bgr" where the network, and mean and std, have blue first.

    >>> tuple(Pictures([0.5], [0.25], crop=2)(torch.zeros(1, 4, 4, 1, dtype=torch.uint8)).shape)
    (1, 1, 4, 4)
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: list[float], std: list[float], crop: int | None = None, order: Literal["rgb", "bgr"] = "rgb"
    ):
        super().__init__()
        self.crop, self.turned = crop, order == "bgr"
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        images = images.permute(0, 3, 1, 2)
        if self.turned:
            images = images.flip(1)
        if self.crop is not None and not self.training:
            images = center_crop(images, self.crop)
        return (images.float() / 255 - self.mean) / self.std


class Features(nn.Module):
    """(x − shift) / scale; both are numbers, or lists of one number a dimension.

    >>> Features(1.0, 2.0)(torch.tensor([[3.0]])).tolist()
    [[1.0]]
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, shift: float | list[float], scale: float | list[float]):
        super().__init__()
        self.register_buffer("shift", torch.tensor(shift), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.shift) / self.scale


def center_crop(images: Tensor, side: int) -> Tensor:
    """The middle square of (B, C, H, W) pictures, as they are evaluated. Raises ValueError if they are smaller.

    >>> center_crop(torch.arange(16.0).view(1, 1, 4, 4), 2).tolist()
    [[[[5.0, 6.0], [9.0, 10.0]]]]
    """
    height, width = crop_room(images, side)
    return images[:, :, height // 2 : height // 2 + side, width // 2 : width // 2 + side]


def crop_room(images: Tensor, side: int) -> tuple[int, int]:
    """By how many pixels a square of `side` can be moved down and across pictures (B, C, H, W).

    Raises ValueError if it does not fit.

    >>> crop_room(torch.zeros(1, 3, 40, 50), 32)
    (8, 18)
    """
    height, width = images.shape[2] - side, images.shape[3] - side
    if min(height, width) < 0:
        raise ValueError(f"a crop of {side}×{side} from pictures of {images.shape[2]}×{images.shape[3]}: crop less")
    return height, width


def _pictures(options: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    options = dict(options)
    crop = options.pop("crop", None)
    pictures = Pictures(options.pop("mean"), options.pop("std"), crop, options.pop("order", "rgb"))
    for name in DECODED:
        options.pop(name, None)
    if "network" in options:
        return pictures, _encoder("image", options)
    return pictures, image_tower(**options | ({"size": crop} if crop else {}))


def _encoder(side: Side, options: dict[str, Any]) -> EncoderTower:
    return EncoderTower(side, options["network"], options["dropout"])


def _features(options: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    options = dict(options)
    if options.pop("encoder", None) is not None:
        encoded = EncodedFeatures(*options.pop("shape"), **options.pop("input"))
        return encoded, feature_tower(**options | {"shape": (encoded.out_features,)})
    scaling = Features(options.pop("shift"), options.pop("scale"))
    return scaling, feature_tower(**options | {"shape": tuple(options["shape"])})


def _headed(tower: Any, head: Any, *inputs: Tensor) -> Tensor:
    return full(head(*tower.parts(*inputs)) if isinstance(head, PolysemousHead) else head(tower(*inputs)))


def _head(tower: Any, dim: int, kind: str = "linear", attention: dict[str, Any] | None = None) -> nn.Module:
    """The tower's own head, or a linear layer that starts Xavier-normal with bias 0.1, as published (Thomas &
    Kovashka, ECCV 2020)."""
    if kind == "none":
        return nn.Identity()
    if attention is not None:
        return polysemous_head(tower, dim, attention)
    if kind in FITTED:
        return FITTED[kind](tower.out_features, dim)
    if hasattr(tower, "head"):
        return tower.head(dim)
    head = nn.Linear(tower.out_features, dim)
    nn.init.xavier_normal_(head.weight)
    nn.init.constant_(head.bias, 0.1)
    return head


def _after_head(head: nn.Module, projection: nn.Module) -> HeadLayer:
    if not isinstance(projection, UnitLayer):
        raise ValueError("a classifier on the tower goes with projection.kind: unit; take another head of it")
    return HeadLayer(head)


def _projection(
    dim: int, attention: dict[str, Any] | None, kind: str, **options: Any
) -> UnitLayer | LearnedLayer | CCALayer | PolysemousLayer:
    if attention is not None:
        if kind != "unit":
            raise ValueError("head: attention goes with projection.kind: unit")
        return PolysemousLayer(attention["vectors"], dim)
    if kind == "unit":
        return UnitLayer()
    return CCALayer(dim, **options) if kind == "cca" else LearnedLayer(dim, **options)
