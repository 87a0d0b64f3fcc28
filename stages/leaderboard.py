"""The leaderboard as a Markdown document."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.metrics.gallery import IMAGES
from stages import params
from stages.choices import choices

DIRECTIONS = {"text_to_image": "t→i", "image_to_text": "i→t"}
MAIN = ("R@1", "R@10", "mrr", "median_rank")
MEASURES = {"r_precision": "R-precision", "map@r": "MAP@R", "nmi": "NMI", "ami": "AMI"}
PREDICTORS = {"classifier": "classifier", "nearest": "nearest class embedding", "svm": "linear SVM"}


def document(
    settings: params.Params,
    board: pd.DataFrame,
    splits: dict[str, dict[str, Any]],
    dataset: dict[str, Any],
    quality: dict[str, float],
) -> str:
    """The whole page. `splits` is any run's: of it, the numbers of queries and the chance levels are shown."""
    study = settings.study
    names = list(dict.fromkeys(board["split"]))
    boards = {name: board[board["split"] == name] for name in names}
    first = names[0]
    sections = [
        f"# Leaderboard: {study.name}",
        about(dataset),
        " ".join(filter(None, ["Made by `dvc repro` or `snakemake --cores 2`.", study.note])),
        budget(settings),
        *(pairs(boards, splits, settings) if "mean/mrr" in board else []),
        *pictures(boards, splits, settings),
        *codes(boards, splits, settings),
        *database(boards, splits, settings),
        *metric_learning(boards, splits),
        *chosen(boards, settings),
        *predictions(boards[first]),
        *details(boards[first], splits[first]),
        *expected(settings, board),
        *semantic_space(quality, dataset),
    ]
    return "\n\n".join(sections) + "\n"


