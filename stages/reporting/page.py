"""The report of a study as one HTML page, with its pictures inside."""

import base64
import importlib.metadata
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup, escape

from kith import plots
from kith.evaluation.catalogue import DIRECTIONS, IMAGES, PREDICTORS, SHARED, Metric
from kith.evaluation.describe import describe, rankings
from stages import params
from stages.reporting import markdown, order
from stages.reporting.examples import is_map

FIGURES_FILE = Path(__file__).parents[2] / "workflow/report/figures.yaml"  # titles and captions
PACKAGES = ["torch", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "gensim", "nmslib", "pillow", "matplotlib"]
DASHES = {"-": "none", "--": "7 3", "-.": "9 2 2 2", ":": "2 2"}
# The columns that are seen at once, in this order; {k} stands for any number.
MAIN = ["mean/mrr", "p", f"{IMAGES}/AHP@{{k}}", "ahp p", f"{IMAGES}/map", f"{IMAGES}/HP@10"]
MAIN += [f"{SHARED}/map", "shared p", f"{SHARED}/WAP"]
MAIN += [*(f"{way}/accuracy" for way in PREDICTORS), "hamming/map", "hamming p"]
MAIN += ["hamming/precision_radius2", "hamming/bits", "database/knn_accuracy"]
MAIN += [f"{direction}/{name}" for direction in DIRECTIONS for name in ("R@1", "R@10", "mrr", "median_rank")]


def render(
    settings: params.Params,
    board: pd.DataFrame,
    differences: pd.DataFrame,
    measured: dict[str, Any],
    pictures: dict[str, bytes],
    dataset: dict[str, Any],
    quality: dict[str, float],
    encoders: list[str],
    missing: Mapping[str, str],
    audit: Sequence[Mapping[str, Any]] = (),
    cost: Mapping[str, Any] | None = None,
) -> str:
    """The page. `board` has the deciding split first; differences: of the methods by pairs; `measured` is any run's
    splits, for chance levels; encoders: see stages.reporting.encoders. missing: methods that could not be ranked, and
    why. audit: see stages.reporting.audited. cost: see stages.reporting.cost."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    page = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    features = dataset.get("features") or {}
    boards = {name: table(rows, measured[name]) for name, rows in board.groupby("split", sort=False)}
    return page.get_template("report.html.j2").render(
        study=settings.study,
        confidence=f"{100 * settings.evaluate.confidence:g}\N{NO-BREAK SPACE}%",
        dataset=dataset,
        shapes=markdown.input_shapes(dataset),
        text_maps=is_map(features.get("text", {}).get("shape", ())),
        quality=quality if markdown.has_semantic_space(quality, dataset) else {},
        best=board.iloc[0],
        texts_alone=dataset.get("of") == "texts",
        winners=winners(board, texts_alone=dataset.get("of") == "texts"),
        orders=order.orders(board[board["split"] == board["split"].iloc[0]], differences, settings),
        order=order,
        how_sure=marked(order.meaning(settings)),
        best_by_class=best_by_class(board),
        looks={name: line(look) for name, look in plots.looks(pd.Series(settings.study.methods)).items()},
        figures=yaml.safe_load(FIGURES_FILE.read_text(encoding="utf-8")),
        boards=boards,
        legend=legend(boards[board["split"].iloc[0]]["all"]),
        expected=expected(settings, board),
        pictures={name: base64.b64encode(content).decode() for name, content in pictures.items()},
        methods={name: _yaml(settings.told(name)["parameters"]) for name in settings.study.methods},
        encoders=encoders,
        missing=missing,
        audit=audit,
        cost=cost,
        versions=versions(),
    )


def marked(text: str) -> str:
    """A sentence of the Markdown page for this one: what is in backticks as code, no stars.

    >>> str(marked("*Three* seeds (`seeds: [0, 1, 2]`) tell < more."))
    'Three seeds (<code>seeds: [0, 1, 2]</code>) tell &lt; more.'
    """
    parts = text.replace("*", "").split("`")
    wrapped = [Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)]
    return Markup("").join(wrapped)


def winners(board: pd.DataFrame, *, texts_alone: bool = False) -> list[dict[str, Any]]:
    """The best method of the first split in each thing that methods are compared by: what it does, by which metric.
    texts_alone: whether texts stand in the place of pictures."""
    first = board[board["split"] == board["split"].iloc[0]]
    found = []
    for name, ranking in rankings(first).items():
        if ranking.task and first[name].notna().any():
            row = first.loc[first[name].idxmax()]
            low, high, _ = ranking.columns
            what = ranking.task.replace("pictures", "texts") if texts_alone else ranking.task
            told = {"what": what, "measure": ranking.measure or describe(name).head}
            reached = {"value": row[name], "low": row[low], "high": row[high]}
            found.append({"method": row["method"], "name": name, **told, **reached})
    return found


def best_by_class(board: pd.DataFrame) -> str:
    """The method whose pictures find those of their class; the best one of all where classes are not known."""
    by_class = (each["method"] for each in winners(board) if each["name"].startswith((f"{IMAGES}/", f"{SHARED}/")))
    return next(by_class, board["method"].iloc[0])


def line(look: dict[str, Any]) -> dict[str, str]:
    """The line of a method in the charts, as attributes of an SVG line."""
    return {"stroke": look["color"], "stroke-dasharray": DASHES[look["linestyle"]]}


def table(rows: pd.DataFrame, measured: dict[str, Any]) -> dict[str, Any]:
    """One split of the leaderboard as the page shows it: methods, and the main and all columns in groups."""
    ends = {end for ranking in rankings(rows).values() for end in (*ranking.columns[:2], *ranking.places)}
    names = [name for name in rows if name not in {"split", "method", *ends} and not name.endswith(" sd")]
    columns = [column(name, rows, measured.get("chance", {}).get(name)) for name in names]
    known = [each for each in columns if rows[each["name"]].notna().any()]
    main = sorted((each for each in known if place(each["name"]) >= 0), key=lambda each: place(each["name"]))
    return {"methods": list(rows["method"]), "main": grouped(main), "all": grouped(columns)}


def place(name: str) -> int:
    """Where a column stands among the main ones; −1: it is none of them."""
    pattern = re.sub(r"/AHP@\d+$", "/AHP@{k}", name)
    return MAIN.index(pattern) if pattern in MAIN else -1


def grouped(columns: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Group → its columns, both in the order in which they first appear."""
    groups: dict[str, list] = {}
    for each in columns:
        groups.setdefault(each["group"], []).append(each)
    return groups


