"""An encoder that came pretrained, as a tower: its network is trained on with the rest of a model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from kith.encoders.names import Side
from kith.encoders.preprocessing import Preprocessing, Refit
from kith.encoders.registry import find

BatchNorm = Literal["frozen", "trained"]


class EncoderTower(nn.Module):
    """Standardised pictures (B, 3, H, W) of any size, or tokens (B, L) and lengths (B,), to (B, out_features).

    network: what `kith.encoders.finetuned.described` says of the encoder; its weights are not looked for, only the
    package that its network is built by. dropout: of the features. Raises KithError where that package is missing.
    """

    def __init__(self, side: Side, network: Mapping[str, Any], dropout: float = 0.0):
        super().__init__()
        # Some encoders come in half precision.
        self.network = find(network["name"]).build(network["rebuild"], side).float()
        self.unused = frozenset(network["unused"])
        for name in self.unused:
            _leave_out(self.network, name)
        self.refit = Refit(Preprocessing(**network["preprocessing"])) if side == "image" else None
        self.dropout, self.out_features = nn.Dropout(dropout), network["width"]
        self.norms_rest = False

    def forward(self, *inputs: Tensor) -> Tensor:
        if self.refit is not None:
            inputs = (self.refit(*inputs),)
        return self.dropout(self.network(*inputs))

    def start(self, encoder: nn.Module) -> None:
        """Take over the weights of the encoder's own network."""
        self.network.load_state_dict({k: v for k, v in encoder.state_dict().items() if k not in self.unused})

    def set_up(self, batch_norm: BatchNorm = "trained", checkpointing: bool = False) -> None:
        """For training. batch_norm: "frozen" norms by the statistics that came with the encoder, and keeps them;
        checkpointing: what lies within a block is computed again for its gradients, which takes time and saves memory.
        """
        self.norms_rest = batch_norm == "frozen"
        if checkpointing:
            for block in _blocks(self.network):
                block.forward = _recomputed(block.forward)

    def train(self, mode: bool = True) -> "EncoderTower":
        super().train(mode)
        if self.norms_rest:
            for module in self.network.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


def _leave_out(network: nn.Module, name: str) -> None:
    """A parameter that no result depends on becomes zeros, which are neither trained nor saved: it may be looked at."""
    place, _, own = name.rpartition(".")
    module = network.get_submodule(place)
    zeros = torch.zeros_like(module.get_parameter(own))
    delattr(module, own)
    module.register_buffer(own, zeros.detach(), persistent=False)


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The repeated parts of a network, each made of layers: what stands in its lists and sequences."""
    for child in network.children():
        if isinstance(child, nn.ModuleList | nn.Sequential):
            for part in child:
                yield from [part] if next(part.children(), None) is not None else []
        else:
            yield from _blocks(child)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        return checkpoint(forward, *inputs, use_reentrant=False, **named)

    return run
