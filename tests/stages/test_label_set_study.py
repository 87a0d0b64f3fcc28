"""A study of pictures with several labels each, through every stage: from a table to codes, figures and a page."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from kith import models
from kith.codes import sign_codes
from kith.data.label_sets import label_sets
from kith.errors import KithError
from kith.inference.predict import predict_images
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.label_sets import class_precision, shared_hamming, shared_retrieval
from kith.search.shown import ShownItems
from kith.store.prepared import Prepared
from stages import class_embedding, compare, export, fetch, neighbors, params, prepare, report, taxonomy, text, train
from stages.checks.study import faults
from tests.made_params import write_params
from tests.stages.test_train_stage import DATA, INPUTS, edit, outputs
from tests.stages.tracking.test_tracking import complete, run_method

CODES = {"train": {"dim": 12, "sampler": "shuffled"}}
METHODS = {
    "dpsh": {"preset": "dpsh", **CODES},
    "csq": {"preset": "csq", "train": {"dim": 12}},
    "label_classifier": {},
    "batch_hard": {"preset": "batch_hard", "train": {"sampler": "shuffled", "select": "map"}},
}


@pytest.fixture
def labelled(study) -> Path:
    """Coloured shapes, whose labels are colour and shape, prepared in place of those with one label."""
    table = pd.read_parquet("shapes.parquet")
    table["tags"] = [name.replace("-", " | ").rpartition(" | ")[0] for name in table["id"]]
    table.loc[table["id"].str.endswith("-0"), "tags"] = ""  # a tenth, for training, is without
    table.drop(columns=["shape", "texts"]).to_parquet("tagged.parquet")
    content = yaml.safe_load(Path("params.yaml").read_text())
    columns = {"id": "id", "image": "image", "texts": [], "labels": ["tags"], "separator": "|", "split": "split"}
    content["fetch"] = {"source": "table", "path": "tagged.parquet", "columns": columns}
    content |= {"text": {"backend": "none"}, "methods": METHODS}
    content["study"]["methods"] = list(METHODS)
    content["train"] |= {"epochs": 8, "lr": 0.01, "text": {}}
    content["evaluate"] |= {"precision_ks": [1, 10, 500], "hamming_topk": 5}
    write_params(content)
    stages()
    return study


def stages() -> None:
    fetch.main(out=Path("data/shapes/raw"))
    prepare.main(raw=Path("data/shapes/raw"), out=DATA["data"])
    text.main(**DATA, out=Path("data/shapes/text"))
    neighbors.main(**DATA, text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))
    class_embedding.main(
        taxonomy=Path("data/shapes/taxonomy"), text=Path("data/shapes/text"), out=Path("data/shapes/class_embedding")
    )


def entry(run: Path, split: str = "test") -> dict:
    return json.loads((run / "metrics.json").read_text())["splits"][split]


def figures(run: Path, split: str = "test") -> dict[str, float]:
    return {name: each["value"] for name, each in entry(run, split)["metrics"].items()}


def embedded(run: Path, *splits: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of the pictures of some splits, which labels they have, and their places among all embedded ones."""
    items = pd.read_parquet(DATA["data"] / "items.parquet")
    sets = label_sets([list(each) for each in items["labels"]])[1]
    with np.load(run / "embedding_rows.npz") as rows:
        places = rows["image_rows"]
    chosen = np.flatnonzero(items["split"].isin(splits).to_numpy()[places] & sets.any(axis=1)[places])
    return np.load(run / "embeddings_image.npy")[chosen], sets[places[chosen]], chosen


