"""Embedding in bulk: arrays in, unit rows out."""

import numpy as np
import torch

from kith.models.dual_encoder import DualEncoder


@torch.no_grad()
def embed_images(model: DualEncoder, images: np.ndarray, rows: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Unit rows (len(rows), dim) float32 of the pictures `rows` of images (N, H, W, C) uint8, which may be
    memory-mapped."""
    parts = [np.zeros((0, model.config["dim"]), dtype=np.float32)]
    for i in range(0, len(rows), batch_size):
        pictures = torch.from_numpy(np.asarray(images[rows[i : i + batch_size]]))
        parts.append(model.embed_images(model.prepare(pictures.to(model.mean.device))).float().cpu().numpy())
    return np.concatenate(parts)


@torch.no_grad()
def embed_texts(model: DualEncoder, tokens: np.ndarray, lengths: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Unit rows (n, dim) float32 of encoded texts: tokens (n, L) and lengths (n,), as Vocabulary.encode gives."""
    parts = [np.zeros((0, model.config["dim"]), dtype=np.float32)]
    for i in range(0, len(tokens), batch_size):
        part = lengths[i : i + batch_size]
        words = torch.from_numpy(tokens[i : i + batch_size, : part.max()]).long().to(model.mean.device)
        counts = torch.from_numpy(part).long().to(model.mean.device)
        parts.append(model.embed_texts(words, counts).float().cpu().numpy())
    return np.concatenate(parts)
