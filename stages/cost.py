"""Measure what quality costs: fewer bits, numbers, codes, graphs.

Beside a table and a chart: files of all numbers.
"""

import platform
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from kith import models, plots
from kith.data.digests import sha256
from kith.errors import KithError, listed
from kith.indexes.cost import CostMaterial, measured, usual
from kith.indexes.faiss import INSTALL, installed
from kith.indexes.growth import enlarged
from kith.indexes.kinds import known
from kith.indexes.quality import ClassQuestions, PairQuestions
from kith.plots.cost import quality_for_cost
from kith.progress import over
from kith.search.vectors import everything
from kith.similarity import unit_rows
from kith.store.classes import Classes
from kith.store.prepared import Prepared, data_of
from kith.store.provenance import note
from kith.store.run import EmbeddedSide, existing, one_vector
from stages import cli, files
from stages.reporting import cost as tables

LEARN, SEED = 50_000, 0  # vectors that indexes are fitted to, at most; what is drawn, is drawn with this seed
MOST_ASKED = 5000  # texts, and pictures, whose answers are measured


def main(
    *,
    run: Annotated[list[Path], typer.Argument(help="Folders of runs, of the same data.")],
    data: Annotated[Path | None, typer.Option(help="Their prepared data, by default those beside them.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write, by default reports/<study>/cost.")] = None,
    index: Annotated[
        list[str] | None,
        typer.Option(help="An index, such as int8, pq16 or float32@64; repeat it. Default: all usual."),
    ] = None,
    split: Annotated[str, typer.Option(help="The split whose items are found.")] = "test",
    count: Annotated[int, typer.Option(min=1, help="Answers that are looked at.")] = 10,
    size: Annotated[int, typer.Option(min=1000, help="Vectors up to which times are measured.")] = 100_000,
) -> None:
    """Print, for each run, what its indexes hold, how good they are and how long they take; and write the table
    (cost.md), its chart (cost.png), cost.csv with qualities and bytes, and times.csv with all times."""
    names = [known(name) for name in index or ()]
    folders = [existing(folder) for folder in dict.fromkeys(run)]
    place = _data_of(folders) if data is None else data
    prepared = Prepared(place)
    found: list[list[dict[str, Any]]] = [[], []]
    for folder in folders:
        model, on = of_run(folder, prepared, place.parent / "taxonomy", split, size)
        name, dim = folder.resolve().name, on.vectors.shape[1]
        chosen = names or usual(dim, model["widths"], codes=model["codes"], learn=len(on.learn))
        with threadpool_limits(1):
            for each in over(chosen, f"measure {name}", len(chosen), "indexes"):
                for rows, new in zip(found, measured(each, on, count), strict=True):
                    rows += [{"run": name, **row} for row in new]
    qualities, times = (pd.DataFrame(rows) for rows in found)
    times["searched"] = len(on.vectors)
    told = {"split": split, "count": count, "items": len(on.vectors), "fitted": len(on.learn), "machine": machine()}
    target = out or place.parents[2] / "reports" / place.parent.name / "cost"
    models_of = {folder.resolve().name: sha256(folder / "model.pt") for folder in folders}
    told |= {"data": prepared.checksum, "runs": models_of}
    _write(target, qualities, times, prepared.dataset, told)
    if not names and not installed():
        print(f"float16, int8, pq and hnsw are of FAISS, which is not installed: {INSTALL}")


def _data_of(folders: list[Path]) -> Path:
    places = {data_of(folder) for folder in folders}
    if len(places) > 1:
        raise KithError(f"{listed([str(folder) for folder in folders])} are of different data; measure them apart")
    return places.pop()