def test_from_a_table_to_a_page(labelled, capsys):
    items = pd.read_parquet(DATA["data"] / "items.parquet")
    assert items["labels"].iloc[1].tolist() == items["id"].iloc[1].split("-")[:2] or not len(items["labels"].iloc[1])
    assert set(items["label"]) == {-1}
    described = json.loads((DATA["data"] / "dataset.json").read_text())
    classes = pd.read_parquet("data/shapes/taxonomy/classes.parquet")["label_name"].tolist()
    assert described["labels"] == len(classes) > 8
    assert not faults(params.load())
    runs = {method: run_method(method) for method in METHODS}
    history = pd.read_parquet(runs["dpsh"] / "history.parquet")
    assert {"val_map", "val_mrr", "val_loss"} <= set(history)
    assert history["train_active"].isna().all() if "train_active" in history else True

    for method, run in runs.items():
        found, (vectors, sets, places) = figures(run), embedded(run, "test")
        wanted = shared_retrieval(vectors, sets, ks=(1, 10))
        for name in ("map", "mrr", "WAP", "ACG@10", "NDCG@10", "precision@10"):
            assert found[f"shared/{name}"] == pytest.approx(np.nanmean(wanted[name]), abs=1e-6), name
        assert found["shared/R@1"] == pytest.approx(100 * np.nanmean(wanted["R@1"]), abs=1e-4)
        assert not any(name.startswith(("image_to_image", "database")) or name.endswith("@500") for name in found)
        assert found["shared/map"] > entry(run)["chance"]["shared/map"] + 0.1, method
        assert ("hamming/map" in found) == (method in ("dpsh", "csq"))
        if "hamming/map" in found:
            codes = sign_codes(vectors)
            plain = hamming_retrieval(codes, codes, sets, sets, ks=(1, 10), exclude_self=True)
            graded = shared_hamming(codes, codes, sets, sets, (1, 10), exclude_self=True)
            for name in ("map", "precision@10", "precision_radius2"):
                assert found[f"hamming/{name}"] == pytest.approx(plain[name], abs=1e-6), name
            for name in ("WAP", "ACG@10", "NDCG@10"):
                assert found[f"hamming/{name}"] == pytest.approx(np.nanmean(graded[name]), abs=1e-6), name
            queries = pd.read_parquet(run / "queries.parquet").query("split == 'test'")
            np.testing.assert_allclose(queries["hamming_ap"], plain["per_query"]["map"])
            np.testing.assert_allclose(queries["average_precision"], wanted["map"])
        else:
            with np.load(run / "class_scores.npz") as scores:
                kept = dict(scores)
            assert ("classifier" in kept) == (method == "label_classifier")
            for each in kept.values():
                mean = np.nanmean(class_precision(each[places], sets))
                assert found["classifier/label_map"] == pytest.approx(mean, abs=1e-6)
                assert mean > 0.5

    page = pages()
    board = pd.read_csv("reports/shapes/leaderboard.csv").query("split == 'test'").set_index("method")
    assert (board["shared low"] < board["shared/map"]).all()
    assert board["shared p"].isna().sum() == 1
    assert "## Pictures by shared labels" in page
    assert "| split | method | bits | mAP | mAP@5 | P@10 | P@radius 2 | WAP | nDCG@1 | nDCG@10 | p |" in page
    assert "those that share a label among the others of its split" in page
    assert "mAP of labels" in page[page.index("## Predicted classes") :]
    assert "Pictures by shared labels" not in page[: page.index("## Pictures by shared labels")]
    shown = Path("reports/shapes/report.html").read_text()
    assert "pictures find pictures that share a label" in shown
    assert Path("reports/shapes/figures/gallery_image_to_image.png").exists()
    summary = json.loads(Path("reports/shapes/metrics/dpsh.json").read_text())
    assert summary["mAP shared"] == pytest.approx(board.loc["dpsh", "shared/map"], abs=1e-4)


def pages() -> str:
    out = Path("reports/shapes")
    data = {**DATA, "neighbors": Path("data/shapes/neighbors"), "runs": Path("runs/shapes")}
    compare.main(**data, out=out)
    report.main(
        **data, taxonomy=Path("data/shapes/taxonomy"), compared=out, figures=out / "figures", page=out / "report.html"
    )
    return (out / "leaderboard.md").read_text()


def test_the_database_of_training_pictures(labelled):
    edit(study={"methods": ["dpsh"]}, embed={"splits": ["train", "val", "test"]})
    edit(evaluate={"database": "train", "precision_ks": [10]}, train={"epochs": 2})
    run = run_method("dpsh")
    found, (vectors, sets, _), (others, known, _) = figures(run), embedded(run, "test"), embedded(run, "train", "val")
    wanted = shared_retrieval(vectors, sets, others, known, (10,))
    for name in ("map", "WAP", "NDCG@10", "ACG@10", "precision@10"):
        assert found[f"database/{name}"] == pytest.approx(np.nanmean(wanted[name]), abs=1e-6), name
    assert "database/knn_accuracy" not in found
    codes = sign_codes(vectors), sign_codes(others)
    assert found["hamming/map"] == pytest.approx(hamming_retrieval(*codes, sets, known)["map"], abs=1e-6)
    graded = shared_hamming(*codes, sets, known, (10,))
    assert found["hamming/NDCG@10"] == pytest.approx(np.nanmean(graded["NDCG@10"]), abs=1e-6)
    assert "## Training pictures by pictures" in pages()


