"""What follows the transformer in an encoder of sentences, as sentence-transformers describes it in its folder:
pooling over the tokens, dense layers, and rows of length 1."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.errors import KithError, reading

AGAIN = "get the encoder's files again"
MEAN = {"kind": "pooling", "mode": "mean"}
LONGEST = 512  # tokens, where nothing says how many
ACTIVATIONS: dict[str, type[nn.Module]] = {"Tanh": nn.Tanh, "Identity": nn.Identity, "GELU": nn.GELU, "ReLU": nn.ReLU}


class Pooling(nn.Module):
    """States (B, L, d) to (B, d): their mean or largest values over the text, or its first or last one.

    >>> states, mask = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]])
    >>> [float(Pooling(mode)(states, mask)) for mode in ("mean", "max", "cls", "lasttoken")]
    [2.0, 3.0, 1.0, 3.0]
    """

    MODES = ("mean", "max", "cls", "lasttoken")

    def __init__(self, mode: str):
        super().__init__()
        if mode not in self.MODES:
            raise KithError(f"pooling {mode} is not known to Kith, only {', '.join(self.MODES)}")
        self.mode = mode

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.mode == "cls":
            return states[:, 0]
        if self.mode == "lasttoken":
            last = mask.sum(dim=1) - 1
            return states[torch.arange(len(states), device=states.device), last]
        inside = mask.unsqueeze(2)
        if self.mode == "max":
            return states.masked_fill(~inside, -torch.inf).amax(dim=1)
        return (states * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)


class Dense(nn.Module):
    """A linear layer and an activation, on pooled rows."""

    def __init__(self, before: int, after: int, bias: bool, activation: str):
        super().__init__()
        self.linear, self.activation = nn.Linear(before, after, bias), ACTIVATIONS[activation]()

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        return self.activation(self.linear(rows))


class Normalize(nn.Module):
    """Rows of length 1."""

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        return F.normalize(rows)


def build(layers: Iterable[Mapping[str, Any]]) -> nn.ModuleList:
    """The layers that `layers` describes, without weights."""
    made: list[nn.Module] = []
    for layer in layers:
        if layer["kind"] == "pooling":
            made.append(Pooling(layer["mode"]))
        elif layer["kind"] == "dense":
            made.append(Dense(layer["before"], layer["after"], layer["bias"], layer["activation"]))
        else:
            made.append(Normalize())
    return nn.ModuleList(made)


def layers(folder: Path) -> list[dict[str, Any]]:
    """What follows the transformer, as modules.json says; the mean over the text where there is no such file.

    Raises KithError for a layer that Kith does not know, or that is nowhere in the folder.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return [dict(MEAN)]
    modules, found = read_json(path), []
    if not (isinstance(modules, list) and all(map(_is_module, modules))):
        raise KithError(f"{path}: expected a list of layers, each with a type and a path below its folder; {AGAIN}")
    for module in modules:
        kind, place = module["type"].rpartition(".")[2], folder / module["path"]
        if kind == "Pooling":
            found.append({"kind": "pooling", "mode": _mode(_read(place / "config.json"))})
        elif kind == "Dense":
            found.append(_dense(_read(place / "config.json")) | {"path": module["path"]})
        elif kind == "Normalize":
            found.append({"kind": "normalize"})
        elif kind != "Transformer":
            raise KithError(f"{path}: the layer {kind} is not known to Kith, only Pooling, Dense and Normalize")
    return found


def load(modules: nn.ModuleList, folder: Path, layers: Sequence[Mapping[str, Any]]) -> None:
    """Give the dense ones of `modules`, which `build` has made of `layers`, their weights."""
    for module, layer in zip(modules, layers, strict=True):
        if isinstance(module, Dense):
            place = folder / layer["path"]
            safe = place / "model.safetensors"
            path = safe if safe.is_file() else place / "pytorch_model.bin"
            with reading(path, AGAIN):
                if path == safe:
                    from safetensors.torch import load_file

                    weights = load_file(safe)
                else:
                    weights = torch.load(path, map_location="cpu", weights_only=True)
                module.load_state_dict(weights)


def longest(folder: Path, config: Mapping[str, Any], of_tokenizer: int | None) -> int:
    """Tokens that the encoder reads of a text: as sentence-transformers says, or else its positions and tokenizer."""
    path = folder / "sentence_bert_config.json"
    if path.is_file() and (given := _read(path).get("max_seq_length")):
        return int(given)
    known = [config.get("max_position_embeddings"), of_tokenizer]
    return min((int(each) for each in known if each), default=LONGEST)


def _is_module(given: Any) -> bool:
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        return False
    place = given.get("path")
    return isinstance(place, str) and not Path(place).is_absolute() and ".." not in Path(place).parts


def _mode(config: Mapping[str, Any]) -> str:
    """Of its older form, a truth value for each, or its newer one."""
    if "pooling_mode" in config:
        return str(config["pooling_mode"])
    names = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max", "lasttoken": "lasttoken"}
    chosen = [mode for key, mode in names.items() if config.get(f"pooling_mode_{key}")]
    return chosen[0] if len(chosen) == 1 else "+".join(chosen) or "unknown"


def _dense(config: Mapping[str, Any]) -> dict[str, Any]:
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise KithError(f"the activation {activation} is not known to Kith, only {', '.join(ACTIVATIONS)}")
    sizes = {"before": config["in_features"], "after": config["out_features"]}
    return {"kind": "dense", **sizes, "bias": config.get("bias", True), "activation": activation}


def read_json(path: Path) -> Any:
    """The content of a file that comes with an encoder. Raises KithError where it cannot be read."""
    with reading(path, AGAIN):
        return json.loads(path.read_text(encoding="utf-8"))


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise KithError(f"{path}: expected an object in braces; {AGAIN}")
    return content
