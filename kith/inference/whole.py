"""A model with the frozen encoders that it was trained on in it: pictures and tokens in, where it takes features."""

import copy

from torch import Tensor, nn

from kith.encoders.encoder import TextEncoder
from kith.encoders.frozen import Frozen
from kith.encoders.names import SIDES
from kith.encoding import as_noted
from kith.models import DualEncoder


def frozen_of(model: DualEncoder) -> dict[str, Frozen]:
    """The encoders of a model by side, loaded on the CPU; none for a model that takes no features of encoders.

    Raises KithError where one is missing, or another than it was trained with.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> frozen_of(DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}}))
    {}
    """
    sides = [side for side in SIDES if "encoder" in (model.config[side] or {})]
    return {side: as_noted(model.config[side]["encoder"]) for side in sides}


def whole(model: DualEncoder, frozen: dict[str, Frozen]) -> DualEncoder:
    """A copy of the model that takes pictures, and tokens and lengths, on the sides of `frozen`.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> whole(DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}}), {}).dim
    2
    """
    model = copy.deepcopy(model).cpu().eval()
    if "image" in frozen:
        known = frozen["image"]
        assert known.preprocess is not None
        model.image_input = nn.Sequential(known.preprocess, known.network, model.image_input)
    if "text" in frozen and model.text_input is not None:
        model.text_input = _Texts(frozen["text"].network, model.text_input)
    return model.eval()


def tokenizer_of(frozen: Frozen) -> tuple[str, int, int]:
    """The text of an encoder's tokenizer.json, the number that fills texts up, and the most tokens of a text.

    >>> from kith.encoders.registry import load
    >>> tokenizer_of(Frozen(load("minilm", "text")))[1:]  # doctest: +SKIP
    (0, 256)
    """
    encoder = frozen.encoder
    assert isinstance(encoder, TextEncoder)
    return encoder.tokenizer.content, encoder.tokenizer.pad, encoder.max_tokens


class _Texts(nn.Module):
    def __init__(self, network: nn.Module, scaling: nn.Module):
        super().__init__()
        self.network, self.scaling = network, scaling

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.scaling(self.network(tokens, lengths))