def of_run(folder: Path, data: Prepared, taxonomy: Path, split: str, size: int) -> tuple[dict[str, Any], CostMaterial]:
    """Whether a run's vectors are codes, at which widths it was trained ("codes", "widths"), and what is measured on.

    Every item is embedded once, and kept as for the search. Raises KithError where no pictures of the split are found.
    """
    model, tokenizer, saved = models.load(folder / "model.pt")
    one_vector(model.shape, folder)
    sides = everything(folder, model, tokenizer, saved["max_tokens"], data)
    images, random = sides["image"], np.random.default_rng(SEED)
    inside = data.splits[images.items] == split
    # Equal answers stand in the order of rows: in one that knows nothing, so that it favours nobody.
    rows = random.permutation(np.flatnonzero(inside))
    if not len(rows):
        raise KithError(f"--split {split}: no pictures of it; there are {listed(sorted(set(data.splits)))}")
    others = np.flatnonzero(~inside)
    others = rows if not len(others) else others
    learn = np.sort(random.permutation(others)[:LEARN])
    vectors = unit_rows(np.asarray(images.vectors, dtype=np.float32))
    more = enlarged(vectors[others], max(0, size - len(rows)), SEED)
    items = images.items[rows]
    material = CostMaterial(
        vectors[rows],
        vectors[learn],
        np.concatenate([vectors[rows], more]),
        _pairs(sides["text"], items, data, split),
        _classes(taxonomy, items, data),
    )
    widths = ((saved["trained"].get("parameters") or {}).get("losses") or {}).get("matryoshka") or []
    return {"codes": bool(model.config.get("codes")), "widths": widths}, material


def _pairs(texts: EmbeddedSide, items: np.ndarray, data: Prepared, split: str) -> PairQuestions | None:
    """The texts of the split, in an order that is drawn, at most MOST_ASKED."""
    asking = np.flatnonzero(data.splits[texts.items] == split)
    if not len(asking):
        return None
    asking = np.random.default_rng(SEED).permutation(asking)[:MOST_ASKED]
    vectors = unit_rows(np.asarray(texts.vectors[asking], dtype=np.float32))
    return PairQuestions(vectors, data.groups[texts.items[asking]], data.groups[items])


def _classes(taxonomy: Path, items: np.ndarray, data: Prepared) -> ClassQuestions | None:
    """The pictures whose class has others in the split; None where there is no taxonomy stage, or no such class."""
    if not taxonomy.is_dir():
        return None
    classes = Classes(taxonomy, data)
    labels = classes.numbers(data.table)[items]
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    asking = np.flatnonzero((labels >= 0) & (np.append(counts, 0)[labels] > 1))[:MOST_ASKED]
    return ClassQuestions(asking, labels, classes.similarity("lcsh")) if len(asking) else None


def machine() -> str:
    """The processor, as far as the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _write(
    out: Path, qualities: pd.DataFrame, times: pd.DataFrame, dataset: dict[str, Any], told: dict[str, Any]
) -> None:
    page = tables.document(qualities, times, told | {"name": dataset["name"]})
    with files.replacing_folder(out, *tables.FILES, tables.NOTED, "cost.md") as folder:
        for name, frame in (("cost.csv", qualities), ("times.csv", times)):
            (folder / name).write_text(frame.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        (folder / "cost.png").write_bytes(plots.png(chart(qualities, times, told)))
        (folder / "cost.md").write_text(page, encoding="utf-8")
        files.write_json(folder / tables.NOTED, note([folder / name for name in tables.FILES], **told))
    print(page)
    print(f"{out}: cost.md, cost.png, cost.csv (qualities and bytes), times.csv")


def chart(qualities: pd.DataFrame, times: pd.DataFrame, told: dict[str, Any]) -> Figure:
    """By the first metric that every run has."""
    known = tables.measures(qualities, told["count"])
    common = [name for name in known if qualities.groupby("run")[name].count().all()]
    best = next(iter(common), None) or next(iter(known), "recall")
    largest = times.loc[~times["extrapolated"], "vectors"].max()
    at = times[times["vectors"] == largest]
    keys = ["run", "index", "effort"]
    rows = qualities.merge(at[[*keys, "query_ms"]], on=keys)
    rows["kind"] = rows["index"].str.replace(r"^(pq|itq)\d+", r"\1", regex=True).str.replace(r"@\d+", "@…", regex=True)
    rows["quality"] = rows[best].astype(float)
    title = f"{known.get(best, 'share of the exact answers')}, among {told['items']:,}"
    return quality_for_cost(rows, title, int(largest))


if __name__ == "__main__":
    cli.run(main)
