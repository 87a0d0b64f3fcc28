"""Items of several vectors: two are as similar as the two most similar of their vectors."""

import torch
from torch import Tensor


def similarities(image: Tensor, text: Tensor) -> Tensor:
    """(B, B) dot products of (B, d) rows; of K vectors an item, (B, K, d), the highest of the K×K: multiple instance
    learning (Song & Soleymani, CVPR 2019).

    >>> sets = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> similarities(sets, torch.tensor([[[0.0, 1.0], [0.6, 0.8]]])).tolist()
    [[1.0]]
    """
    if image.ndim == 2:
        return image @ text.T
    return torch.einsum("ikd,jld->ijkl", image, text).amax(dim=(2, 3))