def test_what_a_model_says_of_a_picture(labelled, tmp_path):
    edit(study={"methods": ["label_classifier"]}, train={"epochs": 2})
    run = run_method("label_classifier")
    model = models.load(run / "model.pt")[0].eval()
    pictures = np.load(DATA["data"] / "images.npy")[:3]
    predicted = predict_images(model, pictures, top=20)
    logits = model.class_scores(model.encode_images(model.prepare(torch.from_numpy(pictures))))
    chances = logits["classifier"].sigmoid().detach().numpy()
    np.testing.assert_allclose(predicted["probability"], -np.sort(-chances, axis=1), atol=1e-6)
    row = int(np.flatnonzero([len(each) for each in Prepared(DATA["data"]).table["labels"]])[0])
    shown = ShownItems(Prepared(DATA["data"])).describe(row)
    assert shown["label"] == ", ".join(shown["id"].split("-")[:2])
    export.main(run=run, out=tmp_path / "out", format="parquet")
    written = pd.read_parquet(tmp_path / "out" / "image_vectors.parquet").set_index("id")
    assert written.loc[shown["id"] if shown["id"] in written.index else written.index[0], "labels"].tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"methods": {"dpsh": {"preset": "dpsh"}}},
            "methods.dpsh.train.sampler: balanced needs items of one label each, and these have several; set it to "
            "shuffled",
        ),
        (
            {"methods": {"dpsh": {"preset": "hierarchy_ce"}}},
            "methods.dpsh.losses.cross_entropy: needs items of one label each, and these have several; take a loss of "
            "pairs, such as dpsh, or binary_cross_entropy",
        ),
        (
            {"methods": {"dpsh": {"losses": {"triplet": {"bank": 8}}}}},
            "methods.dpsh.losses.triplet: needs items of one",
        ),
        ({"train": {"select": "ahp"}}, "methods.dpsh.train.select: ahp needs items of one label each"),
        ({"evaluate": {"svm": True}}, "evaluate.svm: needs items of one label each"),
        ({"evaluate": {"metric_learning": True}}, "evaluate.metric_learning: needs items of one label each"),
    ],
    ids=["sampler", "loss", "bank", "select", "svm", "metric_learning"],
)
def test_a_study_that_needs_one_label_is_refused_before_it_runs(labelled, change, said):
    edit(study={"methods": ["dpsh"]})
    edit(**change)
    assert any(said in f"{each.key}: {each.message}" for each in faults(params.load()))


def test_what_slips_through_is_refused_when_it_runs(labelled):
    edit(study={"methods": ["dpsh"]}, methods={"dpsh": {"losses": {"npairs": {}}}})
    with pytest.raises(KithError, match="method dpsh: 'npairs' need pictures of one label each"):
        train.main(method="dpsh", seed=0, **INPUTS, **outputs("dpsh-0"))
    edit(methods={"dpsh": {"preset": "dpsh"}})
    with pytest.raises(KithError, match=r"train\.sampler: balanced is for items of one label each; take shuffled"):
        train.main(method="dpsh", seed=0, **INPUTS, **outputs("dpsh-0"))
    edit(methods={"dpsh": METHODS["dpsh"]}, train={"epochs": 1})
    run_method("dpsh")
    edit(evaluate={"metric_learning": True})
    with pytest.raises(KithError, match=r"evaluate\.metric_learning needs items of one label each"):
        complete(Path("runs/shapes/dpsh-0"), "dpsh")


def test_map_is_for_several_labels(study):
    edit(study={"methods": ["classifier"]}, methods={"classifier": {"train": {"select": "map"}}})
    said = [f"{each.key}: {each.message}" for each in faults(params.load())]
    assert any("methods.classifier.train.select: map is of items with several labels each" in each for each in said)
    with pytest.raises(KithError, match=r"train\.select: map: there is no such figure of these data"):
        train.main(method="classifier", seed=0, **INPUTS, **outputs("classifier-0"))