def pairs(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Retrieval between texts and pictures: the methods that know both."""
    able = {name: board[board["mean/mrr"].notna()] for name, board in boards.items()}
    first = next(iter(able))
    return [
        f"## Split {first}",
        ranking(able[first], splits[first], settings),
        legend(settings, splits[first]),
        *other_splits({name: board for name, board in able.items() if name != first}, splits, settings),
    ]


def pictures(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Retrieval of pictures by pictures, where there are labels: how near in the taxonomy is what is found."""
    ahp = f"{IMAGES}/AHP@{settings.evaluate.clip}"
    rows = []
    board = next(iter(boards.values()))
    if ahp not in board or board[ahp].isna().all():
        return []
    names = [f"{IMAGES}/HP@{k}" for k in settings.evaluate.precision_ks] + [f"{IMAGES}/map", f"{ahp}_wup"]
    names = [name for name in names if name in board]
    for split, each in boards.items():
        for _, line in each[each[ahp].notna()].sort_values(ahp, ascending=False, kind="stable").iterrows():
            interval = f"{_figure(line, ahp)} [{line['ahp low']:.3f}, {line['ahp high']:.3f}]"
            figures = (_figure(line, name) for name in names)
            rows.append([split, _method(line, settings, "ahp p"), interval, *figures, _p(line["ahp p"])])
        chance = splits[split]["chance"]
        levels = (_number(chance[name], name) if name in chance else "" for name in [ahp, *names])
        rows.append([split, "chance", *levels, ""])
    note = (
        "Each picture looks for pictures of near classes among those of its split. HP@k is the hierarchical "
        f"precision of the first k answers, AHP@{settings.evaluate.clip} its mean over k (Barz & Denzler, WACV 2019), "
        f"with its {100 * settings.evaluate.confidence:g} % bootstrap interval; classes are as near as their lowest "
        "common ancestor is low (LCSH), or by Wu and Palmer's measure (WUP). mAP counts pictures of the same class. "
        "p is of a paired randomisation test against the **best** of the split."
    )
    head = ["split", "method", f"AHP@{settings.evaluate.clip}", *(_title(name) for name in names), "p"]
    return ["## Pictures by pictures", note, table(head, rows)]


def codes(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Search by Hamming distance, of the methods that make binary codes."""
    figure, options = "hamming/map", settings.evaluate
    boards = {split: board[board[figure].notna()] for split, board in boards.items() if figure in board}
    boards = {split: board for split, board in boards.items() if len(board)}
    if not boards:
        return []
    first = next(iter(boards.values()))
    precision = [f"hamming/precision@{k}" for k in options.precision_ks if f"hamming/precision@{k}" in first]
    wanted = [f"hamming/map@{options.hamming_topk}", *precision[-1:], "hamming/precision_radius2"]
    names = [name for name in wanted if name in first]
    rows = []
    for split, board in boards.items():
        for _, line in board.sort_values(figure, ascending=False, kind="stable").iterrows():
            interval = f"{_figure(line, figure)} [{line['hamming low']:.3f}, {line['hamming high']:.3f}]"
            figures = [_figure(line, name) for name in names]
            method = _method(line, settings, "hamming p")
            rows.append([split, method, f"{line['hamming/bits']:.0f}", interval, *figures, _p(line["hamming p"])])
        chance = splits[split]["chance"]
        levels = (_number(chance[name], name) if name in chance else "" for name in [figure, *names])
        rows.append([split, "chance", "", *levels, ""])
    note = (
        f"Each picture looks for its class among {_searched(settings)} by the Hamming distance of codes, the signs of "
        "the embeddings. mAP counts all answers, those at the same distance by the exact expectation over their orders "
        f"(He et al., CVPR 2018), with its {100 * options.confidence:g} % bootstrap interval; P@k is the precision of "
        "the first k, P@radius 2 that of all within two bits, 0 where there are none. Pictures whose class is not "
        "there are left out. p is of a paired randomisation test against the **best** of the split."
    )
    head = ["split", "method", "bits", "mAP", *(_title(name) for name in names), "p"]
    return ["## Binary codes", note, table(head, rows)]


def database(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Search of the training pictures by the cosine, where it was asked for."""
    names = ["database/map", "database/knn_accuracy"]
    rows = []
    for split, board in boards.items():
        if names[0] in board and board[names[0]].notna().any():
            rows += [[split, line["method"], *(_figure(line, name) for name in names)] for _, line in board.iterrows()]
            rows.append([split, "chance", _number(splits[split]["chance"][names[0]], names[0]), ""])
    if not rows:
        return []
    note = (
        "Each picture looks for its class among the training pictures, by the cosine of the embeddings: mean average "
        f"precision, and how often (percent) the {settings.evaluate.knn} nearest vote for its class."
    )
    head = ["split", "method", "mAP", "k-NN accuracy"]
    return ["## Training pictures by pictures", note, table(head, rows)]


def metric_learning(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]]) -> list[str]:
    """What metric-learning papers report, where it was asked for."""
    first = next(iter(boards.values()))
    names = [name for name in first if name.startswith("metric_learning/") and not name.endswith(" sd")]
    rows = []
    for split, board in boards.items():
        known = board[board[names].notna().any(axis=1)] if set(names) <= set(board) else board[:0]
        rows += [[split, line["method"], *(_figure(line, name) for name in names)] for _, line in known.iterrows()]
        if len(known):
            chance = splits[split]["chance"]
            rows.append([split, "chance", *(_number(chance[name], name) if name in chance else "" for name in names)])
    if not rows:
        return []
    note = (
        "Each picture looks for its class among the others of its split, by the cosine: Recall@k in percent, "
        "R-precision and MAP@R (Musgrave et al., ECCV 2020); normalised and adjusted mutual information of the classes "
        "with k-means clusters. Pictures alone in their class are left out."
    )
    return ["## Metric learning", note, table(["split", "method", *map(_title, names)], rows)]


