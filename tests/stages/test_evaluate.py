"""The stage evaluate on a small made-up run: its figures, its files, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from kith.errors import KithError
from kith.evaluation.catalogue import DIRECTIONS
from kith.evaluation.statistics import bootstrap_interval
from kith.metrics.classification import svm_scores
from kith.store.run import EmbeddedSide
from stages import evaluate, files, params
from tests.made_notes import seal
from tests.made_runs import Tracking, make_data, make_items, make_run, unit, without_inputs, write_params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tracked(monkeypatch, tmp_path):
    """Inside an empty repository, with tracking replaced."""
    monkeypatch.chdir(tmp_path)
    recorder = Tracking()
    monkeypatch.setattr(evaluate, "tracking", recorder)
    return recorder


@pytest.fixture
def run(tracked, tmp_path):
    """Several texts an item, one test item without a picture."""
    items = make_items(texts_each=3)
    items.loc[50, "image_row"] = -1
    make_data(tmp_path, items)
    return make_run(tmp_path, "good", 0, 0.4)


def measured(paths):
    seal(Path(), "made")
    evaluate.main(method="good", seed=0, **paths)
    return json.loads(paths["metrics"].read_text()), pd.read_parquet(paths["queries"])


def naive_ranks(paths, split, direction):
    """(item, rank) of every query: one loop, no library."""
    items = pd.read_parquet(paths["data"] / "items.parquet")
    rows = np.load(paths["rows"])
    sides = {kind: (np.load(paths[f"{kind}s"]), rows[f"{kind}_rows"]) for kind in ("image", "text")}
    asked, found = (sides[kind] for kind in direction.split("_to_"))
    group, split_of = items["group"].to_numpy(), items["split"].to_numpy()
    chosen = np.flatnonzero(split_of[found[1]] == split)
    ranks = []
    for vector, item in zip(*asked, strict=True):
        right = group[found[1][chosen]] == group[item]
        if split_of[item] == split and right.any():
            scores = found[0][chosen] @ vector
            ranks.append((item, 1 + np.sum(scores[~right] > scores[right].max())))
    return ranks


@pytest.mark.parametrize("split", ["val", "test", "test_faces"])
@pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])
def test_ranks_equal_the_naive_ones(run, split, direction):
    result, queries = measured(run)
    expected = naive_ranks(run, split, direction)
    table = queries[(queries["split"] == split) & (queries["direction"] == direction)]
    assert list(zip(table["row"], table["rank"], strict=True)) == expected
    assert result["splits"][split]["queries"][direction] == len(expected)
    ranks = np.array([rank for _, rank in expected])
    figures = result["splits"][split]["metrics"]
    assert figures[f"{direction}/R@5"]["value"] == pytest.approx(100 * np.mean(ranks <= 5), abs=1e-6)
    assert figures[f"{direction}/mrr"]["value"] == pytest.approx(np.mean(1 / ranks), abs=1e-6)
    assert figures[f"{direction}/median_rank"]["value"] == np.median(ranks)


def test_metrics_file(run):
    result, _ = measured(run)
    assert list(result) == ["method", "seed", "splits"]
    assert list(result["splits"]) == ["test", "test_faces", "val"]
    for split, content in result["splits"].items():
        figures = content["metrics"]
        names = ["R@1", "R@5", "R@10", "median_rank", "mean_rank", "mrr", "map"]
        names += ["random_5way", "hard_5way", "random_20way", "hard_20way"]
        expected = {f"{d}/{name}" for d in ("text_to_image", "image_to_text") for name in names}
        expected |= {f"mean/{name}" for name in ("mrr", "R@1", "R@10", "rsum")}
        expected |= {f"pairs/{name}_distance" for name in ("mean", "median", "min", "max")}
        expected |= {f"neighborhood/{s}_{q}@10" for s in ("image", "text") for q in ("recall", "ndcg")}
        names = [f"{name}{end}" for name in ("HP@1", "HP@10", "AHP", "AHP@250") for end in ("", "_wup")]
        expected |= {f"image_to_image/{name}" for name in ("mrr", "map", *names)}
        graded = ["HAP", "NDCG", "hierarchical_distance@1", "hierarchical_distance@10", "mistake_severity"]
        expected |= {f"image_to_image_taxonomy/{name}" for name in graded}
        graded += ["HP@1", "HP@10", "AHP@250", "AHP"]
        expected |= {f"{d}_taxonomy/{name}" for d in ("text_to_image", "image_to_text") for name in graded}
        assert set(figures) == expected
        for name, figure in figures.items():
            assert list(figure) == ["value", "low", "high"]
            if name in ("pairs/min_distance", "pairs/max_distance"):
                assert figure["low"] is figure["high"] is None
            else:
                assert figure["low"] <= figure["value"] <= figure["high"], (split, name)
        mean = (figures["text_to_image/mrr"]["value"] + figures["image_to_text/mrr"]["value"]) / 2
        assert figures["mean/mrr"]["value"] == pytest.approx(mean, abs=1e-6)
        recalls = [f"{d}/R@{k}" for d in ("text_to_image", "image_to_text") for k in (1, 5, 10)]
        assert figures["mean/rsum"]["value"] == pytest.approx(sum(figures[name]["value"] for name in recalls), abs=1e-5)
        assert content["chance"]["text_to_image/random_20way"] == 5
        assert set(content["chance"]) < expected


def test_folds_are_measured_on_request(run, tmp_path):
    write_params(tmp_path, evaluate={"folds": 4})
    figures = measured(run)[0]["splits"]["test"]["metrics"]
    parts = [f"{d}_folds/R@{k}" for d in ("text_to_image", "image_to_text") for k in (1, 5, 10)]
    assert figures["mean_folds/rsum"]["value"] == pytest.approx(sum(figures[name]["value"] for name in parts), abs=1e-5)
    assert figures["text_to_image_folds/R@1"]["value"] > figures["text_to_image/R@1"]["value"]


def test_judgements_are_measured_on_request(run, tmp_path):
    items, folder = pd.read_parquet(run["data"] / "items.parquet"), tmp_path / "judged"
    folder.mkdir()
    rows = np.flatnonzero(items["split"] == "test")
    captions = [{"id": int(i), "image_id": items["id"][i], "caption": items["texts"][i][0]} for i in rows]
    (folder / "captions_test.json").write_text(json.dumps({"annotations": captions}))
    pictures = items["id"][rows[:2]].tolist()
    (folder / "eccv_caption_to_image.json").write_text(json.dumps({str(rows[0]): pictures}))
    (folder / "eccv_image_to_caption.json").write_text(json.dumps({pictures[0]: [int(i) for i in rows[:2]]}))
    write_params(tmp_path, evaluate={"judged": "judged"})
    splits = measured(run)[0]["splits"]
    for direction in ("text_to_image", "image_to_text"):
        assert 0 <= splits["test"]["metrics"][f"{direction}_eccv/map@r"]["value"] <= 1
    assert not any("eccv" in name for name in splits["val"]["metrics"])
    (folder / "captions_test.json").write_text(json.dumps({"annotations": []}))
    with pytest.raises(KithError, match=r"evaluate\.judged: its captions are of other pictures"):
        measured(run)


@pytest.mark.parametrize("split", ["val", "test", "test_faces"])
def test_distances_are_those_of_each_text_and_its_own_picture(run, split):
    figures = measured(run)[0]["splits"][split]["metrics"]
    items = pd.read_parquet(run["data"] / "items.parquet")
    rows, images, texts = np.load(run["rows"]), np.load(run["images"]), np.load(run["texts"])
    pictures = dict(zip(rows["image_rows"], images.astype(float), strict=True))
    pairs = zip(rows["text_rows"], texts.astype(float), strict=True)
    found = np.array([1 - t @ pictures[i] for i, t in pairs if i in pictures and items["split"].iloc[i] == split])
    for name in ("mean", "median", "min", "max"):
        expected = getattr(np, name)(found)
        assert figures[f"pairs/{name}_distance"]["value"] == pytest.approx(expected, abs=2e-6)


def test_distances_are_resampled_by_group(run):
    figures = measured(run)[0]["splits"]["test_faces"]["metrics"]
    rows, images, texts = np.load(run["rows"]), np.load(run["images"]), np.load(run["texts"])
    group = pd.factorize(pd.read_parquet(run["data"] / "items.parquet")["group"])[0][rows["text_rows"]]
    own = 1 - (texts * images[np.searchsorted(rows["image_rows"], rows["text_rows"])]).sum(axis=1)
    here = rows["text_rows"] >= 72
    expected = {s: bootstrap_interval(own[here], group[here], s, resamples=200) for s in ("mean", "median")}
    for statistic, (low, high) in expected.items():
        figure = figures[f"pairs/{statistic}_distance"]
        assert [figure["low"], figure["high"]] == pytest.approx([low, high], abs=2e-6)


def test_hits_are_the_queries_behind_the_percentages(run):
    result, queries = measured(run)
    for split, content in result["splits"].items():
        candidates = {d: n for d, n in content["candidates"].items() if d != "image_to_image"}
        assert candidates == dict(zip(DIRECTIONS, sizes(run, split), strict=True))
        for direction in DIRECTIONS:
            table = queries[(queries["split"] == split) & (queries["direction"] == direction)]
            for k in (1, 5, 10):
                hits = content["hits"][f"{direction}/hits@{k}"]
                assert hits == (table["rank"] <= k).sum()
                assert content["metrics"][f"{direction}/R@{k}"]["value"] == pytest.approx(100 * hits / len(table))
        assert len(content["hits"]) == 6


def sizes(paths, split):
    """Number of pictures and of texts of a split."""
    names, rows = pd.read_parquet(paths["data"] / "items.parquet")["split"].to_numpy(), np.load(paths["rows"])
    return [int((names[rows[name]] == split).sum()) for name in ("image_rows", "text_rows")]


def test_what_is_printed(tracked, tmp_path, capsys):
    make_data(tmp_path, make_items())
    paths = make_run(tmp_path, "good", 0, 0.4)
    figures = measured(paths)[0]["splits"]["val"]
    printed = [each.splitlines() for each in capsys.readouterr().out.strip().split("\n\n")]
    assert [each[0] for each in printed] == [
        f"{split}, {direction}, 24 queries"
        for split in ("test", "test_faces", "val")
        for direction in ("text to image", "image to text")
    ]
    lines = printed[-1]
    assert len({line.index(":") for line in lines[2:]}) == 1  # aligned
    metrics = {name.replace("image_to_text/", ""): each["value"] for name, each in figures["metrics"].items()}
    hits = {k: figures["hits"][f"image_to_text/hits@{k}"] for k in (1, 5, 10)}
    assert [line.strip() for line in lines[1:]] == [
        "Hit Rates",
        *(f"Top {k:02}: {metrics[f'R@{k}']:.3f} ({hits[k]}) {metrics[f'R@{k}'] / k:.3f}" for k in (1, 5, 10)),
        f"Median Rank: {metrics['median_rank']:.2f} (24)",
        f"Mean Rank: {metrics['mean_rank']:.2f}",
        f"Mean Dist: {metrics['pairs/mean_distance']:.3f}",
        f"MRR: {metrics['mrr']:.3f}",
        f"Min Dist: {metrics['pairs/min_distance']:.3f}",
        f"Max Dist: {metrics['pairs/max_distance']:.3f}",
        f"Med Dist: {metrics['pairs/median_distance']:.3f}",
    ]


def test_the_svm_is_as_params_yaml_wants_it():
    vectors, labels = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    side, splits = EmbeddedSide(vectors, np.arange(30)), np.repeat(["train", "test"], [20, 10])
    found = evaluate._svm(side, splits, labels, params.Evaluate(svm=True, svm_c=0.1, svm_scaling="max_abs", seed=3))
    expected = svm_scores(vectors[:20], labels[:20], vectors, scaling="max_abs", c=0.1, seed=3)
    np.testing.assert_array_equal(found, expected)
    other = evaluate._svm(side, splits, labels, params.Evaluate(svm=True, seed=3))
    np.testing.assert_array_equal(other, svm_scores(vectors[:20], labels[:20], vectors, seed=3))


def test_the_lines_are_those_of_the_published_program():
    metrics = {
        "R@1": 31.05,
        "R@5": 58.25,
        "R@10": 69.7,
        "R@25": 81.7,
        "median_rank": 3,
        "mean_rank": 33.99,
        "mrr": 0.44,
    }
    hits = {"hits@1": 621, "hits@5": 1165, "hits@10": 1394, "hits@25": 1634}
    entry = {
        "metrics": {f"image_to_text/{name}": {"value": value} for name, value in metrics.items()},
        "hits": {f"image_to_text/{name}": count for name, count in hits.items()},
        "queries": {"image_to_text": 2000},
        "candidates": {"image_to_text": 2000},
    }
    assert [line.strip() for line in evaluate.block("test", entry, "image_to_text").splitlines()[1:7]] == [
        "Hit Rates",
        "Top 01: 31.050 (621) 31.050",
        "Top 05: 58.250 (1165) 11.650",
        "Top 10: 69.700 (1394) 6.970",
        "Top 25: 81.700 (1634) 3.268",
        "Median Rank: 3.00 (2000)",
    ]


def test_texts_whose_pictures_are_of_other_items_have_no_distance(tracked, tmp_path, capsys):
    """Both items of a group are right, so there is retrieval, but no text has a picture of its own."""
    make_data(tmp_path, make_items())
    paths = make_run(tmp_path, "good", 0, 0.4)
    rows, images, texts = np.load(paths["rows"]), np.load(paths["images"]), np.load(paths["texts"])
    faces = np.flatnonzero(rows["image_rows"] >= 72)
    even, odd = faces[::2], faces[1::2]
    files.write_npy(paths["images"], images[even])
    files.write_npy(paths["texts"], texts[odd])
    np.savez(paths["rows"], image_rows=rows["image_rows"][even], text_rows=rows["text_rows"][odd], codes=False)
    figures = measured(paths)[0]["splits"]["test_faces"]["metrics"]
    assert "text_to_image/mrr" in figures
    assert not [name for name in figures if name.startswith("pairs/")]
    assert "Dist" not in capsys.readouterr().out


def test_features_without_texts_or_meaning(tracked, tmp_path):
    make_data(tmp_path, make_items())
    without_inputs(tmp_path)
    result, queries = measured(make_run(tmp_path, "good", 0, 0.4))
    test = result["splits"]["test"]
    assert test["queries"] == {"text_to_image": 24, "image_to_text": 24}
    assert test["without_meaning"] == 24
    assert not [name for name in test["metrics"] if "hard" in name or "neighborhood" in name]
    assert "pairs/mean_distance" in test["metrics"]
    assert (queries["text"] == 0).all()


def test_chance_knows_the_size_of_the_gallery(run):
    chance = measured(run)[0]["splits"]["test"]["chance"]
    assert chance["text_to_image/R@1"] == pytest.approx(100 / 23, abs=1e-6)  # 24 items, one without a picture
    assert chance["text_to_image/mean_rank"] == pytest.approx(12)
    faces = measured(run)[0]["splits"]["test_faces"]["chance"]
    assert faces["text_to_image/R@1"] == pytest.approx(100 * 2 / 24, abs=1e-6)  # two pictures of each group


def test_queries_file(run):
    _, queries = measured(run)
    assert list(queries) == ["split", "direction", "row", "text", "group", "rank", "reciprocal_rank"] + [
        "average_precision", "ahp", "hamming_ap", "before", "tied_right", "tied_wrong", "hits", "similarities"
    ]  # fmt: skip
    schema = pq.read_schema(run["queries"])
    assert str(schema.field("hits").type) == "list<element: int64>"
    assert str(schema.field("similarities").type) == "list<element: float>"
    items = pd.read_parquet(run["data"] / "items.parquet")
    assert (items["split"].to_numpy()[queries["row"]] == queries["split"]).all()
    assert (items["group"].to_numpy()[queries["row"]] == queries["group"]).all()
    assert (queries.loc[queries["direction"] == "image_to_text", "text"] == 0).all()
    texts = queries[queries["direction"] == "text_to_image"]
    assert texts.groupby(["split", "row"])["text"].apply(list).map(lambda t: t == list(range(len(t)))).all()
    assert 50 not in set(queries["row"])  # its text has no picture to find
    for _, query in queries.iterrows():
        assert (np.diff(query["similarities"]) <= 0).all()
        assert len(query["hits"]) == 5
        assert (items["split"].to_numpy()[query["hits"]] == query["split"]).all()
        same = "label" if query["direction"] == "image_to_image" else "group"
        first = items[same].to_numpy()[query["hits"][0]] == items[same].to_numpy()[query["row"]]
        assert first == (query["rank"] == 1)


def test_tracking_is_told(run, tracked):
    result, _ = measured(run)
    name, args, options = tracked.calls[0]
    assert (name, args, len(tracked.calls)) == ("log_evaluation", ("good", 0, result, [run["metrics"]]), 1)
    assert (options["model"], options["history"]) == (run["model"], run["history"])
    assert options["data"].folder == run["data"]


def test_the_same_run_gives_the_same_bytes(run):
    measured(run)
    first = [run[name].read_bytes() for name in ("metrics", "queries")]
    measured(run)
    assert [run[name].read_bytes() for name in ("metrics", "queries")] == first


def test_perfect_embeddings_reach_the_top(tracked, tmp_path):
    make_data(tmp_path, make_items())
    figures = measured(make_run(tmp_path, "good", 0, 0.0))[0]["splits"]["test"]["metrics"]
    for name in ("R@1", "random_20way", "hard_5way"):
        assert figures[f"text_to_image/{name}"] == {"value": 100, "low": 100, "high": 100}
    assert figures["neighborhood/text_recall@10"]["value"] == 1
    assert figures["mean/mrr"]["value"] == 1


def test_small_splits_drop_what_they_cannot_serve(tracked, tmp_path):
    make_data(tmp_path, make_items(per_split=8))
    result, _ = measured(make_run(tmp_path, "good", 0, 0.4))
    names = result["splits"]["test"]["metrics"]
    assert "image_to_text/hard_5way" in names
    assert not [name for name in names if "20way" in name or "neighborhood" in name]
    assert "NaN" not in json.dumps(result)


def test_sparse_meaning_gives_what_dense_meaning_gives(run):
    dense, _ = measured(run)
    vectors = run["text"] / "vectors.npy"
    sp.save_npz(run["text"] / "vectors.npz", sp.csr_matrix(np.load(vectors)))
    vectors.unlink()
    assert measured(run)[0] == dense


def test_items_without_meaning_are_counted_and_left_out(run):
    path = run["text"] / "vectors.npy"
    meaning = np.load(path)
    with_all, _ = measured(run)
    meaning[48:52] = 0  # of test
    files.write_npy(path, meaning)
    result, _ = measured(run)
    test = result["splits"]["test"]
    assert [split["without_meaning"] for split in result["splits"].values()] == [4, 0, 0]
    assert "text_to_image/hard_20way" in test["metrics"]  # 24 − 1 without a picture − 3 without meaning = 20 left
    before = with_all["splits"]["test"]["metrics"]
    assert test["metrics"]["text_to_image/mrr"] == before["text_to_image/mrr"]
    assert test["metrics"]["text_to_image/hard_5way"] != before["text_to_image/hard_5way"]


def test_meaning_may_be_lacking_altogether(run):
    files.write_npy(run["text"] / "vectors.npy", np.zeros((96, 6), dtype=np.float32))
    names = measured(run)[0]["splits"]["test"]["metrics"]
    assert not [name for name in names if "hard" in name or "neighborhood" in name]
    assert "text_to_image/random_20way" in names


def test_ties_follow_the_parameter(tracked, tmp_path):
    make_data(tmp_path, make_items())
    paths = make_run(tmp_path, "good", 0, 0.4)
    files.write_npy(paths["images"], np.ones((72, 6), dtype=np.float32))
    found = {}
    for ties in ("optimistic", "mean", "pessimistic"):
        write_params(tmp_path, evaluate={"ties": ties})
        found[ties] = measured(paths)[0]["splits"]["test"]["metrics"]["text_to_image/mean_rank"]["value"]
    assert found == {"optimistic": 1, "mean": 12.5, "pessimistic": 24}


def spoil(name):
    """A change of the run's files, and the words of the complaint."""

    def nan(paths):
        vectors = np.load(paths["texts"])
        vectors[3, 1] = np.nan
        files.write_npy(paths["texts"], vectors)

    def short(paths):
        files.write_npy(paths["images"], unit(np.ones((9, 6))))

    def train_only(paths):
        for kind in ("images", "texts"):
            files.write_npy(paths[kind], unit(np.ones((5, 6))))
        np.savez(paths["rows"], image_rows=np.arange(5), text_rows=np.arange(5), codes=False)

    def no_pictures(paths):
        files.write_npy(paths["images"], unit(np.ones((0, 6))))
        rows = np.load(paths["rows"])
        np.savez(paths["rows"], image_rows=rows["image_rows"][:0], text_rows=rows["text_rows"], codes=False)

    def other_meaning(paths):
        files.write_npy(paths["text"] / "vectors.npy", np.zeros((7, 6)))

    return locals()[name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nan", r"embeddings_text.npy: row 3 \(item 'item026'\) is not finite"),
        ("short", r"embeddings_image.npy: 9 vectors, and rows of \d+ items; run the embed stage again"),
        ("train_only", "no item of a test split or of val was embedded"),
        ("no_pictures", "split 'test' has no embedded text whose group has a picture"),
        ("other_meaning", "7 items, there are 96"),
    ],
)
def test_what_is_refused(run, change, message):
    spoil(change)(run)
    with pytest.raises(KithError, match=message):
        measured(run)
    assert not run["metrics"].exists()
    assert not run["queries"].exists()


def test_starts_without_torch():
    code = "import sys, stages.evaluate, stages.compare; sys.exit('torch' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
