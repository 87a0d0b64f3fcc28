"""The stage compare on made-up runs: order, intervals, tests, the documents, and what it refuses."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kith.errors import KithError
from kith.evaluation.certainty import DIFFERENCES
from kith.evaluation.components import components, moderated
from kith.evaluation.describe import describe, metrics_of
from kith.evaluation.separation import separate
from kith.evaluation.statistics import Resamples
from stages import compare, evaluate, files, params
from stages.reporting import cells
from stages.reporting import markdown as leaderboard
from tests.made_notes import seal
from tests.made_runs import Tracking, make_data, make_items, make_run, without_inputs, write_params
from workflow import captions

METHODS = {"bad": 2.5, "good": 0.3, "fair": 0.45}  # name → noise of its embeddings, not in order of merit
FILES = ["leaderboard.md", "leaderboard.csv", "differences.csv", "metrics/good.json", "curves.csv"]


@pytest.fixture
def tracked(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    recorder = Tracking()
    monkeypatch.setattr(evaluate, "tracking", recorder)
    monkeypatch.setattr(compare, "tracking", recorder)
    return recorder


@pytest.fixture
def study(tracked, tmp_path):
    return make_study(tmp_path)


def make_study(root, seeds=(0,), texts_each=2):
    make_data(root, make_items(texts_each=texts_each))
    write_params(root, study={"methods": list(METHODS), "seeds": list(seeds)})
    for method, noise in METHODS.items():
        for seed in seeds:
            evaluate.main(method=method, seed=seed, **make_run(root, method, seed, noise))
    return root


def compared(root):
    compare.main(
        data=root / "data/made/prepared",
        neighbors=root / "data/made/neighbors",
        runs=root / "runs/made",
        out=root / "reports/made",
    )
    return root / "reports/made"


def run_files(root, method, seed=0):
    folder = root / f"runs/made/{method}-{seed}"
    return files.read_json(folder / "metrics.json")["splits"], pd.read_parquet(folder / "queries.parquet")


def queries_of(root, method, seed, split):
    table = run_files(root, method, seed)[1]
    return table[(table["split"] == split) & (table["direction"] != "image_to_image")]


def test_methods_are_ranked_by_mrr_on_test(study):
    board = pd.read_csv(compared(study) / "leaderboard.csv")
    certain = ["low", "high", "p", "place low", "place high", "letters"]
    assert list(board)[:10] == ["split", "method", "seeds", "mean/mrr", *certain]
    assert list(board["split"]) == ["test"] * 3 + ["test_faces"] * 3 + ["val"] * 3
    assert list(board["method"]) == ["good", "fair", "bad"] * 3
    for _, line in board.iterrows():
        expected = run_files(study, line["method"])[0][line["split"]]["metrics"]
        ahp = {f"ahp {name}" for name in certain}
        expected = {name: figure for name, figure in expected.items() if not describe(name).detail}
        assert set(expected) == set(board) - {"split", "method", "seeds", *certain} - ahp
        for name, figure in expected.items():
            assert line[name] == pytest.approx(figure["value"], abs=1e-6)


def test_intervals_of_one_seed_are_those_of_evaluate(study):
    """Same values, same draws: the two stages agree."""
    board = pd.read_csv(compared(study) / "leaderboard.csv")
    for _, line in board.iterrows():
        expected = run_files(study, line["method"])[0][line["split"]]["metrics"]["mean/mrr"]
        assert line[["low", "high"]].tolist() == pytest.approx([expected["low"], expected["high"]], abs=2e-6)


def test_p_values_by_hand(study):
    """Each direction counts half; groups change sides with all their queries; adjusted for all pairs of methods."""
    out = compared(study)
    board = pd.read_csv(out / "leaderboard.csv").set_index(["split", "method"])
    pairs = pd.read_csv(out / "differences.csv").query("metric == 'mean/mrr'")
    for split in ("test", "test_faces", "val"):
        queries = [queries_of(study, method, 0, split) for method in METHODS]
        values = np.stack([table["reciprocal_rank"].to_numpy()[None] for table in queries])
        codes = [np.unique(queries[0][name].astype(str), return_inverse=True)[1] for name in ("direction", "group")]
        expected = separate(components(values, *codes), list(METHODS), 500)
        best = board.loc[split]["mean/mrr"].idxmax()
        number = {method: place for place, method in enumerate(METHODS)}
        for method in METHODS:
            p = np.nan if method == best else expected.p[number[best], number[method]]
            assert board.loc[(split, method), "p"] == pytest.approx(p, abs=1e-6, nan_ok=True)
        of_split = pairs[pairs["split"] == split]
        assert len(of_split) == 3
        for _, line in of_split.iterrows():
            i, j = number[line["first"]], number[line["second"]]
            assert line["difference"] == pytest.approx(expected.difference[i, j], abs=2e-6)
            assert line["difference"] >= 0
            assert line["high"] - line["low"] == pytest.approx(2 * expected.half[i, j], abs=4e-6)
            assert line["p"] == pytest.approx(expected.p[i, j], abs=1e-6)
    assert board.loc[("test", "bad"), "p"] < 0.01
    assert list(pairs) == DIFFERENCES


def test_several_seeds(tracked, tmp_path):
    out = compared(make_study(tmp_path, seeds=(0, 1, 2)))
    board = pd.read_csv(out / "leaderboard.csv").set_index(["split", "method"])
    values = [run_files(tmp_path, "fair", s)[0]["test"]["metrics"]["mean/mrr"]["value"] for s in range(3)]
    line = board.loc[("test", "fair")]
    assert line["seeds"] == 3
    assert line["mean/mrr"] == pytest.approx(np.mean(values), abs=1e-6)
    assert line["mean/mrr sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    # The interval by hand: groups are drawn, all their queries written out, each direction averaged.
    tables = [queries_of(tmp_path, "fair", seed, "test") for seed in range(3)]
    reciprocal = np.mean([table["reciprocal_rank"] for table in tables], axis=0)
    text = (tables[0]["direction"] == "text_to_image").to_numpy()
    codes = np.unique(tables[0]["group"].to_numpy(dtype=str), return_inverse=True)[1]
    drawn = []
    for weights in np.concatenate(list(Resamples(24, 200, 0).weights(24))).astype(int):
        ways = [np.repeat(reciprocal[side], weights[codes[side]]).mean() for side in (text, ~text)]
        drawn.append(np.mean(ways))
    low, high = np.percentile(drawn, [2.5, 97.5])
    # Student's interval over the trainings, whose variances are pooled; squared distances from the mean add up.
    every = [
        [run_files(tmp_path, name, s)[0]["test"]["metrics"]["mean/mrr"]["value"] for s in range(3)] for name in METHODS
    ]
    variances, freedom = moderated(np.var(every, axis=1, ddof=1), 2)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(variances[list(METHODS).index("fair")] / 3)
    ends = [
        np.mean(values) - np.hypot(np.mean(values) - low, reach),
        np.mean(values) + np.hypot(high - np.mean(values), reach),
    ]
    assert line[["low", "high"]].tolist() == pytest.approx(ends, abs=2e-6)
    page = (out / "leaderboard.md").read_text()
    assert "seeds: 0, 1, 2" in page
    assert f"{line['mean/mrr']:.3f} ± {line['mean/mrr sd']:.3f} [{line['low']:.3f}, {line['high']:.3f}]" in page


def test_metrics_for_dvc(study):
    out = compared(study)
    summary = {path.stem: json.loads(path.read_text()) for path in (out / "metrics").iterdir()}
    assert set(summary) == set(METHODS)
    figures = run_files(study, "good")[0]["test"]["metrics"]
    assert summary["good"] == {
        "R@1 t2i": round(figures["text_to_image/R@1"]["value"], 4),
        "R@10 t2i": round(figures["text_to_image/R@10"]["value"], 4),
        "R@1 i2t": round(figures["image_to_text/R@1"]["value"], 4),
        "R@10 i2t": round(figures["image_to_text/R@10"]["value"], 4),
        "MRR": round(figures["mean/mrr"]["value"], 4),
        "median rank": np.mean([figures[f"{d}/median_rank"]["value"] for d in ("text_to_image", "image_to_text")]),
        "mAP i2i": round(figures["image_to_image/map"]["value"], 4),
        "AHP@250": round(figures["image_to_image/AHP@250"]["value"], 4),
    }


def test_curves(study):
    curves = pd.read_csv(compared(study) / "curves.csv")
    assert list(curves) == ["method", "seed", "run", "epoch", "lr", "train_loss", "val_loss", "val_mrr", "train_mrr"]
    assert list(curves["run"]) == [f"{method}-0" for method in METHODS for _ in range(3)]
    assert list(curves["epoch"]) == [1, 2, 3] * 3
    assert not curves.isna().any(axis=None)


def test_curves_hold_what_all_histories_have(study):
    path = study / "runs/made/fair-0/history.parquet"
    pd.read_parquet(path).drop(columns="train_mrr").to_parquet(path)
    seal(study, "made")
    assert list(pd.read_csv(compared(study) / "curves.csv")).count("train_mrr") == 0


def test_distances_of_pairs_are_columns_of_the_leaderboard(study):
    board = pd.read_csv(compared(study) / "leaderboard.csv").set_index(["split", "method"])
    for name in ("mean", "median", "min", "max"):
        expected = run_files(study, "bad")[0]["val"]["metrics"][f"pairs/{name}_distance"]["value"]
        assert board.loc[("val", "bad"), f"pairs/{name}_distance"] == pytest.approx(expected, abs=1e-6)


def test_details_are_columns_only_on_request(study):
    without = pd.read_csv(compared(study) / "leaderboard.csv")
    write_params(study, study={"methods": list(METHODS)}, compare={"details": True})
    board = pd.read_csv(compared(study) / "leaderboard.csv")
    more = {"mean/rsum", "text_to_image_taxonomy/HAP", "image_to_text_taxonomy/NDCG"}
    assert more <= set(board.columns)
    assert not any(describe(name).detail for name in metrics_of(without))
    known = [name for name in metrics_of(board) if not describe(name).detail]
    pd.testing.assert_frame_equal(board[["split", "method", *known]], without[["split", "method", *known]])


def test_features_without_texts_or_meaning(tracked, tmp_path):
    make_data(tmp_path, make_items())
    without_inputs(tmp_path)
    write_params(tmp_path, study={"methods": list(METHODS)})
    for method, noise in METHODS.items():
        evaluate.main(method=method, seed=0, **make_run(tmp_path, method, 0, noise))
    page = (compared(tmp_path) / "leaderboard.md").read_text()
    assert "24 test_faces items; image features 40; text features 30; licence: CC0" in page
    assert "Semantic" not in page
    assert "hard" not in page
    assert len(tables_of(page)) == 4  # test, other splits, how sure, random n-way


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({}, "cnn of width 32 for pictures, gru of 512 units for texts, 256 dimensions; seeds"),
        ({"image": {"tower": "resnet", "depth": 34}}, "resnet-34 of width 32 for pictures"),
        ({"image": {"tower": "vgg", "width": 24}, "text": {"tower": "vgg"}}, "vgg of width 24 for pictures, vgg of"),
        ({"image": {"tower": "linear"}, "text": {"tower": "mlp", "layers": 3}}, "linear for pictures, mlp of 3 × 512"),
        ({"projection": {"kind": "cca"}, "batch_size": 300}, "256 dimensions, a CCA layer; seeds"),
        ({"projection": {"kind": "learned"}}, "256 dimensions, a learned projection; seeds"),
    ],
)
def test_the_budget_names_the_towers(tmp_path, monkeypatch, train, said):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, train=train)
    assert said in leaderboard.budget(params.load())


def test_the_same_runs_give_the_same_bytes(study, tracked):
    first = [(compared(study) / name).read_bytes() for name in FILES]
    assert [(compared(study) / name).read_bytes() for name in FILES] == first
    assert tracked.calls[-1] == ("log_comparison", (study / "reports/made", study / "runs/made"), {})


def tables_of(page):
    """Every Markdown table: a list of rows of cells."""
    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("| ")]
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in block] for block in blocks]


def test_page(study):
    page = (compared(study) / "leaderboard.md").read_text()
    assert page.startswith(
        "# Leaderboard: made\n\nData set **made up**: 24 train, 24 val, 24 test, 24 test_faces items"
    )
    assert "licence: CC0" in page
    assert "`dvc repro` or `snakemake --cores 2`" in page
    tables = tables_of(page)
    for table in tables:
        assert all(len(row) == len(table[0]) for row in table)
        assert "nan" not in str(table).lower()
    main, others, pictures, sure, ways, near, space = tables
    assert pictures[0] == ["split", "method", "AHP@250", "HP@1", "HP@10", "mAP", "AHP@250 (WUP)", "p", "place", "group"]
    assert [row[0] for row in pictures[2:]] == ["test"] * 4 + ["test_faces"] * 4 + ["val"] * 4
    assert [row[0] for row in main[2:]] in (
        ["good", "fair", "bad", "chance"],  # of one training each, none is called the best
        ["good", "≈ fair", "bad", "chance"],
    )
    assert main[-1][main[0].index("t→i MRR")] == "0.157"  # (1 + 1/2 + … + 1/24) / 24
    assert [row[0] for row in others[2:]] == ["test_faces"] * 4 + ["val"] * 4
    assert ways[0][:3] == ["method", "t→i random 5-way", "t→i random 20-way"]
    assert ways[-1][:3] == ["chance", "20.0", "5.0"]
    assert near[0] == ["method", "image recall@10", "image nDCG@10", "text recall@10", "text nDCG@10"]
    assert space[2:] == [["recall", "0.998"], ["label_agreement@10", "0.412"]]
    assert sure[0] == ["by", "group", "methods that cannot be told apart"]
    assert [row[:2] for row in sure[2:4]] == [["MRR", "a"], ["MRR", "b"]]
    assert "**One training a method (seed 0).**" in page


def test_texts_of_the_user_bring_no_tags_into_the_page():
    told = leaderboard.about(
        {
            "counts": {"train": 1},
            "texts": 0,
            "labels": 0,
            "image": None,
            "name": "a<b",
            "licence": "<script>x()</script>\n",
        }
    )
    assert told == "Data set **a&lt;b**: 1 train items; licence: &lt;script>x()&lt;/script>."


@pytest.mark.parametrize(
    "text", ["![x](http://a.example/p.png)", "\\[x](javascript:y)", "<b>", "a\n# b", "[x]: http://a"]
)
def test_no_text_of_the_user_is_markup(text):
    """Links, pictures and tags lose what they begin with, in Markdown as in reStructuredText."""
    page = cells.free(text)
    assert "\n" not in page
    assert "<" not in page
    assert not re.search(r"(?<!\\)(\\\\)*\[", page)
    assert "\n" not in captions.plain(text)
    assert not re.search(r"(?<!\\)(\\\\)*[*`_|]", captions.plain(f"{text}`x <y>`_ |z| *w*"))


def test_equals_are_marked_as_not_different(tracked, tmp_path):
    make_study(tmp_path)
    for name in ("metrics.json", "queries.parquet"):
        (tmp_path / "runs/made/fair-0" / name).write_bytes((tmp_path / "runs/made/good-0" / name).read_bytes())
    seal(tmp_path, "made")
    out = compared(tmp_path)
    board = pd.read_csv(out / "leaderboard.csv").query("split == 'test'").set_index("method")
    assert list(board.index) == ["good", "fair", "bad"]  # equals stay in the order of the study
    assert board.loc["fair", "p"] == 1
    assert "| ≈ fair | " in (out / "leaderboard.md").read_text()


def test_a_single_method_has_nothing_to_be_compared_with(tracked, tmp_path):
    make_study(tmp_path)
    write_params(tmp_path, study={"methods": ["good"]})
    board = pd.read_csv(compared(tmp_path) / "leaderboard.csv")
    assert board["p"].isna().all()
    assert len(board) == 3


def test_expected_values(study):
    value = run_files(study, "good")[0]["test"]["metrics"]["text_to_image/R@1"]["value"]
    key = "test/text_to_image/R@1"
    expect = {
        "good": {key: {"value": round(value, 1), "source": "an earlier run"}},
        "fair": {key: {"value": 0.0, "tolerance": 100.0}},
        "bad": {key: {"value": 99.0, "tolerance": 0.5}},
    }
    write_params(study, study={"methods": list(METHODS)}, expect=expect)
    page = (compared(study) / "leaderboard.md").read_text()
    checked = next(table for table in tables_of(page) if table[0][-1] == "source")
    verdicts = {row[0]: row[5:] for row in checked[2:]}
    assert verdicts == {
        "good": ["equal", "an earlier run"],
        "fair": ["within tolerance", ""],
        "bad": ["**off**", ""],
    }


@pytest.mark.parametrize(
    ("reached", "value", "tolerance", "mark"),
    [
        (31.04, 31.0, 0, "equal"),
        (31.06, 31.0, 0, "**off**"),
        (31.06, 31.0, 0.1, "within tolerance"),
        (31.1, 31.0, 0.1, "within tolerance"),
        (31.11, 31.0, 0.1, "**off**"),
        (0.4401, 0.44, 0, "equal"),
        (3.0, 3, 0, "equal"),
        (1e-7, 1e-7, 0, "equal"),
    ],
)
def test_verdicts(reached, value, tolerance, mark):
    board = pd.DataFrame({"split": ["test"], "method": ["m"], "mean/mrr": [reached]})
    expected = params.Expected(value=value, tolerance=tolerance)
    assert leaderboard.verdict(board, "m", "test/mean/mrr", expected)[1] == mark
    assert leaderboard.verdict(board, "other", "test/mean/mrr", expected) == ("", "not run")


def test_an_expected_figure_that_does_not_exist_is_refused(study):
    expect = {"good": {"test/mean/R@3": {"value": 1.0}}}
    write_params(study, study={"methods": list(METHODS)}, expect=expect)
    with pytest.raises(KithError, match=r"expect\.good\.test/mean/R@3: no such metric"):
        compared(study)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("runs/made/fair-0/metrics.json", "dvc repro evaluate@fair-0"),
        ("runs/made/bad-0/queries.parquet", "dvc repro evaluate@bad-0"),
        ("runs/made/good-0/history.parquet", "dvc repro train@good-0"),
        ("data/made/neighbors/quality.json", "dvc repro neighbors"),
        ("data/made/prepared/dataset.json", "dvc repro prepare"),
    ],
)
def test_a_missing_or_broken_file_is_named_with_the_command_that_makes_it(study, name, command):
    path = study / name
    path.write_bytes(b"broken")
    with pytest.raises(KithError, match=f"{path.name}: cannot be read") as error:
        compared(study)
    assert command.replace("repro", "repro -f") in str(error.value)
    path.unlink()
    with pytest.raises(KithError, match=f"{path.name}: no such file") as error:
        compared(study)
    assert command in str(error.value)
    assert not (study / "reports").exists()


def test_runs_of_other_queries_are_refused(study):
    path = study / "runs/made/fair-0/queries.parquet"
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)
    seal(study, "made")
    with pytest.raises(KithError, match=r"fair-0: other queries or metrics than .*bad-0"):
        compared(study)


def test_columns_of_the_page_are_those_that_were_measured(tracked, tmp_path):
    """Without R@10, n-way or neighbourhoods the page and the summary are shorter, not broken."""
    make_data(tmp_path, make_items(per_split=5))
    write_params(tmp_path, study={"methods": list(METHODS)}, evaluate={"ks": [1, 3], "nway": []})
    for method, noise in METHODS.items():
        evaluate.main(method=method, seed=0, **make_run(tmp_path, method, 0, noise))
    out = compared(tmp_path)
    page = (out / "leaderboard.md").read_text()
    assert "N-way" not in page
    assert "neighbourhoods" not in page
    assert "R@10 t2i" not in json.loads((out / "metrics/good.json").read_text())
    assert tables_of(page)[0][0] == ["method", "MRR"] + [
        f"{way} {name}" for way in ("t→i", "i→t") for name in ("R@1", "MRR", "median rank")
    ] + ["p", "place", "group"]  # fmt: skip
