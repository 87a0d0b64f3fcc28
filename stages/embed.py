"""Embed the pictures and texts of the held-out splits with a trained model, and predict the classes of pictures."""

from pathlib import Path

import numpy as np
import torch

from kith import models
from kith.errors import KithError
from kith.rows.embedded import SharedEmbedding
from kith.store.encoded import encoded_sides, prove_encoded
from kith.store.inputs import image_input, text_input
from kith.store.prepared import Prepared
from kith.store.provenance import note, parameters, proved
from stages import cli, files, params
from stages.params.inputs import NONE, named


def main(
    *,
    data: Path,
    model: Path,
    trained: Path,
    images: Path,
    texts: Path,
    rows: Path,
    scores: Path,
    embedded: Path,
    encoded_image: Path = Path(NONE),
    encoded_text: Path = Path(NONE),
    processes: cli.Processes = 1,
) -> None:
    """Write unit vectors of --images and --texts, the item row of each in --rows, and class --scores of pictures.

    --rows also says whether the vectors are meant as binary codes, which are their signs: those of the outputs.
    --embedded notes what they are made of. --processes: so many processes of this machine share the rows; what is
    written is the same. For pictures and texts of your own there is `kith embed`.
    """
    settings = params.load()
    options = settings.embed
    torch.set_num_threads(settings.train.threads)
    device = "cuda" if torch.cuda.is_available() and settings.train.device != "cpu" else "cpu"
    prepared = Prepared(data)
    made = proved(trained, [model], "train", data=prepared)
    params.prove_trained(made, settings, trained)
    made_with = made["files"][model.name]
    encoder, vocabulary, saved = models.load(model, device)
    chosen = _chosen(prepared, options.splits)
    encoded = encoded_sides(prepared, named(encoded_image), named(encoded_text))
    prove_encoded(encoded, encoder.config)
    pictures = image_input(prepared, encoded.get("image"))
    image_rows, image_items = pictures.all_of(chosen)
    name = f"embed with {model.parent.name}"
    embedding = SharedEmbedding(encoder, model, made_with, options.batch_size, processes, name)
    text_vectors, text_items = np.zeros((0, *encoder.shape), dtype=np.float32), np.zeros(0, dtype=np.int64)
    if encoder.text_tower is not None:
        written = text_input(prepared, vocabulary, saved["max_tokens"], encoded.get("text"))
        text_rows, text_items = written.all_of(chosen)
        text_vectors = embedding.texts(written, text_rows)
    image_vectors, predicted = embedding.images(pictures, image_rows)
    files.write_npy(images, image_vectors)
    files.write_npy(texts, text_vectors)
    coded = bool(encoder.config.get("codes"))
    files.write_npz(rows, image_rows=image_items, text_rows=text_items, codes=np.array(coded))
    files.write_npz(scores, **predicted)
    made_of = {"data": prepared.checksum, "model": made_with, "parameters": parameters(options.model_dump(mode="json"))}
    files.write_json(embedded, note([images, texts, rows, scores], **made_of))


def _chosen(data: Prepared, wanted: list[str] | None) -> np.ndarray:
    there = set(data.splits)
    missing = sorted(set(wanted or []) - there)
    if missing:
        raise KithError(f"params.yaml: embed.splits: no items in {missing} (there: {sorted(there)})")
    return data.rows_of(*(wanted or data.held_out))


if __name__ == "__main__":
    cli.run(main)
