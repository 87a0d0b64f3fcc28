"""The catalogue of metrics: every column is described once, and the page of the documentation says the same."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from kith.errors import KithError
from kith.evaluation.catalogue import DIRECTIONS, GROUPS, IMAGES, METRICS, SUMMARY, TRACKED
from kith.evaluation.describe import describe, metrics_of, page, rankings

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "reports").glob("*/leaderboard.csv"))


@pytest.mark.parametrize(
    ("column", "head", "group", "text"),
    [
        ("text_to_image/R@10", "t→i R@10", "text → image", "12.3"),
        ("image_to_text/hard_5way", "i→t hard 5-way", "image → text", "12.3"),
        ("mean/mrr", "MRR", "both directions", "12.346"),
        ("image_to_image/AHP@250_wup", "AHP@250 (WUP)", "image → image, by class", "12.346"),
        ("neighborhood/text_ndcg@10", "text nDCG@10", "neighbourhoods kept", "12.346"),
        ("hamming/precision_radius2", "P@radius 2", "binary codes", "12.346"),
        ("hamming/bits", "bits", "binary codes", "12"),
        ("metric_learning/map@r", "MAP@R", "metric learning", "12.346"),
        ("svm/top5_accuracy", "top 5 accuracy", "linear SVM", "12.3"),
        ("ahp p", "p", "image → image, by class", "12.346"),
        ("p", "p", "both directions", "12.346"),
        ("seeds", "seeds", "", "12"),
    ],
)
def test_a_column_is_described(column, head, group, text):
    metric = describe(column)
    assert (metric.full_head, metric.group.title, metric.shown(12.3456)) == (head, group, text)


@pytest.mark.parametrize("column", ["mean/mop", "nowhere/mrr", "hamming/R@1", "mean/R@x", "low", "mean/mrr sd"])
def test_what_is_not_in_the_catalogue_is_refused(column):
    with pytest.raises(KithError, match=r"no metric: .*catalogue\.py"):
        describe(column)


def test_a_name_means_one_metric():
    names = [(group, metric.key) for metric in METRICS for group in metric.groups]
    assert len(set(names)) == len(names)
    assert {group for group, _ in names} == set(GROUPS)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_every_column_of_the_leaderboards_is_described(path):
    board = pd.read_csv(path)
    for name in metrics_of(board):
        assert describe(name).meaning, name
    for metric, ranking in rankings(board).items():
        assert {metric, *(ranking.prefix + end for end in ("low", "high", "p"))} <= set(board)


def test_methods_are_ranked_by_pairs_then_classes_then_codes():
    columns = ["hamming/map", "image_to_image/AHP@250", "image_to_image/AHP@250 sd", "mean/mrr", "method", "ahp p"]
    found = rankings(columns)
    assert list(found) == ["mean/mrr", "image_to_image/AHP@250", "hamming/map"]
    assert [each.prefix for each in found.values()] == ["", "ahp ", "hamming "]
    assert [each.directions for each in found.values()] == [DIRECTIONS, (IMAGES,), (IMAGES,)]
    assert all(describe(name).column for name in found)


def test_the_summary_is_made_of_metrics():
    assert all(describe(column) for columns in SUMMARY.values() for column in columns)
    assert set(TRACKED) <= set(SUMMARY)


def test_the_page_of_metrics_is_in_sync():
    """Mend with `python -m kith.evaluation.describe > docs/metrics.md`."""
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == page()


def test_the_catalogue_needs_neither_torch_nor_the_stages():
    code = "import sys, kith.evaluation.describe; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert not {"torch", "stages"} & {name.split(".")[0] for name in found.stdout.split()}