def chosen(boards: dict[str, pd.DataFrame], settings: params.Params) -> list[str]:
    """Which method of each choice the validation split prefers, and what that one reaches on the test split."""
    lines = choices(boards, settings)
    if lines.empty:
        return []
    rows = []
    for _, line in lines.iterrows():
        best = not pd.isna(line["test"])
        name = f"**{line['method']}**" if best else line["method"]
        test = f"{line['test']:.3f}" if best else ""
        rows.append([line["choice"], _title(line["by"]), name, f"{line['val']:.3f}", test])
    note = "The **best** of each choice by the validation split alone; of the test split only its figure counts."
    return ["## Chosen on validation", note, table(["choice", "by", "method", "val", "test"], rows)]


def _searched(settings: params.Params) -> str:
    return (
        "the pictures that are not for testing" if settings.evaluate.database == "train" else "the others of its split"
    )


def predictions(board: pd.DataFrame) -> list[str]:
    """Accuracy of the methods that predict classes, in every way they do."""
    names = ("accuracy", "balanced_accuracy", "top5_accuracy", "hierarchical_accuracy")
    rows = [
        [line["method"], title, *(_figure(line, f"{way}/{name}") if f"{way}/{name}" in line else "–" for name in names)]
        for _, line in board.iterrows()
        for way, title in PREDICTORS.items()
        if not pd.isna(line.get(f"{way}/accuracy", np.nan))
    ]
    if not rows:
        return []
    note = "Percent of pictures. Balanced: the mean over classes. Hierarchical: wrong ones count by their similarity."
    head = ["method", "by", "accuracy", "balanced", "top 5", "hierarchical"]
    return [f"## Predicted classes, split {board['split'].iloc[0]}", note, table(head, rows)]


def about(dataset: dict[str, Any]) -> str:
    """One line on the data set."""
    facts = [
        ", ".join(f"{n:,} {split}" for split, n in dataset["counts"].items()) + " items",
        f"{dataset['texts']:,} texts" if dataset["texts"] else "",
        *(f"{side} {shape}" for side, shape in views(dataset).items()),
        f"{dataset['labels']:,} labels" if dataset["labels"] else "",
        f"licence: {dataset['licence']}",
    ]
    return f"Data set **{dataset['name']}**: {'; '.join(filter(None, facts))}."


def views(dataset: dict[str, Any]) -> dict[str, str]:
    """Shapes of pictures and features: {"pictures": "32×32×1"}, {"image features": "4096", …}."""
    shapes = {f"{side} features": feature["shape"] for side, feature in (dataset.get("features") or {}).items()}
    if dataset["image"]:
        shapes = {"pictures": [dataset["image"][side] for side in ("height", "width", "channels")], **shapes}
    return {name: "×".join(map(str, shape)) for name, shape in shapes.items()}


def budget(settings: params.Params) -> str:
    """What every method was given to train with, and which methods were given something else."""
    plans = {name: _plan(settings.method(name)) for name in settings.study.methods}
    usual = max(plans.values(), key=list(plans.values()).count)
    others = "".join(
        f" {', '.join(f'**{name}**' for name in plans if plans[name] == plan)}: {plan}."
        for plan in dict.fromkeys(plans.values())
        if plan != usual
    )
    return f"Training: {usual}; seeds: {', '.join(map(str, settings.study.seeds))}.{others}"


def _plan(method: params.Method) -> str:
    train = method.train
    layer = {"unit": "", "learned": ", a learned projection", "cca": ", a CCA layer"}[train.projection.kind]
    texts = f", {_tower(train.text)} for texts" if method.uses_texts else ""
    width = f"{train.dim} dimensions{layer}"
    if train.head == "none":
        width = "its own dimensions"
    elif method.uses_targets:
        width = "the dimensions of the class embeddings"
    return f"{train.epochs} epochs in batches of {train.batch_size}, {_tower(train.image)} for pictures{texts}, {width}"


