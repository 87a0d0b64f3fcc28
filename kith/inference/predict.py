"""What a trained model says of pictures and texts that it has not seen: arrays in, arrays out.

Results are named arrays, one row a picture or text:
"vector" (n, d) float32, of length 1; "code" (n, ⌈d / 8⌉) uint8, their packed signs, of models that learn codes (see
kith.codes). Of pictures also, where the model has a classifier: "top" (n, k) int64, the likeliest classes, best first,
and "probability" (n, k) float32, their share of the softmax over all, or, of a model of pictures with several labels
each, the chance that a picture has the class; where it has class embeddings: "nearest" (n,)
int64 and "distance" (n,) float32, the Euclidean one to the unit vector. Class numbers are rows of `class_names`.
"""

import numpy as np
import torch

from kith.codes import pack, sign_codes
from kith.models import DualEncoder
from kith.models.embed import vectors_and_scores

TOP = 5

Predicted = dict[str, np.ndarray]


@torch.no_grad()
def predict_images(model: DualEncoder, images: np.ndarray, top: int = TOP) -> Predicted:
    """Vectors and classes of pictures (n, H, W, C) uint8, of the model's size, or of features (n, …) float32.

    top: likeliest classes that are returned, at most. Returns the arrays that the module names.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> model = DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}}).eval()
    >>> predict_images(model, np.ones((4, 3), np.float32))["vector"].shape
    (4, 2)
    """
    features = model.encode_images(model.prepare(torch.from_numpy(images).to(model.device)))
    vectors, scores = vectors_and_scores(model, features)
    predicted = _embedded(model, vectors)
    if "classifier" in scores:
        logits = scores["classifier"]
        # Of equal scores the lower class comes first, as when a run is evaluated.
        best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
        predicted["top"] = best
        several = model.config["classes"].get("several", False)
        chances = torch.from_numpy(logits).sigmoid() if several else torch.from_numpy(logits).softmax(dim=1)
        predicted["probability"] = np.take_along_axis(chances.numpy(), best, axis=1)
    if "nearest" in scores:
        predicted["nearest"] = scores["nearest"].argmax(axis=1)
        predicted["distance"] = np.sqrt(-scores["nearest"].max(axis=1))
    return predicted


@torch.no_grad()
def predict_texts(model: DualEncoder, *inputs: np.ndarray) -> Predicted:
    """Vectors of word numbers (n, L) and lengths (n,), as of `Vocabulary.encode`, or of features (n, …) float32.

    Returns the arrays that the module names. Raises ValueError for a model without a text side.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> model = DualEncoder({"dim": 2, "image": side, "text": side, "projection": {"kind": "unit"}}).eval()
    >>> predict_texts(model, np.ones((4, 3), np.float32))["vector"].shape
    (4, 2)
    """
    tensors = [torch.from_numpy(each).to(model.device) for each in inputs]
    tensors = [each if each.is_floating_point() else each.long() for each in tensors]
    return _embedded(model, model.embed_texts(*tensors).cpu().numpy())


def _embedded(model: DualEncoder, vectors: np.ndarray) -> Predicted:
    return {"vector": vectors} | ({"code": pack(sign_codes(vectors), np.uint8)} if model.config.get("codes") else {})
