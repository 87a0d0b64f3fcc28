"""The report of a study as one HTML page, with its pictures inside."""

import base64
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from kith import plots
from kith.evaluation import catalogue as gallery
from stages import params
from stages.reporting import markdown as leaderboard
from stages.reporting.cells import PREDICTORS
from stages.reporting.examples import is_map

FIGURES_FILE = Path(__file__).parents[2] / "workflow/report/figures.yaml"  # titles and captions
PACKAGES = ["torch", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "gensim", "nmslib", "pillow", "matplotlib"]
BOTH, KEPT = "both directions", "neighbourhoods kept"
IMAGES = "image → image, by class"
GROUPS = {"seeds": "", "p": BOTH, "mean": BOTH, **plots.DIRECTIONS, "pairs": "matched pairs", "neighborhood": KEPT}
GROUPS |= {gallery.IMAGES: IMAGES, "ahp p": IMAGES, **PREDICTORS}
GROUPS |= {"hamming": "binary codes", "hamming p": "binary codes", "database": "among training pictures"}
GROUPS |= {"metric_learning": "metric learning"}
AHP = "hierarchical precision"
MAIN = ["mean/mrr", "p", AHP, "ahp p", f"{gallery.IMAGES}/map", f"{gallery.IMAGES}/HP@10"]
MAIN += [*(f"{name}/accuracy" for name in PREDICTORS), "hamming/map", "hamming p"]
MAIN += ["hamming/precision_radius2", "hamming/bits", "database/knn_accuracy"]
MAIN += [f"{direction}/{name}" for direction in plots.DIRECTIONS for name in ("R@1", "R@10", "mrr", "median_rank")]
DASHES = {"-": "none", "--": "7 3", "-.": "9 2 2 2", ":": "2 2"}
# How the name of a figure begins: what it means, which end is better, decimals.
FIGURES = {
    "seeds": ("Trainings with different seeds; figures are their means, ± their standard deviations.", "", 0),
    "AHP@": ("Hierarchical precision of pictures found by a picture, averaged over the first answers.", "max", 3),
    "HP@": ("Nearness in the taxonomy of the first k pictures found by a picture, 1 at best.", "max", 3),
    "AHP": ("Hierarchical precision averaged over all answers.", "max", 3),
    "accuracy": ("Percentage of pictures whose class is predicted.", "max", 1),
    "balanced_accuracy": ("The same, as the mean over the classes.", "max", 1),
    "top5_accuracy": ("Percentage of pictures whose class is among the five likeliest.", "max", 1),
    "hierarchical_accuracy": ("Accuracy in which a wrong class counts as far as it is similar.", "max", 1),
    "p": ("How often chance makes a difference from the best method as large (paired, Holm-corrected).", "", 3),
    "mrr": ("Mean reciprocal rank of the first right answer: 1 if it always comes first.", "max", 3),
    "map": ("Mean average precision over all right answers.", "max", 3),
    "map@": ("Mean average precision over the right answers among the first k.", "max", 3),
    "bits": ("Length of the codes.", "", 0),
    "bit_imbalance": ("How far bits are from halving the pictures: 0 they do, 1 they never change.", "min", 3),
    "bit_correlation": ("Mean size of the correlation of two bits.", "min", 3),
    "precision@": ("Share of right ones among the first k answers.", "max", 3),
    "precision_radius": ("Share of right ones among all within so many bits, 0 where there are none.", "max", 3),
    "knn_accuracy": ("Percentage of pictures for whose class the nearest training pictures vote.", "max", 1),
    "r_precision": ("Of as many first answers as there are right ones, the share that is right.", "max", 3),
    "map@r": ("Average precision over as many first answers as there are right ones.", "max", 3),
    "nmi": ("Agreement of k-means clusters with the classes: normalised mutual information, 1 the same.", "max", 3),
    "ami": ("The same, adjusted: 0 for clusters at random.", "max", 3),
    "R@": ("Recall: percentage of queries with a right answer among the k best.", "max", 1),
    "median_rank": ("Rank of the first right answer that half of the queries reach.", "min", 1),
    "mean_rank": ("Mean rank of the first right answer.", "min", 1),
    "mean_distance": ("Mean cosine distance of a text from its own picture: 0 the same, 1 unrelated.", "", 3),
    "median_distance": ("Median cosine distance of a text from its own picture.", "", 3),
    "min_distance": ("Smallest cosine distance of a text from its own picture.", "", 3),
    "max_distance": ("Largest cosine distance of a text from its own picture, 2 at most.", "", 3),
    "random_": ("Percentage of queries whose partner comes before n − 1 others drawn at random.", "max", 1),
    "hard_": ("Percentage of queries whose partner comes before the n − 1 others nearest in meaning.", "max", 1),
    "image_recall": ("Share of the nearest in meaning that are among the nearest pictures.", "max", 3),
    "image_ndcg": ("How near in meaning the nearest pictures are, 1 at best; early places count more.", "max", 3),
    "text_recall": ("Share of the nearest in meaning that are among the nearest texts.", "max", 3),
    "text_ndcg": ("How near in meaning the nearest texts are, 1 at best; early places count more.", "max", 3),
}


