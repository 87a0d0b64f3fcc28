"""Files of a study that a disk or a hand has damaged: each is one line that names the file, wherever it is read."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import kith
from kith import models
from kith.errors import KithError
from kith.models.dual_encoder import DualEncoder
from kith.models.image import load_weights
from kith.networks.resnet import ResNet
from kith.store import provenance
from kith.store.classes import Classes, class_vectors
from kith.store.photos import pictures
from kith.store.prepared import Prepared
from kith.store.run import EmbeddingFiles, read_embeddings, read_scores
from kith.store.semantic import neighbor_table, semantic_vectors, word_vectors
from stages import evolution, export, files, predict, report
from tests.made_notes import seal

DATA, RUN = Path("data/shapes"), Path("runs/shapes/hierarchy_ce-0")


@pytest.fixture
def there(trained_study, tmp_path, monkeypatch) -> Path:
    shutil.copytree(trained_study, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path


def damaged(content: bytes, how: str) -> bytes:
    return {"empty": b"", "half": content[: len(content) // 2], "junk": b"junk " * 99, "deep": b"[" * 99_999}[how]


def data() -> Prepared:
    return Prepared(DATA / "prepared")


def scores() -> dict[str, np.ndarray]:
    written = EmbeddingFiles.of(RUN)
    return read_scores(written, read_embeddings(written, data()))


READ: dict[Path, Callable[[], object]] = {
    DATA / "prepared/dataset.json": data,
    DATA / "prepared/items.parquet": data,
    DATA / "prepared/images.npy": lambda: pictures(data()),
    DATA / "prepared/taxonomy.parquet": lambda: data().taxonomy,
    DATA / "text/vectors.npy": lambda: semantic_vectors(DATA / "text", data()),
    DATA / "text/word_vectors.parquet": lambda: word_vectors(DATA / "text", data()),
    DATA / "neighbors/neighbors.parquet": lambda: neighbor_table(DATA / "neighbors", data()),
    DATA / "taxonomy/classes.parquet": lambda: Classes(DATA / "taxonomy", None),
    DATA / "taxonomy/similarity.npz": lambda: Classes(DATA / "taxonomy", None).similarity("lcsh"),
    DATA / "class_embedding/embedding.npy": lambda: class_vectors(DATA / "class_embedding", "embedding.npy", data()),
    RUN / "model.pt": lambda: models.load(RUN / "model.pt"),
    RUN / "trained.json": lambda: models.load(RUN / "model.pt"),
    RUN / "embedded.json": scores,
    RUN / "embedding_rows.npz": scores,
    RUN / "embeddings_image.npy": scores,
    RUN / "class_scores.npz": scores,
    RUN / "history.parquet": lambda: evolution.read(RUN, "a-0", "mrr"),
}


@pytest.mark.parametrize("how", ["empty", "half", "junk", "deep"])
def test_a_file_that_cannot_be_read_is_named(there, how):
    for path, read in READ.items():
        kept = path.read_bytes()
        path.write_bytes(damaged(kept, how))
        if path.suffix != ".json":
            seal(Path(), "shapes")  # as if the stage had written it so
        with pytest.raises(KithError, match=path.name) as told:
            read()
        assert "cannot be read" in str(told.value), path
        assert "again" in str(told.value), path
        assert "\n" not in str(told.value), path
        path.write_bytes(kept)
        seal(Path(), "shapes")
        read()


def test_a_model_is_proved_wherever_it_is_used(there):
    model = RUN / "model.pt"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1  # in its numbers: torch itself reads them all the same
    model.write_bytes(content)
    shutil.copy(model, there / "model.pt")
    models.load(there / "model.pt")
    pd.DataFrame({"text": ["a red bar"]}).to_csv("new.csv")
    for use in (
        lambda: kith.load(RUN),
        lambda: predict.main(run=RUN, input=Path("new.csv"), out=Path("new.parquet")),
        lambda: export.main(run=RUN, format="onnx", out=Path("graphs")),
    ):
        with pytest.raises(
            KithError, match=r"model\.pt: is not the file that the train stage noted in .*trained\.json"
        ):
            use()


def saved(path: Path, change: Callable[[dict], object]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content["state"].popitem(), r"model\.pt: cannot be read \(.*Missing key"),
        (lambda content: content.pop("state"), r"model\.pt: cannot be read \('state'\)"),
        (lambda content: content["config"]["image"].update(sizd=3), r"model\.pt: cannot be read \(.*sizd"),
        (
            lambda content: next(iter(content["state"].values())).fill_(np.nan),
            r"model\.pt: '.*' holds numbers that are",
        ),
    ],
)
def test_a_model_whose_content_does_not_fit_is_one_line(there, change, told):
    saved(RUN / "model.pt", change)
    seal(Path(), "shapes")
    with pytest.raises(KithError, match=told) as error:
        kith.load(RUN)
    assert "\n" not in str(error.value)


def test_numbers_that_are_not_finite_are_refused_where_they_are_read(there):
    vectors = np.load(DATA / "text/vectors.npy")
    vectors[3, 1] = np.nan
    np.save(DATA / "text/vectors.npy", vectors)
    with np.load(RUN / "class_scores.npz") as arrays:
        known = dict(arrays)
    next(iter(known.values()))[2, 0] = np.inf
    files.write_npz(RUN / "class_scores.npz", **known)
    seal(Path(), "shapes")
    with pytest.raises(KithError, match=r"vectors\.npy: row 3 is not finite; run the text stage again"):
        semantic_vectors(DATA / "text", data())
    with pytest.raises(KithError, match=r"class_scores\.npz: .*: row 2 is not finite; train again"):
        scores()


def test_rows_of_any_shape_are_looked_through():
    rows = np.zeros((provenance.ROWS + 5, 2, 3), np.float16)
    assert provenance.not_finite(rows) is None
    rows[provenance.ROWS + 2, 1, 2] = -np.inf
    assert provenance.not_finite(rows) == provenance.ROWS + 2
    assert provenance.not_finite(np.zeros((3, 0))) is None
    assert provenance.not_finite(np.array([0.0, np.nan])) == 1


@pytest.mark.parametrize("how", ["empty", "half", "junk", "deep"])
def test_weights_that_cannot_be_read_are_named(tmp_path, how):
    path = tmp_path / "resnet.pth"
    torch.save({"conv1.weight": torch.zeros(64)}, path)
    path.write_bytes(damaged(path.read_bytes(), how))
    with pytest.raises(KithError, match=r"resnet\.pth: cannot be read .*train\.image\.weights takes a state dict"):
        load_weights(ResNet(3, 32, 18, 8), str(path))


def test_weights_that_are_no_state_dict_are_named(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(KithError, match=r"list\.pth: is no state dict"):
        load_weights(ResNet(3, 32, 18, 8), str(tmp_path / "list.pth"))


@pytest.mark.parametrize(
    "content", ["", "\0\0", '"', "split,method,seeds\n", "split,method,seeds,mean/mrr\ntest,a,1,x\n"]
)
def test_a_leaderboard_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "leaderboard.csv"
    path.write_text(content)
    with pytest.raises(KithError, match=r"leaderboard\.csv: .*dvc repro -f compare"):
        report.read_leaderboard(path)


def test_a_history_of_another_training_is_not_drawn(there):
    shutil.copy("runs/shapes/infonce-0/history.parquet", RUN)
    with pytest.raises(KithError, match=r"history\.parquet: is not the file that the train stage noted"):
        evolution.read(RUN, "a-0", "mrr")


def test_a_model_that_lacks_memory_is_not_called_damaged(there, monkeypatch):
    def none(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(DualEncoder, "__init__", none)
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        models.load(RUN / "model.pt")
