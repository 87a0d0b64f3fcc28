"""Measure retrieval on the held-out splits, each a gallery of its own, with bootstrap intervals."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation import gallery as measures
from kith.evaluation.chance import chance_level
from kith.evaluation.gallery import DIRECTIONS, IMAGES, Gallery, Side
from kith.evaluation.statistics import Resamples, percentile_interval
from kith.metrics.pairs import distance_summary
from kith.similarity import top_candidates
from stages import cli, contract, evaluate_classes, evaluate_codes, evaluate_metric_learning, files, params, tracking
from stages.evaluate_classes import HITS, KnownClasses, Search
from stages.evaluate_codes import Database

DECIMALS = 6  # beyond them, the order of additions shows
BOTH = ("mrr", "R@1", "R@10")  # also reported as the mean of the two directions
LINES = {  # what is printed of a direction after its ranks: title → figure
    "Mean Dist": "pairs/mean_distance",
    "MRR": "mrr",
    "Min Dist": "pairs/min_distance",
    "Max Dist": "pairs/max_distance",
    "Med Dist": "pairs/median_distance",
}


class Estimate(NamedTuple):
    """A figure, and what it is in every bootstrap draw; no draws where they say nothing of its spread."""

    value: float
    drawn: np.ndarray


def main(
    *,
    method: str,
    seed: int,
    data: Path,
    text: Path,
    taxonomy: Path,
    images: Path,
    texts: Path,
    rows: Path,
    scores: Path,
    metrics: Path,
    queries: Path,
) -> None:
    """Write the figures of one trained run to --metrics and one row a query to --queries."""
    options = params.load().evaluate
    items = contract.items(data)
    galleries = read(items, contract.semantic_vectors(text), images, texts, rows)
    known = evaluate_classes.read(items, taxonomy, images, rows, scores, options)
    database = evaluate_codes.read(items, known.labels, images, rows, options)
    splits, tables = {}, []
    for split, gallery in galleries.items():
        splits[split], table = measure(gallery, known, database.without(split), options)
        asked = [direction for direction in DIRECTIONS if direction in splits[split]["queries"]]
        print("\n\n".join(block(split, splits[split], direction) for direction in asked), end="\n\n" if asked else "")
        table["group"] = items["group"].to_numpy()[table["row"]]
        tables.append(table.assign(split=split))
    result = {"method": method, "seed": seed, "splits": splits}
    columns = ["split", "direction", "row", "text", "group", "rank", "reciprocal_rank", "average_precision", "ahp"]
    columns += [evaluate_codes.COLUMN, "hits", "similarities"]
    files.write_parquet(queries, pd.concat(tables, ignore_index=True)[columns])
    files.write_json(metrics, result)
    artifacts, model = [metrics, queries], images.with_name("model.pt")
    tracking.log_evaluation(method=method, seed=seed, metrics=result, artifacts=artifacts, model=model)


def read(items: pd.DataFrame, meaning: Any, images: Path, texts: Path, rows: Path) -> dict[str, Gallery]:
    """The gallery of every split that is measured: test, the other test sets, val."""
    names, groups = items["split"].to_numpy(), contract.group_codes(items)
    if meaning.shape[0] != len(items):
        raise KithError(f"the text stage placed {meaning.shape[0]} items, there are {len(items)}; run it again")
    with np.load(rows) as embedded:
        sides = [
            _side(path, rows, embedded, name, items, groups)
            for path, name in ((images, "image_rows"), (texts, "text_rows"))
        ]
    found = {split for side in sides for split in names[side.items]}
    wanted = sorted((s for s in found if s.startswith("test")), key=lambda s: (s != "test", s))
    wanted += ["val"] if "val" in found else []
    if not wanted:
        raise KithError(f"{rows}: holds no item of a test split or of val; see embed.splits in params.yaml")
    galleries = {}
    for split in wanted:
        pictures, written = (side[names[side.items] == split] for side in sides)
        galleries[split] = gallery = Gallery(pictures, written, meaning)
        if len(sides[1].items) and not len(gallery.sides(DIRECTIONS[0])[0].items):
            raise KithError(f"{rows}: split '{split}' has no text whose group has a picture; nothing to measure")
    return galleries


def _side(path: Path, rows_path: Path, embedded: Any, name: str, items: pd.DataFrame, groups: np.ndarray) -> Side:
    vectors, rows = np.load(path), embedded[name]
    known = np.concatenate([[0], rows, [len(items) - 1]])  # ascending if every row is one of the items'
    if len(vectors) != len(rows) or (np.diff(known) < 0).any():
        raise KithError(f"{path} ({len(vectors)} rows) and {rows_path}, {name} do not match; embed again")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        item = items["id"].iloc[rows[bad[0]]]
        raise KithError(f"{path}: row {bad[0]} (item '{item}') is not finite; train again, with a lower lr")
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return Side(vectors, rows, groups[rows], places)


def measure(
    gallery: Gallery, known: KnownClasses, database: Database, options: params.Evaluate
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The split's entry of metrics.json, and its rows of queries.parquet (without split and group)."""
    groups = np.unique(np.concatenate([gallery.images.groups, gallery.texts.groups]))
    resamples = Resamples(len(groups), options.bootstrap, options.seed)
    estimates: dict[str, Estimate] = {}
    chance: dict[str, float] = {}
    searches = {d: search(gallery, d, options) for d in DIRECTIONS} if len(gallery.texts.items) else {}
    asked = {direction: gallery.sides(direction)[0].groups for direction in searches}
    for name, (found, of_groups) in evaluate_classes.searches(gallery.images, known, options).items():
        searches[name], asked[name] = found, of_groups
    if not searches:
        raise KithError("a method without texts is measured by classes, and no item of this split has a known label")
    for direction, found in searches.items():
        clusters = np.searchsorted(groups, asked[direction])
        estimates |= {f"{direction}/{name}": e for name, e in estimate(found.values, clusters, resamples).items()}
        chance |= {f"{direction}/{name}": level for name, level in found.chance.items()}
    for name in BOTH:
        there, back = (f"{direction}/{name}" for direction in DIRECTIONS)
        if there in estimates:
            a, b = estimates[there], estimates[back]
            estimates[f"mean/{name}"] = Estimate((a.value + b.value) / 2, (a.drawn + b.drawn) / 2)
            chance[f"mean/{name}"] = (chance[there] + chance[back]) / 2
    estimates |= distances(gallery, groups, resamples)
    k = options.neighborhood
    for side, (quality, codes) in measures.neighborhoods(gallery, k).items():
        values = {f"neighborhood/{side}_{name}@{k}": of_items for name, of_items in quality.items()}
        estimates |= estimate(values, np.searchsorted(groups, codes), resamples)
    for head, (values, codes) in evaluate_classes.predictions(gallery.images, known).items():
        values = {f"{head}/{name}": of_items for name, of_items in values.items()}
        estimates |= estimate(values, np.searchsorted(groups, codes), resamples)
    coded = evaluate_codes.search(gallery.images, known, database, options)
    for each in (coded, evaluate_metric_learning.search(gallery.images, known, options)):
        estimates |= estimate(each.values, np.searchsorted(groups, each.groups), resamples)
        estimates |= {name: Estimate(value, np.empty(0)) for name, value in each.together.items()}
        chance |= each.chance
    entry = {
        "queries": {direction: len(found.table) for direction, found in searches.items()},
        "candidates": {direction: found.candidates for direction, found in searches.items()},
        "hits": {f"{direction}/{name}": n for direction, found in searches.items() for name, n in found.hits.items()},
        "without_meaning": gallery.without_meaning(),
        "metrics": {name: interval(e, options.confidence) for name, e in estimates.items()},
        "chance": {name: round(level, DECIMALS) for name, level in chance.items()},
    }
    if coded.by_radius:
        entry["by_radius"] = coded.by_radius
    tables = {name: found.table.assign(**{evaluate_codes.COLUMN: np.nan}) for name, found in searches.items()}
    if IMAGES in tables and "hamming/map" in coded.values:
        tables[IMAGES][evaluate_codes.COLUMN] = coded.values["hamming/map"]
    return entry, pd.concat(tables.values(), ignore_index=True)