def column(name: str, rows: pd.DataFrame, chance: float | None) -> dict[str, Any]:
    """A metric of all methods, the best marked if there are several, and what chance gives."""
    metric = describe(name)
    best = rows[name].agg(metric.better) if metric.better and rows[name].notna().sum() > 1 else None
    cells = [
        {
            "value": "" if pd.isna(row[name]) else row[name],
            "text": number(row[name], metric),
            "note": note(name, row, metric),
            "best": is_best,
        }
        for (_, row), is_best in zip(rows.iterrows(), rows[name] == best, strict=True)
    ]
    return {
        "name": name,
        "group": metric.group.title,
        "label": metric.head,
        "meaning": metric.meaning,
        "cells": cells,
        "chance": number(chance, metric),
    }


def note(name: str, row: pd.Series, metric: Metric) -> str:
    """The spread over seeds, and the interval of a metric that methods are ranked by."""
    spread = [f"± {metric.shown(row[f'{name} sd'])}"] if f"{name} sd" in row else []
    interval = []
    if metric.ranking and not pd.isna(row[name]):
        low, high, _ = metric.ranking.columns
        interval = [f"{row[low]:.3f}–{row[high]:.3f}"]
    return ", ".join(spread + interval)


def number(value: float | None, metric: Metric) -> str:
    """An en dash where there is none; "< 0.001" for what would be rounded to nothing."""
    if value is None or pd.isna(value):
        return "–"
    text = metric.shown(value)
    return f"< {10**-metric.scale.decimals:g}" if value > 0 and float(text) == 0 else text


def legend(groups: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """Meaning → the labels of the columns that have it."""
    meanings: dict[str, dict[str, None]] = {}
    for each in (column for columns in groups.values() for column in columns if column["meaning"]):
        meanings.setdefault(each["meaning"], {})[each["label"]] = None
    return {meaning: list(labels) for meaning, labels in meanings.items()}


def expected(settings: params.Params, board: pd.DataFrame) -> list[list[str]]:
    """What the study expects: method, metric, expected ± tolerance, reached, verdict, source."""
    rows = []
    for method, metrics in settings.expect.items():
        for key, each in metrics.items():
            reached, verdict = markdown.verdict(board, method, key, each)
            wanted = f"{each.value:g} ± {each.tolerance:g}"
            rows.append([method, key, wanted, reached, verdict.strip("*"), each.source])
    return rows


def versions() -> dict[str, str]:
    """Python and the packages that shape the results; one that is not installed is left out."""
    installed = {each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions()}
    return {"python": platform.python_version()} | {name: installed[name] for name in PACKAGES if name in installed}


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
