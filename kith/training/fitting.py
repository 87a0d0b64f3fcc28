"""What is computed from the training split in closed form, without gradients: scaling, code heads, linear CCA."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.models import DualEncoder
from kith.models.code_heads import RandomHead
from kith.models.embed import encode_pairs
from kith.models.encoded import EncodedFeatures
from kith.models.projections import UnitLayer
from kith.store.inputs import ModalityInput
from kith.training.data import TrainingData


@torch.no_grad()
def fit_inputs(model: DualEncoder, data: TrainingData) -> None:
    """Scale the features of frozen encoders by those of the training split, and fit the heads that are not trained."""
    for module, side in ((model.image_input, data.image), (model.text_input, data.text)):
        if isinstance(module, EncodedFeatures) and side is not None:
            module.fit(_rows(side, data.train))
    if isinstance(model.image_head, RandomHead):
        features: Any = model.image_input(_rows(data.image, data.train))
        model.image_head.fit(model.image_tower.eval()(features))


def fit_projection(model: DualEncoder, data: TrainingData, batch_size: int) -> None:
    """Fit a CCA layer to all pairs of a picture and a text of the training split: linear CCA where towers are fixed."""
    if isinstance(model.projection, UnitLayer) or data.text is None:
        return
    model.eval()
    text_rows, owner = data.text.all_of(data.train)
    image_rows = data.image.one_of(owner, np.random.default_rng(0))  # the one that each has
    pairs: Iterator[tuple[Tensor, Tensor]] = encode_pairs(
        model, data.image, image_rows, data.text, text_rows, batch_size
    )
    model.projection.refit(pairs)


def _rows(side: ModalityInput, items: np.ndarray) -> Tensor:
    """The features of all that these items have."""
    return side.take(side.all_of(items)[0])[0]
