"""Binary codes through the real stages: from training to a report."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from kith import models, plots
from kith.codes import sign_codes
from kith.errors import KithError
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.metric_learning import cluster_agreement, database_precision, knn_predictions, self_retrieval
from kith.metrics.taxonomic import taxonomic_hamming, taxonomic_search
from kith.plots import hierarchy as hierarchy_plots
from kith.store.classes import Classes
from stages import compare, evaluate, params, report, taxonomy
from stages.evaluate import database_of
from tests.made_notes import evaluate_files, put_items
from tests.stages.test_class_methods import classes, metrics_of  # noqa: F401
from tests.stages.test_train_stage import DATA, MEANING, edit
from tests.stages.tracking.test_tracking import complete, run_method

CODED = {"codes": {"preset": "cosine", "train": {"codes": True}}, "bits": {"preset": "classifier"}}
CODED["bits"]["train"] = {"codes": True, "dim": 16, "head": "linear"}


def embedded(run: Path, *splits: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and class numbers of the pictures of some splits."""
    items = pd.read_parquet(DATA["data"] / "items.parquet")
    labels = Classes(MEANING["taxonomy"], None).numbers(items)
    with np.load(run / "embedding_rows.npz") as rows:
        places = rows["image_rows"]
    chosen = items["split"].isin(splits).to_numpy()[places]
    return np.load(run / "embeddings_image.npy")[chosen], labels[places[chosen]]


def entry(run: Path, split: str = "test") -> dict:
    return json.loads((run / "metrics.json").read_text())["splits"][split]


def again(method: str, seed: int = 0) -> None:
    """Evaluate what was embedded once more."""
    evaluate.main(method=method, seed=seed, **DATA, **MEANING, **evaluate_files(Path(f"runs/shapes/{method}-{seed}")))


def pages() -> Path:
    out, data = (
        Path("reports/shapes"),
        {**DATA, "neighbors": Path("data/shapes/neighbors"), "runs": Path("runs/shapes")},
    )
    compare.main(**data, out=out)
    report.main(
        **data, taxonomy=Path("data/shapes/taxonomy"), compared=out, figures=out / "figures", page=out / "report.html"
    )
    return out


def test_from_codes_to_a_report(classes):  # noqa: F811
    edit(
        study={"methods": ["codes", "bits", "classifier"]},
        methods=CODED | {"classifier": {}},
        train={"epochs": 6},
        evaluate={"precision_ks": [1, 5, 100], "hamming_topk": 5},
    )
    runs = {method: run_method(method) for method in ("codes", "bits", "classifier")}
    assert models.load(runs["bits"] / "model.pt")[0].config["codes"]
    assert not models.load(runs["classifier"] / "model.pt")[0].config["codes"]
    assert not any(name.startswith(("hamming", "database")) for name in metrics_of(runs["classifier"]))
    assert "by_radius" not in entry(runs["classifier"])
    for method, bits in (("codes", 6), ("bits", 16)):
        figures, (vectors, labels) = metrics_of(runs[method]), embedded(runs[method], "test")
        codes = sign_codes(vectors)
        assert figures["hamming/bits"] == codes.shape[1] == bits
        wanted = hamming_retrieval(codes, codes, labels, labels, ks=(1, 5), exclude_self=True)
        for name in ("map", "precision@1", "precision@5", "precision_radius2"):
            assert figures[f"hamming/{name}"] == pytest.approx(wanted[name], abs=1e-6), name
        five = hamming_retrieval(codes, codes, labels, labels, 5, exclude_self=True)["map"]
        assert figures["hamming/map@5"] == pytest.approx(five, abs=1e-6)
        assert "hamming/precision@100" not in figures  # there are not as many answers
        known = entry(runs[method])
        # Each looks for 3 of 23 others: 3/23 of any first answers are right.
        assert known["chance"]["hamming/precision@5"] == pytest.approx(3 / 23, abs=1e-6)
        # The coordinates of class embeddings are mostly positive: their signs tell little.
        assert method == "codes" or figures["hamming/map"] > known["chance"]["hamming/map"] + 0.1
        interval = known["metrics"]["hamming/map"]
        assert interval["low"] < interval["value"] < interval["high"]
        assert len(known["by_radius"]["precision"]) == bits + 1
        assert known["by_radius"]["recall"][-1] == 1
        queries = pd.read_parquet(runs[method] / "queries.parquet").query("split == 'test'")
        by_code = queries.query("direction == 'image_to_image'")["hamming_ap"]
        np.testing.assert_allclose(by_code, wanted["per_query"]["map"])

    out = pages()
    board = pd.read_csv(out / "leaderboard.csv").query("split == 'test'").set_index("method")
    coded = board.loc[["codes", "bits"]]
    assert (coded["hamming low"] < coded["hamming/map"]).all()
    assert (coded["hamming high"] > coded["hamming/map"]).all()
    assert coded["hamming p"].isna().sum() == 1  # the best
    assert np.isnan(board.loc["classifier", "hamming/map"])
    page = (out / "leaderboard.md").read_text()
    section = page[page.index("## Binary codes") :].split("\n\n")[2].splitlines()
    assert section[0] == "| split | method | bits | mAP | mAP@5 | P@5 | P@radius 2 | p | place | group |"
    assert len(section) == 2 + 2 * 3  # test and val: two methods, and chance
    assert not any("classifier" in line or "nan" in line for line in section)
    assert "Training pictures by pictures" not in page
    assert (out / "figures/codes.png").stat().st_size > 5000
    shown = (out / "report.html").read_text()
    assert "Binary codes by Hamming radius" in shown
    assert "P@radius 2" in shown
    assert json.loads((out / "metrics/bits.json").read_text())["mAP codes"] == round(
        board.loc["bits", "hamming/map"], 4
    )


