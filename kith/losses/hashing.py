"""Deep supervised hashing by triplets: outputs whose signs are the code."""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from kith.losses.triplet import softplus, triplet_distances


def dtsh(
    outputs: Tensor,
    triplets: Sequence[Any],
    margin: float = 16.0,
    quantization: float = 100 / 22500,
    form: Literal["mean", "sum", "anchors"] = "mean",
) -> Tensor:
    """softplus(θ_an − θ_ap + α) of triplets + λ·`quantization_errors` (Wang, Shi & Kitani, "DTSH", ACCV 2016).

    outputs: (B, bits); triplets: three (T,) tensors of rows; margin α: half the number of bits in the paper;
    quantization λ. form:
      mean     θ = ½uᵀv; the mean over triplets, and λ times the mean over outputs of |u − sign u|². The paper's
               weight of 100 beside a sum over 22,500 triplets is a λ of 0.0044.
      sum      θ = ½uᵀv; both summed, as in the authors' program (λ = 100) and with few triplets (λ = 10)
      anchors  θ = uᵀv; the mean over each anchor's triplets, then over anchors, and λ times the mean over outputs and
               bits of (u − sign u)², as in programs that take α = 5, λ = 1
    """
    near, far = triplet_distances(outputs, triplets, "product")
    errors = quantization_errors(outputs)
    if form == "anchors":
        values = softplus(2 * (near - far) + margin)
        anchor = triplets[0]
        count = anchor.bincount(minlength=len(outputs))
        likelihood = (values / count[anchor]).sum() / (count > 0).sum().clamp(min=1)
        return likelihood + quantization * errors.mean() / outputs.shape[1]
    values = softplus(near - far + margin)
    if form == "sum":
        return values.sum() + quantization * errors.sum()
    return values.sum() / max(1, len(values)) + quantization * errors.mean()


def quantization_errors(outputs: Tensor) -> Tensor:
    """(B,) |u − sign u|² of (B, bits) outputs, sign 0 = 1."""
    signs = (outputs.detach() >= 0).to(outputs.dtype) * 2 - 1
    return (outputs - signs).square().sum(dim=1)