def search(gallery: Gallery, direction: str, options: params.Evaluate) -> Search:
    """Search one side of the gallery with the other."""
    queries, candidates = gallery.sides(direction)
    found = measures.retrieval(queries, candidates, options.ties, options.ks)
    ranks = found["ranks"]
    values = {f"R@{k}": 100.0 * (ranks <= k) for k in options.ks}
    values |= {"median_rank": ranks, "mean_rank": ranks}
    values |= {"mrr": found["reciprocal_ranks"], "map": found["average_precision"]}
    chance = chance_level(found["relevant"], len(candidates.items), options.ks)
    for name, ways in (("random", measures.random_ways), ("hard", measures.hard_ways)):
        accuracy = ways(gallery, direction, options.nway)
        values |= {f"{name}_{n}way": 100 * share for n, share in accuracy.items()}
        chance |= {f"{name}_{n}way": 100 / n for n in accuracy}
    best, similarities = top_candidates(queries.vectors, candidates.vectors, HITS)
    table = pd.DataFrame({"direction": direction, "row": queries.items, "text": queries.places, "rank": ranks})
    table["reciprocal_rank"], table["average_precision"], table["ahp"] = values["mrr"], values["map"], np.nan
    table["hits"], table["similarities"] = list(candidates.items[best]), list(similarities)
    hits = {f"hits@{k}": found[f"hits@{k}"] for k in options.ks}
    return Search(values, chance, hits, len(candidates.items), table)


