"""A run as a function of batches, as Ray Data and Spark call it: in another process, part by part."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kith
from kith.batches import BatchEmbedder
from kith.errors import KithError

RUN = Path("runs/shapes/infonce-0")


@pytest.fixture
def table(trained_study, monkeypatch) -> dict[str, np.ndarray]:
    """Columns of arrays, as batches are."""
    monkeypatch.chdir(trained_study)
    items = pd.read_parquet("shapes.parquet")[:10]
    title = items["texts"].str[0].to_numpy(dtype=object)
    return {"id": items["id"].to_numpy(), "image": items["image"].to_numpy(), "title": title}


def test_parts_that_others_embed_are_joined_by_their_ids(table):
    embedder = BatchEmbedder(RUN, image="image", text="title")
    whole = embedder(table)
    elsewhere = pickle.dumps(embedder)
    assert len(elsewhere) < 1000  # no model goes along
    parts = []
    for rows in (range(7, 10), range(3), range(3, 7)):  # they come as they are finished
        part = pickle.loads(elsewhere)({name: column[rows] for name, column in table.items()})
        parts.append(pd.DataFrame({name: list(column) for name, column in part.items()}))
    joined = pd.concat(parts).set_index("id").loc[table["id"]]
    for name in ("image_vector", "text_vector"):
        np.testing.assert_allclose(np.stack(list(joined[name])), whole[name], atol=1e-5)
    run = kith.load(RUN)
    np.testing.assert_array_equal(whole["image_vector"], run.embed_images(list(table["image"])))
    np.testing.assert_array_equal(whole["text_vector"], run.embed_texts(list(table["title"])))
    assert whole["id"] is table["id"]
    assert whole["text_vector"].dtype == np.float32


def test_an_empty_batch_has_no_vectors(table):
    empty = {name: column[:0] for name, column in table.items()}
    assert BatchEmbedder(RUN, text="title")(empty)["text_vector"].shape == (0, kith.load(RUN).dim)


def test_columns_are_named_and_there(table):
    with pytest.raises(KithError, match="name a column"):
        BatchEmbedder(RUN)
    with pytest.raises(KithError, match=r"no column caption \(there: id, image, title\)"):
        BatchEmbedder(RUN, text="caption")(table)
    with pytest.raises(KithError, match="a column text_vector already"):
        BatchEmbedder(RUN, text="title")(table | {"text_vector": table["id"]})
