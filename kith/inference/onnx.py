"""A trained model as ONNX graphs, one a side, for programs that have no PyTorch.

What a graph takes is what the model takes: uint8 pictures (batch, H, W, C), which it standardises and crops itself,
word numbers and lengths, or features. A frozen encoder whose features a model was trained on is in the graph. It gives
"vector" (batch, d), unit rows, and of pictures, as far as the model has them, "classifier" (batch, classes), logits,
and "nearest", minus squared distances to the class embeddings.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kith.data.depths import decoded
from kith.errors import KithError
from kith.inference.raw import is_of_features, pictures_of
from kith.inference.whole import frozen_of, tokenizer_of, whole
from kith.models import DualEncoder
from kith.models.text import GRUTower
from kith.progress import over
from kith.text.tokenizer import Tokenizer

FORMAT = "kith-onnx-1"
OPSET = 20
TOLERANCE = 1e-4
TOKENIZER = "tokenizer.json"  # of a frozen encoder of texts
KIND_OF_WORDS = ("tokenizer", "selection")  # keys of the state of a tokenizer that say how words are found
SURE = 10  # token numbers that every encoder has


def export(model: DualEncoder, folder: Path) -> None:
    """Write image.onnx and, where the model has a text side, text.onnx into `folder`, which exists.

    The number of rows and the length of texts are free in the graphs. Raises KithError where ONNX is not installed, or
    a tower cannot be written in it.

    >>> from kith import models
    >>> model, vocabulary, saved = models.load(Path("runs/glyphs/infonce-0/model.pt"))  # doctest: +SKIP
    >>> export(model, Path("graphs"))  # doctest: +SKIP
    >>> max(differences(model, Path("graphs")).values()) < TOLERANCE  # doctest: +SKIP
    True
    """
    _require("onnx", "onnxscript")
    frozen = frozen_of(model)
    if "text" in frozen:
        (folder / TOKENIZER).write_text(tokenizer_of(frozen["text"])[0], encoding="utf-8")
    model = whole(model, frozen)
    if isinstance(model.text_tower, GRUTower):
        model.text_tower = _Unpacked(model.text_tower)
    for side in over(sides(model), "export", len(sides(model)), "graphs"):
        graph: nn.Module = _ImageGraph(model) if side == "image" else _TextGraph(model)
        batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
        free = {"tokens": {0: batch, 1: length}}
        inputs = example(model, side, 2)
        try:
            with _quiet():
                program: Any = torch.onnx.export(
                    graph.eval(),
                    tuple(map(torch.from_numpy, inputs.values())),
                    dynamo=True,
                    opset_version=OPSET,
                    dynamic_shapes=(tuple(free.get(name, {0: batch}) for name in inputs),),
                    input_names=list(inputs),
                    output_names=outputs(model, side),
                    verbose=False,
                )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise KithError(f"the {side} tower cannot be written as ONNX: {reason}") from None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # where in which file each operation came from
        program.save(folder / f"{side}.onnx")


def differences(model: DualEncoder, folder: Path, rows: int = 3) -> dict[str, float]:
    """The largest difference between what each graph in `folder` and the model say of `rows` random inputs, by side.

    Of values beyond ±1 it is a share of the largest. Raises KithError where ONNX Runtime is not installed, or takes no
    such graph.

    >>> from kith import models
    >>> model, vocabulary, saved = models.load(Path("runs/glyphs/infonce-0/model.pt"))  # doctest: +SKIP
    >>> list(differences(model, Path("graphs")))  # doctest: +SKIP
    ['image', 'text']
    """
    _require("onnxruntime")
    import onnxruntime

    model = whole(model, frozen_of(model))
    found = {}
    for side in sides(model):
        inputs = example(model, side, rows)
        tensors = list(map(torch.from_numpy, inputs.values()))
        with torch.no_grad():
            expected = _ImageGraph(model)(*tensors) if side == "image" else (model.embed_texts(*tensors),)
        try:
            session = onnxruntime.InferenceSession(folder / f"{side}.onnx", providers=["CPUExecutionProvider"])
            told = session.run(outputs(model, side), inputs)
        except Exception as error:  # ONNX Runtime's own kinds have nothing else in common
            raise KithError(f"ONNX Runtime does not take the {side} graph: {str(error).splitlines()[0]}") from None
        pairs = zip(told, expected, strict=True)
        found[side] = max(float(np.abs(a - b.numpy()).max() / max(1, b.abs().max())) for a, b in pairs)
    return found


def describe(model: DualEncoder, vocabulary: Tokenizer, max_tokens: int, trained: dict[str, Any]) -> dict[str, Any]:
    """What a program has to know besides the graphs, as plain values; `trained` as the model's file has it.

    >>> from kith.text.tokens import Vocabulary
    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> model = DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}})
    >>> describe(model, Vocabulary([]), 64, {"method": "infonce"})["image"]
    {'graph': 'image.onnx', 'outputs': ['vector'], 'inputs': ['features'], 'shape': [3]}
    """
    told: dict[str, Any] = {
        "format": FORMAT,
        "trained": {name: trained[name] for name in ("method", "seed") if name in trained},
        "codes": bool(model.config.get("codes")),
        "classes": dict(zip(("names", "shown"), model.class_names, strict=True)),
    }
    for side in sides(model):
        config = model.config[side]
        told[side] = {"graph": f"{side}.onnx", "outputs": outputs(model, side)}
        encoder = config.get("encoder", config.get("network"))
        if encoder is not None:
            told[side] |= {"encoder": {name: encoder[name] for name in ("name", "revision", "sha256", "licence")}}
        if is_of_features(config):
            told[side] |= {"inputs": ["features"], "shape": list(config["shape"])}
        elif side == "image":
            pictures = pictures_of(config)
            kept = {name: pictures.get(name) for name in ("size", "channels", "fit", "crop")}
            told[side] |= {"inputs": ["images"], "mode": "L" if kept["channels"] == 1 else "RGB", **kept}
            told[side] |= decoded(pictures)
            told[side]["interpolation"] = "bicubic"  # as kith.data.images.decode brings pictures to their size
        elif encoder is not None:
            own = (vocabulary.state().get("pad"), max_tokens)
            pad, longest = own if "network" in config else tokenizer_of(frozen_of(model)["text"])[1:]
            told[side] |= {"inputs": ["tokens", "lengths"], "max_tokens": longest, "tokenizer": TOKENIZER, "pad": pad}
        else:
            words = [*Tokenizer.MARKS, *vocabulary.words]
            told[side] |= {"inputs": ["tokens", "lengths"], "max_tokens": max_tokens, "vocabulary": words}
            told[side] |= {key: value for key, value in vocabulary.state().items() if key in KIND_OF_WORDS}
    return told


def sides(model: DualEncoder) -> list[str]:
    """The sides of a model: "image" and, where it has one, "text".

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> sides(DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}}))
    ['image']
    """
    return ["image"] if model.text_tower is None else ["image", "text"]


def outputs(model: DualEncoder, side: str) -> list[str]:
    """Names of what a graph gives, in order.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> outputs(DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}}), "image")
    ['vector']
    """
    known = {"classifier": model.classifier, "nearest": model.targets} if side == "image" else {}
    return ["vector", *(name for name, part in known.items() if part is not None)]


def example(model: DualEncoder, side: str, rows: int) -> dict[str, np.ndarray]:
    """Random inputs of a graph, by name, with `rows` rows; always the same.

    >>> side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    >>> model = DualEncoder({"dim": 2, "image": side, "text": None, "projection": {"kind": "unit"}})
    >>> {name: (each.shape, each.dtype.name) for name, each in example(model, "image", rows=2).items()}
    {'features': ((2, 3), 'float32')}
    """
    random, config = np.random.default_rng(0), model.config[side]
    if is_of_features(config):
        return {"features": random.normal(size=(rows, *config["shape"])).astype(np.float32)}
    if side == "image":
        kept = pictures_of(config)
        return {"images": random.integers(0, 256, (rows, kept["size"], kept["size"], kept["channels"]), np.uint8)}
    lengths = random.permutation(np.arange(rows) + 2)
    tokens = random.integers(0, config.get("words", SURE), (rows, lengths.max()))
    tokens[np.arange(tokens.shape[1]) >= lengths[:, None]] = Tokenizer.PAD
    return {"tokens": tokens, "lengths": lengths}


class _ImageGraph(nn.Module):
    def __init__(self, model: DualEncoder):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        features = self.model.encode_images(self.model.prepare(*inputs))
        vectors = self.model.projection.stored().first(features)
        told = [vectors] if self.model.classifier is None else [vectors, self.model.classifier(features)]
        if (targets := self.model.targets) is not None:
            # ONNX has no cdist.
            squares = vectors.square().sum(dim=1, keepdim=True) + targets.square().sum(dim=1)
            told.append(2 * vectors @ targets.T - squares)
        return tuple(told)


class _TextGraph(nn.Module):
    def __init__(self, model: DualEncoder):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model.embed_texts(*inputs)


class _Unpacked(nn.Module):
    """A GRU tower without packed sequences, which ONNX lacks: the state after the last word is the same."""

    def __init__(self, tower: GRUTower):
        super().__init__()
        self.tower = tower

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.parts(tokens, lengths)[0]

    def parts(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As those of a GRU tower."""
        embedded = self.tower.embedding(tokens)
        states = self.tower.gru(embedded)[0]
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
        return states.gather(1, last)[:, 0], embedded, tokens == Tokenizer.PAD


def _require(*packages: str) -> None:
    for package in packages:
        try:
            __import__(package)
        except ImportError as error:
            raise KithError(
                f"{package} is not installed ({error}): pip install onnx onnxscript onnxruntime; requirements-onnx.txt "
                "has the versions that are tested"
            ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes on packages that are not installed, and on its own future."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
