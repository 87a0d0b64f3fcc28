"""The leaderboard as a Markdown document."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from kith.errors import KithError
from stages import params
from stages.params.towers import ENCODER
from stages.reporting import cells, order
from stages.reporting.choices import chosen
from stages.reporting.pairs import details, pairs
from stages.reporting.pictures import codes, database, metric_learning, pictures, predictions, shared


def document(
    settings: params.Params,
    board: pd.DataFrame,
    differences: pd.DataFrame,
    splits: dict[str, dict[str, Any]],
    dataset: dict[str, Any],
    quality: dict[str, float],
    encoders: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
) -> str:
    """The whole page. differences: of the methods by pairs. `splits`, see compare.together: the numbers of queries and
    the chance levels are shown. encoders: see stages.reporting.encoders. missing: methods that could not be ranked, and
    why."""
    study = settings.study
    names = list(dict.fromkeys(board["split"]))
    boards = {name: board[board["split"] == name] for name in names}
    first = names[0]
    sections = [
        f"# Leaderboard: {study.name}",
        about(dataset),
        " ".join(filter(None, ["Made by `dvc repro` or `snakemake --cores 2`.", cells.free(study.note)])),
        budget(settings),
        *([f"Encoders: {'; '.join(map(cells.free, encoders))}."] if encoders else []),
        *not_ranked(missing or {}),
        *(pairs(boards, splits, settings) if "mean/mrr" in board else []),
        *pictures(boards, splits, settings),
        *shared(boards, splits, settings),
        *codes(boards, splits, settings),
        *database(boards, splits, settings),
        *how_sure(boards[first], differences, settings),
        *metric_learning(boards, splits),
        *chosen(boards, settings),
        *predictions(boards[first]),
        *details(boards[first], splits[first]),
        *expected(settings, board),
        *semantic_space(quality, dataset),
    ]
    return "\n\n".join(sections) + "\n"


def not_ranked(missing: Mapping[str, str]) -> list[str]:
    """The methods that are missing, with the reason."""
    if not missing:
        return []
    note = "The study has these methods too. All that follows is of the others alone."
    rows = [[name, cells.free(reason)] for name, reason in missing.items()]
    return ["## Not ranked", note, cells.table(["method", "reason"], rows)]


def how_sure(board: pd.DataFrame, differences: pd.DataFrame, settings: params.Params) -> list[str]:
    """What is known of the order of the methods of one split."""
    known = order.orders(board, differences, settings)
    if not known:
        return []
    rows = [[each.metric, letter, ", ".join(names)] for each in known for letter, names in each.groups.items()]
    said = [sentence for each in known for sentence in each.sentences]
    told = [" ".join([*said, order.power()])] if said else []
    table = cells.table(["by", "group", "methods that cannot be told apart"], rows)
    return [f"## How sure is the order, split {board['split'].iloc[0]}", order.meaning(settings), table, *told]


def about(dataset: dict[str, Any]) -> str:
    """One line on the data set."""
    facts = [
        ", ".join(f"{n:,} {split}" for split, n in dataset["counts"].items()) + " items",
        f"{dataset['texts']:,} texts" if dataset["texts"] else "",
        *(f"{side} {shape}" for side, shape in input_shapes(dataset).items()),
        f"{dataset['labels']:,} labels" if dataset["labels"] else "",
        f"licence: {cells.free(dataset['licence'])}",
    ]
    alone = " The items are texts: where it says pictures below, it means them." if dataset.get("of") == "texts" else ""
    return f"Data set **{cells.free(dataset['name'])}**: {'; '.join(filter(None, facts))}.{alone}"


def input_shapes(dataset: dict[str, Any]) -> dict[str, str]:
    """Shapes of pictures and features: {"pictures": "32×32×1"}, {"image features": "4096", …}."""
    shapes = {f"{side} features": feature["shape"] for side, feature in (dataset.get("features") or {}).items()}
    if dataset["image"] and dataset.get("of") != "texts":
        shapes = {"pictures": [dataset["image"][side] for side in ("height", "width", "channels")], **shapes}
    return {name: "×".join(map(str, shape)) for name, shape in shapes.items()}


def budget(settings: params.Params) -> str:
    """What every method was given to train with, and which methods were given something else."""
    plans = {name: _plan(**settings.told(name)) for name in settings.study.methods}
    usual = max(plans.values(), key=list(plans.values()).count)
    others = "".join(
        f" {', '.join(f'**{name}**' for name in plans if plans[name] == plan)}: {plan}."
        for plan in dict.fromkeys(plans.values())
        if plan != usual
    )
    return f"Training: {usual}; seeds: {', '.join(map(str, settings.study.seeds))}.{others}"


def _plan(parameters: dict[str, Any], texts: bool, targets: bool) -> str:
    train = parameters["train"]
    layer = {"unit": "", "learned": ", a learned projection", "cca": ", a CCA layer"}[train["projection"]["kind"]]
    written = f", {_tower(train['text'])} for texts" if texts else ""
    width = f"{train['dim']} dimensions{layer}"
    if train["head"] == "none":
        width = "its own dimensions"
    elif targets:
        width = "the dimensions of the class embeddings"
    epochs = f"{train['epochs']} epochs in batches of {train['batch_size']}"
    return f"{epochs}, {_tower(train['image'])} for pictures{written}, {width}"


def _tower(options: dict[str, Any]) -> str:
    """A tower and its size, and the encoder whose features it takes."""
    tower = options["tower"]
    if tower == ENCODER:
        return f"{options['encoder']}, trained on,"
    if "encoder" in options:
        return f"{tower} on {options['encoder']}"
    match tower:
        case "resnet":
            return f"resnet-{options['depth']} of width {options['width']}"
        case "cnn" | "vgg":
            return f"{tower} of width {options['width']}"
        case "mlp" | "tfidf":
            return f"{tower} of {options['layers']} × {options['hidden']} units"
        case "gru" | "bag":
            return f"{tower} of {options['hidden']} units"
    return str(tower)


def has_semantic_space(quality: dict[str, float], dataset: dict[str, Any]) -> bool:
    """Whether any training item has a neighbour in meaning."""
    return quality.get("without_neighbors", 0) < dataset["groups"]["train"]


def semantic_space(quality: dict[str, float], dataset: dict[str, Any]) -> list[str]:
    """How good the space of meaning is, where there is one."""
    if not has_semantic_space(quality, dataset):
        return []
    note = "How well the space of meaning, which neighbours are taken from, keeps together what belongs together."
    rows = [[name, f"{value:.3f}"] for name, value in quality.items()]
    return ["## Semantic space", note, cells.table(["figure", "value"], rows)]


def expected(settings: params.Params, board: pd.DataFrame) -> list[str]:
    """Every metric that the study expects, against what was reached."""
    rows = [
        [
            method,
            key,
            f"{each.value:g}",
            f"{each.tolerance:g}",
            *verdict(board, method, key, each),
            cells.free(each.source),
        ]
        for method, metrics in settings.expect.items()
        for key, each in metrics.items()
    ]
    if not rows:
        return []
    head = ["method", "figure", "expected", "tolerance", "reached", "verdict", "source"]
    return ["## Expected values", cells.table(head, rows)]


def verdict(board: pd.DataFrame, method: str, key: str, expected: params.Expected) -> tuple[str, str]:
    """The value reached, and whether it is equal (in the digits that are expected), within tolerance, or off.

    `key` is "<split>/<metric>". Raises KithError if the leaderboard has no such split or metric.
    """
    split, _, name = key.partition("/")
    lines = board[board["split"] == split]
    if lines.empty or name not in lines or pd.isna(lines[name]).all():
        raise KithError(f"params.yaml: expect.{method}.{key}: no such metric; see leaderboard.csv for split/metric")
    if method not in set(lines["method"]):
        return "", "not run"
    value = float(lines.loc[lines["method"] == method, name].iloc[0])
    digits = -int(Decimal(str(expected.value)).as_tuple().exponent)
    if round(value, digits) == expected.value:
        return f"{value:.{digits}f}", "equal"
    within = abs(value - expected.value) <= expected.tolerance * (1 + 1e-9)
    return f"{value:.{digits + 1}f}", "within tolerance" if within else "**off**"