def distances(gallery: Gallery, groups: np.ndarray, resamples: Resamples) -> dict[str, Estimate]:
    """How far texts are from their own pictures. The extremes have no interval: no draw goes beyond them."""
    of_pairs, codes = measures.distances(gallery)
    if not len(of_pairs):
        return {}
    clusters = np.searchsorted(groups, codes)
    drawn = {
        "mean_distance": resamples.means(of_pairs, clusters),
        "median_distance": resamples.medians(of_pairs, clusters),
    }
    figures = distance_summary(of_pairs)
    return {f"pairs/{name}": Estimate(value, drawn.get(name, np.empty(0))) for name, value in figures.items()}


def estimate(values: dict[str, np.ndarray], clusters: np.ndarray, resamples: Resamples) -> dict[str, Estimate]:
    """Every figure over all queries it applies to; those that apply to none are dropped."""
    values = {name: v for name, v in values.items() if not np.isnan(v).all()}
    if not values:
        return {}
    drawn = dict(zip(values, resamples.means(np.column_stack(list(values.values())), clusters).T, strict=True))
    estimates = {name: Estimate(float(np.nanmean(v)), drawn[name]) for name, v in values.items()}
    if "median_rank" in values:
        ranks = values["median_rank"]
        estimates["median_rank"] = Estimate(float(np.median(ranks)), resamples.medians(ranks, clusters))
    return estimates


def interval(estimate: Estimate, confidence: float) -> dict[str, float | None]:
    """{"value", "low", "high"}; the ends are None where there is no interval."""
    ends = percentile_interval(estimate.drawn, confidence) if len(estimate.drawn) else (None, None)
    figures = zip(("value", "low", "high"), (estimate.value, *ends), strict=True)
    return {name: None if x is None else round(float(x), DECIMALS) for name, x in figures}


def block(split: str, entry: dict[str, Any], direction: str) -> str:
    """One direction of a split's entry in metrics.json as lines to read, as printed by Dorfer et al.'s program."""
    figures = {name.removeprefix(f"{direction}/"): figure["value"] for name, figure in entry["metrics"].items()}
    recalls = {name: name.removeprefix("R@") for name in figures if name.startswith("R@")}
    hits = {k: f"({entry['hits'][f'{direction}/hits@{k}']})" for k in recalls.values()}
    lines = {f"Top {int(k):02}": f"{figures[name]:.3f} {hits[k]}" for name, k in recalls.items()}
    lines["Median Rank"] = f"{figures['median_rank']:.2f} ({entry['candidates'][direction]})"
    lines["Mean Rank"] = f"{figures['mean_rank']:.2f}"
    lines |= {title: f"{figures[name]:.3f}" for title, name in LINES.items() if name in figures}
    width = max(map(len, lines))
    head = f"{split}, {direction.replace('_', ' ')}, {entry['queries'][direction]} queries"
    return "\n".join([head, "Hit Rates", *(f"{title:>{width}}: {value}" for title, value in lines.items())])


if __name__ == "__main__":
    cli.run(main)
