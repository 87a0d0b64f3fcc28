"""Embeddings of earlier batches, as further positives and negatives."""

import torch
from torch import Tensor, nn


class MemoryBank(nn.Module):
    """The last `size` embeddings and labels (Wang et al., "Cross-Batch Memory for Embedding Learning", CVPR 2020).

    All of it is in the state dict, so that a resumed training goes on with it.

    size: rows that are kept; dim: of an embedding, which is stored as float32.

    >>> bank = MemoryBank(2, dim=1)
    >>> bank.add(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0, 1, 2]))
    >>> [each.tolist() for each in bank.rows()]
    [[[2.0], [3.0]], [1, 2]]
    """

    embeddings: Tensor
    labels: Tensor
    added: Tensor

    def __init__(self, size: int, dim: int):
        super().__init__()
        self.register_buffer("embeddings", torch.zeros(size, dim))
        self.register_buffer("labels", torch.full((size,), -1))
        self.register_buffer("added", torch.zeros((), dtype=torch.int64))

    def rows(self) -> tuple[Tensor, Tensor]:
        """(M, dim) embeddings, without gradients, and their (M,) labels; M grows up to `size`."""
        filled = min(int(self.added), len(self.labels))
        return self.embeddings[:filled].clone(), self.labels[:filled].clone()

    @torch.no_grad()
    def add(self, embeddings: Tensor, labels: Tensor) -> None:
        """Store (B, dim) embeddings and (B,) int64 labels; they take the places of the oldest."""
        size = len(self.labels)
        embeddings, labels = embeddings[-size:], labels[-size:]
        places = (int(self.added) + torch.arange(len(labels), device=labels.device)) % size
        self.embeddings[places] = embeddings.to(self.embeddings.dtype)
        self.labels[places] = labels
        self.added += len(labels)
