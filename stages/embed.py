"""Embed the pictures and texts of the held-out splits with a trained model."""

from pathlib import Path

import numpy as np
import torch

from kith import models
from kith.errors import KithError
from kith.models.embed import embed_images, embed_texts
from stages import cli, contract, files, params, views


def main(*, data: Path, model: Path, images: Path, texts: Path, rows: Path) -> None:
    """Write unit vectors of --images and --texts, and the item row of each in --rows."""
    settings = params.load()
    options = settings.embed
    torch.set_num_threads(settings.train.threads)
    device = "cuda" if torch.cuda.is_available() and settings.train.device != "cpu" else "cpu"
    encoder, vocabulary, saved = models.load(model, device)
    items = contract.items(data)
    splits = options.splits or contract.held_out_splits(items)
    missing = sorted(set(splits) - set(items["split"]))
    if missing:
        raise KithError(f"params.yaml: embed.splits: no items in {missing} (there: {sorted(set(items['split']))})")
    chosen = np.flatnonzero(items["split"].isin(splits).to_numpy())
    pictures, written = views.images(items, data), views.texts(items, data, vocabulary, saved["max_tokens"])
    (image_rows, image_items), (text_rows, text_items) = pictures.all_of(chosen), written.all_of(chosen)
    image_vectors = embed_images(encoder, pictures, image_rows, options.batch_size)
    text_vectors = embed_texts(encoder, written, text_rows, options.batch_size)
    files.write_npy(images, image_vectors)
    files.write_npy(texts, text_vectors)
    with files.replacing(rows) as temporary, temporary.open("wb") as file:
        np.savez(file, image_rows=image_items, text_rows=text_items)


if __name__ == "__main__":
    cli.run(main)