def render(
    settings: params.Params,
    board: pd.DataFrame,
    measured: dict[str, Any],
    pictures: dict[str, bytes],
    dataset: dict[str, Any],
    quality: dict[str, float],
) -> str:
    """The page. `board` has the deciding split first; `measured` is any run's splits, for chance levels."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    page = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    features = dataset.get("features") or {}
    boards = {name: table(rows, measured[name]) for name, rows in board.groupby("split", sort=False)}
    return page.get_template("report.html.j2").render(
        study=settings.study,
        confidence=f"{100 * settings.evaluate.confidence:g}\N{NO-BREAK SPACE}%",
        dataset=dataset,
        views=leaderboard.views(dataset),
        text_maps=is_map(features.get("text", {}).get("shape", ())),
        quality=quality if leaderboard.has_meaning(quality, dataset) else {},
        best=board.iloc[0],
        winners=winners(board),
        best_by_class=best_by_class(board),
        looks={name: line(look) for name, look in plots.looks(pd.Series(settings.study.methods)).items()},
        figures=yaml.safe_load(FIGURES_FILE.read_text(encoding="utf-8")),
        boards=boards,
        legend=legend(boards[board["split"].iloc[0]]["all"]),
        expected=expected(settings, board),
        pictures={name: base64.b64encode(content).decode() for name, content in pictures.items()},
        methods={
            name: _yaml(settings.method(name).model_dump(mode="json", exclude_none=True))
            for name in settings.study.methods
        },
        versions=versions(),
    )


def winners(board: pd.DataFrame) -> list[dict[str, Any]]:
    """The best method of the first split in each thing that methods are compared by: what it does, its figure."""
    first = board[board["split"] == board["split"].iloc[0]]
    ahp = next((name for name in board if is_ahp(name)), "")
    told = [
        ("mean/mrr", "", "texts find pictures and pictures texts", "mean reciprocal rank of both directions"),
        (ahp, "ahp ", "pictures find pictures of near classes", ahp.rpartition("/")[2]),
    ]
    found = []
    for figure, prefix, what, named in told:
        if figure in first and first[figure].notna().any():
            row = first.loc[first[figure].idxmax()]
            ends = {"low": row[f"{prefix}low"], "high": row[f"{prefix}high"]}
            shown = {"what": what, "figure": named, "value": row[figure], **ends}
            found.append({"method": row["method"], "name": figure, **shown})
    return found


def best_by_class(board: pd.DataFrame) -> str:
    """The method whose pictures find those of their class; the best one of all where classes are not known."""
    return next((each["method"] for each in winners(board) if is_ahp(each["name"])), board["method"].iloc[0])


def line(look: dict[str, Any]) -> dict[str, str]:
    """The line of a method in the charts, as attributes of an SVG line."""
    return {"stroke": look["color"], "stroke-dasharray": DASHES[look["linestyle"]]}


def is_ahp(name: str) -> bool:
    """Whether this is the figure that methods are compared by where pictures find pictures."""
    return name.startswith(f"{gallery.IMAGES}/AHP@") and not name.endswith(("_wup", " sd"))


def table(rows: pd.DataFrame, measured: dict[str, Any]) -> dict[str, Any]:
    """One split of the leaderboard as the page shows it: methods, and the main and all columns in groups."""
    hidden = {"split", "method", *(prefix + end for prefix in ("", "ahp ", "hamming ") for end in ("low", "high"))}
    names = [name for name in rows if name not in hidden and not name.endswith(" sd")]
    columns = [column(name, rows, measured.get("chance", {}).get(name)) for name in names]
    known = [each for each in columns if rows[each["name"]].notna().any()]
    main = sorted((each for each in known if place(each["name"]) >= 0), key=lambda each: place(each["name"]))
    return {"methods": list(rows["method"]), "main": grouped(main), "all": grouped(columns)}


def place(name: str) -> int:
    """Where a column stands among the main ones; −1: it is none of them."""
    name = AHP if is_ahp(name) else name
    return MAIN.index(name) if name in MAIN else -1


def grouped(columns: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Group → its columns, both in the order in which they first appear."""
    groups: dict[str, list] = {}
    for each in columns:
        groups.setdefault(each["group"], []).append(each)
    return groups