def _tower(options: params.ImageTower | params.TextTower) -> str:
    """A tower and its size."""
    match options.tower:
        case "resnet":
            return f"resnet-{options.depth} of width {options.width}"
        case "cnn" | "vgg":
            return f"{options.tower} of width {options.width}"
        case "mlp" | "tfidf":
            return f"{options.tower} of {options.layers} × {options.hidden} units"
        case "gru" | "bag":
            return f"{options.tower} of {options.hidden} units"
    return options.tower


def ranking(board: pd.DataFrame, split: dict[str, Any], settings: params.Params) -> str:
    """The methods of one split in their order, and chance."""
    names = [f"{d}/{name}" for d in DIRECTIONS for name in MAIN if f"{d}/{name}" in board]
    rows = [
        [_method(line, settings), _mrr(line), *(_figure(line, name) for name in names), _p(line["p"])]
        for _, line in board.iterrows()
    ]
    rows.append(["chance", *(_number(split["chance"][name], name) for name in ["mean/mrr", *names]), ""])
    return table(["method", "MRR", *map(_title, names), "p"], rows)


def legend(settings: params.Params, split: dict[str, Any]) -> str:
    """What the columns of the ranking mean."""
    asked = " and ".join(f"{n:,} {d.replace('_to_', ' → ')}" for d, n in split["queries"].items() if d in DIRECTIONS)
    notes = [
        f"Queries: {asked}",
        "t→i finds pictures by text, i→t texts by picture; R@k in percent",
        f"MRR is the mean of both directions, with its {100 * settings.evaluate.confidence:g} % bootstrap interval",
        f"p is Holm-corrected, of a paired randomisation test ({settings.compare.permutations:,} permutations) of "
        "MRR against the **best**; interval and test take the queries of a group together",
        f"≈ marks what does not differ from the best at the {settings.compare.significance:g} level",
    ]
    if len(settings.study.seeds) > 1:
        notes.append("± is the standard deviation over seeds; interval and test are of the mean over seeds")
    return ". ".join(notes) + "."


def other_splits(
    boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params
) -> list[str]:
    """A narrower table for the splits that do not decide."""
    if not boards:
        return []
    rows = []
    for split, board in boards.items():
        names = [f"{d}/R@1" for d in DIRECTIONS if f"{d}/R@1" in board]
        for _, line in board.iterrows():
            figures = (_figure(line, name) for name in names)
            rows.append([split, _method(line, settings), _mrr(line), *figures, _p(line["p"])])
        chance = splits[split]["chance"]
        rows.append([split, "chance", *(_number(chance[name], name) for name in ["mean/mrr", *names]), ""])
    return ["## Other splits", table(["split", "method", "MRR", *map(_title, names), "p"], rows)]


def details(board: pd.DataFrame, split: dict[str, Any]) -> list[str]:
    """N-way accuracy and semantic neighbourhoods, where they were measured."""
    ways = [name for name in split["metrics"] if name.endswith("way")]
    near = [name for name in split["metrics"] if name.startswith("neighborhood/")]
    sections = []
    if ways:
        chance = ["chance", *(_number(split["chance"][name], name) for name in ways)]
        note = (
            "Percent of queries whose partner comes first among N candidates: drawn at random, or nearest in meaning."
        )
        sections += ["## N-way accuracy", note, _plain(board, ways, chance)]
    if near:
        left = split["without_meaning"]
        note = "How far the nearest pictures, and texts, of an item are those nearest in meaning"
        note += f" ({left:,} items without usable words are left out)." if left else "."
        sections += ["## Semantic neighbourhoods", note, _plain(board, near)]
    return sections


def has_meaning(quality: dict[str, float], dataset: dict[str, Any]) -> bool:
    """Whether any training item has a neighbour in meaning."""
    return quality.get("without_neighbors", 0) < dataset["groups"]["train"]


