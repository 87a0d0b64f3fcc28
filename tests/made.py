"""Small made-up inputs that several tests share."""

import numpy as np
import torch

from kith.models import DualEncoder
from kith.store.inputs import ArrayInput, TokenInput
from kith.text.tokens import Vocabulary
from kith.training.data import TrainingData
from kith.training.objective import Objective
from kith.training.samplers import NeighborSampler

COLOURS = ("red", "green", "blue", "white")
SHAPES = ("bar", "column", "cross", "square", "frame", "corner")


def picture(colour: str, shape: str, random: np.random.Generator) -> np.ndarray:
    """A noisy 16×16 RGB picture of a coloured shape."""
    mask = np.zeros((16, 16), bool)
    if shape in ("bar", "cross"):
        mask[6:10] = True
    if shape in ("column", "cross"):
        mask[:, 6:10] = True
    if shape in ("square", "frame"):
        mask[3:13, 3:13] = True
    if shape == "frame":
        mask[6:10, 6:10] = False
    if shape == "corner":
        mask[:8, :8] = True
    ink = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "white": (1, 1, 1)}[colour]
    image = mask[:, :, None] * np.array(ink) * 200 + random.integers(0, 55, (16, 16, 3))
    return np.roll(image, random.integers(-2, 3, 2), (0, 1)).astype(np.uint8)


def pair_data(copies: int = 8) -> tuple[TrainingData, Vocabulary]:
    """Every colour and shape `copies` times, with two texts each; the last copy is for validation."""
    random = np.random.default_rng(0)
    kinds = [(c, s) for c in COLOURS for s in SHAPES]
    images = np.stack([picture(c, s, random) for _ in range(copies) for c, s in kinds])
    texts = [t for _ in range(copies) for c, s in kinds for t in (f"a {c} {s}", f"the {s} is {c}")]
    vocabulary = Vocabulary.build(texts)
    tokens, lengths = vocabulary.encode(texts)
    n = len(images)
    val = np.arange(n - len(kinds), n)
    train = np.arange(n - len(kinds))
    # Neighbours in meaning: the kinds that follow, wrapped around; every copy is a group of its own.
    groups = np.arange(n)
    near = np.full((n, 3), -1)
    near[train] = (train[:, None] + np.arange(1, 4)) % len(train)
    trained = np.where(np.isin(groups, train), groups, -1)
    data = TrainingData(
        image=ArrayInput(images, np.arange(n)),
        text=TokenInput(tokens, lengths, np.arange(0, 2 * n + 1, 2)),
        groups=groups,
        train=train,
        val=val,
        neighbors=NeighborSampler(near, trained),
    )
    return data, vocabulary


def model_and_objective(
    words: int, losses: dict | None = None, projection: dict | None = None
) -> tuple[DualEncoder, Objective]:
    torch.manual_seed(0)
    model = DualEncoder(
        {
            "dim": 16,
            "image": {
                "tower": "cnn",
                "depth": 10,
                "width": 8,
                "channels": 3,
                "size": 16,
                "fit": "pad",
                "mean": [0.3] * 3,
                "std": [0.3] * 3,
            },
            "text": {"tower": "gru", "words": words, "embedding": 16, "hidden": 16, "dropout": 0.2},
            "projection": projection or {"kind": "unit"},
        }
    )
    angular = {"weight": 0.1, "angle": 45.0, "as_published": False}
    info_nce = {"weight": 1.0, "temperature": 0.1, "learn_temperature": True}
    return model, Objective(losses or {"info_nce": info_nce, "angular_image": angular, "angular_text": angular})