def column(name: str, rows: pd.DataFrame, chance: float | None) -> dict[str, Any]:
    """A figure of all methods, the best marked if there are several, and what chance gives."""
    head, _, short = name.rpartition("/")
    short = short.replace("ahp p", "p").replace("hamming p", "p")
    known = max((start for start in FIGURES if short.startswith(start)), key=len, default="")
    meaning, better, decimals = FIGURES.get(known, ("", "", 3))
    best = rows[name].agg(better) if better and rows[name].notna().sum() > 1 else None
    cells = [
        {
            "value": "" if pd.isna(row[name]) else row[name],
            "text": number(row[name], decimals),
            "note": note(name, row, decimals),
            "best": is_best,
        }
        for (_, row), is_best in zip(rows.iterrows(), rows[name] == best, strict=True)
    ]
    return {
        "name": name,
        "group": GROUPS.get(head or name, head),
        "label": label(short),
        "meaning": meaning,
        "cells": cells,
        "chance": number(chance, decimals),
    }


def label(name: str) -> str:
    """mrr → MRR, hard_5way → hard 5-way."""
    for old, new in (
        ("_wup", " (WUP)"),
        ("precision@", "P@"),
        ("precision_radius", "P@radius "),
        ("knn", "k-NN"),
        ("mrr", "MRR"),
        ("map", "mAP"),
        ("ndcg", "nDCG"),
        ("way", "-way"),
        ("_", " "),
    ):
        name = name.replace(old, new)
    return name


def note(name: str, row: pd.Series, decimals: int) -> str:
    """The spread over seeds, and the interval of the deciding figure."""
    spread = [f"± {row[f'{name} sd']:.{decimals}f}"] if f"{name} sd" in row else []
    prefix = {"mean/mrr": "", "hamming/map": "hamming "}.get(name, "ahp " if is_ahp(name) else None)
    ends = None if prefix is None else (f"{prefix}low", f"{prefix}high")
    interval = [f"{row[ends[0]]:.3f}–{row[ends[1]]:.3f}"] if ends and not pd.isna(row[name]) else []
    return ", ".join(spread + interval)


def number(value: float | None, decimals: int) -> str:
    """An en dash where there is none; "< 0.001" for what would be rounded to nothing."""
    if value is None or pd.isna(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return f"< {10**-decimals:g}" if value > 0 and float(text) == 0 else text


def legend(groups: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """Meaning → the labels of the columns that have it."""
    meanings: dict[str, dict[str, None]] = {}
    for each in (column for columns in groups.values() for column in columns if column["meaning"]):
        meanings.setdefault(each["meaning"], {})[each["label"]] = None
    return {meaning: list(labels) for meaning, labels in meanings.items()}


def expected(settings: params.Params, board: pd.DataFrame) -> list[list[str]]:
    """What the study expects: method, figure, expected ± tolerance, reached, verdict, source."""
    rows = []
    for method, figures in settings.expect.items():
        for key, each in figures.items():
            reached, verdict = leaderboard.verdict(board, method, key, each)
            wanted = f"{each.value:g} ± {each.tolerance:g}"
            rows.append([method, key, wanted, reached, verdict.strip("*"), each.source])
    return rows


def versions() -> dict[str, str]:
    """Python and the packages that shape the results; one that is not installed is left out."""
    installed = {each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions()}
    return {"python": platform.python_version()} | {name: installed[name] for name in PACKAGES if name in installed}


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