def test_the_database_of_training_pictures(classes):  # noqa: F811
    edit(
        study={"methods": ["codes"]},
        methods=CODED,
        train={"epochs": 3},
        evaluate={"database": "train", "knn": 3, "precision_ks": [1, 10]},
    )
    with pytest.raises(KithError, match=r"evaluate\.database: train needs .* name train in embed\.splits"):
        run_method("codes")
    run = Path("runs/shapes/codes-0")
    edit(embed={"splits": ["train", "val", "test"]})
    complete(run, "codes")
    figures = metrics_of(run)
    (vectors, labels), (others, known) = embedded(run, "test"), embedded(run, "train", "val")
    wanted = hamming_retrieval(sign_codes(vectors), sign_codes(others), labels, known, ks=(10,))
    for name in ("map", "precision@10", "precision_radius2"):
        assert figures[f"hamming/{name}"] == pytest.approx(wanted[name], abs=1e-6)
    precision = database_precision(vectors, labels, others, known)
    assert figures["database/map"] == pytest.approx(precision.mean(), abs=1e-6)
    right = knn_predictions(others, known, 3, vectors) == labels
    assert figures["database/knn_accuracy"] == pytest.approx(100 * right.mean(), abs=1e-6)
    table = Classes(Path("data/shapes/taxonomy"), None).similarity("lcsh")
    graded = {
        "database": taxonomic_search(vectors, others, labels, known, table, (1, 10)),
        "hamming": taxonomic_hamming(sign_codes(vectors), sign_codes(others), labels, known, table, (1, 10)),
    }
    for family, values in graded.items():
        for name in ("HAP", "NDCG", "AHP", "HP@10", "hierarchical_distance@10"):
            assert figures[f"{family}_taxonomy/{name}"] == pytest.approx(values[name].mean(), abs=1e-6)
    assert "train" not in json.loads((run / "metrics.json").read_text())["splits"]
    page = (pages() / "leaderboard.md").read_text()
    assert "among the pictures that are not for testing by the Hamming distance" in page
    assert f"| test | codes | {figures['database/map']:.3f} | {figures['database/knn_accuracy']:.1f} |" in page


@pytest.mark.parametrize(("database", "found"), [("train", [0, 1, 3, 5]), ("rest", [3, 5])])
def test_training_pictures_may_be_left_out_of_the_database(database, found):
    splits = np.array(["train", "val", "test", "database", "database", "database"], dtype=object)
    vectors, labels = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, -1, 0])
    embeddings = SimpleNamespace(coded=True, image=SimpleNamespace(items=np.arange(6), vectors=vectors, several=False))
    options = params.Evaluate(database=database)
    made = database_of(SimpleNamespace(splits=splits), embeddings, labels, options)
    assert made.vectors[:, 0].tolist() == [2 * row for row in found]
    assert made.labels.tolist() == [int(labels[row]) for row in found]
    splits[3:] = "test"
    if database == "rest":
        with pytest.raises(KithError, match=r"rest needs pictures of the split database .* name database in embed"):
            database_of(SimpleNamespace(splits=splits), embeddings, labels, options)


