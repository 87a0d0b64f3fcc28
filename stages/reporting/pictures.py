"""Pictures and their classes, as tables of the leaderboard: retrieval, binary codes and predicted classes."""

from typing import Any

import numpy as np
import pandas as pd

from kith.evaluation.catalogue import GROUPS, IMAGES, PREDICTORS, SHARED
from kith.evaluation.describe import by_catalogue, metrics_of
from stages import params
from stages.reporting import cells


def pictures(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Retrieval of pictures by pictures, where there are labels: how near in the taxonomy is what is found."""
    ahp = f"{IMAGES}/AHP@{settings.evaluate.clip}"
    board = next(iter(boards.values()))
    if ahp not in board or board[ahp].isna().all():
        return []
    names = [f"{IMAGES}/HP@{k}" for k in settings.evaluate.precision_ks] + [f"{IMAGES}/map", f"{ahp}_wup"]
    names = [name for name in names if name in board]
    rows = _rows(boards, splits, settings, ahp, names)
    note = (
        "Each picture looks for pictures of near classes among those of its split. HP@k is the hierarchical "
        f"precision of the first k answers, AHP@{settings.evaluate.clip} its mean over k (Barz & Denzler, WACV 2019), "
        f"with its {100 * settings.evaluate.confidence:g} % interval; classes are as near as their lowest "
        "common ancestor is low (LCSH), or by Wu and Palmer's measure (WUP). mAP counts pictures of the same class. "
        "p, place and group: see *How sure is the order*."
    )
    head = ["split", "method", f"AHP@{settings.evaluate.clip}", *cells.heads(names), *cells.STANDING]
    return ["## Pictures by pictures", note, cells.table(head, rows)]


def _rows(
    boards: dict[str, pd.DataFrame],
    splits: dict[str, dict[str, Any]],
    settings: params.Params,
    metric: str,
    names: list[str],
) -> list[list[str]]:
    """Of each split its methods by `metric`, the best first, with the metrics `names`, and what chance gives."""
    rows = []
    for split, each in boards.items():
        for line in _best_first(each[each[metric].notna()], metric):
            method, interval = cells.method(line, metric, settings), cells.interval(line, metric)
            rows.append([split, method, interval, *cells.values(line, names), *cells.standing(line, metric)])
        rows.append([split, "chance", *cells.levels(splits[split]["chance"], [metric, *names]), "", "", ""])
    return rows


def shared(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Retrieval of pictures by pictures that have several labels each."""
    metric = f"{SHARED}/map"
    board = next(iter(boards.values()))
    if metric not in board or board[metric].isna().all():
        return []
    names = [name for name in by_catalogue(board) if name.startswith(f"{SHARED}/") and name != metric]
    rows = _rows(boards, splits, settings, metric, names)
    note = (
        "Pictures have several labels each. Each picture looks, by the cosine of the embeddings, for those that share "
        f"a label with it among those of its split: mAP, with its {100 * settings.evaluate.confidence:g} % "
        "interval, R@k in percent, and P@k. ACG@k is the mean number of labels that the first k share, nDCG@k counts "
        "2 to that number, and WAP is the mean average precision weighted by it (Zhao et al., CVPR 2015). p, place "
        "and group: see *How sure is the order*."
    )
    return [
        "## Pictures by shared labels",
        note,
        cells.table(["split", "method", "mAP", *cells.heads(names), *cells.STANDING], rows),
    ]


def codes(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Search by Hamming distance, of the methods that make binary codes."""
    metric, options = "hamming/map", settings.evaluate
    boards = {split: board[board[metric].notna()] for split, board in boards.items() if metric in board}
    boards = {split: board for split, board in boards.items() if len(board)}
    if not boards:
        return []
    first = next(iter(boards.values()))
    precision = [f"hamming/precision@{k}" for k in options.precision_ks if f"hamming/precision@{k}" in first]
    wanted = [f"hamming/map@{options.hamming_topk}", *precision[-1:], "hamming/precision_radius2"]
    wanted += [name for name in by_catalogue(first) if name.startswith(("hamming/WAP", "hamming/NDCG"))]
    names = [name for name in wanted if name in first]
    rows = []
    for split, board in boards.items():
        for line in _best_first(board, metric):
            method, interval = cells.method(line, metric, settings), cells.interval(line, metric)
            bits, told = f"{line['hamming/bits']:.0f}", cells.standing(line, metric)
            rows.append([split, method, bits, interval, *cells.values(line, names), *told])
        rows.append([split, "chance", "", *cells.levels(splits[split]["chance"], [metric, *names]), "", "", ""])
    several = f"{SHARED}/map" in first
    sought, missing = (
        ("those that share a label", "that share none") if several else ("its class", "whose class is not")
    )
    note = (
        f"Each picture looks for {sought} among {_searched(settings)} by the Hamming distance of codes, the signs of "
        "the embeddings. mAP counts all answers, those at the same distance by the exact expectation over their orders "
        f"(He et al., CVPR 2018), with its {100 * options.confidence:g} % interval; P@k is the precision of "
        "the first k, P@radius 2 that of all within two bits, 0 where there are none. Pictures "
        f"{missing} there are left out. p, place and group: see *How sure is the order*."
    )
    head = ["split", "method", "bits", "mAP", *cells.heads(names), *cells.STANDING]
    return ["## Binary codes", note, cells.table(head, rows)]


def _best_first(board: pd.DataFrame, metric: str) -> list[pd.Series]:
    return [line for _, line in board.sort_values(metric, ascending=False, kind="stable").iterrows()]


REST = "the pictures that are neither trained on nor asked for"


def _searched(settings: params.Params) -> str:
    named = {"same": "the others of its split", "train": "the pictures that are not for testing", "rest": REST}
    return named[settings.evaluate.database]


def database(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Search of the training pictures by the cosine, where it was asked for."""
    names, first = ["database/map", "database/knn_accuracy"], next(iter(boards.values()))
    if f"{SHARED}/map" in first:
        names = [name for name in by_catalogue(first) if name.startswith("database/")]
    rows = []
    for split, board in boards.items():
        if names and names[0] in board and board[names[0]].notna().any():
            rows += [[split, line["method"], *cells.values(line, names)] for line in _best_first(board, names[0])]
            rows.append([split, "chance", *cells.levels(splits[split]["chance"], names)])
    if not rows:
        return []
    among = REST if settings.evaluate.database == "rest" else "the training pictures"
    note = (
        f"Each picture looks for its class among {among}, by the cosine of the embeddings: mean average "
        f"precision, and how often (percent) the {settings.evaluate.knn} nearest vote for its class."
    )
    if names[1:] != ["database/knn_accuracy"]:
        note = (
            f"Each picture looks for those that share a label with it among {among}, by the cosine of the embeddings; "
            "columns as of the pictures of its split."
        )
    head = ["split", "method", *cells.heads(names)]
    return ["## Training pictures by pictures", note, cells.table(head, rows)]


def metric_learning(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]]) -> list[str]:
    """What metric-learning papers report, where it was asked for."""
    first = next(iter(boards.values()))
    names = [name for name in metrics_of(first) if name.startswith("metric_learning/")]
    rows = []
    for split, board in boards.items():
        known = board[board[names].notna().any(axis=1)] if set(names) <= set(board) else board[:0]
        if len(known):
            lines = _best_first(known, "metric_learning/map@r")
            rows += [[split, line["method"], *cells.values(line, names)] for line in lines]
            rows.append([split, "chance", *cells.levels(splits[split]["chance"], names)])
    if not rows:
        return []
    note = (
        "Each picture looks for its class among the others of its split, by the cosine: Recall@k in percent, "
        "R-precision and MAP@R (Musgrave et al., ECCV 2020); normalised and adjusted mutual information of the classes "
        "with k-means clusters. Pictures alone in their class are left out."
    )
    return ["## Metric learning", note, cells.table(["split", "method", *cells.heads(names)], rows)]


def predictions(board: pd.DataFrame) -> list[str]:
    """Accuracy of the methods that predict classes, in every way they do."""
    keys = list(dict.fromkeys(name.split("/")[1] for name in by_catalogue(board) if name.split("/")[0] in PREDICTORS))
    rows = [
        [line["method"], GROUPS[way].title, *(_or_dash(line, f"{way}/{key}") for key in keys)]
        for _, line in board.iterrows()
        for way in PREDICTORS
        if any(not pd.isna(line.get(f"{way}/{key}", np.nan)) for key in ("accuracy", "label_map"))
    ]
    if not rows:
        return []
    note = "Percent of pictures. Balanced: the mean over classes. Hierarchical: wrong ones count by their similarity."
    heads = [head.removesuffix(" accuracy") for head in cells.heads([f"{PREDICTORS[0]}/{key}" for key in keys])]
    title = f"## Predicted classes, split {board['split'].iloc[0]}"
    return [title, note, cells.table(["method", "by", *heads], rows)]


def _or_dash(line: pd.Series, name: str) -> str:
    return cells.value(line, name) if name in line else "–"