def semantic_space(quality: dict[str, float], dataset: dict[str, Any]) -> list[str]:
    """How good the space of meaning is, where there is one."""
    if not has_meaning(quality, dataset):
        return []
    note = "How well the space of meaning, which neighbours are taken from, keeps together what belongs together."
    rows = [[name, f"{value:.3f}"] for name, value in quality.items()]
    return ["## Semantic space", note, table(["figure", "value"], rows)]


def expected(settings: params.Params, board: pd.DataFrame) -> list[str]:
    """Every figure that the study expects, against what was reached."""
    rows = [
        [method, key, f"{each.value:g}", f"{each.tolerance:g}", *verdict(board, method, key, each), each.source]
        for method, figures in settings.expect.items()
        for key, each in figures.items()
    ]
    if not rows:
        return []
    head = ["method", "figure", "expected", "tolerance", "reached", "verdict", "source"]
    return ["## Expected values", table(head, rows)]


def verdict(board: pd.DataFrame, method: str, key: str, expected: params.Expected) -> tuple[str, str]:
    """The value reached, and whether it is equal (in the digits that are expected), within tolerance, or off.

    `key` is "<split>/<figure>". Raises KithError if the leaderboard has no such split or figure.
    """
    split, _, name = key.partition("/")
    lines = board[board["split"] == split]
    if lines.empty or name not in lines or pd.isna(lines[name]).all():
        raise KithError(f"params.yaml: expect.{method}.{key}: no such figure; see leaderboard.csv for split/figure")
    if method not in set(lines["method"]):
        return "", "not run"
    value = float(lines.loc[lines["method"] == method, name].iloc[0])
    digits = -int(Decimal(str(expected.value)).as_tuple().exponent)
    if round(value, digits) == expected.value:
        return f"{value:.{digits}f}", "equal"
    within = abs(value - expected.value) <= expected.tolerance * (1 + 1e-9)
    return f"{value:.{digits + 1}f}", "within tolerance" if within else "**off**"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _plain(board: pd.DataFrame, names: list[str], *more: list[str]) -> str:
    known = board[board[names].notna().any(axis=1)]
    rows = [[line["method"], *(_figure(line, name) for name in names)] for _, line in known.iterrows()]
    return table(["method", *map(_title, names)], [*rows, *more])


def _method(line: pd.Series, settings: params.Params, p: str = "p") -> str:
    if np.isnan(line[p]):
        return f"**{line['method']}**"
    return f"≈ {line['method']}" if line[p] > settings.compare.significance else line["method"]


def _mrr(line: pd.Series) -> str:
    return f"{_figure(line, 'mean/mrr')} [{line['low']:.3f}, {line['high']:.3f}]"


def _figure(line: pd.Series, name: str) -> str:
    if pd.isna(line[name]):
        return "–"
    spread = line.get(f"{name} sd")
    return _number(line[name], name) + ("" if spread is None else f" ± {_number(spread, name)}")


def _number(value: float, name: str) -> str:
    percent = "R@" in name or name.endswith(("way", "knn_accuracy")) or name.partition("/")[0] in PREDICTORS
    return f"{value:.1f}" if percent or name.endswith("rank") else f"{value:.3f}"


def _p(p: float) -> str:
    return "" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _title(name: str) -> str:
    """Column title of a figure: "text_to_image/hard_5way" → "t→i hard 5-way"."""
    place, figure = name.split("/")
    if place == "metric_learning":
        return MEASURES.get(figure, figure)
    if place == "hamming":
        return figure.replace("map", "mAP").replace("precision_radius", "P@radius ").replace("precision@", "P@")
    if figure.endswith("_wup"):
        return f"{figure.removesuffix('_wup')} (WUP)"
    if place == IMAGES:
        return figure.replace("map", "mAP")
    figure = figure.replace("way", "-way").replace("_", " ").replace("mrr", "MRR").replace("ndcg", "nDCG")
    return f"{DIRECTIONS[place]} {figure}" if place in DIRECTIONS else figure
