"""Embed the pictures and texts of the held-out splits with a trained model, and predict the classes of pictures."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from kith import models
from kith.errors import KithError
from kith.models.embed import embed_and_score, embed_texts
from stages import cli, contract, files, params, views


def main(*, data: Path, model: Path, images: Path, texts: Path, rows: Path, scores: Path) -> None:
    """Write unit vectors of --images and --texts, the item row of each in --rows, and class --scores of pictures.

    --rows also says whether the vectors are meant as binary codes, which are their signs: those of the outputs.

    For pictures and texts of your own there is `kith embed`.
    """
    settings = params.load()
    options = settings.embed
    torch.set_num_threads(settings.train.threads)
    device = "cuda" if torch.cuda.is_available() and settings.train.device != "cpu" else "cpu"
    encoder, vocabulary, saved = models.load(model, device)
    items = contract.items(data)
    chosen = _chosen(items, options.splits)
    pictures = views.images(items, data)
    image_rows, image_items = pictures.all_of(chosen)
    text_vectors, text_items = np.zeros((0, encoder.dim), dtype=np.float32), np.zeros(0, dtype=np.int64)
    if encoder.text_tower is not None:
        written = views.texts(items, data, vocabulary, saved["max_tokens"])
        text_rows, text_items = written.all_of(chosen)
        text_vectors = embed_texts(encoder, written, text_rows, options.batch_size)
    image_vectors, predicted = embed_and_score(encoder, pictures, image_rows, options.batch_size)
    files.write_npy(images, image_vectors)
    files.write_npy(texts, text_vectors)
    coded = bool(encoder.config.get("codes"))
    files.write_npz(rows, image_rows=image_items, text_rows=text_items, codes=np.array(coded))
    files.write_npz(scores, **predicted)


def _chosen(items: pd.DataFrame, wanted: list[str] | None) -> np.ndarray:
    splits = wanted or contract.held_out_splits(items)
    missing = sorted(set(splits) - set(items["split"]))
    if missing:
        raise KithError(f"params.yaml: embed.splits: no items in {missing} (there: {sorted(set(items['split']))})")
    return np.flatnonzero(items["split"].isin(splits).to_numpy())


if __name__ == "__main__":
    cli.run(main)