def test_the_figures_of_metric_learning(classes):  # noqa: F811
    edit(study={"methods": ["codes", "classifier"]}, methods=CODED | {"classifier": {}}, train={"epochs": 2})
    edit(evaluate={"metric_learning": True})
    runs = {method: run_method(method) for method in ("codes", "classifier")}
    figures, (vectors, labels) = metrics_of(runs["codes"]), embedded(runs["codes"], "test")
    wanted = self_retrieval(vectors, labels, (1, 8))
    for name, scale in (("R@1", 100), ("R@8", 100), ("r_precision", 1), ("map@r", 1)):
        values = scale * wanted[name.replace("R@", "recall@")]
        assert figures[f"metric_learning/{name}"] == pytest.approx(values.mean(), abs=1e-6), name
    agreement = cluster_agreement(vectors, labels)
    assert figures["metric_learning/nmi"] == pytest.approx(agreement["nmi"], abs=1e-6)
    known = entry(runs["codes"])
    # Each looks for 3 of 23 others.
    assert known["chance"]["metric_learning/r_precision"] == pytest.approx(3 / 23, abs=1e-6)
    assert known["metrics"]["metric_learning/ami"]["low"] is None
    page = (pages() / "leaderboard.md").read_text()
    section = page[page.index("## Metric learning") :].split("\n\n")[2].splitlines()
    assert section[0] == "| split | method | R@1 | R@2 | R@4 | R@8 | R-precision | MAP@R | NMI | AMI |"
    assert len(section) == 2 + 2 * 3  # test and val: two methods, and chance
    assert section[-1].startswith("| val | chance | ")


def test_a_split_of_singletons_has_no_figures_of_metric_learning(classes):  # noqa: F811
    edit(methods=CODED, train={"epochs": 1}, evaluate={"metric_learning": True})
    run_method("codes")
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    repeated = items["split"].eq("test") & items.duplicated(["split", "label"])
    items.loc[repeated, "label"] = -1
    put_items(items, Path(), "shapes")
    again("codes")
    assert any(name.startswith("metric_learning/") for name in entry(Path("runs/shapes/codes-0"), "val")["metrics"])
    assert not any(
        name.startswith("metric_learning/") for name in entry(Path("runs/shapes/codes-0"), "test")["metrics"]
    )


def test_without_labels_there_is_no_hamming_figure(study):
    edit(methods={"infonce": {"train": {"codes": True}}}, train={"epochs": 1})
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    put_items(items.assign(label=-1, label_name=""), Path(), "shapes")
    taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))
    assert not any(name.startswith("hamming") for name in metrics_of(run_method()))


def test_a_picture_alone_in_its_class_is_left_out_of_intervals_and_tests(classes):  # noqa: F811
    edit(study={"methods": ["codes", "bits"], "seeds": [0, 1]}, methods=CODED, train={"epochs": 2})
    for method in ("codes", "bits"):
        run_method(method)
        shutil.copytree(f"runs/shapes/{method}-0", f"runs/shapes/{method}-1")  # as if the seed changed nothing
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    chosen = items.index[(items["split"] == "test") & (items["label_name"] == "frame")][1:]
    items.loc[chosen, "label"] = items.loc[items["label_name"] == "corner", "label"].iloc[0]
    put_items(items, Path(), "shapes")
    for method in ("codes", "bits"):
        for seed in (0, 1):
            again(method, seed)
    queries = pd.read_parquet("runs/shapes/bits-1/queries.parquet").query(
        "split == 'test' and direction == 'image_to_image'"
    )
    assert queries["hamming_ap"].isna().sum() == 1
    board = pd.read_csv(pages() / "leaderboard.csv").query("split == 'test'")
    assert (board["hamming low"] < board["hamming/map"]).all()
    assert (board["hamming high"] > board["hamming/map"]).all()
    assert (board["hamming/map sd"] == 0).all()
    assert board["hamming p"].isna().sum() == 1
    assert board["hamming/map"].max() == pytest.approx(queries["hamming_ap"].mean(), abs=1e-5)


def test_codes_need_a_last_layer(study):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["methods"]["odd"] = {"preset": "classifier", "train": {"codes": True, "head": "none"}}
    with pytest.raises(KithError, match=r"methods\.odd: train\.codes needs head: linear"):
        params.check(content)


def test_the_picture_of_many_methods_and_seeds():
    radius = np.arange(49)
    curves = [
        pd.DataFrame({"radius": radius, "recall": (radius / 48) ** (1 + i), "precision": 1 - radius / (60 + seed)})
        .assign(method=f"method {i}", seed=seed)
        .replace({"precision": {1.0: np.nan}})
        for i in range(3)
        for seed in range(2)
    ]
    figure = hierarchy_plots.radius_curves(pd.concat(curves))
    lines = figure.axes[0].get_lines()
    assert len(lines) == 3 * (1 + 2)
    assert len(lines[0].get_xdata()) == 48  # a radius with nothing inside is left out
    assert plots.png(figure)[:4] == b"\x89PNG"
