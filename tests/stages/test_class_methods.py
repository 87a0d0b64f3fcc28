"""Methods that learn from classes, through the real stages."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from kith import models
from kith.class_embedding import pickles as reference_pickle
from kith.errors import KithError
from stages import class_embedding, compare, params, report, taxonomy, train
from tests.made_notes import put_items, seal
from tests.stages.test_train_stage import DATA, INPUTS, edit, outputs
from tests.stages.tracking.test_tracking import complete, run_method

EDGES = {"bar": "line", "column": "line", "cross": "line", "square": "box", "frame": "box", "corner": "box"}


@pytest.fixture
def classes(study) -> Path:
    """The study of shapes with a taxonomy: lines and boxes."""
    edges = [("shape", "line"), ("shape", "box"), *((parent, child) for child, parent in EDGES.items())]
    table = pd.DataFrame([(parent, child, child) for parent, child in edges], columns=["parent", "child", "name"])
    table.to_parquet("data/shapes/prepared/taxonomy.parquet", index=False)
    seal(Path(), "shapes")
    taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))
    class_embedding.main(
        taxonomy=Path("data/shapes/taxonomy"), text=Path("data/shapes/text"), out=Path("data/shapes/class_embedding")
    )
    return study


def metrics_of(run: Path, split: str = "test") -> dict[str, float]:
    figures = json.loads((run / "metrics.json").read_text())["splits"][split]["metrics"]
    return {name: figure["value"] for name, figure in figures.items()}


def test_the_taxonomy_says_how_near_classes_are(classes):
    known = pd.read_parquet("data/shapes/taxonomy/classes.parquet")
    assert list(known["label_name"]) == sorted(EDGES)
    with np.load("data/shapes/taxonomy/similarity.npz") as arrays:
        lcsh = pd.DataFrame(arrays["lcsh"], known["label_name"], known["label_name"])
    assert lcsh.loc["bar", ["bar", "cross", "frame"]].tolist() == [1, 0.5, 0]
    embedded = np.load("data/shapes/class_embedding/embedding.npy")
    np.testing.assert_allclose(embedded @ embedded.T, lcsh, atol=1e-12)
    assert not Path("data/shapes/taxonomy/taxonomy.png").exists()  # drawn by the report


def test_classes_without_common_root_get_one(classes):
    table = pd.read_parquet("data/shapes/prepared/taxonomy.parquet")
    table[table["parent"] != "shape"].to_parquet("data/shapes/prepared/taxonomy.parquet", index=False)
    seal(Path(), "shapes")
    taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))
    with np.load("data/shapes/taxonomy/similarity.npz") as arrays:
        assert set(np.unique(arrays["lcsh"])) == {0.0, 0.5, 1.0}


def test_a_class_that_the_taxonomy_lacks_is_named(classes):
    table = pd.read_parquet("data/shapes/prepared/taxonomy.parquet")
    table[table["child"] != "frame"].to_parquet("data/shapes/prepared/taxonomy.parquet", index=False)
    seal(Path(), "shapes")
    with pytest.raises(KithError, match=r"taxonomy\.parquet: .*frame"):
        taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))


def test_without_labels_there_is_nothing_to_embed(classes):
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    put_items(items.assign(label=-1, label_name=""), Path(), "shapes")
    taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))
    class_embedding.main(
        taxonomy=Path("data/shapes/taxonomy"), text=Path("data/shapes/text"), out=Path("data/shapes/class_embedding")
    )
    assert np.load("data/shapes/class_embedding/embedding.npy").shape == (0, 0)
    with pytest.raises(KithError, match="split 'train' has 0 items with a picture and a label"):
        edit(methods={"classifier": {}})
        train.main(method="classifier", seed=0, **INPUTS, **outputs("classifier-0"))


LEARNED = ["classifier", "hierarchy_ce", "cosine", "label_embedding", "center", "devise"]
LEARNED += ["soft_labels", "hierarchical_cross_entropy"]


def test_from_classes_to_a_report(classes, capsys):
    changes = {"devise": {"targets": "hierarchy", "train": {"optimizer": "adagrad"}}}
    edit(
        study={"methods": [*LEARNED, "infonce"]},
        methods={name: changes.get(name, {}) for name in LEARNED},
        train={"epochs": 6},
        evaluate={"precision_ks": [1, 5]},
    )
    runs = {method: run_method(method) for method in [*LEARNED, "infonce"]}
    for method in LEARNED:
        figures = metrics_of(runs[method])
        # Six classes of four pictures: chance is an accuracy of 17 %.
        chance = json.loads((runs[method] / "metrics.json").read_text())["splits"]["test"]["chance"]
        assert figures["image_to_image/AHP@250"] > chance["image_to_image/AHP@250"] + 0.05, method
        way = "nearest" if method in ("cosine", "devise") else "classifier"
        assert figures[f"{way}/accuracy"] > 30, method
        assert not any(name.startswith("text_to_image") for name in figures)
    assert "image_to_image/AHP@250" in metrics_of(runs["infonce"])
    history = pd.read_parquet(runs["hierarchy_ce"] / "history.parquet")
    assert {"val_ahp", "val_accuracy", "val_mrr", "train_mrr", "train_class_embedding"} <= set(history)
    # What the best epoch reached is what evaluation finds again.
    assert metrics_of(runs["hierarchy_ce"], "val")["image_to_image/AHP@250"] == pytest.approx(
        history["val_ahp"].max(), abs=0.02
    )

    out, data = (
        Path("reports/shapes"),
        {**DATA, "neighbors": Path("data/shapes/neighbors"), "runs": Path("runs/shapes")},
    )
    compare.main(**data, out=out)
    report.main(
        **data, taxonomy=Path("data/shapes/taxonomy"), compared=out, figures=out / "figures", page=out / "report.html"
    )
    board = pd.read_csv(out / "leaderboard.csv").query("split == 'test'").set_index("method")
    assert board.index[0] == "infonce"  # the only one that answers texts
    assert board.loc[LEARNED, "mean/mrr"].isna().all()
    assert (board["ahp low"] <= board["image_to_image/AHP@250"]).all()
    page = (out / "leaderboard.md").read_text()
    assert "## Pictures by pictures" in page
    assert "| hierarchy_ce | nearest class embedding |" in page
    assert "nan" not in page
    drawn = {path.name for path in (out / "figures").iterdir()}
    assert {"hierarchical_precision.png", "ahp.png", "gallery_image_to_image.png", "taxonomy.png"} <= drawn

    mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    found = mlflow.search_runs(experiment_names=["shapes"], filter_string="tags.method = 'classifier'")
    model = mlflow.pyfunc.load_model(f"runs:/{found['run_id'].item()}/model")
    pictures = pd.read_parquet("shapes.parquet")["image"][:3]
    assert model.predict(pd.DataFrame({"image": pictures})).shape == (3, 256)  # 4 × 4 × 16 channels


def test_pictures_alone_make_a_leaderboard(classes):
    edit(study={"methods": ["hierarchy", "cosine"]}, methods={"hierarchy": {}, "cosine": {}}, train={"epochs": 2})
    for method in ("hierarchy", "cosine"):
        run_method(method)
    out, data = (
        Path("reports/shapes"),
        {**DATA, "neighbors": Path("data/shapes/neighbors"), "runs": Path("runs/shapes")},
    )
    compare.main(**data, out=out)
    report.main(
        **data, taxonomy=Path("data/shapes/taxonomy"), compared=out, figures=out / "figures", page=out / "report.html"
    )
    board = pd.read_csv(out / "leaderboard.csv")
    assert "mean/mrr" not in board
    best = board.iloc[0]
    assert best["image_to_image/AHP@250"] == board.query("split == 'test'")["image_to_image/AHP@250"].max()
    page = (out / "report.html").read_text()
    assert f"pictures find pictures of near classes first with <b>{best['method']}</b>" in page
    assert "texts find pictures" not in page


def test_training_starts_from_another_model_with_the_head_alone(classes):
    edit(methods={"classifier": {}, "again": {"preset": "hierarchy"}}, train={"epochs": 2})
    run = run_method("classifier")
    first = models.load(run / "model.pt")[0].state_dict()
    edit(
        methods={
            "again": {"preset": "hierarchy", "train": {"start": str(run / "model.pt"), "head_epochs": 1, "epochs": 1}}
        }
    )
    train.main(method="again", seed=0, **INPUTS, **outputs("again-0"))
    second = models.load(Path("runs/shapes/again-0/model.pt"))[0].state_dict()
    weights = [name for name in first if name.startswith("image_tower") and name.endswith(("weight", "bias"))]
    assert all(torch.equal(first[name], second[name]) for name in weights)
    edit(
        methods={
            "again": {"preset": "hierarchy", "train": {"start": str(run / "model.pt"), "image": {"tower": "resnet"}}}
        }
    )
    with pytest.raises(KithError, match="none of its image tower fits"):
        train.main(method="again", seed=0, **INPUTS, **outputs("again-0"))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"preset": "infonce", "train": {"head": "none"}}, "train.head: none is for methods that look at pictures"),
        ({"preset": "infonce", "train": {"select": "ahp"}}, "train.select: ahp needs a loss of classes"),
        ({"preset": "classifier", "train": {"projection": {"kind": "learned"}}}, "needs a loss of pictures and texts"),
        ({"preset": "classifier", "losses": {"cross_entropy": {"smoothing": 1.5}}}, "smoothing"),
    ],
)
def test_parts_that_do_not_fit_are_named(study, method, said):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["methods"]["odd"] = method
    with pytest.raises(KithError, match=said):
        params.check(content)


def test_word_vectors_of_class_names(classes):
    edit(class_embedding={"words": "text"}, methods={"devise": {}}, train={"epochs": 1})
    class_embedding.main(
        taxonomy=Path("data/shapes/taxonomy"), text=Path("data/shapes/text"), out=Path("data/shapes/class_embedding")
    )
    words = np.load("data/shapes/class_embedding/words.npy")
    assert words.shape == (6, 12)
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), 1)
    train.main(method="devise", seed=0, **INPUTS, **outputs("devise-0"))
    edit(class_embedding={"words": None})
    class_embedding.main(
        taxonomy=Path("data/shapes/taxonomy"), text=Path("data/shapes/text"), out=Path("data/shapes/class_embedding")
    )
    with pytest.raises(KithError, match=r"words\.npy: no such file"):
        train.main(method="devise", seed=0, **INPUTS, **outputs("devise-0"))


def test_embeddings_of_the_published_program_come_in_and_go_out(classes):
    """What is written is what is read, by label and in whatever order."""
    written = reference_pickle.read("data/shapes/class_embedding/embedding.pickle")
    assert written.labels == sorted(EDGES)
    np.testing.assert_array_equal(written.embedding, np.load("data/shapes/class_embedding/embedding.npy"))
    turned = np.random.default_rng(0).normal(size=(7, 4))
    reference_pickle.write("other.pickle", turned, [*written.labels[::-1], "unused"])
    edit(class_embedding={"file": "other.pickle"})
    places = {
        "taxonomy": Path("data/shapes/taxonomy"),
        "text": Path("data/shapes/text"),
        "out": Path("data/shapes/class_embedding"),
    }
    class_embedding.main(**places)
    np.testing.assert_array_equal(np.load("data/shapes/class_embedding/embedding.npy"), turned[5::-1])
    edit(class_embedding={"normalize": True})
    class_embedding.main(**places)
    unit = turned[5::-1] / np.linalg.norm(turned[5::-1], axis=1, keepdims=True)
    np.testing.assert_allclose(np.load("data/shapes/class_embedding/embedding.npy"), unit)
    edit(class_embedding={"file": None, "method": "spheres"})
    class_embedding.main(**places)
    lengths = np.linalg.norm(np.load("data/shapes/class_embedding/embedding.npy"), axis=1)
    np.testing.assert_allclose(lengths, [0, 1, 1, 1, 1, 1])  # spheres has its first class at the origin
    edit(class_embedding={"file": "other.pickle", "method": "unitsphere", "normalize": False})
    reference_pickle.write("other.pickle", turned[:5], written.labels[:5])
    with pytest.raises(KithError, match=r"other\.pickle: has no embedding of 'square'"):
        class_embedding.main(**places)


def test_centres_may_be_class_embeddings(classes):
    fixed = {"losses": {"cross_entropy": {}, "center": {"learned": False}}, "train": {"epochs": 1}}
    edit(methods={"fixed": fixed})
    train.main(method="fixed", seed=0, **INPUTS, **outputs("fixed-0"))
    assert models.load(Path("runs/shapes/fixed-0/model.pt"))[0].targets.shape == (6, 6)


def test_classes_predicted_by_a_linear_svm(classes):
    edit(methods={"cosine": {}}, train={"epochs": 4}, evaluate={"svm": True, "precision_ks": [1], "top_k": 2})
    with pytest.raises(KithError, match=r"evaluate\.svm needs the training pictures: name train in embed\.splits"):
        run_method("cosine")
    edit(embed={"splits": ["train", "val", "test"]})
    complete(Path("runs/shapes/cosine-0"), "cosine")
    figures = metrics_of(Path("runs/shapes/cosine-0"))
    # Six classes: chance is 17 %.
    assert figures["svm/accuracy"] > 30
    assert figures["svm/balanced_accuracy"] == pytest.approx(figures["svm/accuracy"])  # four pictures of each
    assert figures["svm/top2_accuracy"] >= figures["svm/accuracy"]


def test_whole_numbers_are_the_labels_of_the_pickle_as_numbers():
    """The published program looks classes up by what its data have."""
    numbers = pd.DataFrame({"label": [3, 12], "label_name": ["3", "12"]})
    assert class_embedding._labels(numbers) == [3, 12]
    assert class_embedding._labels(numbers.assign(label_name=["03", "12"])) == ["03", "12"]
